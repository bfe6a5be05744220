"""At the desk: a person puts two incidents together, or takes one failure out of what an incident explains."""

from __future__ import annotations

from datetime import datetime

from alerts.notice import Audience
from monitor.core import merging
from monitor.core.events import Event
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident, Refused
from monitor.core.plan import State
from monitor.core.text import say
from monitor.daemon.desk import Desk
from monitor.store.audit import AuditEntry


async def merge(desk: Desk, name: IncidentId, into: IncidentId, actor: str) -> Incident:
    """Let the incident `name` go on under `into`, and return that one. Raises Refused."""

    def events(state: State, now: datetime) -> tuple[Event, ...]:
        told = {key.recipient for key in desk.sent.get(name, ()) if key.audience is Audience.CLIENT}
        return merging.merged(_known(state, name), _known(state, into), told, actor, now)

    await desk.join(events, AuditEntry(actor, "merge", {"incident": name, "into": into}))
    return desk.state.incidents[into]


async def split(desk: Desk, name: IncidentId, check: CheckId, actor: str) -> Incident:
    """Have `check` told by itself although the incident `name` seems to explain it; return its own incident, or `name`.

    Raises Refused.
    """

    def events(state: State, now: datetime) -> tuple[Event, ...]:
        return (merging.split(_known(state, name), check, state.healths.get(check), actor, now),)

    await desk.join(events, AuditEntry(actor, "split", {"incident": name, "check": check}))
    own = (incident for incident in desk.state.incidents.values() if incident.open and incident.check == check)
    return next(own, desk.state.incidents[name])


def _known(state: State, name: IncidentId) -> Incident:
    incident = state.incidents.get(name)
    if incident is None:
        raise Refused(say("there is no incident {id} that goes on; `releve incident list` shows them", id=name))
    return incident
