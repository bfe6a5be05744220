"""SFTP on a connection that is open: a client on a channel of its own, whose requests leave together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import asyncssh

# What SSHClientConnection.start_sftp_client calls itself, with a writer of its own; asyncssh does not document it.
from asyncssh.sftp import start_sftp_client

from probes import ssh_faults as faults
from probes.access import SshAccess
from probes.contract import Target
from probes.ssh_output import LINGER

VERSION = 3
"""Of SFTP; OpenSSH speaks no other."""
LARGE = 2**15
"""Octets, what OpenSSH takes in a packet (CHAN_SES_PACKET_DEFAULT); joining more would only copy it."""


class Together:
    """Gathers what is written within one turn of the event loop into one SSH packet; all else is `writer`'s.

    asyncssh sends a packet for every request, and before each of them an empty one (against an attack on CBC that no
    cipher we offer knows): two encryptions and two system calls, half of what a small file costs.
    """

    def __init__(self, writer: asyncssh.SSHWriter[bytes]) -> None:
        self.channel = writer.channel
        self._writer, self._waiting, self._loop = writer, list[bytes](), asyncio.get_running_loop()

    def write(self, data: bytes) -> None:
        """Write `data` before the next turn of the loop; what fills packets by itself goes at once."""
        if len(data) >= LARGE:
            self._leave()
            self._writer.write(data)
            return
        if not self._waiting:
            self._loop.call_soon(self._leave)
        self._waiting.append(data)

    def _leave(self) -> None:
        waiting, self._waiting = self._waiting, []
        # On a channel that closed meanwhile asyncssh has failed the requests already.
        if waiting and not self.channel.is_closing():
            self._writer.write(b"".join(waiting))

    def write_eof(self) -> None:
        """Write what waits, and that no more will come."""
        self._leave()
        self._writer.write_eof()

    def close(self) -> None:
        """Write what waits, and close the channel."""
        self._leave()
        self._writer.close()


async def start_sftp(
    conn: asyncssh.SSHClientConnection, target: Target, access: SshAccess, within: float
) -> asyncssh.SFTPClient:
    """Return an SFTP client on a channel of its own. Raises HostFault."""
    try:
        async with asyncio.timeout(within):
            writer, reader, _ = await conn.open_session(subsystem="sftp", encoding=None)
            return await start_sftp_client(
                conn,
                asyncio.get_running_loop(),
                # A refusal in Latin-1 ("Accès refusé") is still the refusal that its number says.
                "backslashreplace",
                reader,
                cast("asyncssh.SSHWriter[bytes]", Together(writer)),
                "utf-8",
                "surrogateescape",
                VERSION,
            )
    except OSError as error:
        raise faults.unreached(target, access, error) from error
    except asyncssh.Error as error:
        raise faults.no_sftp(target, error) from error


@asynccontextmanager
async def closing(client: asyncssh.SFTPClient) -> AsyncIterator[None]:
    """End `client` afterwards; a host that does not answer is not waited for."""
    try:
        yield
    finally:
        client.exit()
        try:
            async with asyncio.timeout(LINGER):
                await client.wait_closed()
        except (OSError, asyncssh.Error):
            pass  # the connection is gone, and the client with it
