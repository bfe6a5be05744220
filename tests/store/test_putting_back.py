"""A backup is put back beside a copy of the other site's state: one of the two counts then, and nothing is lost."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from failover.itself import Ground
from monitor.core.events import Event
from monitor.store import AuditEntry, Batch, DiskFull, Store, StoreError, WriterBusy, open_store
from monitor.store.archive import Exists, back_up
from monitor.store.feed import Piece, Standing
from monitor.store.feed_apply import Diverged
from monitor.store.folder import PEER, RESTORING, STATE_FILE
from monitor.store.link_key import link_key
from monitor.store.putting_back import NewerCopy, put_back
from monitor.store.replica import Admission, Replica, current_copy
from monitor.store.rivalry import Extent, is_older
from monitor.store.tables import audit
from monitor.store.taking_over import SKIPPED, _begin
from monitor.store.whose import Footing, footing, own_standing, superseded

KILLED = 86


@pytest.fixture
def secours(store: Store, tmp_path: Path, start: datetime) -> Path:
    """The folder of the other site, with a copy of the centre, made under a later lease than the backup `old.zip`."""
    store.feed.start(3)
    store.commit(Batch(audit=(AuditEntry("uid:1", "of long ago"),)))
    back_up(store.folder, tmp_path / "old.zip", start, history=False)
    standing = store.feed.start(9)
    back_up(store.folder, tmp_path / "all.zip", start, history=False)
    with Replica(tmp_path / "secours" / PEER) as replica:
        replica.install(standing, tmp_path / "all.zip")
    return tmp_path / "secours"


@pytest.mark.parametrize("table", ["feed_state", "audit"])
def test_a_damaged_copy_is_set_aside_and_what_is_put_back_is_gone_on_with(
    secours: Path, tmp_path: Path, start: datetime, table: str
) -> None:
    copy = current_copy(secours / PEER)
    assert copy is not None
    with closing(sqlite3.connect(copy / STATE_FILE)) as database:
        ((page,),) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))
    with (copy / STATE_FILE).open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(b"no page" * 500)
    damaged = (copy / STATE_FILE).read_bytes()
    assert footing(secours).ground is (Ground.COPY if table == "audit" else Ground.DAMAGED), "nobody read all of it"
    done = put_back(secours, tmp_path / "old.zip", start, actor="uid:0")
    assert done.aside is not None
    assert (done.aside / copy.name / STATE_FILE).read_bytes() == damaged
    assert footing(secours).ground is Ground.OWN
    again = put_back(secours, tmp_path / "old.zip", start, actor="uid:0", over=True)
    assert again.aside not in (None, done.aside)


def everything_in(folder: Path) -> dict[str, bytes]:
    """What lies in `folder`, but for locks and what a reader leaves beside a database."""
    left = ("lock", "-shm", "-wal")
    files = (one for one in folder.rglob("*") if one.is_file() and not one.name.endswith(left))
    return {str(one.relative_to(folder)): one.read_bytes() for one in files}


def copied(state: Store, folder: Path, tmp_path: Path, now: datetime, token: int) -> Path:
    """Let `folder` have a copy of `state` as it is now, made under the lease `token`; return the copy."""
    standing = state.feed.start(token)
    backup = tmp_path / f"{uuid4().hex}.zip"
    back_up(state.folder, backup, now, history=False)
    with Replica(folder / PEER, own_standing(folder)) as replica:
        replica.install(standing, backup)
        piece = state.feed.after(replica.reached().cursor or 0, 2**20)
        assert piece is not None
        replica.take(standing, piece)
        assert replica.path is not None
        return replica.path


@pytest.mark.parametrize("token", [3, 9])
@pytest.mark.parametrize("own", [False, True])
def test_beside_a_newer_copy_nothing_is_put_back_unless_a_person_says_so_and_then_that_counts(
    store: Store, tmp_path: Path, start: datetime, opening: Callable[..., Event], token: int, own: bool
) -> None:
    data = tmp_path / "secours"
    store.feed.start(3)
    store.commit(Batch(events=(opening(1),)))
    back_up(store.folder, tmp_path / "old.zip", start, history=False)
    store.commit(Batch(events=(opening(7),)))
    copy = copied(store, data, tmp_path, start + timedelta(days=2), token)
    if own:
        open_store(data, write=True, ballast=0).close()
    before = everything_in(data)
    with pytest.raises(NewerCopy) as caught:
        put_back(data, tmp_path / "old.zip", start, actor="uid:0", over=own, ballast=0)
    assert everything_in(data) == before
    assert caught.value.rival.path == copy
    assert caught.value.rival.extent.at == start + timedelta(days=2)
    assert caught.value.made_at == start
    if own:
        with pytest.raises(Exists):
            put_back(data, tmp_path / "old.zip", start, actor="uid:0", over_copy=True, ballast=0)
        assert everything_in(data) == before

    done = put_back(data, tmp_path / "old.zip", start, actor="uid:0", over=own, over_copy=True, ballast=0)
    assert footing(data) == Footing(Ground.OWN, token)
    assert not superseded(data)
    assert done.aside is not None
    assert done.copy is not None
    assert everything_in(done.copy) == {
        name.removeprefix(f"{PEER}/{copy.name}/"): body for name, body in before.items() if copy.name in name
    }
    with open_store(done.copy, write=False) as kept:
        assert len(kept.incidents()) == 2
    standing = store.feed.standing()
    assert standing is not None
    with Replica(data / PEER, own_standing(data)) as replica:
        assert replica.admit(standing) is Admission.STALE, "what the other one sends does not count either"
    with open_store(data, write=True, ballast=0) as state:
        assert state.load(start, timedelta(days=1)).state.next_number == 8 + SKIPPED, "people know of 26-0007"
        assert state.verify_audit().whole
        with state.engine.connect() as connection:
            (said,) = connection.execute(select(audit.c.data).where(audit.c.action == "restore")).scalars()
    assert json.loads(said)["copy_set_aside"]["epoch"] == standing.epoch


def test_beside_a_copy_that_the_backup_holds_all_of_it_is_put_back_and_no_number_is_left_out(
    store: Store, tmp_path: Path, start: datetime, opening: Callable[..., Event]
) -> None:
    copy = copied(store, tmp_path / "secours", tmp_path, start, 3)
    store.commit(Batch(events=(opening(1),)))
    back_up(
        store.folder, tmp_path / "new.zip", start - timedelta(days=1), history=False
    )  # by a clock that was set back
    store.feed.start(4)
    done = put_back(tmp_path / "secours", tmp_path / "new.zip", start, actor="uid:0", ballast=0)
    assert done.copy is not None
    assert done.copy.name == copy.name
    assert footing(tmp_path / "secours").ground is Ground.OWN
    with open_store(tmp_path / "secours", write=False) as state:
        assert state.load(start, timedelta(days=1)).state.next_number == 2


def test_a_copy_that_could_not_follow_to_its_end_is_newer_all_the_same(
    store: Store, tmp_path: Path, start: datetime
) -> None:
    data = tmp_path / "secours"
    store.feed.start(3)
    back_up(store.folder, tmp_path / "old.zip", start, history=False)
    store.commit(Batch(audit=(AuditEntry("uid:1", "of today"),)))
    copied(store, data, tmp_path, start, 3)
    with Replica(data / PEER) as replica, pytest.raises(Diverged):
        standing = replica.standing()
        assert standing is not None
        bad = ('["-","audit",{"seq":9999}]', '[".","2026-11-23T02:00:00+00:00"]')
        replica.take(standing, Piece((replica.reached().cursor or 0) + 1, bad))
    with pytest.raises(NewerCopy) as caught:
        put_back(data, tmp_path / "old.zip", start, actor="uid:0", ballast=0)
    assert caught.value.rival.broken


def test_a_copy_that_the_disk_does_not_give_back_keeps_nobody_from_putting_a_backup_back(
    secours: Path, tmp_path: Path, start: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, connected = current_copy(secours / PEER), sqlite3.connect
    assert copy is not None

    def fails(database: Any, *args: Any, **others: Any) -> sqlite3.Connection:
        if copy.name in str(database):
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
            raise error
        return connected(database, *args, **others)

    monkeypatch.setattr(sqlite3, "connect", fails)
    before = everything_in(secours)
    with pytest.raises(NewerCopy) as caught:  # it may be read another time, and is the newer one for all we know
        put_back(secours, tmp_path / "old.zip", start, actor="uid:0", ballast=0)
    assert everything_in(secours) == before
    assert (caught.value.rival.path, caught.value.rival.extent.at) == (copy, None)
    done = put_back(secours, tmp_path / "old.zip", start, actor="uid:0", over_copy=True, ballast=0)
    assert done.copy is not None
    assert footing(secours) == Footing(Ground.OWN, 9), "it counts more than what the other one writes"


@pytest.mark.parametrize("number", ["1e999", "1" + "0" * 30])
def test_a_number_in_the_copy_that_no_incident_can_have_neither_stops_a_backup_nor_spoils_it(
    secours: Path, tmp_path: Path, start: datetime, opening: Callable[..., Event], number: str
) -> None:
    copy = current_copy(secours / PEER)
    assert copy is not None
    with closing(sqlite3.connect(copy / STATE_FILE)) as database:
        database.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('left_out', ?)", (number,))
        database.commit()
    with pytest.raises(NewerCopy):
        put_back(secours, tmp_path / "old.zip", start, actor="uid:0", ballast=0)
    put_back(secours, tmp_path / "old.zip", start, actor="uid:0", over_copy=True, ballast=0)
    with open_store(secours, write=True, ballast=0) as state:
        given = state.load(start, timedelta(days=1)).state.next_number
        state.commit(Batch(events=(opening(given),)))
        assert given == 1 + SKIPPED


LONG_AGO, THEN = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)
FIRST, SAME, LATER = Standing("a", 3, 1), Standing("a", 4, 1), Standing("b", 3, 2)


@pytest.mark.parametrize(
    ("copy", "backup", "older"),
    [
        (Extent(SAME, 10, THEN), Extent(FIRST, 11, LONG_AGO), True),
        (Extent(SAME, 11, LONG_AGO), Extent(FIRST, 11, THEN), True),
        (Extent(FIRST, 12, LONG_AGO), Extent(SAME, 11, THEN), False),
        (Extent(FIRST, None, LONG_AGO), Extent(LATER, 1, LONG_AGO), True),
        (Extent(LATER, 1, LONG_AGO), Extent(FIRST, 99, THEN), False),
        (Extent(FIRST, None, LONG_AGO), Extent(FIRST, 9, THEN), True),
        (Extent(LATER, 1, LONG_AGO), Extent(None, None, THEN), True),
        (Extent(LATER, 1, THEN), Extent(None, None, LONG_AGO), False),
        (Extent(LATER, 1, None), Extent(None, None, LONG_AGO), False),
        (Extent(None), Extent(FIRST, 1, THEN), False),
    ],
)
def test_rows_are_counted_before_changes_of_roles_and_those_before_clocks(
    copy: Extent, backup: Extent, older: bool
) -> None:
    made_at = THEN if backup.at == THEN else LONG_AGO + timedelta(days=1)
    assert is_older(copy, backup, made_at) is older


def killed_at(event: int, data: Path, source: Path, now: datetime) -> bool:
    """Put back in a process that is gone at its `event`th call to the system; return whether it was."""
    child = os.fork()
    if child == 0:
        left = [event]

        def count(name: str, _args: object) -> None:
            if name.startswith(("os.", "open", "shutil.", "sqlite3.", "tempfile.")):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(KILLED)

        sys.addaudithook(count)
        try:
            put_back(data, source, now, actor="uid:0", over=True, over_copy=True, ballast=0)
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, KILLED)
    return code == KILLED


@pytest.fixture
def both(store: Store, tmp_path: Path, start: datetime) -> Path:
    """A folder with a state of its own, of one entry, and a newer copy, of four; `old.zip` has two of these."""
    data = tmp_path / "secours"
    store.feed.start(3)
    store.commit(Batch(audit=tuple(AuditEntry("uid:1", "note", {"n": n}) for n in range(2))))
    link_key(store.folder)
    back_up(store.folder, tmp_path / "old.zip", start, history=False)
    store.commit(Batch(audit=tuple(AuditEntry("uid:1", "note", {"n": n}) for n in range(2))))
    copied(store, data, tmp_path, start, 3)
    with open_store(data, write=True, ballast=0) as own:
        own.commit(Batch(audit=(AuditEntry("uid:9", "of our own"),)))
    return data


def entries_in(folder: Path) -> int:
    with open_store(folder, write=False) as state:
        assert state.verify_audit().whole
        return state.verify_audit().entries


def test_killed_anywhere_one_state_counts_no_new_one_is_begun_and_nothing_is_lost(
    both: Path, tmp_path: Path, start: datetime
) -> None:
    grounds: list[Ground] = []
    for event in range(random.randrange(3), 1000, 3):
        data = Path(shutil.copytree(both, tmp_path / "try" / str(event)))
        killed = killed_at(event, data, tmp_path / "old.zip", start)
        found = footing(data).ground
        grounds.append(found)
        if found in (Ground.DAMAGED, Ground.NOTHING):
            with pytest.raises(StoreError, match="cut short"):
                open_store(data, write=True, ballast=0)
        if found is Ground.OWN:
            with open_store(data, write=True, ballast=0) as state:
                assert state.verify_audit().entries == 3, "what was put back, whole, and nothing else"
                assert not state.feed.on, "no copy elsewhere could follow it"
            assert (data / "links.key").exists()
        kept = sorted(entries_in(one.parent) for one in data.rglob(STATE_FILE) if RESTORING not in str(one))
        assert [n for n in kept if n != 3] == [1, 4]
        done = put_back(data, tmp_path / "old.zip", start, actor="uid:0", over=True, over_copy=True, ballast=0)
        assert entries_in(data) == 3
        assert footing(data).ground is Ground.OWN
        assert not list(data.glob(f"{RESTORING}*"))
        assert done.aside is not None
        shutil.rmtree(data)
        if not killed:
            break
    else:
        pytest.fail("it never comes to an end")
    course = [Ground.COPY, Ground.DAMAGED, Ground.NOTHING, Ground.OWN]
    assert {Ground.COPY, Ground.NOTHING, Ground.OWN} <= set(grounds)
    assert grounds == sorted(grounds, key=course.index), "nothing of it is taken back"


def test_killed_anywhere_and_repeated_it_counts_more_than_the_copy_and_gives_no_number_of_it_again(
    store: Store, tmp_path: Path, start: datetime, opening: Callable[..., Event]
) -> None:
    data = tmp_path / "secours"
    store.feed.start(3)
    back_up(store.folder, tmp_path / "old.zip", start, history=False)
    store.commit(Batch(events=(opening(700),)))
    copied(store, data, tmp_path, start, 9)
    theirs = store.feed.standing()
    assert theirs is not None
    for event in range(random.randrange(3), 1000, 3):
        again = Path(shutil.copytree(data, tmp_path / "try" / str(event)))
        killed = killed_at(event, again, tmp_path / "old.zip", start)
        if footing(again).ground is not Ground.OWN or list(again.glob(f"{RESTORING}*")):  # else it was done
            put_back(again, tmp_path / "old.zip", start, actor="uid:0", over=True, over_copy=True, ballast=0)
        ours = own_standing(again)
        assert ours is not None
        assert ours.rank > theirs.rank
        with open_store(again, write=False) as state:
            assert state.load(start, timedelta(days=1)).state.next_number >= 701 + SKIPPED, "people know of 26-0700"
        shutil.rmtree(again)
        if not killed:
            break
    else:
        pytest.fail("it never comes to an end")


def test_a_disk_that_fails_at_any_of_its_moves_leaves_everything_where_it_was(
    both: Path, tmp_path: Path, start: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything_in(both)
    renamed = Path.rename
    for turn in range(20):
        left = [turn]

        def fails_once(old: Path, new: Path, left: list[int] = left) -> Path:
            left[0] -= 1
            if left[0] == -1:
                raise OSError(errno.ENOSPC, "No space left on device")
            return renamed(old, new)

        monkeypatch.setattr(Path, "rename", fails_once)
        try:
            put_back(both, tmp_path / "old.zip", start, actor="uid:0", over=True, over_copy=True, ballast=0)
        except DiskFull:
            assert everything_in(both) == before
            assert not list(both.glob("before-*"))
            assert not list(both.glob(f"{RESTORING}*"))
        else:
            break
    assert turn >= 5
    assert footing(both).ground is Ground.OWN


def test_nothing_is_put_back_under_a_releve_that_stands_by(secours: Path, tmp_path: Path, start: datetime) -> None:
    with Replica(secours / PEER), pytest.raises(WriterBusy):
        put_back(secours, tmp_path / "old.zip", start, actor="uid:0")
    assert not (secours / STATE_FILE).exists()


def test_where_there_is_no_other_site_a_backup_is_put_back_as_ever(
    store: Store, tmp_path: Path, start: datetime
) -> None:
    back_up(store.folder, tmp_path / "all.zip", start, history=False)
    assert put_back(tmp_path / "alone", tmp_path / "all.zip", start, actor="uid:0").aside is None
    assert footing(tmp_path / "alone").ground is Ground.OWN
    assert not (tmp_path / "alone" / PEER).exists()


@pytest.mark.parametrize("hurt", [True, False])
def test_a_take_over_that_was_cut_short_keeps_nobody_from_going_on_with_what_was_put_back(
    tmp_path: Path, start: datetime, hurt: bool
) -> None:
    data = tmp_path / "data"
    with open_store(data, write=True, ballast=0) as ours:
        ours.commit(Batch(audit=(AuditEntry("uid:1", "of long ago"),)))
        back_up(data, tmp_path / "ours.zip", start, history=False)
    with open_store(tmp_path / "centre", write=True, ballast=0) as theirs:
        standing = theirs.feed.start(7)
        theirs.commit(Batch(audit=(AuditEntry("uid:1", "of today"), AuditEntry("uid:1", "of now"))))
        back_up(theirs.folder, tmp_path / "theirs.zip", start, history=False)
    with Replica(data / PEER) as replica:
        replica.install(standing, tmp_path / "theirs.zip")
        copy = replica.path
    assert copy is not None
    _begin(data, start, AuditEntry("releve", "take over", {}, start), 8, 0, by_itself=True)  # and killed there
    if hurt:
        (copy / "state.db").write_bytes(b"no database" * 10_000)
    if not hurt:
        with pytest.raises(NewerCopy):
            put_back(data, tmp_path / "ours.zip", start, actor="uid:1", over=True, ballast=0)
        assert footing(data) == Footing(Ground.TAKEN, 8)
    put_back(data, tmp_path / "ours.zip", start, actor="uid:1", over=True, over_copy=not hurt, ballast=0)
    assert footing(data).ground is Ground.OWN
    with open_store(data, write=True, ballast=0) as store:
        assert store.verify_audit().entries == 2
