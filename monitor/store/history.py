"""Samples: what was measured. A convenience beside the state: whatever befalls it, the state goes on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, Engine, bindparam, delete, exists, select

from monitor.core.ids import CheckId
from monitor.core.text import Quantity, Text, say
from monitor.store.engine import open_file
from monitor.store.errors import Corrupt, HistoryUnavailable, StoreError, free_bytes, translated
from monitor.store.folder import HISTORY_FILE, identity
from monitor.store.tables import HISTORY_REVISIONS, insert, samples, series

KEEP = timedelta(days=90)
"""How long raw samples are kept unless told otherwise."""
FLOOR = 64 * 2**20
"""Bytes: with less than this free no sample is written, so that what is left is left to the state."""
PRUNED_AT_ONCE = 500
"""Series in one transaction of `prune`: some tenths of a second, in which the store does nothing else."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(milliseconds=1)


class Sample(NamedTuple):
    """One figure of one check, measured at `at`; `unit` is UCUM."""

    check: CheckId
    metric: str
    unit: str
    at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """What a check's history has: `metric` in `unit`."""

    check: CheckId
    metric: str
    unit: str


class _Numbered(NamedTuple):
    id: int
    unit: str


class History:
    """The file `history.db`. Every method raises HistoryUnavailable, and the next call tries anew."""

    def __init__(self, folder: Path, *, write: bool, floor: int = FLOOR) -> None:
        self._path = folder / HISTORY_FILE
        self._write = write
        self._floor = floor
        self._engine: Engine | None = None
        self._file = identity(self._path)
        self._ids: dict[tuple[CheckId, str], _Numbered] = {}

    def write(self, new: Iterable[Sample]) -> None:
        """Write samples, all or none; one that is there already, or whose value is no finite number, is left out."""
        free = free_bytes(self._path)
        if free < self._floor:
            raise HistoryUnavailable(
                say(
                    "The disk that holds {path} is nearly full ({free} free): no measurements are kept until there "
                    "is room",
                    path=str(self._path),
                    free=Quantity(free, "By"),
                )
            )
        finite = [sample for sample in new if math.isfinite(sample[4])]
        if not finite:
            return
        with self._transaction() as connection:
            ids = self._known(connection, finite)
            rows = [
                {"series": ids[check, metric].id, "at": _ticks(at), "value": float(value)}
                for check, metric, _unit, at, value in finite
            ]
            connection.execute(insert(samples, connection.dialect.name).on_conflict_do_nothing(), rows)
        # Only now: a transaction that failed has taken its new series back.
        self._ids = ids

    def _known(self, connection: Connection, new: list[Sample]) -> dict[tuple[CheckId, str], _Numbered]:
        """Return the numbers of all series, with those that `new` needs."""
        wanted = {(check, metric): unit for check, metric, unit, _at, _value in new}
        ids = self._ids or _numbers(connection)
        lacking = [
            {"check_id": check, "metric": metric, "unit": unit}
            for (check, metric), unit in wanted.items()
            if (check, metric) not in ids or ids[check, metric].unit != unit
        ]
        if not lacking:
            return ids
        statement = insert(series, connection.dialect.name)
        statement = statement.on_conflict_do_update(
            index_elements=[series.c.check_id, series.c.metric], set_={"unit": statement.excluded.unit}
        )
        connection.execute(statement, lacking)
        return _numbers(connection)

    def series(self, check: CheckId | None = None) -> list[Series]:
        """Return the series of one check or of all, by name; none before anything was measured."""
        if self._absent:
            return []
        query = select(series).order_by(series.c.check_id, series.c.metric)
        if check is not None:
            query = query.where(series.c.check_id == check)
        with self._transaction() as connection:
            return [Series(CheckId(row.check_id), row.metric, row.unit) for row in connection.execute(query)]

    def samples(self, check: CheckId, metric: str, since: datetime, until: datetime) -> list[tuple[datetime, float]]:
        """Return the samples with `since` <= at < `until`, oldest first; times are cut to the millisecond."""
        if self._absent:
            return []
        query = (
            select(samples.c.at, samples.c.value)
            .join(series, series.c.id == samples.c.series)
            .where(series.c.check_id == check, series.c.metric == metric)
            .where(samples.c.at >= _ticks(since), samples.c.at < _ticks(until))
            .order_by(samples.c.at)
        )
        with self._transaction() as connection:
            return [(_EPOCH + row.at * _TICK, row.value) for row in connection.execute(query)]

    def latest(self, check: CheckId, metric: str) -> tuple[datetime, float] | None:
        """Return the newest sample, however old it is; None where there is none. Times are cut to the millisecond."""
        if self._absent:
            return None
        query = (
            select(samples.c.at, samples.c.value)
            .join(series, series.c.id == samples.c.series)
            .where(series.c.check_id == check, series.c.metric == metric)
            .order_by(samples.c.at.desc())
            .limit(1)
        )
        with self._transaction() as connection:
            row = connection.execute(query).first()
        return None if row is None else (_EPOCH + row.at * _TICK, row.value)

    def prune(self, before: datetime) -> int:
        """Delete the samples that are older than `before`, and series that have none left; return how many samples."""
        with self._transaction() as connection:
            known = list(connection.scalars(select(series.c.id).order_by(series.c.id)))
        old = delete(samples).where(samples.c.series == bindparam("of"), samples.c.at < _ticks(before))
        gone = 0
        for start in range(0, len(known), PRUNED_AT_ONCE):
            with self._transaction() as connection:
                chunk = [{"of": name} for name in known[start : start + PRUNED_AT_ONCE]]
                gone += connection.execute(old, chunk).rowcount
        with self._transaction() as connection:
            connection.execute(delete(series).where(~exists().where(samples.c.series == series.c.id)))
        self._ids = {}
        return gone

    @property
    def _absent(self) -> bool:
        """Whether a reader has nothing to read: nothing was measured yet."""
        return not self._write and not self._path.exists()

    def close(self) -> None:
        """Close the file; a later call opens it again."""
        if self._engine is not None:
            self._engine.dispose()
        self._engine = None

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with translated(self._path), self._opened().begin() as connection:
                yield connection
        except StoreError as error:
            # Opened anew the next time, so that a file put right, or moved away, is taken up without a restart.
            self.close()
            raise HistoryUnavailable(self._words(error)) from error

    def _opened(self) -> Engine:
        if self._engine is not None and identity(self._path) == self._file:
            return self._engine
        self.close()
        engine = open_file(self._path, HISTORY_REVISIONS, write=self._write, synchronous="NORMAL")
        self._engine, self._ids, self._file = engine, {}, identity(self._path)
        return engine

    def _words(self, error: StoreError) -> Text:
        if not isinstance(error, Corrupt):
            return error.text
        return say(
            "{path} is damaged: measurements are not kept, everything else goes on. Move {path} and the files "
            "{path}-* away; a new history is begun at once",
            path=str(self._path),
        )


def _numbers(connection: Connection) -> dict[tuple[CheckId, str], _Numbered]:
    rows = connection.execute(select(series))
    return {(CheckId(row.check_id), row.metric): _Numbered(row.id, row.unit) for row in rows}


def _ticks(at: datetime) -> int:
    return (at - _EPOCH) // _TICK
