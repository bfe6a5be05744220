"""On a full disk nothing half-written stays, the ballast makes room for the state, and all goes on afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from alerts.notice import Notice
from monitor.core.events import Event
from monitor.store import AuditEntry, Batch, DiskFull, Store, StoreError, open_store
from monitor.store.ballast import Ballast
from monitor.store.highest import Highest

MEGABYTE = 2**20


@dataclass
class Disk:
    """A store whose database may not grow, as SQLite itself enforces it (SQLITE_FULL), until there is room."""

    store: Store

    def pragma(self, words: str) -> int:
        with self.store.engine.connect() as connection:
            return int(connection.exec_driver_sql(f"PRAGMA {words}").scalar_one())

    def fill(self) -> None:
        self.pragma(f"max_page_count = {self.pragma('page_count')}")

    def make_room(self) -> None:
        self.pragma("max_page_count = 1000000")


@pytest.fixture
def disk(folder: Path) -> Iterator[Disk]:
    with open_store(folder, write=True, ballast=MEGABYTE) as store:
        yield Disk(store)


def large(opening: Callable[..., Event], first: int, count: int = 200) -> Batch:
    """A batch that needs many new pages."""
    numbers = range(first, first + count)
    return Batch(
        events=tuple(opening(n) for n in numbers),
        audit=tuple(AuditEntry("releve", "open", {"n": n}) for n in numbers),
    )


def test_a_batch_for_which_there_is_no_room_leaves_nothing_behind(disk: Disk, opening: Callable[..., Event]) -> None:
    batch = large(opening, 1)
    disk.fill()
    with pytest.raises(DiskFull) as caught:
        disk.store.commit(batch)
    assert dict(caught.value.text.values)["path"] == str(disk.store.folder / "state.db")
    assert disk.store.incidents() == []
    disk.make_room()
    disk.store.commit(batch)
    assert len(disk.store.incidents()) == 200
    assert disk.store.verify_audit().entries == 200


def test_the_ballast_is_released_only_when_it_is_needed_and_kept_back_again_afterwards(
    disk: Disk, opening: Callable[..., Event]
) -> None:
    disk.store.commit(large(opening, 1, 3))
    assert disk.store.ballast_standing
    disk.fill()
    with pytest.raises(DiskFull):
        disk.store.commit(large(opening, 10))
    assert not disk.store.ballast_standing
    assert disk.store.restore_ballast()
    assert disk.store.ballast_standing


def test_what_the_ballast_makes_room_for_is_written_at_the_second_try(
    disk: Disk, opening: Callable[..., Event]
) -> None:
    disk.fill()
    ballast = disk.store.folder / "ballast"

    @event.listens_for(disk.store.engine, "begin")
    def room_where_the_ballast_lay(connection: object) -> None:
        if not ballast.exists():
            connection.exec_driver_sql("PRAGMA max_page_count = 1000000")  # type: ignore[attr-defined]

    disk.store.commit(large(opening, 1))
    assert len(disk.store.incidents()) == 200
    assert not ballast.exists()


def test_claims_and_settlements_are_refused_whole_too(
    disk: Disk, opening: Callable[..., Event], notice: Callable[..., Notice], start: datetime
) -> None:
    disk.store.commit(Batch(notices=(notice(1),)))
    disk.fill()
    (claimed,) = disk.store.claim(start, 1)
    with pytest.raises(DiskFull):
        disk.store.settle(
            claimed.key,
            state=claimed.state,
            at=start,
            answer="x" * MEGABYTE,
            attempts=1,
            channel="mail",
            address="",
            next_try_at=start + timedelta(1),
        )
    assert disk.store.notices() == [claimed]


def test_the_ballast_really_holds_its_room(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast", MEGABYTE)
    assert ballast.restore()
    assert ballast.path.stat().st_blocks * 512 >= MEGABYTE
    assert ballast.restore()
    assert ballast.release()
    assert not ballast.release()
    assert not ballast.standing


def test_a_disk_without_that_much_room_keeps_no_ballast(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast", 2**62)
    assert not ballast.restore()
    assert not ballast.path.exists()


def test_half_a_ballast_is_made_whole(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast", MEGABYTE)
    ballast.path.write_bytes(b"\0" * 1000)
    assert not ballast.standing
    assert ballast.restore()


def test_the_highest_number_is_kept_and_never_lowered(tmp_path: Path) -> None:
    highest = Highest(tmp_path / "highest")
    assert highest.read() == 0
    highest.prepare()
    for number, kept in [(7, 7), (3, 7), (12, 12)]:
        highest.keep(number)
        assert highest.read() == kept
    highest.prepare()
    assert highest.read() == 12
    assert highest.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("words", [b"", b"12", b"rubbish!!!", "٠١٢٣٤".encode()])
def test_a_file_that_holds_no_number_keeps_nobody_from_starting(tmp_path: Path, words: bytes) -> None:
    highest = Highest(tmp_path / "highest")
    highest.path.write_bytes(words)
    assert highest.read() == 0
    highest.prepare()
    highest.keep(1)
    assert highest.read() == 1


def test_a_number_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        Highest(tmp_path / "nowhere" / "highest").keep(1)
