"""The folder of the state: made for one user only, on a local disk, and held by one writer."""

from __future__ import annotations

import fcntl
import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from monitor.clock import SystemClock
from monitor.core.text import say
from monitor.store.errors import NetworkFileSystem, WriterBusy, translated

STATE_FILE, HISTORY_FILE = "state.db", "history.db"
LOCK_FILE, BALLAST_FILE, HIGHEST_FILE = "lock", "ballast", "highest"
KEY_FILE = "links.key"
SITE_FILE, LEASES = "site", "lease-"
"""At which site this machine stands (`monitor.inventory.standpoint`), and how the names of the leases begin that it
keeps by itself (`monitor.daemon.tenure`): whatever state lies here, they are this machine's."""
SESSION_FILE = "lease.session"
"""The life of the state that lies here (`monitor.daemon.tenure`). It goes on when the other site's takes its place."""
PEER = "peer"
"""The folder of the copy of the other site's state, below that of the own one."""
CURRENT = "current"
"""A file in it, which names the copy in force."""
TAKING = "taking"
"""A file in it, which is there while that copy becomes the own state."""
RESTORING = ".restore-"
"""How the name of the folder begins in which a backup is made ready; it is there until the last file is in place."""
MOUNTS = Path("/proc/self/mountinfo")
NETWORK = frozenset(
    {
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "lustre", "glusterfs", "beegfs", "davfs",
        "vboxsf", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.rclone", "fuse.s3fs", "fuse.davfs2",
        "fuse.curlftpfs", "fuse.juicefs", "fuse.gcsfuse", "fuse.goofys", "fuse.smbnetfs", "fuse.mfs",
        "fuse.vmhgfs-fuse",
    }
)  # fmt: skip
"""Types as the kernel writes them. SQLite's WAL needs memory that all its processes share (sqlite.org/wal.html)."""


@dataclass(frozen=True, slots=True)
class Mounted:
    """A file system: where it is mounted, and its type."""

    at: str
    type: str


def file_system(path: Path, mounts: str) -> Mounted | None:
    """Return what holds `path` (absolute, resolved), out of the text `mounts` of a mountinfo file (proc(5)).

    The longest mount point above `path` wins, and of several mounts at one place the last.
    """
    found: Mounted | None = None
    for line in mounts.splitlines():
        before, separator, after = line.partition(" - ")
        columns, kind = before.split(), after.split()
        if not separator or len(columns) < 5 or not kind:
            continue
        at = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), columns[4])
        if Path(at) not in (path, *path.parents):
            continue
        if found is None or len(at) >= len(found.at):
            found = Mounted(at, kind[0])
    return found


def refuse_network(folder: Path, mounts: str) -> None:
    """Raise NetworkFileSystem when `folder` lies on one."""
    mounted = file_system(folder.resolve(), mounts)
    if mounted is not None and mounted.type in NETWORK:
        raise NetworkFileSystem(
            say(
                "{path} lies on a network file system ({type}, mounted on {at}), where the state is not safe. Choose a "
                "folder on a local disk with --data",
                path=str(folder),
                type=mounted.type,
                at=mounted.at,
            )
        )


def prepare(folder: Path) -> None:
    """Make `folder` (mode 0700) if it is not there. Raises NetworkFileSystem, ReadOnlyFolder or DiskFull."""
    if MOUNTS.exists():
        refuse_network(folder, MOUNTS.read_text(encoding="utf-8", errors="surrogateescape"))
    with translated(folder):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def private_file(path: Path) -> int:
    """Return a descriptor of the file `path`, made with mode 0600 if it is not there.

    What root makes in a folder of somebody else belongs to that user: else a command run once as root would shut out
    the daemon. So a symbolic link is never followed (OSError, ELOOP): that user could have root write anywhere.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags)
    give_to_owner_of_folder(descriptor, path.parent)
    return descriptor


def give_to_owner_of_folder(descriptor: int, folder: Path) -> None:
    """Let the new file behind `descriptor` belong to whoever owns `folder`, if root made it there."""
    owner = folder.stat()
    if os.geteuid() == 0 and (owner.st_uid, owner.st_gid) != (0, 0):
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def identity(path: Path) -> tuple[int, int] | None:
    """Return which file lies at `path` now (device and inode); None when none does.

    A database that is deleted or exchanged under an open connection is written as before, and nobody ever reads it.
    """
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino


def sync_folder(folder: Path) -> None:
    """Make new names in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def written(path: Path, data: bytes) -> None:
    """Let the file `path` hold `data`, whole or as before, and on the disk when this returns. Raises OSError."""
    made = path.with_name(f".{path.name}.new")
    made.unlink(missing_ok=True)
    descriptor = private_file(made)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    made.replace(path)
    sync_folder(path.parent)


@dataclass(frozen=True, slots=True)
class Writer:
    """The process that holds the state; both None where the lock file does not say."""

    pid: int | None = None
    since: datetime | None = None


class WriterLock:
    """The right to write a folder's state, until `release` or the end of the process."""

    def __init__(self, folder: Path) -> None:
        """Take the lock. Raises WriterBusy, ReadOnlyFolder or DiskFull."""
        path = folder / LOCK_FILE
        with translated(path):
            self._descriptor = private_file(path)
        try:
            # flock, not a POSIX record lock: that one is lost as soon as this process closes any descriptor of it.
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            writer = _written(self._descriptor)
            os.close(self._descriptor)
            raise WriterBusy(folder, writer.pid, writer.since) from None
        words = json.dumps({"pid": os.getpid(), "since": SystemClock().now().isoformat()})
        # On a full disk the lock holds without its words; who comes second is then told less.
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, words.encode(), 0)

    def release(self) -> None:
        """Give the right back. The file stays, empty: deleting it would let two processes lock two files."""
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)


def current_writer(folder: Path) -> Writer | None:
    """Return who writes the state in `folder` now, or None when nobody does. Raises StoreError if it cannot tell."""
    path = folder / LOCK_FILE
    with translated(path):
        if not path.exists():
            return None
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _written(descriptor)
    finally:
        os.close(descriptor)
    return None


def _written(descriptor: int) -> Writer:
    try:
        words = json.loads(os.pread(descriptor, 1024, 0))
        return Writer(int(words["pid"]), datetime.fromisoformat(words["since"]))
    except (ValueError, KeyError, TypeError):
        return Writer()
