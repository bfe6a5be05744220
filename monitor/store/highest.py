"""The highest number that an incident was given while its events could not be written.

What was told under a number must not be told of another incident. On a full disk a file cannot grow, and neither can
the database; but what a file holds can be written over, since no new block is needed for it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from monitor.store.errors import translated
from monitor.store.folder import private_file

WIDTH = 10
"""Digits: the file never changes its size."""


@dataclass(frozen=True, slots=True)
class Highest:
    """The file `path`, made while there is room for it."""

    path: Path

    def prepare(self) -> None:
        """Make the file; on a disk that is full already, or read-only, there will be none."""
        with suppress(OSError):
            descriptor = private_file(self.path)
            try:
                if os.fstat(descriptor).st_size < WIDTH:
                    _write(descriptor, 0)
            finally:
                os.close(descriptor)

    def read(self) -> int:
        """Return the number; 0 where none was kept."""
        try:
            words = self.path.read_bytes()[:WIDTH]
        except OSError:
            return 0
        return int(words) if len(words) == WIDTH and words.isdigit() else 0

    def keep(self, number: int) -> None:
        """Keep `number` if it is higher than the one that is kept; once this returns, it survives a kill. Raises
        StoreError: the disk fails, or its file system writes nothing over (btrfs, ZFS) and is full."""
        if number <= self.read():
            return
        with translated(self.path):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                _write(descriptor, number)
            finally:
                os.close(descriptor)


def _write(descriptor: int, number: int) -> None:
    os.pwrite(descriptor, f"{number:0{WIDTH}}".encode(), 0)
    os.fdatasync(descriptor)
