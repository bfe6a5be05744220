"""Files that people attached to incidents, in a folder of the state: each appears whole or not at all."""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import suppress
from pathlib import Path

from monitor.core.attachment import LARGEST
from monitor.core.text import say
from monitor.store.ballast import SIZE
from monitor.store.errors import Corrupt, disk_full, free_bytes, translated
from monitor.store.folder import give_to_owner_of_folder

FOLDER = "attachments"
MOST_BYTES = 240
"""Of a name: with what a file is called while it is written, 255 at most."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ONE_AT_A_TIME = threading.Lock()


def keep(folder: Path, name: str, data: bytes, *, spare: int = SIZE) -> None:
    """Keep `data` as the file `name` (mode 0600) in the state `folder`; it is on the disk when this returns.

    It never takes the room that the state may need, `spare` bytes: DiskFull is raised first. Raises StoreError. Blocks.
    A symbolic link is not followed, as for every file of the state.
    """
    path = folder / FOLDER
    with _ONE_AT_A_TIME, translated(path):
        if free_bytes(folder) < len(data) + spare:
            raise disk_full(folder)
        directory = _folder_in(folder)
        try:
            made = f".{name}.new"
            with suppress(FileNotFoundError):
                os.unlink(made, dir_fd=directory)
            descriptor = os.open(made, _NEW, 0o600, dir_fd=directory)
            with os.fdopen(descriptor, "wb") as file:
                give_to_owner_of_folder(descriptor, folder)
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            os.replace(made, name, src_dir_fd=directory, dst_dir_fd=directory)
            os.fsync(directory)
        finally:
            os.close(directory)


def _folder_in(folder: Path) -> int:
    """A descriptor of the folder, which is made if it is not there."""
    path, made = folder / FOLDER, False
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
        made = True
    directory = os.open(path, _DIRECTORY)
    if made:
        give_to_owner_of_folder(directory, folder)
        above = os.open(folder, _DIRECTORY)
        try:
            os.fsync(above)
        finally:
            os.close(above)
    return directory


def read(folder: Path, name: str, sha256: str) -> bytes:
    """Return the file `name` of the state `folder`. Raises StoreError, also where its hash is another. Blocks."""
    path = folder / FOLDER
    with translated(path):
        try:
            directory = os.open(path, _DIRECTORY)
            try:
                descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            finally:
                os.close(directory)
        except FileNotFoundError as error:
            raise Corrupt(say("{path} is no longer there: look for it in a backup", path=str(path / name))) from error
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(LARGEST + 1)
    if hashlib.sha256(data).hexdigest() != sha256:
        where = str(path / name)
        raise Corrupt(say("{path} is not what was attached, its SHA-256 differs: look for it in a backup", path=where))
    return data


def kept(folder: Path) -> tuple[str, ...]:
    """Return the names of the files that are kept in the state `folder`, in order; none that is not whole."""
    path = folder / FOLDER
    if path.is_symlink() or not path.is_dir():
        return ()
    with translated(path):
        found = [entry.name for entry in path.iterdir() if entry.is_file() and not entry.is_symlink()]
    return tuple(sorted(name for name in found if may_be_kept(name)))


def may_be_kept(name: str) -> bool:
    """Return whether a file may be kept under `name`: one part of a path, of the signs that `cleaned` leaves."""
    plain = all(sign.isalnum() or sign in "._-" for sign in name)
    return plain and 0 < len(name.encode()) <= MOST_BYTES and not name.startswith(".")
