"""When what an invitation says changed: its revisions are counted by the incident's log and by nothing else."""

from __future__ import annotations

from datetime import datetime

from monitor.core.events import EventKind
from monitor.core.incident import Incident


def revisions(incident: Incident) -> tuple[datetime, ...]:
    """Return the moments, oldest first, at which an invitation to talk about `incident` would say something new.

    Another cause is stated, or it is worse than it ever was. What it does from minute to minute is for the updates.
    """
    found, cause, worst = [], "", None
    for event in incident.timeline:
        if event.kind is EventKind.CAUSE:
            stated = str(dict(event.text.values).get("verbatim", ""))
            if stated != cause:
                found.append(event.at)
            cause = stated
        if event.severity is not None and event.kind in (EventKind.OPENED, EventKind.SEVERITY, EventKind.REOPENED):
            if worst is not None and event.severity > worst:
                found.append(event.at)
            worst = event.severity if worst is None else max(worst, event.severity)
    return tuple(found)


def revised_since(incident: Incident, since: datetime) -> int:
    """Return how many revisions came after `since`: what SEQUENCE counts (RFC 5545, 3.8.7.4)."""
    return sum(at > since for at in revisions(incident))
