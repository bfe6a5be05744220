"""ICMP on the wire: literal in, literal out, and nothing that arrives can hurt."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.icmp_messages import Obstacle, Reply, Unreachable, checksum, echo_request, obstacle_of, parse

PAYLOAD = bytes(range(24))


def v4(payload: bytes, protocol: int = 1, options: bytes = b"", to: str = "192.0.2.9") -> bytes:
    length = 20 + len(options)
    start = bytes([0x40 | length // 4, 0]) + struct.pack("!HHHBBH", length + len(payload), 1, 0, 64, protocol, 0)
    return start + ip_address("127.0.0.1").packed + ip_address(to).packed + options + payload


def v6(payload: bytes, next_header: int = 58, to: str = "2001:db8::9") -> bytes:
    start = struct.pack("!IHBB", 6 << 28, len(payload), next_header, 64)
    return start + ip_address("::1").packed + ip_address(to).packed + payload


def error(kind: int, code: int, quoted: bytes) -> bytes:
    return struct.pack("!BBHI", kind, code, 0, 0) + quoted


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        # RFC 1071, section 3: 0001 f203 f4f5 f6f7 sum to ddf2.
        (bytes.fromhex("0001f203f4f5f6f7"), 0xFFFF ^ 0xDDF2),
        (b"", 0xFFFF),
        (b"\xff", 0x00FF),
    ],
)
def test_the_checksum_is_the_one_of_rfc_1071(data, expected):
    assert checksum(data) == expected


@given(st.integers(0, 65535), st.integers(0, 65535), st.binary(max_size=64))
def test_a_request_verifies_and_its_echo_is_read_back(identifier, sequence, payload):
    request = echo_request(identifier, sequence, payload, v6=False)
    assert checksum(request) == 0
    answer = b"\0" + request[1:]
    expected = Reply(identifier, sequence, payload)
    assert parse(answer, v6=False, ip_header=False) == expected
    assert parse(v4(answer), v6=False, ip_header=True) == expected
    assert parse(v4(answer, options=bytes(8)), v6=False, ip_header=True) == expected
    answer6 = bytes([129]) + echo_request(identifier, sequence, payload, v6=True)[1:]
    assert parse(answer6, v6=True, ip_header=False) == expected


@pytest.mark.parametrize(
    ("kind", "code", "obstacle"),
    [
        (3, 0, Obstacle.NETWORK),
        (3, 1, Obstacle.HOST),
        (3, 4, Obstacle.TOO_BIG),
        (3, 13, Obstacle.PROHIBITED),
        (3, 200, Obstacle.OTHER),
        (11, 0, Obstacle.LOOP),
    ],
)
def test_an_error_names_the_request_that_it_is_about(kind, code, obstacle):
    request = echo_request(7, 9, PAYLOAD, v6=False)
    datagram = v4(error(kind, code, v4(request)))
    assert parse(datagram, v6=False, ip_header=True) == Unreachable(obstacle, 7, 9, "192.0.2.9")


def test_an_error_may_quote_no_more_than_eight_bytes_of_the_request():
    request = echo_request(7, 9, PAYLOAD, v6=False)[:8]
    datagram = v4(error(3, 1, v4(request)))
    assert parse(datagram, v6=False, ip_header=True) == Unreachable(Obstacle.HOST, 7, 9, "192.0.2.9")
    assert parse(datagram[:-1], v6=False, ip_header=True) is None


@pytest.mark.parametrize(
    ("kind", "code", "obstacle"),
    [(1, 0, Obstacle.NETWORK), (1, 3, Obstacle.HOST), (1, 1, Obstacle.PROHIBITED), (2, 0, Obstacle.TOO_BIG),
     (3, 0, Obstacle.LOOP)],
)  # fmt: skip
def test_an_error_of_ipv6_names_the_request_that_it_is_about(kind, code, obstacle):
    datagram = error(kind, code, v6(echo_request(7, 9, PAYLOAD, v6=True)))
    assert parse(datagram, v6=True, ip_header=False) == Unreachable(obstacle, 7, 9, "2001:db8::9")


def test_what_is_about_something_else_is_nothing():
    request = echo_request(7, 9, PAYLOAD, v6=False)
    assert parse(v4(request), v6=False, ip_header=True) is None
    assert parse(v4(error(3, 1, v4(request, protocol=17))), v6=False, ip_header=True) is None
    assert parse(v4(error(3, 1, v4(b"\0" + request[1:]))), v6=False, ip_header=True) is None
    assert parse(error(1, 0, v6(request, next_header=17)), v6=True, ip_header=False) is None
    assert obstacle_of(5, 0, v6=False) is None
    assert obstacle_of(4, 0, v6=True) is None


@given(st.binary(max_size=128), st.booleans(), st.booleans())
def test_no_datagram_breaks_the_reader(datagram, v6, ip_header):
    assert isinstance(parse(datagram, v6=v6, ip_header=ip_header), Reply | Unreachable | None)


@given(st.data())
def test_no_cut_or_bent_error_breaks_the_reader(data):
    whole = bytearray(v4(error(3, 1, v4(echo_request(7, 9, PAYLOAD, v6=False)))))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    assert isinstance(parse(cut, v6=False, ip_header=True), Reply | Unreachable | None)
