"""SQL Server, by python-tds in a thread, with time limits of its own. The token is a variable, declared before each."""

from __future__ import annotations

from typing import Any

from monitor.core.text import Text, say
from probes.access import SqlAccess
from probes.contract import ProbeFault, Target
from probes.mssql import connect, load
from probes.ssh import is_loopback
from runbooks import sql
from runbooks.contract import StepFailed, StepUncertain
from runbooks.sql import Came, Work
from runbooks.sql_text import needs_token, with_token
from runbooks.threads import NotStarted, blocking

VARIABLE = "@releve_token"
LOG_IN_WITHIN = 15.0
"""Seconds for the connection and the log-in."""
MOST_ROWS = 1000
"""Rows that are read of a result; python-tds cancels the rest, which may undo a statement that is still at work."""


async def carry_out(target: Target, access: SqlAccess, work: Work) -> Came:
    """Carry `work` out. Raises StepFailed or StepUncertain."""
    if access.ca is None and not is_loopback(target.address):
        raise StepFailed(
            say("the password of {device} would go over the network in clear", device=target.name),
            remedy=say("Write ca under sql of the device: the file of the authority that signed its certificate"),
        )
    driver, reached, password = _driver(), sql.Reached(), access.password.reveal()
    within = LOG_IN_WITHIN + work.within * len(work.statements) + sql.GRACE
    try:
        return await blocking(_worked, driver, target, access, password, work, reached, within=within)
    except NotStarted as error:
        raise StepFailed(say("too many routers and databases are waited for already")) from error
    except TimeoutError as error:
        reached.over = True  # before the question: who comes to the end now either sees it, or is seen
        if reached.may_stay:
            raise StepUncertain(sql.lost(target)) from error
        raise sql.too_slow(target, work.within) from error
    except (driver.Error, OSError) as error:
        if getattr(error, "number", 0) or not reached.may_stay:
            raise sql.refused(target, error) from error
        raise StepUncertain(sql.lost(target)) from error


def _driver() -> Any:
    try:
        return load()
    except ProbeFault as error:
        raise sql.no_driver("mssql") from error


def _worked(driver: Any, target: Target, access: SqlAccess, password: str, work: Work, reached: sql.Reached) -> Came:
    try:
        changes = {"timeout": work.within, "autocommit": not work.whole}
        connection = connect(driver, target, access, password, LOG_IN_WITHIN, **changes)
    except Exception as error:  # those of sockets, of python-tds and of pyopenssl have nothing in common
        raise sql.unreached(target, error) from error
    try:
        with connection.cursor() as cursor:
            return send(connection, cursor, work, reached)
    finally:
        connection.close()


def send(connection: Any, cursor: Any, work: Work, reached: sql.Reached) -> Came:
    """Carry `work` out on an open connection (PEP 249) and return what came of it.

    Raises StepFailed when it is not as expected, TimeoutError when nobody waits any more; nothing stays then.
    """
    reached.may_stay = not work.whole
    came = Came(None, sql.NO_ROW)
    for statement in work.statements:
        if reached.over:
            raise TimeoutError
        cursor.execute(declared(statement, work.token))
        row = cursor.fetchone() if cursor.description else None
        if row is not None:
            cursor.fetchmany(MOST_ROWS)  # how many there are is said behind the last; what waits unread is cancelled
        plain_row = () if row is None else tuple(sql.plain(value) for value in row)
        count = cursor.rowcount
        came = Came(count if count >= 0 else None, plain_row[0] if plain_row else sql.NO_ROW, plain_row)
    if not work.whole:
        return came
    wrong: Text | None = work.judge(came)
    if wrong is not None:
        connection.rollback()
        raise sql.unlike(wrong)
    reached.may_stay = True
    if reached.over:  # nobody waits any more, and it may have been told that nothing stays
        connection.rollback()
        raise TimeoutError
    connection.commit()
    return came


def declared(statement: str, token: int | None) -> str:
    """Return `statement` with its token as a variable, which stands before it."""
    if token is None or not needs_token(statement):
        return statement
    return f"DECLARE {VARIABLE} bigint = {token:d}; {with_token(statement, VARIABLE)}"
