"""The contract's clock: which notices should exist now and do not."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from alerts import crisis
from alerts.agreement import EVERYBODY_TOLD, Protocol
from alerts.chase import chases
from alerts.escalation import climbed, told_above, told_once, without_answer
from alerts.grid import end_stands_for, slots
from alerts.notice import Audience, NoticeKey, Planned, Step
from alerts.quiet import Reason, fates
from alerts.revisions import revisions
from alerts.slots import next_slot
from alerts.storm import gathered
from monitor.core.draft import draft_for
from monitor.core.incident import Incident
from monitor.core.rota import Roster

REMIND_EVERY = timedelta(minutes=30)
"""How often our own people are reminded of a question that waits; a run stands still meanwhile."""
CONFERENCE_IN = timedelta(minutes=10)
"""From the invitation to the conference: time to read it and to dial in."""
TOLD_WITHIN = timedelta(minutes=1)
"""A change just before the call is told within this; later nobody looks for one twice a second in a log of weeks."""
LONG_SOON = 5 / 6
"""The part of `long_after` after which our own people are warned of it: 5 h of 6 (S19)."""
NOBODY_ON_DUTY = Roster()
_WITHIN = frozenset({
    Step.FIRST_NOTICE, Step.WORSENED, Step.DISRUPTED, Step.FLAPPING, Step.UNACKNOWLEDGED, Step.PERSON_CALLED,
    Step.OVERRUN,
})  # fmt: skip
"""Steps whose reason arose `first_within` before they are due."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A step of the protocol that is due, before it is known to whom.

    `duty_at`: who is on duty then is told; None for the moment at which its reason arose.
    """

    audience: Audience
    step: Step
    n: int
    due_at: datetime
    to: tuple[str, ...]
    gap: tuple[datetime, ...] = field(default=())
    skipped: bool = False
    duty_at: datetime | None = None
    reports: tuple[datetime, ...] = ()
    unanswered: tuple[str, ...] = ()
    hushed: bool = False


def due(
    protocol: Protocol,
    incident: Incident,
    sent: Collection[NoticeKey],
    now: datetime,
    roster: Roster = NOBODY_ON_DUTY,
) -> tuple[Planned, ...]:
    """Return the notices that should exist at `now` and are not among `sent` (those that exist, in any state).

    It asks what should be, not what happens on this tick: after a crash, a restart or a late tick the answer is the
    same. Updates that were missed altogether are returned as skipped, and the next message, which may be that of the
    end, names the gap; so what is returned together must be stored together. A notice is returned as soon as its
    reason exists; `due_at` is the moment that the contract sets for it: the end of `within`, or the slot of the grid.

    The name of a rota in `to` stands for who is on duty, by `roster`, when the reason arose: however late the tick or
    the restart, whatever handover lies between, it is the same person. Of a step once one notice exists, all do, for
    they were stored together; so it is settled, and neither an override nor an inventory that comes later tells
    somebody else the same thing.
    """
    existing = {key for key in sent if key.incident == incident.id} | gathered(incident)
    calls = [*_internal(protocol, incident, existing), *_reminder(protocol, incident, now)]
    calls += [*_client(protocol, incident, existing, now), *_conference(protocol, incident, existing, now)]
    calls += [*_long(protocol, incident, existing, now), *_draft(protocol, incident, now)]
    calls += [
        _Call(one.audience, one.step, one.n, one.at, one.to, skipped=one.skipped, reports=one.missed)
        for one in crisis.said(protocol, incident, existing, now)
    ]
    calls += _escalated(protocol, incident, existing, now)
    calls += _chased(protocol, incident, now)
    settled = {(key.audience, key.step, key.n) for key in existing}
    fresh = [call for call in calls if (call.audience, call.step, call.n) not in settled]
    fresh = _hushed(protocol, incident, fresh, settled, now)
    return told_once([plan for call in fresh for plan in _addressed(protocol, call, incident, roster)])


def _hushed(
    protocol: Protocol,
    incident: Incident,
    calls: list[_Call],
    settled: Collection[tuple[Audience, Step, int]],
    now: datetime,
) -> list[_Call]:
    """`calls` without what waits for the end of the quiet hours; who is on duty then is told of it."""
    if protocol.quiet is None:
        return calls
    own = [call for call in calls if call.audience is Audience.INTERNAL]
    told = (Audience.INTERNAL, Step.FIRST_NOTICE, incident.episode) in settled
    reasons = [Reason(call.step, _arose(protocol, call), call.to) for call in own]
    found = [call for call in calls if call.audience is not Audience.INTERNAL]
    for call, fate in zip(own, fates(protocol.quiet, incident, reasons, now, first_told=told), strict=True):
        if fate is None:
            continue
        late = call if fate.until is None else replace(call, due_at=fate.until, duty_at=fate.until)
        found.append(replace(late, skipped=call.skipped or fate.skipped, hushed=fate.skipped))
    return found


def _arose(protocol: Protocol, call: _Call) -> datetime:
    """When the reason of `call` arose, which is when it is due but for what has some seconds."""
    return call.due_at - (protocol.first_within if call.step in _WITHIN else timedelta())


def _draft(protocol: Protocol, incident: Incident, now: datetime) -> list[_Call]:
    """That the next update is drafted: to our own people, where they asked for it and nobody has given it words yet.

    One that was missed is made good for by nothing: its update has left. `n`: seconds from the interruption to it.
    """
    since, began = incident.disruption_seen_at, incident.disrupted_at
    slot = None if protocol.draft_before is None else next_slot(protocol, incident, now)
    if slot is None or since is None or began is None:
        return []
    if not since < slot.ready_at <= now or draft_for(incident.drafts, (slot.due_at,)) is not None:
        return []
    n = (slot.due_at - began) // timedelta(seconds=1)
    return [_Call(Audience.INTERNAL, Step.DRAFT, n, slot.ready_at, protocol.operations)]


def _chased(protocol: Protocol, incident: Incident, now: datetime) -> list[_Call]:
    """What our own people are reminded of until it is done: the last time that was due, and none is made good for."""
    calls = []
    for chase in chases(incident) if protocol.chase else ():
        last = chase.last(now)
        if last is not None:
            calls.append(_Call(Audience.INTERNAL, chase.step, *last, protocol.operations))
    return calls


def _episode_at(incident: Incident) -> datetime:
    return incident.episode_at or incident.opened_at


def _internal(protocol: Protocol, incident: Incident, existing: Collection[NoticeKey]) -> list[_Call]:
    """What our own people are told: each opening, what made it worse while it goes on, each end."""
    to, opened = protocol.operations, _episode_at(incident)
    calls = [_Call(Audience.INTERNAL, Step.FIRST_NOTICE, incident.episode, opened + protocol.first_within, to)]
    changed, disrupted = incident.changed_at, incident.disruption_seen_at
    if incident.open and changed is not None and incident.changes > incident.changes_before:
        calls.append(_Call(Audience.INTERNAL, Step.WORSENED, incident.changes, changed + protocol.first_within, to))
    if incident.open and disrupted is not None and disrupted not in (opened, changed):
        calls.append(_Call(Audience.INTERNAL, Step.DISRUPTED, incident.episode, disrupted + protocol.first_within, to))
    calls += _unsteady(protocol, incident, (opened, changed, disrupted))
    for call in incident.calls:
        step, within = (Step.PERSON_CALLED, protocol.first_within) if call.person else (Step.RUNBOOK, timedelta())
        calls.append(_Call(Audience.INTERNAL, step, call.n, call.at + within, call.to or to))
    if incident.resolved_at is not None:
        # In a rehearsal whoever a rung reached was one of operations.
        above = told_above(protocol.escalation, incident, existing) if protocol.live else ()
        step, at = _end_of(incident), incident.resolved_at
        calls.append(_Call(Audience.INTERNAL, step, incident.episode, at, (*to, *above)))
    return calls


def _end_of(incident: Incident) -> Step:
    """How its end is told: that it is over, or that it goes on under another incident."""
    return Step.RESOLVED if incident.joined.into is None else Step.MERGED


def _escalated(protocol: Protocol, incident: Incident, existing: Collection[NoticeKey], now: datetime) -> list[_Call]:
    """That nobody answers: to each rung of the ladder that is reached."""
    reached = climbed(protocol.escalation, incident, now)
    told = without_answer(protocol.escalation, incident, existing) if reached else ()
    return [_Call(Audience.INTERNAL, Step.ESCALATED, rung.n, rung.at, rung.to, unanswered=told) for rung in reached]


def _reminder(protocol: Protocol, incident: Incident, now: datetime) -> list[_Call]:
    """That a question still waits: at the last slot of a grid of its own, which began with the incident.

    A slot that comes soon after the question was put is left out, and none is made good for: one reminder is enough.
    """
    if not incident.awaits_answer:
        return []
    n = (now - incident.opened_at) // REMIND_EVERY
    at, asked = incident.opened_at + n * REMIND_EVERY, incident.calls[-1]
    if at - asked.at < REMIND_EVERY / 2:
        return []
    return [_Call(Audience.INTERNAL, Step.REMINDER, n, at, asked.to or protocol.operations)]


def _unsteady(protocol: Protocol, incident: Incident, told_at: tuple[datetime | None, ...]) -> list[_Call]:
    """That it comes and goes, unless the message of that same moment says so (`told_at`); that nobody is on it now;
    that the work that was announced is over."""
    if not incident.open:
        return []
    to, within, calls = protocol.operations, protocol.first_within, []
    flapping, lapsed, overrun = incident.flapping_at, incident.lapsed_at, incident.overrun_at
    if flapping is not None and flapping not in told_at:
        calls.append(_Call(Audience.INTERNAL, Step.FLAPPING, incident.flaps, flapping + within, to))
    if lapsed is not None:
        calls.append(_Call(Audience.INTERNAL, Step.UNACKNOWLEDGED, incident.lapses, lapsed + within, to))
    if overrun is not None:
        calls.append(_Call(Audience.INTERNAL, Step.OVERRUN, incident.episode, overrun + within, to))
    return calls


def _client(protocol: Protocol, incident: Incident, existing: Collection[NoticeKey], now: datetime) -> list[_Call]:
    """What the client is told of an episode that interrupts its service, from when we know that it does."""
    since = incident.disruption_seen_at
    if since is None:
        return []
    first_by = since + protocol.first_within
    calls = [_Call(Audience.CLIENT, Step.FIRST_NOTICE, incident.episode, first_by, protocol.first_to)]
    if incident.resolved_at is None:
        return calls + _updates(protocol, incident, existing, since, now)
    missed = _slots(protocol, incident, existing, since, incident.resolved_at - end_stands_for(protocol.update_every))
    unsaid = tuple(slot.at for slot in crisis.reports(protocol, incident, existing, now))
    to = _told_at_the_end(protocol, incident, existing, missed=bool(missed), reported=bool(unsaid))
    gap, step = tuple(at for _, at in missed), _end_of(incident)
    end = _Call(Audience.CLIENT, step, incident.episode, incident.resolved_at, to, gap, reports=unsaid)
    return [*calls, *(_update(protocol, n, at, skipped=True) for n, at in missed), end]


def conference_at(protocol: Protocol, incident: Incident) -> datetime | None:
    """Return when the people invited are to dial in; None when the interruption leads to no conference.

    Some minutes after the invitation, which is due once the interruption has lasted `conference_after`, or was seen to.
    """
    due_at = conference_due(protocol, incident)
    if due_at is None or protocol.conference_after is None:
        return None
    return due_at + min(CONFERENCE_IN, protocol.conference_after / 6)


def conference_due(protocol: Protocol, incident: Incident) -> datetime | None:
    """Return when the invitation to the conference is due; None when the interruption leads to none."""
    began, seen, after = incident.disrupted_at, incident.disruption_seen_at, protocol.conference_after
    if began is None or seen is None or after is None or not protocol.conference_to:
        return None
    return max(began + after, seen)


def _conference(protocol: Protocol, incident: Incident, existing: Collection[NoticeKey], now: datetime) -> list[_Call]:
    """The invitation, once an episode; its cancellation where the interruption ends before anybody dialled in.

    One that was never sent although the interruption lasted long enough is kept as skipped: a deadline that was missed.
    """
    due_at, starts_at = conference_due(protocol, incident), conference_at(protocol, incident)
    ended = incident.resolved_at
    known = any(key.step is Step.CONFERENCE and key.n == incident.episode for key in existing)
    # Whoever was invited stays so, though the clock turned out to be ahead and it is not yet time.
    if due_at is None or starts_at is None or (due_at > (ended or now) and not known):
        return []
    missed = ended is not None and not known
    calls = [
        _Call(audience, Step.CONFERENCE, incident.episode, due_at, to, skipped=missed)
        for audience, to in ((Audience.CLIENT, protocol.conference_to), (Audience.INTERNAL, protocol.operations))
    ]
    # What takes it back is stored together with the word of the end: once that stands, there was nothing to take back.
    over = any(key.step is _end_of(incident) and key.n == incident.episode for key in existing)
    if ended is None and known and now < starts_at + TOLD_WITHIN:
        return [*calls, *_revised(calls, incident, due_at, starts_at)]
    if ended is None or missed or over or ended >= starts_at:
        return calls
    # Whoever was invited reads that it does not take place.
    return calls + [replace(c, step=Step.CONFERENCE_CANCELLED, due_at=ended, duty_at=due_at) for c in calls]


def _revised(calls: list[_Call], incident: Incident, due_at: datetime, starts_at: datetime) -> list[_Call]:
    """To whoever was invited: what it is about now, if that changed since and nobody has dialled in yet."""
    moments = revisions(incident)
    if not moments or not due_at < moments[-1] < starts_at:
        return []
    step, n, at = Step.CONFERENCE_UPDATED, len(moments), moments[-1]
    return [replace(call, step=step, n=n, due_at=at, duty_at=due_at) for call in calls]


def _long(protocol: Protocol, incident: Incident, existing: Collection[NoticeKey], now: datetime) -> list[_Call]:
    """That an interruption is about to count as long, and that it does: our own people decide what follows.

    Like an invitation, what was not said in time is kept as skipped once the interruption is over.
    """
    began, seen, ended = incident.disrupted_at, incident.disruption_seen_at, incident.resolved_at
    if began is None or seen is None:
        return []
    known = {key.step for key in existing if key.n == incident.episode}
    after, calls = protocol.long_after, list[_Call]()
    for step, moment in ((Step.LONG_SOON, began + after * LONG_SOON), (Step.LONG, began + after)):
        at = max(moment, seen)
        if at <= (ended or now):
            missed = ended is not None and step not in known
            calls.append(_Call(Audience.INTERNAL, step, incident.episode, at, protocol.operations, skipped=missed))
    return calls


def _updates(
    protocol: Protocol, incident: Incident, existing: Collection[NoticeKey], since: datetime, now: datetime
) -> list[_Call]:
    """The update of the last slot reached; older ones that do not exist are skipped, and it names them."""
    reached = _slots(protocol, incident, existing, since, now)
    if not reached:
        return []
    *missed, (n, at) = reached
    gap = tuple(at for _, at in missed)
    return [*(_update(protocol, n, at, skipped=True) for n, at in missed), _update(protocol, n, at, gap)]


def _update(
    protocol: Protocol, n: int, at: datetime, gap: tuple[datetime, ...] = (), *, skipped: bool = False
) -> _Call:
    return _Call(Audience.CLIENT, Step.UPDATE, n, at, protocol.update_to, gap, skipped)


def _slots(
    protocol: Protocol, incident: Incident, existing: Collection[NoticeKey], since: datetime, until: datetime
) -> list[tuple[int, datetime]]:
    """The moments of the grid after `since`, up to `until`, that come after the last one for which notices exist."""
    every, began = protocol.update_every, incident.disrupted_at
    if every is None or began is None or not protocol.update_to:
        return []
    first = (since - began) // every + 1
    reached = max((key.n for key in existing if key.step is Step.UPDATE), default=first - 1)
    return slots(began, every, max(first, reached + 1), until)


def _told_at_the_end(
    protocol: Protocol, incident: Incident, existing: Collection[NoticeKey], *, missed: bool, reported: bool
) -> tuple[str, ...]:
    """Whom the protocol names for the end; `all` stands for everybody who was told, or should have been by now."""
    named = [name for name in protocol.resolved_to if name != EVERYBODY_TOLD]
    if EVERYBODY_TOLD not in protocol.resolved_to:
        return tuple(named)
    client = [key for key in existing if key.audience is Audience.CLIENT]
    updated = missed or any(key.step is Step.UPDATE for key in client)
    reported = reported or any(key.step is Step.CRISIS_REPORT for key in client)
    told = () if not protocol.live else sorted({*incident.joined.told, *(key.recipient for key in client)})
    call_at = conference_due(protocol, incident)
    called = call_at is not None and incident.resolved_at is not None and call_at <= incident.resolved_at
    by_now = (
        *(protocol.update_to if updated else ()),
        *(protocol.conference_to if called else ()),
        *(protocol.crisis_to if reported else ()),
    )
    return (*protocol.first_to, *by_now, *told, *named)


def _addressed(protocol: Protocol, call: _Call, incident: Incident, roster: Roster) -> list[Planned]:
    """One notice for each recipient; in a rehearsal, one for each of `operations`, naming who would have been told.

    A runbook names whom it tells, and that may be the client as well.
    """
    at = call.duty_at or _arose(protocol, call)
    outside = call.audience is Audience.CLIENT or not set(call.to) <= set(protocol.operations)
    rehearsal = outside and not protocol.live
    to, updated = roster.people(call.to, at), roster.people(protocol.update_to, at)
    readers = roster.people((*protocol.crisis_to, *protocol.operations), at)
    recipients = roster.people(protocol.operations, at) if rehearsal and to else to
    return [
        Planned(
            NoticeKey(incident.id, call.audience, call.step, call.n, name),
            call.due_at,
            call.gap if rehearsal or name in updated else (),
            to if rehearsal else (),
            call.skipped,
            call.reports if rehearsal or name in readers else (),
            call.unanswered,
            call.hushed,
        )
        for name in recipients
    ]
