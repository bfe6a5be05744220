"""SQL Server asked about its availability group or its log shipping, by python-tds in a thread.

python-tds is imported with the first question; it comes with the extra `mssql`. What is asked stands in `master` and
`msdb`, so that it can be asked of a copy that nobody may read.
"""

from __future__ import annotations

import ipaddress
import socket
from importlib import import_module
from typing import Any

from monitor.core.text import say, verbatim
from monitor.secret import expanded
from probes.access import SqlAccess
from probes.cleaning import one_line
from probes.contract import Io, ProbeFault, Target
from probes.mssql_seen import Member, Shipment, member_of, shipment_of
from probes.ssh import is_loopback

PORT = 1433
SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
"""RFC 5280, 4.2.1.6."""
MASTER = "master"
"""The database that everybody who may log in may use."""
MOST_ROWS = 100
"""Rows that are read: a group has nine replicas at most."""
LONGEST_WHY = 300
"""Characters of the server's own words that are shown."""
Question = tuple[str, tuple[str, ...]]
Rows = list[dict[str, Any]]

GROUP = """
SELECT @@SERVERNAME AS [server], GETDATE() AS [at], r.replica_server_name AS [replica],
       r.availability_mode_desc AS [mode], s.is_local, a.role_desc AS [role],
       a.connected_state_desc AS [connected], s.synchronization_state_desc AS [state],
       s.is_commit_participant AS [waits], s.is_suspended, s.suspend_reason_desc AS [reason],
       s.last_commit_time AS [committed_at], s.log_send_queue_size AS [unsent], s.redo_queue_size AS [unredone]
FROM sys.dm_hadr_database_replica_states AS s
JOIN sys.availability_databases_cluster AS d ON d.group_database_id = s.group_database_id
JOIN sys.availability_replicas AS r ON r.replica_id = s.replica_id
LEFT JOIN sys.dm_hadr_availability_replica_states AS a ON a.replica_id = s.replica_id
WHERE d.database_name = %s
"""
DATABASE = "SELECT GETUTCDATE() AS [at], state_desc AS [state], is_in_standby FROM sys.databases WHERE name = %s"
SHIPPED = """
SELECT restore_threshold AS [limit], last_copied_file AS [copied_file], last_restored_file AS [restored_file],
       last_restored_date_utc AS [restored_at], last_restored_latency AS [latency]
FROM msdb.dbo.log_shipping_monitor_secondary WHERE secondary_database = %s
"""


class _Refused(Exception):
    """The server could not be asked, or did not answer; the cause says why."""


async def ask_group(target: Target, io: Io, within: float) -> Member:
    """Return what the server says of the availability group of its database. Raises ProbeFault."""
    access = access_of(target)
    (rows,) = await _answers(target, access, [(GROUP, (access.database,))], io, within)
    try:
        member = member_of(target.name, rows)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _senseless(target) from error
    if member is None:
        raise ProbeFault(
            say("{device} shows no availability group with {database}", device=target.name, database=access.database),
            say(
                "Correct database in the inventory, or let the user see it: GRANT VIEW SERVER STATE, VIEW ANY "
                "DEFINITION"
            ),
        )
    return member


async def ask_shipment(target: Target, io: Io, within: float) -> Shipment:
    """Return what the server says of the log that is shipped to its database. Raises ProbeFault."""
    access = access_of(target)
    named = (access.database,)
    databases, shipped = await _answers(target, access, [(DATABASE, named), (SHIPPED, named)], io, within)
    try:
        shipment = shipment_of(target.name, databases, shipped)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _senseless(target) from error
    if shipment is None:
        raise ProbeFault(
            say("{device} shows no database {database}", device=target.name, database=access.database),
            say("Correct database in the inventory, or let the user see it: GRANT VIEW ANY DATABASE"),
        )
    return shipment


def access_of(target: Target) -> SqlAccess:
    """Return how the server is reached. Raises ProbeFault where it is not, or only with the password in clear."""
    access = target.access.get("sql")
    if not isinstance(access, SqlAccess) or access.engine != "mssql":
        raise ProbeFault(
            say("{device} has no sql access to SQL Server in the inventory", device=target.name),
            say("Give it sql: {{engine: mssql, database: NAME, user: NAME, password: env:NAME, ca: FILE}}"),
        )
    if access.ca is None and not is_loopback(target.address):
        raise ProbeFault(
            say("the password of {device} would go over the network in clear", device=target.name),
            say("Write ca under sql of the device: the file of the authority that signed its certificate"),
        )
    return access


async def _answers(target: Target, access: SqlAccess, questions: list[Question], io: Io, within: float) -> list[Rows]:
    driver = load()
    try:
        return await io.blocking(_asked, driver, target, access, access.password.reveal(), questions, within)
    except _Refused as refused:
        why = _words(refused.__cause__ or refused)
        raise ProbeFault(
            say("SQL Server on {device} cannot be asked: {why}", device=target.name, why=verbatim(why)),
            say("See whether it runs, whether port {port} is open, and whether the user may log in and see it",
                port=access.port or PORT),
        ) from refused  # fmt: skip


def _words(error: BaseException) -> str:
    """Return what `error` says; python-tds adds a number to some texts, which stands beside them then."""
    said = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    return one_line(" ".join(said.split()) or type(error).__name__, LONGEST_WHY)


def _senseless(target: Target) -> ProbeFault:
    return ProbeFault(
        say("what SQL Server on {device} answers makes no sense", device=target.name),
        say("See whether it is SQL Server 2012 or later"),
    )


def load() -> Any:
    """Return python-tds. Raises ProbeFault where it is not installed."""
    driver: Any
    tls: Any
    try:
        driver, tls = import_module("pytds"), import_module("pytds.tls")
    except ImportError as error:
        raise ProbeFault(
            say("Relève cannot speak with SQL Server as it is installed"),
            say("install it with its extra: {command}", command="pip install '.[mssql]'"),
        ) from error
    # python-tds 1.17 asks for extensions that pyopenssl 26 no longer has, so that every certificate would be refused.
    tls.validate_host = is_for
    return driver


def is_for(cert: Any, name: bytes) -> bool:
    """Return whether `cert`, of pyopenssl, is for the host `name`, an address or a name (RFC 6125, 6.4)."""
    extensions = cert.to_cryptography().extensions
    found = [one for each in extensions if each.oid.dotted_string == SUBJECT_ALTERNATIVE_NAME for one in each.value]
    host = name.decode("ascii", "replace").casefold()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        allowed = {str(one.value).casefold() for one in found if type(one).__name__ == "DNSName"}
        return bool(allowed & {host, f"*.{host.partition('.')[2]}"})
    return any(one.value == address for one in found if type(one).__name__ == "IPAddress")


def connect(driver: Any, target: Target, access: SqlAccess, password: str, within: float, **changes: Any) -> Any:
    """Return a connection of python-tds that waits `within` seconds for the log-in. Blocks; raises its errors."""
    port = access.port or PORT
    # python-tds would try a port that refuses again and again.
    socket.create_connection((target.address, port), within).close()
    words = {
        "dsn": target.address,
        "port": port,
        "database": access.database,
        "user": access.user,
        "password": password,
        "login_timeout": within,
        "appname": "releve",
        "cafile": None if access.ca is None else str(expanded(access.ca)),
        "disable_connect_retry": True,
    }
    return driver.connect(**{**words, **changes})


def _asked(
    driver: Any, target: Target, access: SqlAccess, password: str, questions: list[Question], within: float
) -> list[Rows]:
    changes = {"database": MASTER, "timeout": within, "autocommit": True, "as_dict": True}
    try:
        connection = connect(driver, target, access, password, within, **changes)
        try:
            with connection.cursor() as cursor:
                return [_rows(cursor, *question) for question in questions]
        finally:
            connection.close()
    except Exception as error:  # those of sockets, of python-tds and of pyopenssl have nothing in common
        raise _Refused from error


def _rows(cursor: Any, statement: str, values: tuple[str, ...]) -> Rows:
    cursor.execute(statement, values)
    return [dict(row) for row in cursor.fetchmany(MOST_ROWS)]
