"""The Relève of a site as far as it keeps a lease, in a process of its own: to be stopped, killed and started again."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from failover.guard_files import Places
from failover.lease_etcd import Watching
from failover.model import Continuity, Etcd, Guarded, Leases, Plan, PlanId, Site, SiteId
from monitor.clock import SystemClock
from monitor.daemon.guard_line import Due
from monitor.daemon.holding import Holding
from monitor.daemon.keeping import lease_verdicts
from monitor.daemon.tenure import tenure_of
from monitor.secret import Secret

CENTRE, SECOURS = SiteId("centre"), SiteId("secours")
TTL, LOOP = 2.0, 0.4


def site(etcd: Etcd, here: SiteId, name: str) -> Continuity:
    """Return what an inventory of two sites says, with short times; the group normally runs at the centre."""
    plan = PlanId(name)
    sites = {one: Site(one, one, here=one == here) for one in (CENTRE, SECOURS)}
    fences = tuple(Guarded(one, timedelta(seconds=1)) for one in sites)
    leases = Leases(etcd, timedelta(seconds=TTL), timedelta(seconds=LOOP), timedelta(seconds=0.8))
    made = Plan(plan, name, CENTRE, SECOURS, {}, fences, timedelta(minutes=30))
    return Continuity(sites, leases, plans={plan: made})


async def keep(continuity: Continuity, folder: Path) -> None:
    """Hold the lease until killed, and print how it stands."""
    (name,) = continuity.plans
    watching, clock = Watching(), SystemClock()
    holding = Holding(
        lambda: continuity,
        lambda _plan: True,
        lambda plan: tenure_of(continuity, plan, folder, clock, watching),
        lambda _plan: 0,
        Places(folder),
    )
    while True:
        await holding.turn()
        held = holding.held.items()
        holding.tell(Due({plan: tenure.belief for plan, tenure in held if tenure.belief is not None}))
        print(lease_verdicts(continuity, {}, holding, clock.boot())[name].severity.word, flush=True)
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    addresses, folder, ca, cert, key, name = sys.argv[1:]
    etcd = Etcd(tuple(addresses.split(",")), Secret(ca), Secret(cert), Secret(key))
    asyncio.run(keep(site(etcd, CENTRE, name), Path(folder)))
