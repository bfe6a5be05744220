"""What begins by itself, and what does not although it was about to: the last look counts, and so does its age."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event

from failover.ground import Why
from failover.lease_etcd import Watching
from failover.model import PlanId, SiteId
from failover.phases import Direction
from failover.vantage import LAPSE_LASTS, Lapsed, Sight, Sighted
from monitor.core.events import RELEVE, EventKind
from monitor.core.ids import CheckId, NodeId
from monitor.core.incident import Refused
from monitor.core.maintenance import Span, Window
from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.beginning import SEEN_FOR, Alone
from monitor.daemon.daemon import Daemon
from monitor.daemon.deciding import Deciding, Held
from monitor.daemon.move_orders import Said
from monitor.daemon.moving import Wanted
from monitor.store import AuditEntry, Sample
from tests.daemon.secours import CLOCK, CRM, at_secours, recorded
from tests.two_sites import RUNS, STOPPED, TwoSites

CENTRE, SECOURS = SiteId("centre"), SiteId("secours")
WANTED = Wanted(CRM, Direction.FAILOVER, SECOURS)
ALONE = {"start": "on_loss", "lag_ceiling": "1 h", "incident": "site-lost"}
LOST = {CENTRE: Sighted(Sight.LOST, (), ("secours", "voters")), SECOURS: Sighted(Sight.UP, ("secours",))}


async def lose_the_centre(sites: TwoSites, daemon: Daemon) -> None:
    """All that speaks for a move: nothing answers there, its lease stands still, an incident says so."""
    before = daemon.clock.now() - timedelta(seconds=20)
    daemon.journal.keep_samples([Sample(CheckId("crm-copy"), "age", "s", before, 1.0)])
    await daemon.journal.flush_samples()
    await sites.centre.fail()
    recorded(daemon, 16)
    await daemon.scheduler.look(CheckId("door-1"))
    assert daemon.moves.sighting.incident(daemon.desk.inventory.continuity.plans[CRM], CENTRE) is not None


async def looked(daemon: Daemon) -> Alone:
    """What the decision stands on."""
    plan = daemon.desk.inventory.continuity.plans[CRM]
    found = await daemon.moves.sighting.seen(plan, (), moving=None, halted=False, strict=True)
    assert found.site(CENTRE) == LOST[CENTRE]
    return Alone(found, CLOCK.boot())


@contextmanager
def full_disk(daemon: Daemon) -> Iterator[None]:
    def no_room(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

    engine = daemon.journal.store.engine
    event.listen(engine, "before_cursor_execute", no_room)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", no_room)


async def refused(daemon: Daemon, alone: Alone) -> str:
    with pytest.raises(Refused) as caught:
        await daemon.moves.start_alone(WANTED, Said(RELEVE), alone)
    assert daemon.moves.moves == {}
    return ENGLISH.render(caught.value.text)


async def test_who_stops_the_automation_while_the_sites_are_looked_at_stops_what_was_about_to_begin(sites):
    async with at_secours(sites, plan=ALONE) as daemon:
        await lose_the_centre(sites, daemon)
        seen = await looked(daemon)
        assert "no voter answers" in await refused(daemon, seen), "nothing but the lease is missing"
        await daemon.automation.stop("uid:0")
        assert "a person has stopped the automation" in await refused(daemon, seen)


async def test_work_that_is_announced_while_the_sites_are_looked_at_counts(sites):
    async with at_secours(sites, plan=ALONE) as daemon:
        await lose_the_centre(sites, daemon)
        seen, now = await looked(daemon), daemon.clock.now()
        span = Span(now, now + timedelta(hours=1))
        await daemon.desk.announce(Window("patch", frozenset({CheckId("web-1")}), span, nodes=(NodeId("h"),)), "uid:0")
        assert "work is announced: patch" in await refused(daemon, seen)


async def test_what_was_seen_before_releve_was_stopped_for_a_while_begins_nothing(sites):
    async with at_secours(sites, plan=ALONE) as daemon:
        await lose_the_centre(sites, daemon)
        alone = await looked(daemon)
        assert "too long ago" in await refused(daemon, replace(alone, at=alone.at - SEEN_FOR))


async def test_nothing_is_taken_for_what_could_not_be_written_down(sites):
    async with at_secours(sites, plan=ALONE) as daemon:
        await lose_the_centre(sites, daemon)
        seen = await looked(daemon)
        with full_disk(daemon):
            await daemon.desk.note_run(None, (), (AuditEntry("uid:0", "test", {}),))
            assert "cannot be written down" in await refused(daemon, seen)
        assert "no voter answers" in await refused(daemon, seen), "once there is room again"


async def test_a_lapse_of_long_ago_says_nothing_of_a_group_that_has_gone_back_since(sites):
    async with at_secours(sites, plan=ALONE) as daemon:
        recorded(daemon, 1, holder="secours", token=9)
        watching, now = daemon.moves.watching(CRM), CLOCK.boot()
        long_ago = Lapsed("centre", now - LAPSE_LASTS - 40, now - LAPSE_LASTS - 1)
        watching.kept = replace(watching.kept, lapsed=long_ago)
        for check in ("door-1", "door-2"):
            await daemon.scheduler.look(CheckId(check))
        await daemon.deciding.turn()
        assert daemon.deciding.held == {}, "nothing speaks for a move"
        await lose_the_centre(sites, daemon)
        recorded(daemon, 1, holder="secours", token=9)
        loss = (await daemon.moves.sighting.seen(
            daemon.desk.inventory.continuity.plans[CRM], (), moving=None, halted=False
        )).group(CRM).loss  # fmt: skip
        assert loss.measured_at is None or loss.measured_at > daemon.clock.now() - timedelta(seconds=LAPSE_LASTS)


async def test_voters_who_do_not_answer_let_no_lease_stand_still(sites):
    async with at_secours(sites, plan=ALONE) as daemon:
        for check in ("door-1", "door-2"):
            await daemon.scheduler.look(CheckId(check))
        recorded(daemon, 300)
        kept = daemon.moves.watching(CRM).kept
        daemon.moves.watching(CRM).kept = replace(kept, heard=CLOCK.boot() - 299)
        await daemon.deciding.turn()
        assert daemon.deciding.held == {}
        recorded(daemon, 300)
        await daemon.deciding.turn()
        assert daemon.deciding.held[CRM].hold.why in (Why.SPLIT, Why.RUNS)


async def test_a_plan_that_waits_for_a_person_by_now_is_held_by_nothing(sites):
    async with at_secours(sites, plan=ALONE | {"lag_ceiling": "0s"}) as daemon:
        await lose_the_centre(sites, daemon)
        await daemon.deciding.turn()
        assert CRM in daemon.deciding.held
        inventory = daemon.desk.inventory
        path = inventory.path
        path.write_text(path.read_text("utf-8").replace("start: on_loss", "start: person"), "utf-8")
        assert (await daemon.reload("uid:0")).inventory is not None
        await daemon.deciding.turn()
        assert daemon.deciding.held == {}


async def test_a_drill_that_goes_on_and_on_is_told_when_the_site_is_lost_meanwhile(sites):
    never = sites.work("web-2", sites.secours, "isolate", "[ -e cut ]")
    stop = sites.work("web-2", sites.secours, "stop", STOPPED)
    start = sites.work("web-2", sites.secours, "start", RUNS)
    drill = {"up": [never], "verify": ["web-2"], "down": [stop]}
    there = {"stop": [stop], "start": [[start]], "verify": ["web-2"], "drill": drill}
    parts = {"centre": {"verify": ["web-1"]}, "secours": there}
    async with at_secours(sites, plan=ALONE | {"sites": parts}) as daemon:
        recorded(daemon, 1)
        move = await daemon.moves.start(Wanted(CRM, Direction.DRILL), "uid:0", loss=None)
        await lose_the_centre(sites, daemon)
        await daemon.deciding.turn()
        assert not daemon.moves.moves[move.id].state.over
        held = daemon.deciding.held[CRM]
        assert held.hold.why is Why.MOVING
        assert await calls(daemon) == [], "it may be about to end"
        recorded(daemon, 16)
        moves = daemon.moves
        later = Deciding(daemon.desk, daemon.clock, moves, daemon.glance, moves.speaks, lambda: True)
        later.held[CRM] = replace(held, since=held.since - timedelta(seconds=15))
        await later.turn()
        (called,) = await calls(daemon)
        assert f"`releve failover stop {move.id}`" in called


async def calls(daemon: Daemon) -> list[str]:
    """What a person was called for in the incident of the plan."""
    incident = daemon.moves.sighting.incident(daemon.desk.inventory.continuity.plans[CRM], CENTRE)
    assert incident is not None
    found = await daemon.journal.ask(daemon.journal.store.events, incident.id)
    return [ENGLISH.render(one.text) for one in found if one.kind is EventKind.CALLED]


async def test_a_person_is_called_at_once_where_a_drill_that_asks_is_all_that_stands_against_a_move(sites):
    start, broken = (sites.work("web-2", sites.secours, script, RUNS) for script in ("start", "not-there"))
    drill = {"up": [start], "verify": ["web-2"], "down": [broken | {"done": ["false"]}]}
    parts = {
        "centre": {"verify": ["web-1"]},
        "secours": {"start": [[start]], "verify": ["web-2"], "drill": drill},
    }
    async with at_secours(sites, plan=ALONE | {"sites": parts}) as daemon:
        recorded(daemon, 1)
        begun = await daemon.moves.start(Wanted(CRM, Direction.DRILL), "uid:0", loss=None)
        async with asyncio.timeout(30):
            move = await daemon.moves.finished_or_waiting(begun.id)
        assert move.question is not None
        await lose_the_centre(sites, daemon)
        moves = daemon.moves
        not_ours = Deciding(daemon.desk, daemon.clock, moves, daemon.glance, moves.speaks, lambda: False)
        await not_ours.turn()
        assert not_ours.held[CRM].hold.why is Why.MOVING
        assert await calls(daemon) == [], "more than the drill stands against it"
        after_a_start = Deciding(daemon.desk, daemon.clock, moves, daemon.glance, moves.speaks, lambda: True)
        for deciding in (daemon.deciding, daemon.deciding, after_a_start):
            await deciding.turn()
        assert daemon.deciding.held[CRM].hold.why is Why.MOVING
        (called,) = await calls(daemon)
        assert f"`releve failover answer yes {move.id}`" in called
        assert f"`releve failover stop {move.id}`" in called
        assert "what the drill brought up at Yaoundé is still there" in called
        assert "tear down what it brought up and then end it" in called, "the move would begin beside it"
        assert (list(moves.moves), moves.moves[move.id].state.over) == ([move.id], False), "nothing begins beside it"


async def test_only_the_active_one_of_two_begins_a_move_and_says_so(sites):
    async with at_secours(sites, plan=ALONE) as daemon:
        await lose_the_centre(sites, daemon)
        moves, leads = daemon.moves, [False]
        deciding = Deciding(daemon.desk, daemon.clock, moves, daemon.glance, moves.speaks, lambda: leads[0])
        await deciding.turn()
        assert "does not hold the lease that makes it the active one" in ENGLISH.render(deciding.held[CRM].hold.text)
        leads[0] = True
        await deciding.turn()
        assert "no voter answers" in ENGLISH.render(deciding.held[CRM].hold.text), "that is all that is missing now"


async def test_a_try_that_fails_for_the_same_reason_again_is_logged_once(sites, caplog):
    async with at_secours(sites, plan=ALONE) as daemon:
        await lose_the_centre(sites, daemon)
        moves, held = daemon.moves, dict[PlanId, Held]()
        for _ in range(2):
            deciding = Deciding(daemon.desk, daemon.clock, moves, daemon.glance, moves.speaks, lambda: True)
            deciding.held = held  # each tries at once
            await deciding.turn()
            held = deciding.held
        assert "then was not: no voter answers" in ENGLISH.render(held[CRM].hold.text)
    assert [one.event for one in caplog.records if getattr(one, "event", "") == "move_not_begun"] == ["move_not_begun"]


async def taken_in_vain(sites: TwoSites, daemon: Daemon) -> Watching:
    """The lease of the lost centre was taken long ago for a move that never began, and was given back."""
    before = daemon.clock.now() - timedelta(seconds=LAPSE_LASTS + 50)
    daemon.journal.keep_samples([Sample(CheckId("crm-copy"), "age", "s", before, 1.0)])
    await lose_the_centre(sites, daemon)
    recorded(daemon, 1, holder="secours", token=9, held=False)
    watching, now = daemon.moves.watching(CRM), CLOCK.boot()
    long_ago = Lapsed("centre", now - LAPSE_LASTS - 40, now - LAPSE_LASTS - 1, left=9)
    watching.kept = replace(watching.kept, lapsed=long_ago)
    return watching


async def test_a_lease_that_was_taken_in_vain_says_for_as_long_as_it_stands_that_the_site_is_lost(sites):
    async with at_secours(sites, plan=ALONE) as daemon:
        watching = await taken_in_vain(sites, daemon)
        await looked(daemon)
        await daemon.deciding.turn()
        assert "no voter answers" in ENGLISH.render(daemon.deciding.held[CRM].hold.text), "nothing else is missing"
        assert watching.kept.lapsed is not None
        await daemon.automation.stop("uid:0")
        await daemon.deciding.turn()
        assert daemon.deciding.held[CRM].hold.why is Why.HALTED
        assert watching.kept.lapsed is not None, "whatever stands in the way meanwhile"


@pytest.mark.parametrize(("works", "ends"), [(True, True), (False, False)])
async def test_the_lapse_ends_once_the_releve_there_speaks_unless_the_group_is_known_not_to_work(sites, works, ends):
    async with at_secours(sites, plan=ALONE, releve="https://127.0.0.1:2") as daemon:
        watching = await taken_in_vain(sites, daemon)
        spoke = [False]

        async def speaks(_site: SiteId) -> bool:
            return spoke[0]

        async def look(check: CheckId) -> Verdict:
            fails = (not spoke[0] and check == "door-1") or (not works and check == "web-1")
            return Verdict(Severity.CRITICAL if fails else Severity.OK, say("seen"))

        deciding = Deciding(daemon.desk, daemon.clock, daemon.moves, look, speaks, lambda: False)
        await deciding.turn()
        assert watching.kept.lapsed is not None, "nobody there could be told anything"
        spoke[0] = True
        await deciding.turn()
        assert (watching.kept.lapsed is None) is ends
