"""Who may open the state, where it may lie, and what is said when it cannot be opened."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor.core.events import Event
from monitor.core.ids import CheckId
from monitor.core.text import Text
from monitor.store import (
    AuditEntry,
    Batch,
    Corrupt,
    Locked,
    MissingStore,
    NetworkFileSystem,
    NewerSchema,
    OlderSchema,
    ReadOnlyFolder,
    Sample,
    Store,
    StoreError,
    Writer,
    WriterBusy,
    current_writer,
    open_store,
)
from monitor.store.engine import bring_up_to_date
from monitor.store.folder import Mounted, file_system, refuse_network
from monitor.store.tables import STATE_REVISIONS

NOBODY = 65534
DISK = CheckId("hmp-disk")
MOUNTS = r"""
22 27 0:21 / /proc rw,nosuid shared:5 - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 27 0:30 / /srv rw shared:9 - nfs4 server:/export rw,vers=4.2
31 30 0:31 / /srv/local rw shared:9 - xfs /dev/sdb rw
32 27 0:32 / /mnt/un\040partage rw - cifs //server/partage rw
33 27 0:33 / /over rw - ext4 /dev/sdc rw
34 33 0:34 / /over rw - fuse.sshfs user@host: rw
35 27 0:35 / /tmp rw - tmpfs tmpfs rw
nonsense
"""


def values(text: Text) -> dict[str, str]:
    return {name: str(value) for name, value in text.values}


def test_folder_and_files_are_for_one_user_only(
    store: Store, folder: Path, start: datetime, opening: Callable[..., Event]
) -> None:
    store.commit(Batch(events=(opening(1),)))
    store.write_samples([Sample(DISK, "used", "%", start, 1.0)])
    store.close()
    with open_store(folder, write=True, ballast=4096) as again:
        again.commit(Batch(audit=(AuditEntry("a", "b"),)))
        again.write_samples([Sample(DISK, "used", "%", start, 2.0)])
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in folder.iterdir()}
        assert {"state.db", "state.db-wal", "history.db", "history.db-wal", "lock", "ballast"} <= set(modes)
        assert set(modes.values()) == {0o600}


def test_a_second_writer_is_told_who_the_first_is(store: Store, folder: Path) -> None:
    with pytest.raises(WriterBusy) as caught:
        open_store(folder, write=True)
    assert caught.value.pid == os.getpid()
    assert values(caught.value.text)["pid"] == str(os.getpid())
    assert caught.value.since is not None
    assert current_writer(folder) == Writer(os.getpid(), caught.value.since)


def test_a_writer_that_ended_holds_nobody_back(store: Store, folder: Path) -> None:
    store.close()
    assert current_writer(folder) is None
    with open_store(folder, write=True, ballast=0):
        assert current_writer(folder) is not None
    store.close()


def test_a_writer_that_was_killed_holds_nobody_back(folder: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom monitor.store import open_store\n"
        "store = open_store(Path(sys.argv[1]), write=True, ballast=0)\nprint('open', flush=True)\nsys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        with pytest.raises(WriterBusy) as caught:
            open_store(folder, write=True)
        assert caught.value.pid == child.pid
        child.kill()
        child.wait()
        assert current_writer(folder) is None
        open_store(folder, write=True, ballast=0).close()


def test_readers_need_no_lock_and_see_what_is_committed(
    store: Store, folder: Path, start: datetime, opening: Callable[..., Event]
) -> None:
    with open_store(folder, write=False) as one, open_store(folder, write=False) as two:
        store.commit(Batch(events=(opening(1),)))
        assert [i.id for i in one.incidents()] == [i.id for i in two.incidents()] == ["26-0001"]
        with pytest.raises(ReadOnlyFolder):
            one.commit(Batch(audit=(AuditEntry("a", "b"),)))
        assert not one.restore_ballast()


def test_another_programs_lock_is_named_and_what_waits_is_written_after_it(
    store: Store, folder: Path, opening: Callable[..., Event]
) -> None:
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(folder / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Locked, match="locked by another program"):
            store.commit(Batch(events=(opening(1),)))
        other.execute("ROLLBACK")
    store.commit(Batch(events=(opening(1),)))
    assert len(store.incidents()) == 1


@pytest.mark.parametrize("exchanged", [False, True])
def test_a_state_that_is_deleted_or_exchanged_under_the_writer_is_not_written_to_nobody(
    store: Store, folder: Path, opening: Callable[..., Event], *, exchanged: bool
) -> None:
    store.commit(Batch(events=(opening(1),)))
    if exchanged:
        shutil.copy(folder / "state.db", folder / "copy")
        (folder / "copy").rename(folder / "state.db")
    else:
        (folder / "state.db").unlink()
    with pytest.raises(StoreError, match="deleted or exchanged"):
        store.commit(Batch(events=(opening(2),)))


def test_there_must_be_a_state_to_read(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(MissingStore) as caught:
        open_store(folder, write=False)
    assert values(caught.value.text)["path"] == str(folder)
    assert not folder.exists()
    (tmp_path / "state.db").touch()
    with pytest.raises(MissingStore):
        open_store(tmp_path, write=False)


def test_a_reader_needs_no_right_to_write(
    store: Store, folder: Path, opening: Callable[..., Event], unprivileged: Callable[..., None]
) -> None:
    store.commit(Batch(events=(opening(1),)))
    store.close()
    unprivileged(folder)
    with open_store(folder, write=False) as reader:
        assert len(reader.incidents()) == 1


def test_a_folder_that_cannot_be_written_is_named(
    store: Store, folder: Path, unprivileged: Callable[..., None]
) -> None:
    store.close()
    unprivileged(folder)
    with pytest.raises(ReadOnlyFolder) as caught:
        open_store(folder, write=True)
    assert str(folder) in values(caught.value.text)["path"]


@pytest.fixture
def unprivileged(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Return a function that leaves a folder to be read only, and us without root's right to write it all the same."""
    opened: list[tuple[Path, int]] = []

    def lower(folder: Path) -> None:
        for parent in (folder, *folder.parents):
            mode = stat.S_IMODE(parent.stat().st_mode)
            if os.geteuid() == 0 and parent.owner() == "root" and not mode & 0o001:
                opened.append((parent, mode))
                parent.chmod(mode | 0o011)
        for entry in (*folder.iterdir(), folder):
            opened.append((entry, stat.S_IMODE(entry.stat().st_mode)))
            entry.chmod(0o555 if entry.is_dir() else 0o444)
        if os.geteuid() == 0:
            os.seteuid(NOBODY)

    yield lower
    if os.getuid() == 0:
        os.seteuid(0)
    for entry, mode in reversed(opened):
        entry.chmod(mode)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ReadOnlyFolder) as caught:
        open_store(tmp_path / "file" / "data", write=True)
    assert values(caught.value.text)["path"] == str(tmp_path / "file" / "data")


@pytest.mark.parametrize(
    ("path", "mounted"),
    [
        ("/var/lib/releve", Mounted("/", "ext4")),
        ("/srv/data", Mounted("/srv", "nfs4")),
        ("/srv", Mounted("/srv", "nfs4")),
        ("/srv2", Mounted("/", "ext4")),
        ("/srv/local/data", Mounted("/srv/local", "xfs")),
        ("/mnt/un partage/x", Mounted("/mnt/un partage", "cifs")),
        ("/over/x", Mounted("/over", "fuse.sshfs")),
        ("/tmp/x", Mounted("/tmp", "tmpfs")),
    ],
)
def test_the_file_system_of_a_path_is_the_last_and_nearest_mount(path: str, mounted: Mounted) -> None:
    assert file_system(Path(path), MOUNTS) == mounted


@pytest.mark.parametrize("path", ["/srv/data", "/mnt/un partage/x", "/over/a/b"])
def test_a_network_file_system_is_refused(path: str) -> None:
    with pytest.raises(NetworkFileSystem) as caught:
        refuse_network(Path(path), MOUNTS)
    assert values(caught.value.text)["path"] == path


@pytest.mark.parametrize("path", ["/var/lib/releve", "/srv/local/data", "/tmp/x"])
def test_a_local_file_system_is_accepted(path: str) -> None:
    refuse_network(Path(path), MOUNTS)


def test_a_newer_schema_is_refused_and_left_as_it_is(store: Store, folder: Path) -> None:
    store.close()
    with closing(sqlite3.connect(folder / "state.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for write in (True, False):
        with pytest.raises(NewerSchema) as caught:
            open_store(folder, write=write)
        assert values(caught.value.text)["version"] == "9999"


def test_an_older_schema_is_not_for_readers_to_bring_up_to_date(store: Store, folder: Path) -> None:
    with pytest.raises(OlderSchema) as caught:
        bring_up_to_date(store.engine, folder / "state.db", (*STATE_REVISIONS, "9999"), write=False)
    assert "releve run" in caught.value.text.template


@pytest.fixture
def filled(store: Store, folder: Path, start: datetime, opening: Callable[..., Event]) -> Path:
    """The folder of a store with a hundred incidents and some samples, closed."""
    numbers = range(1, 101)
    audit = tuple(AuditEntry("releve", "open", {"n": n}) for n in numbers)
    store.commit(Batch(events=tuple(opening(n) for n in numbers), audit=audit))
    store.write_samples([Sample(DISK, "used", "%", start + timedelta(minutes=n), n) for n in numbers])
    store.close()
    return folder


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(path.stat().st_size))


def scratch(path: Path) -> None:
    """Overwrite a page in the middle."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096)


def another(path: Path) -> None:
    """Put the database of some other program in its place."""
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")


@pytest.mark.parametrize("damage", [truncate, empty, garbage, scratch, another, Path.unlink])
def test_a_damaged_state_is_named_with_the_remedy_and_never_begun_anew(
    filled: Path, damage: Callable[[Path], None]
) -> None:
    damage(filled / "state.db")
    with pytest.raises(Corrupt) as caught:
        open_store(filled, write=True)
    assert values(caught.value.text)["path"] == str(filled / "state.db")
    assert "releve restore" in caught.value.text.template
    assert current_writer(filled) is None


def test_what_root_makes_in_anothers_folder_belongs_to_that_user(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with tempfile.TemporaryDirectory() as place:
        os.chown(place, NOBODY, NOBODY)
        with open_store(Path(place), write=True, ballast=4096) as store:
            store.commit(Batch(audit=(AuditEntry("a", "b"),)))
            assert {entry.stat().st_uid for entry in Path(place).iterdir()} == {NOBODY}


@pytest.mark.parametrize("name", ["lock", "state.db"])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_laid_in_the_folder_never_chooses_what_is_written(folder: Path, *, name: str, there: bool) -> None:
    folder.mkdir()
    target = folder.parent / "elsewhere"
    if there:
        target.write_text("somebody's")
    (folder / name).symlink_to(target)
    with pytest.raises(ReadOnlyFolder) as caught:
        open_store(folder, write=True, ballast=0)
    assert values(caught.value.text)["path"] == str(folder / name)
    assert "symbolic link" in str(caught.value)
    assert (target.read_text() == "somebody's") if there else not target.exists()


def test_a_link_laid_as_the_ballast_is_taken_away(folder: Path) -> None:
    folder.mkdir()
    target = folder.parent / "elsewhere"
    (folder / "ballast").symlink_to(target)
    with open_store(folder, write=True, ballast=4096) as store:
        assert not store.ballast_standing
        assert store.restore_ballast()
    assert not target.exists()
