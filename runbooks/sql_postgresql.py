"""PostgreSQL, by psycopg 3. Parameters are the server's own ($1), so that no text is ever put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from monitor.core.text import Text, say
from probes.access import SqlAccess
from probes.cleaning import one_line
from probes.contract import Target
from probes.postgresql import log_in
from runbooks import sql
from runbooks.contract import StepFailed, StepUncertain
from runbooks.sql import Came, Work
from runbooks.sql_text import needs_token, with_token

if TYPE_CHECKING:
    import psycopg

GONE = ("08", "57P")
"""SQLSTATE classes of a connection that ended, and of a server that is about to (PostgreSQL, appendix A)."""
TOO_SLOW = ("57014", "55P03")
"""query_canceled, lock_not_available: by statement_timeout and lock_timeout."""


async def carry_out(target: Target, access: SqlAccess, work: Work) -> Came:
    """Carry `work` out. Raises StepFailed or StepUncertain."""
    driver, reached, words = _driver(), sql.Reached(), log_in(target, access)
    try:
        async with asyncio.timeout(work.within * len(work.statements) + sql.GRACE):
            async with _connected(driver, target, words, work.within) as connection:
                return await _worked(connection, work, reached)
    except TimeoutError as error:
        if reached.may_stay:
            raise StepUncertain(sql.lost(target)) from error
        raise sql.too_slow(target, work.within) from error
    except driver.Error as error:
        raise _meaning(target, work, reached, error) from error


def _driver() -> Any:
    try:
        return import_module("psycopg")
    except ImportError as error:
        raise sql.no_driver("postgres") from error


@asynccontextmanager
async def session(target: Target, within: float) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Yield a session of one's own on the database of `target`; each statement of it stands by itself.

    `within`: seconds for the connection and for each statement. Raises StepFailed or StepUncertain, also for what the
    database refuses meanwhile; Unresolved for the password.
    """
    access, driver = sql.access_of(target), _driver()
    if access.engine != "postgresql":
        raise StepFailed(say("{device} has no PostgreSQL", device=target.name))
    work = Work((), None, within, whole=False, judge=lambda _came: None)
    try:
        async with _connected(driver, target, log_in(target, access), within) as connection:
            yield connection
    except driver.Error as error:
        raise _meaning(target, work, sql.Reached(may_stay=True), error) from error


@asynccontextmanager
async def _connected(
    driver: Any, target: Target, words: Mapping[str, Any], within: float
) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Yield a connection whose statements end by themselves in time. Raises StepFailed."""
    try:
        connection = await driver.AsyncConnection.connect(
            **words, connect_timeout=max(2, round(within)), autocommit=True, cursor_factory=driver.AsyncRawCursor
        )
    except driver.Error as error:
        raise sql.unreached(target, error) from error
    try:
        milliseconds = max(1, round(within * 1000))  # 0 would be none
        await connection.execute(f"SET statement_timeout = {milliseconds:d}")
        await connection.execute(f"SET lock_timeout = {milliseconds:d}")
        yield connection
    finally:
        await connection.close()


async def _worked(connection: psycopg.AsyncConnection[Any], work: Work, reached: sql.Reached) -> Came:
    notices: list[str] = []

    def heard(notice: psycopg.errors.Diagnostic) -> None:
        if len(notices) < sql.MOST_NOTICES:
            notices.append(one_line(notice.message_primary or "", sql.LONGEST_WORDS))

    connection.add_notice_handler(heard)
    if not work.whole:
        reached.may_stay = True
        return await _last(connection, work, notices)
    await connection.execute("BEGIN")
    came = await _last(connection, work, notices)
    wrong: Text | None = work.judge(came)
    if wrong is not None:
        await connection.execute("ROLLBACK")
        raise sql.unlike(wrong)
    reached.may_stay = True
    await connection.execute("COMMIT")
    return Came(came.rows, came.value, came.row, tuple(notices))


async def _last(connection: psycopg.AsyncConnection[Any], work: Work, notices: list[str]) -> Came:
    """Send every statement and return what came of the last one."""
    came = Came(None, sql.NO_ROW)
    for statement in work.statements:
        values = [work.token] if needs_token(statement) else None
        cursor = await connection.execute(with_token(statement, "$1").encode(), values)
        row = await cursor.fetchone() if cursor.description else None
        plain_row = () if row is None else tuple(sql.plain(value) for value in row)
        count = None if cursor.rowcount < 0 else cursor.rowcount
        came = Came(count, plain_row[0] if plain_row else sql.NO_ROW, plain_row, tuple(notices))
    return came


def _meaning(target: Target, work: Work, reached: sql.Reached, error: Any) -> StepFailed | StepUncertain:
    """What the server sql.refused did not happen; where it went away, that depends on when."""
    state = error.sqlstate or ""
    if state in TOO_SLOW:
        return sql.too_slow(target, work.within)
    if reached.may_stay and (not state or state.startswith(GONE)):
        return StepUncertain(sql.lost(target))
    return sql.refused(target, error)
