"""What is known of a move while other things happen beside it: an action that ends, a clock that is set."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from failover.ground import Act
from failover.model import PlanId
from failover.phases import Direction
from failover.run import MoveEvent, MoveEventKind, MoveState
from monitor.clock import SystemClock
from monitor.core.ids import CheckId
from monitor.core.text import ENGLISH, say
from monitor.daemon.clock import GuardedClock
from monitor.daemon.daemon import Daemon
from monitor.daemon.moving import Wanted
from tests.daemon.test_moves import SWITCHOVER, WHO, moved, running


async def test_what_waits_for_the_other_releve_goes_on_with_what_was_written_meanwhile(sites):
    """Else an action that ended meanwhile beside it counts as one of which nobody knows the end, and is asked about."""
    waits, goes_on = asyncio.Event(), asyncio.Event()

    async def copied(_within: float) -> bool:
        waits.set()
        return await goes_on.wait()

    (sites.secours.folder / "broken").touch()
    async with running(sites) as daemon:
        move = await moved(daemon, SWITCHOVER)
        assert move.state is MoveState.WAITING
        daemon.moves.book.copied = copied
        n, now, text = len(move.tasks) - 1, daemon.clock.now(), say("beside another")
        data = {"before": {}, "token": move.token}
        intent = MoveEvent(move.id, now, MoveEventKind.INTENT, "releve", text, n, data)
        begun = asyncio.create_task(daemon.moves.book.record(intent))
        await waits.wait()
        ended = await daemon.moves.record(MoveEvent(move.id, now, MoveEventKind.VOID, "releve", text, n))
        goes_on.set()
        assert (await begun).log == ended.log


class Stepped(SystemClock):
    """The machine's clock, which somebody has set by `by`."""

    by = ahead = timedelta(0)
    """`ahead`: so much later it is in truth."""

    def now(self) -> datetime:
        return super().now() + self.by + self.ahead

    def boot(self) -> float:
        return super().boot() + self.ahead.total_seconds()


async def allowed_now(daemon: Daemon, wanted: Wanted) -> Act:
    answer = (await daemon.moves.planned(wanted)).answer
    assert isinstance(answer, Act), answer
    return answer


async def test_the_clock_is_not_set_back_while_a_move_goes_on(sites):
    """What it has seen since a phase began would count as seen before, and be looked at for as long again."""
    machine = Stepped()
    (sites.secours.folder / "broken").touch()
    async with running(
        sites, clock_from=lambda kept: GuardedClock(kept, machine, "boot", synchronised=lambda: True)
    ) as daemon:
        move = await moved(daemon, SWITCHOVER)
        assert move.state is MoveState.WAITING
        machine.by = -timedelta(hours=1)
        daemon.clock.now()
        await daemon._housekeeping()
        assert daemon.clock.stepped_by, "it is as it was"
        await daemon.moves.answer(WHO, "", yes=False)
        await daemon._housekeeping()
        assert not daemon.clock.stepped_by


async def test_a_move_whose_lease_got_newer_tokens_is_still_ours_after_a_restart(sites):
    """A guard that was not told in time has that done, also where nothing is begun that would journal the token."""
    (sites.secours.folder / "broken").touch()
    async with running(sites) as daemon:
        move = await moved(daemon, SWITCHOVER)
        ((_, tenure),) = daemon.moves._under_way()
        for _ in range(3):
            assert await tenure.anew() is None
            await daemon.moves.hold()
    async with running(sites) as daemon:
        daemon.moves.resume()
        async with asyncio.timeout(20):
            while not daemon.moves._under_way() or daemon.moves._under_way()[0][1].belief is None:
                assert daemon.moves.moves[move.id].state is MoveState.WAITING
                await asyncio.sleep(0.02)
        (sites.secours.folder / "broken").unlink()
        await daemon.moves.answer(WHO, "", yes=True)
        async with asyncio.timeout(60):
            ended = await daemon.moves.finished_or_waiting(move.id)
        assert ended.state is MoveState.SUCCEEDED


async def test_a_clock_that_is_set_back_makes_no_group_rest_longer_than_its_plan_says(sites):
    machine = Stepped()
    async with running(
        sites, clock_from=lambda kept: GuardedClock(kept, machine, "boot", synchronised=lambda: True)
    ) as daemon:
        move = await moved(daemon, SWITCHOVER)
        book = daemon.moves.book
        (ended,) = book.history(move.plan)
        machine.by = -timedelta(hours=1)
        daemon.clock.now()
        await daemon._housekeeping()
        assert not daemon.clock.stepped_by
        (known,) = book.history(move.plan)
        assert known.ended_at <= daemon.clock.now() < ended.ended_at
        assert known.ended_at - known.began_at == ended.ended_at - ended.began_at
        machine.by = timedelta(0)
        daemon.clock.now()
        await daemon._housekeeping()
        (again,) = book.history(move.plan)
        assert again == ended, "what the clock says holds again"


async def test_the_rest_after_a_move_ends_by_the_clock_that_nobody_sets(sites):
    machine, back = Stepped(), Wanted(PlanId("crm"), Direction.FAILBACK)
    async with running(
        sites, clock_from=lambda kept: GuardedClock(kept, machine, "boot", synchronised=lambda: True)
    ) as daemon:
        await moved(daemon, SWITCHOVER)
        machine.by = -timedelta(hours=1)
        daemon.clock.now()
        await daemon._housekeeping()
        told = [ENGLISH.render(one) for one in (await allowed_now(daemon, back)).remarks]
        assert [one for one in told if "the last move was less than" in one] != []
        machine.ahead = timedelta(minutes=11)
        told = [ENGLISH.render(one) for one in (await allowed_now(daemon, back)).remarks]
        assert [one for one in told if "the last move was less than" in one] == []


async def test_an_inventory_that_is_taken_just_as_a_move_ends_does_not_take_it_for_one_that_goes_on(sites):
    """Else what it stopped alarms nobody for the rest of its time, and where the group runs by now stands by."""
    (sites.secours.folder / "broken").touch()
    async with running(sites) as daemon:
        move, book = await moved(daemon, SWITCHOVER), daemon.moves.book
        assert move.state is MoveState.WAITING
        data = {"state": "succeeded", "rto": None, "rpo": None}
        over = MoveEvent(move.id, daemon.clock.now(), MoveEventKind.ENDED, "releve", say("it runs there"), None, data)
        async with daemon.desk.lock:
            ending = asyncio.create_task(book.record(over))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            taking = asyncio.create_task(book.swap())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await asyncio.gather(ending, taking)
        (work,) = daemon.desk.state.underway
        assert work.over == over.at
        assert CheckId("web-2") not in daemon.desk.state.resting
