"""PostgreSQL asked about its replication: one connection, one row, and the copies that the primary sees.

psycopg is imported with the first question; it comes with the extra `postgres`. Functions and views are those of
PostgreSQL 10 and later ("System Administration Functions", "The Cumulative Statistics System").
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from monitor.core.text import say, verbatim
from monitor.secret import expanded
from probes.access import SqlAccess
from probes.cleaning import one_line
from probes.contract import Io, ProbeFault, Target
from probes.replication_seen import Role, Server, Stream

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    Connection = AsyncConnection[dict[str, Any]]

PORT = 5432
MOST_STREAMS = 100
"""Copies that are read; more is no PostgreSQL (max_wal_senders is 10, if absent)."""
LONGEST_WHY = 300
"""Characters of the server's own words that are shown."""

STATE = """
SELECT pg_is_in_recovery() AS standby,
       (SELECT system_identifier::text FROM pg_control_system()) AS system,
       coalesce((SELECT received_tli FROM pg_stat_wal_receiver),
                (SELECT timeline_id FROM pg_control_checkpoint())) AS timeline,
       CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_flush_lsn()), 8) END AS written_on,
       clock_timestamp() AS at,
       CASE WHEN NOT pg_is_in_recovery() THEN (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::text END AS flushed,
       current_setting('synchronous_commit') AS commits,
       (pg_last_wal_receive_lsn() - '0/0'::pg_lsn)::text AS received,
       (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::text AS replayed,
       pg_last_xact_replay_timestamp() AS replayed_at,
       CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END AS paused,
       coalesce((SELECT coalesce(status, 'streaming') = 'streaming' FROM pg_stat_wal_receiver), false) AS receiving
"""
"""A primary's timeline is that of the file it writes: the one of its last checkpoint is still the old one for a while
after a promotion."""
STREAMS = f"""
SELECT application_name AS name, host(client_addr) AS address, state, sync_state AS sync,
       (flush_lsn - '0/0'::pg_lsn)::text AS flushed, (replay_lsn - '0/0'::pg_lsn)::text AS replayed
FROM pg_stat_replication ORDER BY pid LIMIT {MOST_STREAMS}
"""  # noqa: S608 - a number of ours


@asynccontextmanager
async def opened(target: Target, io: Io, within: float) -> AsyncIterator[Connection]:
    """Yield a connection to the target's database that waits `within` seconds for each answer. Raises ProbeFault."""
    try:
        import psycopg  # noqa: PLC0415
        from psycopg.rows import dict_row  # noqa: PLC0415
    except ImportError as error:
        raise ProbeFault(
            say("Relève cannot speak with PostgreSQL as it is installed"),
            say("install it with its extra: {command}", command="pip install '.[postgres]'"),
        ) from error
    access = target.access.get("sql")
    if not isinstance(access, SqlAccess) or access.engine != "postgresql":
        raise ProbeFault(
            say("{device} has no sql access to PostgreSQL in the inventory", device=target.name),
            say("Give it sql: {{engine: postgresql, database: NAME, user: NAME, password: env:NAME}}"),
        )
    words = {**log_in(target, access), "options": f"-c statement_timeout={max(1, round(within * 1000))}"}
    try:
        async with asyncio.timeout(within):
            connection = await psycopg.AsyncConnection.connect(autocommit=True, row_factory=dict_row, **words)
    except (psycopg.Error, OSError, TimeoutError) as error:
        raise _unreached(target, access, error) from error
    try:
        yield connection
    finally:
        await connection.close()


def log_in(target: Target, access: SqlAccess) -> dict[str, Any]:
    """Return where and as whom to connect, in libpq's words. Raises Unresolved for the password."""
    words = {
        "host": target.address,
        "port": access.port or PORT,
        "dbname": access.database,
        "user": access.user,
        "password": access.password.reveal(),
        "application_name": "releve",
    }
    if access.ca is not None:
        return {**words, "sslmode": "verify-full", "sslrootcert": str(expanded(access.ca))}
    # A server that is not who it should be could ask for the password itself; all other ways only prove it.
    return {**words, "require_auth": "!password"}


def _unreached(target: Target, access: SqlAccess, error: Exception) -> ProbeFault:
    port = access.port or PORT
    if isinstance(error, TimeoutError):
        why = say("no answer on port {port}", port=port)
    else:
        why = verbatim(one_line(" ".join(str(error).split()) or type(error).__name__, LONGEST_WHY))
    return ProbeFault(
        say("PostgreSQL on {device} cannot be asked: {why}", device=target.name, why=why),
        say("See whether it runs, whether pg_hba.conf lets this machine in, and whether user and password are right"),
    )


async def ask(connection: Connection, target: Target, within: float) -> Server:
    """Return what the database says of its replication, within so many seconds. Raises ProbeFault."""
    import psycopg  # noqa: PLC0415

    try:
        async with asyncio.timeout(within):
            state = await (await connection.execute(STATE)).fetchone()
            streams = await (await connection.execute(STREAMS)).fetchall()
    except (psycopg.Error, OSError, TimeoutError) as error:
        why = verbatim(one_line(" ".join(str(error).split()) or type(error).__name__, LONGEST_WHY))
        raise ProbeFault(
            say("PostgreSQL on {device} does not say how it replicates: {why}", device=target.name, why=why),
            say("It must be PostgreSQL 10 or later; its log says more"),
        ) from error
    if state is None:
        raise ProbeFault(say("PostgreSQL on {device} answers nothing", device=target.name))
    return server_of(target, state, streams)


def server_of(target: Target, state: Mapping[str, Any], streams: list[dict[str, Any]]) -> Server:
    """Return the rows of STATE and STREAMS as a server."""
    standby = bool(state["standby"])
    written_on = state["written_on"]
    return Server(
        name=target.name,
        role=Role.STANDBY if standby else Role.PRIMARY,
        system=str(state["system"]),
        timeline=int(written_on, 16) if written_on else int(state["timeline"] or 0),
        at=_utc(state["at"]),
        flushed=int(state["flushed"] or 0),
        commits=str(state["commits"]),
        streams=tuple(_stream(row) for row in streams),
        received=int(state["received"] or 0),
        replayed=int(state["replayed"] or 0),
        replayed_at=None if state["replayed_at"] is None else _utc(state["replayed_at"]),
        paused=bool(state["paused"]),
        receiving=standby and bool(state["receiving"]),
    )


def _stream(row: Mapping[str, Any]) -> Stream:
    return Stream(
        name=one_line(row["name"] or ""),
        address=str(row["address"] or ""),
        state=row["state"],
        sync=str(row["sync"] or ""),
        flushed=None if row["flushed"] is None else int(row["flushed"]),
        replayed=None if row["replayed"] is None else int(row["replayed"]),
    )


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)
