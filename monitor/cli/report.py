"""`releve report`: documents out of what is on record, with a daemon and without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from monitor.cli import offline
from monitor.cli.context import ExitCode, Failure, Settings, pass_settings, warn
from monitor.cli.documents import FORMATS, OUTPUT, STDOUT, format_of, site_of, write
from monitor.cli.reading import legible
from monitor.cli.report_comms import comms
from monitor.cli.report_public import public
from monitor.core.ids import IncidentId
from monitor.core.text import N_, say

if TYPE_CHECKING:
    from monitor.core.incident import Incident
    from monitor.reports.document import Document
    from monitor.store import Store


@click.group(help=N_("Write documents: the review of an incident, the proof of communication."))
def report() -> None:
    """Group the commands that write documents."""


@report.command(
    help=N_(
        "Write the review (REX) of the incident ID, or of the newest one: times against the targets, timeline, proof "
        "of communication, repair, measurements, causes, lessons and actions. What nobody documented is marked as "
        "such.\n\n"
        "People complete it by `releve incident review` and `releve incident action`, or by notes that begin with a "
        'word and a colon: factor, went well, to improve, lesson, as in: releve incident note ID "lesson: ...".'
    )
)
@click.argument("name", metavar="[ID]", default="")
@click.option(
    "--version",
    "stage",
    type=click.Choice(["hot", "cold"]),
    help=N_("As it stood when the hot or the cold review was closed."),
)
@click.option(
    "--format",
    "wanted",
    type=click.Choice(FORMATS),
    help=N_("Of the document; default: by the name of the file, or md on stdout."),
)
@OUTPUT
@pass_settings
def rex(settings: Settings, name: str, stage: str | None, wanted: str | None, output: str) -> int:
    """Write the review of one incident."""
    from monitor.clock import SystemClock
    from monitor.reports.rex import rex as review

    form = format_of(wanted, output)
    inventory, speech = site_of(settings)
    now = SystemClock().now()

    def gathered(store: Store) -> tuple[Document, Incident]:
        from monitor.reports.gather import material

        incident = _at_version(_chosen(store, legible(name)), stage)
        return review(material(store, incident, inventory, now), speech), incident

    document, incident = offline.read(settings, gathered)
    write(document, form, output)
    if output != STDOUT:
        warn(speech.render(say("Review of incident {id} written: {path}", id=incident.id, path=output)))
    return ExitCode.WRONG if incident.open else ExitCode.DONE


def _at_version(incident: Incident, stage: str | None) -> Incident:
    """The incident as it stood when that review was closed. Raises Failure while it is not."""
    if stage is None:
        return incident
    from monitor.core.review import Stage
    from monitor.reports.rex_versions import as_closed

    found = as_closed(incident, Stage(stage))
    if found is None:
        command = f"releve incident review close {incident.id} {stage}"
        raise Failure(say("that review is not closed yet: `{command}`", command=command))
    return found


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


report.add_command(comms)
report.add_command(public)
