"""A line of TCP between two ends of loopback that can be cut at any octet, or freeze."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from types import TracebackType
from typing import Self

from lab.door import LOOPBACK

BLOCK = 65536


class Relay:
    """Passes connections to its `port` on to the port `to`; use it as `async with Relay(...) as relay`.

    Once `after` octets have passed, of both directions together, the line is `cut`: the first connection alone, and
    others pass, or are turned away (`only`); or all of them share one count (`shared`). `frozen`: of the first one
    nothing passes any more, and nobody is told. `passed`: the octets so far.
    """

    def __init__(self, to: int, after: float = math.inf, *, only: bool = False, shared: bool = False) -> None:
        self._to, self._left, self._only, self._shared = to, after, only, shared
        self.port = self.passed = self._count = 0
        self.cut = self.frozen = False
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Let connections in."""
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut every connection and let none in."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._count += 1
        task = asyncio.create_task(self._serve(reader, writer, first=self._count == 1), name="lab: relay")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, first: bool) -> None:
        ends = [writer]
        try:
            if first or not self._only:
                with suppress(OSError):
                    there, back = await asyncio.open_connection(LOOPBACK, self._to)
                    ends.append(back)
                    await self._pass_on(((reader, back), (there, writer)), counted=first or self._shared, first=first)
        finally:
            for end in ends:
                end.transport.abort()
            for end in ends:
                with suppress(OSError):
                    await end.wait_closed()

    async def _pass_on(
        self,
        ways: tuple[tuple[asyncio.StreamReader, asyncio.StreamWriter], ...],
        *,
        counted: bool,
        first: bool,
    ) -> None:
        """Pass octets on in both directions until one of them ends."""
        pumps = [asyncio.create_task(self._pump(*way, counted=counted, first=first)) for way in ways]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool, first: bool
    ) -> None:
        while data := await reader.read(BLOCK):
            if first and self.frozen:
                continue
            if counted:
                data = data[: int(min(len(data), self._left))]
                self._left -= len(data)
                self.passed += len(data)
            writer.write(data)
            await writer.drain()
            if counted and self._left <= 0:
                self.cut = True
                return

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
