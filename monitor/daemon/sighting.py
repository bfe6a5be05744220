"""How both sites of a plan are seen now and from everywhere, and how far the copies of its data are behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from failover.fences import prospect
from failover.ground import Group, Seen, past, runs_at
from failover.lag import LAGS, lag_of
from failover.lease_etcd import Watching
from failover.loss import Loss, Measured, loss
from failover.model import DataSet, DataSetId, Guarded, Leases, Mode, Plan, PlanId, SiteId
from failover.preflight import Believed, Standing, hindered
from failover.run import Move
from failover.unled import Guarding, stands_unled, stopped_by
from failover.vantage import (
    HERE,
    PEER,
    VOTERS,
    Asking,
    Look,
    Sighted,
    View,
    kept_view,
    sighted,
    still_since,
    token_of,
    vantages,
)
from monitor.clock import Clock
from monitor.core.ids import CheckId, NodeId
from monitor.core.incident import Incident
from monitor.core.text import Text
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.announced import work_on
from monitor.daemon.desk import Desk
from monitor.daemon.figures import as_of
from monitor.daemon.move_orders import data_of
from monitor.daemon.promised import Promises
from monitor.daemon.standing import fenced_by
from monitor.inventory.concern import answered
from monitor.store import HistoryUnavailable
from runbooks.contract import Promised

FRESH = timedelta(seconds=60)
"""For how long a look that a person has just asked for counts as one of now."""
TAKES_OVER = timedelta(hours=1)
"""How long it may take until another Relève looks after one was lost, with a person who has to be woken."""
REMEMBERED = timedelta(hours=24)
"""How far back the last figure of a copy is looked for that cannot be measured now."""
HEARD_FOR = 4.0
"""Seconds for which an answer of the voters counts, beside the time that two of them may take: they are asked every
second or two (`monitor.daemon.voting`)."""


class Sighting:
    """Looks at sites and copies on demand.

    `look` observes a check now. `watching` returns what is known of the record of a group's lease; `speaks` asks the
    Relève at another site whether it is there. `stopped` asks the guard at a site up to which token its record says
    that a group is stopped there.
    """

    def __init__(
        self,
        desk: Desk,
        look: Callable[[CheckId], Awaitable[Verdict]],
        clock: Clock,
        watching: Callable[[PlanId], Watching],
        speaks: Callable[[SiteId], Awaitable[bool]],
        promises: Promises,
        stopped: Callable[[PlanId, SiteId], Awaitable[int | None]],
    ) -> None:
        self._desk, self._look, self._clock, self._stopped = desk, look, clock, stopped
        self._watching, self._speaks, self._promises = watching, speaks, promises

    @property
    def _by(self) -> str:
        here = self._desk.inventory.continuity.here
        return HERE if here is None else str(here.id)

    async def seen(
        self, plan: Plan, moves: Iterable[Move], *, moving: str | None, halted: bool, strict: bool = False
    ) -> Seen:
        """Return what is seen of both sites of `plan` and of its group, now.

        `strict`: a fence that could not be used now counts as none, as it does for what begins by itself; a person may
        have it tried, for the move goes on only once it is proven.
        """
        mine = [move for move in moves if move.plan == plan.id]
        source, two = runs_at(plan, past(mine)), (plan.active, plan.standby)
        looks = await asyncio.gather(*(self._looks_at(plan, site, source) for site in two))
        now = self._clock.now()
        sites = {
            site: sighted(found, self._names(plan, site, source, found), (site,), now)[site]
            for site, found in zip(two, looks, strict=True)
        }
        down = {site for site in two if not sites[site].up}
        group = Group(
            loss=await self._loss(plan, source, down, mine),
            unfenced=await self._unfenced(plan, source, down, strict=strict),
            moving=moving,
        )
        # Where we stand ourselves it is led, and its lease is about to be held again.
        if source is not None and source != self._by and source in sites and stands_unled(sites[source]):
            group = await self._known_idle(plan, source, sites[source], group)
        group = self._with_what_is_told(plan, source, group)
        return Seen(sites, {plan.id: group}, clock=self._desk.trusted(), halted=halted)

    async def _known_idle(self, plan: Plan, source: SiteId, sight: Sighted, group: Group) -> Group:
        """`group` with what is known of whether it works at `source`, which stands while nobody leads it.

        What verifies it is believed only where we see the site itself up: who is cut off sees everything fail.
        """
        service, stopped = await asyncio.gather(self.look_for_service(plan, source), self._stopped_by(plan, source))
        failing = self._by in sight.up and service.view is View.DOWN
        return replace(group, stopped=stopped, failing=failing)

    async def _stopped_by(self, plan: Plan, source: SiteId) -> Text | None:
        guard = plan.guard_of(source)
        if guard is None:
            return None
        verdict = None if guard.check is None else await self._verdict(guard.check)
        stopped = await self._stopped(plan.id, source)
        kept, now = self._watching(plan.id).kept, self._clock.boot()
        still = still_since(kept, source, now)
        return stopped_by(
            Guarding(
                token=token_of(kept, source, now),
                stopped=stopped,
                runs=verdict is not None and verdict.severity is Severity.OK,
                within=guard.stops_within,
                still=None if still is None else timedelta(seconds=now - still),
                ttl=timedelta(seconds=self.asking().ttl),
            )
        )

    async def as_of_now(self, plan: Plan, moves: Iterable[Move], seen: Seen, *, halted: bool) -> Seen:
        """Return `seen` with all that is known by now without a look at a site.

        Under the lease more may be certain of what would be lost. And whoever announces work meanwhile, or sees the
        incident end, need not know how long a look at a lost site takes.
        """
        mine = [move for move in moves if move.plan == plan.id]
        source, down = runs_at(plan, past(mine)), {site for site, sight in seen.sites.items() if not sight.up}
        group = replace(seen.group(plan.id), loss=await self._loss(plan, source, down, mine))
        group = self._with_what_is_told(plan, source, group)
        return replace(seen, groups={**seen.groups, plan.id: group}, clock=self._desk.trusted(), halted=halted)

    def _with_what_is_told(self, plan: Plan, source: SiteId | None, group: Group) -> Group:
        """`group` with its incident, and with the work that is announced on it."""
        checks = [check for site in (plan.active, plan.standby) for check in self.vantage(plan, site)]
        work = work_on(self._desk.inventory, self._desk.state.windows, plan, checks, self._clock.now())
        incident = self.incident(plan, source)
        return replace(
            group,
            incident=None if incident is None else incident.began_at,
            work=None if work is None else work.name,
            work_until=None if work is None else work.until,
        )

    def voted_again(self, plan: Plan, source: SiteId, seen: Seen) -> Seen:
        """Return `seen` with what the voters say of `source` by now; all others as they saw it just before."""
        sight, now = seen.site(source), self._clock.now()
        by = {View.UP: sight.up, View.DOWN: sight.down, View.UNKNOWN: sight.silent}
        views = {name: view for view, names in by.items() for name in names} | {VOTERS: self._voters_view(plan, source)}
        looks = [Look(name, source, view, now, FRESH) for name, view in views.items()]
        return replace(seen, sites={**seen.sites, **sighted(looks, views, (source,), now)})

    def _names(self, plan: Plan, site: SiteId, source: SiteId | None, looks: Iterable[Look]) -> tuple[str, ...]:
        """All who see `site`; the Relève that stands there among them only while it speaks."""
        continuity = self._desk.inventory.continuity
        voters = continuity.mode is Mode.QUORUM and site == source
        names = vantages(continuity.sites[site], self._by, voters=voters)
        return (*names, *(PEER for look in looks if look.by == PEER))

    async def _looks_at(self, plan: Plan, site: SiteId, source: SiteId | None) -> list[Look]:
        """One look of each vantage point that there is."""
        continuity = self._desk.inventory.continuity
        there = continuity.sites[site]
        looks = [self.look_at(plan, site), *(self._look_by(by, checks, site) for by, checks in there.seen_by.items())]
        found, spoke = await asyncio.gather(asyncio.gather(*looks), self._spoke(site))
        if continuity.mode is Mode.QUORUM and site == source:
            found.append(Look(VOTERS, site, self._voters_view(plan, site), self._clock.now(), FRESH))
        return [*found, *((Look(PEER, site, View.UP, self._clock.now(), FRESH),) if spoke else ())]

    async def _spoke(self, site: SiteId) -> bool:
        there = self._desk.inventory.continuity.sites[site]
        return bool(there.releve) and not there.here and await self._speaks(site)

    def _voters_view(self, plan: Plan, site: SiteId) -> View:
        return kept_view(self._watching(plan.id).kept, site, self.asking())

    def asking(self) -> Asking:
        """Return who asks about the record of a lease, now."""
        leases = self._desk.inventory.continuity.leases or Leases()
        fresh = HEARD_FOR + 2 * leases.retry.total_seconds()
        return Asking(self._by, leases.ttl.total_seconds(), fresh, self._clock.boot())

    async def promised(self, plan: Plan, moves: Iterable[Move]) -> Mapping[DataSetId, Promised]:
        """Return of which data sets nothing is lost with the site where the group of `plan` runs.

        `moves`: those of the group. Certain only while its lease is held by whoever asks.
        """
        mine = list(moves)
        return await self._promises.of(plan, runs_at(plan, past(mine)), mine)

    async def _loss(self, plan: Plan, source: SiteId | None, down: set[SiteId], mine: list[Move]) -> Loss:
        """What would be lost: as of when the site was lost if it is, for nobody was served there any more."""
        lost_at = self._lost_at(plan, source) if source in down else None
        promises = asyncio.create_task(self._promises.of(plan, source, mine))
        try:
            measured = await self.measured(plan, source, lost_at)
        finally:
            promised = await promises
        kept = (replace(one, promised_at=promised[one.data].at) if one.data in promised else one for one in measured)
        return loss(kept, self._clock.now() if lost_at is None else lost_at)

    def _lost_at(self, plan: Plan, source: SiteId | None) -> datetime | None:
        """The end of the last moment in which `source` may have been whole: when its next renewal did not come."""
        leases = self._desk.inventory.continuity.leases
        kept, boot = self._watching(plan.id).kept, self._clock.boot()
        still = None if source is None or leases is None else still_since(kept, source, boot)
        if still is None or leases is None:
            return None
        ago = boot - still - leases.loop.total_seconds()
        return self._clock.now() - timedelta(seconds=max(0.0, ago))

    async def _unfenced(self, plan: Plan, source: SiteId | None, down: set[SiteId], *, strict: bool) -> Text | None:
        fences = plan.fences if source is None else plan.fences_of(source)
        if not strict or source is None:
            return prospect(fences, {})
        by = fenced_by(self._desk.inventory, plan, source)
        gates = tuple(dict.fromkeys(gate for each in by.values() for gate in each))
        seen = dict(zip(gates, await asyncio.gather(*map(self._verdict, gates)), strict=True))
        checks = {name: Believed(one.severity, False, one.summary) for name, one in seen.items() if one is not None}
        lost_at = self._lost_at(plan, source) if source in down else None
        checks |= {
            fence.check: self._guard_before(fence.check, lost_at)
            for fence in fences
            if isinstance(fence, Guarded) and fence.check is not None
        }
        return prospect(fences, hindered(plan, source, Standing(checks=checks, fenced_by={source: by})))

    def _guard_before(self, check: CheckId, lost_at: datetime | None) -> Believed:
        """The guard as it was seen before its site was lost: with the site, whatever looks at it is lost as well."""
        health = self._desk.state.healths.get(check)
        if health is None:
            return Believed()
        if lost_at is not None and health.failing_since > lost_at - FRESH:
            return Believed(Severity.OK, False, health.summary)
        return Believed(health.confirmed, False, health.summary)

    def incident(self, plan: Plan, source: SiteId | None) -> Incident | None:
        """Return the oldest open incident that `plan` answers while its group runs at `source`."""
        found = answered(plan, source, self._desk.state.incidents.values(), self._desk.inventory)
        return next(iter(found), None)

    def lost_since(self, plan: Plan, source: SiteId, now: datetime) -> datetime:
        """Return from when the service of `plan` at `source` counts as lost (UTC): `now` where no incident says so.

        It is when the service was last seen to work. The first look that failed may be one of a Relève that took over,
        long after the loss that nobody saw. After a longer time in which nobody looked nothing can be said of it.
        """
        incident = self.incident(plan, source)
        if incident is None:
            return now
        health = None if incident.check is None else self._desk.state.healths.get(incident.check)
        worked_at = None if health is None else health.ok_at
        if worked_at is None or not timedelta(0) <= incident.began_at - worked_at <= TAKES_OVER:
            return incident.began_at
        return worked_at

    def was_gone(self, plan: Plan, source: SiteId, at: datetime) -> bool:
        """Return whether `source`, which is seen down, wrote nothing any more `at` that time already.

        By the voters: its renewal had failed to come. Where they have nothing of it, or there are none: all by which it
        is seen has failed without a break since then.
        """
        lost_at = self._lost_at(plan, source)
        if lost_at is not None:
            return lost_at <= at
        healths = [self._desk.state.healths.get(check) for check in self.vantage(plan, source)]
        down = [one is not None and one.latest is Severity.CRITICAL and one.turned_at <= at for one in healths]
        return bool(down) and all(down)

    async def look_at(self, plan: Plan, site: SiteId) -> Look:
        """Look at `site` now: up if anything there answers, down if nothing does, unknown where nobody can look."""
        return await self._look_by(self._by, self.vantage(plan, site), site)

    async def look_for_service(self, plan: Plan, site: SiteId) -> Look:
        """Look now whether the service still answers at `site`, by what verifies it there."""
        part = plan.parts.get(site)
        return await self._look_by(self._by, () if part is None else part.verify, site)

    async def _look_by(self, by: str, checks: tuple[CheckId, ...], site: SiteId) -> Look:
        verdicts = await asyncio.gather(*map(self._verdict, checks))
        known = [one for one in verdicts if one is not None and one.severity is not Severity.UNKNOWN]
        if any(one.severity is not Severity.CRITICAL for one in known):
            view = View.UP
        else:
            view = View.DOWN if known and len(known) == len(verdicts) else View.UNKNOWN
        return Look(by, site, view, self._clock.now(), FRESH)

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

    async def measured(self, plan: Plan, source: SiteId | None, until: datetime | None) -> list[Measured]:
        """Return how far the copy of each data set of `plan` is behind what is written at `source`.

        Measured now where that is possible; what was measured last before `until` (UTC), where `source` was lost then.
        """
        sets = data_of(self._desk.inventory.continuity, plan, source)
        looks = (self._measured(data) if until is None else self._measured_before(data, until) for data in sets)
        found = await asyncio.gather(*looks)
        return [replace(one, title=data.title) for one, data in zip(found, sets, strict=True)]

    async def _measured(self, data: DataSet) -> Measured:
        every = max((self._every(check) for check in data.checks), default=FRESH)
        verdicts = [one for one in await asyncio.gather(*map(self._verdict, data.checks)) if one is not None]
        found = [lag for lag in map(lag_of, verdicts) if lag is not None]
        if found:
            lets_go = any(map(is_not_waited_for, verdicts))
            return Measured(data.id, every, max(found), self._clock.now(), synchronous=False if lets_go else None)
        known = (await self._figures(data, self._clock.now())).values()
        if not known:
            return Measured(data.id, every, blind=True)
        at, lag = max(known)
        return Measured(data.id, every, timedelta(seconds=lag), at, blind=True)

    async def _measured_before(self, data: DataSet, until: datetime) -> Measured:
        """How far the copy was behind when it was last measured before `until`; of several figures, the worst."""
        every = max((self._every(check) for check in data.checks), default=FRESH)
        known = (await self._figures(data, until)).values()
        if not known:
            return Measured(data.id, every, blind=True)
        at, lag = min(known, key=lambda figure: figure[0] - timedelta(seconds=figure[1]))
        return Measured(data.id, every, timedelta(seconds=lag), at)

    def _every(self, check: CheckId) -> timedelta:
        known = self._desk.inventory.checks.get(check)
        return FRESH if known is None else known.every

    async def _figures(self, data: DataSet, until: datetime) -> dict[CheckId, tuple[datetime, float]]:
        """The last figure that each check of `data` had before `until`; a later one says it as well."""
        journal = self._desk.journal
        found = {c: as_of(kept, until) for c in data.checks if (kept := self._desk.figures.get(c)) is not None}
        for check in data.checks:
            for metric in LAGS:
                try:
                    known = await journal.ask_history(journal.store.samples, check, metric, until - REMEMBERED, until)
                except HistoryUnavailable:
                    continue
                if known:
                    # As in `lag_of`: what a check measures beside its lag is another age.
                    found[check] = max(known[-1], found.get(check, known[-1]))
                    break
        return found


def is_not_waited_for(seen: Verdict) -> bool:
    """Return whether a check saw a copy that is connected and of which no commit waits to hear.

    One that is only about to catch up is waited for as well, and is not said to be (PostgreSQL calls it potential).
    """
    return seen.facts.get("sync") == "async" and seen.facts.get("state") == "streaming"
