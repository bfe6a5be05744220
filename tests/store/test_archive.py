"""A backup holds everything, is made beside a running writer, and is put back only if it is whole."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alerts.notice import Notice
from monitor.core.events import Event
from monitor.core.ids import CheckId
from monitor.store import (
    AuditEntry,
    Batch,
    Corrupt,
    MissingStore,
    Sample,
    Store,
    StoreError,
    WriterBusy,
    open_store,
)
from monitor.store.archive import Exists, back_up
from monitor.store.putting_back import put_back

DISK = CheckId("hmp-disk")
NOBODY = 65534


@pytest.fixture
def filled(store: Store, opening: Callable[..., Event], notice: Callable[..., Notice], start: datetime) -> Store:
    """An open store with something of everything."""
    store.commit(Batch(events=(opening(1),), notices=(notice(1),), audit=(AuditEntry("uid:1", "open"),)))
    store.write_samples([Sample(DISK, "used", "%", start + timedelta(minutes=n), n) for n in range(10)])
    return store


@pytest.fixture
def file(filled: Store, tmp_path: Path, start: datetime) -> Path:
    """A backup of `filled`."""
    path = tmp_path / "backup.zip"
    back_up(filled.folder, path, start)
    return path


def test_a_backup_made_beside_the_writer_comes_back_whole(
    filled: Store, tmp_path: Path, start: datetime, opening: Callable[..., Event]
) -> None:
    path, other = tmp_path / "backup.zip", tmp_path / "other"
    made = back_up(filled.folder, path, start)
    filled.commit(Batch(events=(opening(2),)))
    assert (made.path, made.head, made.has_history) == (path, filled.audit_head(), True)
    assert made.size == path.stat().st_size
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    done = put_back(other, path, start, actor="uid:7", ballast=0)
    assert (done.made_at, done.head, done.aside) == (start, made.head, None)
    with open_store(other, write=False) as restored:
        assert [incident.id for incident in restored.incidents()] == ["26-0001"]
        assert restored.notices() == filled.notices()
        assert len(restored.samples(DISK, "used", start, start + timedelta(1))) == 10
        report = restored.verify_audit(made.head)
        assert (report.whole, report.entries) == (True, 2)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["backup.zip", "data", "other"]
    assert {stat.S_IMODE((other / name).stat().st_mode) for name in ("state.db", "history.db")} == {0o600}


def test_a_backup_does_not_overwrite(filled: Store, file: Path, start: datetime) -> None:
    before = file.read_bytes()
    with pytest.raises(Exists):
        back_up(filled.folder, file, start)
    assert file.read_bytes() == before


def test_there_must_be_something_to_back_up_and_somewhere_to_put_it(
    filled: Store, tmp_path: Path, start: datetime
) -> None:
    with pytest.raises(MissingStore):
        back_up(tmp_path / "nothing", tmp_path / "b.zip", start)
    with pytest.raises(StoreError, match="no folder"):
        back_up(filled.folder, tmp_path / "nowhere" / "b.zip", start)


def test_a_history_that_cannot_be_read_is_left_out(filled: Store, tmp_path: Path, start: datetime) -> None:
    filled.close()
    (filled.folder / "history.db").write_bytes(b"garbage" * 1000)
    made = back_up(filled.folder, tmp_path / "backup.zip", start)
    assert not made.has_history
    assert made.left_out
    assert not put_back(tmp_path / "other", made.path, start, actor="uid:7", ballast=0).has_history


def test_a_state_without_any_measurement_is_backed_up_too(store: Store, tmp_path: Path, start: datetime) -> None:
    made = back_up(store.folder, tmp_path / "backup.zip", start)
    assert (made.has_history, made.left_out) == (False, None)
    assert not put_back(tmp_path / "other", made.path, start, actor="uid:7", ballast=0).has_history


def test_a_damaged_state_makes_no_backup(filled: Store, tmp_path: Path, start: datetime) -> None:
    filled.close()
    with (filled.folder / "state.db").open("r+b") as database:
        database.seek(8192)
        database.write(b"\xff" * 8192)
    with pytest.raises(Corrupt):
        back_up(filled.folder, tmp_path / "backup.zip", start)
    assert [entry.name for entry in tmp_path.iterdir()] == ["data"]


def test_nothing_is_restored_under_a_running_writer(filled: Store, file: Path, start: datetime) -> None:
    with pytest.raises(WriterBusy) as caught:
        put_back(filled.folder, file, start, actor="uid:7", ballast=0, over=True)
    assert caught.value.pid == os.getpid()


def test_what_is_there_is_set_aside_only_on_request(
    filled: Store, file: Path, start: datetime, opening: Callable[..., Event]
) -> None:
    filled.commit(Batch(events=(opening(2),)))
    filled.keep_numbers((opening(9),))
    filled.close()
    shutil.copy(filled.folder / "state.db", filled.folder / "state.db-wal")
    with pytest.raises(Exists, match="--yes"):
        put_back(filled.folder, file, start, actor="uid:7", ballast=0)
    done = put_back(filled.folder, file, start, actor="uid:7", ballast=0, over=True)
    assert done.aside is not None
    assert {entry.name for entry in done.aside.iterdir()} == {"state.db", "state.db-wal", "history.db"}
    with open_store(filled.folder, write=False) as restored:
        assert len(restored.incidents()) == 1
        assert restored.load(start, timedelta(days=1)).state.next_number == 10
    (done.aside / "state.db-wal").unlink()
    with open_store(done.aside, write=False) as before:
        assert len(before.incidents()) == 2


def rewrite(path: Path, change: Callable[[dict[str, bytes]], object]) -> None:
    """Change the members of the ZIP file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def other_bytes(path: Path) -> None:
    rewrite(path, lambda members: members.update({"state.db": members["state.db"][:-1] + b"x"}))


def longer(path: Path) -> None:
    rewrite(path, lambda members: members.update({"history.db": members["history.db"] + b"x"}))


def no_state(path: Path) -> None:
    rewrite(path, lambda members: members.pop("state.db"))


def no_manifest(path: Path) -> None:
    rewrite(path, lambda members: members.pop("manifest.json"))


def a_way_out(path: Path) -> None:
    """A member that would be written outside the folder."""

    def change(members: dict[str, bytes]) -> None:
        manifest = json.loads(members["manifest.json"])
        manifest["files"]["../../evil"] = manifest["files"]["history.db"]
        members["../../evil"] = members["history.db"]
        members["manifest.json"] = json.dumps(manifest).encode()

    rewrite(path, change)


def not_a_database(path: Path) -> None:
    """The hash is right, the content is not."""

    def change(members: dict[str, bytes]) -> None:
        manifest = json.loads(members["manifest.json"])
        manifest["files"]["state.db"] = {
            "sha256": "3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7",
            "size": 4,
        }
        members["state.db"] = b"data"
        members["manifest.json"] = json.dumps(manifest).encode()

    rewrite(path, change)


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage", [other_bytes, longer, no_state, no_manifest, a_way_out, not_a_database, cut_short, flipped]
)
def test_a_damaged_backup_is_refused_and_the_folder_left_as_it_is(
    filled: Store, file: Path, start: datetime, damage: Callable[[Path], None]
) -> None:
    filled.close()
    damage(file)
    before = {entry.name: entry.read_bytes() for entry in filled.folder.iterdir()}
    with pytest.raises(Corrupt) as caught:
        put_back(filled.folder, file, start, actor="uid:7", ballast=0, over=True)
    assert dict(caught.value.text.values)["path"] == str(file)
    assert {entry.name: entry.read_bytes() for entry in filled.folder.iterdir()} == before


def test_a_backup_of_a_later_format_asks_for_its_version(file: Path, tmp_path: Path, start: datetime) -> None:
    def change(members: dict[str, bytes]) -> None:
        members["manifest.json"] = json.dumps({"format": 99, "releve": "9.0"}).encode()

    rewrite(file, change)
    with pytest.raises(StoreError, match="newer version"):
        put_back(tmp_path / "other", file, start, actor="uid:7", ballast=0)


def test_a_backup_that_is_not_there_is_named(tmp_path: Path, start: datetime) -> None:
    with pytest.raises(StoreError, match="no file"):
        put_back(tmp_path / "other", tmp_path / "none.zip", start, actor="uid:7", ballast=0)


def test_what_root_restores_into_anothers_folder_belongs_to_that_user(file: Path, start: datetime) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with tempfile.TemporaryDirectory() as place:
        os.chown(place, NOBODY, NOBODY)
        for _ in range(2):
            done = put_back(Path(place), file, start, actor="uid:0", over=True, ballast=0)
        assert done.aside is not None
        made = [done.aside, *done.aside.iterdir(), *Path(place).iterdir()]
        assert {entry.name: entry.stat().st_uid for entry in made if entry.stat().st_uid != NOBODY} == {}
