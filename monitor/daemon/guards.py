"""The guards of both sites, as this Relève tells them and hears of them: the one here by files, the other by the line.

A guard lets a group run under a lease that is kept from here: where it runs, and where a move is about to start it. It
hears that a token is over before the lease is given back, and when the fence of its site begins.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from failover.across import GuardSeen, Heard
from failover.ground import past, runs_at
from failover.model import Continuity, Leases, Plan, PlanId, SiteId
from failover.run import Move
from monitor.clock import Clock
from monitor.core.text import Text, say
from monitor.daemon.guard_line import Due, Telling
from monitor.daemon.holding import Holding
from monitor.daemon.move_book import MoveBook
from monitor.daemon.moving import fences, may_run_at
from monitor.daemon.peer_line import Destination
from monitor.daemon.tenure import Tenure

log = logging.getLogger(__name__)
There = tuple[SiteId, Destination]
"""The other site, and its Relève."""


class Guards:
    """`there`: the other site and its Relève, None where there is none. `taking`: leases of moves being prepared.

    `moving`: the moves under way, each with its lease.
    """

    def __init__(
        self,
        continuity: Callable[[], Continuity],
        book: MoveBook,
        holding: Holding,
        there: Callable[[], There | None],
        taking: Mapping[PlanId, Tenure],
        moving: Callable[[], Iterable[tuple[Move, Tenure]]],
        clock: Clock,
    ) -> None:
        self._continuity, self._book, self.holding, self._there = continuity, book, holding, there
        self._taking, self._moving, self._clock = taking, moving, clock
        self.telling = Telling(self._destination, self._due_there, clock)
        holding.end_there = self._end_there
        self.lapsed_at: dict[PlanId, datetime] = {}
        """When the guard of a site was last seen to stop a group that is to run there, or to have stopped it (UTC)."""

    def _destination(self) -> Destination | None:
        there = self._there()
        return None if there is None else there[1]

    @property
    def site_there(self) -> SiteId | None:
        """The site of the other Relève; None where there is none."""
        there = self._there()
        return None if there is None else there[0]

    def due(self, site: SiteId) -> Due:
        """Return what the guard at `site` is to be told of every group that it guards."""
        plans = {name: plan for name, plan in self._continuity().plans.items() if plan.guard_of(site) is not None}
        runs, over = dict[PlanId, Tenure](), dict[PlanId, int]()
        # While a move is being prepared the group runs as before; a lease that is just changing hands says nothing.
        for name, tenure in (*self.holding.held.items(), *self._taking.items()):
            if name in plans and runs_at(plans[name], past(self._book.of(name))) == site:
                runs[name] = tenure
        for move, tenure in self._moving():
            if move.plan in plans and may_run_at(move, site):
                runs[move.plan] = tenure
            elif move.plan in plans and fences(move, site) and tenure.belief is not None:
                over[move.plan] = tenure.belief.token
        return Due({name: one.belief for name, one in runs.items() if one.belief is not None}, over)

    def _due_there(self) -> Due:
        site = self.site_there
        return Due() if site is None else self.due(site)

    def tell_here(self) -> None:
        """Tell the guard of this site. Nothing is waited for: one that is not told in time stops the site."""
        here = self._continuity().here
        if here is not None:
            self.holding.tell(self.due(here.id))

    async def turn_here(self) -> None:
        """Tell the guard of this site, by the clock alone: slow voters hold up whoever takes or lets go of a lease."""
        self.tell_here()

    async def tell_there(self) -> None:
        """Tell the guard of the other site."""
        await self.telling.turn()

    async def renew_spent(self) -> None:
        """Hold on under a new token where a guard has stopped for the one it had, because it was not told in time.

        It never holds for that one again. Only while no lease changes hands.
        """
        here = self._continuity().here
        for name, tenure in tuple(self.holding.held.items()):
            belief, seen = tenure.belief, None
            if here is not None and name in self.due(here.id).runs and name not in self.holding.untold:
                seen = self.holding.post.alive(name)
            elif name in self._due_there().runs and name not in self.telling.untold:
                seen = self.telling.seen.get(name)
            if seen is None or belief is None or seen.spent is None:
                continue
            self.lapsed_at[name] = self._clock.now()
            if seen.spent >= belief.token:
                log.warning("a guard has stopped what it was to let run", extra={"event": "guard_lapsed", "plan": name})
                await tenure.anew(seen.spent)

    def untold_there(self) -> Mapping[PlanId, Text]:
        """Return why the guard of the other site is not told; not before a third of what it was told last is over."""
        ttl, now = (self._continuity().leases or Leases()).ttl.total_seconds(), self._clock.boot()
        told, late = self.telling.told_at, now - ttl / 3
        return {name: why for name, why in self.telling.untold.items() if told.get(name, 0.0) <= late}

    async def _end_there(self, name: PlanId, token: int) -> bool:
        plan, site = self._continuity().plans.get(name), self.site_there
        guarded = plan is not None and site is not None and plan.guard_of(site) is not None
        return not (guarded or name in self.telling.heard) or await self.telling.end(name, token)

    def heard(self, plan: PlanId, site: SiteId) -> Heard | None:
        """Return what the guard at `site` may have heard from us of the lease of `plan`; None for nothing.

        A plan has two sites: what was told at the other one counts also where the inventory does not say who is there.
        """
        here = self._continuity().here
        if here is not None and here.id == site:
            return self.holding.heard.get(plan)
        return self.telling.heard.get(plan)

    async def fenced(self, plan: PlanId, site: SiteId, token: int) -> int | None:
        """Tell the guard at `site` that `token` is over; return the token up to which its record says all stopped.

        None where it does not say so, or nobody can ask it.
        """
        here = self._continuity().here
        if here is not None and here.id == site:
            self.holding.end_here(plan, token)
        elif self.site_there == site:
            await self.telling.end(plan, token)
        return await self.stopped(plan, site)

    async def stopped(self, plan: PlanId, site: SiteId) -> int | None:
        """Return the token up to which the record of the guard at `site` says that all stopped; it is told nothing.

        None where it does not say so, or nobody can ask it.
        """
        seen = await self._seen(plan, site)
        return None if seen is None else seen.stopped

    async def said(self, plan: PlanId, site: SiteId) -> GuardSeen | None:
        """Return what the guard at `site` says now, after it was told what is due; None where nobody can ask it."""
        here = self._continuity().here
        if here is not None and here.id == site:
            self.tell_here()
        else:
            await self.telling.turn()
        return await self._seen(plan, site)

    async def _seen(self, plan: PlanId, site: SiteId) -> GuardSeen | None:
        here = self._continuity().here
        if here is not None and here.id == site:
            return await asyncio.to_thread(self.holding.post.seen, plan, site)
        if self.site_there != site or await self.telling.ask() is not None:
            return None
        return self.telling.seen.get(plan)

    async def untold(self, plan: Plan, only: SiteId | None = None) -> Mapping[SiteId, Text]:
        """Return why the guard of a site could not be told now of a move there, or is not seen to run; by site.

        `only`: the one site that is asked about, where it is known.
        """
        found = dict[SiteId, Text]()
        here = self._continuity().here
        for site in (plan.active, plan.standby) if only is None else (only,):
            if here is None or plan.guard_of(site) is None:
                continue
            if (why := await self._why_untold(plan, site)) is not None:
                found[site] = why
        return found

    async def _why_untold(self, plan: Plan, site: SiteId) -> Text | None:
        here = self._continuity().here
        if here is not None and here.id == site:
            seen = await self._seen(plan.id, site)
        elif self.site_there != site:
            return say("the inventory names no Relève there")
        else:
            why = await self.telling.ask()
            if why is not None:
                return why
            seen = self.telling.seen.get(plan.id)
        if seen is None:
            return say("the Relève there knows no guard of this plan; both need the same inventory")
        return None if seen.phase is not None else say("no guard runs there (systemctl start releve-guard)")
