"""What the guard of a site is told of the leases that are held there, and when one is given back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from failover.guard import Validity
from failover.guard_files import Places, handed_over
from failover.lease import Belief, Record, Refused, Released, decode, encode
from failover.lease_local import LocalLease
from failover.model import Continuity, Etcd, Guarded, Leases, Part, Plan, PlanId, Site, SiteId
from monitor.clock import SystemClock, boot_id
from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.guard_line import Due
from monitor.daemon.holding import Holding
from monitor.daemon.keeping import lease_verdicts
from monitor.daemon.passive import passive
from monitor.daemon.rereading import plan_of
from monitor.daemon.selfcheck import lease_check
from monitor.daemon.tenure import Tenure
from monitor.inventory.load import load
from runbooks.contract import Site as StepsAt

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
    """Holds the lease of the one plan as long as `wanted`; `journal`: the highest token that the journal knows."""

    def __init__(self, folder: Path, journal: int = 0) -> None:
        self.wanted, self.folder = True, folder
        self.beliefs = folder / "run"
        self.beliefs.mkdir(exist_ok=True)
        self.lease = Noted(folder, "lease-crm", "centre", "c" * 32, 15.0, CLOCK)
        self.holding = Holding(
            lambda: CONTINUITY,
            lambda _plan: self.wanted,
            lambda _name: Tenure(self.lease, "centre", CLOCK, timedelta(seconds=5)),
            lambda _name: journal,
            Places(self.beliefs),
        )

    def tell(self) -> None:
        """Tell the guard of what is held, as a daemon does every second."""
        held = self.holding.held.items()
        self.holding.tell(Due({name: one.belief for name, one in held if one.belief is not None}))

    def handed(self) -> Validity | None:
        return handed_over(self.beliefs / "crm.lease", boot_id())


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


async def test_the_guard_is_told_before_a_lease_is_given_back(here):
    await here.holding.turn()
    here.tell()
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
    here.tell()
    here.beliefs.rename(here.folder / "gone")
    here.wanted = False
    await here.holding.turn()
    assert CRM not in here.holding.held
    assert not here.lease.released


def verdict(here: Here) -> Verdict:
    return lease_verdicts(CONTINUITY, {}, here.holding, CLOCK.boot())[CRM]


def words(here: Here) -> str:
    return ENGLISH.render(verdict(here).summary)


def write(here: Here, record: Record) -> None:
    (here.folder / "lease-crm.lease").write_bytes(encode(record))


async def test_how_the_lease_stands_is_told(here):
    assert (verdict(here).severity, "nobody has looked yet" in words(here)) == (Severity.UNKNOWN, True)
    await here.holding.turn()
    here.tell()
    assert (verdict(here).severity, "holds the lease of CRM: token" in words(here)) == (Severity.OK, True)
    here.holding.held[CRM].belief = Belief(1, CLOCK.boot() - 1)
    assert verdict(here).severity is Severity.UNKNOWN
    await here.holding.close()


async def test_a_guard_that_cannot_be_told_is_told_to_operations(here):
    here.beliefs.rmdir()
    await here.holding.turn()
    here.tell()
    assert (verdict(here).severity, "will stop it" in words(here)) == (Severity.CRITICAL, True)
    here.beliefs.mkdir()
    here.tell()
    assert verdict(here).severity is Severity.OK
    await here.holding.close()


async def test_a_next_life_holds_under_a_token_that_no_guard_has_stopped_for(here):
    """While nobody was there the guard may have stopped for the one before, and it never holds for that again."""
    await here.holding.turn()
    token = here.holding.held[CRM].belief.token
    await here.holding.close()
    again = Here(here.folder)
    await again.holding.turn()
    assert again.holding.held[CRM].belief.token > token
    await again.holding.close()


@pytest.mark.parametrize("held", [True, False])
async def test_what_another_site_has_held_since_is_left_alone_and_nothing_is_started_here(here, held):
    theirs = Record("secours", "b1", 7, 15.0, held)
    write(here, theirs)
    await here.holding.turn()
    assert (verdict(here).severity, here.holding.foreign()) == (Severity.CRITICAL, {CRM})
    assert "another site has held the lease of crm since (secours)" in words(here)
    assert decode((here.folder / "lease-crm.lease").read_bytes()) == theirs
    here.wanted = False
    await here.holding.turn()
    assert here.holding.foreign() == frozenset()


async def test_a_lease_that_another_site_gave_back_is_held_again_once_the_journal_knows_of_its_moves(tmp_path):
    here = Here(tmp_path, journal=7)
    write(here, Record("secours", "b1", 7, 15.0, held=False))
    await here.holding.turn()
    assert here.holding.held[CRM].belief.token > 7
    await here.holding.close()


def test_nothing_of_a_group_is_started_where_another_site_has_its_lease():
    centre = Site(CENTRE, "Douala", here=True, devices=frozenset({NodeId("dialler")}))
    plan = replace(CONTINUITY.plans[CRM], parts={CENTRE: Part(), SECOURS: Part()})
    continuity = replace(CONTINUITY, sites={**CONTINUITY.sites, CENTRE: centre}, plans={CRM: plan})
    at = StepsAt()
    assert passive(continuity, (), at) == {}
    assert passive(continuity, (), at, {CRM}) == {"dialler": CRM}


def test_the_check_of_a_lease_is_there_where_voters_keep_it(tmp_path):
    path = tmp_path / "inventory.yaml"
    path.write_text("site: {name: Centre, timezone: Africa/Douala, language: fr}\n", "utf-8")
    plain = load(path).inventory
    assert plain is not None
    assert lease_check("crm") in plan_of(replace(plain, continuity=CONTINUITY)).checks
    for other in (Continuity(), replace(CONTINUITY, leases=Leases()), replace(CONTINUITY, sites={})):
        assert lease_check("crm") not in plan_of(replace(plain, continuity=other)).checks
        assert lease_verdicts(other, {}, None, 0.0) == {}


async def test_what_is_held_by_voters_that_the_inventory_has_no_longer_is_taken_anew(tmp_path):
    before, after = (Leases(Etcd((f"https://127.0.0.1:{n}",))) for n in (1, 2))
    says = [replace(CONTINUITY, leases=before)]
    leases = list[Noted]()

    def make(_name: PlanId) -> Tenure:
        leases.append(Noted(tmp_path, "lease-crm", "centre", "c" * 32, 15.0, CLOCK))
        return Tenure(leases[-1], "centre", CLOCK, timedelta(seconds=5), leases=says[0].leases)

    holding = Holding(lambda: says[0], lambda _plan: True, make, lambda _name: 0, Places(tmp_path))
    await holding.turn()
    held = holding.held[CRM]
    await holding.turn()
    assert holding.held[CRM] is held
    assert held.belief is not None
    token, says[0] = held.belief.token, replace(CONTINUITY, leases=after)
    await holding.turn()
    anew = holding.held[CRM]
    assert (anew.leases, held.belief) == (after, None)
    assert anew.belief is not None
    assert anew.belief.token > token
    assert not any(lease.released for lease in leases), "nobody else could have it meanwhile"
    await holding.close()


async def test_the_lease_of_a_lost_site_is_not_kept_for_it_while_a_move_from_there_is_tried_again(here):
    """Its guard cannot be told; and once the lease were kept for it, nothing would say that it is lost."""
    ended, vain = list[PlanId](), [True]
    holding = Holding(
        lambda: CONTINUITY,
        lambda _plan: False,
        lambda _name: Tenure(here.lease, "centre", CLOCK, timedelta(seconds=5)),
        lambda _name: 0,
        Places(here.beliefs),
        there=lambda _plan: SECOURS,
    )
    holding.over, holding.in_vain = ended.append, lambda _plan: vain[0]
    write(here, Record("centre", "c" * 32, 3, 15.0, held=False))
    await holding.turn()
    assert (holding.held, ended) == ({}, [])
    vain[0] = False
    await holding.turn()
    assert (list(holding.held), ended) == ([CRM], [CRM])
    belief = holding.held[CRM].belief
    assert belief is not None
    assert belief.token > 3, "no lapse goes on under the token of whoever holds it for a group that runs"
    await holding.close()
