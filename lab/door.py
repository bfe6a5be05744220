"""TCP ports on loopback that can be shut, darkened and opened again under the same number."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable

LOOPBACK = "127.0.0.1"
PORTS = range(20000, 32000)
"""Below the kernel's range of ephemeral ports: no outgoing connection takes, or connects to itself on, a shut one."""
TRIES = 200
QUEUE = 64
"""Visitors that may wait to be let in."""


def bound(kind: socket.SocketKind = socket.SOCK_STREAM, port: int | None = None) -> socket.socket:
    """Return a socket bound on loopback to `port`, or to a free one. Raises OSError when there is none."""
    for number in [port] if port else random.sample(PORTS, TRIES):
        found = socket.socket(socket.AF_INET, kind)
        found.setblocking(False)
        if port:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((LOOPBACK, number))
            # Not before: two that both ask for reuse may both bind a port, and then one of them cannot listen. But
            # asked for at last, so that what remains of its connections does not keep a port from its own owner.
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        except OSError:
            found.close()
            if port:
                raise
            continue
        return found
    raise OSError(f"no free port on {LOOPBACK} in {PORTS.start}-{PORTS.stop}")


class Door:
    """One port, open, shut or dark; it keeps its number throughout, and nobody else can take it.

    Shut, who knocks is refused, as by a host on which nothing listens. Dark, nobody answers at all, as behind a cut
    fibre or in a machine without current: the socket listens with a queue of one place that is taken, and Linux drops
    the SYN of everybody else (listen(2), tcp_abort_on_overflow).
    """

    def __init__(self, protocol: Callable[[], asyncio.BaseProtocol]) -> None:
        self._protocol = protocol
        self._socket = bound()
        self.port: int = self._socket.getsockname()[1]
        self._accepting = False
        self._greeting: set[asyncio.Task[None]] = set()
        self._taken: socket.socket | None = None
        self._visitors: set[asyncio.Transport] = set()

    @property
    def is_open(self) -> bool:
        """Whether it lets anybody in."""
        return self._accepting

    def open(self) -> None:
        """Let visitors in."""
        if self._accepting:
            return
        if self._taken is not None:
            self._release()
            self._socket = bound(port=self.port)
        self._socket.listen(QUEUE)
        asyncio.get_running_loop().add_reader(self._socket, self._accept)
        self._accepting = True

    async def shut(self) -> None:
        """Refuse visitors from now on and show out those who are inside."""
        if self._accepting or self._taken is not None:
            await self.remove()
            self._socket = bound(port=self.port)

    async def darken(self) -> None:
        """Answer nobody from now on and show out those who are inside."""
        if self._taken is not None:
            return
        await self.shut()
        self._socket.listen(0)
        self._taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._taken.setblocking(False)
        await asyncio.get_running_loop().sock_connect(self._taken, (LOOPBACK, self.port))

    async def remove(self) -> None:
        """Give the port up."""
        if self._accepting:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._accepting = False
        self._release()
        if self._greeting:
            await asyncio.wait(self._greeting)
        for visitor in self._visitors:
            visitor.abort()
        self._visitors.clear()
        await asyncio.sleep(0)

    def _release(self) -> None:
        self._socket.close()
        if self._taken is not None:
            self._taken.close()
            self._taken = None

    def _accept(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # who knocked has gone
        connection.setblocking(False)
        task = asyncio.create_task(self._greet(connection), name=f"door {self.port}")
        self._greeting.add(task)
        task.add_done_callback(self._greeting.discard)

    async def _greet(self, connection: socket.socket) -> None:
        visitor, _ = await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)
        self._visitors = {other for other in self._visitors if not other.is_closing()} | {visitor}


class Mute(asyncio.Protocol):
    """Accepts, hears and says nothing: enough for whoever only wants to know that somebody is there."""
