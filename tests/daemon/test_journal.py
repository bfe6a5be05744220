"""Nothing that was handed to the journal is lost while the process lives, even without room on the disk."""

import asyncio
import contextlib
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from alerts.notice import NoticeState
from monitor.core.events import Event, EventKind
from monitor.core.health import ConfirmPolicy, advance
from monitor.core.ids import CheckId, IncidentId
from monitor.core.text import say
from monitor.core.verdict import Severity
from monitor.daemon.journal import COUNTED_EVERY, Journal
from monitor.daemon.settlement import Settlement
from monitor.store import Batch, Sample, StoreError

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
SENT = Settlement(NoticeState.SENT, NOW, "250 accepted", 1, "mail", "att@example.org")


async def claimed(journal, but=()):
    """Everything that is due, as the post claims it: until there is no more."""
    found = []
    while more := await journal.claim(NOW, 10, but):
        found += more
    return found


async def test_a_notice_is_claimed_once_and_its_end_is_recorded(store, notice_of):
    journal = Journal(store)
    await journal.commit(Batch(notices=(notice_of(1),)))
    (notice,) = await journal.claim(NOW, 10)
    assert await journal.claim(NOW, 10) == []
    await journal.settle(notice, SENT)
    (row,) = store.notices()
    assert (row.state, row.answer) == (NoticeState.SENT, "250 accepted")


async def test_on_a_full_disk_a_notice_leaves_from_memory_and_is_recorded_when_there_is_room(
    store, notice_of, full_disk
):
    journal = Journal(store)
    await journal.commit(Batch(notices=(notice_of(1),)))
    with full_disk():
        await journal.commit(Batch(notices=(notice_of(2),)))
        assert journal.trouble is not None
        assert journal.waiting == 1
        held = [notice for notice in await claimed(journal) if notice.key.n == 2]
        assert len(held) == 1
        await journal.settle(held[0], SENT)
        assert [(n.key.n, n.state) for n in await journal.notices(held[0].key.incident)] == [
            (1, NoticeState.SENDING),
            (2, NoticeState.SENT),
        ]
        assert await claimed(journal) == []
    await journal.retry()
    assert journal.trouble is None
    assert journal.waiting == 0
    states = {notice.key.n: notice.state for notice in store.notices()}
    assert states[2] is NoticeState.SENT


async def test_batches_that_waited_are_written_in_their_order(store, notice_of, full_disk):
    journal = Journal(store)
    with full_disk():
        for n in range(1, 4):
            await journal.commit(Batch(notices=(notice_of(n),)))
        assert journal.waiting == 3
    await journal.commit(Batch(notices=(notice_of(4),)))
    await journal.retry()
    assert journal.waiting == 0
    assert {notice.key.n for notice in store.notices()} == {1, 2, 3, 4}


async def test_samples_reach_the_history(store):
    journal = Journal(store)
    journal.keep_samples([Sample(CheckId("ups"), "charge", "%", NOW, 98.0)])
    await journal.flush_samples()
    (series,) = store.series(CheckId("ups"))
    assert (series.metric, series.unit) == ("charge", "%")


async def test_a_batch_that_is_wrong_in_itself_does_not_keep_back_those_behind_it(store, notice_of):
    journal = Journal(store)
    stray = Event(IncidentId("26-0404"), NOW, EventKind.NOTE, "uid:0", say("of no incident"))
    with pytest.raises(Exception, match="26-0404"):
        await journal.commit(Batch(events=(stray,)))
    await journal.commit(Batch(notices=(notice_of(1),)))
    assert journal.waiting == 0
    assert [notice.key.n for notice in store.notices()] == [1]


async def test_what_lies_on_a_full_disk_leaves_too_and_its_end_is_recorded_when_there_is_room(
    store, notice_of, full_disk
):
    journal = Journal(store)
    await journal.commit(Batch(notices=tuple(map(notice_of, range(3)))))
    (sending,) = await journal.claim(NOW, 1)
    again = Settlement(NoticeState.PENDING, NOW, "421 later", 1, "mail", "att@example.org", (), NOW)
    with full_disk():
        await journal.settle(sending, again)
        found = await claimed(journal)
        assert sorted(notice.key.n for notice in found) == [0, 1, 2]
        for notice in found[:2]:
            await journal.settle(notice, SENT)
        assert {row.state for row in store.notices()} == {NoticeState.PENDING, NoticeState.SENDING}
        assert journal.waiting == 3
    await journal.retry()
    assert (journal.trouble, journal.waiting) == (None, 0)
    assert sorted(row.state for row in store.notices()) == [NoticeState.SENDING, NoticeState.SENT, NoticeState.SENT]
    await journal.settle(found[2], SENT)
    assert {row.state for row in store.notices()} == {NoticeState.SENT}


@pytest.mark.parametrize("room", [True, False])
async def test_what_is_new_does_not_wait_behind_what_failed(store, notice_of, full_disk, room):
    journal = Journal(store)
    again = Settlement(NoticeState.PENDING, NOW, "421 later", 1, "mail", "att@example.org", (), NOW)
    with contextlib.nullcontext() if room else full_disk():
        await journal.commit(Batch(notices=(notice_of(1),)))
        (first,) = await journal.claim(NOW, 1)
        await journal.settle(first, again)
        await journal.commit(Batch(notices=(notice_of(2),)))
        assert [notice.key.n for notice in await journal.claim(NOW, 1)] == [2]


async def test_channels_that_have_no_sender_to_spare_are_left_out(store, notice_of, full_disk):
    journal = Journal(store)
    await journal.commit(Batch(notices=(notice_of(1),)))
    assert await journal.claim(NOW, 10, ["mail"]) == []
    with full_disk():
        await journal.commit(Batch(notices=(notice_of(2),)))
        assert await journal.claim(NOW, 10, ["mail"]) == []
    assert len(await claimed(journal, ["sms"])) == 2


async def test_a_wrong_batch_that_waited_is_no_fault_of_the_one_behind_it(store, notice_of, full_disk):
    journal = Journal(store)
    stray = Event(IncidentId("26-0404"), NOW, EventKind.NOTE, "uid:0", say("of no incident"))
    with full_disk():
        await journal.commit(Batch(events=(stray,), notices=(notice_of(1),)))
    await journal.commit(Batch(notices=(notice_of(2),)))
    await journal.retry()
    assert journal.waiting == 0
    assert [notice.key.n for notice in store.notices()] == [2]


async def test_a_disk_that_is_asked_in_vain_holds_nobody_up(store, notice_of, busy_disk, full_disk):
    journal = Journal(store)
    with full_disk():
        await journal.commit(Batch(notices=(notice_of(1),)))
        async with busy_disk(journal):
            await journal.commit(Batch(notices=(notice_of(2),)))
            assert await journal.audit_head() == ""
            found = await journal.claim(NOW, 10)
            for notice in found:
                await journal.settle(notice, SENT)
    await journal.retry()
    assert {notice.key.n: notice.state for notice in store.notices()} == {1: NoticeState.SENT, 2: NoticeState.SENT}


async def test_an_end_that_no_database_can_hold_keeps_no_other_from_being_written(store, notice_of):
    journal = Journal(store)
    await journal.commit(Batch(notices=(notice_of(1), notice_of(2))))
    first, second = await claimed(journal)
    await journal.settle(first, replace(SENT, answer="250 accept\udce9"))
    await journal.settle(second, SENT)
    await journal.commit(Batch(notices=(notice_of(3),)))
    assert {row.key.n: row.state for row in store.notices()} == {
        1: NoticeState.SENDING,
        2: NoticeState.SENT,
        3: NoticeState.PENDING,
    }
    assert [each.key.n for each in await claimed(journal)] == [3]
    assert (journal.waiting, journal.trouble) == (0, None)


async def test_what_leaves_while_its_batch_is_being_written_is_on_record_as_it_left(
    store, notice_of, busy_disk, full_disk
):
    journal = Journal(store)
    with full_disk():
        await journal.commit(Batch(notices=(notice_of(1),)))
    async with busy_disk(journal):
        writing = asyncio.create_task(journal.retry())
        await asyncio.sleep(0)
        (notice,) = await journal.claim(NOW, 10)
        await journal.settle(notice, SENT)
    await writing
    assert (journal.waiting, journal.trouble) == (0, None)
    assert [row.state for row in store.notices()] == [NoticeState.SENT]
    assert await claimed(journal) == []


async def test_a_disk_that_stays_full_for_weeks_does_not_fill_the_memory(store, full_disk):
    journal = Journal(store)
    with full_disk():
        for n in range(50):
            health, _ = advance(CheckId("door"), None, Severity.OK, ConfirmPolicy(), NOW + timedelta(seconds=n))
            await journal.commit(Batch(healths={CheckId("door"): health}))
        assert journal.waiting == 2
    await journal.retry()
    assert store.load(NOW, timedelta(days=1)).state.healths == {"door": health}


async def test_however_many_ask_for_the_counts_the_outbox_is_counted_once_in_a_while(store, notice_of, machine):
    journal, counted = Journal(store, machine), []
    event.listen(
        store.engine, "before_cursor_execute", lambda *seen: counted.append(1) if "count" in seen[2].lower() else None
    )
    await journal.commit(Batch(notices=(notice_of(1),)))
    counts = await asyncio.gather(*(journal.notice_counts() for _ in range(50)))
    assert {each[NoticeState.PENDING] for each in counts} == {1}
    await journal.commit(Batch(notices=(notice_of(2),)))
    machine.pass_(COUNTED_EVERY - 1)
    assert (await journal.notice_counts())[NoticeState.PENDING] == 1
    machine.pass_(1)
    assert (await journal.notice_counts())[NoticeState.PENDING] == 2
    assert len(counted) == 2


SOON = 0.2
"""Seconds after which a disk hangs in these tests."""


@pytest.fixture
def stuck(store):
    """A context in which the disk swallows every statement that begins with `words`, and says nothing until its end."""

    @contextlib.contextmanager
    def stuck_on(words):
        free = threading.Event()

        def hang(_connection, _cursor, statement, *_):
            if statement.startswith(words):
                free.wait()

        event.listen(store.engine, "before_cursor_execute", hang)
        try:
            yield
        finally:
            free.set()

    return stuck_on


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def written(journal):
    """Try again until all is on disk, as the housekeeping does."""
    async with asyncio.timeout(10):
        while journal.waiting or journal.trouble is not None:
            await journal.retry()
            await asyncio.sleep(0.01)


async def test_a_disk_that_says_nothing_holds_up_no_notice_and_has_it_all_when_it_speaks_again(store, notice_of, stuck):
    journal = Journal(store, patience=SOON)
    with stuck("INSERT INTO notices"):
        await journal.commit(Batch(notices=(notice_of(1),)))
        assert "not answered" in journal.trouble.template
        (first,) = await claimed(journal)
        await journal.settle(first, SENT)
        await journal.commit(Batch(notices=(notice_of(2),)))
        (second,) = await claimed(journal)
    await until(store.notices)
    assert [(row.key.n, row.state) for row in store.notices()] == [(1, NoticeState.PENDING)]
    await written(journal)
    assert {row.key.n: row.state for row in store.notices()} == {1: NoticeState.SENT, 2: NoticeState.SENDING}
    await journal.settle(second, SENT)
    assert {row.state for row in store.notices()} == {NoticeState.SENT}
    assert (journal.trouble, journal.waiting, await claimed(journal)) == (None, 0, [])


async def test_what_a_disk_gives_out_when_nobody_waits_any_more_is_sent_all_the_same(store, notice_of, stuck):
    journal = Journal(store, patience=SOON)
    await journal.commit(Batch(notices=(notice_of(1),)))
    with stuck("UPDATE notices"):
        assert await journal.claim(NOW, 10) == []
    await until(lambda: journal.waiting)
    assert [row.state for row in store.notices()] == [NoticeState.SENDING]
    (notice,) = await claimed(journal)
    await journal.settle(notice, SENT)
    await written(journal)
    assert [row.state for row in store.notices()] == [NoticeState.SENT]


async def test_what_waited_behind_a_hanging_disk_in_vain_is_never_begun(store, notice_of, busy_disk):
    journal = Journal(store, patience=SOON)
    await journal.commit(Batch(notices=(notice_of(1),)))
    async with busy_disk(journal):
        assert await journal.claim(NOW, 10) == []
        with pytest.raises(StoreError):
            await journal.ask(store.notices)
    await journal.commit(Batch(notices=(notice_of(2),)))
    await written(journal)
    assert [row.state for row in store.notices()] == [NoticeState.PENDING] * 2


async def test_a_hanging_disk_keeps_no_daemon_from_ending(store, notice_of, stuck):
    journal = Journal(store, patience=SOON)
    with stuck("INSERT INTO notices"):
        await journal.commit(Batch(notices=(notice_of(1),)))
        async with asyncio.timeout(10):
            await journal.close()


async def test_a_long_look_at_the_samples_holds_up_no_notice(store, notice_of):
    journal, free = Journal(store), threading.Event()
    looking = asyncio.create_task(journal.ask_history(free.wait))
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await journal.commit(Batch(notices=(notice_of(1),)))
        assert len(await journal.claim(NOW, 10)) == 1
        journal.keep_samples([Sample(CheckId("ups"), "charge", "%", NOW, 98.0)])
        await journal.flush_samples()
    free.set()
    await looking
    await journal.flush_samples()
    assert len(store.samples(CheckId("ups"), "charge", NOW, NOW + timedelta(seconds=1))) == 1
