"""How a move begins: looked over, its lease taken, looked over again under that, and written down before anything."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from failover.by_hand import may_start, target_of
from failover.by_itself import by_itself
from failover.ground import Act, Hold, LeaseSeen, Seen, past, runs_at
from failover.model import Continuity, Leases, Plan, PlanId, SiteId
from failover.phases import Direction
from failover.run import Move
from failover.tasks import tasks_of
from failover.words import started
from monitor.clock import Clock
from monitor.core.incident import Refused
from monitor.core.text import Text, say
from monitor.daemon.desk import Desk
from monitor.daemon.holding import Holding
from monitor.daemon.lapses import Lapses
from monitor.daemon.move_book import MoveBook
from monitor.daemon.move_orders import Said, allowed, data_of, entry_of, order_of, plan_of
from monitor.daemon.moving import Prepared, Wanted
from monitor.daemon.sighting import Sighting
from monitor.daemon.tenure import Tenure, knows_the_other
from runbooks.contract import StepFailed

SEEN_FOR = 20.0
"""Seconds for which what Relève has seen of two sites is enough to begin by: another move may take so long to begin."""


@dataclass(frozen=True, slots=True)
class Alone:
    """What Relève has `seen`, by `at` (CLOCK_BOOTTIME), where it begins a move by itself."""

    seen: Seen
    at: float


class Beginning:
    """Begins moves, one at a time. `taking`: the lease of each group of which a move is being prepared.

    `changing` is held while a lease changes hands between moves and what holds it without one. `closing`: nothing
    begins here any more, for Relève is about to stop, or another one decides by now.
    """

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        book: MoveBook,
        sighting: Sighting,
        holding: Holding,
        tenure: Callable[[PlanId], Tenure],
        untold: Callable[[Plan, SiteId | None], Awaitable[Mapping[SiteId, Text]]],
        lapses: Lapses,
        halted: Callable[[], bool],
    ) -> None:
        """`tenure`: returns the lease of a group, untaken; `untold`: by site, why its guard could not be told now.

        `lapses` keeps how the site where a group runs has lost its lease, until a move has begun. `halted`: whether a
        person has stopped everything.
        """
        self._desk, self._clock, self._book, self._untold = desk, clock, book, untold
        self._lapses, self._halted = lapses, halted
        self._sighting, self._holding, self._tenure = sighting, holding, tenure
        self.taking: dict[PlanId, Tenure] = {}
        self.changing, self.closing = asyncio.Lock(), False

    @property
    def _continuity(self) -> Continuity:
        return self._desk.inventory.continuity

    async def planned(self, wanted: Wanted) -> Prepared:
        """Return the dry run of what is wanted; nothing is taken or changed. Raises Refused."""
        plan = plan_of(self._continuity, wanted.plan)
        tenure = self._tenure(plan.id)
        try:
            why = await tenure.look()
        finally:
            await tenure.leave()
        return await self._prepared(
            plan, wanted, LeaseSeen(self._continuity.mode, self._ttl if why is None else None, why=why)
        )

    @property
    def _ttl(self) -> timedelta:
        return (self._continuity.leases or Leases()).ttl

    async def _prepared(self, plan: Plan, wanted: Wanted, lease: LeaseSeen, alone: Alone | None = None) -> Prepared:
        mine, going = self._book.of(plan.id), self._book.going(plan.id)
        answer: Hold | Act
        if alone is None:
            seen = await self._sighting.seen(plan, mine, moving=None if going is None else going.id, halted=False)
            to = target_of(plan, wanted.direction, runs_at(plan, past(mine)), wanted.target)
            untold = await self._untold(plan, to) if wanted.direction.moves else {}
            now = self._clock.now()
            answer = may_start(
                plan,
                wanted.direction,
                seen,
                lease,
                self._book.history(plan.id),
                now,
                target=wanted.target,
                untold=untold,
            )
        else:
            untold = await self._untold(plan, wanted.target)
            seen = await self._sighting.as_of_now(plan, mine, alone.seen, halted=self._halted())
            now = self._clock.now()
            if self._clock.boot() - alone.at > SEEN_FOR:
                raise Refused(say("both sites were looked at too long ago, and are looked at again"))
            answer = by_itself(plan, seen, lease, self._book.history(plan.id), now, untold=untold)
        if isinstance(answer, Hold):
            return Prepared(plan, answer, now)
        try:
            site = self._desk.inventory.actionable
            tasks = tasks_of(plan, answer.direction, answer.source, answer.target, site)
            return Prepared(plan, answer, now, tasks, seen.site(answer.source).gone)
        except StepFailed as error:
            raise Refused(say("{plan} cannot move: {why}", plan=plan.id, why=error.text)) from error

    def must_be_open(self) -> None:
        """Raise Refused once nothing begins any more."""
        if self.closing:
            raise Refused(say("Relève is about to stop, and begins nothing"))

    async def begin(
        self, wanted: Wanted, said: Said, carry: Callable[[Move, Tenure | None], None], alone: Alone | None = None
    ) -> Move:
        """Return the move that has begun, on disk and handed to `carry` with its lease. Raises Refused.

        The lease is None where none is needed: a drill leaves the group where it is. `alone`: what Relève has just seen
        where it begins a move by itself; it is not looked at again while the lease is taken, which the voters give only
        to whoever has seen its record stand still.
        """
        async with self.changing:
            self.must_be_open()  # everything may have been handed over while it was waited for
            plan = plan_of(self._continuity, wanted.plan)
            going = self._book.going(plan.id)
            if going is not None:
                raise Refused(say("the move {move} is under way", move=going.id))
            # Before the lease is touched: taken for nothing, it stops the site that had it.
            await self._book.must_be_journaled()
            await self._looked_over(plan, wanted, alone)
            tenure = None
            if wanted.direction.moves:
                tenure = self._holding.held.pop(plan.id, None) or self._tenure(plan.id)
                self.taking[plan.id] = tenure
            try:
                move = await self._begun(plan, wanted, said, tenure, alone)
            except BaseException:
                if tenure is not None:
                    await self.hold_or_give_back(plan, tenure)
                raise
            finally:
                self.taking.pop(plan.id, None)
            carry(move, tenure)
        return move

    async def _looked_over(self, plan: Plan, wanted: Wanted, alone: Alone | None) -> None:
        """Refuse what does not begin whatever the lease, before that is touched: it may hold the service up."""
        await self._book.must_be_journaled()
        allowed(await self._prepared(plan, wanted, LeaseSeen(self._continuity.mode, self._ttl), alone))

    async def hold_or_give_back(self, plan: Plan, tenure: Tenure) -> None:
        """Go on holding the lease of a group that runs here, and let every other one go; `changing` is held."""
        if tenure.belief is not None and self._holding.wants(plan):
            self._lapses.end(plan.id)
            other, self._holding.held[plan.id] = self._holding.held.get(plan.id), tenure
            if other is not None:
                await other.leave()
            await tenure.settle()
        else:
            await self._holding.let_go(plan.id, tenure)

    async def _begun(self, plan: Plan, wanted: Wanted, said: Said, tenure: Tenure | None, alone: Alone | None) -> Move:
        book, why = self._book, None
        if tenure is not None:
            lapse = self._lapses.before(plan.id)
            why = await tenure.take(book.highest(plan.id), knows_the_other=self._knows(plan))
            if tenure.belief is not None:
                self._lapses.taken(plan.id, tenure.belief.token, lapse)
        left = None
        if tenure is not None and tenure.belief is not None:
            left = timedelta(seconds=tenure.belief.valid_until - self._clock.boot())
        now = self._clock.now()
        prepared = await self._prepared(plan, wanted, LeaseSeen(self._continuity.mode, left, why=why), alone)
        act = allowed(prepared)
        if alone is not None:
            said = replace(said, loss=act.loss.at_most, stated_at=prepared.at)  # what the plan allows, and no more
        # What may be lost is judged as of when it was measured: both sites were looked at in between.
        order = order_of(plan, act, said, self._sighting.incident(plan, act.source), prepared.at)
        stated_at = prepared.at if said.stated_at is None else said.stated_at
        lost = act.direction is Direction.FAILOVER and prepared.gone
        lost = lost and self._sighting.was_gone(plan, act.source, stated_at)
        order = replace(order, since=self._sighting.lost_since(plan, act.source, now), lost=lost)
        await book.must_be_journaled()
        name, before = book.new_name(now), None if tenure is None else tenure.before
        event = started(
            name, order, prepared.tasks, data_of(self._continuity, plan, act.source), before=before, actor=said.actor,
            at=now, promised=await self._sighting.promised(plan, book.of(plan.id)),
        )  # fmt: skip
        if tenure is not None and tenure.belief is not None:
            event = replace(event, data={**event.data, "token": tenure.belief.token})
        move = await book.record(event, (entry_of(name, order, said.actor),))
        try:
            await book.must_be_journaled()
        except Refused as error:
            await book.give_up(move, error.text)
            raise
        if tenure is not None:
            self._lapses.end(plan.id)
        return move

    def _knows(self, plan: Plan) -> bool:
        moves = self._book.of(plan.id)
        source = moves[-1].runs_at if moves else plan.active
        return source is not None and knows_the_other(self._continuity, source)
