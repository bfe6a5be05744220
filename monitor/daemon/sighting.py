"""How both sites of a plan are seen now and from here, and how far the copies of its data are behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta

from failover.executor import LAGS, lag_of
from failover.fences import prospect
from failover.ground import Group, Seen, past, runs_at
from failover.loss import Measured, loss
from failover.model import DataSet, Plan, SiteId
from failover.run import Move
from failover.vantage import Look, View, sighted
from monitor.clock import Clock
from monitor.core.ids import CheckId, NodeId
from monitor.core.incident import Incident
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.desk import Desk
from monitor.store import HistoryUnavailable

HERE = "releve"
"""The name of this vantage point where the inventory does not say at which site it stands."""
FRESH = timedelta(seconds=60)
"""For how long a look that a person has just asked for counts as one of now."""
REMEMBERED = timedelta(hours=24)
"""How far back the last figure of a copy is looked for that cannot be measured now."""


class Sighting:
    """Looks at sites and copies on demand; `look` observes a check now."""

    def __init__(self, desk: Desk, look: Callable[[CheckId], Awaitable[Verdict]], clock: Clock) -> None:
        self._desk, self._look, self._clock = desk, look, clock

    @property
    def _by(self) -> str:
        here = self._desk.inventory.continuity.here
        return HERE if here is None else str(here.id)

    async def seen(self, plan: Plan, moves: Iterable[Move], *, moving: str | None, halted: bool) -> Seen:
        """Return what is seen of both sites of `plan` and of its group, now."""
        mine = [move for move in moves if move.plan == plan.id]
        looks = await asyncio.gather(*(self.look_at(plan, site) for site in (plan.active, plan.standby)))
        measured = await self.measured(plan)
        now = self._clock.now()
        sites = sighted(looks, (self._by,), (plan.active, plan.standby), now)
        source = runs_at(plan, past(mine))
        fences = plan.fences if source is None else plan.fences_of(source)
        incident = self.incident(plan)
        group = Group(
            loss=loss(measured, now),
            incident=None if incident is None else incident.began_at,
            unfenced=prospect(fences, {}),
            moving=moving,
        )
        return Seen(sites, {plan.id: group}, clock=self._desk.trusted(), halted=halted)

    def incident(self, plan: Plan) -> Incident | None:
        """Return the oldest open incident that `plan` answers."""
        found = [one for one in self._desk.state.incidents.values() if one.open and one.kind in plan.kinds]
        return min(found, key=lambda one: one.began_at, default=None)

    async def look_at(self, plan: Plan, site: SiteId) -> Look:
        """Look at `site` now: up if anything there answers, down if nothing does, unknown where nobody can look."""
        return await self._look_by(self.vantage(plan, site), site)

    async def look_for_service(self, plan: Plan, site: SiteId) -> Look:
        """Look now whether the service still answers at `site`, by what verifies it there."""
        part = plan.parts.get(site)
        return await self._look_by(() if part is None else part.verify, site)

    async def _look_by(self, checks: tuple[CheckId, ...], site: SiteId) -> Look:
        verdicts = await asyncio.gather(*map(self._verdict, checks))
        known = [one for one in verdicts if one is not None and one.severity is not Severity.UNKNOWN]
        if any(one.severity is not Severity.CRITICAL for one in known):
            view = View.UP
        else:
            view = View.DOWN if known and len(known) == len(verdicts) else View.UNKNOWN
        return Look(self._by, site, view, self._clock.now(), FRESH)

    def vantage(self, plan: Plan, site: SiteId) -> tuple[CheckId, ...]:
        """Return the checks by which `site` is seen: the gates of what stands there, else what verifies it."""
        continuity, nodes = self._desk.inventory.continuity, self._desk.plan.topology.nodes
        there = continuity.sites[site].devices if site in continuity.sites else frozenset[NodeId]()
        gates = tuple(gate for device in sorted(there) if device in nodes for gate in nodes[device].gates)
        part = plan.parts.get(site)
        return gates or (() if part is None else part.verify)

    async def _verdict(self, check: CheckId) -> Verdict | None:
        try:
            return await self._look(check)
        except KeyError:
            return None

    async def measured(self, plan: Plan) -> tuple[Measured, ...]:
        """Return how far the copy of each data set of `plan` is behind, measured now where that is possible."""
        known = self._desk.inventory.continuity.data
        return tuple(await asyncio.gather(*(self._measured(known[name]) for name in plan.data if name in known)))

    async def _measured(self, data: DataSet) -> Measured:
        every = max((self._every(check) for check in data.checks), default=FRESH)
        lags = [lag_of(one) for one in await asyncio.gather(*map(self._verdict, data.checks)) if one is not None]
        found = [lag for lag in lags if lag is not None]
        if found:
            return Measured(data.id, every, max(found), self._clock.now())
        last = await self._last(data)
        if last is None:
            return Measured(data.id, every, blind=True)
        return Measured(data.id, every, timedelta(seconds=last[1]), last[0], blind=True)

    def _every(self, check: CheckId) -> timedelta:
        known = self._desk.inventory.checks.get(check)
        return FRESH if known is None else known.every

    async def _last(self, data: DataSet) -> tuple[datetime, float] | None:
        """The last figure of a copy that nobody can measure any more."""
        journal, now = self._desk.journal, self._clock.now()
        found = [self._desk.figures[check] for check in data.checks if check in self._desk.figures]
        for check in data.checks:
            for metric in LAGS:
                try:
                    known = await journal.ask_history(journal.store.samples, check, metric, now - REMEMBERED, now)
                except HistoryUnavailable:
                    continue
                if known:
                    # As in `lag_of`: what a check measures beside its lag is another age.
                    found.append(known[-1])
                    break
        return max(found, default=None)
