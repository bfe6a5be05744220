"""SSH as asyncssh speaks it: a connection to a host that has proven who it is, and a command on it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncssh

from monitor.core.text import verbatim
from monitor.secret import Unresolved, expanded
from probes import ssh_faults as faults
from probes.access import SshAccess
from probes.contract import Target
from probes.ssh_faults import HostFault, HostKey
from probes.ssh_output import LINGER, MOST, Kept, Ran

KEEPALIVE, SILENT_FOR = 10.0, 3
"""Seconds of silence after which a host is asked for a sign of life, and how many questions may stay unanswered."""
KNOWN_HOSTS = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
"""ssh(1), FILES."""
MOST_KNOWN = 4 * 1024 * 1024
"""Octets of a known_hosts that are read."""
HOST_KEYS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
"""In the order of OpenSSH, so that the key which is seen is the one that people are shown elsewhere; no SHA-1."""
CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
)
"""The first carried 246 MB/s where chacha20 carried 209 (asyncssh 2.24, SFTP on loopback, two cores, November 2026)."""
DEFAULT_PORT = 22


class Trust:
    """Which host keys one host may show: `host_key` of the inventory, else what the known_hosts of this machine say."""

    def __init__(self, target: Target, access: SshAccess) -> None:
        """Raises HostFault when the inventory's key is none."""
        self.fingerprint: str | None = None
        self.keys: Sequence[asyncssh.SSHKey] = ()
        self.authorities: Sequence[asyncssh.SSHKey] = ()
        self.revoked: Sequence[asyncssh.SSHKey] = ()
        pinned = access.host_key
        if pinned is None:
            port = None if access.port == DEFAULT_PORT else access.port
            self.keys, self.authorities, self.revoked = _known().match(target.address, "", port)[:3]
        elif pinned.startswith("SHA256:"):
            self.fingerprint = pinned.rstrip("=")
        else:
            try:
                self.keys = (asyncssh.import_public_key(pinned),)
            except asyncssh.KeyImportError as error:
                raise faults.no_key(target, verbatim(f"host_key: {error}")) from error

    def options(self) -> dict[str, Any]:
        """Return what asyncssh must know to ask for the right kind of key, and to accept no other."""
        chosen: dict[str, Any] = {"known_hosts": (list(self.keys), list(self.authorities), list(self.revoked))}
        if not self.authorities:
            kinds = {name.decode() for key in self.keys for name in key.sig_algorithms}
            chosen["server_host_key_algs"] = [name for name in HOST_KEYS if name in kinds] or list(HOST_KEYS)
        return chosen


def _known() -> asyncssh.SSHKnownHosts:
    """Read this machine's known_hosts. A line that makes no sense is passed over, as ssh does."""
    known = asyncssh.SSHKnownHosts()
    for place in KNOWN_HOSTS:
        for line in _lines(expanded(place)):
            try:
                known.load(line)
            except ValueError:
                continue
    return known


def _lines(path: Path) -> list[str]:
    """The lines of a file; of one that is not there or may not be read, none: whom it names is then unknown."""
    try:
        if not path.is_file():
            return []
        with path.open("rb") as file:
            return file.read(MOST_KNOWN).decode("utf-8", "replace").splitlines()
    except OSError:
        return []


class Doorkeeper(asyncssh.SSHClient):
    """Decides about a host key that `trust` does not name, and remembers what it saw."""

    def __init__(self, trust: Trust) -> None:
        self.trust = trust
        self.wrong: tuple[HostKey, str, str] | None = None

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Accept the key with the right fingerprint; asyncssh asks only about those that it was not given."""
        seen = key.get_fingerprint("sha256")
        if self.trust.fingerprint is not None and seen == self.trust.fingerprint:
            return True
        expected = self.trust.fingerprint or self.trust.keys or self.trust.authorities
        self.wrong = (HostKey.DIFFERENT if expected else HostKey.UNKNOWN, key.algorithm.decode(), seen)
        return False


async def dial(target: Target, access: SshAccess, within: float) -> asyncssh.SSHClientConnection:
    """Return a connection on which the host is the right one and the user is logged in. Raises HostFault."""
    asyncssh.set_log_level("WARNING")  # it tells every step at INFO, and whole exchanges at DEBUG
    trust = Trust(target, access)
    keeper = Doorkeeper(trust)
    key = _key(target, access)
    try:
        async with asyncio.timeout(within):
            return await asyncssh.connect(
                target.address,
                access.port,
                config=None,
                client_factory=lambda: keeper,
                username=access.user,
                password=None if access.password is None else access.password.reveal(),
                client_keys=None if key is None else [key],
                preferred_auth=faults.methods(access),
                agent_path=None,
                gss_host=None,
                x509_trusted_certs=None,
                kex_algs="-*sha1",
                encryption_algs=CIPHERS,
                mac_algs="-*sha1*",
                compression_algs=["none"],
                signature_algs="-ssh-rsa",
                keepalive_interval=KEEPALIVE,
                keepalive_count_max=SILENT_FOR,
                **trust.options(),
            )
    except Unresolved as error:
        raise faults.no_key(target, error.text) from error
    except OSError as error:
        raise faults.unreached(target, access, error) from error
    except asyncssh.PermissionDenied as error:
        raise faults.rejected(target, access, None if key is None else _line(key)) from error
    except asyncssh.HostKeyNotVerifiable as error:
        raise _wrong_host(target, keeper, error) from error
    except asyncssh.KeyExchangeFailed as error:
        raise faults.unlike(target, error) from error
    except Exception as error:  # what asyncssh stumbles over in what the other side sent comes as any exception
        raise faults.ended(target, error, sent=False) from error


def _wrong_host(target: Target, keeper: Doorkeeper, error: Exception) -> HostFault:
    if keeper.wrong is not None:
        return faults.wrong_host(target, *keeper.wrong)
    for key in keeper.trust.revoked if "revoked" in str(error) else ():
        return faults.wrong_host(target, HostKey.REVOKED, key.algorithm.decode(), key.get_fingerprint("sha256"))
    return faults.ended(target, error, sent=False)


def _key(target: Target, access: SshAccess) -> asyncssh.SSHKey | None:
    if access.key is None:
        return None
    try:
        return asyncssh.import_private_key(access.key.reveal() + "\n")
    except Unresolved as error:
        raise faults.no_key(target, error.text) from error
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        encrypted = isinstance(error, asyncssh.KeyEncryptionError) or str(error).startswith("Passphrase")
        raise faults.no_key(target, verbatim(str(error)), encrypted=encrypted) from error


def _line(key: asyncssh.SSHKey) -> str:
    return key.export_public_key().decode().strip()


class Listener(asyncssh.SSHClientSession[bytes]):
    """One command: what is written to it, and what is heard of it. `sent`: the host may have got it."""

    def __init__(self, stdin: bytes, *, windows: bool = False) -> None:
        self._stdin, self._windows = stdin, windows
        self._out, self._err = Kept(), Kept()
        self._status: int | None = None
        self._ended = False
        self._lost: Exception | None = None
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self.sent = self.flooded = False
        self.told, self.over = asyncio.Event(), asyncio.Event()

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """Note the open channel: asyncssh sends the command right after this, without another word of ours."""
        self._channel, self.sent = chan, True

    def session_started(self) -> None:
        """Write what the command reads, now that it runs, unless it has ended already."""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(self._stdin)
            self._channel.write_eof()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Keep the ends of what is printed; all is read, so that the host never waits for us."""
        (self._err if datatype else self._out).add(data)
        if self._out.total + self._err.total > MOST:
            self.flooded = True
            self.stop()

    def exit_status_received(self, status: int) -> None:
        """Note the exit status."""
        self._status, self._ended = status, True
        self.told.set()

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        """Note that it was killed."""
        self._ended = True
        self.told.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end of the channel, or of the whole connection when there is an error."""
        self._lost = exc
        self.told.set()
        self.over.set()

    def stop(self) -> None:
        """Hear no more of it."""
        if self._channel is not None:
            self._channel.abort()

    def ran(self, target: Target, conn: asyncssh.SSHClientConnection) -> Ran:
        """Return how it ended. Raises HostFault when the connection was lost, or closed, before that."""
        if self._lost is not None or (conn.is_closed() and not self._ended):
            raise faults.ended(target, self._lost or "closed", sent=True)
        out, err = self._out.text(windows=self._windows), self._err.text(windows=self._windows)
        return Ran(self._status, out, err, self._out.cut or self._err.cut)


async def execute(conn: asyncssh.SSHClientConnection, target: Target, command: str, listener: Listener) -> Ran | None:
    """Run `command` on a channel of its own and return how it ended, None when it printed without end."""
    try:
        await conn.create_session(lambda: listener, command, encoding=None, request_pty=False)
        await listener.told.wait()
        if not listener.over.is_set():
            try:
                async with asyncio.timeout(LINGER):
                    await listener.over.wait()
            except TimeoutError:
                pass  # it ended, and what it started goes on holding its pipes: no more will come that matters
        return None if listener.flooded else listener.ran(target, conn)
    except (OSError, asyncssh.Error) as error:
        if listener.sent:
            raise faults.ended(target, error, sent=True) from error
        raise faults.no_session(target, error) from error
    finally:
        listener.stop()
