"""What commands read first: the inventory, and the daemon if there is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from monitor.cli.context import Failure, Settings, speak, warn
from monitor.core.text import LANGUAGES, say

if TYPE_CHECKING:
    from monitor.core.text import Speech
    from monitor.inventory.model import Inventory
    from monitor.web.client import LocalApi


def inventory_of(settings: Settings, site: str | None = None) -> Inventory:
    """Return the inventory as it is read at `site`; None: at the one where the daemon of the data folder stands.

    Its errors go to stderr, located, and end the command with Failure.

    From here on messages are in the site's language, unless another was asked for.
    """
    from monitor.inventory.load import load
    from monitor.inventory.report import problem_json, problem_line
    from monitor.inventory.standpoint import NotASite, remembered, standing_at

    reading = load(settings.inventory)
    if settings.lang is None and reading.language in LANGUAGES:
        speak(reading.language)
    if reading.inventory is None:
        words = settings.speech(reading.language)
        for problem in reading.problems:
            warn(problem_line(problem_json(problem, words), words))
        raise Failure(say("{path} is wrong; nothing was done", path=str(settings.inventory)))
    try:
        return standing_at(reading.inventory, remembered(settings.data) if site is None else site)
    except NotASite as error:
        raise Failure(error.text) from error


def daemon_or_none(settings: Settings) -> LocalApi | None:
    """Return the daemon of the data folder, or None when there is none. Raises Failure when it does not answer."""
    from monitor.web.client import ApiError, LocalApi, NoDaemon, NotOurs

    api, data = LocalApi(settings.data, settings.lang or ""), str(settings.data)
    try:
        api.get("/healthz")
    except NoDaemon:
        return None
    except NotOurs as error:
        raise Failure(say("{path} belongs to another user: do this as that user, or as root", path=data)) from error
    except ApiError as error:
        text = say("the daemon on {path} does not answer ({why}); its log says more", path=data, why=str(error))
        raise Failure(text) from error
    return api


def segment(name: str) -> str:
    """Return `name`, whatever it holds, as one part of a path of the API."""
    return quote(name, safe="")


def legible(name: str) -> str:
    """Return `name` as it was typed, with a sign in place of every byte that is no UTF-8."""
    return name.encode(errors="replace").decode()


def ask(api: LocalApi, path: str) -> Any:
    """Return the JSON at `path` of the daemon; what it refuses ends the command with its own sentence."""
    return _answered(lambda: api.get(path))


def fetch(api: LocalApi, path: str) -> bytes:
    """Return what lies at `path` of the daemon, as it is; like `ask` for what it refuses."""
    found: bytes = _answered(lambda: api.fetch(path))
    return found


def act(api: LocalApi, path: str, body: dict[str, Any]) -> Any:
    """Let the daemon act; like `ask` for what it refuses."""
    return _answered(lambda: api.post(path, body))


def send(api: LocalApi, path: str, file: bytes) -> Any:
    """Hand `file` to the daemon; like `ask` for what it refuses."""
    return _answered(lambda: api.send(path, file))


def _answered(call: Callable[[], Any]) -> Any:
    from monitor.web.client import ApiError, NoDaemon

    try:
        return call()
    except NoDaemon as error:
        raise Failure(say("the daemon went away")) from error
    except ApiError as error:
        raise Failure(say("{why}", why=str(error))) from error


def site_speech(settings: Settings) -> Speech:
    """Return how the site's people are spoken to: its language and its time, as far as its inventory can be read."""
    from monitor.inventory.load import load

    reading = load(settings.inventory)
    return settings.speech(reading.language, reading.zone)
