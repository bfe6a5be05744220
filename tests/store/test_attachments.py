"""Attached files appear whole, for one user only, follow no link, leave the state its room, and are in a backup."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from monitor.clock import SystemClock
from monitor.store import DiskFull, StoreError, open_store
from monitor.store.archive import back_up
from monitor.store.attachments import FOLDER, keep, kept, may_be_kept, read
from monitor.store.putting_back import put_back

NAME = "26-0001-0123456789ab-router.log"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A state folder."""
    data = tmp_path / "data"
    open_store(data, write=True, ballast=0).close()
    return data


def test_a_file_is_kept_whole_and_for_one_user_only(folder):
    keep(folder, NAME, b"first")
    keep(folder, NAME, b"first")
    assert kept(folder) == (NAME,)
    assert (folder / FOLDER / NAME).read_bytes() == b"first"
    assert [path.stat().st_mode & 0o077 for path in (folder / FOLDER, folder / FOLDER / NAME)] == [0, 0]


def test_what_was_cut_off_is_no_attachment_and_stands_in_nobody_s_way(folder):
    (folder / FOLDER).mkdir()
    (folder / FOLDER / f".{NAME}.new").write_bytes(b"hal")
    assert kept(folder) == ()
    keep(folder, NAME, b"half and half")
    assert [path.name for path in (folder / FOLDER).iterdir()] == [NAME]


def test_it_is_read_back_as_it_was_attached_or_not_at_all(folder):
    digest = hashlib.sha256(b"link down").hexdigest()
    keep(folder, NAME, b"link down")
    assert read(folder, NAME, digest) == b"link down"
    path = folder / FOLDER / NAME
    path.write_bytes(b"link up")
    with pytest.raises(StoreError, match="SHA-256 differs"):
        read(folder, NAME, digest)
    path.unlink()
    with pytest.raises(StoreError, match="no longer there"):
        read(folder, NAME, digest)
    path.symlink_to("/etc/hostname")
    with pytest.raises(StoreError):
        read(folder, NAME, digest)


@pytest.mark.parametrize("linked", ["folder", "file"])
def test_no_link_is_followed(folder, tmp_path, linked):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_bytes(b"precious")
    if linked == "folder":
        (folder / FOLDER).symlink_to(elsewhere)
        with pytest.raises(StoreError):
            keep(folder, NAME, b"data")
    else:
        (folder / FOLDER).mkdir()
        (folder / FOLDER / NAME).symlink_to(elsewhere / "precious")
        assert kept(folder) == ()
        keep(folder, NAME, b"data")
    assert (elsewhere / "precious").read_bytes() == b"precious"
    assert [path.name for path in elsewhere.iterdir()] == ["precious"]


def test_the_room_that_the_state_may_need_is_never_taken(folder):
    with pytest.raises(DiskFull):
        keep(folder, NAME, b"data", spare=2**60)
    assert kept(folder) == ()


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "a b", "x" * 241, "a\nb"])
def test_what_no_file_may_be_called(name):
    assert not may_be_kept(name)


def test_a_backup_has_the_files_and_puts_them_back(folder, tmp_path):
    keep(folder, NAME, b"what the router said")
    made = back_up(folder, tmp_path / "copy.zip", SystemClock().now())
    with zipfile.ZipFile(made.path) as archive:
        assert f"{FOLDER}/{NAME}" in archive.namelist()
    (folder / FOLDER / NAME).write_bytes(b"changed since")
    restored = put_back(folder, made.path, SystemClock().now(), actor="uid:0", over=True, ballast=0)
    assert (folder / FOLDER / NAME).read_bytes() == b"what the router said"
    assert (folder / FOLDER / NAME).stat().st_mode & 0o077 == 0
    assert restored.aside is not None
    assert (restored.aside / FOLDER / NAME).read_bytes() == b"changed since"


def test_a_backup_whose_file_would_lie_elsewhere_or_was_changed_is_refused(folder, tmp_path):
    keep(folder, NAME, b"what the router said")
    made = back_up(folder, tmp_path / "copy.zip", SystemClock().now())
    for n, (old, new) in enumerate(((NAME, "../" + NAME), (NAME, ".." + NAME[2:]), ("router said", "router lied"))):
        spoilt = tmp_path / f"spoilt-{n}.zip"
        with zipfile.ZipFile(made.path) as archive, zipfile.ZipFile(spoilt, "w") as copy:
            for entry in archive.namelist():
                content = archive.read(entry)
                if entry == "manifest.json" or old == "router said":
                    content = content.replace(old.encode(), new.encode())
                copy.writestr(entry.replace(old, new), content)
        with pytest.raises(StoreError):
            put_back(tmp_path / f"other-{n}", spoilt, SystemClock().now(), actor="uid:0", ballast=0)
        assert [path.name for path in tmp_path.rglob("*router*") if path.parent != folder / FOLDER] == []
