"""The key of links: made once, for its owner only, the same after a restart and in a backup."""

import os
import stat
import zipfile
from datetime import timedelta

import pytest

from monitor.store import ReadOnlyFolder
from monitor.store.archive import back_up
from monitor.store.folder import KEY_FILE
from monitor.store.link_key import SIZE, link_key
from monitor.store.putting_back import put_back


def test_the_key_is_made_once_for_its_owner_only(tmp_path):
    key = link_key(tmp_path)
    assert len(key) == SIZE and link_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [KEY_FILE]


def test_two_folders_have_two_keys(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert link_key(tmp_path / "a") != link_key(tmp_path / "b")


@pytest.mark.parametrize("damaged", [b"", b"short", b"x" * 33])
def test_a_damaged_key_is_replaced(tmp_path, damaged):
    (tmp_path / KEY_FILE).write_bytes(damaged)
    key = link_key(tmp_path)
    assert len(key) == SIZE and key != damaged[:SIZE] and link_key(tmp_path) == key


def test_a_key_that_others_could_read_is_closed_to_them(tmp_path):
    link_key(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o644)
    link_key(tmp_path)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def test_what_a_kill_left_half_written_is_in_nobodys_way(tmp_path):
    (tmp_path / f".{KEY_FILE}.new").write_bytes(b"half")
    assert len(link_key(tmp_path)) == SIZE


def test_a_symbolic_link_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_bytes(os.urandom(SIZE))
    (tmp_path / KEY_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ReadOnlyFolder, match="symbolic link"):
        link_key(tmp_path)


def test_a_backup_brings_the_key_back(store, tmp_path, start):
    key = link_key(store.folder)
    back_up(store.folder, tmp_path / "backup.zip", start)
    put_back(tmp_path / "other", tmp_path / "backup.zip", start + timedelta(hours=1), actor="uid:1", ballast=0)
    assert link_key(tmp_path / "other") == key
    assert stat.S_IMODE((tmp_path / "other" / KEY_FILE).stat().st_mode) == 0o600


def test_a_backup_of_before_there_was_a_key_is_put_back(store, tmp_path, start):
    back_up(store.folder, tmp_path / "backup.zip", start)
    with zipfile.ZipFile(tmp_path / "backup.zip") as archive:
        names, manifest = archive.namelist(), archive.read("manifest.json").decode()
        state = archive.read("state.db")
    assert KEY_FILE not in names
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as archive:
        archive.writestr("manifest.json", manifest.replace('"format": 2', '"format": 1'))
        archive.writestr("state.db", state)
        if "history.db" in names:
            with zipfile.ZipFile(tmp_path / "backup.zip") as first:
                archive.writestr("history.db", first.read("history.db"))
    done = put_back(tmp_path / "other", tmp_path / "old.zip", start, actor="uid:1", ballast=0)
    assert done.made_at == start
