"""The service control manager by its states: what it accepts, what it refuses, and what it remembers."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.scm import Code, Life, Phase, Scm, Service, StartType, Verb, exit_code, phase
from monitor.clock import SystemClock

STOPPED, STARTING, ENDING, RUNNING = Phase.STOPPED, Phase.START_PENDING, Phase.STOP_PENDING, Phase.RUNNING
SQL, ONNET, SLAVE = (
    Service("MSSQLSERVER", "SQL Server (MSSQLSERVER)", "sqlservr.exe"),
    Service("Onnet", "Onnet", "Onnet.exe", needs=("MSSQLSERVER",)),
    Service("Slave", "Slave", "Slave.exe", needs=("Onnet",)),
)
OFF = Service("Off", "Off", "off.exe", start_type=StartType.DISABLED)


@pytest.fixture
async def scm() -> Scm:
    loop = asyncio.get_running_loop()
    made = Scm((SQL, ONNET, SLAVE, OFF), SystemClock(), loop.time)
    made.start_takes = made.stop_takes = 0.1
    made.boot()
    return made


async def until(scm: Scm, key: str, wanted: Phase) -> None:
    async with asyncio.timeout(10):
        while scm.phase(key) is not wanted:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("life", "at", "stands", "code"),
    [
        (None, 5, STOPPED, Code.NEVER_STARTED),
        (Life(4, 0, 2), 0, STARTING, Code.DONE),
        (Life(4, 0, 2), 2, RUNNING, Code.DONE),
        (Life(4, 0, 2, dies_at=3), 2.9, RUNNING, Code.DONE),
        (Life(4, 0, 2, dies_at=3), 3, STOPPED, Code.PROCESS_ABORTED),
        (Life(4, 0, 2, dies_at=1), 1, STOPPED, Code.PROCESS_ABORTED),
        (Life(4, 0, 2, ordered_at=5, stopped_at=6), 5, ENDING, Code.DONE),
        (Life(4, 0, 2, ordered_at=5, stopped_at=6), 6, STOPPED, Code.DONE),
        (Life(4, 0, 2, dies_at=5.5, ordered_at=5, stopped_at=6), 5.6, STOPPED, Code.PROCESS_ABORTED),
        (Life(4, 0, 2, dies_at=9, ordered_at=5, stopped_at=6), 9, STOPPED, Code.DONE),
    ],
)
def test_where_a_service_stands_is_a_function_of_its_last_process_and_the_time(life, at, stands, code):
    assert (phase(life, at), exit_code(life, at)) == (stands, code)


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 100))
def test_a_service_that_has_ended_stays_so(takes, dies_at, later):
    life = Life(4, 0, takes, dies_at=dies_at)
    assert phase(life, dies_at + later) is STOPPED


def test_what_starts_by_itself_runs_after_the_boot_and_nobody_is_counted_for_it(scm):
    assert [scm.phase(key) for key in ("MSSQLSERVER", "Onnet", "Slave", "Off")] == [RUNNING, RUNNING, RUNNING, STOPPED]
    assert scm.accepted == []
    assert scm.exit_code("Off") is Code.NEVER_STARTED


async def test_a_crash_leaves_those_that_need_it_running(scm):
    scm.crash("Onnet")
    assert (scm.phase("Onnet"), scm.exit_code("Onnet")) == (STOPPED, Code.PROCESS_ABORTED)
    assert scm.phase("Slave") is RUNNING


async def test_a_start_is_counted_once_and_has_a_process_of_its_own(scm):
    before = scm.life("Onnet")
    scm.crash("Onnet")
    assert await scm.start("Onnet") is Code.DONE
    assert scm.phase("Onnet") is STARTING
    assert await scm.start("Onnet") is Code.ALREADY_RUNNING
    await until(scm, "Onnet", RUNNING)
    assert await scm.start("Onnet") is Code.ALREADY_RUNNING
    (accepted,) = scm.accepted
    after = scm.life("Onnet")
    assert before is not None
    assert after is not None
    assert (accepted.verb, accepted.key, accepted.pid) == (Verb.START, "Onnet", after.pid)
    assert after.pid != before.pid
    assert (scm.starts("Onnet"), scm.stops("Onnet"), scm.starts("Slave")) == (1, 0, 0)


async def test_what_others_need_cannot_be_stopped_before_them(scm):
    assert await scm.stop("Onnet") is Code.DEPENDENTS_RUN
    assert await scm.stop("Slave") is Code.DONE
    assert scm.phase("Slave") is ENDING
    assert await scm.stop("Slave") is Code.CANNOT_ACCEPT
    await until(scm, "Slave", STOPPED)
    assert await scm.stop("Slave") is Code.NOT_ACTIVE
    assert await scm.stop("Onnet") is Code.DONE
    assert scm.starts("Slave") == 0
    assert scm.stops("Slave") == 1


async def test_a_start_starts_what_is_needed_first_and_waits_for_it(scm):
    for key in ("Slave", "Onnet", "MSSQLSERVER"):
        scm.crash(key)
    assert await scm.start("Slave") is Code.DONE
    assert [one.key for one in scm.accepted] == ["MSSQLSERVER", "Onnet", "Slave"]
    assert [scm.phase(key) for key in ("MSSQLSERVER", "Onnet", "Slave")] == [RUNNING, RUNNING, STARTING]


async def test_a_start_fails_with_what_is_needed(scm):
    scm.crash("Slave")
    scm.crash("Onnet")
    scm.doom("Onnet", lives=-0.05)
    assert await scm.start("Slave") is Code.DEPENDENCY_FAILED
    assert (scm.starts("Onnet"), scm.starts("Slave")) == (1, 0)


async def test_a_doomed_service_dies_as_often_as_it_was_told_to_and_then_holds(scm):
    scm.crash("Onnet")
    scm.doom("Onnet", starts=2, lives=0.1)
    for _ in range(2):
        assert await scm.start("Onnet") is Code.DONE
        await until(scm, "Onnet", RUNNING)
        await until(scm, "Onnet", STOPPED)
        assert scm.exit_code("Onnet") is Code.PROCESS_ABORTED
    assert await scm.start("Onnet") is Code.DONE
    await until(scm, "Onnet", RUNNING)
    life = scm.life("Onnet")
    assert life is not None
    assert life.dies_at == math.inf
    assert scm.starts("Onnet") == 3


@pytest.mark.parametrize(
    ("verb", "key", "code"),
    [
        ("start", "Nobody", Code.DOES_NOT_EXIST),
        ("stop", "Nobody", Code.DOES_NOT_EXIST),
        ("start", "Off", Code.DISABLED),
        ("stop", "Off", Code.NOT_ACTIVE),
    ],
)
async def test_what_cannot_be_done_is_refused_and_not_counted(scm, verb, key, code):
    assert await getattr(scm, verb)(key) is code
    assert scm.accepted == []


async def test_a_request_that_is_on_its_way_arrives_though_nobody_waits_for_it_any_more(scm):
    scm.crash("Onnet")
    scm.accept_delay = 0.2
    asking = asyncio.create_task(scm.start("Onnet"))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert scm.phase("Onnet") is STOPPED
    await until(scm, "Onnet", RUNNING)
    assert scm.starts("Onnet") == 1


async def test_a_manager_that_is_closed_sees_nothing_that_was_on_its_way(scm):
    scm.crash("Onnet")
    scm.accept_delay = 30.0
    asking = asyncio.create_task(scm.start("Onnet"))
    await asyncio.sleep(0)
    await scm.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert scm.accepted == []


def test_names_are_found_whatever_their_case(scm):
    assert scm.find("onnet") is ONNET
    assert scm.find("SQL Server (MSSQLSERVER)") is None
    assert scm.shown("sql server (mssqlserver)") is SQL
    assert scm.shown("nobody") is None
