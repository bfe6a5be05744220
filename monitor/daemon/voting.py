"""The voters, looked at all the time: how many may still be lost, and since when each lease is as it stands.

Both before they are needed. The loss of one voter is told, and moves nothing. And a site that has to take a lease waits
until its record has stood still for long enough, counted from when it first saw it so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from failover.etcd import Voters
from failover.lease_etcd import EtcdLease, Watching
from failover.model import Continuity, PlanId
from failover.voters import look_at, margin
from monitor.clock import Clock
from monitor.core.verdict import Verdict
from monitor.daemon.asking import Asking
from monitor.daemon.tenure import record_name

log = logging.getLogger(__name__)

EVERY = 2.0
"""Seconds between two looks at the leases: by as much a takeover may come late."""
AT_ONCE = 16
"""Leases that are looked at together: one after the other, slow voters would let what they said of the first grow too
old to decide by before the last is looked at."""
JUDGED_EVERY = 10.0
"""Seconds between two judgements of the voters."""


class Voting:
    """Looks while the inventory names voters; `run` goes on for as long as Relève runs."""

    def __init__(
        self,
        continuity: Callable[[], Continuity],
        watching: Callable[[PlanId], Watching],
        report: Callable[[Verdict, float], Awaitable[None]],
        clock: Clock,
    ) -> None:
        """`watching`: what is known of a group's lease. `report` takes how the voters are, and the seconds it took."""
        self._continuity, self._watching, self._report, self._clock = continuity, watching, report, clock
        self._asking = Asking(clock)
        self._judged: Voters | None = None
        self._due = 0.0

    async def run(self) -> None:
        """Look until cancelled, and end the connections then."""
        try:
            while True:
                try:
                    await self.turn()
                except Exception:
                    log.exception("the voters were not looked at", extra={"event": "voting_bug"})
                await asyncio.sleep(EVERY)
        finally:
            await self._asking.close()

    async def turn(self) -> None:
        """Look once at the leases, and at the voters if that is due."""
        continuity = self._continuity()
        voters = await self._asking.voters(continuity.leases)
        if voters is not self._judged:
            self._judged, self._due = voters, 0.0
        if voters is None or continuity.leases is None:
            return
        began, ttl = self._clock.boot(), continuity.leases.ttl.total_seconds()
        if began >= self._due:
            self._due = began + JUDGED_EVERY
            verdict = margin(await look_at(voters))
            await self._report(verdict, self._clock.boot() - began)
        places = asyncio.Semaphore(AT_ONCE)

        async def look(plan: PlanId) -> None:
            async with places:
                # Who looks only is no holder, and no record names it.
                await EtcdLease(voters, record_name(plan), "-", "-", ttl, self._clock, self._watching(plan)).look()

        plans = tuple(continuity.plans)
        for plan, error in zip(plans, await asyncio.gather(*map(look, plans), return_exceptions=True), strict=True):
            if isinstance(error, Exception):
                log.error("a lease was not looked at", exc_info=error, extra={"event": "voting_bug", "plan": plan})
