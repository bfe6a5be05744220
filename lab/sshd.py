"""An SSH server of the simulated site: log-in by one key, commands and SFTP, and it can refuse everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import asyncssh

from lab.door import QUEUE, bound

ALGORITHM = "ssh-ed25519"
USER = "releve"
Command = Callable[[asyncssh.SSHServerProcess[str]], Awaitable[None]]
Files = Callable[[asyncssh.SSHServerChannel[bytes]], asyncssh.SFTPServer]


def new_key() -> asyncssh.SSHKey:
    """Return a key of this run's own."""
    return asyncssh.generate_private_key(ALGORITHM)


class Sshd:
    """Lets `USER` in with `key` (its public half is enough) and nobody else.

    `command` carries out what is to be executed, `files` serves SFTP; without one of them, it is refused. `fingerprint`
    is that of the host key, as ssh-keygen writes it. The port keeps its number while it refuses.
    """

    def __init__(self, key: asyncssh.SSHKey, *, command: Command | None = None, files: Files | None = None) -> None:
        self._admitted, self._command, self._files = key.convert_to_public(), command, files
        self._host_key = new_key()
        self._socket = bound()
        self.port: int = self._socket.getsockname()[1]
        self._listening: asyncssh.SSHAcceptor | None = None
        self._visitors: set[asyncssh.SSHServerConnection] = set()

    @property
    def fingerprint(self) -> str:
        """`SHA256:` and the hash of the host key."""
        return self._host_key.get_fingerprint()

    async def start(self) -> None:
        """Let visitors in from now on."""
        if self._listening is not None:
            return
        self._listening = await asyncssh.listen(
            sock=self._socket,
            backlog=QUEUE,
            server_factory=lambda: _Guard(self._admitted, self._visitors),
            server_host_keys=[self._host_key],
            process_factory=self._command,
            sftp_factory=self._files,
            allow_scp=False,
            agent_forwarding=False,
        )

    async def refuse(self) -> None:
        """Refuse connections and show out who is inside, as a server whose sshd has ended."""
        if self._listening is not None:
            await self.stop()
            self._socket = bound(port=self.port)

    async def stop(self) -> None:
        """Give the port up."""
        if self._listening is not None:
            self._listening.close()
            await self._listening.wait_closed()
            self._listening = None
        visitors = tuple(self._visitors)
        for visitor in visitors:
            visitor.abort()
        await asyncio.gather(*(visitor.wait_closed() for visitor in visitors))
        self._socket.close()


class _Guard(asyncssh.SSHServer):
    """Who asks to come in by one connection."""

    def __init__(self, admitted: asyncssh.SSHKey, visitors: set[asyncssh.SSHServerConnection]) -> None:
        self._admitted, self._visitors = admitted, visitors
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._visitors.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._visitors.discard(self._connection)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USER and key == self._admitted
