"""What incidents that ended long ago still ask of people: reviews to be closed, actions of the plan."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, exists, or_, select

from alerts.chase import Outstanding, outstanding
from alerts.protocol_json import protocol_from_json
from monitor.core.events import EventKind
from monitor.core.ids import IncidentId
from monitor.store import log
from monitor.store.tables import events, incidents

REVIEWED_WITHIN = timedelta(days=430)
"""How long after its end a review may still be reminded of: 30 days until it is due, and a year of weeks."""
AT_ONCE = 50
"""Incidents that are folded together, so that their timelines do not fill the memory."""


def read(connection: Connection, now: datetime, keep: timedelta) -> dict[IncidentId, Outstanding]:
    """Return what is outstanding of the incidents that ended more than `keep` before `now`.

    The first reminder of each is the first that there ever was: whoever goes through them finds what was not told.
    """
    own = events.c.incident == incidents.c.id
    planned = exists().where(own, events.c.kind == EventKind.ACTION.value)
    disrupted = exists().where(own, events.c.kind == EventKind.DISRUPTED.value)
    recent = incidents.c.resolved_at >= now - REVIEWED_WITHIN
    over = incidents.c.resolved_at < now - keep
    query = select(incidents.c.id).where(over, or_(planned, and_(disrupted, recent))).order_by(incidents.c.opened_at)
    names = list(connection.scalars(query))
    found: dict[IncidentId, Outstanding] = {}
    for start in range(0, len(names), AT_ONCE):
        found |= _some(connection, names[start : start + AT_ONCE])
    return found


def _some(connection: Connection, names: list[str]) -> dict[IncidentId, Outstanding]:
    which = select(incidents.c.id).where(incidents.c.id.in_(names))
    protocols = log.get_protocols(connection, which)
    found = {}
    for name, incident in log.get_incidents(connection, which).items():
        body = protocols.get(name)
        if body is not None and protocol_from_json(body).chase:
            left = outstanding(incident, incident.opened_at)
            if left is not None:
                found[name] = left
    return found
