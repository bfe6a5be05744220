"""What comes before a run: whether an incident calls for one, and its dry run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from monitor.core.health import Health
from monitor.core.ids import CheckId, NodeId
from monitor.core.incident import BLIND, Incident, Refused
from monitor.core.maintenance import Window
from monitor.core.text import Text, say
from monitor.core.topology import Topology
from monitor.core.verdict import Severity
from monitor.inventory.model import Inventory
from runbooks.book import Book
from runbooks.contract import Action, StepFailed, Subject
from runbooks.run import Run, RunState


def called_for(
    incident: Incident, inventory: Inventory, healths: Mapping[CheckId, Health], runs: Iterable[Run]
) -> Book | None:
    """Return the runbook that is to be started for `incident` now; None where there is none, or it had its turn.

    One run an episode; one that the emergency stop ended may be followed by another. None for what announced work
    brings, nor while the failure comes and goes: by then a repair has been tried or would not last.
    """
    kind = inventory.kinds.get(incident.kind)
    book = None if kind is None else inventory.books.get(kind.runbook)
    if book is None or incident.check is None or incident.kind == BLIND or not incident.open:
        return None
    held = bool(incident.window) or incident.flapping_at is not None
    bad = incident.recovered_at is None and incident.severity >= book.starts_at and not held
    health = healths.get(incident.check)
    if not bad or health is None or health.confirmed in (Severity.OK, Severity.UNKNOWN):
        return None
    since = incident.episode_at or incident.opened_at
    had = any(
        run.incident == incident.id and run.started_at >= since and run.state is not RunState.STOPPED for run in runs
    )
    called = any(call.run == "" and call.at >= since for call in incident.calls)
    return None if had or called else book


def planned(books: Mapping[str, Book], subject: Subject, name: str) -> tuple[Book, Subject, tuple[Action, ...]]:
    """Return the runbook `name` and its dry run about `subject`. Raises Refused."""
    book = books.get(name)
    if book is None:
        raise Refused(no_such_book(name, books))
    try:
        return book, subject, book.plan(subject)
    except StepFailed as error:
        text = say("{runbook} can do nothing about {check}: {why}", runbook=name, check=subject.check, why=error.text)
        raise Refused(
            text if error.remedy is None else say("{what}. {remedy}", what=text, remedy=error.remedy)
        ) from error


def targets_of(subject: Subject, plan: tuple[Action, ...]) -> frozenset[NodeId]:
    """Return the devices that a run of `plan` about `subject` acts on."""
    return frozenset({subject.own.node, *(action.target for action in plan)})


def no_such_book(name: str, books: Mapping[str, Book]) -> Text:
    """Return the sentence that says so, with those that there are."""
    return say("there is no runbook {name}; there are: {names}", name=name, names=", ".join(sorted(books)))


def worked_on(windows: Iterable[Window], topology: Topology, now: datetime) -> dict[NodeId, str]:
    """Return the devices on which announced work goes on at `now`, with its name."""
    going = [window for window in windows if window.span_at(now) is not None]
    return {topology.where[check]: window.id for window in going for check in window.scope if check in topology.where}
