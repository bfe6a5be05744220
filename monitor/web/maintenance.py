"""The part of the API about announced work: what there is, one more, the end of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from monitor.core.maintenance import Window
from monitor.core.text import Speech, say
from monitor.daemon.daemon import Daemon
from monitor.inventory.maintenance import BadWindow
from monitor.web.request import BadRequest, actor, body_of, word
from monitor.web.windows import Asked, window_asked, window_json, windows_json, wrong_text


class MaintenanceApi:
    """The handlers; every one reads the desk or asks it to act."""

    def __init__(self, daemon: Daemon, speech: Callable[[Request], Speech]) -> None:
        self._daemon, self._speech = daemon, speech

    async def all(self, request: Request) -> Response:
        return JSONResponse(self.shown(request))

    def shown(self, request: Request) -> list[dict[str, Any]]:
        """Return all announced work."""
        return windows_json(self._daemon.desk.state.windows, self._speech(request), self._daemon.clock.now())

    async def add(self, request: Request) -> Response:
        asked = asked_of(await body_of(request))
        try:
            window = window_asked(asked, self._daemon.desk.inventory, self._daemon.clock.now())
        except BadWindow as wrong:
            raise BadRequest(wrong_text(wrong)) from wrong
        return self._json(await self._daemon.desk.announce(window, actor(request)), request, 201)

    async def end(self, request: Request) -> Response:
        await body_of(request)
        return self._json(await self._daemon.desk.end_work(request.path_params["id"], actor(request)), request)

    def _json(self, window: Window, request: Request, status: int = 200) -> Response:
        return JSONResponse(window_json(window, self._speech(request), self._daemon.clock.now()), status)


def asked_of(body: Mapping[str, Any]) -> Asked:
    """Return the work that a request announces. Raises BadRequest for what is no text, or no list of texts."""
    given = dict(body)
    return Asked(
        name=word(given, "name"),
        devices=_names(given, "devices"),
        checks=_names(given, "checks"),
        begins=word(given, "from", ""),
        ends=word(given, "until", ""),
        length=word(given, "for", ""),
        kind=word(given, "incident", ""),
        reason=word(given, "reason", ""),
    )


def _names(body: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = body.get(key, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise BadRequest(say("{name}: a list of names is expected", name=key))
    return tuple(value)
