"""Which groups move now: begun by a person, taken up after a restart, each under the lease of its group."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from failover.across import GuardSeen, Heard
from failover.executor import Execution
from failover.ground import past, runs_at
from failover.lease_etcd import Watching
from failover.model import Continuity, Plan, PlanId, SiteId
from failover.run import Move, MoveEvent, MoveEventKind, MoveId, MoveState
from failover.vantage import Look
from monitor.clock import Clock
from monitor.core.ids import CheckId, NodeId
from monitor.core.incident import Refused
from monitor.core.text import Text, say
from monitor.core.verdict import Verdict
from monitor.daemon import lapses
from monitor.daemon.automation import Automation
from monitor.daemon.beginning import Alone, Beginning
from monitor.daemon.beliefs import legible
from monitor.daemon.desk import Desk
from monitor.daemon.guards import Guards
from monitor.daemon.holding import Holding
from monitor.daemon.move_book import MoveBook
from monitor.daemon.move_orders import Said, the_one
from monitor.daemon.moving import Footing, Prepared, Wanted
from monitor.daemon.passive import acted_on, passive
from monitor.daemon.peer_presence import speaks
from monitor.daemon.peering import other_end
from monitor.daemon.promised import Promises, promised_to
from monitor.daemon.sighting import Sighting
from monitor.daemon.tenure import Tenure, knows_the_other, tenure_of
from monitor.daemon.whole import let_end, whole
from monitor.store import AuditEntry, Loaded
from runbooks.contract import Io
from runbooks.executor import NotJournaled

log = logging.getLogger(__name__)

AGAIN = 2.0
"""Seconds before a move goes on whose journal could not be written, or which failed by itself."""
MOST_BUGS = 3
"""Times that a move is taken up again after a fault of our own."""
PATIENCE = 20.0
"""Seconds that a stop of Relève gives to the actions in hand; what is cut off then is taken up after the start."""
LOOK = 0.2
"""Seconds between two looks at whether a move is over."""
SAME = timedelta(milliseconds=1)
"""Two moments of which one was written down to the millisecond are the same within this."""


class Moves:
    """All moves of one daemon; one at a time for each group. Nothing is begun that is not journaled first."""

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        kept: Loaded,
        automation: Automation,
        look: Callable[[CheckId], Awaitable[Verdict]],
        watching: dict[PlanId, Watching] | None = None,
    ) -> None:
        """Take over what the last run of Relève left; `look` observes a check now.

        `watching`: what is known of the records of the leases from before, to which every look adds.
        """
        self._desk, self._clock, self._automation, self._look = desk, clock, automation, look
        self.promises = Promises(lambda: self._continuity, clock)
        self.sighting = Sighting(desk, look, clock, self.watching, self.speaks, self.promises, self.stopped)
        self.book = MoveBook(desk, clock, kept)
        self.holding = Holding(
            lambda: self._continuity, self._is_ours, self._tenure, self.book.highest, clock=clock, there=self._is_theirs
        )
        self.lapses = lapses.Lapses(
            desk.journal.store.folder, clock, self.watching, lambda: self.sighting.asking().ttl, self.book.highest
        )
        self.holding.over, self.holding.in_vain = self.lapses.end, self.lapses.stands
        self.beginning = Beginning(
            desk,
            clock,
            self.book,
            self.sighting,
            self.holding,
            self._tenure,
            self.untold,
            self.lapses,
            self.halted,
        )
        self.guards = Guards(
            lambda: self._continuity, self.book, self.holding, lambda: other_end(desk.inventory),
            self.beginning.taking, self._under_way, clock,
        )  # fmt: skip
        self._watching: dict[PlanId, Watching] = {} if watching is None else watching
        tokens = {name: self.book.highest(name) for name in self._continuity.plans}
        for name, one in lapses.read(desk.journal.store.folder, tokens, clock.boot()).items():
            self.watching(name).kept = replace(self.watching(name).kept, lapsed=one)
        self._executions: dict[MoveId, Execution] = {}
        self._footings: dict[MoveId, Footing] = {}
        self._tasks: dict[MoveId, asyncio.Task[None]] = {}
        self._starting: set[asyncio.Task[Move]] = set()
        self._answering = asyncio.Lock()

    @property
    def _continuity(self) -> Continuity:
        return self._desk.inventory.continuity

    @property
    def moves(self) -> dict[MoveId, Move]:
        """All moves that are known, by name, oldest first."""
        return self.book.moves

    def passive(self) -> Mapping[NodeId, str]:
        """Return the devices on which no repair may start anything, with the plan of the group that has left."""
        moves, at = self.moves.values(), self._desk.inventory.actionable
        return passive(self._continuity, moves, at, self.holding.foreign())

    def acted_on(self) -> frozenset[NodeId]:
        """Return the devices on which a move acts now."""
        return acted_on(self.moves.values())

    def halted_since(self, move: Move) -> bool:
        """Return whether a person stopped everything after `move` began; who begins one afterwards knows of it."""
        policy = self._automation.policy
        return policy.halted_by != "" and policy.halted_at is not None and policy.halted_at >= move.started_at

    async def record(self, event: MoveEvent) -> Move:
        """Return the move after `event`, which is on disk by then. Raises NotJournaled."""
        return await self.book.record(event)

    async def look_for_service(self, plan: Plan, site: SiteId) -> Look:
        """Look now whether the service of `plan` still answers at `site`."""
        return await self.sighting.look_for_service(plan, site)

    def halted(self) -> bool:
        """Return whether a person stopped everything."""
        return self._automation.policy.halted_by != ""

    async def speaks(self, site: SiteId) -> bool:
        """Return whether the Relève at `site`, another than ours, answers now."""
        return await speaks(self._desk.inventory, site)

    async def start_alone(self, wanted: Wanted, said: Said, alone: Alone) -> Move:
        """Begin what Relève has decided by itself, by what it has seen just now. Raises Refused."""
        return await whole(self._start(wanted, said, alone), self._starting)

    async def planned(self, wanted: Wanted) -> Prepared:
        """Return the dry run of what is wanted; nothing is taken or changed. Raises Refused."""
        return await self.beginning.planned(wanted)

    async def start(
        self,
        wanted: Wanted,
        actor: str,
        *,
        loss: timedelta | None,
        stated_at: datetime | None = None,
        words: str = "",
    ) -> Move:
        """Begin what is wanted, to which `actor` said yes. Raises Refused.

        `loss`: what may be lost, as it was stated before the yes, at `stated_at`; None for nobody knows.
        """
        return await whole(self._start(wanted, Said(actor, legible(words), loss, stated_at)), self._starting)

    async def _start(self, wanted: Wanted, said: Said, alone: Alone | None = None) -> Move:
        self.beginning.must_be_open()
        ending = [self._tasks[m.id] for m in self.moves.values() if m.plan == wanted.plan and m.id in self._tasks]
        if ending and self.book.going(wanted.plan) is None:
            await asyncio.wait(ending, timeout=PATIENCE)  # the last move is about to give its lease back

        def carry(move: Move, tenure: Tenure | None) -> None:
            self._begin(move, Footing(self, tenure))

        return await self.beginning.begin(wanted, said, carry, alone)

    def _is_ours(self, plan: Plan) -> bool:
        """Whether the group of `plan` runs here, and no move of it is under way; a drill leaves it where it is."""
        here, mine = self._continuity.here, self.book.of(plan.id)
        if here is None or any(move.direction.moves and not move.state.over for move in mine):
            return False
        return runs_at(plan, past(mine)) == here.id

    async def untold(self, plan: Plan, site: SiteId | None = None) -> Mapping[SiteId, Text]:
        """Return why the guard of a site, or only of `site`, could not be told now of a move there."""
        return await self.guards.untold(plan, site)

    def _is_theirs(self, plan: Plan) -> SiteId | None:
        """The other site, where the group of `plan` runs there and the Relève there hears from us."""
        there, mine = self.guards.site_there, self.book.of(plan.id)
        if there is None or any(move.direction.moves and not move.state.over for move in mine):
            return None
        return there if runs_at(plan, past(mine)) == there else None

    def _under_way(self) -> list[tuple[Move, Tenure]]:
        footings = self._footings.items()
        return [(self.moves[name], footing.tenure) for name, footing in footings if footing.tenure is not None]

    async def stopped(self, plan: PlanId, site: SiteId) -> int | None:
        """Return the token up to which the record of the guard at `site` says that all stopped; None: nobody says."""
        return await self.guards.stopped(plan, site)

    def heard(self, move: Move) -> Heard | None:
        """Return what the guard of the old site of `move` may have heard from us; None for nothing."""
        return self.guards.heard(move.plan, move.source)

    async def fenced(self, move: Move, token: int) -> int | None:
        """Tell the guard of the old site that `token` is over; return the token up to which all is stopped there."""
        return await self.guards.fenced(move.plan, move.source, token)

    async def guard_at(self, site: SiteId, move: Move) -> GuardSeen | None:
        """Return what the guard at `site` says of the group of `move`, after it was told; None where nobody can ask."""
        return await self.guards.said(move.plan, site)

    async def hold(self) -> None:
        """Hold the leases of the groups that run here, or there under a lease of ours, and let the guard here know."""
        self.guards.tell_here()
        if self.beginning.changing.locked():
            return  # which lease is whose is not looked at while it changes hands; the guard has to hear all the same
        async with self.beginning.changing:
            await self.holding.turn()
            await self.guards.renew_spent()
        mine = (*self.holding.held.items(), *((move.plan, tenure) for move, tenure in self._under_way()))
        await self.book.note_leases({name: one.belief.token for name, one in mine if one.belief is not None})

    def watching(self, plan: PlanId) -> Watching:
        """Return what is known of the record of a group's lease, where voters keep it; every look adds to it."""
        return self._watching.setdefault(plan, Watching())

    def _tenure(self, plan: PlanId) -> Tenure:
        folder = self._desk.journal.store.folder
        return tenure_of(self._continuity, plan, folder, self._clock, self.watching(plan))

    def resume(self) -> None:
        """Take up every move that the last run of Relève left unfinished."""
        for move in tuple(self.moves.values()):
            if not move.state.over and move.id not in self._tasks:
                tenure = None
                if move.direction.moves:
                    tenure = self._tenure(move.plan)
                self._begin(move, Footing(self, tenure, taken_up=True))

    def _begin(self, move: Move, footing: Footing) -> None:
        if self.beginning.closing:
            if footing.tenure is not None:  # else it would be renewed for as long as this process lives
                self._tasks[move.id] = asyncio.create_task(footing.tenure.leave())
            return  # it is on disk, and is taken up after the start
        self._footings[move.id] = footing
        try:
            plan = move.thawed()
        except Exception:
            log.exception("a move cannot be taken up", extra={"event": "move_lost", "move": move.id})
            work = self.book.give_up(move, say("this version of Relève cannot go on with it"))
        else:
            site = self._desk.inventory.actionable
            execution = Execution(move, plan, site, footing, self.io, self._clock)
            self._executions[move.id] = execution
            work = self._to_its_end(execution, footing)
        task = asyncio.create_task(work, name=f"move {move.id}")
        self._tasks[move.id] = task
        task.add_done_callback(lambda _: self._forget(move.id))

    def _forget(self, name: MoveId) -> None:
        for kept in (self._executions, self._footings, self._tasks):
            kept.pop(name, None)

    async def _to_its_end(self, execution: Execution, footing: Footing) -> None:
        try:
            await self._carried_out(execution, footing)
        except BaseException:  # cut off, its lease would be renewed for as long as this process lives
            if footing.tenure is not None:
                await footing.tenure.leave()
            raise

    async def _carried_out(self, execution: Execution, footing: Footing) -> None:
        tenure, bugs = footing.tenure, 0
        if footing.taken_up and tenure is not None:
            move = execution.move
            knows = knows_the_other(self._continuity, move.source)
            await tenure.resume(self.book.highest(move.plan), knows_the_other=knows)
        while not execution.move.state.over and not execution.leaving:
            try:
                await execution.carry_out()
            except NotJournaled as error:
                execution.move = self.moves[execution.move.id]
                extra = {"event": "move_not_journaled", "move": execution.move.id, "why": str(error)}
                log.warning("a move waits for its journal", extra=extra)
                await execution.pause(AGAIN)
            except Exception:
                bugs += 1
                execution.move = self.moves[execution.move.id]
                log.exception("a move failed by itself", extra={"event": "move_bug", "move": execution.move.id})
                if bugs >= MOST_BUGS:
                    await self.book.give_up(execution.move, say("Relève itself failed; its log has the details"))
                    break
                await execution.pause(AGAIN)
        if tenure is not None:
            if execution.move.state.over:
                async with self.beginning.changing:
                    self.lapses.end(execution.plan.id)  # it may have been noted once more when the move was taken up
                    await self.beginning.hold_or_give_back(execution.plan, tenure)
            else:
                await tenure.leave()

    def io(self, move: Move, n: int, token: int | None) -> Io:
        """Return what task `n` of `move` may touch, under `token`.

        Its errand is the same at each try whose end nobody knows, and another once it failed and a person said yes.
        """
        ended = sum(event.task == n and event.kind is MoveEventKind.OUTCOME for event in move.log)
        return replace(
            self._automation.io(),
            look=self._look,
            tell=partial(self.book.tell, move, n),
            progress=lambda done: self.book.progress.update({move.id: done}),
            halted=lambda: move.id in self._footings and self._footings[move.id].halted(move),
            token=token,
            errand=f"{move.id} {move.started_at.isoformat()} {n} {ended}",
            promised=promised_to(move),
        )

    async def answer(
        self, actor: str, words: str, *, yes: bool, name: str = "", asked_at: datetime | None = None
    ) -> Move:
        """Take a person's answer to the move `name`, or to the only one that asks. Raises Refused.

        `asked_at`: when that was asked which the person has read; a yes to it is none to what is asked by now.
        """
        return await whole(self._answer(actor, words, yes=yes, name=name, asked_at=asked_at))

    async def _answer(self, actor: str, words: str, *, yes: bool, name: str, asked_at: datetime | None) -> Move:
        async with self._answering:
            waiting = [move for move in self.moves.values() if move.state is MoveState.WAITING]
            chosen = the_one(waiting, name, say("no move waits for an answer"))
            execution, question = self._executions.get(chosen.id), chosen.question
            if execution is None or question is None:
                raise Refused(say("no move waits for an answer"))
            if asked_at is not None and not timedelta(0) <= question.at - asked_at < SAME:
                asked = question.text
                raise Refused(say("{move} asks something else by now: {question}", move=chosen.id, question=asked))
            entry = AuditEntry(actor, "failover answer", {"move": chosen.id, "yes": yes})
            await self._desk.note_run(None, (), (entry,))
            try:
                await execution.answer(yes=yes, actor=actor, words=legible(words))
            except LookupError as error:  # it ended meanwhile
                raise Refused(say("no move waits for an answer")) from error
            return execution.move

    async def stop(self, actor: str, name: str = "") -> Move:
        """Stop the move `name`, or the only one that is under way, before its next action. Raises Refused.

        Returns it once it is over, or after a while, when an action in hand takes longer.
        """
        chosen = the_one([m for m in self.moves.values() if not m.state.over], name, say("no move is under way"))
        footing = self._footings.get(chosen.id)
        if footing is None:
            raise Refused(say("no move is under way"))
        footing.stopped = True  # at once, whatever the disk says
        await self._desk.note_run(None, (), (AuditEntry(actor, "failover stop", {"move": chosen.id}),))
        execution = self._executions.get(chosen.id)
        if execution is not None:
            execution.answered.set()
        if chosen.id in self._tasks:
            await asyncio.wait([self._tasks[chosen.id]], timeout=PATIENCE)
        return self.moves[chosen.id]

    async def swap(self) -> None:
        """Let the moves in hand refer to the inventory as it is now."""
        await self.book.swap()
        for execution in self._executions.values():
            execution.site = self._desk.inventory.actionable

    async def finished_or_waiting(self, name: MoveId, follow: Callable[[Move], None] = lambda move: None) -> Move:
        """Return the move `name` once it is over, or waits for a person; `follow` is shown it meanwhile."""
        while self.moves[name].state is MoveState.RUNNING and name in self._tasks:
            follow(self.moves[name])
            await asyncio.wait([self._tasks[name]], timeout=LOOK)
        if self.moves[name].state.over and name in self._tasks:
            await asyncio.wait([self._tasks[name]], timeout=PATIENCE)
        follow(self.moves[name])
        return self.moves[name]

    async def close(self) -> None:
        """Let actions in hand end, and begin none."""
        self.beginning.closing = True
        for execution in self._executions.values():
            execution.leave()
        await let_end(tuple(self._starting), PATIENCE)
        await let_end(tuple(self._tasks.values()), PATIENCE)
        await self.holding.close()
        await self.promises.close()
        await self.guards.telling.close()
