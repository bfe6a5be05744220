"""Every change of the state in the order in which it was written, for the copy at the other site.

A row of `feed` is a JSON array: `["+", table, {column: value}]`, `["~", table, {key}, {changed columns}]`,
`["-", table, {key}]`, and after the last change of a transaction `[".", time of the commit]`. Triggers that lie in the
database itself write them, in the same transaction, so that no way of writing can be forgotten and none is missing
after a kill. `seq` counts from 1 without a gap: a transaction that is taken back takes its numbers back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Table, delete, func, select

from failover.lease import LARGEST_TOKEN
from monitor.store.tables import STATE, feed, feed_state, insert, moment

FED: dict[str, Table] = {t.name: t for t in STATE.sorted_tables if t not in (feed, feed_state)}
"""The tables that are copied, by their name: all of the state."""
LEFT_OUT = "batches"
"""A key of `meta` that only the writer itself asks for; in each commit it would be the larger part of what is sent."""
_STANDING = "standing"
_PREFIX = "feed_"


@dataclass(frozen=True, slots=True)
class Standing:
    """Whose changes these are: `epoch` names one unbroken sequence, `token` the lease under which it is written.

    `term` rises each time that somebody else goes on with the state: when it is taken over, or put back from a backup;
    `serial` within it, each time that a sequence is broken off. So a site that was cut off never passes for newer than
    the one that took over from it, however often it began anew.
    """

    epoch: str
    token: int
    term: int
    serial: int = 0

    @property
    def rank(self) -> tuple[int, int, int]:
        """What must never fall."""
        return self.token, self.term, self.serial


def standing_to_json(standing: Standing) -> dict[str, Any]:
    """Return `standing` JSON-ready."""
    return asdict(standing)


def standing_from_json(data: Any) -> Standing:
    """Return what `standing_to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
    epoch, numbers = str(data["epoch"]), tuple(data[name] for name in ("token", "term", "serial"))
    if not all(type(number) is int for number in numbers):
        raise TypeError("no standing")
    if not 0 < len(epoch) <= 64 or min(numbers) < 0 or max(numbers) > LARGEST_TOKEN:
        raise ValueError("no standing")
    return Standing(epoch, *numbers)


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of the feed from number `first` on, one after the other; empty when there is nothing new.

    `more`: there were more at that moment.
    """

    first: int
    rows: tuple[str, ...]
    more: bool = False

    @property
    def last(self) -> int:
        """The number of the last row; the one before `first` when there is none."""
        return self.first + len(self.rows) - 1


@dataclass(frozen=True, slots=True)
class Extent:
    """How much the feed holds: its `first` and `last` number (0 and 0 when it is empty) and its size in `bytes`."""

    first: int
    last: int
    bytes: int


def standing(connection: Connection) -> Standing | None:
    """Return whose changes the feed holds; None when it was never turned on."""
    found = get(connection, _STANDING)
    return None if found is None else standing_from_json(found)


def is_on(connection: Connection) -> bool:
    """Return whether every change is written into the feed: all its triggers are there, as this version makes them."""
    return _present(connection) == _wanted()


def has_any(connection: Connection) -> bool:
    """Return whether there is any trigger of a feed, whole or not."""
    return bool(_present(connection))


def begin(connection: Connection, token: int = 0) -> Standing:
    """Let the feed begin anew with an epoch of its own, whatever it was before; return whose changes it holds then."""
    stop(connection)
    before = standing(connection)
    if before is None:
        after = Standing(uuid4().hex, token, 1)
    else:
        after = Standing(uuid4().hex, max(token, before.token), before.term, before.serial + 1)
    put(connection, _STANDING, standing_to_json(after))
    for sql in _wanted().values():
        connection.exec_driver_sql(sql)
    return after


def raise_token(connection: Connection, token: int) -> None:
    """Let the same sequence go on under a newer token; an older one changes nothing."""
    now = standing(connection)
    if now is not None and token > now.token:
        put(connection, _STANDING, standing_to_json(replace(now, token=token)))


def go_on(connection: Connection, above: Iterable[Standing] = ()) -> None:
    """Somebody else goes on with the state from here: what comes later is newer than all that the last one writes.

    `above`: and newer than all that is written under these. The feed is stopped; a state that never had a standing, and
    is to be above none, is of nobody yet.
    """
    stop(connection)
    known = [one for one in (standing(connection), *above) if one is not None]
    if known:
        token, term = max(one.token for one in known), max(one.term for one in known)
        put(connection, _STANDING, standing_to_json(Standing(uuid4().hex, token, term + 1)))


def stop(connection: Connection) -> None:
    """Write no changes down any more and forget those that are; the standing stays known."""
    for name in _present(connection):
        connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
    connection.execute(delete(feed))


def end(connection: Connection, now: datetime) -> None:
    """Mark the end of a transaction, if it changed anything."""
    last = connection.exec_driver_sql("SELECT body FROM feed ORDER BY seq DESC LIMIT 1").scalar()
    if last is not None and not is_end(last):
        body = json.dumps([".", moment(now)], separators=(",", ":"))
        connection.exec_driver_sql("INSERT INTO feed (body) VALUES (?)", (body,))


def is_end(body: str) -> bool:
    """Return whether the row `body` is the end of a transaction."""
    return body.startswith('[".",')


def after(connection: Connection, cursor: int, most: int) -> Piece | None:
    """Return what comes after row `cursor`: rows of `most` bytes in all, but one at least, if there is any.

    None when some of it is not there any more.
    """
    rows: list[str] = []
    size, expected, more = 0, cursor + 1, False
    query = select(feed.c.seq, feed.c.body).where(feed.c.seq > cursor).order_by(feed.c.seq)
    for row in connection.execution_options(yield_per=256).execute(query):
        if row.seq != expected:
            return None
        size += len(row.body.encode())
        if rows and size > most:
            more = True
            break
        rows.append(row.body)
        expected += 1
    if not rows and cursor > extent(connection).last > 0:
        return None
    return Piece(cursor + 1, tuple(rows), more)


def forget(connection: Connection, acknowledged: int) -> None:
    """Forget what the copy has; the last row stays, so that no number is given twice."""
    last = select(func.max(feed.c.seq)).scalar_subquery()
    connection.execute(delete(feed).where(feed.c.seq <= acknowledged, feed.c.seq < last))


def extent(connection: Connection) -> Extent:
    """Return how much the feed holds."""
    query = "SELECT coalesce(min(seq), 0), coalesce(max(seq), 0), coalesce(sum(length(body)), 0) FROM feed"
    first, last, size = connection.exec_driver_sql(query).one()
    return Extent(first, last, size)


def put(connection: Connection, key: str, value: Any) -> None:
    """Keep a value, JSON-ready, that is not copied."""
    statement = insert(feed_state, connection.dialect.name)
    statement = statement.on_conflict_do_update(
        index_elements=[feed_state.c.key], set_={"value": statement.excluded.value}
    )
    connection.execute(statement, {"key": key, "value": json.dumps(value)})


def get(connection: Connection, key: str) -> Any:
    """Return a value that is not copied; None when there is none."""
    found = connection.execute(select(feed_state.c.value).where(feed_state.c.key == key)).scalar()
    return None if found is None else json.loads(found)


def _present(connection: Connection) -> dict[str, str]:
    query = f"SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE '{_PREFIX}%'"  # noqa: S608 - a constant
    return {str(name): str(sql) for name, sql in connection.exec_driver_sql(query)}


def _wanted() -> dict[str, str]:
    """The triggers as `sqlite_master` keeps them, by their name."""
    return {name: sql for table in FED.values() for name, sql in _triggers(table)}


def _triggers(table: Table) -> Iterator[tuple[str, str]]:
    t, columns = table.name, [column.name for column in table.columns]
    key = _object("OLD", [column.name for column in table.primary_key])
    left_out = f" AND {{row}}.key <> '{LEFT_OUT}'" if t == "meta" else ""
    changed = " UNION ALL ".join(
        f'SELECT \'{c}\' AS k, NEW."{c}" AS v WHERE OLD."{c}" IS NOT NEW."{c}"' for c in columns
    )
    differs = " OR ".join(f'OLD."{c}" IS NOT NEW."{c}"' for c in columns)
    new = _object("NEW", columns)
    bodies = {
        "insert": ("1" + left_out.format(row="NEW"), f"json_array('+', '{t}', {new})"),
        "update": (
            f"({differs})" + left_out.format(row="OLD"),
            f"json_array('~', '{t}', {key}, json((SELECT json_group_object(k, v) FROM ({changed}))))",  # noqa: S608 - our own names
        ),
        "delete": ("1" + left_out.format(row="OLD"), f"json_array('-', '{t}', {key})"),
    }
    for verb, (when, body) in bodies.items():
        name = f"{_PREFIX}{t}_{verb}"
        yield (
            name,
            f'CREATE TRIGGER "{name}" AFTER {verb.upper()} ON "{t}" WHEN {when} '  # noqa: S608 - our own names
            f"BEGIN INSERT INTO feed (body) VALUES ({body}); END",
        )


def _object(row: str, columns: list[str]) -> str:
    named = ", ".join(f"'{column}', {row}.\"{column}\"" for column in columns)
    return f"json_object({named})"
