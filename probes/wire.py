"""One SNMP socket, guarded: each answer is looked at before the library sees it, each failure has one of a few kinds.

Of `gufo-snmp` this uses the session as a public class and, below it, its private socket (`_sock`, `_fd`, `_recv`,
`GetIter`), because the public iterators do not say whether a table ended or an error stopped it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from gufo.snmp import (
    Aes128Key,
    Aes192Key,
    Aes256Key,
    BaseAuthKey,
    BasePrivKey,
    DesKey,
    Md5Key,
    Sha1Key,
    Sha224Key,
    Sha256Key,
    Sha384Key,
    Sha512Key,
    SnmpAuthError,
    SnmpError,
    User,
    ValueType,
)
from gufo.snmp._fast import GetIter
from gufo.snmp.aio import SnmpSession

from probes.ber import Digest, Heard, Malformed, Report, authentic, hear

T = TypeVar("T")
Value = int | bytes | str
ROOM = 4080
"""Octets that the library's receive buffer holds (measured on 0.13); a longer datagram is cut."""
MOST_ROWS = 1000
MOST_STALE = 64
"""Datagrams thrown away at once at most: a flood must not hold the loop."""
AUTHORIZATION_ERROR = 16
"""error-status authorizationError (RFC 3416, section 3)."""

AUTH: dict[str, tuple[type[BaseAuthKey], str, int]] = {
    "MD5": (Md5Key, "md5", 12),
    "SHA": (Sha1Key, "sha1", 12),
    "SHA-224": (Sha224Key, "sha224", 16),
    "SHA-256": (Sha256Key, "sha256", 24),
    "SHA-384": (Sha384Key, "sha384", 32),
    "SHA-512": (Sha512Key, "sha512", 48),
}
"""Protocol in the inventory -> the library's key, the hash, octets of the digest (RFC 3414; RFC 7860, section 4.1)."""
PRIV: dict[str, type[BasePrivKey]] = {
    "DES": DesKey,
    "AES-128": Aes128Key,
    "AES-192": Aes192Key,
    "AES-256": Aes256Key,
}


class Trouble(StrEnum):
    """How an exchange can fail."""

    SILENT = "silent"
    MUTE = "mute"
    """The engine answered its discovery, but not the user: most agents drop what they cannot decrypt."""
    REFUSED = "refused"
    """The machine is there and says that nothing listens (ICMP port unreachable)."""
    GARBAGE = "garbage"
    FORGED = "forged"
    ASTRAY = "astray"
    """Answers came, but none to our question."""
    OVERSIZE = "oversize"
    STALE = "stale"
    """The agent restarted, or has another engine than we believed: discover it again."""
    USER = "user"
    DIGEST = "digest"
    LEVEL = "level"
    DECRYPTION = "decryption"
    DENIED = "denied"
    NETWORK = "network"


class WireError(Exception):
    """An exchange failed; `detail` in the words of the system or the library."""

    def __init__(self, trouble: Trouble, detail: str = "") -> None:
        super().__init__(f"{trouble}: {detail}" if detail else str(trouble))
        self.trouble, self.detail = trouble, detail


_REPORTS = {
    Report.SECURITY_LEVEL: Trouble.LEVEL,
    Report.TIME_WINDOW: Trouble.STALE,
    Report.USER: Trouble.USER,
    Report.ENGINE: Trouble.STALE,
    Report.DIGEST: Trouble.DIGEST,
    Report.DECRYPTION: Trouble.DECRYPTION,
    Report.OTHER: Trouble.GARBAGE,
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """The secrets in clear: `community` of version 2c, or `user` with its passwords of version 3."""

    community: str = ""
    user: str = ""
    auth: str | None = None
    auth_protocol: str = "SHA-256"
    priv: str | None = None
    priv_protocol: str = "AES-128"

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r})"

    def usm(self) -> User | None:
        """Return the library's user of version 3; None for version 2c."""
        if not self.user:
            return None
        auth = AUTH[self.auth_protocol][0](self.auth.encode()) if self.auth else None
        priv = PRIV[self.priv_protocol](self.priv.encode()) if self.priv else None
        return User(self.user, auth_key=auth, priv_key=priv)

    def digest(self, engine: bytes) -> Digest | None:
        """Return how the agent `engine` signs for this user; None where nothing is signed."""
        if not self.user or not self.auth:
            return None
        kind, name, size = AUTH[self.auth_protocol]
        return Digest(name, kind.get_localized_key(kind.get_master_key(self.auth.encode()), engine), size)


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a column: (OID, value) in the agent's order. `last`: nothing of it follows; `sure`: we saw that.

    A column that stops without the next object or the MIB's end in sight may have been cut by an error.
    """

    rows: tuple[tuple[str, Value], ...]
    last: bool
    sure: bool


class Wire(SnmpSession):
    """A session with one agent. Not for two exchanges at once: hold `turn` around each."""

    def __init__(self, address: str, port: int, credentials: Credentials) -> None:
        super().__init__(address, port, community=credentials.community, user=credentials.usm())
        self.turn = asyncio.Lock()
        self.patience = 2.0
        """Seconds to wait for one answer."""
        self.met = False
        """Whether the agent's engine is known (version 3)."""
        self.proven = False
        """Whether it ever answered a question of ours."""
        self.repetitions = MOST_ROWS
        """Rows that a page may have, as far as we learnt."""
        self._credentials = credentials
        self._digest: Digest | None = None
        self._heard = Heard()
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET

    async def meet(self) -> None:
        """Learn the agent's engine and its clock (RFC 3414, section 4); nothing to do for version 2c."""
        if self._credentials.user:
            await self._guarded(self.refresh)
            self._digest = self._credentials.digest(self.get_engine_id())
            self.met = True

    def column(self, oid: str, repetitions: int) -> GetIter:
        """Return the position before the first row of the column `oid`, for `page`."""
        return GetIter(oid, repetitions)

    async def ask(self, oids: Sequence[str]) -> dict[str, Value]:
        """Return what the agent answers to one GET; objects that it does not have are left out. Raises WireError."""
        found = await self._guarded(lambda: self.get_many(oids))
        self.proven = True
        return {oid: clean for oid, value in found.items() if (clean := _clean(value)) is not None}

    async def page(self, position: GetIter) -> Page:
        """Return the next rows of a column by one GETBULK; `position` moves on. Raises WireError."""

        async def fetch() -> list[tuple[str, ValueType] | None]:
            await self._send(lambda: self._sock.send_get_bulk(position))
            try:
                return await self._recv(lambda: self._sock.recv_get_bulk(position))
            except StopAsyncIteration:
                return []

        found = await self._guarded(fetch)
        self.proven = True
        left = bool(found) and found[-1] is None
        rows = [(row[0], clean) for row in found if row is not None and (clean := _clean(row[1])) is not None]
        return Page(tuple(rows), last=left or not found, sure=left or self._heard.ended)

    async def _guarded(self, exchange: Callable[[], Awaitable[T]]) -> T:
        self._drain()
        try:
            return await exchange()
        except SnmpAuthError as error:
            raise WireError(Trouble.DENIED, str(error)) from error
        except (SnmpError, RuntimeError, ValueError, OverflowError, TypeError) as error:
            raise WireError(Trouble.GARBAGE, str(error)) from error
        except OSError as error:
            raise WireError(Trouble.NETWORK, str(error)) from error
        except WireError as error:
            raise WireError(self._known(error.trouble), error.detail) from None
        except BaseException as error:
            # A panic of the Rust library is no Exception, so that it would pass every edge and end the daemon.
            if type(error).__name__ != "PanicException":
                raise
            raise WireError(Trouble.GARBAGE, str(error)) from None

    def _known(self, trouble: Trouble) -> Trouble:
        encrypting = self._credentials.user and self._credentials.priv and not self.proven
        return Trouble.MUTE if trouble is Trouble.SILENT and encrypting and self.get_engine_id() else trouble

    async def _recv(self, receiver: Callable[[], T]) -> T:
        """Take the library's place in waiting, so that it is given well-formed and authentic datagrams only."""
        until = asyncio.get_running_loop().time() + self.patience
        failing = Trouble.SILENT
        while await self._readable(until):
            datagram = self._look()
            if datagram is None:
                continue
            self._heard = self._screened(datagram)
            with suppress(BlockingIOError):
                return receiver()
            failing = Trouble.ASTRAY
        raise WireError(failing)

    async def _readable(self, until: float) -> bool:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._fd, _note, ready)
        try:
            async with asyncio.timeout_at(until):
                await ready
        except TimeoutError:
            return False
        finally:
            loop.remove_reader(self._fd)
        return True

    def _look(self) -> bytes | None:
        """Return the next datagram, which stays where it is."""
        try:
            with self._socket() as peeking:
                return peeking.recv(ROOM + 1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except ConnectionRefusedError as error:
            raise WireError(Trouble.REFUSED) from error

    def _screened(self, datagram: bytes) -> Heard:
        try:
            return self._admitted(datagram)
        except WireError:
            self._drain()
            raise

    def _admitted(self, datagram: bytes) -> Heard:
        if len(datagram) > ROOM:
            raise WireError(Trouble.OVERSIZE)
        try:
            heard = hear(datagram)
        except Malformed as error:
            raise WireError(Trouble.GARBAGE, str(error)) from error
        if heard.report is not None:
            trouble = _REPORTS[heard.report]
            if self.met or trouble is not Trouble.STALE:
                raise WireError(trouble)
        elif self._digest is not None and not authentic(datagram, heard, self._digest):
            raise WireError(Trouble.FORGED)
        if heard.status == AUTHORIZATION_ERROR:
            raise WireError(Trouble.DENIED, "authorizationError")
        return heard

    def _drain(self) -> None:
        """Throw away what lies in the socket: late answers, and the errors of earlier sends."""
        with self._socket() as stale:
            for _ in range(MOST_STALE):
                try:
                    stale.recv(1, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    return
                except OSError:
                    continue

    @contextmanager
    def _socket(self) -> Iterator[socket.socket]:
        """Lend the library's socket; it stays the library's to close."""
        lent = socket.socket(self._family, socket.SOCK_DGRAM, fileno=self._fd)
        try:
            yield lent
        finally:
            lent.detach()


def _clean(value: ValueType) -> Value | None:
    """Return the value as one of three types; None for what SMIv2 does not have (NULL, REAL)."""
    if isinstance(value, int):
        return int(value)
    return value if isinstance(value, (bytes, str)) else None


def _note(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
