"""No entry of the audit trail changes, goes or comes in between without being found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from hashlib import sha256

import pytest

from monitor.store import AuditEntry, BadHead, Batch, Store
from monitor.store.audit import link, parse_head, short_head


@pytest.fixture
def trail(store: Store, start: datetime) -> Store:
    """A store with five entries in its trail."""
    for n in range(1, 6):
        entry = AuditEntry(f"uid:{n}", "note", {"incident": f"26-000{n}", "é": [1, None]}, start + timedelta(minutes=n))
        store.commit(Batch(audit=(entry,)))
    return store


def change(store: Store, sql: str) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql(sql)


def test_a_link_is_the_hash_of_what_its_documentation_says() -> None:
    words = f'[1,"2026-11-23T02:05:00.000000+00:00","releve","start","{{}}","{"0" * 64}"]'
    expected = sha256(words.encode()).hexdigest()
    assert link(1, "2026-11-23T02:05:00.000000+00:00", "releve", "start", "{}", "0" * 64) == expected


def test_an_empty_trail_is_whole(store: Store) -> None:
    report = store.verify_audit()
    assert (report.whole, report.entries, report.head) == (True, 0, "0-0000000000000000")
    assert store.verify_audit(report.head).whole


def test_an_untouched_trail_is_whole_and_its_head_moves_with_each_entry(trail: Store) -> None:
    before = trail.audit_head()
    trail.commit(Batch(audit=(AuditEntry("releve", "start"), AuditEntry("releve", "stop"))))
    report = trail.verify_audit(before)
    assert (report.whole, report.entries, report.head) == (True, 7, trail.audit_head())
    assert before.startswith("5-")
    assert report.head.startswith("7-")


def test_the_trail_goes_on_after_a_restart(trail: Store, reopen: Callable[..., Store]) -> None:
    again = reopen()
    again.commit(Batch(audit=(AuditEntry("releve", "start"),)))
    assert again.verify_audit().entries == 6
    assert again.verify_audit().whole


def test_the_time_of_an_entry_is_kept_in_utc(store: Store, start: datetime) -> None:
    douala = timezone(timedelta(hours=1))
    store.commit(Batch(audit=(AuditEntry("releve", "start", at=start.astimezone(douala)),)))
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT at FROM audit").scalar() == "2026-11-23T02:05:00.123456+00:00"


@pytest.mark.parametrize(
    ("sql", "broken"),
    [
        ("UPDATE audit SET data = '{}' WHERE seq = 3", 3),
        ("UPDATE audit SET actor = 'uid:0' WHERE seq = 1", 1),
        ("UPDATE audit SET at = '2020-01-01T00:00:00.000000+00:00' WHERE seq = 5", 5),
        ("UPDATE audit SET hash = replace(hash, substr(hash, 1, 1), 'f') || '0' WHERE seq = 2", 2),
        ("UPDATE audit SET previous = hash WHERE seq = 4", 4),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 3", 3),
        ("INSERT INTO audit SELECT seq - 1, at, actor, action, data, previous, hash FROM audit WHERE seq = 1", 1),
        ("UPDATE audit SET seq = seq + 10 WHERE seq > 2", 3),
    ],
)
def test_the_first_entry_that_was_tampered_with_is_named(trail: Store, sql: str, broken: int) -> None:
    change(trail, sql)
    report = trail.verify_audit()
    assert report.broken == broken
    assert report.reason
    assert not report.whole


def test_a_tail_cut_off_shows_against_the_head_of_a_mail(trail: Store) -> None:
    mailed = trail.audit_head()
    change(trail, "DELETE FROM audit WHERE seq > 3")
    assert trail.verify_audit().whole
    report = trail.verify_audit(mailed)
    assert (report.whole, report.broken, report.entries) == (False, 4, 3)


def test_a_trail_written_anew_shows_against_the_head_of_a_mail(trail: Store, start: datetime) -> None:
    mailed = trail.audit_head()
    change(trail, "DELETE FROM audit WHERE seq = 5")
    trail.commit(Batch(audit=(AuditEntry("uid:5", "note", {"incident": "26-0001"}, start),)))
    assert trail.verify_audit().whole
    assert trail.verify_audit(mailed).broken == 5


def test_a_head_is_read_as_a_person_types_it() -> None:
    assert parse_head(" 128-3F9C1A2B4D5E6F70\n") == (128, "3f9c1a2b4d5e6f70")
    assert parse_head(short_head(7, "ab" * 32)) == (7, "ab" * 8)


@pytest.mark.parametrize(
    "text", ["", "128", "128-3f9c", "x-3f9c1a2b4d5e6f70", "128-3f9c1a2b4d5e6f7g", "1" * 20 + "-" + "0" * 16]
)
def test_what_is_no_head_is_refused(trail: Store, text: str) -> None:
    with pytest.raises(BadHead):
        trail.verify_audit(text)
