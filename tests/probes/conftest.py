"""What tests of probes share: an `Io` with a deadline, and an SNMP agent of ours that can be made to lie."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterable, MutableMapping
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.core.ids import NodeId
from monitor.secret import Secret
from probes.access import SnmpAccess
from probes.contract import Io, Target
from probes.sessions import Sessions

Oid = tuple[int, ...]
Typed = tuple[int, bytes]
INTEGER, OCTETS, NULL, OID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
COUNTER, GAUGE, TICKS, COUNTER64 = 0x41, 0x42, 0x43, 0x46
NO_SUCH_INSTANCE, END_OF_MIB = 0x81, 0x82
GET, NEXT, RESPONSE, BULK = 0xA0, 0xA1, 0xA2, 0xA5


def tlv(tag: int, value: bytes) -> bytes:
    size = len(value)
    return bytes([tag]) + (bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")) + value


def number(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def encoded(oid: Oid) -> bytes:
    out = bytearray([oid[0] * 40 + oid[1]])
    for arc in oid[2:]:
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        out += bytes(reversed(groups))
    return bytes(out)


def decoded(raw: bytes) -> Oid:
    arcs, value = [raw[0] // 40, raw[0] % 40], 0
    for octet in raw[1:]:
        value = value << 7 | octet & 0x7F
        if octet < 128:
            arcs.append(value)
            value = 0
    return tuple(arcs)


def parts(raw: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(raw):
        size, start = raw[at + 1], at + 2
        if size > 127:
            start += size & 127
            size = int.from_bytes(raw[at + 2 : start], "big")
        found.append((raw[at], raw[start : start + size]))
        at = start + size
    return found


class Agent(asyncio.DatagramProtocol):
    """A v2c agent that answers from `objects`; `twist(request, answer)` may replace the answer by any datagrams."""

    def __init__(self) -> None:
        self.objects: dict[Oid, Typed] = {}
        self.community = b"public"
        self.most = 10_000
        """Octets of an answer above which it says tooBig."""
        self.twist: Callable[[bytes, bytes], Iterable[bytes]] = lambda request, answer: [answer]
        self.asked: list[int] = []
        self.heard = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        (_, message), *_ = parts(data)
        _, (_, community), (kind, pdu) = parts(message)
        self.asked.append(kind)
        self.heard.set()
        if community == self.community:
            for datagram in self.twist(data, self.answer(kind, pdu)):
                self.transport.sendto(datagram, addr)

    def answer(self, kind: int, pdu: bytes) -> bytes:
        (_, request), _, (_, repetitions), (_, bindings) = parts(pdu)
        names = [decoded(parts(binding)[0][1]) for _, binding in parts(bindings)]
        found = [pair for name in names for pair in self.found(kind, name, int.from_bytes(repetitions, "big"))]
        whole = self.message(request, found)
        return whole if len(whole) <= self.most else self.message(request, [(name, (NULL, b"")) for name in names], 1)

    def message(self, request: bytes, found: list[tuple[Oid, Typed]], status: int = 0) -> bytes:
        bindings = b"".join(tlv(SEQUENCE, tlv(OID, encoded(oid)) + tlv(*value)) for oid, value in found)
        pdu = tlv(INTEGER, request) + tlv(INTEGER, bytes([status])) + tlv(INTEGER, b"\0") + tlv(SEQUENCE, bindings)
        return tlv(SEQUENCE, tlv(INTEGER, b"\1") + tlv(OCTETS, self.community) + tlv(RESPONSE, pdu))

    def refuse(self, request: bytes, status: int = 5) -> bytes:
        """Return the answer that only says an error: genErr (5) unless told otherwise."""
        (_, message), *_ = parts(request)
        *_, (_, pdu) = parts(message)
        return self.message(parts(pdu)[0][1], [], status)

    def found(self, kind: int, name: Oid, repetitions: int) -> list[tuple[Oid, Typed]]:
        if kind == GET:
            return [(name, self.objects.get(name, (NO_SUCH_INSTANCE, b"")))]
        ordered = sorted(self.objects)
        at = bisect_right(ordered, name)
        after = ordered[at : at + (repetitions if kind == BULK else 1)]
        return [(oid, self.objects[oid]) for oid in after] or [(name, (END_OF_MIB, b""))]

    def put(self, oid: str, value: int | str | bytes, tag: int | None = None) -> None:
        """Answer `value` for `oid`: an int as INTEGER, text and bytes as OCTET STRING, unless `tag` says otherwise."""
        name = tuple(int(arc) for arc in oid.split("."))
        if tag == OID and isinstance(value, str):
            self.objects[name] = (OID, encoded(tuple(int(arc) for arc in value.split("."))))
        elif isinstance(value, int):
            raw = number(value).lstrip(b"\0") or b"\0" if tag in (COUNTER, GAUGE, TICKS, COUNTER64) else number(value)
            self.objects[name] = (tag or INTEGER, raw)
        else:
            self.objects[name] = (tag or OCTETS, value.encode() if isinstance(value, str) else value)

    def table(self, column: str, values: dict[str | int, int | str | bytes], tag: int | None = None) -> None:
        for index, value in values.items():
            self.put(f"{column}.{index}", value, tag)

    def target(self, **changes: Any) -> Target:
        access = SnmpAccess.model_validate(
            {"version": "2c", "community": Secret("public"), "port": self.port, **changes}
        )
        return Target(NodeId("rtr"), "127.0.0.1", {"snmp": access})


@pytest.fixture
async def agent() -> AsyncIterator[Agent]:
    """An agent with nothing but an up time, on a free port of 127.0.0.1."""
    made = Agent()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: made, ("127.0.0.1", 0))
    made.put("1.3.6.1.2.1.1.3.0", 123_456, TICKS)
    yield made
    transport.close()


@pytest.fixture
async def sessions() -> AsyncIterator[Sessions]:
    async with Sessions() as made:
        yield made


@pytest.fixture
def make_io(sessions: Sessions) -> Callable[..., Io]:
    """`make_io(timeout=5.0, memory=None)`: what a probe is handed for one observation."""

    def make(timeout: float = 5.0, memory: MutableMapping[str, Any] | None = None) -> Io:
        deadline = asyncio.get_running_loop().time() + timeout
        return Io(sessions, SystemClock(), deadline, {} if memory is None else memory)

    return make
