"""What is asked of PostgreSQL, and told to it, where commits are to wait for a copy at another site.

The role needs pg_monitor beside what runbooks/commits_wait.py says.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from failover.promise_seen import Copy, Primary, Stream
from monitor.core.text import Text, say
from monitor.secret import Unresolved
from probes.cleaning import one_line
from probes.contract import Target
from runbooks.commits_wait import alone, row, told
from runbooks.contract import StepFailed, StepUncertain
from runbooks.sql_postgresql import session

MOST_STREAMS = 100
AT_REST = ("CheckpointerMain", "CheckpointWriteDelay")
"""Where the checkpointer sleeps: right before either it has read its settings, if it was told to (PostgreSQL, "Wait
Events"; checkpointer.c)."""
STATE = """
SELECT pg_is_in_recovery(),
       (SELECT system_identifier::text FROM pg_control_system()),
       CASE WHEN pg_is_in_recovery() THEN 0
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::int END,
       extract(epoch FROM pg_postmaster_start_time())::float8,
       current_setting('synchronous_standby_names'),
       current_setting('synchronous_commit'),
       (SELECT wait_event FROM pg_stat_activity WHERE backend_type = 'checkpointer'),
       CASE WHEN pg_is_in_recovery() THEN 0 ELSE (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint END,
       current_setting('server_version_num')::int
"""
ROLES = """
SELECT coalesce(r.rolname, '*') || '@' || coalesce(d.datname, '*'), c
FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) c
LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
WHERE c LIKE 'synchronous\\_commit=%'
  AND (lower(split_part(c, '=', 2)) NOT IN ('on', 'true', 'yes', '1', 'remote_apply')
       OR (s.setrole IN (0, session_user::regrole::oid)
           AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))))
ORDER BY 1 LIMIT 1
"""
"""Roles and databases for which commits do not wait; also those whose setting hides that of the server from us."""
STREAMS = f"""
SELECT application_name, coalesce(host(client_addr), ''), state, sync_state, (flush_lsn - '0/0'::pg_lsn)::bigint
FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup' ORDER BY pid LIMIT {MOST_STREAMS}
"""  # noqa: S608 - a number of ours
COPY = """
SELECT pg_is_in_recovery(),
       (SELECT system_identifier::text FROM pg_control_system()),
       (SELECT count(*) FROM pg_stat_wal_receiver WHERE status IS NULL),
       (SELECT conninfo FROM pg_stat_wal_receiver)
"""
STRONG = frozenset({"on", "remote_apply"})
"""Values of synchronous_commit with which a commit waits until the copy has it on its disk."""
_NAME = re.compile(r"(?:^|\s)(fallback_)?application_name=(?:'((?:[^'\\]|\\.)*)'|(\S+))")
BLIND = say("it does not show its copies to this user: GRANT pg_monitor TO the user of Relève")

T = TypeVar("T")
_late: set[asyncio.Future[Any]] = set()
"""Kept until they are over: a task that nobody refers to may be forgotten in the middle."""


async def look_at_primary(target: Target, within: float) -> Primary | Text:
    """Return how the server stands that should take the commits, or why it does not say so within so many seconds."""
    return await _asked(_primary(target, within), within)


async def look_at_copy(target: Target, within: float) -> Copy | Text:
    """Return how the server stands that should be the copy, or why it does not say so within so many seconds."""
    return await _asked(_copy(target, within), within)


async def _asked(asking: Awaitable[T], within: float) -> T | Text:
    """Return what is answered in time. What comes later is waited for by nobody: to break off takes its time too."""
    asked = asyncio.ensure_future(asking)
    try:
        await asyncio.wait({asked}, timeout=within)
    finally:
        if not asked.done():
            asked.cancel()
            _late.add(asked)
            asked.add_done_callback(_late.discard)
    if not asked.done():
        return say("no answer in time")
    try:
        return asked.result()
    except (StepFailed, StepUncertain, Unresolved) as error:
        return error.text
    except (TypeError, ValueError, OverflowError):
        return say("what the database answers makes no sense")


async def _primary(target: Target, within: float) -> Primary:
    async with session(target, within) as connection:
        state = await row(connection, STATE)
        role = await (await connection.execute(ROLES.encode())).fetchone()
        streams = await (await connection.execute(STREAMS.encode())).fetchall()
    standby, system, timeline, started, names, commits, rests, flushed, version = state
    if any(row[2] is None for row in streams):
        raise StepFailed(BLIND)
    weak = "" if commits in STRONG else f"synchronous_commit={commits}"
    if role is not None:
        weak = one_line(f"{role[0]}: {role[1]}")[:200]
    return Primary(
        standby=bool(standby),
        system=str(system),
        timeline=int(timeline),
        started=float(started),
        names=str(names),
        weak=weak,
        at_rest=rests in AT_REST,
        flushed=int(flushed),
        version=int(version),
        streams=tuple(
            Stream(one_line(row[0] or ""), str(row[1]), row[2] == "streaming", row[3] == "sync", row[4])
            for row in streams
        ),
    )


async def _copy(target: Target, within: float) -> Copy:
    async with session(target, within) as connection:
        standby, system, hidden, conninfo = await row(connection, COPY)
    if hidden:
        raise StepFailed(BLIND)
    return Copy(bool(standby), str(system), called(conninfo or ""))


def called(conninfo: str) -> str:
    """Return under which name a copy connects that does so with `conninfo`, empty where it says none."""
    found = {bool(one[1]): one[2] if one[2] is not None else one[3] for one in _NAME.finditer(conninfo)}
    return one_line(found.get(False) or found.get(True) or "")


async def make_wait(target: Target, name: str, within: float) -> None:
    """Have all commits wait for the copy that connects as `name`; return when the server has read so.

    Its checkpointer may not have yet. Raises StepFailed, StepUncertain or Unresolved: it may be so by then or later.
    """
    async with alone(target, within) as connection:
        await told(connection, name, within)


async def relax(target: Target, within: float, seal: Callable[[], Awaitable[bool]]) -> bool:
    """Have no commit wait any more, once `seal` has returned True; return whether it did.

    `seal` is asked when nobody else can tell the server anything, and lets all that was promised be void. Raises
    StepFailed, StepUncertain or Unresolved: it may be so by then or later.
    """
    async with alone(target, within) as connection:
        if not await seal():
            return False
        await told(connection, "", within)
        return True
