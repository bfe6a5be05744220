"""The archive server of the simulated site: SFTP onto a folder, and every way in which such a server fails."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncssh

from lab.sshd import Sshd

FOLDER = "srv/enregistrements"
"""Where the recordings are archived, below what SFTP shows as the root."""
SLOW = 200_000
"""Bytes a second that a slow archive takes."""


class Archive:
    """Takes files by SFTP. Its faults last until `mend`; `lied`: the names of the files of which it kept a bad copy."""

    def __init__(self, key: asyncssh.SSHKey) -> None:
        self.lied: list[str] = []
        self.full = self.slow = self.lies = False
        self._place: tempfile.TemporaryDirectory[str] | None = None
        self._sshd = Sshd(key, files=lambda channel: _Store(channel, self))

    @property
    def port(self) -> int:
        """The server's port."""
        return self._sshd.port

    @property
    def fingerprint(self) -> str:
        """The fingerprint of its host key."""
        return self._sshd.fingerprint

    @property
    def root(self) -> Path:
        """The folder that SFTP shows as the root."""
        if self._place is None:
            raise RuntimeError("the archive is off")
        return Path(self._place.name)

    @property
    def folder(self) -> Path:
        """Where the recordings are archived."""
        return self.root / FOLDER

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of every file in the archive, by its path below the folder."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): sha256(path.read_bytes()).hexdigest() for path in found}

    async def start(self) -> None:
        """Make the folder and take files from now on."""
        self._place = tempfile.TemporaryDirectory(prefix="releve-archive-")
        self.folder.mkdir(parents=True)
        await self._sshd.start()

    async def stop(self) -> None:
        """Take no more and remove the folder."""
        await self._sshd.stop()
        if self._place is not None:
            self._place.cleanup()
            self._place = None

    def fill(self) -> None:
        """Have no room for another byte."""
        self.full = True

    def slow_down(self) -> None:
        """Take SLOW bytes a second and no more."""
        self.slow = True

    def lie(self) -> None:
        """Flip a bit in the next file that is written, once it is closed, as a disk with a bad cable does."""
        self.lies = True

    async def refuse(self) -> None:
        """Refuse connections and end those that there are."""
        await self._sshd.refuse()

    async def mend(self) -> None:
        """Be well again."""
        self.full = self.slow = self.lies = False
        await self._sshd.start()


class _Store(asyncssh.SFTPServer):
    """One client's session."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], archive: Archive) -> None:
        super().__init__(channel, chroot=os.fsencode(archive.root))
        self._archive = archive
        self._written: set[Any] = set()

    async def write(self, file_obj: Any, offset: int, data: bytes) -> int:
        if self._archive.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self._archive.slow:
            await asyncio.sleep(len(data) / SLOW)
        if data:
            self._written.add(file_obj)
        written = super().write(file_obj, offset, data)
        return written if isinstance(written, int) else await written

    def close(self, file_obj: Any) -> None:
        name = file_obj.name
        file_obj.close()
        if self._archive.lies and file_obj in self._written:
            self._archive.lies = False
            path = Path(os.fsdecode(name))
            _flip(path)
            self._archive.lied.append(path.name)
        self._written.discard(file_obj)

    def statvfs(self, path: bytes) -> asyncssh.SFTPVFSAttrs:
        room = asyncssh.SFTPVFSAttrs.from_local(os.statvfs(self.map_path(path)))
        if self._archive.full:
            room.bavail = room.bfree = 0
        return room


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    stamp = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
