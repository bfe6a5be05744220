"""The handover: whoever comes on duty while something is open reads what it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alerts.agreement import Protocol
from alerts.notice import HANDOVERS, Audience, NoticeKey, Planned, Step
from monitor.core.ids import IncidentId
from monitor.core.incident import Incident
from monitor.core.rota import Roster

LATEST = timedelta(hours=6)
"""After a handover: whoever has been on duty for longer is told of it no more, however long Relève was out."""
_INSTANT = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Handover:
    """A message to whoever has come on duty, and the incidents that are handed over, the oldest first."""

    plan: Planned
    incidents: tuple[Incident, ...]


def handovers(
    roster: Roster,
    incidents: Mapping[IncidentId, Incident],
    protocols: Mapping[IncidentId, Protocol],
    sent: Collection[NoticeKey],
    now: datetime,
) -> tuple[Handover, ...]:
    """Return the messages to those who have come on duty lately which should exist at `now` and are not among `sent`.

    One for each person and moment, about what was open then and still is, of which a rota is told that they have taken
    over; none where nothing is. What opens later is told to them by itself. A handover has no incident of its own: its
    key is that of the moment (`n`, seconds since 1970), so that no late tick and no restart makes a second one.
    """
    found: dict[NoticeKey, dict[IncidentId, Incident]] = {}
    for name in sorted({name for one in protocols.values() for name in one.operations if name in roster.rotas}):
        spells = roster.rotas[name].spells(roster.overrides, now - LATEST, now + _INSTANT)
        at, who = spells[-1].start, spells[-1].who
        if len(spells) == 1 or at is None:
            continue
        ours = {
            key: one
            for key, one in incidents.items()
            if one.open and one.opened_at < at and key in protocols and name in protocols[key].operations
        }
        if ours:
            key = NoticeKey(HANDOVERS, Audience.INTERNAL, Step.HANDOVER, int(at.timestamp()), who)
            found.setdefault(key, {}).update(ours)
    return tuple(
        Handover(Planned(key, moment_of(key)), tuple(sorted(ours.values(), key=lambda one: (one.opened_at, one.id))))
        for key, ours in found.items()
        if key not in sent
    )


def moment_of(key: NoticeKey) -> datetime:
    """Return when the handover took place of which the message with `key` tells."""
    return _EPOCH + timedelta(seconds=key.n)
