"""Samples come back by time; a history that fails leaves the state alone and comes back by itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor.core.events import Event
from monitor.core.ids import CheckId
from monitor.store import Batch, HistoryUnavailable, Sample, Series, Store, open_store
from monitor.store.history import History

DISK = CheckId("hmp-disk")
PING = CheckId("router-ping")


def minute_by_minute(start: datetime, count: int, check: CheckId = DISK, metric: str = "used") -> list[Sample]:
    return [Sample(check, metric, "%", start + timedelta(minutes=n), float(n)) for n in range(count)]


def test_samples_come_back_by_time_the_end_left_out(store: Store, start: datetime) -> None:
    store.write_samples(minute_by_minute(start, 10) + minute_by_minute(start, 10, PING, "rtt"))
    first, last = start + timedelta(minutes=2), start + timedelta(minutes=5)
    found = store.samples(DISK, "used", first, last)
    assert [value for _, value in found] == [2, 3, 4]
    assert abs(found[0][0] - first) < timedelta(milliseconds=1)
    assert store.samples(DISK, "free", first, last) == []


def test_series_are_listed_with_their_unit_which_may_change(
    store: Store, reopen: Callable[..., Store], start: datetime
) -> None:
    store.write_samples([Sample(PING, "rtt", "ms", start, 1.0), Sample(PING, "loss", "%", start, 0.0)])
    store.write_samples(
        [Sample(PING, "rtt", "s", start + timedelta(minutes=1), 0.001), Sample(DISK, "used", "%", start, 3)]
    )
    expected = [Series(PING, "loss", "%"), Series(PING, "rtt", "s")]
    assert store.series(PING) == expected
    assert reopen().series() == [Series(DISK, "used", "%"), *expected]


def test_writing_a_sample_again_changes_nothing(store: Store, start: datetime) -> None:
    for _ in range(2):
        store.write_samples(minute_by_minute(start, 3))
    assert len(store.samples(DISK, "used", start - timedelta(1), start + timedelta(1))) == 3


def test_what_is_no_finite_number_is_no_sample(store: Store, start: datetime) -> None:
    values = [math.nan, math.inf, -math.inf, 4.5]
    store.write_samples([Sample(PING, "rtt", "ms", start + timedelta(seconds=n), v) for n, v in enumerate(values)])
    assert [v for _, v in store.samples(PING, "rtt", start - timedelta(1), start + timedelta(1))] == [4.5]
    store.write_samples([])


def test_old_samples_go_and_series_without_any_go_with_them(store: Store, start: datetime) -> None:
    now = start + timedelta(days=91)
    store.write_samples(minute_by_minute(start, 10) + minute_by_minute(now, 2, PING, "rtt"))
    assert store.prune_samples(now) == 10
    assert store.series() == [Series(PING, "rtt", "%")]
    store.write_samples(minute_by_minute(now, 1))
    assert store.samples(DISK, "used", now - timedelta(1), now + timedelta(1))[0][1] == 0
    assert store.prune_samples(now) == 0


def test_a_reader_sees_what_the_writer_wrote(store: Store, folder: Path, start: datetime) -> None:
    with open_store(folder, write=False) as reader:
        assert reader.series() == []
        assert reader.samples(DISK, "used", start, start + timedelta(1)) == []
        store.write_samples(minute_by_minute(start, 3))
        assert len(reader.samples(DISK, "used", start - timedelta(1), start + timedelta(1))) == 3
        with pytest.raises(HistoryUnavailable):
            reader.write_samples(minute_by_minute(start, 3))


def test_a_damaged_history_leaves_the_state_alone_and_is_begun_anew_once_moved_away(
    store: Store, folder: Path, start: datetime, reopen: Callable[..., Store], opening: Callable[..., Event]
) -> None:
    store.write_samples(minute_by_minute(start, 10))
    store.close()
    (folder / "history.db").write_bytes(b"garbage " * 2000)
    again = reopen()
    with pytest.raises(HistoryUnavailable, match="damaged"):
        again.write_samples(minute_by_minute(start, 1))
    again.commit(Batch(events=(opening(1),)))
    assert len(again.incidents()) == 1
    (folder / "history.db").rename(folder / "history.db.damaged")
    again.write_samples(minute_by_minute(start, 1))
    assert len(again.samples(DISK, "used", start - timedelta(1), start + timedelta(1))) == 1


@pytest.mark.parametrize("names", [("history.db",), ("history.db", "history.db-wal", "history.db-shm")])
def test_a_history_deleted_to_make_room_gives_its_room_back_and_is_begun_anew(
    store: Store, folder: Path, start: datetime, names: tuple[str, ...]
) -> None:
    store.write_samples(minute_by_minute(start, 10))
    for name in names:
        (folder / name).unlink()
    later = start + timedelta(hours=1)
    store.write_samples(minute_by_minute(later, 3))
    held = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert not [path for path in held if str(path).startswith(str(folder)) and str(path).endswith("(deleted)")]
    with open_store(folder, write=False) as reader:
        assert len(reader.samples(DISK, "used", start, later + timedelta(hours=1))) == 3


def test_a_disk_that_is_nearly_full_takes_no_samples(tmp_path: Path, start: datetime) -> None:
    history = History(tmp_path, write=True, floor=2**62)
    with pytest.raises(HistoryUnavailable, match="nearly full"):
        history.write(minute_by_minute(start, 1))
    assert not list(tmp_path.iterdir())


def test_a_full_history_is_refused_whole_and_goes_on_when_there_is_room(tmp_path: Path, start: datetime) -> None:
    history = History(tmp_path, write=True, floor=0)
    history.write(minute_by_minute(start, 1))
    with history._opened().connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
    many = [Sample(PING, f"rtt.{n}", "ms", start, n) for n in range(5000)]
    with pytest.raises(HistoryUnavailable, match="full"):
        history.write(many)
    assert [one.check for one in history.series()] == [DISK]
    history.write(many)
    assert len(history.series(PING)) == 5000
    history.close()


def test_the_newest_sample_is_found_however_old_it_is(store: Store, start: datetime) -> None:
    assert store.latest_sample(PING, "rtt") is None
    at = (start - timedelta(days=300)).replace(microsecond=0)
    store.write_samples([Sample(PING, "rtt", "ms", at - timedelta(minutes=n), float(n)) for n in range(3)])
    store.write_samples([Sample(PING, "loss", "%", start, 7.0)])
    assert store.latest_sample(PING, "rtt") == (at, 0.0)
    assert store.latest_sample(DISK, "rtt") is None
