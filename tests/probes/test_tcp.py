"""A TCP port: what its answers mean, and real listeners that refuse, keep silent, greet, and shout."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity
from probes.contract import ProbeFault, Target, TargetFailure
from probes.tcp import GREETING_BYTES, Tcp, TcpParams, TcpSeen, printable

HERE = Target(NodeId("here"), "127.0.0.1")
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def params(**keys: object) -> TcpParams:
    return TcpParams.model_validate({"port": 22, **keys})


@asynccontextmanager
async def listening(talk: Talk) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def greeting(*chunks: bytes) -> Talk:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()

    return talk


async def silence(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.mark.parametrize(
    ("seen", "keys", "severity"),
    [
        (TcpSeen(0.010), {}, Severity.OK),
        (TcpSeen(0.300), {"warning": "200ms"}, Severity.WARNING),
        (TcpSeen(2.000), {"warning": "200ms", "critical": "1s"}, Severity.CRITICAL),
        (TcpSeen(0.010, b"220 mail"), {"expect": "220"}, Severity.OK),
        (TcpSeen(0.300, b"220 mail"), {"expect": "220", "warning": "200ms"}, Severity.WARNING),
        (TcpSeen(0.010, b"554 no"), {"expect": "220"}, Severity.CRITICAL),
        (TcpSeen(0.010, b""), {"expect": "220"}, Severity.CRITICAL),
    ],
)
def test_slow_is_judged_by_thresholds_and_a_wrong_greeting_is_critical(seen, keys, severity):
    assert Tcp().judge(seen, params(**keys)).severity is severity


@given(st.floats(0, 1e6), st.one_of(st.none(), st.binary(max_size=300)), st.text(min_size=1, max_size=20))
def test_every_observation_has_a_verdict_of_one_line(connect, greeting, expect):
    for keys in ({}, {"expect": expect}):
        verdict = Tcp().judge(TcpSeen(connect, greeting), params(**keys))
        assert "\n" not in ENGLISH.render(verdict.summary)


@given(st.binary(max_size=200))
def test_what_a_server_says_is_shown_as_harmless_ascii(raw):
    shown = printable(raw)
    assert shown.isascii()
    assert shown.isprintable()


async def test_a_listening_port_is_seen(make_io):
    async with listening(greeting()) as port:
        seen = await Tcp().observe(HERE, params(port=port), make_io())
    assert seen.connect > 0
    assert seen.greeting is None


async def test_a_refused_port_is_down_and_says_why(make_io):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(TargetFailure) as raised:
            await Tcp().observe(HERE, params(port=taken.getsockname()[1]), make_io())
    assert raised.value.down
    assert "connection refused" in ENGLISH.render(raised.value.text)


async def test_a_port_that_does_not_answer_is_down_before_the_deadline(make_io):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        clients = [socket.socket() for _ in range(3)]
        try:
            for client in clients:
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", port))
            io = make_io(0.5)
            with pytest.raises(TargetFailure) as raised:
                await Tcp().observe(HERE, params(port=port), io)
        finally:
            for client in clients:
                client.close()
    assert raised.value.down
    assert "no answer within" in ENGLISH.render(raised.value.text)


async def test_a_greeting_is_read_until_it_is_known(make_io):
    async with listening(greeting(b"SSH-", b"2.0-OpenSSH_9.2\r\n")) as port:
        look = params(port=port, expect="SSH-2.0")
        verdict = Tcp().judge(await Tcp().observe(HERE, look, make_io()), look)
    assert verdict.severity is Severity.OK


@pytest.mark.parametrize(
    ("talk", "said"),
    [
        (greeting(b"554 go away\r\n"), "554 go away"),
        (greeting(), "the server ended the connection"),
        (silence, "nothing more came"),
        (greeting(b"\x1b[2J\x00" * 10_000), "it went on without end"),
    ],
)
async def test_a_wrong_silent_or_endless_greeting_is_critical_and_says_which(make_io, talk, said):
    async with listening(talk) as port:
        look = params(port=port, expect="220")
        seen = await Tcp().observe(HERE, look, make_io(1.0))
        verdict = Tcp().judge(seen, look)
    assert verdict.severity is Severity.CRITICAL
    assert not verdict.down
    assert said in ENGLISH.render(verdict.summary)
    assert len(seen.greeting) <= GREETING_BYTES


async def test_a_name_that_does_not_resolve_is_unknown_with_a_remedy(make_io):
    with pytest.raises(ProbeFault) as raised:
        await Tcp().observe(Target(NodeId("x"), "nowhere.invalid"), params(), make_io())
    assert raised.value.remedy is not None
