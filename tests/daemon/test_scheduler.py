"""Every check on its grid, sooner while it is being confirmed, and never twice at once."""

import asyncio
import contextlib
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from lab.door import Door, Mute
from monitor.clock import SystemClock
from monitor.core.health import ConfirmPolicy
from monitor.core.ids import CheckId, NodeId
from monitor.daemon.scheduler import Scheduler
from monitor.inventory.model import Check
from probes import registry
from probes.beat import Beat, Job
from probes.contract import Target
from probes.sessions import Sessions

PATIENCE = 10


@pytest.fixture
async def listener():
    """A TCP server that counts its guests and how many waited at once, and greets each after a moment."""
    counts = Counter()

    async def receive(reader, writer):
        counts["guests"] += 1
        counts["now"] += 1
        counts["at once"] = max(counts["at once"], counts["now"])
        await asyncio.sleep(0.05)
        counts["now"] -= 1
        writer.write(b"ready")
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        counts["done"] += 1

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], counts
        while counts["done"] < counts["guests"]:
            await asyncio.sleep(0.01)


def check_of(name, port, every=0.1, retry=None, address="127.0.0.1", timeout=2):
    span = timedelta(seconds=every)
    return Check(
        id=CheckId(name),
        probe="tcp",
        node=NodeId("host"),
        target=Target(NodeId("host"), address),
        params=registry.load("tcp").Params(port=port, expect="ready"),
        every=span,
        timeout=timedelta(seconds=timeout),
        retry=span / 4 if retry is None else timedelta(seconds=retry),
        policy=ConfirmPolicy(),
        kind="other",
    )


async def watched(checks, enough, settling=lambda _: False, **limits):
    """Run the scheduler over `checks` until `enough(results)` holds; return the results by check."""
    results, done = [], asyncio.Event()

    async def report(check, result):
        results.append((check.id, result))
        if enough(results):
            done.set()

    async with Sessions(**limits) as sessions:
        scheduler = Scheduler(sessions, SystemClock(), report, settling)
        scheduler.swap({check.id: check for check in checks})
        running = asyncio.create_task(scheduler.run())
        try:
            async with asyncio.timeout(PATIENCE):
                await done.wait()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    return results


async def test_every_check_is_observed_again_and_again(listener):
    port, _ = listener
    results = await watched(
        [check_of("one", port), check_of("two", port)],
        lambda found: min(Counter(name for name, _ in found).get(n, 0) for n in ("one", "two")) >= 3,
    )
    assert {name for name, _ in results} == {"one", "two"}


async def test_a_check_that_is_to_be_confirmed_does_not_wait_for_its_grid():
    closed = check_of("closed", 1, every=3600, retry=0.01)
    results = await watched([closed], lambda found: len(found) >= 3, settling=lambda _: True)
    assert len(results) >= 3


async def test_a_slow_check_is_not_started_twice(listener):
    port, counts = listener
    await watched([check_of("slow", port, every=0.01)], lambda found: len(found) >= 5)
    assert counts["at once"] == 1


async def test_a_check_that_is_asked_for_is_observed_at_once(listener):
    port, _ = listener
    seen = asyncio.Event()

    async def report(check, result):
        seen.set()

    async with Sessions() as sessions:
        scheduler = Scheduler(sessions, SystemClock(), report, lambda _: False)
        scheduler.swap({CheckId("hourly"): check_of("hourly", port, every=3600)})
        running = asyncio.create_task(scheduler.run())
        scheduler.reprobe([CheckId("hourly")])
        async with asyncio.timeout(PATIENCE):
            await seen.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_those_who_wait_for_a_slow_device_leave_the_places_to_others(listener):
    port, _ = listener
    mute = Door(Mute)
    mute.open()
    slow = [check_of(f"slow {n}", mute.port, address="localhost", timeout=60) for n in range(8)]
    try:
        results = await watched(
            [*slow, check_of("quick", port)], lambda found: len(found) >= 3, per_device=2, at_once=4
        )
    finally:
        await mute.remove()
    assert {name for name, _ in results} == {"quick"}


async def test_whether_a_device_is_there_is_seen_while_all_its_other_checks_hang():
    mute = Door(Mute)
    mute.open()
    slow = [check_of(f"slow {n}", mute.port, timeout=60) for n in range(8)]
    gate = replace(check_of("gate", 1), gate=True)
    try:
        results = await watched([*slow, gate], lambda found: len(found) >= 3, per_device=2, at_once=2)
    finally:
        await mute.remove()
    assert {name for name, _ in results} == {"gate"}


@contextlib.asynccontextmanager
async def running(report):
    async with Sessions() as sessions:
        scheduler = Scheduler(sessions, SystemClock(), report, lambda _: False)
        task = asyncio.create_task(scheduler.run())
        try:
            yield scheduler
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_check_that_a_reload_leaves_alone_keeps_the_result_that_is_on_its_way(listener):
    port, counts = listener
    seen = asyncio.Event()

    async def report(check, result):
        seen.set()

    async with running(report) as scheduler:
        scheduler.swap({CheckId("one"): check_of("one", port, every=3600)})
        scheduler.reprobe([CheckId("one")])
        async with asyncio.timeout(PATIENCE):
            while not counts["guests"]:
                await asyncio.sleep(0.005)
            scheduler.swap({CheckId("one"): check_of("one", port, every=3600)})
            await seen.wait()
    assert counts["guests"] == 1


async def test_a_reload_to_a_shorter_interval_does_not_wait_for_the_longer_one_to_end(listener):
    port, _ = listener
    seen, name = asyncio.Event(), CheckId("one")

    async def report(check, result):
        seen.set()

    async with running(report) as scheduler, asyncio.timeout(PATIENCE):
        scheduler.swap({name: check_of("one", port, every=3600)})
        scheduler.reprobe([name])
        await seen.wait()
        seen.clear()
        scheduler.swap({name: check_of("one", port, every=0.2)})
        await seen.wait()


async def test_a_look_that_a_repair_needs_waits_for_the_one_in_flight_and_is_a_new_one(listener):
    port, counts = listener
    reports = []

    async def report(check, result):
        reports.append(check.id)

    name = CheckId("hourly")
    async with Sessions() as sessions:
        scheduler = Scheduler(sessions, SystemClock(), report, lambda _: False)
        scheduler.swap({name: check_of("hourly", port, every=3600)})
        seen = await asyncio.gather(scheduler.look(name), scheduler.look(name))
        with pytest.raises(KeyError):
            await scheduler.look(CheckId("none"))
    assert [verdict.severity.word for verdict in seen] == ["ok", "ok"]
    assert reports == [name, name]
    assert counts["at once"] == 1


@pytest.mark.parametrize("turns", range(6))
async def test_a_look_that_comes_as_another_ends_takes_nothing_from_it(listener, turns):
    port, _ = listener
    name, late = CheckId("hourly"), list[asyncio.Task]()

    async def look_again():
        for _ in range(turns):
            await asyncio.sleep(0)
        return await scheduler.look(name)

    async def report(check, result):
        if not late:
            late.append(asyncio.create_task(look_again()))

    async with Sessions() as sessions:
        scheduler = Scheduler(sessions, SystemClock(), report, lambda _: False)
        scheduler.swap({name: check_of("hourly", port, every=3600)})
        first = await scheduler.look(name)
        second = await late[0]
    assert [verdict.severity.word for verdict in (first, second)] == ["ok", "ok"]


async def test_the_latest_start_since_the_last_look_is_known_and_the_one_before_is_not_forgotten(listener):
    port, _ = listener
    loop, seen = asyncio.get_running_loop(), asyncio.Event()

    async def report(check, result):
        seen.set()

    async with Sessions() as sessions, asyncio.timeout(PATIENCE):
        scheduler = Scheduler(sessions, SystemClock(), report, lambda _: False)
        scheduler.swap({CheckId(f"n{n}"): check_of(f"n{n}", port, every=0.05) for n in range(20)})
        assert scheduler.lag == 0
        due = loop.time() + 0.2  # nothing turns meanwhile: all are late, by less and less than this
        while loop.time() < due:
            await asyncio.sleep(0.01)
        running = asyncio.create_task(scheduler.run())
        await seen.wait()
        late = scheduler.look_back()
        assert late >= 0.15
        assert scheduler.lag >= late
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        scheduler.look_back()
        assert scheduler.look_back() == 0
        assert scheduler.lag == 0


async def test_what_is_asked_for_at_once_is_not_late(listener):
    port, _ = listener
    seen = asyncio.Event()

    async def report(check, result):
        seen.set()

    async with running(report) as scheduler, asyncio.timeout(PATIENCE):
        scheduler.swap({CheckId("hourly"): check_of("hourly", port, every=3600)})
        scheduler.reprobe([CheckId("hourly")])
        await seen.wait()
        assert scheduler.lag == 0


async def test_an_observation_that_goes_on_for_more_than_an_interval_is_counted():
    mute = Door(Mute)
    mute.open()
    name, loop = CheckId("mute"), asyncio.get_running_loop()

    async def report(check, result):
        pass

    try:
        async with running(report) as scheduler, asyncio.timeout(PATIENCE):
            scheduler.swap({name: check_of("mute", mute.port, every=100, timeout=60)})
            scheduler.reprobe([name])
            while not scheduler.in_flight:
                await asyncio.sleep(0.005)
            now = loop.time()
            assert [scheduler.overlong(now + later) for later in (0, 100, 200)] == [0, 0, 1]
            scheduler.swap({})
            assert scheduler.overlong(now + 200) == 0
    finally:
        await mute.remove()


async def test_a_check_is_watched_since_it_is_as_it_is(listener):
    port, _ = listener
    name, loop = CheckId("one"), asyncio.get_running_loop()

    async def report(check, result):
        pass

    async with running(report) as scheduler:
        scheduler.swap({name: check_of("one", port, every=3600)})
        first = loop.time()
        while loop.time() - first < 0.05:
            await asyncio.sleep(0.01)
        scheduler.swap({name: check_of("one", port, every=3600)})
        assert scheduler.watched_for(name, first + 10) >= 10
        scheduler.swap({name: check_of("one", port, every=60)})
        assert scheduler.watched_for(name, first + 10) < 10
        assert scheduler.watched_for(CheckId("none"), first + 10) == 0


async def test_a_check_sees_the_job_of_its_own_name():
    results, done = [], asyncio.Event()
    heartbeat = registry.load("heartbeat")

    async def report(check, result):
        results.append(result.verdict.severity.word)
        done.set()

    now = SystemClock().now()
    jobs = {CheckId("backup"): Job(now, Beat(now, False))}
    check = replace(check_of("backup", 1), probe="heartbeat", params=heartbeat.Params(within="1 h"))
    async with Sessions() as sessions:
        scheduler = Scheduler(sessions, SystemClock(), report, lambda _: False, jobs.get)
        scheduler.swap({check.id: check})
        async with asyncio.timeout(PATIENCE):
            await scheduler.look(check.id)
    assert results == ["critical"]
