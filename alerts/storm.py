"""Storms: where much happens at once that interrupts nothing, our own people read it in one message, not in fifty."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alerts.notice import STORMS, Audience, NoticeKey, Planned, Step
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import IncidentId
from monitor.core.incident import Incident
from monitor.core.text import say

MOST = 5
"""Incidents of which one reader is told one by one within `WITHIN`."""
WITHIN = timedelta(minutes=5)
EVERY = timedelta(seconds=30)
"""Between two messages of a storm to one reader: as long as a first notice may take."""
GATHERED = frozenset({Step.FIRST_NOTICE, Step.RESOLVED})
"""What a message of a storm stands for; all else has a reason that wants its own message."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Storm:
    """One message to one reader. `planned`: the messages that it stands for; `incidents`: what they are about, the
    oldest first."""

    plan: Planned
    planned: tuple[Planned, ...]
    incidents: tuple[Incident, ...]

    def events(self, now: datetime) -> tuple[Event, ...]:
        """Return what is noted in the log of each incident, so that nobody tells it again."""
        reader, count = self.plan.key.recipient, len(self.incidents)
        text = say("{name} was told in one message about {count} incidents", name=reader, count=count)
        return tuple(
            Event(one.key.incident, now, EventKind.GATHERED, RELEVE, text, data={"keys": [str(one.key)]})
            for one in self.planned
        )


def gathered(incident: Incident) -> frozenset[NoticeKey]:
    """Return the messages about `incident` of which one about many took the place."""
    return frozenset(map(NoticeKey.parse, incident.gathered))


def storms(
    planned: Iterable[Planned],
    incidents: Mapping[IncidentId, Incident],
    sent: Mapping[IncidentId, Collection[NoticeKey]],
    now: datetime,
    *,
    patient: bool = True,
) -> tuple[list[Planned], tuple[Storm, ...]]:
    """Return which of `planned` are written by themselves now, and the messages that take the place of others.

    1. Only what our own people are told of an incident that never interrupted the client's service is ever gathered.
    2. A reader who is told of no more than `MOST` incidents within `WITHIN` reads each by itself.
    3. Of a storm there is a message every `EVERY` at most. What comes in between is in neither answer: it is due still,
       and `due` returns it again. `patient` False: nobody will ask again soon, so nothing waits.

    Pure, of what is kept: after a crash or a restart the answer is the same.
    """
    alone: list[Planned] = []
    waiting: dict[str, list[Planned]] = {}
    for plan in planned:
        if _may_be_gathered(plan, incidents):
            waiting.setdefault(plan.key.recipient, []).append(plan)
        else:
            alone.append(plan)
    lately = _lately(incidents, sent, now) if waiting else {}
    found = []
    for reader, plans in waiting.items():
        about = {plan.key.incident for plan in plans}
        if len(about | lately.get(reader, set())) <= MOST:
            alone += plans
        elif not patient or _last(sent, reader, now) + EVERY <= now:
            found.append(_storm(reader, plans, incidents, now))
    return alone, tuple(found)


def _may_be_gathered(plan: Planned, incidents: Mapping[IncidentId, Incident]) -> bool:
    key, incident = plan.key, incidents.get(plan.key.incident)
    ours = key.audience is Audience.INTERNAL and key.step in GATHERED and not plan.instead_of and not plan.skipped
    return ours and incident is not None and incident.disrupted_at is None


def _lately(
    incidents: Mapping[IncidentId, Incident], sent: Mapping[IncidentId, Collection[NoticeKey]], now: datetime
) -> dict[str, set[IncidentId]]:
    """Of which incidents each reader was told lately."""
    found: dict[str, set[IncidentId]] = {}
    for name, incident in incidents.items():
        begun, ended = incident.episode_at or incident.opened_at, incident.resolved_at
        if max(begun, ended or begun) <= now - WITHIN:
            continue
        for key in (*sent.get(name, ()), *gathered(incident)):
            at = ended if key.step is Step.RESOLVED else begun
            now_told = key.audience is Audience.INTERNAL and key.step in GATHERED and key.n == incident.episode
            if now_told and at is not None and at > now - WITHIN:
                found.setdefault(key.recipient, set()).add(name)
    return found


def _last(sent: Mapping[IncidentId, Collection[NoticeKey]], reader: str, now: datetime) -> datetime:
    """When `reader` was last written to about a storm; what lies ahead was before the clock was set back."""
    moments = (moment_of(key) for key in sent.get(STORMS, ()) if key.recipient == reader)
    return max((at for at in moments if at <= now), default=_EPOCH)


def _storm(reader: str, plans: list[Planned], incidents: Mapping[IncidentId, Incident], now: datetime) -> Storm:
    key = NoticeKey(STORMS, Audience.INTERNAL, Step.STORM, int(now.timestamp()), reader)
    about = {plan.key.incident: incidents[plan.key.incident] for plan in plans}
    oldest_first = sorted(about.values(), key=lambda one: (one.opened_at, one.id))
    return Storm(Planned(key, min(plan.due_at for plan in plans)), tuple(plans), tuple(oldest_first))


def told_in(key: NoticeKey, incidents: Iterable[Incident]) -> tuple[IncidentId, ...]:
    """Return of which of `incidents` the message with `key` told."""
    return tuple(
        one.id
        for one in incidents
        if any(told.recipient == key.recipient for told in gathered(one)) and _gathered_at(one, key.n)
    )


def _gathered_at(incident: Incident, moment: int) -> bool:
    return any(e.kind is EventKind.GATHERED and int(e.at.timestamp()) == moment for e in incident.timeline)


def moment_of(key: NoticeKey) -> datetime:
    """Return when the message about a storm with `key` was written."""
    return _EPOCH + timedelta(seconds=key.n)
