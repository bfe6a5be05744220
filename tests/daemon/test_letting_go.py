"""A lease is given back only once the guard of what runs here was told to stop it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from failover.guard_files import Places, handed_over
from failover.lease import Seen, Standing
from failover.lease_etcd import Watching
from failover.lease_local import LocalLease
from failover.model import Continuity, Guarded, Part, Plan, PlanId, Site, SiteId
from monitor.clock import SystemClock, boot_id
from monitor.daemon.holding import Holding
from monitor.daemon.tenure import tenure_of

CLOCK, CRM = SystemClock(), PlanId("crm")
CENTRE, SECOURS = SiteId("centre"), SiteId("secours")
PLAN = Plan(
    CRM, "le CRM", CENTRE, SECOURS, {CENTRE: Part(), SECOURS: Part()},
    (Guarded(CENTRE, timedelta(seconds=10)),), rto=timedelta(minutes=30),
)  # fmt: skip
SITES = Continuity(sites={name: Site(name, name, here=name == CENTRE) for name in (CENTRE, SECOURS)}, plans={CRM: PLAN})


@pytest.mark.parametrize(
    ("told", "standing"),
    [
        pytest.param(True, Standing.FREE, id="told, and given back"),
        pytest.param(False, Standing.HELD, id="not told, so that whoever takes it waits for its end"),
    ],
)
async def test_a_lease_is_given_back_only_when_the_guard_was_told(tmp_path, told, standing):
    beliefs = tmp_path / "run"
    if told:
        beliefs.mkdir()
    tenure = tenure_of(SITES, CRM, tmp_path, CLOCK, Watching())
    holding = Holding(lambda: SITES, lambda plan: False, lambda name: tenure, lambda name: 0, Places(beliefs))
    assert await tenure.take(0, knows_the_other=True) is None
    assert tenure.belief is not None
    token = tenure.belief.token
    await holding.let_go(CRM, tenure)
    handed = handed_over(beliefs / "crm.lease", boot_id())
    assert (handed is not None and (handed.token, handed.until) == (token, 0.0)) is told
    other = LocalLease(tmp_path, "lease-crm", "secours", "f" * 32, 15.0, CLOCK)
    seen = await other.look()
    assert isinstance(seen, Seen)
    assert seen.record is not None
    assert seen.record.held is (standing is Standing.HELD)
    await other.close()


@pytest.mark.parametrize(("told", "standing"), [(True, Standing.FREE), (False, Standing.HELD)])
async def test_a_lease_is_given_back_only_when_the_guard_of_the_other_site_was_told_as_well(tmp_path, told, standing):
    ended = list[int]()

    async def end_there(name: PlanId, token: int) -> bool:
        assert name == CRM
        ended.append(token)
        return told

    tenure = tenure_of(SITES, CRM, tmp_path, CLOCK, Watching())
    places = Places(tmp_path)
    holding = Holding(lambda: SITES, lambda plan: False, lambda name: tenure, lambda name: 0, places)
    holding.end_there = end_there
    assert await tenure.take(0, knows_the_other=True) is None
    assert tenure.belief is not None
    token = tenure.belief.token
    await holding.let_go(CRM, tenure)
    other = LocalLease(tmp_path, "lease-crm", "secours", "f" * 32, 15.0, CLOCK)
    seen = await other.look()
    assert isinstance(seen, Seen)
    assert seen.record is not None
    assert (ended, seen.record.held) == ([token], standing is Standing.HELD)
    await other.close()


async def test_a_lease_is_renewed_no_more_when_letting_it_go_is_cut_off(tmp_path):
    asked = asyncio.Event()

    async def never(_name: PlanId, _token: int) -> bool:
        asked.set()
        await asyncio.Event().wait()
        return True

    tenure = tenure_of(SITES, CRM, tmp_path, CLOCK, Watching())
    holding = Holding(lambda: SITES, lambda plan: False, lambda name: tenure, lambda name: 0, Places(tmp_path))
    holding.end_there = never
    assert await tenure.take(0, knows_the_other=True) is None
    going = asyncio.create_task(holding.let_go(CRM, tenure))
    await asked.wait()
    going.cancel()
    await asyncio.wait([going])
    assert tenure.belief is None
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("lease of")] == []
