"""The contract's clock: which notices should exist now and do not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.notice import Audience, NoticeKey, Planned, Step
from monitor.core.ids import NodeId
from monitor.core.incident import Incident
from monitor.secret import Secret

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
    same. Updates that were missed altogether are returned as skipped, and the next one names the gap.
    """
    calls = [*_internal(protocol, incident), *_client(protocol, incident, sent, now)]
    planned = [plan for call in calls for plan in _addressed(protocol, call, incident)]
    return tuple(plan for plan in planned if plan.key not in sent)


def next_update(protocol: Protocol, incident: Incident, now: datetime) -> datetime | None:
    """Return when the client is told next if nothing changes; None when no update is to come."""
    if not incident.open or incident.disrupted_at is None or protocol.update_every is None or not protocol.update_to:
        return None
    turns = (now - incident.disrupted_at) // protocol.update_every + 1
    return incident.disrupted_at + max(1, turns) * protocol.update_every


def _internal(protocol: Protocol, incident: Incident) -> list[_Call]:
    to, opened = protocol.operations, incident.episode_at or incident.opened_at
    calls = [_Call(Audience.INTERNAL, Step.FIRST_NOTICE, incident.episode, opened + protocol.first_within, to)]
    if incident.changes and incident.changed_at is not None and incident.open:
        calls.append(_Call(Audience.INTERNAL, Step.WORSENED, incident.changes, incident.changed_at, to))
    if incident.resolved_at is not None:
        calls.append(_Call(Audience.INTERNAL, Step.RESOLVED, incident.episode, incident.resolved_at, to))
    return calls


def _client(protocol: Protocol, incident: Incident, sent: Collection[NoticeKey], now: datetime) -> list[_Call]:
    if incident.disrupted_at is None or incident.disruption_seen_at is None:
        return []
    since = _episode_since(incident)
    calls = [
        _Call(Audience.CLIENT, Step.FIRST_NOTICE, incident.episode, since + protocol.first_within, protocol.first_to)
    ]
    if incident.open:
        calls += _updates(protocol, incident, sent, since, now)
    if incident.resolved_at is not None:
        told = _told(incident, sent) | set(protocol.first_to)
        to = tuple(sorted(told | (set(protocol.resolved_to) - {EVERYBODY_TOLD})))
        calls.append(_Call(Audience.CLIENT, Step.RESOLVED, incident.episode, incident.resolved_at, to))
    return calls


def _episode_since(incident: Incident) -> datetime:
    """When this episode became an interruption that we knew of."""
    seen = incident.disruption_seen_at or incident.opened_at
    return max(seen, incident.episode_at or seen)


def _updates(
    protocol: Protocol, incident: Incident, sent: Collection[NoticeKey], since: datetime, now: datetime
) -> list[_Call]:
    every, began = protocol.update_every, incident.disrupted_at
    if every is None or began is None:
        return []
    last = (now - began) // every
    first = (since - began) // every + 1
    existing = {key.n for key in sent if key.incident == incident.id and key.step is Step.UPDATE}
    reached = max((n for n in existing if first <= n <= last), default=first - 1)
    missed = range(reached + 1, last)
    gap = tuple(began + n * every for n in missed)
    calls = [
        _Call(Audience.CLIENT, Step.UPDATE, n, began + n * every, protocol.update_to, skipped=True) for n in missed
    ]
    if last > reached:
        calls.append(_Call(Audience.CLIENT, Step.UPDATE, last, began + last * every, protocol.update_to, gap))
    elif last >= first:
        calls.append(_Call(Audience.CLIENT, Step.UPDATE, last, began + last * every, protocol.update_to))
    return calls


def _told(incident: Incident, sent: Collection[NoticeKey]) -> set[str]:
    return {
        key.recipient
        for key in sent
        if key.incident == incident.id and key.audience is Audience.CLIENT and key.step is not Step.RESOLVED
    }


def _addressed(protocol: Protocol, call: _Call, incident: Incident) -> list[Planned]:
    def key(recipient: str) -> NoticeKey:
        return NoticeKey(incident.id, call.audience, call.step, call.n, recipient)

    if call.audience is Audience.CLIENT and not protocol.live and call.to:
        would = tuple(name for name in call.to if name not in protocol.operations)
        return [
            Planned(key(name), call.due_at, call.gap, would or call.to, call.skipped) for name in protocol.operations
        ]
    return [Planned(key(name), call.due_at, call.gap, (), call.skipped) for name in dict.fromkeys(call.to)]
