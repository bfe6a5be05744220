"""`releve report`: documents out of what is on record, with a daemon and without one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli import offline
from monitor.cli.context import ExitCode, Failure, Settings, pass_settings, warn
from monitor.cli.reading import legible
from monitor.core.ids import IncidentId
from monitor.core.text import N_, say

if TYPE_CHECKING:
    from monitor.core.incident import Incident
    from monitor.core.text import Speech
    from monitor.inventory.model import Inventory
    from monitor.reports.document import Document
    from monitor.reports.formats import Format
    from monitor.store import Store

STDOUT = "-"
FORMATS = ("pdf", "html", "md", "json")
"""Those of `monitor.reports.formats.Format`, which is not imported for the help alone."""


@click.group(help=N_("Write documents: the review of an incident."))
def report() -> None:
    """Group the commands that write documents."""


@report.command(
    help=N_(
        "Write the review (REX) of the incident ID, or of the newest one: times against the targets, timeline, proof "
        "of communication, repair, measurements, causes, lessons and actions. What nobody documented is marked as "
        "such.\n\n"
        "People complete it by notes that begin with a word and a colon: factor, went well, to improve, lesson, or "
        'action, as in: releve incident note ID "action: what; who; until when; state".'
    )
)
@click.argument("name", metavar="[ID]", default="")
@click.option(
    "--format",
    "wanted",
    type=click.Choice(FORMATS),
    help=N_("Of the document; default: by the name of the file, or md on stdout."),
)
@click.option("-o", "--output", default=STDOUT, metavar="FILE", help=N_("Write into FILE, whole or not at all."))
@pass_settings
def rex(settings: Settings, name: str, wanted: str | None, output: str) -> int:
    """Write the review of one incident."""
    from monitor.clock import SystemClock
    from monitor.reports.rex import rex as review

    form = _format(wanted, output)
    inventory, speech = _site(settings)
    now = SystemClock().now()

    def gathered(store: Store) -> tuple[Document, Incident]:
        from monitor.reports.gather import material

        incident = _chosen(store, legible(name))
        return review(material(store, incident, inventory, now), speech), incident

    document, incident = offline.read(settings, gathered)
    _write(document, form, output)
    if output != STDOUT:
        warn(speech.render(say("Review of incident {id} written: {path}", id=incident.id, path=output)))
    return ExitCode.WRONG if incident.open else ExitCode.DONE


def _format(wanted: str | None, output: str) -> Format:
    """What is asked for, else what the name of the file says. Raises Failure before anything is read."""
    from monitor.reports.formats import SUFFIXES, Format

    by_name = SUFFIXES.get(Path(output).suffix.lower())
    form = Format(wanted) if wanted else Format.MARKDOWN if output == STDOUT else by_name
    if form is None:
        names = ", ".join(sorted(SUFFIXES))
        raise Failure(
            say("the name {path} says no format; end it with {names}, or give --format", path=output, names=names)
        )
    if form.binary and output == STDOUT and sys.stdout.isatty():
        raise Failure(say("a PDF is not for a terminal: write it into a file with -o FILE"))
    return form


def _site(settings: Settings) -> tuple[Inventory | None, Speech]:
    """The inventory, or None where it is wrong: a review is written all the same, without names and targets."""
    from monitor.inventory.load import load

    reading = load(settings.inventory)
    speech = settings.speech(reading.language, reading.zone)
    if reading.inventory is None:
        text = say(
            "{path} cannot be read: the review has no names, targets and thresholds. `releve validate` says what is "
            "wrong",
            path=str(settings.inventory),
        )
        warn(speech.render(text))
    return reading.inventory, speech


def _chosen(store: Store, name: str) -> Incident:
    """The incident of that name, without one the newest. Raises Failure."""
    if name:
        found = store.incident(IncidentId(name))
        if found is None:
            raise Failure(say("there is no incident {id}; `releve incident list` shows them", id=name))
        return found
    newest = store.incidents(1)
    if not newest:
        raise Failure(say("there has been no incident"))
    return newest[0]


def _write(document: Document, form: Format, output: str) -> None:
    from monitor.reports.formats import rendered
    from monitor.reports.workshop import RenderFailed

    target = Path(output)
    if output != STDOUT and not target.parent.is_dir():
        raise Failure(say("There is no folder {path}", path=str(target.parent)))
    if target.is_dir():
        raise Failure(say("{path} is a folder; name a file in it", path=output))
    try:
        content = rendered(document, form)
    except RenderFailed as error:
        raise Failure(error.text) from error
    if output != STDOUT:
        _put(target, content)
    elif form.binary:
        sys.stdout.buffer.write(content)
    else:
        click.echo(content.decode(), nl=False)


def _put(target: Path, content: bytes) -> None:
    from monitor.core.reasons import reason
    from monitor.reports.formats import put

    try:
        put(target, content)
    except OSError as error:  # it names the file that was to take the place of this one
        raise Failure(say("{path}: {why}", path=str(target), why=reason(error))) from error
