"""A backup is put back beside a copy of the other site's state: one that is damaged is set aside, others stay."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from failover.itself import Ground
from monitor.store import AuditEntry, Batch, Store, WriterBusy, open_store
from monitor.store.archive import back_up
from monitor.store.folder import PEER, STATE_FILE
from monitor.store.putting_back import put_back
from monitor.store.replica import Replica, current_copy
from monitor.store.taking_over import _begin, take_over
from monitor.store.whose import footing


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


def test_a_whole_copy_stays(secours: Path, tmp_path: Path, start: datetime) -> None:
    assert put_back(secours, tmp_path / "old.zip", start, actor="uid:0").aside is None
    assert footing(secours).ground is Ground.COPY


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
    put_back(data, tmp_path / "ours.zip", start, actor="uid:1", over=True, ballast=0)
    found = footing(data)
    assert found.ground is (Ground.OWN if hurt else Ground.TAKEN)
    if not hurt:
        take_over(data, start, actor="releve", token=9, by_itself=True)
    with open_store(data, write=True, ballast=0) as store:
        assert store.verify_audit().entries == (2 if hurt else 3)
