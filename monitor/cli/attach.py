"""`releve incident attach`: keep a file with an incident."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli import offline
from monitor.cli.chosen import chosen_incident
from monitor.cli.context import Failure, Settings, pass_settings
from monitor.cli.crisis import last_line
from monitor.cli.reading import daemon_or_none, legible, segment, send
from monitor.core.ids import IncidentId
from monitor.core.text import N_, say

JSON = click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))


@click.command(help=N_("Attach FILE, a log or a photograph: it is kept with the state, and named with its SHA-256."))
@click.argument("name", metavar="ID")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@JSON
@pass_settings
def attach(settings: Settings, name: str, file: Path, as_json: bool) -> int:
    """Attach a file."""
    chosen, data, called = chosen_incident(settings, name), _read(file), legible(file.name)
    api = daemon_or_none(settings)
    if api is not None:
        one = send(api, f"/api/v1/incidents/{segment(chosen)}/attachments?name={segment(called)}", data)
    else:
        from monitor.daemon import attaching

        one = offline.act(settings, lambda desk, who: attaching.attach(desk, IncidentId(chosen), who, called, data))
    return last_line(settings, one, as_json=as_json, daemon=api is not None)


def _read(file: Path) -> bytes:
    """What `file` holds, no more than one byte above what may be attached. Raises Failure for what is no file."""
    from monitor.core.attachment import LARGEST

    shown = legible(str(file))
    try:
        if not file.is_file():
            raise Failure(say("There is no file {path}", path=shown))
        with file.open("rb") as opened:
            return opened.read(LARGEST + 1)
    except OSError as error:
        raise Failure(say("{path}: {why}", path=shown, why=error.strerror or str(error))) from error
