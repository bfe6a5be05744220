"""The client's edge of two sites: its trunk leads calls, and agents, to one of the two sites or to none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lab.door import QUEUE, bound
from lab.programs import LOOPBACK

ANSWERED_WITHIN = 2.0
"""Seconds for a site to answer a call; then it is refused."""
LONGEST_WORDS = 4096
CALL_EVERY = 0.25
REFUSED = b"HTTP/1.0 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
CALL = b"GET /call HTTP/1.0\r\n\r\n"
AGENT = b"GET /agents"
"""How the request of an agent begins, who wants the application and no call."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that a caller made `at` (UTC). `site`: the one that answered; empty: it was refused."""

    at: datetime
    site: str


class Trunk:
    """Reads out of the edge's `folder` what its program `trunk` wrote there.

    `diallers`, `applications`: their ports by site. `calls`: what became of every call.
    """

    def __init__(
        self,
        folder: Path,
        diallers: Mapping[str, int],
        applications: Mapping[str, int],
        now: Callable[[], datetime],
    ) -> None:
        self.calls: list[Call] = []
        self._folder, self._now = folder, now
        self._diallers, self._applications = dict(diallers), dict(applications)
        self._socket = bound()
        self.port: int = self._socket.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._calling: asyncio.Task[None] | None = None

    @property
    def leads_to(self) -> str:
        """The site to which calls are led; empty while it is cut off, or none was said."""
        with suppress(FileNotFoundError):
            site = (self._folder / "leads-to").read_text()
            return "" if self.is_cut(site) else site
        return ""

    def is_cut(self, site: str) -> bool:
        """Return whether nothing of `site` gets past the edge."""
        return (self._folder / f"cut-{site}").exists()

    async def start(self) -> None:
        """Take calls, and let somebody call."""
        self._server = await asyncio.start_server(self._serve, sock=self._socket, backlog=QUEUE)
        self._calling = asyncio.create_task(self._call(), name="lab: calls")

    async def stop(self) -> None:
        """Take no more."""
        if self._calling is not None:
            self._calling.cancel()
            await asyncio.wait([self._calling])
        if self._server is not None:
            self._server.close()
        self._socket.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(ANSWERED_WITHIN):
                writer.write(await self._answer(await reader.read(LONGEST_WORDS)))
                await writer.drain()
        except (OSError, TimeoutError):
            pass  # who called has hung up
        finally:
            writer.close()

    async def _answer(self, asked: bytes) -> bytes:
        site = self.leads_to
        if not site:
            return REFUSED
        ports = self._applications if asked.startswith(AGENT) else self._diallers
        try:
            async with asyncio.timeout(ANSWERED_WITHIN):
                return await _ask(ports[site], asked) or REFUSED
        except (OSError, TimeoutError):
            return REFUSED

    async def _call(self) -> None:
        while True:
            at = self._now()
            said = await self._answer(CALL)
            site = self.leads_to if said.startswith(b"HTTP/1.0 200") else ""
            self.calls.append(Call(at, site))
            await asyncio.sleep(CALL_EVERY)


async def _ask(port: int, asked: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(asked)
        return await reader.read()
    finally:
        writer.close()
