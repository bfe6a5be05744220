"""`releve incident attach` and `attachment`: keep a file with an incident, and read it back."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli import offline
from monitor.cli.chosen import chosen_incident
from monitor.cli.context import ExitCode, Failure, Settings, pass_settings, warn
from monitor.cli.crisis import last_line
from monitor.cli.documents import put
from monitor.cli.reading import ask, daemon_or_none, fetch, legible, segment, send
from monitor.core.ids import IncidentId
from monitor.core.text import N_, say

STDOUT = Path("-")
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


@click.command(help=N_("Read back the file number N of an incident, as it was attached: its SHA-256 is checked."))
@click.argument("name", metavar="ID")
@click.argument("n", metavar="N", type=click.IntRange(min=1))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help=N_("Where to; under its own name here, if absent; - for stdout."),
)
@pass_settings
def attachment(settings: Settings, name: str, n: int, output: Path | None) -> int:
    """Read a file back."""
    chosen = chosen_incident(settings, name)
    called, data = _kept(settings, chosen, n)
    if output == STDOUT:
        put(data, str(STDOUT), binary=True)
        return ExitCode.DONE
    path = output if output is not None else Path(called)
    try:
        write_new(path, data)
    except FileExistsError as error:
        raise Failure(say("{path} is there already: name another file with -o", path=legible(str(path)))) from error
    except OSError as error:
        raise Failure(say("{path}: {why}", path=legible(str(path)), why=error.strerror or str(error))) from error
    written = say("File {n} of incident {id} written: {path}", n=n, id=chosen, path=legible(str(path)))
    warn(settings.speech().render(written))
    return ExitCode.DONE


def write_new(path: Path, data: bytes) -> None:
    """Write `data` as the new file `path`: whole, or nothing is left there, for a part would be taken for the evidence.

    Raises OSError, FileExistsError where there is one already.
    """
    with path.open("xb") as file:
        try:
            file.write(data)
            file.flush()
        except OSError:
            path.unlink(missing_ok=True)
            raise


def _kept(settings: Settings, incident: str, n: int) -> tuple[str, bytes]:
    """What file `n` of the incident is called, and what it holds. Raises Failure."""
    api = daemon_or_none(settings)
    if api is not None:
        shown = ask(api, f"/api/v1/incidents/{segment(incident)}")
        data = fetch(api, f"/api/v1/incidents/{segment(incident)}/attachments/{n}")
        return next(str(one["name"]) for one in shown["attachments"] if one["n"] == n), data
    from monitor.core.incident import Refused
    from monitor.daemon.attaching import read_from

    asked = IncidentId(incident)
    try:
        one, data = offline.read(settings, lambda kept: read_from(kept.folder, kept.incident(asked), asked, n))
    except Refused as error:
        raise Failure(error.text) from error
    return one.name, data


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
