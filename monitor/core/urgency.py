"""Whether an incident is worth waking somebody, and since when nobody says that they are on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from monitor.core.verdict import Severity

if TYPE_CHECKING:
    from monitor.core.incident import Incident


@dataclass(frozen=True, slots=True)
class Urgency:
    """How pressing an incident is.

    `loud_at`: since when the present episode has been worse than a warning, or interrupts the client's service; None
    while it never was. `unanswered_at`: since when a critical incident, or one that interrupts, waits for somebody to
    take charge; None while somebody is on it, after the end, and before it was ever critical. It waits for the
    `waits`th time then, `earlier` of which were in the episodes before. It may become milder while it waits:
    `pressing_at` is since when it has not been.
    """

    loud_at: datetime | None = None
    unanswered_at: datetime | None = None
    pressing_at: datetime | None = None
    waits: int = 0
    earlier: int = 0


CALM = Urgency()


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides how pressing an incident is, as it stands now.

    `open`: it goes on. `answered`: somebody is on it, or it belongs to announced work that goes on. `interrupts`: the
    client's service.
    """

    open: bool
    answered: bool
    severity: Severity
    interrupts: bool

    @property
    def pressing(self) -> bool:
        """Whether somebody has to act at once."""
        return self.severity is Severity.CRITICAL or self.interrupts


def moved(before: Urgency, now: Standing, at: datetime, *, reopened: bool = False) -> Urgency:
    """Return how pressing it is once it stands as `now`, since `at`. `reopened`: a new episode has begun."""
    if reopened:
        before = replace(before, loud_at=None, earlier=before.waits)
    loud = now.open and (now.severity > Severity.WARNING or now.interrupts)
    if loud and before.loud_at is None:
        before = replace(before, loud_at=at)
    if not now.open or now.answered:
        return replace(before, unanswered_at=None, pressing_at=None)
    if not now.pressing:
        return replace(before, pressing_at=None)
    if before.unanswered_at is None:
        return replace(before, unanswered_at=at, pressing_at=at, waits=before.waits + 1)
    return replace(before, pressing_at=before.pressing_at or at)


def pressed(before: Incident, incident: Incident, at: datetime) -> Incident:
    """Return `incident`, which something at `at` made of what was `before`, with how pressing it is now.

    What belongs to announced work presses nobody: its cause is known, until that overruns.
    """
    excused = bool(incident.window) and incident.overrun_at is None
    answered = incident.acknowledged_at is not None or excused
    standing = Standing(incident.open, answered, incident.severity, incident.disruption_seen_at is not None)
    urgency = moved(before.urgency, standing, at, reopened=incident.episode > before.episode)
    return incident if urgency == before.urgency else replace(incident, urgency=urgency)
