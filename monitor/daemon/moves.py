"""Which groups move now: begun by a person, taken up after a restart, each under the lease of its group."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from alerts.notice import Notice
from failover.by_hand import may_start
from failover.executor import Execution
from failover.ground import Hold, LeaseSeen, past, runs_at
from failover.lease_etcd import Watching
from failover.model import Continuity, Plan, PlanId, SiteId
from failover.run import Move, MoveEvent, MoveEventKind, MoveId, MoveState, fold
from failover.tasks import tasks_of
from failover.vantage import Look
from failover.words import started
from monitor.clock import Clock
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, NodeId
from monitor.core.incident import Refused
from monitor.core.text import Text, say
from monitor.core.verdict import Verdict
from monitor.daemon.automation import Automation
from monitor.daemon.beliefs import legible
from monitor.daemon.desk import Desk
from monitor.daemon.holding import Holding
from monitor.daemon.move_letters import notices_of
from monitor.daemon.move_orders import Said, allowed, data_of, entry_of, highest, order_of, plan_of
from monitor.daemon.moving import Footing, Prepared, Wanted, may_run_at, told_of
from monitor.daemon.passive import acted_on, passive
from monitor.daemon.sighting import Sighting
from monitor.daemon.tenure import Tenure, knows_the_other, tenure_of
from monitor.daemon.whole import let_end, whole
from monitor.store import AuditEntry, Loaded, move_id, run_number
from runbooks.contract import Io, Progress, StepFailed
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
APART = 1_000_000
"""Keeps the messages of moves apart from those of runs, in the log of one incident."""
ACTIONS = 1000
"""More than any plan has: keeps the messages of two moves apart."""
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
    ) -> None:
        """Take over what the last run of Relève left; `look` observes a check now."""
        self._desk, self._clock, self._automation = desk, clock, automation
        self.sighting = Sighting(desk, look, clock)
        self.moves: dict[MoveId, Move] = dict(kept.moves)
        self.progress: dict[MoveId, Progress] = {}
        self._next, self._closing = kept.next_move, False
        self.holding = Holding(lambda: self._continuity, self._is_ours, self._tenure, self._highest)
        self._watching: dict[PlanId, Watching] = {}
        self._executions: dict[MoveId, Execution] = {}
        self._footings: dict[MoveId, Footing] = {}
        self._taking: dict[PlanId, Tenure] = {}
        self._tasks: dict[MoveId, asyncio.Task[None]] = {}
        self._starting, self._recording, self._answering = asyncio.Lock(), asyncio.Lock(), asyncio.Lock()

    @property
    def _continuity(self) -> Continuity:
        return self._desk.inventory.continuity

    def going(self, plan: PlanId) -> Move | None:
        """Return the move of `plan` that is under way."""
        return next((move for move in self.moves.values() if move.plan == plan and not move.state.over), None)

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

    async def record(self, event: MoveEvent, audit: tuple[AuditEntry, ...] = ()) -> Move:
        """Return the move after `event`, which is on disk by then; one that is over as it is. Raises NotJournaled."""
        journal = self._desk.journal
        async with self._recording:
            before = self.moves.get(event.move)
            move = fold(before, event)
            if move is None or (before is not None and before.state.over):
                assert before is not None
                return before
            if event.kind is MoveEventKind.INTENT and journal.trouble is not None:
                await journal.retry()
                if journal.trouble is not None:
                    raise NotJournaled(journal.trouble)
            await self._desk.note_move(event, audit, told_of(event, move), self._notices(event, move))
            self.moves[move.id] = move
        if event.kind is MoveEventKind.OUTCOME:
            self.progress.pop(move.id, None)
        if event.kind is MoveEventKind.INTENT and journal.trouble is not None:
            why = journal.trouble
            nothing = say("it could not be written down, so it was not begun")
            await self.record(replace(event, kind=MoveEventKind.VOID, text=nothing, data={}))
            raise NotJournaled(why)
        words = self._desk.letters.own_words(event.text)
        log.info("move", extra={"event": f"move_{event.kind.value}", "move": move.id, "what": words})
        return move

    def _notices(self, event: MoveEvent, move: Move) -> tuple[Notice, ...]:
        desk = self._desk
        try:
            return notices_of(event, move, desk.inventory, desk.letters, desk.moment(desk.state, self._clock.now()))
        except Exception:
            # Whatever is wrong with a message, the service has to move.
            log.exception("a message about a move was not written", extra={"event": "move_untold", "move": move.id})
            return ()

    async def look_for_service(self, plan: Plan, site: SiteId) -> Look:
        """Look now whether the service of `plan` still answers at `site`."""
        return await self.sighting.look_for_service(plan, site)

    async def planned(self, wanted: Wanted) -> Prepared:
        """Return the dry run of what is wanted; nothing is taken or changed. Raises Refused."""
        plan = plan_of(self._continuity, wanted.plan)
        tenure = self._tenure(plan.id)
        try:
            why = await tenure.look()
        finally:
            await tenure.leave()
        ttl = self._leases_ttl()
        return await self._prepared(
            plan, wanted, LeaseSeen(self._continuity.mode, ttl if why is None else None, why=why)
        )

    def _leases_ttl(self) -> timedelta:
        leases = self._continuity.leases
        return timedelta(seconds=15) if leases is None else leases.ttl

    async def _prepared(self, plan: Plan, wanted: Wanted, lease: LeaseSeen) -> Prepared:
        mine = [move for move in self.moves.values() if move.plan == plan.id]
        going = self.going(plan.id)
        seen = await self.sighting.seen(plan, mine, moving=None if going is None else going.id, halted=False)
        now = self._clock.now()
        here = None if self._continuity.here is None else self._continuity.here.id
        answer = may_start(plan, wanted.direction, seen, lease, past(mine), now, target=wanted.target, here=here)
        if isinstance(answer, Hold):
            return Prepared(plan, answer, now)
        try:
            site = self._desk.inventory.actionable
            tasks = tasks_of(plan, answer.direction, answer.source, answer.target, site)
            return Prepared(plan, answer, now, tasks)
        except StepFailed as error:
            raise Refused(say("{plan} cannot move: {why}", plan=plan.id, why=error.text)) from error

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
        return await whole(self._start(wanted, Said(actor, legible(words), loss, stated_at)))

    async def _start(self, wanted: Wanted, said: Said) -> Move:
        ending = [self._tasks[m.id] for m in self.moves.values() if m.plan == wanted.plan and m.id in self._tasks]
        if ending and self.going(wanted.plan) is None:
            await asyncio.wait(ending, timeout=PATIENCE)  # the last move is about to give its lease back
        async with self._starting:
            plan = plan_of(self._continuity, wanted.plan)
            going = self.going(plan.id)
            if going is not None:
                raise Refused(say("the move {move} is under way", move=going.id))
            await self._looked_over(plan, wanted)
            tenure = None
            if wanted.direction.moves:
                tenure = self.holding.held.pop(plan.id, None) or self._tenure(plan.id)
                self._taking[plan.id] = tenure
            try:
                move = await self._begun(plan, wanted, said, tenure)
            except BaseException:
                if tenure is not None:
                    await self._hold_or_give_back(plan, tenure)
                raise
            finally:
                self._taking.pop(plan.id, None)
            self._begin(move, Footing(self, tenure))
        return move

    async def _looked_over(self, plan: Plan, wanted: Wanted) -> None:
        """Refuse what does not begin whatever the lease, before that is touched: it may hold the service up."""
        allowed(await self._prepared(plan, wanted, LeaseSeen(self._continuity.mode, self._leases_ttl())))

    async def _hold_or_give_back(self, plan: Plan, tenure: Tenure) -> None:
        """Go on holding the lease of a group that runs here, and let every other one go."""
        if tenure.belief is not None and self.holding.wants(plan):
            other, self.holding.held[plan.id] = self.holding.held.get(plan.id), tenure
            if other is not None:
                await other.leave()
            await tenure.settle()
        else:
            await self.holding.let_go(plan.id, tenure)

    def _is_ours(self, plan: Plan) -> bool:
        """Whether the group of `plan` runs here, and no move of it is under way; a drill leaves it where it is."""
        here, mine = self._continuity.here, [move for move in self.moves.values() if move.plan == plan.id]
        if here is None or any(move.direction.moves and not move.state.over for move in mine):
            return False
        return runs_at(plan, past(mine)) == here.id

    def told_until(self, move: Move) -> float:
        """Return until when the guard of the old site of `move` was last told to let it run; 0 where not by us."""
        here = self._continuity.here
        return self.holding.told_until(move.plan) if here is not None and here.id == move.source else 0.0

    async def hold(self) -> None:
        """Hold the leases of the groups that run here, and let the guard know."""
        here = self._continuity.here
        # While a move is being prepared the group runs as before; a lease that is just changing hands says nothing.
        moving = {name: tenure for name, tenure in self._taking.items() if tenure.belief is not None}
        moving |= {
            self.moves[name].plan: footing.tenure
            for name, footing in self._footings.items()
            if footing.tenure is not None and here is not None and may_run_at(self.moves[name], here.id)
        }
        self.holding.tell(moving)
        if self._starting.locked():
            return  # which lease is whose is not looked at while it changes hands; the guard has to hear all the same
        async with self._starting:
            await self.holding.turn()

    async def _begun(self, plan: Plan, wanted: Wanted, said: Said, tenure: Tenure | None) -> Move:
        why = None if tenure is None else await tenure.take(self._highest(plan.id), knows_the_other=self._knows(plan))
        left = None
        if tenure is not None and tenure.belief is not None:
            left = timedelta(seconds=tenure.belief.valid_until - self._clock.boot())
        now = self._clock.now()
        prepared = await self._prepared(plan, wanted, LeaseSeen(self._continuity.mode, left, why=why))
        order = order_of(plan, allowed(prepared), said, self.sighting.incident(plan), now)
        await self._must_be_journaled()
        name, self._next = move_id(self._next, now), self._next + 1
        before, data = None if tenure is None else tenure.before, data_of(self._continuity, plan)
        event = started(name, order, prepared.tasks, data, before=before, actor=said.actor, at=now)
        if tenure is not None and tenure.belief is not None:
            event = replace(event, data={**event.data, "token": tenure.belief.token})
        move = await self.record(event, (entry_of(name, order, said.actor),))
        try:
            await self._must_be_journaled()
        except Refused as error:
            await self._give_up(move, error.text)
            raise
        return move

    async def _must_be_journaled(self) -> None:
        journal = self._desk.journal
        if journal.trouble is not None:
            await journal.retry()
        if journal.trouble is not None:
            raise Refused(say("nothing is begun that cannot be written down: {why}", why=journal.trouble))

    def watching(self, plan: PlanId) -> Watching:
        """Return what is known of the record of a group's lease, where voters keep it; every look adds to it."""
        return self._watching.setdefault(plan, Watching())

    def _tenure(self, plan: PlanId) -> Tenure:
        folder = self._desk.journal.store.folder
        return tenure_of(self._continuity, plan, folder, self._clock, self.watching(plan))

    def _knows(self, plan: Plan) -> bool:
        source = next((m.runs_at for m in reversed(tuple(self.moves.values())) if m.plan == plan.id), plan.active)
        return source is not None and knows_the_other(self._continuity, source)

    def _highest(self, plan: PlanId) -> int:
        return highest(self.moves.values(), plan)

    def resume(self) -> None:
        """Take up every move that the last run of Relève left unfinished."""
        for move in tuple(self.moves.values()):
            if not move.state.over and move.id not in self._tasks:
                tenure = None
                if move.direction.moves:
                    tenure = self._tenure(move.plan)
                self._begin(move, Footing(self, tenure), taken_up=True)

    def _begin(self, move: Move, footing: Footing, *, taken_up: bool = False) -> None:
        if self._closing:
            return  # it is on disk, and is taken up after the start
        self._footings[move.id] = footing
        try:
            plan = move.thawed()
        except Exception:
            log.exception("a move cannot be taken up", extra={"event": "move_lost", "move": move.id})
            work = self._give_up(move, say("this version of Relève cannot go on with it"))
        else:
            site = self._desk.inventory.actionable
            execution = Execution(move, plan, site, footing, self.io, self._clock)
            self._executions[move.id] = execution
            work = self._to_its_end(execution, footing, taken_up=taken_up)
        task = asyncio.create_task(work, name=f"move {move.id}")
        self._tasks[move.id] = task
        task.add_done_callback(lambda _: self._forget(move.id))

    def _forget(self, name: MoveId) -> None:
        for kept in (self._executions, self._footings, self._tasks):
            kept.pop(name, None)

    async def _to_its_end(self, execution: Execution, footing: Footing, *, taken_up: bool) -> None:
        tenure, bugs = footing.tenure, 0
        if taken_up and tenure is not None:
            move = execution.move
            knows = knows_the_other(self._continuity, move.source)
            await tenure.resume(self._highest(move.plan), knows_the_other=knows)
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
                    await self._give_up(execution.move, say("Relève itself failed; its log has the details"))
                    break
                await execution.pause(AGAIN)
        if tenure is not None:
            if execution.move.state.over:
                async with self._starting:
                    await self._hold_or_give_back(execution.plan, tenure)
            else:
                await tenure.leave()

    async def _give_up(self, move: Move, why: Text) -> None:
        data = {"state": MoveState.FAILED.value, "rto": None, "rpo": None}
        await self.record(MoveEvent(move.id, self._clock.now(), MoveEventKind.ENDED, RELEVE, why, None, data))

    def io(self, move: Move, n: int, token: int | None) -> Io:
        """Return what task `n` of `move` may touch, under `token`.

        Its errand is the same at each try whose end nobody knows, and another once it failed and a person said yes.
        """
        ended = sum(event.task == n and event.kind is MoveEventKind.OUTCOME for event in move.log)
        return replace(
            self._automation.io(),
            tell=partial(self._tell, move, n),
            progress=lambda done: self.progress.update({move.id: done}),
            halted=lambda: move.id in self._footings and self._footings[move.id].halted(move),
            token=token,
            errand=f"{move.id} {move.started_at.isoformat()} {n} {ended}",
        )

    async def _tell(self, move: Move, n: int, to: tuple[str, ...], text: Text) -> bool:
        """Put a message of a move into its incident's log, from which the outbox takes it; once, however often."""
        incident = self._desk.state.incidents.get(move.incident) if move.incident else None
        if incident is None:
            return False
        number = APART + (run_number(move.id) or 0) * ACTIONS + n
        if not any(call.n == number and not call.person for call in incident.calls):
            event = Event(incident.id, self._clock.now(), EventKind.MESSAGE, RELEVE, text, run=move.id, to=to, n=number)
            await self._desk.note_run(None, (event,))
        return True

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
            chosen = self._one(waiting, name, say("no move waits for an answer"))
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
        chosen = self._one([m for m in self.moves.values() if not m.state.over], name, say("no move is under way"))
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

    def _one(self, moves: list[Move], name: str, none: Text) -> Move:
        chosen = [move for move in moves if not name or name in (move.id, move.plan)]
        if len(chosen) == 1:
            return chosen[0]
        if moves:
            names = ", ".join(move.id for move in moves)
            raise Refused(say("name one of these moves: {names}", names=names))
        raise Refused(none)

    def swap(self) -> None:
        """Let the moves in hand refer to the inventory as it is now."""
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
        self._closing = True
        for execution in self._executions.values():
            execution.leave()
        await let_end(tuple(self._tasks.values()), PATIENCE)
        await self.holding.close()
