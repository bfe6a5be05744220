"""Moves as the daemon begins them and takes them up, between two hosts with real services."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from failover.ground import Act, Hold
from failover.model import PlanId, SiteId
from failover.phases import Direction
from failover.run import Move, MoveState
from monitor.core.ids import CheckId
from monitor.core.incident import Refused
from monitor.core.text import ENGLISH, say
from monitor.core.timekeeping import Guard
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.clock import GuardedClock
from monitor.daemon.daemon import Daemon
from monitor.daemon.moving import Wanted
from monitor.inventory.load import load
from monitor.store import open_store
from tests.two_sites import TwoSites

CRM, WHO = PlanId("crm"), "uid:1000"
CENTRE, SECOURS = SiteId("centre"), SiteId("secours")
SWITCHOVER, FORCED, BACK, DRILL = (
    Wanted(CRM, Direction.SWITCHOVER),
    Wanted(CRM, Direction.FAILOVER),
    Wanted(CRM, Direction.FAILBACK),
    Wanted(CRM, Direction.DRILL),
)


@asynccontextmanager
async def running(
    sites: TwoSites, path: Path | None = None, clock_from: Callable[[Guard | None], GuardedClock] = GuardedClock
) -> AsyncIterator[Daemon]:
    """The daemon, the job that copies the data reporting once a moment."""
    reading = load(path or sites.inventory())
    assert reading.inventory is not None, [ENGLISH.render(problem.message) for problem in reading.problems]
    store = open_store(sites.folder / "data", write=True, ballast=0)
    daemon = await Daemon.start(reading.inventory, store, clock_from)
    await daemon.jobs.hear(CheckId("crm-copy"), ok=True)
    copying = asyncio.create_task(_copying(daemon))
    try:
        yield daemon
    finally:
        copying.cancel()
        await asyncio.gather(copying, return_exceptions=True)
        await daemon.close()


async def _copying(daemon: Daemon) -> None:
    while True:
        await daemon.jobs.hear(CheckId("crm-copy"), ok=True)
        await asyncio.sleep(0.1)


async def moved(daemon: Daemon, wanted: Wanted, loss: timedelta | None = None) -> Move:
    begun = await daemon.moves.start(wanted, WHO, loss=loss, words="works on the mains")
    async with asyncio.timeout(60):
        return await daemon.moves.finished_or_waiting(begun.id)


@contextmanager
def refused(words: str) -> Iterator[None]:
    with pytest.raises(Refused) as caught:
        yield
    assert words in ENGLISH.render(caught.value.text)


def whats(sites: TwoSites) -> list[str]:
    return [line.partition(" ")[2] for line in sites.effects()]


async def test_a_group_moves_to_the_other_site_and_back_with_a_higher_token_each_time(sites):
    async with running(sites) as daemon:
        move = await moved(daemon, SWITCHOVER)
        assert move.state is MoveState.SUCCEEDED, ENGLISH.render(move.text)
        assert (sites.centre.runs(), sites.secours.runs()) == (False, True)
        assert whats(sites) == ["stop web-1", "isolate centre", "start web-2"]
        assert (move.rpo, move.runs_at) == (timedelta(0), SECOURS)
        (sites.secours.folder / "cut").unlink()
        back = await moved(daemon, BACK)
        assert back.state is MoveState.SUCCEEDED, ENGLISH.render(back.text)
        assert (sites.centre.runs(), sites.secours.runs()) == (True, False)
        first, second = ({line.split()[0] for line in part} for part in (sites.effects()[:3], sites.effects()[3:]))
        assert len(first) == len(second) == 1
        assert int(first.pop()) < int(second.pop())


async def test_the_other_releve_knows_of_each_action_before_it_is_begun(sites):
    seen: list[int] = []

    async def copied(_within: float) -> bool:
        seen.append(len(sites.effects()))
        return True

    async with running(sites) as daemon:
        daemon.moves.book.copied = copied
        await moved(daemon, DRILL)
    assert seen == [0, 1], "before the start, and before the stop"


async def test_what_was_done_and_who_wanted_it_stand_in_the_store_and_in_the_audit(sites):
    async with running(sites) as daemon:
        move = await moved(daemon, DRILL)
    with open_store(sites.folder / "data", write=False) as store:
        (kept,) = store.moves()
        assert (kept.log, kept.state, kept.started_by) == (move.log, MoveState.SUCCEEDED, WHO)
        assert store.verify_audit().whole
    assert whats(sites) == ["start web-2", "stop web-2"]
    assert sites.centre.runs()


async def test_the_dry_run_says_what_would_be_done_and_touches_nothing(sites):
    async with running(sites) as daemon:
        prepared = await daemon.moves.planned(SWITCHOVER)
        assert isinstance(prepared.answer, Act)
        assert [task.phase.value for task in prepared.tasks] == ["stop", "fence", "start", "back"]
        assert (daemon.moves.moves, sites.effects()) == ({}, [])


async def test_a_planned_move_is_refused_while_the_site_that_runs_does_not_answer(sites):
    async with running(sites) as daemon:
        await sites.centre.fail()
        with refused("not seen up"):
            await daemon.moves.start(SWITCHOVER, WHO, loss=None)
        assert isinstance((await daemon.moves.planned(SWITCHOVER)).answer, Hold)
        assert daemon.moves.moves == {}
        move = await moved(daemon, FORCED)
        assert move.state is MoveState.SUCCEEDED, ENGLISH.render(move.text)
        assert (whats(sites), sites.secours.runs()) == (["isolate centre", "start web-2"], True)


async def test_a_forced_move_is_refused_when_more_would_be_lost_than_was_stated(sites):
    async with running(sites) as daemon:
        await sites.centre.fail()
        with refused("more would be lost"):
            await daemon.moves.start(FORCED, WHO, loss=timedelta(0))
        assert daemon.moves.moves == {}


async def test_one_move_at_a_time(sites):
    (sites.secours.folder / "broken").touch()
    async with running(sites) as daemon:
        move = await moved(daemon, SWITCHOVER)
        assert move.state is MoveState.WAITING
        with refused("is under way"):
            await daemon.moves.start(SWITCHOVER, WHO, loss=None)
        (sites.secours.folder / "broken").unlink()
        await daemon.moves.answer(WHO, "the disk is back", yes=True)
        async with asyncio.timeout(60):
            ended = await daemon.moves.finished_or_waiting(move.id)
        assert ended.state is MoveState.SUCCEEDED
        with refused("no move waits"):
            await daemon.moves.answer(WHO, "", yes=True)


async def test_a_move_that_waits_is_taken_up_after_a_restart_and_can_be_stopped(sites):
    (sites.secours.folder / "broken").touch()
    async with running(sites) as daemon:
        move = await moved(daemon, SWITCHOVER)
        assert move.state is MoveState.WAITING
    async with running(sites) as daemon:
        daemon.moves.resume()
        assert daemon.moves.moves[move.id].state is MoveState.WAITING
        await daemon.moves.stop(WHO)
        async with asyncio.timeout(60):
            while not daemon.moves.moves[move.id].state.over:
                await asyncio.sleep(0.02)
        ended = daemon.moves.moves[move.id]
    assert ended.state is MoveState.STOPPED
    assert "runs nowhere" in ENGLISH.render(ended.text)


async def test_an_old_site_that_comes_back_with_a_move_of_its_own_stays_passive(sites):
    """Its Relève died in the middle; meanwhile another one has taken the lease: it begins nothing any more."""
    (sites.secours.folder / "broken").touch()
    async with running(sites) as daemon:
        move = await moved(daemon, SWITCHOVER)
        assert move.state is MoveState.WAITING
    (sites.secours.folder / "broken").unlink()
    before = sites.effects()
    (record,) = (sites.folder / "data").glob("*.lease")
    token = move.token
    assert token is not None
    raw = record.read_text().replace(f'"token":{token}', f'"token":{token + 10}').replace('"held":true', '"held":false')
    record.write_text(raw.replace('"holder":"centre"', '"holder":"secours"'))
    async with running(sites) as daemon:
        daemon.moves.resume()
        async with asyncio.timeout(30):
            while not daemon.moves.moves[move.id].state.over:
                await asyncio.sleep(0.02)
        assert daemon.moves.moves[move.id].state is MoveState.LEASE_LOST
        assert sites.effects() == before


async def test_nothing_is_begun_for_a_plan_that_is_not_there(sites):
    async with running(sites) as daemon:
        with refused("there is no plan web; there are: crm"):
            await daemon.moves.planned(Wanted(PlanId("web"), Direction.SWITCHOVER))


async def test_a_move_looks_at_the_mirror_of_a_folder_as_at_any_other_copy(sites):
    folder = {"device": "centre-host", "folder": "/calls", "archive": {"device": "secours-host", "folder": "/copy"}}
    more = {
        "recordings": {"calls": folder | {"mirror": True}},
        "datasets": {"crm-db": {"how": "files", "rpo": "5 min", "checks": "releve-archive-calls"}},
    }
    async with running(sites, sites.inventory(more)) as daemon:
        move = await moved(daemon, DRILL)
    (seen,) = [seen for seen in move.seen if seen.check == "releve-archive-calls"]
    assert ENGLISH.render(seen.text) == "nothing was archived since Relève started"


async def test_the_lease_is_not_touched_for_a_move_that_could_not_be_written_down(sites):
    """Taken for nothing, it stops the site that had it."""
    async with running(sites) as daemon:
        await sites.centre.fail()
        with full_disk(daemon):
            now = daemon.clock.now()
            await daemon.desk.take(CheckId("door-1"), Verdict(Severity.CRITICAL, say("refused")), now, 0.0)
            await daemon.desk.flush()
            assert daemon.journal.trouble is not None
            with refused("cannot be written down"):
                await daemon.moves.start(FORCED, WHO, loss=None)
        assert daemon.moves.moves == {}
        assert list((sites.folder / "data").glob("*.lease")) == []
        move = await moved(daemon, FORCED)
        assert move.state is MoveState.SUCCEEDED, ENGLISH.render(move.text)


@contextmanager
def full_disk(daemon: Daemon) -> Iterator[None]:
    """SQLite has no room for another page."""

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


async def test_a_stop_waits_for_the_move_that_is_just_beginning_and_leaves_no_lease_behind(sites):
    async with running(sites) as daemon:
        starting = asyncio.create_task(daemon.moves.start(SWITCHOVER, WHO, loss=None))
        async with asyncio.timeout(30):
            while not daemon.moves.beginning.taking:
                await asyncio.sleep(0)
        closing = asyncio.create_task(daemon.moves.close())
        move = await starting
        await closing
        assert not move.state.over, "it is on disk, and is taken up after the start"
        assert [task for task in asyncio.all_tasks() if task.get_name().startswith("lease of")] == []
        with refused("about to stop"):
            await daemon.moves.start(SWITCHOVER, WHO, loss=None)
    assert sites.effects() == []


async def test_what_still_waits_for_its_turn_when_a_stop_comes_begins_nothing(sites):
    async with running(sites) as daemon:
        async with daemon.moves.beginning.changing:
            starting = asyncio.create_task(daemon.moves.start(DRILL, WHO, loss=None))
            for _ in range(5):
                await asyncio.sleep(0)  # it waits for its turn
            closing = asyncio.create_task(daemon.moves.close())
            for _ in range(5):
                await asyncio.sleep(0)
        with refused("about to stop"):
            await starting
        await closing
        assert daemon.moves.moves == {}
    assert sites.effects() == []


async def test_a_move_that_is_cut_off_by_a_stop_renews_no_lease_any_more(sites):
    (sites.secours.folder / "broken").touch()
    async with running(sites) as daemon:
        move = await moved(daemon, SWITCHOVER)
        assert move.state is MoveState.WAITING
        (task,) = [task for task in asyncio.all_tasks() if task.get_name() == f"move {move.id}"]
        task.cancel()  # as a stop does whose patience is at its end
        await asyncio.wait([task])
        assert [task for task in asyncio.all_tasks() if task.get_name().startswith("lease of")] == []
