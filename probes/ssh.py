"""Commands and files on hosts: by SSH with the host's key always verified, or on this machine itself.

asyncssh is imported with the first connection.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from probes.access import SshAccess
from probes.contract import Target
from probes.ssh_faults import HostFault, ended, flooded, no_way, unfinished
from probes.ssh_local import run_here
from probes.ssh_output import Ran, redacted, secrets_of

if TYPE_CHECKING:
    import asyncssh

    from probes.ssh_wire import Listener

__all__ = ["HostFault", "Hosts", "Ran", "is_here", "is_loopback"]

WINDOWS: Final = "windows"
"""What `platform` of an SSH log-in is for a Windows host."""
DIAL_WITHIN = 10.0
"""Seconds that a connection may take, from the name's address to the end of the log-in."""
FAREWELL = 2.0
"""Seconds that a connection may take to close before it is cut."""


_Key = tuple[str, str, SshAccess]


@dataclass(slots=True, eq=False)
class _Line:
    """A kept connection. `users`: who has a channel on it. `left`: no new one is opened; the last user closes it."""

    conn: asyncssh.SSHClientConnection
    users: int = 0
    left: bool = False


@dataclass(slots=True, eq=False)
class _Kept:
    """What is kept for one way to one host; `turn` lets one task at a time open its connection."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    line: _Line | None = None


class Hosts:
    """Connections to hosts, one for each way to a target, opened on first use and again when they are dead.

    `dial_within`: seconds. A target without `ssh` whose address is this machine's own is reached without a connection.
    """

    def __init__(self, *, dial_within: float = DIAL_WITHIN) -> None:
        self._dial_within = dial_within
        self._kept: dict[_Key, _Kept] = {}
        self._lines: set[_Line] = set()

    async def run(self, target: Target, command: str, *, within: float, stdin: str = "") -> Ran:
        """Run `command` on `target` and return how it ended, `within` seconds, the connection included.

        By SSH the host's own shell reads it; on this machine there is no shell, and words are quoted as in sh. Raises
        HostFault; what the host goes on doing then is not known if it was `sent`.
        """
        access = target.access.get("ssh")
        if not isinstance(access, SshAccess):
            if not is_here(target):
                raise no_way(target)
            return _clean(await run_here(target, command, within=within, stdin=stdin), target)
        from probes.ssh_wire import Listener  # noqa: PLC0415 - asyncssh takes its time

        listener = Listener(stdin.encode(), windows=(access.platform or "").casefold() == WINDOWS)
        try:
            async with asyncio.timeout(within):
                ran = await self._ask(target, access, command, listener)
        except TimeoutError:
            raise unfinished(target, access, within, sent=listener.sent) from None
        if ran is None:
            raise flooded(target)
        return _clean(ran, target)

    async def _ask(self, target: Target, access: SshAccess, command: str, listener: Listener) -> Ran | None:
        from probes import ssh_wire  # noqa: PLC0415 - asyncssh takes its time

        async with self._line(target, access) as (line, fresh):
            try:
                return await ssh_wire.execute(line.conn, target, command, listener)
            except HostFault as fault:
                if fresh or fault.sent:
                    raise
            finally:
                # One that did not even take a command is not used again, whatever is wrong with it.
                line.left = line.left or not listener.sent
        # The kept connection was dead and nothing was sent: that is how one learns that the host was restarted.
        async with self._line(target, access) as (line, _):
            return await ssh_wire.execute(line.conn, target, command, listener)

    @asynccontextmanager
    async def sftp(self, target: Target) -> AsyncIterator[asyncssh.SFTPClient]:
        """Yield an SFTP client of its own on the kept connection to `target`. Raises HostFault if there is none.

        Names that are not UTF-8 have their odd octets as surrogates. What goes wrong later is asyncssh's own error.
        """
        access = target.access.get("ssh")
        if not isinstance(access, SshAccess):
            raise no_way(target)
        from probes.ssh_sftp import closing  # noqa: PLC0415 - asyncssh takes its time

        for again in (True, False):
            async with self._line(target, access) as (line, fresh):
                client = await self._sftp_on(line, target, access, again=again and not fresh)
                if client is None:
                    continue
                async with closing(client):
                    yield client
                return

    async def _sftp_on(
        self, line: _Line, target: Target, access: SshAccess, *, again: bool
    ) -> asyncssh.SFTPClient | None:
        """Return a client, or None where the connection is dead and another may be tried `again`."""
        from probes.ssh_sftp import start_sftp  # noqa: PLC0415 - asyncssh takes its time

        try:
            return await start_sftp(line.conn, target, access, self._dial_within)
        except HostFault:
            line.left = True
            if not again:
                raise
            return None

    @asynccontextmanager
    async def _line(self, target: Target, access: SshAccess) -> AsyncIterator[tuple[_Line, bool]]:
        """Yield the connection to `target`, and whether it was opened just now. Raises HostFault."""
        key = (str(target.name), target.address, access)
        kept = self._kept.setdefault(key, _Kept())
        async with kept.turn:
            line, fresh = kept.line, False
            if line is None or line.left or line.conn.is_closed():
                from probes.ssh_wire import dial  # noqa: PLC0415 - asyncssh takes its time

                fresh = True
                self._forget(line)
                line = kept.line = _Line(await dial(target, access, self._dial_within))
                if self._kept.get(key) is not kept:
                    line.conn.abort()
                    raise ended(target, "closed", sent=False)
                self._lines.add(line)
            line.users += 1
        try:
            yield line, fresh
        finally:
            line.users -= 1
            if line.left or line.conn.is_closed():
                self._forget(line)

    def _forget(self, line: _Line | None) -> None:
        if line is not None and line.users == 0:
            line.conn.abort()
            self._lines.discard(line)

    async def close(self) -> None:
        """Close every connection; what runs on them ends with a HostFault."""
        lines, self._lines = self._lines, set()
        self._kept.clear()
        for line in lines:
            line.conn.close()
        waits = [asyncio.ensure_future(line.conn.wait_closed()) for line in lines]
        if waits:
            await asyncio.wait(waits, timeout=FAREWELL)
        for line, wait in zip(lines, waits, strict=True):
            if not wait.done():
                line.conn.abort()
                await wait


def _clean(ran: Ran, target: Target) -> Ran:
    secrets = secrets_of(target)
    return Ran(ran.status, redacted(ran.out, secrets), redacted(ran.err, secrets), ran.cut)


def is_here(target: Target) -> bool:
    """Whether a command for `target` runs on this machine: there is no log-in, and its address is a loopback one."""
    return "ssh" not in target.access and is_loopback(target.address)


def is_loopback(address: str) -> bool:
    """Return whether `address` is one of the machine on which this runs."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
