"""Names to addresses, addresses to connections, and in whose words a network error is told."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
from dataclasses import dataclass
from typing import Any

from monitor.core.text import Quantity, Text, say, verbatim
from probes.contract import Io, ProbeFault, TargetFailure

MARGIN = 0.05
"""Seconds before the deadline at which a probe stops waiting, so that it can still say what it waited for."""
OURS = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EPERM, errno.EACCES, errno.EADDRNOTAVAIL}
)
"""Errors of a connection that say something about this machine, nothing about the other one."""
_REASONS = {
    errno.ECONNREFUSED: say("connection refused"),
    errno.ECONNRESET: say("connection reset by the other side"),
    errno.ECONNABORTED: say("connection reset by the other side"),
    errno.EPIPE: say("connection reset by the other side"),
    errno.EHOSTUNREACH: say("host unreachable"),
    errno.EHOSTDOWN: say("host unreachable"),
    errno.ENETUNREACH: say("network unreachable"),
    errno.ENETDOWN: say("network unreachable"),
    errno.ETIMEDOUT: say("no answer"),
    errno.EMFILE: say("Relève has too many files open"),
    errno.ENFILE: say("this machine has too many files open"),
    errno.EPERM: say("a firewall on this machine forbids it"),
    errno.EACCES: say("a firewall on this machine forbids it"),
    errno.EADDRNOTAVAIL: say("this machine has no free port left"),
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where to send: `host` is the numeric address, `sockaddr` what the socket module wants for that family."""

    family: socket.AddressFamily
    host: str
    sockaddr: tuple[Any, ...]


def patience(io: Io) -> float:
    """Return the seconds that may still be spent waiting for an answer."""
    return max(MARGIN, io.remaining() - MARGIN)


def reason(error: OSError) -> Text:
    """Return why in words; the system's own where we have none."""
    known = _REASONS.get(error.errno or 0)
    if known is not None:
        return known
    return verbatim(os.strerror(error.errno) if error.errno else str(error) or type(error).__name__)


def literal(host: str) -> bool:
    """Whether `host` is an address, not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def resolve(host: str, port: int, io: Io) -> Address:
    """Return the first address of `host`, in the order of RFC 6724. Raises ProbeFault when the name does not resolve.

    A name that does not resolve says nothing about the device behind it: either the inventory or the name service
    is wrong.
    """
    stream = socket.SOCK_STREAM
    try:
        if literal(host):
            found = socket.getaddrinfo(host, port, type=stream, flags=socket.AI_NUMERICHOST)
        else:
            async with asyncio.timeout(patience(io)):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=stream)
    except (OSError, UnicodeError) as error:
        raise unresolved(host) from error
    if not found:
        raise unresolved(host)
    family, _type, _protocol, _name, sockaddr = found[0]
    return Address(family, str(sockaddr[0]), sockaddr)


def unresolved(host: str) -> ProbeFault:
    """Return the fault that says that the name `host` leads nowhere."""
    return ProbeFault(
        say("the name {host} does not resolve", host=host),
        say("Write the address into the inventory, or see to the name server of this machine"),
    )


@dataclass(frozen=True, slots=True)
class Connection:
    """A TCP connection and the seconds it took from the first SYN; the receiver closes `sock`."""

    sock: socket.socket
    took: float


async def connect(address: Address, io: Io) -> Connection:
    """Connect to `address` before the deadline.

    Raises TargetFailure (down) when it is refused or nothing answers, ProbeFault when the trouble is ours.
    """
    loop = asyncio.get_running_loop()
    port, wait = int(address.sockaddr[1]), patience(io)
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        started = loop.time()
        async with asyncio.timeout(wait):
            await loop.sock_connect(sock, address.sockaddr)
        return Connection(sock, loop.time() - started)
    except TimeoutError as error:
        sock.close()
        raise silent(port, wait) from error
    except OSError as error:
        sock.close()
        raise unconnected(port, error) from error
    except BaseException:
        sock.close()
        raise


def silent(port: int, waited: float) -> TargetFailure:
    """Return the failure that says that nothing answered within `waited` seconds."""
    return TargetFailure(
        say("port {port}: no answer within {waited}", port=port, waited=Quantity(waited, "s")), down=True
    )


def unconnected(port: int, error: OSError) -> TargetFailure | ProbeFault:
    """Return what a connection that failed with `error` means: the other side's failure, or our own."""
    if error.errno in OURS:
        return ProbeFault(say("cannot connect to port {port}: {why}", port=port, why=reason(error)))
    return TargetFailure(say("port {port}: {why}", port=port, why=reason(error)), down=True)
