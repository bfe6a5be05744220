"""ICMP echo on the wire, for IPv4 (RFC 792) and IPv6 (RFC 4443): what to send, and what came. Pure."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from enum import StrEnum

from monitor.core.text import N_, Text, say

HEADER = struct.Struct("!BBHHH")
"""Type, code, checksum, identifier, sequence number."""
V4_REQUEST, V4_REPLY = 8, 0
V6_REQUEST, V6_REPLY = 128, 129
V4_UNREACHABLE, V4_TIME_EXCEEDED = 3, 11
V6_UNREACHABLE, V6_TOO_BIG, V6_TIME_EXCEEDED = 1, 2, 3
V4_HEADER, V6_HEADER = 20, 40
PROTOCOL_ICMP, PROTOCOL_ICMPV6 = 1, 58


class Obstacle(StrEnum):
    """Why a router or the host itself says that an echo request did not arrive."""

    NETWORK = "network"
    HOST = "host"
    PROHIBITED = "prohibited"
    TOO_BIG = "too big"
    LOOP = "loop"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Reply:
    """An echo reply."""

    identifier: int
    sequence: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Unreachable:
    """An error about the echo request with that `identifier` and `sequence`, which was sent to `destination`."""

    obstacle: Obstacle
    identifier: int
    sequence: int
    destination: str


def echo_request(identifier: int, sequence: int, payload: bytes, *, v6: bool) -> bytes:
    """Return an echo request; the kernel fills in the checksum of ICMPv6 (RFC 3542, section 3.1)."""
    kind = V6_REQUEST if v6 else V4_REQUEST
    unsummed = HEADER.pack(kind, 0, 0, identifier, sequence) + payload
    return unsummed if v6 else HEADER.pack(kind, 0, checksum(unsummed), identifier, sequence) + payload


def checksum(data: bytes) -> int:
    """Return the Internet checksum of `data` (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def parse(datagram: bytes, *, v6: bool, ip_header: bool) -> Reply | Unreachable | None:
    """Return what `datagram` says about an echo request, None when it is about something else or broken.

    `ip_header`: the datagram starts with its IPv4 header, as raw sockets give it (raw(7)).
    """
    body = datagram
    if ip_header:
        length = _v4_length(datagram)
        if length is None:
            return None
        body = datagram[length:]
    if len(body) < HEADER.size:
        return None
    kind, code, _sum, identifier, sequence = HEADER.unpack_from(body)
    if kind == (V6_REPLY if v6 else V4_REPLY):
        return Reply(identifier, sequence, body[HEADER.size :]) if code == 0 else None
    obstacle = obstacle_of(kind, code, v6=v6)
    return None if obstacle is None else _about(obstacle, body[HEADER.size :], v6=v6)


def obstacle_of(kind: int, code: int, *, v6: bool) -> Obstacle | None:
    """Return what the ICMP error of that type and code says; None when it is no error of delivery."""
    if v6:
        if kind == V6_UNREACHABLE:
            return _V6_CODES.get(code, Obstacle.OTHER)
        return {V6_TOO_BIG: Obstacle.TOO_BIG, V6_TIME_EXCEEDED: Obstacle.LOOP}.get(kind)
    if kind == V4_UNREACHABLE:
        return _V4_CODES.get(code, Obstacle.OTHER)
    return Obstacle.LOOP if kind == V4_TIME_EXCEEDED else None


def obstacle_text(obstacle: Obstacle, by: str) -> Text:
    """Return the obstacle in words; `by`: the address that told us."""
    return say(_SENTENCES[obstacle], by=by)


def _about(obstacle: Obstacle, quoted: bytes, *, v6: bool) -> Unreachable | None:
    """Read our own request out of the start of it that the error quotes."""
    if v6:
        if len(quoted) < V6_HEADER + HEADER.size or quoted[6] != PROTOCOL_ICMPV6:
            return None
        destination, request = str(ipaddress.IPv6Address(quoted[24:40])), quoted[V6_HEADER:]
    else:
        length = _v4_length(quoted)
        if length is None or quoted[9] != PROTOCOL_ICMP or len(quoted) < length + HEADER.size:
            return None
        destination, request = str(ipaddress.IPv4Address(quoted[16:20])), quoted[length:]
    kind, _code, _sum, identifier, sequence = HEADER.unpack_from(request)
    if kind != (V6_REQUEST if v6 else V4_REQUEST):
        return None
    return Unreachable(obstacle, identifier, sequence, destination)


def _v4_length(datagram: bytes) -> int | None:
    """Return the length of the IPv4 header in bytes, None when there is none."""
    if len(datagram) < V4_HEADER or datagram[0] >> 4 != 4:
        return None
    length = (datagram[0] & 0x0F) * 4
    return length if V4_HEADER <= length <= len(datagram) else None


# RFC 792 and RFC 1812, section 5.2.7.1; 9, 10 and 13 are filters.
_V4_CODES = {
    0: Obstacle.NETWORK, 5: Obstacle.NETWORK, 6: Obstacle.NETWORK, 11: Obstacle.NETWORK,
    1: Obstacle.HOST, 7: Obstacle.HOST, 8: Obstacle.HOST, 12: Obstacle.HOST,
    4: Obstacle.TOO_BIG, 9: Obstacle.PROHIBITED, 10: Obstacle.PROHIBITED, 13: Obstacle.PROHIBITED,
}  # fmt: skip
# RFC 4443, section 3.1.
_V6_CODES = {
    0: Obstacle.NETWORK, 1: Obstacle.PROHIBITED, 2: Obstacle.NETWORK, 3: Obstacle.HOST,
    5: Obstacle.PROHIBITED, 6: Obstacle.PROHIBITED,
}  # fmt: skip
_SENTENCES = {
    Obstacle.NETWORK: N_("{by} says: network unreachable"),
    Obstacle.HOST: N_("{by} says: host unreachable"),
    Obstacle.PROHIBITED: N_("{by} says: forbidden by a filter"),
    Obstacle.TOO_BIG: N_("{by} says: too big for the way"),
    Obstacle.LOOP: N_("{by} says: too many hops, perhaps a routing loop"),
    Obstacle.OTHER: N_("{by} says: unreachable"),
}
