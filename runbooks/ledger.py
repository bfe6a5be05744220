"""The list of recordings: what was seen, what is proven to be archived, what was deleted. Its store is elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from monitor.core.text import ENGLISH, Text


class LedgerFailed(Exception):
    """The list cannot be read or written just now; `text` says why and what to do. Nothing may be deleted then."""

    def __init__(self, text: Text) -> None:
        super().__init__(ENGLISH.render(text))
        self.text = text


class Seen(NamedTuple):
    """A file as a look at the folder shows it: `path` below the folder, `size` in bytes, `mtime` in seconds (UTC)."""

    path: str
    size: int
    mtime: int


class Proven(NamedTuple):
    """A file whose copy was read back with the same hash. `sha256` in hexadecimal; `copy`: path below the archive."""

    path: str
    size: int
    mtime: int
    sha256: str
    copy: str
    at: datetime


class Archived(NamedTuple):
    """What a purge needs to know of a proven file; `copy`: path below the archive."""

    path: str
    size: int
    mtime: int
    copy: str


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of files, and their bytes."""

    files: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Tally:
    """The files of a folder that are still there, as far as they are known, each counted once.

    `young`: written since the horizon. Of the older ones: `proven`; `closed`, not proven, and unchanged for long enough
    to be archived; `open`, not proven, and not seen unchanged for that long.
    """

    young: Amount = Amount()
    proven: Amount = Amount()
    closed: Amount = Amount()
    open: Amount = Amount()


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the archive of a folder is behind (both times UTC).

    `unproven`: when the oldest file without a proven copy was last written; `proven_at`: when the last copy of what is
    there was proven. None where there is none.
    """

    unproven: datetime | None = None
    proven_at: datetime | None = None


class Ledger(Protocol):
    """What is known of the files of each folder of recordings (`of`).

    Every method blocks, is durable once it returns, may be called from any thread, and raises LedgerFailed. There is
    one object for all who archive, else `holding` would not keep them apart.
    """

    def look(self, of: str, seen: Iterable[Seen], at: datetime) -> int:
        """Note files as seen at `at`; return how many. A file that changed since is open again and no longer proven."""
        ...

    def closed(
        self,
        of: str,
        seen_before: datetime,
        limit: int,
        *,
        after: Seen | None = None,
        written_before: datetime | None = None,
    ) -> list[Seen]:
        """Return at most `limit` files that have stood unchanged since `seen_before` and are not proven, oldest first.

        `after`: only those that come after this one in that order.
        """
        ...

    def prove(self, of: str, proven: Iterable[Proven]) -> None:
        """Note copies as proven; one of a file that has meanwhile been seen with another size or time is left out."""
        ...

    def oldest(self, of: str, written_before: datetime) -> Iterator[Archived]:
        """Return the proven files last written before that, oldest first, without holding them all in memory.

        Between two of them the list may be written; what was noted as deleted or doubted does not come again.
        """
        ...

    def deleting(self, of: str, paths: Iterable[str], at: datetime) -> None:
        """Note that these proven files are about to be deleted: who may not write this down may not delete."""
        ...

    def deleted(self, of: str, paths: Iterable[str], at: datetime) -> None:
        """Note files as gone; what is known of their copies stays."""
        ...

    def doubt(self, of: str, paths: Iterable[str]) -> None:
        """Take back that the copies of these files are proven: they are archived anew."""
        ...

    def tally(self, of: str, *, seen_before: datetime, written_before: datetime | None = None) -> Tally:
        """Count the files; `written_before` is the horizon (None: nothing is young), `seen_before` as in `closed`."""
        ...

    def standing(self, of: str) -> Standing:
        """Return the oldest file that is not proven, and when the last of those that are there was proven."""
        ...

    def holding(self, name: str) -> AbstractContextManager[bool]:
        """Return a context that says whether `name` was free; if so, it is taken until the context is left."""
        ...
