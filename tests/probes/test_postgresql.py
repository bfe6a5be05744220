"""PostgreSQL where it cannot be asked: each way in which that happens says so, and within its time."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity
from monitor.secret import Secret
from probes.access import SqlAccess
from probes.contract import Target
from probes.replication import Replication, ReplicationParams
from probes.runner import run


def target(port: int, **changes: Any) -> Target:
    words = {"engine": "postgresql", "database": "crm", "user": "releve", "password": Secret("sesame"), "port": port}
    return Target(NodeId("sql"), "127.0.0.1", {"sql": SqlAccess.model_validate({**words, **changes})})


async def said(make_io: Any, asked: Target, timeout: float = 5.0) -> str:
    io = make_io()
    result = await run(Replication(), asked, ReplicationParams(), timeout, io.sessions, io.clock, {})
    assert result.verdict.severity is Severity.UNKNOWN
    text = ENGLISH.render(result.verdict.summary)
    assert "sesame" not in text
    return text


async def test_nobody_on_the_port_is_told_with_what_to_do(make_io):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        text = await said(make_io, target(taken.getsockname()[1]))
    assert text.startswith("PostgreSQL on sql cannot be asked: connection failed")
    assert "pg_hba.conf" in text


async def test_a_server_that_says_nothing_is_given_up_in_time(make_io):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text = await said(make_io, target(silent.getsockname()[1]), timeout=0.5)
    assert text.startswith("PostgreSQL on sql cannot be asked: no answer on port")


async def test_a_server_that_asks_for_the_password_itself_does_not_get_it(make_io):
    """AuthenticationCleartextPassword (protocol 3.0, message R with 3)."""
    heard = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # SSLRequest
        writer.write(b"N")
        heard.extend(await reader.read(1000))
        writer.write(b"R" + (8).to_bytes(4, "big") + (3).to_bytes(4, "big"))
        heard.extend(await reader.read(1000))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        text = await said(make_io, target(server.sockets[0].getsockname()[1]))
    assert b"releve" in heard
    assert b"sesame" not in heard
    assert text.startswith("PostgreSQL on sql cannot be asked")


async def test_a_secret_that_is_not_there_is_named(make_io, monkeypatch):
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    assert "NO_SUCH_SECRET" in await said(make_io, target(1, password=Secret("env:NO_SUCH_SECRET")))


@pytest.mark.parametrize("asked", [target(1, engine="mssql"), Target(NodeId("sql"), "127.0.0.1")])
async def test_a_device_without_a_log_in_to_it_is_told_what_it_lacks(make_io, asked):
    text = await said(make_io, asked)
    assert text.startswith("sql has no sql access to PostgreSQL in the inventory. Give it sql: {engine: postgresql")
