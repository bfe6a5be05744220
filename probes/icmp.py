"""Our own ICMP socket in asyncio: one per address family and process, with the kernel's time stamps.

Kernel stamps (SO_TIMESTAMPNS) keep the delay of our own event loop out of the round trip. They are wall-clock times,
so a round trip during which the clock was set says nothing: its time is discarded.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from monitor.core.text import Text
from probes.icmp_messages import (
    V4_REPLY,
    V4_TIME_EXCEEDED,
    V4_UNREACHABLE,
    V6_REPLY,
    V6_TIME_EXCEEDED,
    V6_TOO_BIG,
    V6_UNREACHABLE,
    Obstacle,
    Reply,
    Unreachable,
    echo_request,
    obstacle_of,
    obstacle_text,
    parse,
)
from probes.network import Address

NONCE_BYTES = 16
RECEIVE_BUFFER = 1 << 20
"""Bytes asked of the kernel, so that a burst of answers is not lost while the loop is busy."""
LARGEST = 65535
PER_WAKE = 256
"""Messages taken at one turn of the loop, so that a flood does not hold the loop."""
STEP_NS = 1_000_000
"""A wall clock that moved this much more than the monotonic one was set, not slewed."""
TRIES = 5
SEQUENCES = 1 << 16
# Linux's numbers, which the socket module does not name: asm-generic/socket.h, linux/icmp.h, linux/icmpv6.h,
# linux/in.h, linux/in6.h, linux/errqueue.h.
SO_TIMESTAMPNS = 35
SOL_RAW, ICMP_FILTER = 255, 1
ICMP6_FILTER = 1
IP_RECVERR, IPV6_RECVERR = 11, 25
FROM_ICMP, FROM_ICMP6 = 2, 3
EXTENDED_ERROR = struct.Struct("=IBBBBII")


class Method(StrEnum):
    """How the host was asked. The names are the fact `method`."""

    RAW = "icmp-raw"
    DATAGRAM = "icmp-dgram"
    TCP = "tcp"


@dataclass(slots=True)
class Echo:
    """One request on its way and what came of it.

    `rtt`: seconds; None while unanswered, and for an answer whose time was discarded. `done` is set by the answer.
    """

    destination: str
    sequence: int
    payload: bytes
    wall_ns: int
    mono_ns: int
    done: asyncio.Event = field(default_factory=asyncio.Event)
    rtt: float | None = None
    duplicates: int = 0
    rejected: int = 0
    obstacle: Text | None = None

    @property
    def answered(self) -> bool:
        """Whether the reply came."""
        return self.done.is_set()


class Pinger:
    """The socket of one address family; `send` returns an Echo, which fills in by itself until `forget`."""

    def __init__(self, sock: socket.socket, method: Method, *, v6: bool) -> None:
        self.method, self._v6, self._sock = method, v6, sock
        self._identifier = secrets.randbelow(1 << 16)
        self._sequence = secrets.randbelow(SEQUENCES)
        self._flying: dict[int, Echo] = {}
        self._buffer = bytearray(LARGEST)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self._readable)

    @classmethod
    async def open(cls, family: socket.AddressFamily) -> Pinger:
        """Return a pinger: raw where we may, else a datagram socket where `ping_group_range` lets us (icmp(7)).

        Raises PermissionError when neither is allowed, OSError when this machine does not speak that family.
        """
        v6 = family == socket.AF_INET6
        protocol = socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP
        method, sock = Method.RAW, None
        try:
            sock = socket.socket(family, socket.SOCK_RAW, protocol)
        except PermissionError:
            method, sock = Method.DATAGRAM, socket.socket(family, socket.SOCK_DGRAM, protocol)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        if method is Method.RAW:
            _pass_only_answers(sock, v6=v6)
        elif v6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        return cls(sock, method, v6=v6)

    def close(self) -> None:
        """Stop listening; requests under way stay unanswered."""
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def send(self, address: Address, size: int) -> Echo:
        """Send one request with `size` bytes of payload, of which the first ones nobody can guess.

        Raises OSError when the kernel does not take it (no route, a firewall of ours, too big, full buffers).
        """
        while self._sequence in self._flying:
            self._sequence = (self._sequence + 1) % SEQUENCES
        sequence, payload = self._sequence, secrets.token_bytes(NONCE_BYTES) + bytes(max(0, size - NONCE_BYTES))
        self._sequence = (sequence + 1) % SEQUENCES
        request = echo_request(self._identifier, sequence, payload, v6=self._v6)
        echo = Echo(address.host, sequence, payload, *_stamps())
        self._flying[sequence] = echo
        try:
            self._sock.sendto(request, _portless(address))
        except OSError:
            del self._flying[sequence]
            raise
        return echo

    def forget(self, echo: Echo) -> None:
        """Stop waiting for `echo`; what comes later is late and ignored."""
        if self._flying.get(echo.sequence) is echo:
            del self._flying[echo.sequence]

    def _readable(self) -> None:
        for datagram, sender, stamp in self._messages():
            message = parse(datagram, v6=self._v6, ip_header=self.method is Method.RAW and not self._v6)
            if isinstance(message, Reply):
                self._replied(message, stamp)
            elif isinstance(message, Unreachable) and self._ours(message.identifier):
                self._obstructed(message.sequence, message.destination, message.obstacle, sender)

    def _messages(self) -> Iterator[tuple[bytes, str, int | None]]:
        """Yield what has come: the datagram, its sender and the kernel's stamp in ns of the wall clock."""
        if self.method is Method.DATAGRAM:
            self._read_errors()
        for _turn in range(PER_WAKE):
            try:
                length, extras, _flags, sender = self._sock.recvmsg_into([self._buffer], 128)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                # An earlier request's error, reported by the socket: the error queue or the silence tells it too.
                continue
            yield bytes(self._buffer[:length]), str(sender[0]), _stamp_of(extras)

    def _replied(self, reply: Reply, stamp: int | None) -> None:
        echo = self._flying.get(reply.sequence)
        if echo is None or not self._ours(reply.identifier):
            return
        if reply.payload != echo.payload:
            echo.rejected += 1
        elif echo.answered:
            echo.duplicates += 1
        else:
            echo.rtt = round_trip(echo.wall_ns, echo.mono_ns, stamp, *_stamps())
            echo.done.set()

    def _ours(self, identifier: int) -> bool:
        # The kernel puts its own identifier into what a datagram socket sends, and keeps the others' answers from it.
        return self.method is Method.DATAGRAM or identifier == self._identifier

    def _obstructed(self, sequence: int, destination: str, obstacle: Obstacle, by: str) -> None:
        echo = self._flying.get(sequence)
        if echo is not None and echo.destination.partition("%")[0] == destination:
            echo.obstacle = obstacle_text(obstacle, by)

    def _read_errors(self) -> None:
        """Take the error queue of a datagram socket: our own request and who refused it (ip(7), IP_RECVERR)."""
        for _turn in range(PER_WAKE):
            try:
                request, extras, _flags, destination = self._sock.recvmsg(LARGEST, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            told = _extended_error(extras, v6=self._v6)
            if told is not None and len(request) >= 8:
                sequence = int.from_bytes(request[6:8], "big")
                self._obstructed(sequence, str(destination[0]).partition("%")[0], *told)


def round_trip(sent_wall: int, sent_mono: int, received_wall: int | None, now_wall: int, now_mono: int) -> float | None:
    """Return the seconds between sending and the kernel's stamp; None when the wall clock was set in between.

    All in ns; `now_*` were read together when the answer was handled. Without a stamp the monotonic clock decides,
    our own delay included.
    """
    if received_wall is None:
        return max(0, now_mono - sent_mono) / 1e9
    if abs((now_wall - sent_wall) - (now_mono - sent_mono)) > STEP_NS:
        return None
    taken = received_wall - sent_wall
    if taken < 0 or taken > now_mono - sent_mono + STEP_NS:
        return None
    return taken / 1e9


def _stamps() -> tuple[int, int]:
    """Return the wall clock as the kernel stamps packets by it, and the monotonic one, in ns.

    Read again when we were put to sleep between the two: that would look like a step of the clock.
    """
    for _try in range(TRIES):
        before = time.monotonic_ns()
        wall, mono = time.clock_gettime_ns(time.CLOCK_REALTIME), time.monotonic_ns()
        if mono - before < STEP_NS // 10:
            break
    return wall, mono


def _stamp_of(extras: list[tuple[int, int, bytes]]) -> int | None:
    for level, kind, data in extras:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("=qq" if len(data) >= 16 else "=ii", data[:16])
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return None


def _extended_error(extras: list[tuple[int, int, bytes]], *, v6: bool) -> tuple[Obstacle, str] | None:
    """Return what the ICMP error behind an entry of the error queue says, and who sent it."""
    wanted = (socket.IPPROTO_IPV6, IPV6_RECVERR) if v6 else (socket.IPPROTO_IP, IP_RECVERR)
    for level, kind, data in extras:
        if (level, kind) != wanted or len(data) < EXTENDED_ERROR.size:
            continue
        _errno, origin, icmp_type, icmp_code, _pad, _info, _data = EXTENDED_ERROR.unpack_from(data)
        if origin != (FROM_ICMP6 if v6 else FROM_ICMP):
            continue
        obstacle = obstacle_of(icmp_type, icmp_code, v6=v6)
        offender = data[EXTENDED_ERROR.size :]
        start, length = (8, 16) if v6 else (4, 4)
        with contextlib.suppress(ValueError, OSError):
            by = socket.inet_ntop(socket.AF_INET6 if v6 else socket.AF_INET, offender[start : start + length])
            return None if obstacle is None else (obstacle, by)
    return None


def _pass_only_answers(sock: socket.socket, *, v6: bool) -> None:
    """Let the kernel drop everything that cannot be an answer: a raw socket gets a copy of all ICMP (raw(7))."""
    if v6:
        words = [0xFFFFFFFF] * 8
        for kind in (V6_REPLY, V6_UNREACHABLE, V6_TOO_BIG, V6_TIME_EXCEEDED):
            words[kind // 32] &= ~(1 << kind % 32)
        sock.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, struct.pack("=8I", *words))
        return
    passed = 1 << V4_REPLY | 1 << V4_UNREACHABLE | 1 << V4_TIME_EXCEEDED
    sock.setsockopt(SOL_RAW, ICMP_FILTER, struct.pack("=I", ~passed & 0xFFFFFFFF))


def _portless(address: Address) -> tuple[Any, ...]:
    """Return the address with port 0: raw IPv6 sockets read the port as a protocol number (ipv6(7))."""
    return (address.sockaddr[0], 0, *address.sockaddr[2:])
