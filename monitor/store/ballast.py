"""Room kept back on the disk for the state, so that an incident can still be written when everything else is full."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from monitor.store.folder import private_file

SIZE = 64 * 2**20
"""Bytes: a long outage writes some ten kilobytes an hour, so this is months of them."""
KEEP_FREE = 512 * 10**6
KEEP_FREE_SHARE = 0.05
"""The ballast is made only where this much (bytes), or this share of the disk, remains free beside it."""


@dataclass(frozen=True, slots=True)
class Ballast:
    """A file of `size` bytes that holds nothing; deleting it is what makes room. Size 0: none is kept."""

    path: Path
    size: int = SIZE

    @property
    def standing(self) -> bool:
        """Whether the room is kept back now."""
        return self.size > 0 and self.path.is_file() and self.path.stat().st_size == self.size

    def release(self) -> bool:
        """Give the room back; return whether there was any."""
        try:
            seen = self.path.lstat()
            self.path.unlink()
        except OSError:
            return False
        return stat.S_ISREG(seen.st_mode) and seen.st_size > 0

    def restore(self) -> bool:
        """Keep the room back again if the disk has enough of it; return whether all that should be kept back is."""
        if self.standing or not self.size:
            return True
        try:
            if not self._room():
                return False
            descriptor = private_file(self.path)
            try:
                # A sparse file would hold no room at all.
                os.posix_fallocate(descriptor, 0, self.size)
            finally:
                os.close(descriptor)
        except OSError:
            self.release()
            return False
        return self.standing

    def _room(self) -> bool:
        disk = os.statvfs(self.path.parent)
        left = disk.f_bavail * disk.f_frsize - self.size
        return left >= KEEP_FREE or left >= KEEP_FREE_SHARE * disk.f_blocks * disk.f_frsize
