"""The contract's clock: which notices should exist now and do not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.notice import Audience, NoticeKey, Planned, Step
from monitor.core.ids import NodeId
from monitor.core.incident import Incident
from monitor.secret import Secret

MOST_SLOTS = 500
"""Slots of the grid that are made good for after Relève itself was out: three weeks of hours. With a grid of seconds,
days of them would keep the daemon from starting, and no message could name them."""
AT_THE_END = timedelta(seconds=5)
"""An end that comes so soon after a slot of the grid is itself what the client is told then."""
EVERYBODY_TOLD = "all"
"""Reserved in `to`: everybody who was told of the incident."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody to tell: `addresses` by channel (`{"mail": ..., "sms": ...}`), tried in this `order`."""

    id: str
    name: str
    addresses: Mapping[str, str]
    order: tuple[str, ...]
    language: str = ""


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to send. While the node `through` is down, notices start with the contact's next channel."""

    id: str
    url: Secret
    through: NodeId | None = None


@dataclass(frozen=True, slots=True)
class Protocol:
    """Who is told what, by when; frozen with an incident when it opens.

    `first_to` within `first_within` of the confirmed interruption, `update_to` on every multiple of `update_every`
    since it began, `resolved_to` at the end; `operations` of everything. An empty tuple or None leaves a step out.
    """

    live: bool = True
    first_to: tuple[str, ...] = ()
    first_within: timedelta = timedelta(seconds=30)
    update_to: tuple[str, ...] = ()
    update_every: timedelta | None = None
    resolved_to: tuple[str, ...] = (EVERYBODY_TOLD,)
    operations: tuple[str, ...] = ()
    long_after: timedelta = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class _Call:
    """A step of the protocol that is due, before it is known to whom."""

    audience: Audience
    step: Step
    n: int
    due_at: datetime
    to: tuple[str, ...]
    gap: tuple[datetime, ...] = field(default=())
    skipped: bool = False


def due(protocol: Protocol, incident: Incident, sent: Collection[NoticeKey], now: datetime) -> tuple[Planned, ...]:
    """Return the notices that should exist at `now` and are not among `sent` (those that exist, in any state).

    It asks what should be, not what happens on this tick: after a crash, a restart or a late tick the answer is the
    same. Updates that were missed altogether are returned as skipped, and the next message, which may be that of the
    end, names the gap; so what is returned together must be stored together. A notice is returned as soon as its
    reason exists; `due_at` is the moment that the contract sets for it: the end of `within`, or the slot of the grid.
    """
    existing = {key for key in sent if key.incident == incident.id}
    calls = [*_internal(protocol, incident), *_client(protocol, incident, existing, now)]
    planned = [plan for call in calls for plan in _addressed(protocol, call, incident)]
    return tuple(plan for plan in planned if plan.key not in existing)


def next_update(protocol: Protocol, incident: Incident, now: datetime) -> datetime | None:
    """Return when the client is told next if nothing changes; None when no update is to come."""
    began, every = incident.disrupted_at, protocol.update_every
    if not incident.open or incident.disruption_seen_at is None or began is None:
        return None
    if every is None or not protocol.update_to:
        return None
    return began + max(1, (now - began) // every + 1) * every


def _episode_at(incident: Incident) -> datetime:
    return incident.episode_at or incident.opened_at


def _internal(protocol: Protocol, incident: Incident) -> list[_Call]:
    """What our own people are told: each opening, what made it worse while it goes on, each end."""
    to, opened = protocol.operations, _episode_at(incident)
    calls = [_Call(Audience.INTERNAL, Step.FIRST_NOTICE, incident.episode, opened + protocol.first_within, to)]
    changed, disrupted = incident.changed_at, incident.disruption_seen_at
    if incident.open and changed is not None and changed > opened:
        calls.append(_Call(Audience.INTERNAL, Step.WORSENED, incident.changes, changed + protocol.first_within, to))
    if incident.open and disrupted is not None and disrupted not in (opened, changed):
        calls.append(_Call(Audience.INTERNAL, Step.DISRUPTED, incident.episode, disrupted + protocol.first_within, to))
    calls += _unsteady(protocol, incident, (opened, changed, disrupted))
    for call in incident.calls:
        step, within = (Step.PERSON_CALLED, protocol.first_within) if call.person else (Step.RUNBOOK, timedelta())
        calls.append(_Call(Audience.INTERNAL, step, call.n, call.at + within, call.to or to))
    if incident.resolved_at is not None:
        calls.append(_Call(Audience.INTERNAL, Step.RESOLVED, incident.episode, incident.resolved_at, to))
    return calls


def _unsteady(protocol: Protocol, incident: Incident, told_at: tuple[datetime | None, ...]) -> list[_Call]:
    """That it comes and goes, unless the message of that same moment says so (`told_at`); that nobody is on it now."""
    if not incident.open:
        return []
    to, within, calls = protocol.operations, protocol.first_within, []
    flapping, lapsed = incident.flapping_at, incident.lapsed_at
    if flapping is not None and flapping not in told_at:
        calls.append(_Call(Audience.INTERNAL, Step.FLAPPING, incident.flaps, flapping + within, to))
    if lapsed is not None and lapsed >= _episode_at(incident):
        calls.append(_Call(Audience.INTERNAL, Step.UNACKNOWLEDGED, incident.lapses, lapsed + within, to))
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
    missed = _slots(protocol, incident, existing, since, incident.resolved_at - _stood_for(protocol))
    to = _told_at_the_end(protocol, existing, missed=bool(missed))
    end = _Call(
        Audience.CLIENT, Step.RESOLVED, incident.episode, incident.resolved_at, to, tuple(at for _, at in missed)
    )
    return [*calls, *(_update(protocol, n, at, skipped=True) for n, at in missed), end]


def _stood_for(protocol: Protocol) -> timedelta:
    """How long before the end an update may have been due for which the message of the end stands without a word."""
    return min(AT_THE_END, (protocol.update_every or AT_THE_END) / 10)


def _updates(
    protocol: Protocol, incident: Incident, existing: Collection[NoticeKey], since: datetime, now: datetime
) -> list[_Call]:
    """The update of the last slot reached; older ones that do not exist are skipped, and it names them."""
    slots = _slots(protocol, incident, existing, since, now)
    if not slots:
        return []
    *missed, (n, at) = slots
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
    last = (until - began) // every
    first = (since - began) // every + 1
    reached = max((key.n for key in existing if key.step is Step.UPDATE), default=first - 1)
    return [(n, began + n * every) for n in range(max(first, reached + 1, last - MOST_SLOTS + 1), last + 1)]


def _told_at_the_end(protocol: Protocol, existing: Collection[NoticeKey], *, missed: bool) -> tuple[str, ...]:
    """Whom the protocol names for the end; `all` stands for everybody who was told, or should have been by now."""
    named = [name for name in protocol.resolved_to if name != EVERYBODY_TOLD]
    if EVERYBODY_TOLD not in protocol.resolved_to:
        return tuple(named)
    client = [key for key in existing if key.audience is Audience.CLIENT]
    updated = missed or any(key.step is Step.UPDATE for key in client)
    told = () if not protocol.live else sorted({key.recipient for key in client})
    return (*protocol.first_to, *(protocol.update_to if updated else ()), *told, *named)


def _addressed(protocol: Protocol, call: _Call, incident: Incident) -> list[Planned]:
    """One notice for each recipient; in a rehearsal, one for each of `operations`, naming who would have been told.

    A runbook names whom it tells, and that may be the client as well.
    """
    to = tuple(dict.fromkeys(call.to))
    outside = call.audience is Audience.CLIENT or not set(to) <= set(protocol.operations)
    rehearsal = outside and not protocol.live
    recipients = tuple(dict.fromkeys(protocol.operations)) if rehearsal and to else to
    return [
        Planned(
            NoticeKey(incident.id, call.audience, call.step, call.n, name),
            call.due_at,
            call.gap if rehearsal or name in protocol.update_to else (),
            to if rehearsal else (),
            call.skipped,
        )
        for name in recipients
    ]
