"""What the guard of a site is told of the leases that are held there, and when one is given back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from failover.guard import Validity
from failover.guard_files import handed_over
from failover.lease import Belief, Refused, Released
from failover.lease_local import LocalLease
from failover.model import Continuity, Etcd, Guarded, Leases, Plan, PlanId, Site, SiteId
from monitor.clock import SystemClock, boot_id
from monitor.daemon.holding import Holding
from monitor.daemon.tenure import Tenure

CLOCK = SystemClock()
CRM, CENTRE, SECOURS = PlanId("crm"), SiteId("centre"), SiteId("secours")
CONTINUITY = Continuity(
    sites={CENTRE: Site(CENTRE, "Douala", here=True), SECOURS: Site(SECOURS, "Yaoundé")},
    leases=Leases(Etcd(("https://127.0.0.1:1",))),
    plans={
        CRM: Plan(CRM, "CRM", CENTRE, SECOURS, {}, (Guarded(CENTRE, timedelta(seconds=30)),), rto=timedelta(minutes=30))
    },
)


class Noted(LocalLease):
    """A lease that remembers that it was given back: to let a local one go frees it, unlike one among voters."""

    released = False

    async def release(self, belief: Belief) -> Released | Refused:
        self.released = True
        return await super().release(belief)


class Here:
    """Holds the lease of the one plan as long as `wanted`."""

    def __init__(self, folder: Path) -> None:
        self.wanted, self.folder = True, folder
        self.beliefs = folder / "run"
        self.beliefs.mkdir()
        self.lease = Noted(folder, "lease-crm", "centre", "c" * 32, 15.0, CLOCK)
        self.holding = Holding(
            lambda: CONTINUITY,
            lambda _plan: self.wanted,
            lambda _name: Tenure(self.lease, "centre", CLOCK, timedelta(seconds=5)),
            lambda _name: 0,
            self.beliefs,
        )

    def handed(self) -> Validity | None:
        return handed_over(self.beliefs / "crm.lease", boot_id())


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


async def test_the_guard_is_told_before_a_lease_is_given_back(here):
    await here.holding.turn()
    here.holding.tell({})
    held = here.holding.held[CRM].belief
    assert held is not None
    assert here.handed() == Validity(held.token, held.valid_until)
    here.wanted = False
    await here.holding.turn()
    assert here.handed() == Validity(held.token, 0.0)
    assert here.lease.released


async def test_a_lease_of_which_the_guard_could_not_be_told_is_left_to_lapse(here):
    """The guard goes on to the end of what it was handed: nobody may have the lease before."""
    await here.holding.turn()
    here.holding.tell({})
    here.beliefs.rename(here.folder / "gone")
    here.wanted = False
    await here.holding.turn()
    assert CRM not in here.holding.held
    assert not here.lease.released
