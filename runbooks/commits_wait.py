"""For which copy commits of PostgreSQL wait: how that is spelled, and how a server is told, by one at a time.

Whoever tells it anything has a lock of the server for as long as the session lasts. A session whose end nobody heard of
keeps it until the server has done, or dropped, what it was told: nobody tells it the contrary in the meantime. One that
tells nothing more, because its machine stands still or cannot be reached, is ended by the server itself: PostgreSQL 13
has no such setting, and ends it by the keepalives of TCP alone, after two hours unless it is configured otherwise.

The role needs EXECUTE on pg_reload_conf and the right to ALTER SYSTEM: from version 15 on `GRANT ALTER SYSTEM ON
PARAMETER synchronous_standby_names`, before that a superuser.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from monitor.core.text import say
from probes.contract import Target
from runbooks import sql
from runbooks.contract import StepFailed, StepUncertain
from runbooks.sql_postgresql import session

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.AsyncConnection[Any]

LOCK = 0x72656C657665
"""Key of the advisory lock: "releve"."""
LOOK_AGAIN = 0.02
"""Seconds between two looks at whether the server has read its settings again."""
AT_MOST = 4
"""Times the patience with one statement that a session takes in all."""
FIT = re.compile(r"[A-Za-z0-9_.-]{1,63}")
"""Names of a copy that need no quoting of their own; a longer one is cut by the server."""
_SPELLED = re.compile(r'FIRST 1 \("([A-Za-z0-9_.-]{1,63})"\)')
IDLE = "SELECT set_config(name, $1, false) FROM pg_settings WHERE name = 'idle_session_timeout'"
TAKEN = say("somebody else is about to change whether commits wait")


def spelled(name: str) -> str:
    """Return the value of synchronous_standby_names with which commits wait for the copy `name`, and for no other."""
    return f'FIRST 1 ("{name}")'


def waited_for(names: str) -> str | None:
    """Return for which copy a primary with these `names` waits, if it was us who spelled them."""
    found = _SPELLED.fullmatch(names)
    return None if found is None else found[1]


@asynccontextmanager
async def alone(target: Target, within: float) -> AsyncIterator[Connection]:
    """Yield a session while which nobody else of ours tells the server anything. Raises like `session`.

    `within`: seconds for each statement; a server that is frozen or cut off does not keep to them, and is left then.
    """
    try:
        async with asyncio.timeout(AT_MOST * within), session(target, within) as connection:
            await connection.execute(IDLE.encode(), [f"{round(AT_MOST * within * 1000):d}ms"])
            (got,) = await row(connection, f"SELECT pg_try_advisory_lock({LOCK:d})")
            if got is not True:
                raise StepFailed(TAKEN)
            yield connection
    except TimeoutError as error:
        raise StepUncertain(sql.lost(target)) from error


async def told(connection: Connection, name: str, within: float) -> None:
    """Have commits wait for the copy `name`, for none where it is empty; return when this session has read so.

    What nobody has loaded yet, of whoever was told something before, is either overwritten or read along. Raises
    StepFailed or StepUncertain.
    """
    if name and not FIT.fullmatch(name):
        raise ValueError(name)
    names = spelled(name) if name else ""
    await connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'".encode())  # of FIT signs only
    (before,) = await row(connection, "SELECT clock_timestamp()::text")
    await connection.execute(b"SELECT pg_reload_conf()")
    query = "SELECT pg_conf_load_time() > $1::timestamptz, current_setting('synchronous_standby_names')"
    loop = asyncio.get_running_loop()
    until = loop.time() + within
    while True:
        loaded = await (await connection.execute(query.encode(), [before])).fetchone()
        if loaded is not None and loaded[0]:
            break
        if loop.time() >= until:
            raise StepUncertain(say("the database was told to read its settings again, and has not"))
        await asyncio.sleep(LOOK_AGAIN)
    if loaded[1] != names:
        where = say("synchronous_standby_names stays {names}: it is set where ALTER SYSTEM does not reach",
            names=loaded[1])  # fmt: skip
        raise StepFailed(where)


async def row(connection: Connection, query: str) -> tuple[Any, ...]:
    """Return the only row of `query`. Raises StepFailed where there is none."""
    found = await (await connection.execute(query.encode())).fetchone()
    if found is None:
        raise StepFailed(say("the database answers nothing"))
    return tuple(found)
