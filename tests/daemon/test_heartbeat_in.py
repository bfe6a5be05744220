"""Jobs that report themselves: on disk before they are told so, few writings for many calls, and a disk that fails."""

import asyncio
import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event

from monitor.core.health import ConfirmPolicy
from monitor.core.ids import CheckId, NodeId
from monitor.daemon.heartbeat_in import Jobs
from monitor.daemon.journal import Journal
from monitor.inventory.model import Check
from monitor.store import StoreError
from probes import registry
from probes.beat import Beat, Job
from probes.contract import Target

PATIENCE = 20
BACKUP, EXPORT = CheckId("backup"), CheckId("export")


def check_of(name, probe="heartbeat"):
    span = timedelta(minutes=5)
    params = {"heartbeat": {"within": "26 h"}, "tcp": {"port": 1}}[probe]
    return Check(
        id=name,
        probe=probe,
        node=NodeId("sql"),
        target=Target(NodeId("sql"), "127.0.0.1"),
        params=registry.load(probe).Params(**params),
        every=span,
        timeout=span,
        retry=span,
        policy=ConfirmPolicy(),
        kind="other",
    )


@pytest.fixture
def journal(store, machine):
    return Journal(store, machine)


@pytest.fixture
async def jobs(journal, machine):
    """Two jobs that have not reported yet; `looked` are the checks that were to be looked at again."""
    made = Jobs(journal, machine, {})
    made.looked = []
    made.look_again = made.looked.extend
    await made.swap([check_of(BACKUP), check_of(EXPORT), check_of(CheckId("door"), "tcp")])
    return made


@pytest.fixture
def written(store):
    """How often something was written about a job."""
    statements = []

    def note(_connection, _cursor, statement, *_):
        if statement.startswith(("INSERT INTO jobs", "DELETE FROM jobs")):
            statements.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    yield statements
    event.remove(store.engine, "before_cursor_execute", note)


async def test_a_job_is_known_since_its_check_is_in_force_and_forgotten_with_it(jobs, store, machine, written):
    first = machine.now()
    assert store.jobs() == {BACKUP: Job(first), EXPORT: Job(first)}
    assert jobs.job(CheckId("door")) is None
    machine.pass_(60)
    await jobs.swap([check_of(BACKUP)])
    assert store.jobs() == dict(jobs.all()) == {BACKUP: Job(first)}
    await jobs.swap([check_of(BACKUP), check_of(EXPORT)])
    assert store.jobs() == dict(jobs.all()) == {BACKUP: Job(first), EXPORT: Job(machine.now())}
    before = len(written)
    await jobs.swap([check_of(EXPORT), check_of(BACKUP)])
    await jobs.flush()
    assert len(written) == before, "what is written is not written again"


async def test_a_report_is_on_disk_and_looked_at_when_it_is_told_to_be_heard(jobs, store, machine):
    machine.pass_(60)
    beat = await jobs.hear(BACKUP, "42 files", ok=True)
    assert beat == Beat(machine.now(), True, "42 files")
    assert store.jobs()[BACKUP].last == jobs.job(BACKUP).last == beat
    assert jobs.looked == [BACKUP]
    with pytest.raises(KeyError):
        await jobs.hear(CheckId("door"), ok=True)


async def test_what_the_last_run_heard_is_known_to_the_next(jobs, store, journal, machine):
    beat = await jobs.hear(BACKUP, "disk full", ok=False)
    await jobs.close()
    again = Jobs(journal, machine, store.jobs())
    await again.swap([check_of(BACKUP)])
    assert dict(again.all()) == {BACKUP: Job(machine.now(), beat)}


async def test_a_flood_is_written_once_a_second_and_its_last_word_counts(jobs, store, written):
    before, loop = len(written), asyncio.get_running_loop()
    begun = loop.time()
    beats = await asyncio.gather(*(jobs.hear(BACKUP, f"report {n}", ok=True) for n in range(500)))
    assert [beat.text for beat in beats] == [f"report {n}" for n in range(500)]
    await asyncio.gather(*(jobs.hear(BACKUP, f"again {n}", ok=True) for n in range(500)))
    passed = loop.time() - begun
    assert 2 <= len(written) - before <= 2 + passed
    assert store.jobs()[BACKUP].last.text == "again 499"
    assert jobs.heard == 1000
    assert len(jobs.looked) == len(written) - before


async def test_jobs_do_not_wait_for_each_other(jobs, written):
    before = len(written)
    await asyncio.gather(*(jobs.hear(name, ok=True) for name in (BACKUP, EXPORT)))
    assert len(written) - before == 2


async def test_who_hangs_up_takes_nothing_from_the_others(jobs, store):
    await jobs.hear(BACKUP, ok=True)
    calls = [asyncio.create_task(jobs.hear(BACKUP, f"call {n}", ok=True)) for n in range(3)]
    await asyncio.sleep(0)
    calls[0].cancel()
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(done[0], asyncio.CancelledError)
    assert [beat.text for beat in done[1:]] == ["call 1", "call 2"]
    assert store.jobs()[BACKUP].last.text == "call 2"


async def test_a_report_that_the_disk_does_not_take_is_refused_and_kept_in_memory(jobs, store, full_disk):
    with full_disk():
        with pytest.raises(StoreError):
            await jobs.hear(BACKUP, "42 files", ok=True)
        assert jobs.job(BACKUP).last.text == "42 files"
        assert jobs.looked == [BACKUP], "it is true, though it may be lost"
        await jobs.flush()
        assert store.jobs()[BACKUP].last is None
    await jobs.flush()
    assert store.jobs()[BACKUP].last.text == "42 files"


async def test_a_disk_that_is_known_to_be_in_trouble_is_not_asked(jobs, journal, written, full_disk):
    with full_disk():
        await journal.recover()
        before = len(written)
        with pytest.raises(StoreError) as refused:
            await jobs.hear(BACKUP, ok=True)
    assert refused.value.text == journal.trouble
    assert len(written) == before


async def test_what_is_left_is_written_at_the_end(jobs, store):
    await jobs.hear(BACKUP, "first", ok=True)
    second = asyncio.create_task(jobs.hear(BACKUP, "second", ok=True))
    while jobs.job(BACKUP).last.text != "second":
        await asyncio.sleep(0)
    await jobs.close()
    await asyncio.gather(second, return_exceptions=True)
    assert store.jobs()[BACKUP].last.text == "second"


async def test_a_report_in_memory_only_that_ends_with_us_is_logged(jobs, full_disk, caplog):
    with full_disk():
        with pytest.raises(StoreError):
            await jobs.hear(BACKUP, ok=True)
        await jobs.close()
    assert [record.jobs for record in caplog.records if record.msg == "what jobs said is lost"] == [[BACKUP]]


async def test_a_clock_that_is_set_back_leaves_no_report_in_the_future(jobs, machine):
    await jobs.hear(BACKUP, ok=True)
    machine.wall -= timedelta(hours=2)
    jobs.clock_was_set()
    assert dict(jobs.all()) == {BACKUP: Job(machine.now(), Beat(machine.now())), EXPORT: Job(machine.now())}


async def test_a_job_from_a_later_clock_is_known_since_now(journal, machine, store):
    later = machine.now() + timedelta(days=400)
    jobs = Jobs(journal, machine, {BACKUP: Job(later, Beat(later))})
    await jobs.swap([check_of(BACKUP)])
    assert jobs.job(BACKUP) == Job(machine.now(), Beat(machine.now()))


async def test_the_same_check_with_other_words_keeps_its_job(jobs, machine):
    beat = await jobs.hear(BACKUP, ok=True)
    machine.pass_(60)
    await jobs.swap([replace(check_of(BACKUP), every=timedelta(seconds=1))])
    assert jobs.job(BACKUP).last == beat


async def test_a_broken_disk_says_why(jobs, store):
    def fails(_connection, _cursor, statement, *_):
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    event.listen(store.engine, "before_cursor_execute", fails)
    try:
        with pytest.raises(StoreError, match="fails"):
            await jobs.hear(BACKUP, ok=True)
    finally:
        event.remove(store.engine, "before_cursor_execute", fails)
