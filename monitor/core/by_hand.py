"""What people say of an incident, as the events that record it."""

from __future__ import annotations

from datetime import datetime, timedelta

from monitor.core.events import Event, EventKind
from monitor.core.ids import IncidentId
from monitor.core.incident import Incident, Refused
from monitor.core.text import say, verbatim
from monitor.core.verdict import Severity


def acknowledge(
    incident: Incident, actor: str, now: datetime, note: str = "", length: timedelta | None = None
) -> Event:
    """Return the event that `actor` takes charge, for `length` or to the end. Raises Refused once it is resolved."""
    _must_be_open(incident)
    text = say("Acknowledged: {note}", note=note) if note else say("Acknowledged")
    return Event(incident.id, now, EventKind.ACKNOWLEDGED, actor, text, until=None if length is None else now + length)


def note(incident: Incident, actor: str, now: datetime, words: str) -> Event:
    """Return the event that `actor` adds `words` to the log, also after the end."""
    return Event(incident.id, now, EventKind.NOTE, actor, verbatim(words))


def state_cause(incident: Incident, actor: str, now: datetime, words: str) -> Event:
    """Return the event that `actor` says what the cause is; every later message tells it."""
    return Event(incident.id, now, EventKind.CAUSE, actor, verbatim(words))


def open_by_hand(incident: IncidentId, kind: str, severity: Severity, actor: str, now: datetime, words: str) -> Event:
    """Return the event that `actor` opens an incident which no check has seen."""
    return Event(incident, now, EventKind.OPENED, actor, verbatim(words), None, severity, kind, now)


def resolve_by_hand(incident: Incident, actor: str, now: datetime, words: str, *, failing: bool) -> Event:
    """Return the event that `actor` ends the incident.

    Raises Refused while its check still fails (`failing`): a message "resolved" that the next reading contradicts
    would cost the client's trust.
    """
    _must_be_open(incident)
    if failing:
        raise Refused(
            say(
                "{check} still fails, so incident {id} stays open. Acknowledge it, or put the check in order.",
                check=str(incident.check),
                id=incident.id,
            )
        )
    text = say("Resolved: {note}", note=words) if words else say("Resolved")
    return Event(incident.id, now, EventKind.RESOLVED, actor, text)


def _must_be_open(incident: Incident) -> None:
    if not incident.open:
        raise Refused(say("Incident {id} is already resolved.", id=incident.id))
