"""How a site is seen from everywhere: its gates, the client's side, the voters, and the Relève that stands there."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import trustme

from failover.ground import Seen, Why
from failover.model import PlanId, SiteId
from failover.phases import Direction
from failover.vantage import Lapsed, Sight, Sighted
from monitor.clock import SystemClock
from monitor.core.ids import CheckId, NodeId
from monitor.core.maintenance import Span, Window
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity
from monitor.daemon.daemon import Daemon
from monitor.daemon.moving import Wanted
from monitor.daemon.peer_door import Listening, holding
from monitor.daemon.peer_tls import Identity
from monitor.secret import Secret
from monitor.store import Sample
from tests.daemon.secours import at_secours, recorded
from tests.two_sites import TwoSites, free_port

CRM, CENTRE, SECOURS = PlanId("crm"), SiteId("centre"), SiteId("secours")
HOST, CLOCK = "127.0.0.1", SystemClock()


async def seen(daemon: Daemon, *, strict: bool = False) -> Seen:
    plan = daemon.desk.inventory.continuity.plans[CRM]
    return await daemon.moves.sighting.seen(plan, (), moving=None, halted=False, strict=strict)


async def lost(sites: TwoSites) -> None:
    """Let the centre be lost, until nothing of it answers."""
    await sites.centre.fail()
    await gone(sites)


async def gone(sites: TwoSites) -> None:
    async with asyncio.timeout(30):
        while sites.centre.runs():
            await asyncio.sleep(0.02)


async def test_without_an_answer_of_the_voters_one_view_of_a_lost_site_is_not_enough(sites):
    async with at_secours(sites) as daemon:
        assert (await seen(daemon)).site(CENTRE) == Sighted(Sight.UP, ("secours",), (), ("voters",))
        await lost(sites)
        assert (await seen(daemon)).site(CENTRE) == Sighted(Sight.LONE, (), ("secours",), ("voters",))
        assert (await seen(daemon)).site(SECOURS) == Sighted(Sight.UP, ("secours",))


async def test_the_voters_and_the_places_that_the_inventory_names_count(sites):
    async with at_secours(sites, seen_by={"ocm": "web-1", "phone": ["door-2"]}) as daemon:
        recorded(daemon, 3)
        assert (await seen(daemon)).site(CENTRE) == Sighted(Sight.UP, ("ocm", "phone", "secours", "voters"))
        sites.centre.kill()
        await gone(sites)
        assert (await seen(daemon)).site(CENTRE) == Sighted(Sight.SPLIT, ("phone", "secours", "voters"), ("ocm",))
    async with at_secours(sites, seen_by={"ocm": "web-1"}) as daemon:
        await lost(sites)
        recorded(daemon, 3)
        assert (await seen(daemon)).site(CENTRE) == Sighted(Sight.SPLIT, ("voters",), ("ocm", "secours"))
        recorded(daemon, 16)
        assert (await seen(daemon)).site(CENTRE) == Sighted(Sight.LOST, (), ("ocm", "secours", "voters"))
        recorded(daemon, 1, holder="secours", token=2)
        watching = daemon.moves.watching(CRM)
        watching.kept = replace(watching.kept, lapsed=Lapsed("centre", CLOCK.boot() - 20, CLOCK.boot()))
        assert (await seen(daemon)).site(CENTRE).sight is Sight.LOST


async def test_what_the_voters_say_is_asked_again_without_a_look_at_what_does_not_answer(sites):
    async with at_secours(sites, seen_by={"ocm": "web-1"}) as daemon:
        await lost(sites)
        recorded(daemon, 3)
        before, plan = await seen(daemon), daemon.desk.inventory.continuity.plans[CRM]
        assert before.site(CENTRE) == Sighted(Sight.SPLIT, ("voters",), ("ocm", "secours"))
        recorded(daemon, 16)
        after = daemon.moves.sighting.voted_again(plan, CENTRE, before)
        assert after.site(CENTRE) == Sighted(Sight.LOST, (), ("ocm", "secours", "voters"))
        assert (after.site(SECOURS), after.groups) == (before.site(SECOURS), before.groups)


async def test_a_site_whose_releve_speaks_is_not_lost(sites, tmp_path):
    port = free_port()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert(HOST)
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    files = {name: f"file:{tmp_path / name}.pem" for name in ("ca", "cert", "key")}
    identity = Identity(*(Secret(files[name]) for name in ("ca", "cert", "key")))

    async def own() -> None:
        return None

    async with at_secours(sites, {"peer": files}, releve=f"https://{HOST}:{port}") as daemon:
        await lost(sites)
        recorded(daemon, 16)
        async with holding(Listening(HOST, port, identity, HOST), own):
            assert (await seen(daemon)).site(CENTRE) == Sighted(Sight.SPLIT, ("peer",), ("secours", "voters"))
        assert (await seen(daemon)).site(CENTRE) == Sighted(Sight.LOST, (), ("secours", "voters"))


async def test_a_planned_move_needs_somebody_who_sees_the_site_up_and_says_who_does_not(sites):
    async with at_secours(sites, seen_by={"ocm": "web-1"}) as daemon:
        await daemon.jobs.hear(CheckId("crm-copy"), ok=True)
        recorded(daemon, 16)
        prepared = await daemon.moves.planned(Wanted(CRM, Direction.SWITCHOVER))
        assert prepared.answer.why is Why.LEASE
        await lost(sites)
        prepared = await daemon.moves.planned(Wanted(CRM, Direction.SWITCHOVER))
        assert prepared.answer.why is Why.SOURCE


@pytest.mark.parametrize(("device", "check", "name"), [("secours-host", "web-2", "patch"), ("desk", "desk-ping", None)])
async def test_work_counts_where_the_group_stands_and_not_at_the_desks(sites, device, check, name):
    async with at_secours(sites) as daemon:
        now = daemon.clock.now()
        span = Span(now, now + timedelta(hours=1))
        await daemon.desk.announce(Window("patch", frozenset({CheckId(check)}), span, nodes=(NodeId(device),)), "uid:0")
        group = (await seen(daemon)).group(CRM)
        assert (group.work, group.work_until) == (name, None if name is None else span.end)


async def test_of_a_lost_site_the_last_figures_count_that_were_taken_while_it_stood(sites):
    async with at_secours(sites) as daemon:
        await lost(sites)
        recorded(daemon, 300)
        lost_at = daemon.clock.now() - timedelta(seconds=295)  # the next renewal was due five seconds later
        samples = [Sample(CheckId("crm-copy"), "age", "s", lost_at - timedelta(seconds=ago), 7.0) for ago in (50, 20)]
        daemon.journal.keep_samples(samples)
        await daemon.journal.flush_samples()
        loss = (await seen(daemon)).group(CRM).loss
        assert (loss.known, loss.of, loss.titles) == (True, ("crm-db",), ("la base",))
        assert loss.at_most is not None
        assert timedelta(seconds=26) < loss.at_most < timedelta(seconds=28)


async def test_of_a_lost_site_a_figure_that_only_the_copy_gave_afterwards_counts_as_well(sites):
    """It stands in the place of the one before: a copy says by itself up to when it has everything."""
    async with at_secours(sites) as daemon:
        await lost(sites)
        recorded(daemon, 300)
        now = daemon.clock.now()
        daemon.desk.figures[CheckId("crm-copy")] = (now, 303.0)  # renewals ended 295 s ago
        loss = (await seen(daemon)).group(CRM).loss
        assert loss.known
        assert loss.at_most is not None
        assert timedelta(seconds=7) < loss.at_most < timedelta(seconds=9)


async def test_a_fence_that_cannot_be_used_now_counts_as_none_for_what_begins_by_itself(sites):
    async with at_secours(sites) as daemon:
        assert (await seen(daemon, strict=True)).group(CRM).unfenced is None
        await sites.secours.sshd.refuse()
        unfenced = (await seen(daemon, strict=True)).group(CRM).unfenced
        assert unfenced is not None
        assert "door-2 fails" in ENGLISH.render(unfenced)
        assert (await seen(daemon)).group(CRM).unfenced is None, "a person may have it tried"


async def test_a_site_counts_as_gone_from_when_its_renewal_failed_to_come(sites):
    async with at_secours(sites) as daemon:
        await lost(sites)
        recorded(daemon, 300)
        found, sighting = (await seen(daemon)).site(CENTRE), daemon.moves.sighting
        plan, now = daemon.desk.inventory.continuity.plans[CRM], daemon.clock.now()
        assert found.gone
        assert sighting.was_gone(plan, CENTRE, now - timedelta(seconds=290))
        assert not sighting.was_gone(plan, CENTRE, now - timedelta(seconds=299))


async def test_without_a_record_of_the_voters_a_site_counts_as_gone_once_all_that_sees_it_fails(sites):
    async with at_secours(sites) as daemon:
        sighting, plan = daemon.moves.sighting, daemon.desk.inventory.continuity.plans[CRM]
        checks = sighting.vantage(plan, CENTRE)
        before = daemon.clock.now()
        assert not (await seen(daemon)).site(CENTRE).gone
        assert checks
        assert not sighting.was_gone(plan, CENTRE, daemon.clock.now())
        await lost(sites)
        async with asyncio.timeout(30):
            while any(daemon.desk.state.healths[one].latest is not Severity.CRITICAL for one in checks):
                await seen(daemon)
        assert sighting.was_gone(plan, CENTRE, daemon.clock.now())
        assert not sighting.was_gone(plan, CENTRE, before)
