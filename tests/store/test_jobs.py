"""Jobs that report themselves: what was said last is there after any end of the process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.dialects import postgresql

from monitor.core.ids import CheckId
from monitor.store import Store, tables
from probes.beat import Beat, Job, not_later

AT = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
Reopen = Callable[..., Store]
BACKUP, EXPORT = CheckId("backup-night"), CheckId("export")


def test_a_job_is_read_as_it_was_written(reopen: Reopen) -> None:
    said = {BACKUP: Job(AT, Beat(AT + HOUR, False, "disque plein : « D: » 🙁")), EXPORT: Job(AT)}
    reopen().put_jobs(said)
    store = reopen()
    assert store.jobs() == said
    assert store.load(AT, HOUR).jobs == said


def test_the_last_word_takes_the_place_of_the_one_before(store: Store) -> None:
    store.put_jobs({BACKUP: Job(AT)})
    store.put_jobs({BACKUP: Job(AT, Beat(AT)), EXPORT: Job(AT)})
    store.put_jobs({BACKUP: Job(AT, Beat(AT + HOUR))})
    assert store.jobs() == {BACKUP: Job(AT, Beat(AT + HOUR)), EXPORT: Job(AT)}


def test_what_the_inventory_no_longer_has_is_forgotten(store: Store) -> None:
    store.put_jobs({BACKUP: Job(AT), EXPORT: Job(AT)})
    store.put_jobs({EXPORT: Job(AT + HOUR)}, (BACKUP, EXPORT))
    assert store.jobs() == {EXPORT: Job(AT + HOUR)}


def test_the_statement_can_be_written_for_postgresql() -> None:
    statement = tables.insert(tables.jobs, "postgresql")
    statement = statement.on_conflict_do_update(
        index_elements=[tables.jobs.c.check_id], set_={"body": statement.excluded.body}
    )
    words = str(statement.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    assert "ON CONFLICT (check_id) DO UPDATE SET body = excluded.body" in words


@pytest.mark.parametrize(
    ("job", "then"),
    [
        (Job(AT), Job(AT)),
        (Job(AT, Beat(AT, False, "x")), Job(AT, Beat(AT, False, "x"))),
        (Job(AT + HOUR), Job(AT)),
        (Job(AT - HOUR, Beat(AT + HOUR, False, "x")), Job(AT - HOUR, Beat(AT, False, "x"))),
    ],
)
def test_a_clock_that_is_set_back_leaves_no_call_in_the_future(job: Job, then: Job) -> None:
    assert not_later(job, AT) == then
