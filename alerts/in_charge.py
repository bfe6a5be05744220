"""Who is on an incident, until when, and whether somebody was who is not any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.core.events import Event, EventKind
from monitor.core.incident import Incident
from monitor.core.verdict import Severity


class Void(StrEnum):
    """Why an acknowledgement does not hold any more, though the incident goes on."""

    LAPSED = "lapsed"
    WORSE = "worse"
    DISRUPTED = "disrupted"
    """The client's service is interrupted since."""
    RELAPSED = "relapsed"


@dataclass(frozen=True, slots=True)
class Lost:
    """An acknowledgement that does not hold any more: whose it was, why not, and since when."""

    actor: str
    why: Void
    at: datetime


def lost(incident: Incident) -> Lost | None:
    """Return the last acknowledgement of an open incident that nobody is on; None where none was lost."""
    if not incident.open or incident.acknowledged_at is not None:
        return None
    taken: Event | None = None
    severity, held_for, found = incident.severity, incident.severity, None
    for event in incident.timeline:
        if event.kind in _RATING and event.severity is not None:
            severity = event.severity
        if event.kind is EventKind.ACKNOWLEDGED:
            taken, held_for, found = event, severity, None
        elif taken is not None and found is None:
            why = _why(event, taken, held_for)
            found = None if why is None else Lost(taken.actor, why, event.at)
    return found


_RATING = (EventKind.OPENED, EventKind.SEVERITY, EventKind.RELAPSED, EventKind.REOPENED)


def _why(event: Event, taken: Event, held_for: Severity) -> Void | None:
    """What `event` makes of the acknowledgement `taken` of what was as bad as `held_for`, as `incident.fold` does."""
    if event.kind is EventKind.UNACKNOWLEDGED:
        return Void.LAPSED
    if event.kind is EventKind.DISRUPTED:
        return Void.DISRUPTED
    if event.kind is EventKind.REOPENED:
        over = taken.until is not None and taken.until <= event.at
        return Void.RELAPSED if event.severity is not Severity.WARNING else Void.LAPSED if over else None
    worse = event.severity is not None and event.severity > held_for
    return Void.WORSE if worse and event.kind in (EventKind.SEVERITY, EventKind.RELAPSED) else None
