"""A notice is there once, is claimed once, and what was sent stays sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import event

from alerts.notice import Copy, Message, Notice, NoticeKey, NoticeState
from monitor.core.ids import IncidentId
from monitor.store import Batch, Store

Make = Callable[..., Notice]
BARE = Message("Sujet é", "", "", "")


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


def test_the_headlines_of_many_incidents_are_those_of_each_asked_for_by_itself(store: Store, notice: Make) -> None:
    names = [IncidentId(f"26-{n:04}") for n in range(1, 6)]
    store.commit(Batch(notices=tuple(notice(n, 9 - n, incident=name) for name in names[:4] for n in range(1, 7))))
    found = store.headlines([*names[1:], IncidentId("26-0404")], limit=4)
    bare = {name: [replace(one, message=BARE) for one in store.notices(name, limit=4)] for name in names[1:]}
    assert found == {**bare, IncidentId("26-0404"): []}
    assert [one.key.n for one in found[names[1]]] == [4, 3, 2, 1]
    assert store.headlines([]) == {}


def test_headlines_of_more_incidents_than_a_query_can_name(store: Store, notice: Make) -> None:
    many = [IncidentId(f"26-{n:06}") for n in range(100_000)]
    store.commit(Batch(notices=(notice(1, incident=many[0]), notice(1, incident=many[-1]))))
    found = store.headlines(many)
    assert [name for name, notices in found.items() if notices] == [many[0], many[-1]]


def test_incidents_are_listed_with_one_question_for_all_their_notices(store: Store, notice: Make) -> None:
    store.commit(Batch(notices=tuple(notice(1, incident=f"26-{n:04}") for n in range(300))))
    asked: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *seen: asked.append(seen[2]))
    assert len(store.headlines([IncidentId(f"26-{n:04}") for n in range(300)])) == 300
    assert len([statement for statement in asked if statement.startswith("SELECT")]) == 1


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


def test_what_another_channel_took_is_found_until_its_copy_is_noted(
    store: Store, notice: Make, start: datetime
) -> None:
    first, other, own = (replace(notice(n), first_choice=name) for n, name in ((1, "mail"), (2, "mail"), (3, "sms")))
    store.commit(Batch(notices=(first, other, own)))
    assert store.passed_over(start - timedelta(hours=24)) == []
    for one in (first, other, own):
        settle(store, one.key, NoticeState.SENT, start)
    assert store.passed_over(start - timedelta(hours=24)) == [first.key.incident]
    assert store.passed_over(start + timedelta(seconds=1)) == []
    given, refused = Copy("mail", "a@example.org", start, "250"), Copy("mail", "b@example.org", None, "550 é")
    store.note_copy(first.key, given)
    store.note_copy(other.key, refused)
    assert store.passed_over(start - timedelta(hours=24)) == []
    assert [one.copy for one in store.notices()] == [given, refused, None]


def test_of_a_notice_from_before_there_were_copies_nothing_is_owed(store: Store, notice: Make, start: datetime) -> None:
    store.commit(Batch(notices=(replace(notice(1), first_choice="mail"),)))
    settle(store, notice(1).key, NoticeState.SENT, start)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE notices SET first_choice = NULL, handed_at = NULL, copy = NULL")
    assert store.passed_over(start - timedelta(hours=24)) == []
    (old,) = store.notices()
    assert (old.first_choice, old.handed_at, old.copy) == ("", None, None)
