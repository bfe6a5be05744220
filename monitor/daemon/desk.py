"""The desk: every result, every tick and every person's word goes over it, one at a time, and is journaled first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from alerts.notice import NoticeKey, Planned, Step
from alerts.protocol import Protocol, due
from alerts.protocol_json import protocol_from_json, protocol_to_json
from monitor.clock import Clock
from monitor.core import incident as incidents
from monitor.core import watch
from monitor.core.events import Event, EventKind
from monitor.core.health import Health, Phase
from monitor.core.ids import CheckId, IncidentId, NodeId
from monitor.core.incident import Incident, Refused
from monitor.core.text import say
from monitor.core.timekeeping import Guard
from monitor.core.verdict import Severity, Verdict
from monitor.core.watch import Plan, State, Taken
from monitor.daemon.journal import Journal
from monitor.daemon.letters import Letters, Moment
from monitor.inventory.model import Inventory
from monitor.store import AuditEntry, Batch, Loaded

KEEP = timedelta(hours=24)
"""How long a resolved incident stays at hand; longer than any notice about its end can be outstanding."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The last verdict of a check, when it was observed (UTC) and how long that took (seconds)."""

    verdict: Verdict
    at: datetime
    elapsed: float


@dataclass(slots=True)
class Desk:
    """What is believed now, and the only place that changes it.

    Each change is computed by pure functions, written to the journal, and only then becomes the state: what was told
    to anybody can always be read again.
    """

    journal: Journal
    clock: Clock
    inventory: Inventory
    plan: Plan
    state: State
    sent: dict[IncidentId, set[NoticeKey]]
    protocols: dict[IncidentId, Protocol]
    letters: Letters
    guard: Callable[[], Guard | None] = lambda: None
    trusted: Callable[[], bool] = lambda: True
    seen: dict[CheckId, Seen] = field(default_factory=dict)
    mail_waiting: asyncio.Event = field(default_factory=asyncio.Event)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _stored: dict[CheckId, Health] = field(default_factory=dict)

    @classmethod
    def resume(cls, journal: Journal, clock: Clock, inventory: Inventory, plan: Plan, kept: Loaded) -> Desk:
        """Return the desk as the last run left it."""
        desk = cls(
            journal=journal,
            clock=clock,
            inventory=inventory,
            plan=plan,
            state=kept.state,
            sent={name: set(keys) for name, keys in kept.sent.items()},
            protocols={name: protocol_from_json(data) for name, data in kept.protocols.items()},
            letters=Letters(inventory),
        )
        desk._stored = dict(kept.state.healths)
        return desk

    async def take(self, check: CheckId, verdict: Verdict, at: datetime, elapsed: float) -> tuple[CheckId, ...]:
        """Take one result, observed at `at`; return the checks that should be looked at again at once."""
        async with self._lock:
            if check not in self.plan.checks:
                return ()
            taken = watch.take(self.plan, self.state, check, verdict, self._after_last(check, at))
            self.seen[check] = Seen(verdict, at, elapsed)
            await self._accept(taken)
            return taken.reprobe

    def _after_last(self, check: CheckId, at: datetime) -> datetime:
        health = self.state.healths.get(check)
        return at if health is None else max(at, health.seen_at)

    async def tick(self) -> None:
        """Let time pass: notices that are due now come into being, old incidents leave the desk."""
        async with self._lock:
            state = watch.forget(self.state, self.clock.now(), KEEP)
            for name in set(self.sent) - set(state.incidents):
                del self.sent[name]
            await self._accept(Taken(state))

    async def flush(self) -> None:
        """Write the healths that moved on without changing belief, and the clock's anchor."""
        async with self._lock:
            moved = {name: h for name, h in self.state.healths.items() if self._stored.get(name) != h}
            await self.journal.commit(Batch(healths=moved, guard=self.guard()))
            self._stored.update(moved)

    async def swap(self, inventory: Inventory, plan: Plan, actor: str) -> None:
        """Work by another inventory from now on; incidents keep the protocol they were opened under."""
        async with self._lock:
            before = set(self.state.healths)
            self.inventory, self.plan, self.letters = inventory, plan, Letters(inventory)
            gone = tuple(before - set(plan.checks))
            self.seen = {name: seen for name, seen in self.seen.items() if name in plan.checks}
            audit = (AuditEntry(actor, "inventory", {"version": inventory.version, "path": str(inventory.path)}),)
            await self._accept(watch.reload(plan, self.state, self.clock.now()), audit=audit, removed=gone)

    async def acknowledge(self, name: IncidentId, actor: str, note: str) -> Incident:
        """Record that `actor` is on it."""
        return await self._act(name, actor, "ack", lambda i, now: incidents.acknowledge(i, actor, now, note))

    async def note(self, name: IncidentId, actor: str, words: str) -> Incident:
        """Add `words` to the incident's log."""
        return await self._act(name, actor, "note", lambda i, now: incidents.note(i, actor, now, words))

    async def state_cause(self, name: IncidentId, actor: str, words: str) -> Incident:
        """Record the cause as `actor` states it."""
        return await self._act(name, actor, "cause", lambda i, now: incidents.state_cause(i, actor, now, words))

    async def resolve(self, name: IncidentId, actor: str, words: str) -> Incident:
        """End an incident that no check ends."""

        def end(incident: Incident, now: datetime) -> Event:
            health = self.state.healths.get(incident.check) if incident.check is not None else None
            failing = health is not None and health.latest is not Severity.OK
            return incidents.resolve_by_hand(incident, actor, now, words, failing=failing)

        return await self._act(name, actor, "resolve", end)

    async def open(self, kind: str, severity: Severity, actor: str, words: str) -> Incident:
        """Open an incident that no check has seen. Raises Refused when the catalogue has no such kind."""
        async with self._lock:
            if kind not in self.inventory.kinds:
                known = ", ".join(sorted(self.inventory.kinds))
                raise Refused(say("no incident kind {kind}; there are: {known}", kind=kind, known=known))
            now = self.clock.now()
            name = watch.incident_id(self.state.next_number, now)
            event = incidents.open_by_hand(name, kind, severity, actor, now, words)
            taken = watch.told(self.plan, self.state, event)
            await self._accept(taken, audit=(AuditEntry(actor, "open", {"incident": name, "kind": kind}),))
            return self.state.incidents[name]

    async def _act(
        self, name: IncidentId, actor: str, action: str, event_of: Callable[[Incident, datetime], Event]
    ) -> Incident:
        async with self._lock:
            incident = self.state.incidents.get(name)
            if incident is None:
                incident = await self._fetch(name)
            event = event_of(incident, self.clock.now())
            taken = watch.told(
                self.plan, replace(self.state, incidents={**self.state.incidents, name: incident}), event
            )
            await self._accept(taken, audit=(AuditEntry(actor, action, {"incident": name}),))
            return self.state.incidents[name]

    async def _fetch(self, name: IncidentId) -> Incident:
        """An incident that has left the desk, with the notices that it already has."""
        incident = await self.journal.ask(self.journal.store.incident, name)
        if incident is None:
            raise Refused(say("there is no incident {id}", id=name))
        notices = await self.journal.ask(self.journal.store.notices, name)
        self.sent[name] = {notice.key for notice in notices}
        return incident

    async def _accept(
        self, taken: Taken, *, audit: tuple[AuditEntry, ...] = (), removed: tuple[CheckId, ...] = ()
    ) -> None:
        """Journal what `taken` brought and the notices that it makes due; then it is the state."""
        now = self.clock.now()
        protocols = dict(self.protocols)
        opened = [event.incident for event in taken.events if event.kind is EventKind.OPENED]
        for name in opened:
            protocols[name] = self.inventory.protocol
        planned = self._planned(taken.state, protocols, now)
        at = Moment(now, self.trusted(), _down(self.plan, taken.state))
        notices = tuple(
            self.letters.write(plan, taken.state.incidents[plan.key.incident], protocols[plan.key.incident], at)
            for plan in planned
        )
        moved = _turned(self._stored, taken.state.healths)
        if taken.events or notices or audit or removed or moved:
            await self.journal.commit(
                Batch(
                    events=taken.events,
                    healths=moved,
                    removed=removed,
                    notices=notices,
                    protocols={name: protocol_to_json(protocols[name]) for name in opened},
                    audit=audit,
                    guard=self.guard(),
                )
            )
            self._stored.update(moved)
        self.state, self.protocols = taken.state, protocols
        for plan in planned:
            self.sent.setdefault(plan.key.incident, set()).add(plan.key)
        if notices:
            self.mail_waiting.set()

    def _planned(self, state: State, protocols: dict[IncidentId, Protocol], now: datetime) -> list[Planned]:
        """Every notice that should exist. While the clock is not trusted, nothing that only time makes due."""
        planned: list[Planned] = []
        for name, incident in state.incidents.items():
            protocol = protocols.setdefault(name, self.inventory.protocol)
            planned += due(protocol, incident, self.sent.get(name, set()), now)
        if not self.trusted():
            planned = [plan for plan in planned if plan.key.step is not Step.UPDATE]
        return planned

    def links_down(self) -> frozenset[NodeId]:
        """The devices and links that are confirmed down: what leaves through one of them does not leave."""
        return _down(self.plan, self.state)

    def settling(self, check: CheckId) -> bool:
        """Whether `check` should be seen again soon: its last result is not believed yet, or not placed yet."""
        health = self.state.healths.get(check)
        if health is None:
            return False
        if health.phase is Phase.SOFT:
            return True
        bad = health.confirmed is not Severity.OK
        return bad and not any(incident.explains(check) for incident in self.state.incidents.values())


def _down(plan: Plan, state: State) -> frozenset[NodeId]:
    """The nodes with a gate that `state` confirms down; asked of the coming state, so no cut is told through itself."""
    healths = state.healths
    return frozenset(
        node.id
        for node in plan.topology.nodes.values()
        if any(gate in healths and healths[gate].confirmed_down for gate in node.gates)
    )


def _turned(stored: Mapping[CheckId, Health], healths: Mapping[CheckId, Health]) -> dict[CheckId, Health]:
    """The healths that differ in more than when they were last seen; the rest waits for the next flush."""
    return {name: health for name, health in healths.items() if _core(stored.get(name)) != _core(health)}


def _core(health: Health | None) -> tuple[Any, ...]:
    if health is None:
        return ()
    counts = (health.run, health.fails) if health.phase is Phase.SOFT else ()
    return (health.confirmed, health.latest, health.began_at, health.turned_at, health.down, *counts)
