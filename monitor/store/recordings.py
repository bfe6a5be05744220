"""The ledger of recordings on disk: which files were seen, which have a proven copy, which were deleted.

`oldest` reads an index that holds all it asks for, a page at a time, so that a folder of millions takes no memory, and
nothing is locked between two pages. A look writes only what is new or has changed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    bindparam,
    delete,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy import insert as plain_insert

from monitor.store.engine import open_file
from monitor.store.errors import StoreError, translated
from monitor.store.recordings_tables import RECORDINGS_REVISIONS, files, folders, kept
from monitor.store.tables import insert
from runbooks.ledger import Amount, Archived, LedgerFailed, Proven, Seen, Standing, Tally

RECORDINGS_FILE = "recordings.db"
AT_ONCE = 1000
"""Rows in one statement and, where rows are compared first, in one transaction: some milliseconds."""
PAGE = 2000
"""Rows that `oldest` holds in memory."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(milliseconds=1)
_FOREVER = 2**62
_LATEST = 2**32
"""Seconds: no later time fits into SFTP's 32 bits, nor does every one above it into a datetime."""
_OPEN = {"copy": "", "sha256": None, "proven_at": None, "deleting_at": None}
T = TypeVar("T")


class _Known(NamedTuple):
    size: int
    mtime: int
    proven: bool


class RecordingsLedger:
    """The file `recordings.db` in `folder`: a `runbooks.ledger.Ledger`. After a failure the next call tries anew."""

    def __init__(self, folder: Path, *, write: bool = True) -> None:
        self._path, self._write = folder / RECORDINGS_FILE, write
        self._engine: Engine | None = None
        self._ids: dict[str, int] = {}
        self._held: set[str] = set()
        self._lock = threading.Lock()

    def look(self, of: str, seen: Iterable[Seen], at: datetime) -> int:
        """Note files as seen at `at`; return how many. One that changed since is open again and no longer proven."""
        count = 0
        for batch in _batches(seen, AT_ONCE):
            with self._transaction() as connection:
                self._note(connection, self._numbered(connection, of), batch, _ticks(at))
            count += len(batch)
        return count

    def _note(self, connection: Connection, folder: int, batch: list[Seen], at: int) -> None:
        by_path = {one.path: one for one in batch}
        rows = connection.execute(
            select(files.c.path, files.c.size, files.c.mtime, files.c.proven_at.is_not(None)).where(
                files.c.folder == folder, files.c.path.in_(by_path)
            )
        )
        known = {path: _Known(size, mtime, bool(proven)) for path, size, mtime, proven in rows}
        fresh = [one for one in by_path.values() if known.get(one.path, ())[:2] != (one.size, one.mtime)]
        if not fresh:
            return
        changed = [one.path for one in fresh if one.path in known and known[one.path].proven]
        if changed:
            self._keep(connection, folder, changed, at)
        statement = insert(files, connection.dialect.name)
        statement = statement.on_conflict_do_update(
            index_elements=[files.c.folder, files.c.path],
            set_={name: statement.excluded[name] for name in ("size", "mtime", "since", *_OPEN)},
        )
        connection.execute(
            statement,
            [
                {"folder": folder, "path": path, "size": size, "mtime": mtime, "since": at, **_OPEN}
                for path, size, mtime in fresh
            ],
        )

    def closed(
        self,
        of: str,
        seen_before: datetime,
        limit: int,
        *,
        after: Seen | None = None,
        written_before: datetime | None = None,
    ) -> list[Seen]:
        """Return at most `limit` unproven files that have stood unchanged since `seen_before`, oldest first."""
        query = (
            select(files.c.path, files.c.size, files.c.mtime)
            .where(files.c.folder == self._number(of), files.c.proven_at.is_(None))
            .where(files.c.since <= _ticks(seen_before))
            .order_by(files.c.mtime, files.c.path)
            .limit(limit)
        )
        if after is not None:
            query = query.where(_later(after.mtime, after.path))
        if written_before is not None:
            query = query.where(files.c.mtime < _seconds(written_before))
        with self._transaction() as connection:
            return [Seen._make(row) for row in connection.execute(query)]

    def prove(self, of: str, proven: Iterable[Proven]) -> None:
        """Note copies as proven; one of a file that has meanwhile been seen with another size or time is left out."""
        folder = self._number(of)
        statement = (
            update(files)
            .where(files.c.folder == folder, files.c.path == bindparam("of_path"))
            .where(files.c.size == bindparam("of_size"), files.c.mtime == bindparam("of_mtime"))
            .values(copy=bindparam("new_copy"), sha256=bindparam("new_sha256"), proven_at=bindparam("new_at"))
        )
        rows = [
            {
                "of_path": one.path,
                "of_size": one.size,
                "of_mtime": one.mtime,
                "new_copy": "" if one.copy == one.path else one.copy,
                "new_sha256": one.sha256,
                "new_at": _ticks(one.at),
            }
            for one in proven
        ]
        if rows:
            with self._transaction() as connection:
                connection.execute(statement, rows)

    def oldest(self, of: str, written_before: datetime) -> Iterator[Archived]:
        """Return the proven files last written before that, oldest first, a page at a time."""
        folder, after = self._number(of), (-(2**63), "")
        query = (
            select(files.c.path, files.c.size, files.c.mtime, files.c.copy)
            .where(files.c.folder == folder, files.c.proven_at.is_not(None))
            .where(files.c.mtime < _seconds(written_before))
            .where(_later(bindparam("mtime"), bindparam("path")))
            .order_by(files.c.mtime, files.c.path)
            .limit(PAGE)
        )
        while True:
            with self._transaction() as connection:
                rows = connection.execute(query, {"mtime": after[0], "path": after[1]}).all()
            for path, size, mtime, copy in rows:
                yield Archived(path, size, mtime, copy or path)
            if len(rows) < PAGE:
                return
            after = rows[-1].mtime, rows[-1].path

    def deleting(self, of: str, paths: Iterable[str], at: datetime) -> None:
        """Note that these proven files are about to be deleted."""
        folder = self._number(of)
        with self._transaction() as connection:
            for batch in _batches(paths, AT_ONCE):
                connection.execute(update(files).where(_among(folder, batch)).values(deleting_at=_ticks(at)))

    def deleted(self, of: str, paths: Iterable[str], at: datetime) -> None:
        """Note files as gone; what is known of their copies stays."""
        folder = self._number(of)
        with self._transaction() as connection:
            for batch in _batches(paths, AT_ONCE):
                self._keep(connection, folder, batch, _ticks(at))
                connection.execute(delete(files).where(_among(folder, batch)))

    def doubt(self, of: str, paths: Iterable[str]) -> None:
        """Take back that the copies of these files are proven."""
        folder = self._number(of)
        with self._transaction() as connection:
            for batch in _batches(paths, AT_ONCE):
                connection.execute(update(files).where(_among(folder, batch)).values(**_OPEN))

    def tally(self, of: str, *, seen_before: datetime, written_before: datetime | None = None) -> Tally:
        """Count the files; `written_before` is the horizon (None: nothing is young), `seen_before` as in `closed`."""
        folder = self._number(of)
        old = files.c.mtime < (_FOREVER if written_before is None else _seconds(written_before))
        still = files.c.since <= _ticks(seen_before)
        proven = _amounts(files.c.proven_at.is_not(None), folder, old, ~old)
        unproven = _amounts(files.c.proven_at.is_(None), folder, old & still, old & ~still, ~old)
        with self._transaction() as connection:
            safe, young_safe = _read(connection, proven)
            closed, still_open, young = _read(connection, unproven)
        both = Amount(young_safe.files + young.files, young_safe.size + young.size)
        return Tally(young=both, proven=safe, closed=closed, open=still_open)

    def standing(self, of: str) -> Standing:
        """Return when the oldest unproven file was written, and when the newest proven one was proven."""
        folder = self._number(of)
        oldest = select(func.min(files.c.mtime)).where(files.c.folder == folder, files.c.proven_at.is_(None))
        newest = select(func.max(files.c.proven_at)).where(files.c.folder == folder, files.c.proven_at.is_not(None))
        with self._transaction() as connection:
            mtime, at = connection.execute(oldest).scalar(), connection.execute(newest).scalar()
        return Standing(
            None if mtime is None else _EPOCH + timedelta(seconds=min(mtime, _LATEST)),
            None if at is None else _EPOCH + at * _TICK,
        )

    @contextmanager
    def holding(self, name: str) -> Iterator[bool]:
        """Say whether `name` was free; if so, it is taken until the context is left."""
        with self._lock:
            free = name not in self._held
            self._held.add(name)
        try:
            yield free
        finally:
            if free:
                with self._lock:
                    self._held.discard(name)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            engine, self._engine, self._ids = self._engine, None, {}
        if engine is not None:
            engine.dispose()

    def _keep(self, connection: Connection, folder: int, paths: list[str], at: int) -> None:
        names = ["folder", "path", "size", "mtime", "copy", "sha256", "proven_at", "deleting_at"]
        proven = select(*(files.c[name] for name in names), literal(at)).where(_among(folder, paths))
        connection.execute(
            plain_insert(kept).from_select([*names, "gone_at"], proven.where(files.c.proven_at.is_not(None)))
        )

    def _number(self, of: str) -> int:
        known = self._ids.get(of)
        if known is not None:
            return known
        with self._transaction() as connection:
            return self._numbered(connection, of)

    def _numbered(self, connection: Connection, of: str) -> int:
        """Return the number of the folder `of`; a writer gives it one, a reader finds nothing under -1."""
        known = self._ids.get(of)
        if known is not None:
            return known
        query = select(folders.c.id).where(folders.c.name == of)
        found: int | None = connection.execute(query).scalar()
        if found is not None:
            self._ids[of] = found
            return found
        if not self._write:
            return -1
        # Remembered only once it is read again: this transaction may still be taken back.
        connection.execute(plain_insert(folders).values(name=of))
        made: int = connection.execute(query).scalar_one()
        return made

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with translated(self._path), self._opened().begin() as connection:
                yield connection
        except StoreError as error:
            # Opened anew the next time, so that a file put right, or moved away, is taken up without a restart.
            self.close()
            raise LedgerFailed(error.text) from error

    def _opened(self) -> Engine:
        with self._lock:
            if self._engine is not None:
                return self._engine
            engine = open_file(self._path, RECORDINGS_REVISIONS, write=self._write, synchronous="FULL")
            self._engine, self._ids = engine, {}
            return engine


def _later(mtime: Any, path: Any) -> ColumnElement[bool]:
    return tuple_(files.c.mtime, files.c.path) > tuple_(mtime, path)


def _amounts(those: ColumnElement[bool], folder: int, *parts: ColumnElement[bool]) -> Select[Any]:
    figures = [
        figure
        for part in parts
        for figure in (func.count().filter(part), func.coalesce(func.sum(files.c.size).filter(part), 0))
    ]
    return select(*figures).where(files.c.folder == folder, those)


def _read(connection: Connection, query: Select[Any]) -> list[Amount]:
    row = [int(figure) for figure in connection.execute(query).one()]
    return [Amount(*row[n : n + 2]) for n in range(0, len(row), 2)]


def _among(folder: int, paths: list[str]) -> ColumnElement[bool]:
    return (files.c.folder == folder) & files.c.path.in_(paths)


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def _ticks(at: datetime) -> int:
    return (at - _EPOCH) // _TICK


def _seconds(at: datetime) -> int:
    """Return the whole seconds of `at`: a file with that very `mtime` may have been written after it."""
    return (at - _EPOCH) // timedelta(seconds=1)
