"""When a crisis cell is called for and when it reports (S17): on a grid that counts from the interruption.

The cell is called for with the conference, or where there is none, with the first slot of its reports. It reports from
then on, that slot included: the first report says that there is a cell, and who leads it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.agreement import Protocol
from alerts.grid import end_stands_for, next_moment, slots
from alerts.notice import Audience, NoticeKey, Step
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.incident import Incident
from monitor.core.text import say


@dataclass(frozen=True, slots=True)
class Said:
    """One message of the cell: to whom, which, when it is due, and the moments of reports that it stands for."""

    audience: Audience
    step: Step
    n: int
    at: datetime
    to: tuple[str, ...]
    skipped: bool = False
    missed: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """A report: its number on the grid, its moment, and the moments of those missed that it stands for."""

    n: int
    at: datetime
    missed: tuple[datetime, ...] = ()
    skipped: bool = False


def cell_opens_at(protocol: Protocol, incident: Incident) -> datetime | None:
    """Return when this episode calls for a crisis cell, past or to come; None where it does not."""
    began, seen = incident.disrupted_at, incident.disruption_seen_at
    after = protocol.conference_after if protocol.conference_to else protocol.crisis_every
    if began is None or seen is None or after is None:
        return None
    return max(began + after, seen)


def said(protocol: Protocol, incident: Incident, existing: Collection[NoticeKey], now: datetime) -> list[Said]:
    """Return what a cell has said by `now`: that it is called for, to our own people; its reports, to all.

    Our own people read all of a report of the moment at which the cell opens in the call for it, which comes with it.
    """
    opens_at, ended, own = cell_opens_at(protocol, incident), incident.resolved_at, protocol.operations
    if opens_at is None or opens_at > (ended or now):
        return []
    known = any(key.step is Step.CRISIS_OPENED and key.n == incident.episode for key in existing)
    missed = ended is not None and not known
    found = [Said(Audience.INTERNAL, Step.CRISIS_OPENED, incident.episode, opens_at, own, missed)]
    for slot in reports(protocol, incident, existing, now):
        copy = () if slot.at == opens_at else own
        for audience, to in ((Audience.CLIENT, protocol.crisis_to), (Audience.INTERNAL, copy)):
            found.append(Said(audience, Step.CRISIS_REPORT, slot.n, slot.at, to, slot.skipped, slot.missed))
    return found


def cell_opened(protocol: Protocol, incident: Incident, now: datetime) -> Event | None:
    """Return the line of the incident's log that a crisis cell is called for by `now`, if it has yet to be written."""
    opens_at, known = cell_opens_at(protocol, incident), incident.crisis.opened_at
    if not incident.open or opens_at is None or opens_at > now or (known is not None and known >= opens_at):
        return None
    text = say("Crisis cell called for: the client's service has been interrupted for long")
    return Event(incident.id, now, EventKind.CRISIS_OPENED, RELEVE, text, began_at=opens_at)


def next_report(protocol: Protocol, incident: Incident, now: datetime) -> datetime | None:
    """Return when the crisis cell reports next if nothing changes; None when no report is to come."""
    opens_at, began, every = cell_opens_at(protocol, incident), incident.disrupted_at, protocol.crisis_every
    if not incident.open or opens_at is None or began is None or every is None or not protocol.crisis_to:
        return None
    first = _first(began, every, opens_at)
    return next_moment(began, every, now, first)


def reports(protocol: Protocol, incident: Incident, existing: Collection[NoticeKey], now: datetime) -> tuple[Slot, ...]:
    """Return the reports that should exist at `now` and do not: the last one, and those missed before it as skipped.

    Once the interruption is over, all of them are: what was not said in time is named by the message of the end.
    """
    if incident.resolved_at is not None:
        until = incident.resolved_at - end_stands_for(protocol.crisis_every)
        return tuple(Slot(n, at, skipped=True) for n, at in _slots(protocol, incident, existing, until))
    reached = _slots(protocol, incident, existing, now)
    if not reached:
        return ()
    *missed, (n, at) = reached
    last = Slot(n, at, tuple(moment for _, moment in missed))
    return (*(Slot(each, moment, skipped=True) for each, moment in missed), last)


def _slots(
    protocol: Protocol, incident: Incident, existing: Collection[NoticeKey], until: datetime
) -> list[tuple[int, datetime]]:
    """The moments of the grid from the opening up to `until`, after the last one for which notices exist."""
    opens_at, began, every = cell_opens_at(protocol, incident), incident.disrupted_at, protocol.crisis_every
    if opens_at is None or began is None or every is None or not protocol.crisis_to:
        return []
    reached = max((key.n for key in existing if key.step is Step.CRISIS_REPORT), default=0)
    return slots(began, every, max(_first(began, every, opens_at), reached + 1), until)


def _first(began: datetime, every: timedelta, opens_at: datetime) -> int:
    """The number of the first slot that is not before the opening."""
    return max(1, -((began - opens_at) // every))
