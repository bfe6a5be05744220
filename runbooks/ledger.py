"""The list of recordings that were archived: what was seen, proven and deleted. Its store is elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as a look at the folder shows it: `path` below the folder, `size` in bytes, `mtime` in seconds (UTC)."""

    path: str
    size: int
    mtime: int


@dataclass(frozen=True, slots=True)
class Proven:
    """A file whose copy was read back and has its hash. `sha256` in hexadecimal; `copy`: path below the archive."""

    path: str
    size: int
    mtime: int
    sha256: str
    copy: str
    at: datetime


class Ledger(Protocol):
    """What is known of the files of each folder of recordings (`of`). Every method is durable once it returns."""

    def look(self, of: str, seen: Iterable[Seen], at: datetime) -> int:
        """Note files as seen at `at`; return how many. A file that changed since is open again and no longer proven."""
        ...

    def closed(self, of: str, seen_before: datetime, limit: int) -> list[Seen]:
        """Return at most `limit` files that stand unchanged since `seen_before` and are not proven, oldest first."""
        ...

    def prove(self, of: str, proven: Iterable[Proven]) -> None:
        """Note copies as proven."""
        ...

    def oldest(self, of: str, written_before: datetime) -> Iterator[Proven]:
        """Return the proven files last written before that, oldest first, without holding them all in memory."""
        ...

    def deleted(self, of: str, paths: Iterable[str], at: datetime) -> None:
        """Note files as deleted; what is known of their copies stays."""
        ...

    def doubt(self, of: str, paths: Iterable[str]) -> None:
        """Take back that the copies of these files are proven."""
        ...
