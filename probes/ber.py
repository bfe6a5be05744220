"""What can be read of an SNMP datagram without decrypting it: is it one at all, is it authentic, what does it report?

The SNMP library decodes in Rust: it indexes without asking and panics on a hostile datagram, and it takes the answers
of version 3 without checking their digest. So every datagram is walked here first, and only a well-formed and
authentic one is handed on. Encodings: X.690 (BER), RFC 3416 (PDUs), RFC 3412 and 3414 (version 3, USM).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

_INTEGER, _OCTETS, _OID, _SEQUENCE = 0x02, 0x04, 0x06, 0x30
_RESPONSE, _REPORT = 0xA2, 0xA8
_END_OF_MIB_VIEW = 0x82
_V1, _V2C, _V3 = 0, 1, 3
_AUTH_FLAG = 0x01
_USM_STATS = bytes.fromhex("2b060106030f0101")
"""usmStats, 1.3.6.1.6.3.15.1.1 (SNMP-USER-BASED-SM-MIB, RFC 3414)."""
_MAX_OCTETS_OF_LENGTH = 3


class Malformed(ValueError):
    """No SNMP answer: truncated, lying about a length, or another protocol."""


class Report(IntEnum):
    """Why an agent did not take a version 3 message: the last arc of its usmStats counter (RFC 3414, section 5)."""

    OTHER = 0
    SECURITY_LEVEL = 1
    TIME_WINDOW = 2
    USER = 3
    ENGINE = 4
    DIGEST = 5
    DECRYPTION = 6


@dataclass(frozen=True, slots=True)
class Digest:
    """How a user signs: hash (a name of hashlib), key localised to the agent's engine, octets of the digest sent.

    Octets: 12 with MD5 and SHA-1 (RFC 3414, sections 6 and 7), 16 to 48 with SHA-2 (RFC 7860, section 4.1).
    """

    hash: str
    key: bytes = field(repr=False)
    size: int


@dataclass(frozen=True, slots=True)
class Heard:
    """What a datagram shows.

    `status`: error status of RFC 3416 (0 also where it is encrypted); `report`: why the agent refuses; `ended`: a value
    says endOfMibView; `signed`: octets from and to which the digest of version 3 stands, None without one.
    """

    status: int = 0
    report: Report | None = None
    ended: bool = False
    signed: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class _Field:
    """One TLV: `data` is the whole datagram, the value stands at `start` to `stop`."""

    tag: int
    data: bytes
    start: int
    stop: int

    @property
    def value(self) -> bytes:
        return self.data[self.start : self.stop]


def hear(datagram: bytes) -> Heard:
    """Return what can be seen of an SNMP answer of version 1, 2c or 3. Raises Malformed."""
    whole = _Field(0, datagram, 0, len(datagram))
    fields = _fields(_expect(_only(whole), _SEQUENCE))
    version = _integer(_next(fields))
    if version in (_V1, _V2C):
        _expect(_next(fields), _OCTETS)
        status, report, ended = _pdu(_last(fields))
        return Heard(status, report, ended)
    if version != _V3:
        raise Malformed(f"version {version}")
    signed = _security(_next(fields), _next(fields))
    scoped = _last(fields)
    if scoped.tag == _OCTETS:
        return Heard(signed=signed)
    inside = _fields(_expect(scoped, _SEQUENCE))
    _expect(_next(inside), _OCTETS)
    _expect(_next(inside), _OCTETS)
    status, report, ended = _pdu(_last(inside))
    return Heard(status, report, ended, signed)


def authentic(datagram: bytes, heard: Heard, digest: Digest) -> bool:
    """Return whether `datagram` was signed with `digest`: an HMAC over all of it, its own place zeroed (RFC 3414)."""
    if heard.signed is None:
        return False
    start, stop = heard.signed
    if stop - start != digest.size:
        return False
    blank = datagram[:start] + bytes(stop - start) + datagram[stop:]
    made = hmac.digest(digest.key, blank, digest.hash)[: digest.size]
    return hmac.compare_digest(made, datagram[start:stop])


def _security(header: _Field, parameters: _Field) -> tuple[int, int] | None:
    """Return where the digest stands; None where the message says that it is not signed."""
    heads = list(_fields(_expect(header, _SEQUENCE)))
    _expect_all(heads, (_INTEGER, _INTEGER, _OCTETS, _INTEGER))
    usm = list(_fields(_expect(_only(_expect(parameters, _OCTETS)), _SEQUENCE)))
    _expect_all(usm, (_OCTETS, _INTEGER, _INTEGER, _OCTETS, _OCTETS, _OCTETS))
    flags = heads[2].value
    if len(flags) != 1:
        raise Malformed("flags of no sensible length")
    return (usm[4].start, usm[4].stop) if flags[0] & _AUTH_FLAG else None


def _pdu(pdu: _Field) -> tuple[int, Report | None, bool]:
    if pdu.tag not in (_RESPONSE, _REPORT):
        raise Malformed(f"PDU {pdu.tag:#x} is no answer")
    fields = _fields(pdu)
    _integer(_next(fields))
    status = _integer(_next(fields))
    _integer(_next(fields))
    names: list[bytes] = []
    ended = False
    for binding in _fields(_expect(_last(fields), _SEQUENCE)):
        name, value = _pair(_expect(binding, _SEQUENCE))
        names.append(name.value)
        ended = ended or value.tag == _END_OF_MIB_VIEW
    return status, _reported(names) if pdu.tag == _REPORT else None, ended


def _pair(binding: _Field) -> tuple[_Field, _Field]:
    fields = _fields(binding)
    name = _expect(_next(fields), _OID)
    if not name.value:
        raise Malformed("an empty object identifier")
    return name, _last(fields)


def _reported(names: list[bytes]) -> Report:
    for name in names:
        if name.startswith(_USM_STATS) and len(name) > len(_USM_STATS):
            arc = name[len(_USM_STATS)]
            return Report(arc) if arc <= max(Report) else Report.OTHER
    return Report.OTHER


def _fields(parent: _Field) -> Iterator[_Field]:
    at = parent.start
    while at < parent.stop:
        field = _header(parent.data, at, parent.stop)
        yield field
        at = field.stop


def _header(data: bytes, at: int, end: int) -> _Field:
    """Return the TLV whose header begins at `at` and which must end by `end`."""
    if at + 2 > end or data[at] & 0x1F == 0x1F:
        raise Malformed("no header")
    first, start = data[at + 1], at + 2
    length = first
    if first >= 0x80:
        count = first & 0x7F
        if not 1 <= count <= _MAX_OCTETS_OF_LENGTH or start + count > end:
            raise Malformed("no length")
        length = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + length > end:
        raise Malformed("truncated")
    return _Field(data[at], data, start, start + length)


def _only(parent: _Field) -> _Field:
    return _last(_fields(parent))


def _next(fields: Iterator[_Field]) -> _Field:
    field = next(fields, None)
    if field is None:
        raise Malformed("a field is missing")
    return field


def _last(fields: Iterator[_Field]) -> _Field:
    field = _next(fields)
    if next(fields, None) is not None:
        raise Malformed("data after the end")
    return field


def _expect(field: _Field, tag: int) -> _Field:
    if field.tag != tag:
        raise Malformed(f"tag {field.tag:#x} where {tag:#x} belongs")
    return field


def _expect_all(fields: list[_Field], tags: tuple[int, ...]) -> None:
    if tuple(field.tag for field in fields) != tags:
        raise Malformed("a header of another shape")


def _integer(field: _Field) -> int:
    if not 1 <= len(_expect(field, _INTEGER).value) <= 8:
        raise Malformed("an integer of no sensible length")
    return int.from_bytes(field.value, "big", signed=True)
