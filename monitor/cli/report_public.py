"""`releve report public`: the public status as the daemon serves and sends it, written by hand or for a timer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli import offline
from monitor.cli.context import ExitCode, Failure, Settings, pass_settings, warn
from monitor.cli.documents import OUTPUT, STDOUT, check_target, put
from monitor.cli.reading import ask, daemon_or_none, inventory_of
from monitor.core.text import N_, say

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.core.text import Speech
    from monitor.inventory.model import Inventory
    from monitor.reports.public import PublicFacts
    from monitor.store import Store
    from monitor.web.client import LocalApi

NORMAL = "normal"
"""`Word.NORMAL` of the status, which is not imported for the help alone."""
FORMS = {".html": "html", ".htm": "html", ".json": "json", ".atom": "atom", ".xml": "atom"}


@click.command(
    "public",
    help=N_(
        "Write the public status: how the service is, what the client was told of interruptions, and announced work; "
        "no machine, no address, no contact.\n\n"
        "It says until when it is valid. Exit code 1 unless the service is normal."
    ),
)
@click.option(
    "--format",
    "wanted",
    type=click.Choice(sorted(set(FORMS.values()))),
    help=N_("Default: by the name of the file, or html on stdout."),
)
@OUTPUT
@pass_settings
def public(settings: Settings, wanted: str | None, output: str) -> int:
    """Write what anybody may read."""
    form = wanted or ("html" if output == STDOUT else FORMS.get(Path(output).suffix.lower()))
    if form is None:
        names = ", ".join(sorted(FORMS))
        raise Failure(
            say("the name {path} says no format; end it with {names}, or give --format", path=output, names=names)
        )
    check_target(output)
    inventory = inventory_of(settings)
    speech = settings.speech(inventory.site.language, inventory.site.timezone)
    api = daemon_or_none(settings)
    content, word = _stored(settings, inventory, speech, form) if api is None else _served(api, speech, form)
    put(content, output)
    if output != STDOUT:
        warn(speech.render(say("Public status written: {path}", path=output)))
    return ExitCode.DONE if word == NORMAL else ExitCode.WRONG


def _served(api: LocalApi, speech: Speech, form: str) -> tuple[bytes, str]:
    """What the daemon says, which knows the figures of the services, and how the service is."""
    from monitor.reports.public_pages import json_bytes

    asked = f"lang={speech.language}&links=files"
    status = ask(api, f"/public/status.json?{asked}")
    word = str(status["state"]) if isinstance(status, dict) else ""
    if form == "json":
        return json_bytes(status), word
    page = "/public" if form == "html" else "/public/feed.atom"
    return str(ask(api, f"{page}?{asked}")).encode(), word


def _stored(settings: Settings, inventory: Inventory, speech: Speech, form: str) -> tuple[bytes, str]:
    """What the last daemon left, and how the service is by that."""
    from monitor.clock import SystemClock
    from monitor.core.plan import State
    from monitor.reports.public import public_facts, public_status
    from monitor.reports.public_pages import Form, rendered

    now = SystemClock().now()
    nothing = public_facts(inventory.plan, State(windows=inventory.plan.maintenance), (), now)
    facts = offline.read_or(settings, lambda store: stored_facts(store, inventory, now), nothing)
    status = public_status(inventory, facts, speech)
    return rendered(status, speech, Form(form)), status.word.value


def stored_facts(store: Store, inventory: Inventory, now: datetime) -> PublicFacts:
    """Return what the last daemon knew; what services count by figures is not kept, and counts as not visible."""
    from dataclasses import replace

    from alerts.protocol_json import protocol_from_json
    from monitor.core import watch
    from monitor.reports.public import PAST, public_facts

    kept, plan = store.load(now, PAST), inventory.plan
    state = replace(kept.state, windows=watch.reload(plan, kept.state, now).state.windows)
    protocols = {name: protocol_from_json(data) for name, data in kept.protocols.items()}
    incidents = [(one, protocols.get(name, inventory.protocol)) for name, one in state.incidents.items()]
    return public_facts(plan, state, incidents, now)
