"""What can go wrong with the state on disk, each with the path and the remedy, and where a driver's error belongs."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from monitor.core.reasons import reason
from monitor.core.text import Quantity, Speech, Text, say, verbatim

FULL_BELOW = 1_000_000
"""Bytes: an input/output error with less than this free is a full disk (a quota is reported so, not as ENOSPC)."""


class StoreError(Exception):
    """The state cannot be opened, read or written; `text` says which file and what to do, `str` the same in English."""

    def __init__(self, text: Text) -> None:
        super().__init__(Speech("en", str).render(text))
        self.text = text


class ReadOnlyFolder(StoreError):
    """The folder or a file in it cannot be created or written."""


class NetworkFileSystem(StoreError):
    """The folder lies on a network file system, where SQLite's locks and its shared memory do not hold."""


class MissingStore(StoreError):
    """There is no state yet, and it was opened for reading."""


class OlderSchema(StoreError):
    """The state was written by an older version, and it was opened for reading, so it cannot be brought up to date."""


class NewerSchema(StoreError):
    """The state was written by a newer version of Relève."""


class Corrupt(StoreError):
    """A file is damaged, or is none of ours."""


class Locked(StoreError):
    """A program other than Relève holds the database."""


class DiskFailed(StoreError):
    """The disk reports an input/output error."""


class DiskFull(StoreError):
    """There is no room, also after the ballast was released. Nothing of the transaction was written."""


class HistoryUnavailable(StoreError):
    """Samples cannot be written or read just now; the state is not touched by it."""


class WriterBusy(StoreError):
    """Another process writes this state: `pid`, since `since` (None where its lock file does not say)."""

    def __init__(self, folder: Path, pid: int | None, since: datetime | None) -> None:
        self.pid, self.since = pid, since
        path = str(folder)
        if pid is None or since is None:
            super().__init__(
                say("Another process of Relève already writes the state in {path}; stop it first", path=path)
            )
            return
        super().__init__(
            say(
                "Relève already writes the state in {path}: process {pid}, since {since}. Stop that one first, or "
                "choose another folder with --data",
                path=path,
                pid=str(pid),
                since=since,
            )
        )


def disk_full(path: Path) -> DiskFull:
    """Return the error of the full disk that holds `path`."""
    return DiskFull(
        say(
            "The disk that holds {path} is full ({free} free). Make room on it; writing goes on by itself then",
            path=str(path),
            free=Quantity(free_bytes(path), "By"),
        )
    )


def corrupt(path: Path, why: str) -> Corrupt:
    """Return the error of the damaged file `path`; `why`: what the database said."""
    return Corrupt(
        say(
            "{path} is damaged or is no database of Relève ({why}). Stop Relève and put a backup back: "
            "releve restore FILE --yes sets the damaged files aside",
            path=str(path),
            why=why,
        )
    )


def gone(path: Path) -> Corrupt:
    """Return the error of the database `path` that was deleted or exchanged while it was open."""
    return Corrupt(
        say(
            "{path} was deleted or exchanged while Relève writes it: what happens is kept in memory only. Stop Relève "
            "and put a backup back: releve restore FILE --yes",
            path=str(path),
        )
    )


def free_bytes(path: Path) -> int:
    """Return how many bytes an ordinary user can still write on the file system of `path`; 0 if nobody knows."""
    while not path.exists() and path != path.parent:
        path = path.parent
    try:
        seen = os.statvfs(path)
    except OSError:
        return 0
    return seen.f_bavail * seen.f_frsize


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what the database and the system say about `path` into a StoreError; what is a fault of ours stays."""
    try:
        yield
    except (sqlite3.Error, DBAPIError) as error:
        known = _of_database(error, path)
        if known is None:
            raise
        raise known from error
    except OSError as error:
        raise of_system(error, path) from error


def of_system(error: OSError, path: Path) -> StoreError:
    """Return what the system's `error` about `path` means for the state."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(path)
    if error.errno == errno.EIO:
        return _disk_failed(path, reason(error))
    if error.errno == errno.ELOOP:
        return ReadOnlyFolder(
            say(
                "{path} is a symbolic link, and whoever made it would choose what Relève writes to. Delete it; to have "
                "the state elsewhere, choose that folder with --data",
                path=str(error.filename or path),
            )
        )
    return ReadOnlyFolder(
        say(
            "Cannot use {path}: {why}. The user that runs Relève must be allowed to read and write there (chown); or "
            "choose another folder with --data",
            path=str(error.filename or path),
            why=reason(error),
        )
    )


def _of_database(error: sqlite3.Error | DBAPIError, path: Path) -> StoreError | None:
    raised = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(raised, "sqlite_errorcode", None)
    if code is None:
        return None
    why, primary = str(raised), code & 0xFF  # the low byte is the primary result code (sqlite.org/rescode.html)
    if primary == sqlite3.SQLITE_FULL:
        return disk_full(path)
    if primary == sqlite3.SQLITE_IOERR:
        return disk_full(path) if free_bytes(path) < FULL_BELOW else _disk_failed(path, verbatim(why))
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return corrupt(path, why)
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Locked(say("{path} is locked by another program ({why}); close it", path=str(path), why=why))
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return of_system(PermissionError(errno.EACCES, why), path)
    return None


def disk_hangs(path: Path, waited: timedelta) -> DiskFailed:
    """Return the error of a disk that holds `path` and was asked and `waited` for in vain."""
    return DiskFailed(
        say(
            "The disk that holds {path} has not answered for {waited}. Look at the disk, its cable and its controller",
            path=str(path),
            waited=waited,
        )
    )


def _disk_failed(path: Path, why: Text) -> DiskFailed:
    return DiskFailed(
        say("The disk that holds {path} fails ({why}). Copy the folder to another disk", path=str(path), why=why)
    )
