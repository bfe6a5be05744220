"""Doing to the copy what a row of the feed says was done to the state; all that is not exactly that is refused."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.exc import IntegrityError

from monitor.store.feed import FED

Value = str | int | None


class Diverged(ValueError):
    """The copy is not what the row was written for, or the row is none: all of the state has to be copied anew."""


def ended_at(body: str) -> datetime:
    """Return when the transaction was committed whose end the row `body` is. Raises Diverged."""
    try:
        mark, at = json.loads(body)
        moment = datetime.fromisoformat(at)
    except (ValueError, TypeError) as error:
        raise Diverged("no end of a transaction") from error
    if mark != "." or moment.tzinfo is None:
        raise Diverged("no end of a transaction")
    return moment


def apply(connection: Connection, body: str) -> None:
    """Do to the copy what the row `body` says. Raises Diverged."""
    try:
        verb, name, *parts = json.loads(body)
        table = FED[name]
        statement, values = _STATEMENTS[verb](table, *parts)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise Diverged(f"no row of a feed: {type(error).__name__}") from error
    try:
        changed = connection.exec_driver_sql(statement, tuple(values)).rowcount
    except IntegrityError as error:
        raise Diverged(f"{name}: {type(error).__name__}") from error
    if changed != 1:
        raise Diverged(f"{name}: {changed} rows")


def _added(table: Table, row: Mapping[str, Value]) -> tuple[str, list[Value]]:
    names = _checked(row, table.columns.keys())
    if len(names) != len(table.columns):
        raise ValueError("columns")
    columns, marks = ", ".join(f'"{name}"' for name in names), ", ".join("?" for _ in names)
    # Every name is one of our own tables' and columns', compared above.
    return f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks})', [row[name] for name in names]  # noqa: S608


def _changed(table: Table, key: Mapping[str, Value], row: Mapping[str, Value]) -> tuple[str, list[Value]]:
    names = _checked(row, table.columns.keys())
    if not names:
        raise ValueError("no change")
    where, keys = _where(table, key)
    columns = ", ".join(f'"{name}" = ?' for name in names)
    return f'UPDATE "{table.name}" SET {columns} WHERE {where}', [*(row[name] for name in names), *keys]  # noqa: S608


def _deleted(table: Table, key: Mapping[str, Value]) -> tuple[str, list[Value]]:
    where, keys = _where(table, key)
    return f'DELETE FROM "{table.name}" WHERE {where}', keys  # noqa: S608


_STATEMENTS: dict[str, Any] = {"+": _added, "~": _changed, "-": _deleted}


def _where(table: Table, key: Mapping[str, Value]) -> tuple[str, list[Value]]:
    wanted = [column.name for column in table.primary_key]
    if sorted(_checked(key, wanted)) != sorted(wanted):
        raise ValueError("key")
    return " AND ".join(f'"{name}" IS ?' for name in wanted), [key[name] for name in wanted]


def _checked(row: Mapping[str, Value], known: Collection[str]) -> list[str]:
    """The names in `row`, each one of `known`, with values that a table may hold."""
    names = list(row.keys())
    if not set(names) <= set(known):
        raise ValueError("columns")
    if not all(map(_may_be_held, row.values())):
        raise TypeError("values")
    return names


def _may_be_held(value: object) -> bool:
    return value is None or isinstance(value, str) or type(value) is int
