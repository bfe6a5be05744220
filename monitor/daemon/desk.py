"""The desk: every result, every tick and every person's word goes over it, one at a time, and is journaled first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from alerts.agreement import Protocol
from alerts.notice import Notice, NoticeKey, NoticeState
from alerts.protocol_json import protocol_from_json, protocol_to_json
from failover.run import MoveEvent
from monitor.clock import Clock
from monitor.core import by_hand, watch
from monitor.core import incident as incidents
from monitor.core.events import Event, EventKind
from monitor.core.health import Health, not_after
from monitor.core.ids import CheckId, IncidentId, NodeId
from monitor.core.impact import Outlook, outlook
from monitor.core.incident import Incident, Refused
from monitor.core.maintenance import Window
from monitor.core.plan import Plan, State, awake, incident_id
from monitor.core.rota import Override, Roster, override_to_json, with_override
from monitor.core.text import say
from monitor.core.timekeeping import Guard
from monitor.core.verdict import Severity, Verdict
from monitor.core.watch import Taken
from monitor.daemon.beliefs import Seen, about, after_last, legible, nodes_down, turning
from monitor.daemon.cells import with_cells
from monitor.daemon.chasing import Chasing
from monitor.daemon.due_notices import Told, due_now
from monitor.daemon.figures import measured
from monitor.daemon.journal import Journal
from monitor.daemon.letters import Letters, Moment
from monitor.daemon.move_work import Meanwhile
from monitor.daemon.whole import alone
from monitor.inventory.model import Inventory
from monitor.store import AuditEntry, Batch, Loaded
from monitor.store.batch import Figure
from runbooks.run import RunEvent

KEEP = timedelta(hours=24)
"""How long a resolved incident stays at hand; longer than any notice about its end can be outstanding."""
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Desk:
    """What is believed now, and the only place that changes it.

    Each change is computed by pure functions, written to the journal, and only then becomes the state: what was told
    to anybody can always be read again. A health that is told to nobody yet is written with the next tick, so that a
    storm of failures does not wait for the disk once a result. `died_at`: when a notice last came to nothing.
    `link_key` signs links in messages; empty for none. `patient`: whether what may wait for a message about many does,
    since another tick will come. `figures`: how far each copy was behind when it was last measured.
    `look_again` is called with the checks that should be looked at again at once, whoever's turn their result came in.
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
    look_again: Callable[[tuple[CheckId, ...]], None] = lambda checks: None
    seen: dict[CheckId, Seen] = field(default_factory=dict)
    figures: Mapping[CheckId, Figure] = field(default_factory=dict)
    mail_waiting: asyncio.Event = field(default_factory=asyncio.Event)
    died_at: datetime | None = None
    patient: bool = True
    link_key: bytes = field(default=b"", repr=False)
    chasing: Chasing = field(default_factory=Chasing)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _results: list[tuple[CheckId, Seen]] = field(default_factory=list)
    _stored: dict[CheckId, Health] = field(default_factory=dict)
    _turned: set[CheckId] = field(default_factory=set)

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
            died_at=kept.died_at,
            chasing=Chasing(dict(kept.outstanding)),
        )
        desk._stored, desk.figures = dict(kept.state.healths), dict(kept.figures)
        return desk

    @property
    def waiting(self) -> int:
        """How many results wait to be taken while those before them are written."""
        return len(self._results)

    async def take(self, check: CheckId, verdict: Verdict, at: datetime, elapsed: float) -> None:
        """Take one result, observed at `at`."""
        self._results.append((check, Seen(verdict, at, elapsed)))
        await self._take_all()

    @alone
    async def _take_all(self) -> None:
        """Take what has come in while the journal wrote, in one writing; who waited behind finds it done.

        Where that fails, each is taken by itself: what is wrong with one result leaves no other failure untold.
        """
        results, self._results = self._results, []
        try:
            await self._take_together(results)
        except Exception:
            log.exception("results are taken one by one", extra={"event": "results_apart", "results": len(results)})
            for check, seen in results:
                try:
                    await self._take_together([(check, seen)])
                except Exception:
                    log.exception("a result was lost", extra={"event": "result_lost", "check": check})

    async def _take_together(self, results: list[tuple[CheckId, Seen]]) -> None:
        state, events, reprobe = self.state, list[Event](), list[CheckId]()
        for check, seen in results:
            if check in self.plan.checks:
                at = after_last(state.healths.get(check), seen.at)
                looked_at = at - timedelta(seconds=seen.elapsed)
                taken = watch.take(self.plan, state, check, seen.verdict, at, looked_at)
                state, self.seen[check] = taken.state, seen
                events += taken.events
                reprobe += taken.reprobe
        if results:
            await self._accept(Taken(state, tuple(events)))
            self.look_again(tuple(reprobe))

    @alone
    async def tick(self) -> None:
        """Let time pass: notices that are due now come into being, old incidents leave the desk."""
        now = self.clock.now()
        staying = watch.forget(self.state, now, KEEP)
        for name in set(self.state.incidents) - set(staying.incidents):
            self.chasing.keep(self.state.incidents[name], self.protocols.get(name))
        taken = watch.pass_time(self.plan, staying, now)
        if self.trusted():
            taken = with_cells(taken, self.protocols, self.inventory.protocol, now)
        await self._accept(taken, time_passed=True)
        for name in set(self.protocols) - set(self.state.incidents):
            del self.protocols[name]
            self.sent.pop(name, None)
        for name in self.chasing.ripe(now) if self.trusted() else ():
            await self._remind(name, now)

    async def _remind(self, name: IncidentId, now: datetime) -> None:
        """Write what is to be told of an incident that left the desk."""
        found = await self.chasing.read(name, self.journal, now, self.roster)
        if found is None:
            return
        if found.planned:
            at = self.moment(self.state, now)
            notices = tuple(self.letters.write(plan, found.incident, found.protocol, at) for plan in found.planned)
            await self.journal.commit(Batch(notices=notices, guard=self.guard()))
            self._note_written(notices, now)
        self.chasing.put(name, found.left)

    @alone
    async def flush(self) -> None:
        """Write the healths that moved on without changing belief, the figures of the copies, the clock's anchor."""
        moved = {name: h for name, h in self.state.healths.items() if self._stored.get(name) is not h}
        figures = measured(self.inventory.continuity.data, self.seen, self.figures)
        new, self.figures = None if figures == self.figures else figures, figures
        await self.journal.commit(Batch(healths=moved, guard=self.guard(), figures=new))
        self._stored.update(moved)
        self._turned.clear()

    @alone
    async def clock_was_set(self) -> None:
        """Take it that the clock may have been set back: leave no belief in the future, and no message to wait."""
        now = self.clock.now()
        self.died_at = None if self.died_at is None else min(self.died_at, now)
        healths = {name: not_after(health, now) for name, health in self.state.healths.items()}
        await self._accept(Taken(replace(self.state, healths=healths)), time_passed=True)
        await self.journal.hurry(None, now)
        self.mail_waiting.set()

    @alone
    async def note_run(
        self, event: RunEvent | None, told: tuple[Event, ...], audit: tuple[AuditEntry, ...] = ()
    ) -> None:
        """Journal what a run of a runbook does, together with what its incident is told of it."""
        taken = watch.repaired(self.plan, self.state, told, self.clock.now())
        await self._accept(taken, audit=audit, run_events=() if event is None else (event,))

    @alone
    async def note_move(
        self, event: MoveEvent, audit: tuple[AuditEntry, ...], meanwhile: Meanwhile, notices: tuple[Notice, ...] = ()
    ) -> None:
        """Journal what a move of a group does, with what its incident is told of it and the messages about it."""
        taken = watch.moved(self.plan, self.state, *meanwhile, self.clock.now())
        await self._accept(taken, audit=audit, move_events=(event,), more=notices)
        self.look_again(taken.reprobe)

    async def set_automation(self, policy: Mapping[str, Any], entry: AuditEntry) -> None:
        """Journal what a person set of the automation."""
        await self.journal.commit(Batch(automation=policy, audit=(entry,), guard=self.guard()))

    async def announce(self, window: Window, actor: str) -> Window:
        """Take the work `window` that `actor` announces, and return it. Raises Refused for a name that is taken."""
        window = replace(window, by=actor)

        def change(now: datetime) -> tuple[State, Window]:
            return watch.announced(self.state, window, now), window

        entry = AuditEntry(actor, "maintenance", {"id": window.id})
        return await self._set_windows(change, entry)

    async def end_work(self, name: str, actor: str) -> Window:
        """End the announced work `name`, which goes on or is to come, and return it. Raises Refused."""
        entry = AuditEntry(actor, "maintenance end", {"id": name})
        return await self._set_windows(lambda now: watch.work_ended(self.state, name, now), entry)

    @alone
    async def _set_windows(self, change: Callable[[datetime], tuple[State, Window]], entry: AuditEntry) -> Window:
        state, window = change(self.clock.now())
        kept = tuple(one for one in state.windows if one.by or one.ended is not None)
        await self.journal.commit(Batch(maintenance=kept, audit=(entry,), guard=self.guard()))
        self.state = state
        return window

    @property
    def roster(self) -> Roster:
        """Who is on duty: the inventory's rotas, and what people changed of them."""
        return self.inventory.roster(self.state.overrides)

    @alone
    async def take_over(self, override: Override, actor: str) -> Override:
        """Let somebody take over the duty of another as `actor` says, and return what holds. Raises Refused."""
        overrides = with_override(self.state.overrides, replace(override, by=actor), self.clock.now())
        audit = (AuditEntry(actor, "oncall override", override_to_json(overrides[-1])),)
        await self.journal.commit(Batch(overrides=overrides, audit=audit, guard=self.guard()))
        self.state = replace(self.state, overrides=overrides)
        return overrides[-1]

    def outlook(self) -> tuple[Outlook, ...]:
        """Return what each service of the inventory is able to do now."""
        return outlook(self.plan, self.state)

    @alone
    async def swap(self, inventory: Inventory, plan: Plan, actor: str) -> None:
        """Work by another inventory from now on; incidents keep the protocol they were opened under."""
        gone = tuple(set(self.state.healths) - set(plan.checks))
        self.inventory, self.plan, self.letters = inventory, plan, Letters(inventory, self.link_key)
        self.seen = {name: seen for name, seen in self.seen.items() if name in plan.checks}
        audit = (AuditEntry(actor, "inventory", {"version": inventory.version, "path": str(inventory.path)}),)
        await self._accept(watch.reload(plan, self.state, self.clock.now()), audit=audit, removed=gone)

    async def acknowledge(self, name: IncidentId, actor: str, note: str, length: timedelta | None = None) -> Incident:
        """Record that `actor` is on it, for `length` or to the end."""
        words = legible(note)
        return await self.act(name, actor, "ack", lambda i, now: by_hand.acknowledge(i, actor, now, words, length))

    async def note(self, name: IncidentId, actor: str, words: str) -> Incident:
        """Add `words` to the incident's log."""
        return await self.act(name, actor, "note", lambda i, now: by_hand.note(i, actor, now, legible(words)))

    async def state_cause(self, name: IncidentId, actor: str, words: str) -> Incident:
        """Record the cause as `actor` states it."""
        return await self.act(name, actor, "cause", lambda i, now: by_hand.state_cause(i, actor, now, legible(words)))

    async def resolve(self, name: IncidentId, actor: str, words: str) -> Incident:
        """End an incident that no check ends."""

        def end(incident: Incident, now: datetime) -> Event:
            health = awake(self.state).get(incident.check) if incident.check is not None else None
            failing = health is not None and {health.latest, health.confirmed} != {Severity.OK}
            return by_hand.resolve_by_hand(incident, actor, now, legible(words), failing=failing)

        return await self.act(name, actor, "resolve", end)

    @alone
    async def open(self, kind: str, severity: Severity, actor: str, words: str) -> Incident:
        """Open an incident that no check has seen. Raises Refused when the catalogue has no such kind."""
        if kind not in self.inventory.kinds:
            known = ", ".join(sorted(self.inventory.kinds))
            raise Refused(say("no incident kind {kind}; there are: {known}", kind=kind, known=known))
        now = self.clock.now()
        name = incident_id(self.state.next_number, now)
        event = by_hand.open_by_hand(name, kind, severity, actor, now, legible(words))
        taken = watch.told(self.plan, self.state, event)
        await self._accept(taken, audit=(AuditEntry(actor, "open", {"incident": name, "kind": kind}),))
        return self.state.incidents[name]

    @alone
    async def act(
        self,
        name: IncidentId,
        actor: str,
        action: str,
        event_of: Callable[[Incident, datetime], Event],
        data: Mapping[str, str] | None = None,
    ) -> Incident:
        """Record the event that `actor` makes of an incident, in the audit as `action`. Raises Refused."""
        entry = AuditEntry(actor, action, {"incident": name, **(data or {})})
        incident = self.state.incidents.get(name)
        if incident is not None:
            event = event_of(incident, self.clock.now())
            await self._accept(watch.told(self.plan, self.state, event), audit=(about(entry, event),))
            return self.state.incidents[name]
        # It ended long ago and has left the desk: what is added to its log is told to nobody at once.
        incident = await self.journal.ask(self.journal.store.incident, name)
        if incident is None:
            raise Refused(say("there is no incident {id}; `releve incident list` shows them", id=name))
        event = event_of(incident, self.clock.now())
        await self.journal.commit(Batch(events=(event,), audit=(about(entry, event),), guard=self.guard()))
        incident = incidents.fold(incident, event) or incident
        frozen = await self.journal.ask(self.journal.store.protocol, name)
        self.chasing.keep(incident, None if frozen is None else protocol_from_json(frozen[1]))
        return incident

    @alone
    async def join(self, events_of: Callable[[State, datetime], tuple[Event, ...]], entry: AuditEntry) -> None:
        """Record together what a person makes of several incidents. Raises Refused."""
        now = self.clock.now()
        taken = watch.joined(self.plan, self.state, events_of(self.state, now), now)
        await self._accept(taken, audit=(entry,))
        self.look_again(taken.reprobe)

    async def _accept(
        self,
        taken: Taken,
        *,
        audit: tuple[AuditEntry, ...] = (),
        removed: tuple[CheckId, ...] = (),
        time_passed: bool = False,
        run_events: tuple[RunEvent, ...] = (),
        move_events: tuple[MoveEvent, ...] = (),
        more: tuple[Notice, ...] = (),
    ) -> None:
        """Journal what `taken` brought and the notices that it makes due; then it is the state.

        `time_passed`: look also at incidents to which nothing happened, and write healths that merely turned.
        """
        now = self.clock.now()
        opened = [event.incident for event in taken.events if event.kind is EventKind.OPENED]
        protocols = self.protocols | dict.fromkeys(opened, self.inventory.protocol)
        for name in taken.state.incidents:
            protocols.setdefault(name, self.inventory.protocol)
        told = Told(self.sent, protocols, self.roster, trusted=self.trusted(), patient=self.patient)
        due = due_now(taken, self.state.incidents, told, now, time_passed=time_passed)
        taken = due.taken
        notices = (due.written(self.letters, protocols, self.moment(taken.state, now)) if due.plans else ()) + more
        turned = self._turned | turning(self.state, taken.state, self._stored)
        if taken.events or notices or audit or removed or run_events or move_events or (time_passed and turned):
            healths = {name: health for name, health in taken.state.healths.items() if name in turned}
            await self.journal.commit(
                Batch(
                    events=taken.events,
                    healths=healths,
                    removed=removed,
                    notices=notices,
                    protocols={name: protocol_to_json(protocols[name]) for name in opened},
                    audit=audit,
                    guard=self.guard(),
                    run_events=run_events,
                    move_events=move_events,
                )
            )
            self._stored = {n: h for n, h in (self._stored | healths).items() if n not in removed}
            turned = set()
        self.state, self.protocols, self._turned = taken.state, protocols, turned
        for plan in due.plans:
            self.sent.setdefault(plan.key.incident, set()).add(plan.key)
        self._note_written(notices, now)

    def _note_written(self, notices: tuple[Notice, ...], now: datetime) -> None:
        if any(notice.state is NoticeState.DEAD for notice in notices):
            self.died_at = now
        if notices:
            self.mail_waiting.set()

    def moment(self, state: State, now: datetime) -> Moment:
        """Return what a message written at `now` knows besides its incident."""
        return Moment(
            now, self.trusted(), nodes_down(self.plan, state), outlook(self.plan, state), state.windows, self.roster
        )

    def links_down(self) -> frozenset[NodeId]:
        """The devices and links that are confirmed down: what leaves through one of them does not leave."""
        return nodes_down(self.plan, self.state)

    def settling(self, check: CheckId) -> bool:
        """Whether `check` should be seen again soon: its last result is not believed yet, or not placed yet."""
        return watch.settling(self.state, check)
