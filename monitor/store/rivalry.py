"""Which is the newer one: the copy of the other site's state that lies here, or a backup that is to be put back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from monitor.store import feed, log
from monitor.store.condition import condition_of
from monitor.store.engine import make_engine
from monitor.store.errors import Corrupt, DiskFailed, corrupt, translated
from monitor.store.feed import Standing
from monitor.store.folder import STATE_FILE
from monitor.store.replica import AT, CURSOR, MADE, current_copy
from monitor.store.tables import audit, events
from monitor.store.whose import examine

LARGEST_NUMBER = 10**9
"""Of an incident, as far as what the other site sent is believed: whatever is left out is left out for ever."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Up to where a state goes: under which `standing`, to which row of its feed (`last`), and until when (`at`, UTC).

    `number`: of its next incident. None, and 0, where nobody knows.
    """

    standing: Standing | None
    last: int | None = None
    at: datetime | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class Rival:
    """The copy in the folder `path`. `damaged`: nobody could go on with it. `broken`: it goes not to its very end."""

    path: Path
    extent: Extent
    damaged: bool = False
    broken: bool = False


def rival_in(peer: Path) -> Rival | None:
    """Return the copy in `peer`, once all of it was read; None where there is none. Raises StoreError.

    One that the disk does not give back counts, and cannot be compared: another time it may be read.
    """
    try:
        seen = examine(peer)
    except DiskFailed:
        copy = current_copy(peer)
        if copy is None:
            raise
        known = condition_of(peer, copy.name)
        return Rival(copy, Extent(None if known is None else known.standing))
    if seen is None:
        return None
    if seen.damaged is not None:
        return Rival(seen.path, Extent(seen.standing), damaged=True)
    try:
        found = extent(seen.path / STATE_FILE, copied=True)
    except (Corrupt, DiskFailed):  # it is whole, and a value in it says nothing: it counts, and cannot be compared
        found = Extent(seen.standing)
    return Rival(seen.path, found, broken=seen.reached.cursor is None)


def extent(path: Path, *, copied: bool = False) -> Extent:
    """Return up to where the state in the database `path` goes. `copied`: it is a copy. Raises StoreError."""
    engine = make_engine(path, write=False, synchronous="FULL")
    try:
        with translated(path), engine.connect() as connection:
            last = feed.get(connection, CURSOR) if copied else _fed(connection)
            said = None if last is None else int(last)
            at = max(_moments(connection, copied=copied), default=None)
            number = log.next_number(connection)
            if number > LARGEST_NUMBER or (at is not None and at.tzinfo is None):
                raise ValueError("no such number, or no such moment")
            return Extent(feed.standing(connection), said, at, number)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise corrupt(path, f"a value that cannot be read: {error}") from error
    finally:
        engine.dispose()


def _fed(connection: Connection) -> int | None:
    return feed.extent(connection).last if feed.is_on(connection) else None


def _moments(connection: Connection, *, copied: bool) -> Iterator[datetime]:
    """Every moment that says until when it was written."""
    said: list[str | None] = [
        connection.exec_driver_sql(f"SELECT max(at) FROM {table}").scalar()  # noqa: S608 - our own names
        for table in (audit.name, events.name)
    ]
    if copied:
        said += [feed.get(connection, key) for key in (AT, MADE)]
    last = connection.exec_driver_sql("SELECT body FROM feed ORDER BY seq DESC LIMIT 1").scalar()
    if last is not None and feed.is_end(last):
        said.append(json.loads(last)[1])
    return (datetime.fromisoformat(one) for one in said if one is not None)


def is_older(copy: Extent, backup: Extent, made_at: datetime) -> bool:
    """Return whether everything in `copy` is in the `backup` too, which was made at `made_at`, or was written before.

    Rows of one sequence are counted; of two, that of who went on later is the newer one. Only where nobody ever kept a
    copy of either, clocks say it. Where nothing does, it is not.
    """
    theirs, ours = copy.standing, backup.standing
    if theirs is not None and ours is not None:
        if theirs.epoch == ours.epoch and copy.last is not None and backup.last is not None:
            return copy.last <= backup.last
        if theirs.rank != ours.rank:
            return theirs.rank < ours.rank
    return copy.at is not None and copy.at < made_at
