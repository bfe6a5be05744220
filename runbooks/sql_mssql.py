"""SQL Server, by python-tds in a thread, with time limits of its own. The token is a variable, declared before each."""

from __future__ import annotations

import ipaddress
import socket
from importlib import import_module
from typing import Any

from monitor.core.text import Text, say
from monitor.secret import expanded
from probes.access import SqlAccess
from probes.contract import Target
from probes.ssh import is_loopback
from runbooks import sql
from runbooks.contract import StepFailed, StepUncertain
from runbooks.sql import Came, Work
from runbooks.sql_text import needs_token, with_token
from runbooks.threads import NotStarted, blocking

PORT = 1433
VARIABLE = "@releve_token"
LOG_IN_WITHIN = 15.0
"""Seconds for the connection and the log-in."""


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
        if reached.may_stay:
            raise StepUncertain(sql.lost(target)) from error
        raise sql.too_slow(target, work.within) from error
    except (driver.Error, OSError) as error:
        if getattr(error, "number", 0) or not reached.may_stay:
            raise sql.refused(target, error) from error
        raise StepUncertain(sql.lost(target)) from error


def _driver() -> Any:
    driver: Any
    tls: Any
    try:
        driver, tls = import_module("pytds"), import_module("pytds.tls")
    except ImportError as error:
        raise sql.no_driver("mssql") from error
    # python-tds 1.17 asks for extensions that pyopenssl 26 no longer has, so that every certificate would be refused.
    tls.validate_host = is_for
    return driver


def is_for(cert: Any, name: bytes) -> bool:
    """Return whether `cert`, of pyopenssl, is for the host `name`, an address or a name (RFC 6125, 6.4)."""
    from cryptography import x509  # noqa: PLC0415 - comes with the extra

    try:
        names = cert.to_cryptography().extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    host = name.decode("ascii", "replace").casefold()
    try:
        return ipaddress.ip_address(host) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        allowed = [one.casefold() for one in names.get_values_for_type(x509.DNSName)]
    return host in allowed or f"*.{host.partition('.')[2]}" in allowed


def _worked(driver: Any, target: Target, access: SqlAccess, password: str, work: Work, reached: sql.Reached) -> Came:
    port = access.port or PORT
    try:
        # python-tds would try a port that refuses again and again.
        socket.create_connection((target.address, port), LOG_IN_WITHIN).close()
        connection = driver.connect(
            dsn=target.address,
            port=port,
            database=access.database,
            user=access.user,
            password=password,
            login_timeout=LOG_IN_WITHIN,
            timeout=work.within,
            autocommit=not work.whole,
            appname="releve",
            cafile=None if access.ca is None else str(expanded(access.ca)),
            disable_connect_retry=True,
        )
    except Exception as error:  # those of sockets, of python-tds and of pyopenssl have nothing in common
        raise sql.unreached(target, error) from error
    try:
        with connection.cursor() as cursor:
            return _sent(connection, cursor, work, reached)
    finally:
        connection.close()


def _sent(connection: Any, cursor: Any, work: Work, reached: sql.Reached) -> Came:
    reached.may_stay = not work.whole
    came = Came(None, sql.NO_ROW)
    for statement in work.statements:
        cursor.execute(_declared(statement, work.token))
        row = cursor.fetchone() if cursor.description else None
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
    connection.commit()
    return came


def _declared(statement: str, token: int | None) -> str:
    if token is None or not needs_token(statement):
        return statement
    return f"DECLARE {VARIABLE} bigint = {token:d}; {with_token(statement, VARIABLE)}"
