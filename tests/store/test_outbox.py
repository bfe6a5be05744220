"""A notice is there once, is claimed once, and what was sent stays sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from alerts.notice import Notice, NoticeKey, NoticeState
from monitor.store import Batch, Store

Make = Callable[..., Notice]


def settle(store: Store, key: NoticeKey, state: NoticeState, at: datetime, next_try_at: datetime | None = None) -> bool:
    return store.settle(
        key,
        state=state,
        at=at,
        answer="250 2.0.0 Ok",
        attempts=2,
        next_try_at=next_try_at,
        channel="sms",
        address="+237600000000",
        tried=("mail",),
    )


def test_a_notice_comes_back_as_it_was(store: Store, notice: Make) -> None:
    store.commit(Batch(notices=(notice(1),)))
    assert store.notices() == [notice(1)]


def test_a_key_that_is_there_already_stays_as_it_stands(store: Store, notice: Make, start: datetime) -> None:
    store.commit(Batch(notices=(notice(1),)))
    store.claim(start, 10)
    settle(store, notice(1).key, NoticeState.SENT, start)
    store.commit(Batch(notices=(replace(notice(1), address="other@example.org"), notice(2))))
    first, second = store.notices()
    assert (first.state, first.address) == (NoticeState.SENT, "+237600000000")
    assert second.key == notice(2).key


def test_claims_take_each_notice_once_earliest_due_first(store: Store, notice: Make, start: datetime) -> None:
    store.commit(Batch(notices=(notice(3, 30), notice(1, 10), notice(2, 20))))
    first = store.claim(start, 2)
    assert [(n.key.n, n.state) for n in first] == [(1, NoticeState.SENDING), (2, NoticeState.SENDING)]
    assert [n.key.n for n in store.claim(start, 2)] == [3]
    assert store.claim(start, 2) == []


def test_a_notice_waits_for_its_next_try(store: Store, notice: Make, start: datetime) -> None:
    later = start + timedelta(minutes=5)
    store.commit(Batch(notices=(notice(1, next_try_at=later),)))
    assert store.claim(later - timedelta(microseconds=1), 10) == []
    assert [n.key.n for n in store.claim(later, 10)] == [1]


def test_a_failed_attempt_is_pending_again_on_the_next_channel(store: Store, notice: Make, start: datetime) -> None:
    store.commit(Batch(notices=(notice(1),)))
    store.claim(start, 1)
    later = start + timedelta(seconds=30)
    assert settle(store, notice(1).key, NoticeState.PENDING, start, later)
    (kept,) = store.notices()
    assert (kept.state, kept.attempts, kept.next_try_at, kept.sent_at) == (NoticeState.PENDING, 2, later, None)
    assert (kept.channel, kept.address, kept.tried) == ("sms", "+237600000000", ("mail",))
    assert kept.answer == "250 2.0.0 Ok"


def test_what_was_sent_stays_sent(store: Store, notice: Make, start: datetime) -> None:
    store.commit(Batch(notices=(notice(1),)))
    store.claim(start, 1)
    assert settle(store, notice(1).key, NoticeState.SENT, start)
    assert not settle(store, notice(1).key, NoticeState.DEAD, start)
    (kept,) = store.notices()
    assert (kept.state, kept.sent_at) == (NoticeState.SENT, start)
    assert not settle(store, notice(9).key, NoticeState.SENT, start)


def test_what_was_being_sent_at_a_crash_is_sent_again(
    store: Store, reopen: Callable[..., Store], notice: Make, start: datetime
) -> None:
    store.commit(Batch(notices=(notice(1), notice(2, state=NoticeState.SKIPPED))))
    store.claim(start, 10)
    again = reopen()
    assert again.claim(start, 10) == []
    assert again.recover_sending() == 1
    assert again.recover_sending() == 0
    (claimed,) = again.claim(start, 10)
    assert (claimed.key, claimed.message_id) == (notice(1).key, notice(1).message_id)


def test_notices_are_listed_by_incident_the_latest_ones_in_order(store: Store, notice: Make) -> None:
    store.commit(Batch(notices=tuple(notice(n, n) for n in range(1, 6))))
    store.commit(Batch(notices=(notice(1, 99, incident="26-0002"),)))
    incident = notice(1).key.incident
    assert [n.key.n for n in store.notices(incident)] == [1, 2, 3, 4, 5]
    assert [n.key.n for n in store.notices(incident, limit=2)] == [4, 5]
    assert len(store.notices()) == 6


def test_the_oldest_that_is_late_and_the_counts(store: Store, notice: Make, start: datetime) -> None:
    assert store.oldest_pending(start) is None
    store.commit(Batch(notices=(notice(1, 10), notice(2, 20), notice(3, 1000), notice(4, 5, state=NoticeState.DEAD))))
    assert store.oldest_pending(start + timedelta(seconds=9)) is None
    store.claim(start, 1)
    assert store.oldest_pending(start + timedelta(seconds=60)) == timedelta(seconds=50)
    settle(store, notice(1).key, NoticeState.SENT, start)
    assert store.oldest_pending(start + timedelta(seconds=60)) == timedelta(seconds=40)
    assert store.notice_counts() == {
        NoticeState.PENDING: 2,
        NoticeState.SENDING: 0,
        NoticeState.SENT: 1,
        NoticeState.DEAD: 1,
        NoticeState.SKIPPED: 0,
    }
