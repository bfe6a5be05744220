"""Why no connection came about: said by kind, and without the address, which may be a secret."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest

from monitor.core.text import ENGLISH
from probes.unconnected import network_reason, unconnected


async def failed(url: str) -> Exception:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError) as caught:
            await session.get(url)
    return caught.value


async def test_a_port_that_nobody_listens_on_is_told_without_its_address():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        why = unconnected(await failed(f"http://127.0.0.1:{port}/secret"))
    assert why is not None
    words = ENGLISH.render(why)
    assert words.startswith("no connection: ")
    assert not any(part in words for part in ("127.0.0.1", str(port), "secret"))


async def test_who_speaks_no_tls_is_told_as_that():
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"220 mail.example.org ESMTP\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        why = unconnected(await failed(f"https://127.0.0.1:{port}/"))
    assert why is not None
    assert ENGLISH.render(why) == "no TLS connection can be made with it"


@pytest.mark.parametrize("error", [ValueError("x"), aiohttp.ClientPayloadError(), OSError(5, "disk")])
def test_what_is_no_failed_connection_is_left_to_the_caller(error):
    assert unconnected(error) is None


def test_an_error_without_a_number_is_still_told():
    assert ENGLISH.render(network_reason(OSError("Multiple exceptions: [Errno 111] ('10.0.0.1', 443)"))) == (
        "the network refuses"
    )
