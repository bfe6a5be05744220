"""A line that passes everything on until it is cut, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lab.relay import Relay


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def said(port: int, words: bytes) -> bytes:
    """What comes back of `words` until the line ends or all of them are there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = b""
    try:
        writer.write(words)
        while len(heard) < len(words) and (data := await asyncio.wait_for(reader.read(1000), 10)):
            heard += data
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()
    return heard


async def test_everything_passes_and_is_counted_in_both_directions():
    async with echo() as port, Relay(port) as relay:
        assert await said(relay.port, b"hello") == b"hello"
        assert (relay.passed, relay.cut) == (10, False)


@pytest.mark.parametrize("after", [3, 7])
async def test_the_first_connection_is_cut_at_the_octet_and_the_next_one_passes(after):
    async with echo() as port, Relay(port, after) as relay:
        assert len(await said(relay.port, b"hello")) == max(0, after - 5)
        assert (relay.passed, relay.cut) == (after, True)
        assert await said(relay.port, b"again") == b"again"


async def test_others_are_turned_away_or_share_the_count():
    async with echo() as port, Relay(port, only=True) as relay, Relay(port, 12, shared=True) as shared:
        assert await said(relay.port, b"one") == b"one"
        assert await said(relay.port, b"two") == b""
        assert await said(shared.port, b"hello") == b"hello"
        assert await said(shared.port, b"hello") == b""
        assert shared.cut
