"""Storms: where much happens at once that interrupts nothing, our own people read it in one message, not in fifty."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from alerts.agreement import Protocol
from alerts.escalation import climbed
from alerts.notice import STORMS, Audience, Notice, NoticeKey, Planned, Step
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import IncidentId
from monitor.core.incident import Incident
from monitor.core.text import say

MOST = 5
"""Incidents of which one reader is told one by one within `WITHIN`."""
WITHIN = timedelta(minutes=5)
EVERY = timedelta(seconds=20)
"""Between two messages of a storm to one reader: of the 30 s that a first notice may take, ten are left to send it."""
ENDS = frozenset({Step.RESOLVED, Step.MERGED})
TOLD = frozenset({Step.FIRST_NOTICE}) | ENDS
GATHERED = TOLD | {Step.ESCALATED}
"""What a message of a storm stands for; all else has a reason that wants its own message. What nobody answers is late
a minute after its moment, so that it may wait for `EVERY` as the others."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Storm:
    """One message to one reader. `planned`: the messages that it stands for; `incidents`: what they are about, the
    oldest first. `overtaken`: what came and went before anybody was told, and stands in it no more by itself."""

    plan: Planned
    planned: tuple[Planned, ...]
    incidents: tuple[Incident, ...]
    overtaken: tuple[NoticeKey, ...] = ()

    @property
    def escalated(self) -> frozenset[IncidentId]:
        """Of which incidents it says that nobody answers, to whoever is told of them for that reason alone."""
        fresh = {one.key.incident for one in self.planned if one.key.step is not Step.ESCALATED}
        return frozenset(one.key.incident for one in self.planned) - fresh

    def events(self, now: datetime) -> tuple[Event, ...]:
        """Return what is noted in the log of each incident, so that nobody tells it again."""
        reader, count, message = self.plan.key.recipient, len(self.incidents), str(self.plan.key)
        text = say("{name} was told in one message about {count} incidents", name=reader, count=count)
        found = []
        for one in self.planned:
            first = one.key.step is Step.FIRST_NOTICE
            earlier = [key for key in self.overtaken if first and key.incident == one.key.incident]
            data = {"keys": [*map(str, (one.key, *earlier))], "message": message, "due_at": one.due_at.isoformat()}
            found.append(Event(one.key.incident, now, EventKind.GATHERED, RELEVE, text, data=data))
        return tuple(found)


def gathered(incident: Incident) -> frozenset[NoticeKey]:
    """Return the messages about `incident` of which one about many took the place."""
    return frozenset(map(NoticeKey.parse, incident.gathered))


def storms(
    planned: Iterable[Planned],
    incidents: Mapping[IncidentId, Incident],
    sent: Mapping[IncidentId, Collection[NoticeKey]],
    now: datetime,
    *,
    every: timedelta | None = EVERY,
    protocols: Mapping[IncidentId, Protocol] | None = None,
) -> tuple[list[Planned], tuple[Storm, ...]]:
    """Return which of `planned` are written by themselves now, and the messages that take the place of others.

    1. Only what our own people are told of an incident that never interrupted the client's service is ever gathered.
       That it got worse is gathered with its first notice, where that waits still: which says how bad it is by then.
       That nobody answers is gathered as well: of a storm that was told in one message, all is due at once again.
    2. A reader who is told of no more than `MOST` incidents within `WITHIN` reads each by itself.
    3. Of a storm there is a message every `every` at most; None: none now, the next tick gathers all. What waits is in
       neither answer: it is due still, and `due` returns it again.
    4. What several are told of the same is written for all of them together, for then it is settled (`due`): where one
       reads it now, no other waits.

    `protocols`: of each incident, whose ladder says when a rung of it was told. Pure, of what is kept: after a crash or
    a restart the answer is the same.
    """
    alone: list[Planned] = []
    waiting: dict[str, list[Planned]] = {}
    planned = tuple(planned)
    first = {(plan.key.recipient, plan.key.incident) for plan in planned if plan.key.step is Step.FIRST_NOTICE}
    for plan in planned:
        if _may_be_gathered(plan, incidents, first):
            waiting.setdefault(plan.key.recipient, []).append(plan)
        else:
            alone.append(plan)
    if not waiting:
        return alone, ()
    lately = _lately(incidents, sent, protocols or {}, now)
    calm = {
        reader
        for reader, plans in waiting.items()
        if len({plan.key.incident for plan in plans} | lately.get(reader, set())) <= MOST
    }
    if every is None:
        held = {_same(plan) for reader, plans in waiting.items() if reader not in calm for plan in plans}
        return alone + [plan for reader in calm for plan in waiting[reader] if _same(plan) not in held], ()
    at_once = calm | {reader for reader in waiting if _last(sent, reader, now) + every <= now}
    at_once = _with_whom(at_once, waiting)
    alone += [plan for reader, plans in waiting.items() if reader in calm for plan in plans]
    stormy = [(reader, plans) for reader, plans in waiting.items() if reader in at_once - calm]
    alone += [plan for _, plans in stormy for plan in plans if plan.skipped]
    told = [(reader, [plan for plan in plans if not plan.skipped]) for reader, plans in stormy]
    return alone, tuple(_storm(reader, plans, incidents, sent, now) for reader, plans in told if plans)


def _same(plan: Planned) -> tuple[IncidentId, Step, int]:
    """What is settled for everybody once one of them was told.

    All rungs of an incident that are due: which of them a reader is told of by another one is found for all together.
    """
    return plan.key.incident, plan.key.step, 0 if plan.key.step is Step.ESCALATED else plan.key.n


def _with_whom(readers: Collection[str], waiting: Mapping[str, list[Planned]]) -> set[str]:
    """`readers` and whoever is told anything together with one of them."""
    found, told = set[str](), set[tuple[IncidentId, Step, int]]()
    more = set(readers)
    while more:
        found |= more
        told |= {_same(plan) for reader in more for plan in waiting[reader]}
        more = {
            reader for reader, plans in waiting.items() if reader not in found and any(_same(p) in told for p in plans)
        }
    return found


def _may_be_gathered(
    plan: Planned, incidents: Mapping[IncidentId, Incident], first: Collection[tuple[str, IncidentId]]
) -> bool:
    """`first`: who is about to be told of which incident for the first time."""
    key, incident = plan.key, incidents.get(plan.key.incident)
    step = key.step in GATHERED or (key.step is Step.WORSENED and (key.recipient, key.incident) in first)
    # A rung that is skipped for one reader is settled for all: written at once, whoever waits would never hear of it.
    written = not plan.skipped or (key.step is Step.ESCALATED and not plan.hushed)
    ours = key.audience is Audience.INTERNAL and step and not plan.instead_of and written
    return ours and incident is not None and incident.disrupted_at is None


def _lately(
    incidents: Mapping[IncidentId, Incident],
    sent: Mapping[IncidentId, Collection[NoticeKey]],
    protocols: Mapping[IncidentId, Protocol],
    now: datetime,
) -> dict[str, set[IncidentId]]:
    """Of which incidents each reader was told lately."""
    found: dict[str, set[IncidentId]] = {}
    for name, incident in incidents.items():
        ladder = protocols[name].escalation if name in protocols else ()
        rungs = {one.n for one in climbed(ladder, incident, now) if one.at > now - WITHIN}
        for key in (*sent.get(name, ()), *gathered(incident)) if rungs else ():
            if key.step is Step.ESCALATED and key.n in rungs:
                found.setdefault(key.recipient, set()).add(name)
        begun, ended = incident.episode_at or incident.opened_at, incident.resolved_at
        if max(begun, ended or begun) <= now - WITHIN:
            continue
        for key in (*sent.get(name, ()), *gathered(incident)):
            at = ended if key.step in ENDS else begun
            now_told = key.audience is Audience.INTERNAL and key.step in TOLD and key.n == incident.episode
            if now_told and at is not None and at > now - WITHIN:
                found.setdefault(key.recipient, set()).add(name)
    return found


def _last(sent: Mapping[IncidentId, Collection[NoticeKey]], reader: str, now: datetime) -> datetime:
    """When `reader` was last written to about a storm; what lies ahead was before the clock was set back."""
    moments = (moment_of(key) for key in sent.get(STORMS, ()) if key.recipient == reader)
    return max((at for at in moments if at <= now), default=_EPOCH)


def _storm(
    reader: str,
    plans: list[Planned],
    incidents: Mapping[IncidentId, Incident],
    sent: Mapping[IncidentId, Collection[NoticeKey]],
    now: datetime,
) -> Storm:
    key = NoticeKey(STORMS, Audience.INTERNAL, Step.STORM, int(now.timestamp()), reader)
    while key in sent.get(STORMS, ()):  # two within a second are two messages
        key = replace(key, n=key.n + 1)
    about = {plan.key.incident: incidents[plan.key.incident] for plan in plans}
    first = [plan.key for plan in plans if plan.key.step is Step.FIRST_NOTICE]
    overtaken = tuple(old for new in first for old in _overtaken(new, sent.get(new.incident, ()), about[new.incident]))
    oldest_first = sorted(about.values(), key=lambda one: (one.opened_at, one.id))
    unanswered = dict.fromkeys(name for plan in plans for name in plan.unanswered)
    one = Planned(key, min(plan.due_at for plan in plans), unanswered=tuple(unanswered))
    return Storm(one, tuple(plans), tuple(oldest_first), overtaken)


def _overtaken(key: NoticeKey, sent: Collection[NoticeKey], incident: Incident) -> list[NoticeKey]:
    """What should have been told of the episodes before that of `key`, and waited until the next one began."""
    settled = {(one.step, one.n) for one in (*sent, *gathered(incident)) if one.audience is key.audience}
    found = list[NoticeKey]()
    for n in range(key.n - 1, 0, -1):
        ended = {(Step.RESOLVED, n), (Step.MERGED, n)} & settled
        begun = (Step.FIRST_NOTICE, n) in settled
        steps = [Step.FIRST_NOTICE] * (not begun) + [Step.RESOLVED] * (not ended)
        if not steps:
            break
        found += [replace(key, step=step, n=n) for step in steps]
    return found


def told_in(key: NoticeKey, incidents: Iterable[Incident]) -> tuple[IncidentId, ...]:
    """Return of which of `incidents` the message with `key` told."""
    return tuple(one.id for one in incidents if one.gathered and str(key) in map(_message_of, one.timeline))


def messages_of(incident: Incident) -> frozenset[NoticeKey]:
    """Return the messages about many that told of `incident`."""
    return frozenset(map(NoticeKey.parse, filter(None, map(_message_of, incident.timeline))))


def told_by_many(incident: Incident, about_many: Iterable[Notice]) -> list[Notice]:
    """Return what `incident` was told of in `about_many`: each message that one of them stands for, with what became of
    that one, due when it would have been by itself."""
    found, kept = [], {str(notice.key): notice for notice in about_many}
    for event in incident.timeline:
        notice = kept.get(_message_of(event))
        if notice is not None:
            due_at = datetime.fromisoformat(str(event.data["due_at"]))
            keys = map(NoticeKey.parse, map(str, event.data["keys"]))
            found += [replace(notice, key=key, due_at=due_at) for key in keys]
    return found


def _message_of(event: Event) -> str:
    """The key of the message about many that `event` notes; empty for none."""
    return str(event.data.get("message", "")) if event.kind is EventKind.GATHERED else ""


def moment_of(key: NoticeKey) -> datetime:
    """Return when the message about a storm with `key` was written."""
    return _EPOCH + timedelta(seconds=key.n)
