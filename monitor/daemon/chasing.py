"""Chasing: who is reminded of reviews and actions of incidents that left the desk, until these are done.

Such an incident is not kept at hand: of each there are some moments, and it is read from the store when one comes.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from alerts.agreement import Protocol
from alerts.chase import CHASED, Outstanding, chases, outstanding
from alerts.notice import NoticeKey, Planned
from alerts.protocol import due
from alerts.protocol_json import protocol_from_json
from monitor.core.ids import IncidentId
from monitor.core.incident import Incident
from monitor.core.rota import Roster
from monitor.daemon.journal import Journal
from monitor.store import Store, StoreError

log = logging.getLogger(__name__)

AT_ONCE = 10
"""Incidents that one tick reads: the desk hears nobody meanwhile."""
LATER = timedelta(minutes=1)
"""After which one is tried again that could not be read."""
MORNING = timedelta(minutes=10)
"""After which one is looked at again of which something waits for the end of the quiet hours."""


@dataclass(frozen=True, slots=True)
class Reminders:
    """What is due of one incident at a moment, under the protocol that is frozen with it; `left` after it."""

    incident: Incident
    protocol: Protocol
    planned: tuple[Planned, ...]
    left: Outstanding | None


@dataclass(slots=True)
class Chasing:
    """What is outstanding of incidents that left the desk, by their name."""

    outstanding: dict[IncidentId, Outstanding] = field(default_factory=dict)

    def ripe(self, now: datetime) -> tuple[IncidentId, ...]:
        """Return some incidents of which somebody is to be reminded at `now`."""
        found = (name for name, one in self.outstanding.items() if one.next_at is not None and one.next_at <= now)
        return tuple(name for name, _ in zip(found, range(AT_ONCE), strict=False))

    def keep(self, incident: Incident, protocol: Protocol | None) -> None:
        """Take over what is outstanding of an incident that is not at the desk; it is looked at once at once.

        Whatever was due before and could not be told, because of the clock or the disk, is found then.
        """
        chased = protocol is not None and protocol.chase
        self.put(incident.id, outstanding(incident, incident.opened_at) if chased else None)

    def put(self, name: IncidentId, left: Outstanding | None) -> None:
        """Remember what is left of an incident; nothing where that is nothing."""
        if left is None:
            self.outstanding.pop(name, None)
        else:
            self.outstanding[name] = left

    async def read(self, name: IncidentId, journal: Journal, now: datetime, roster: Roster) -> Reminders | None:
        """Return what is due of one incident; None where nothing is, or it cannot be read: that is tried again."""
        try:
            found = await journal.ask(reminders, journal.store, name, now, roster)
        except StoreError:
            log.exception("nobody is reminded", extra={"event": "chasing_trouble", "incident": name})
            self.outstanding[name] = replace(self.outstanding[name], next_at=now + LATER)
            return None
        if found is None:
            self.put(name, None)
        return found


def reminders(store: Store, name: IncidentId, now: datetime, roster: Roster) -> Reminders | None:
    """Return what is due of one incident at `now` and was not told yet; None for one that is not chased.

    Raises StoreError.
    """
    incident, frozen = store.incident(name), store.protocol(name)
    if incident is None or frozen is None:
        return None
    protocol = protocol_from_json(frozen[1])
    told = store.told(name)
    wanted = tuple(plan for plan in due(protocol, incident, told, now, roster) if plan.key.step in CHASED)
    left = outstanding(incident, now)
    if left is not None and protocol.quiet is not None and _waits(incident, {*told, *(p.key for p in wanted)}, now):
        left = replace(left, next_at=min(now + MORNING, left.next_at or now + MORNING))
    return Reminders(incident, protocol, wanted, left)


def _waits(incident: Incident, told: Collection[NoticeKey], now: datetime) -> bool:
    """Whether the last reminder of something has come and is not written yet."""
    written = {(key.step, key.n) for key in told}
    found = ((chase.step, chase.last(now)) for chase in chases(incident))
    return any(last is not None and (step, last[0]) not in written for step, last in found)


def overdue(chasing: Iterable[Outstanding], at_hand: Mapping[IncidentId, Incident], now: datetime) -> tuple[int, int]:
    """Return how many reviews and actions should have been done by `now`: of incidents at hand, and of all others."""
    near = (outstanding(incident, now) for incident in at_hand.values())
    counts = [one.overdue(now) for one in (*chasing, *near) if one is not None]
    return sum(reviews for reviews, _ in counts), sum(actions for _, actions in counts)
