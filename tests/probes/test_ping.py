"""What a ping means, by table; and real ones on loopback, by ICMP where it is permitted and by TCP everywhere."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Severity
from probes.contract import Io, ProbeFault, Target
from probes.icmp import STEP_NS, Method, Pinger, round_trip
from probes.network import resolve
from probes.ping import LOSS, TCP_INFO_BYTES, Missing, Ping, PingParams, PingSeen, handshake, jitter

LOST, UNTIMED = Missing.LOST, Missing.UNTIMED
SECOND = 1_000_000_000
HERE = Target(NodeId("here"), "127.0.0.1")


def seen(*samples: float | Missing, **more: object) -> PingSeen:
    return PingSeen(Method.RAW, samples, **more)


def params(**keys: object) -> PingParams:
    return PingParams.model_validate(keys)


def icmp_permitted(family: int = socket.AF_INET) -> bool:
    protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    try:
        with socket.socket(family, socket.SOCK_RAW, protocol) as sock:
            sock.sendto(b"\x08\0\xf7\xff\0\0\0\0", ("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("samples", "keys", "severity", "down"),
    [
        ([0.01] * 5, {}, Severity.OK, False),
        ([0.01] * 4 + [LOST], {}, Severity.OK, False),
        ([0.01] * 3 + [LOST] * 2, {}, Severity.WARNING, False),
        ([0.01] + [LOST] * 4, {}, Severity.CRITICAL, False),
        ([LOST] * 5, {}, Severity.CRITICAL, True),
        ([LOST] * 5, {"thresholds": {"loss": {"warning": "100%", "critical": "100%"}}}, Severity.CRITICAL, True),
        ([0.01] * 4 + [LOST], {"thresholds": {"loss": {"warning": "10%"}}}, Severity.WARNING, False),
        ([0.25] * 5, {"warning": "200ms"}, Severity.WARNING, False),
        ([0.25] * 5, {"warning": 200}, Severity.WARNING, False),
        ([0.25] * 5, {"warning": "100 ms", "critical": "0.2 s"}, Severity.CRITICAL, False),
        ([0.15] * 5, {"critical": "200 ms"}, Severity.OK, False),
        ([0.01, 0.06] * 3, {"thresholds": {"jitter": {"warning": "40ms"}}}, Severity.WARNING, False),
        ([UNTIMED] * 5, {"critical": "1ms"}, Severity.OK, False),
    ],
)
def test_silence_is_down_and_the_rest_is_judged_by_its_thresholds(samples, keys, severity, down):
    verdict = Ping().judge(seen(*samples), params(**keys))
    assert (verdict.severity, verdict.down) == (severity, down)


def test_metrics_come_in_the_order_that_the_kind_declares():
    verdict = Ping().judge(seen(0.01, 0.03, LOST), params())
    assert [(metric.name, metric.unit) for metric in verdict.metrics] == list(Ping.metrics)
    assert [metric.value for metric in verdict.metrics] == pytest.approx([20, 100 / 3, 20])


def test_without_an_answer_there_is_no_time_but_a_loss():
    verdict = Ping().judge(seen(LOST, LOST, obstacle=say("host unreachable")), params())
    assert [(metric.name, metric.value) for metric in verdict.metrics] == [("loss", 100)]
    assert ENGLISH.render(verdict.summary) == "no answer to 2 requests; host unreachable"


def test_the_summary_says_by_which_way_the_host_was_asked():
    by_choice = Ping().judge(PingSeen(Method.TCP, (0.01,), 5060), params(port=5060))
    by_need = Ping().judge(PingSeen(Method.TCP, (0.01,), 80), params())
    assert "(TCP port 5060)" in ENGLISH.render(by_choice.summary)
    assert "(TCP port 80, for ICMP is not permitted)" in ENGLISH.render(by_need.summary)
    assert by_need.facts == {"method": "tcp"}


def test_duplicates_are_told_and_answers_with_another_content_too():
    assert "2 duplicates" in ENGLISH.render(Ping().judge(seen(0.01, duplicates=2), params()).summary)
    assert "not what was sent (3 times)" in ENGLISH.render(Ping().judge(seen(LOST, rejected=3), params()).summary)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [([], None), ([0.1], None), ([0.1, LOST, 0.3], None), ([0.1, 0.3], 0.2), ([0.1, 0.3, 0.2, LOST, 0.9], 0.15),
     ([UNTIMED, 0.1, 0.1], 0.0)],
)  # fmt: skip
def test_jitter_is_the_mean_difference_of_neighbours_that_both_came_back(samples, expected):
    assert jitter(samples) == (None if expected is None else pytest.approx(expected))


@given(
    st.lists(st.one_of(st.sampled_from(Missing), st.floats(0, 1e6)), max_size=30),
    st.sampled_from(Method),
    st.integers(0, 9),
    st.integers(0, 9),
)
def test_every_observation_has_a_verdict(samples, method, duplicates, rejected):
    observed = PingSeen(method, tuple(samples), 80, None, duplicates, rejected)
    verdict = Ping().judge(observed, params(warning=1, critical="2s"))
    assert verdict.summary
    assert verdict.down == (bool(samples) and all(sample is LOST for sample in samples))
    ENGLISH.render(verdict.summary)


def test_the_default_thresholds_of_loss_allow_one_of_five():
    assert not LOSS.warning.alerts(20)
    assert LOSS.warning.alerts(40)


@pytest.mark.parametrize(
    ("received", "now", "expected"),
    [
        # (the kernel's stamp), (wall, monotonic) when it was read; sent at wall 1000 s, monotonic 5 s.
        (1000 * SECOND + 20_000_000, (1000 * SECOND + 50_000_000, 5 * SECOND + 50_000_000), 0.020),
        (None, (1000 * SECOND + 50_000_000, 5 * SECOND + 50_000_000), 0.050),
        # Set forward by an hour, back by an hour, back by two milliseconds: the stamp says nothing.
        (4600 * SECOND, (4600 * SECOND, 5 * SECOND + 20_000_000), None),
        (-2600 * SECOND, (-2600 * SECOND, 5 * SECOND + 20_000_000), None),
        (1000 * SECOND + 8_000_000, (1000 * SECOND + 8_000_000, 5 * SECOND + 10_000_000), None),
        # Stamps before sending or after reading can only come from a clock that moved.
        (1000 * SECOND - 5, (1000 * SECOND + 10, 5 * SECOND + 10), None),
        (1002 * SECOND, (1000 * SECOND + 10, 5 * SECOND + 10), None),
    ],
)
def test_a_round_trip_during_which_the_clock_was_set_is_discarded(received, now, expected):
    taken = round_trip(1000 * SECOND, 5 * SECOND, received, *now)
    assert taken == (None if expected is None else pytest.approx(expected))


@given(st.integers(0, 10**11), st.integers(-(10**11), 10**11), st.integers(0, 10**9))
def test_a_time_that_is_kept_is_wrong_by_no_more_than_the_step_that_goes_unseen(trip, step, handling):
    wall, mono = 10**18, 10**12
    stamp, now_wall, now_mono = wall + trip + step, wall + trip + step + handling, mono + trip + handling
    taken = round_trip(wall, mono, stamp, now_wall, now_mono)
    if abs(step) > STEP_NS:
        assert taken is None
    if taken is not None:
        assert abs(taken * 1e9 - trip) <= STEP_NS + 1


def tcp_info(rtt_us: int, retransmissions: int) -> bytes:
    info = bytearray(TCP_INFO_BYTES)
    struct.pack_into("=I", info, 68, rtt_us)
    struct.pack_into("=I", info, 100, retransmissions)
    return bytes(info)


@pytest.mark.parametrize(
    ("info", "elapsed", "expected"),
    [
        (tcp_info(1500, 0), 0.010, 0.0015),
        (tcp_info(0, 0), 0.010, 0.010),
        (tcp_info(20_000, 0), 0.010, 0.010),
        (tcp_info(1500, 1), 1.010, LOST),
        (b"", 0.010, 0.010),
    ],
)
def test_a_handshake_is_timed_by_the_kernel_and_a_repeated_first_packet_was_lost(info, elapsed, expected):
    assert handshake(info, elapsed) == expected


@pytest.mark.skipif(not icmp_permitted(), reason="this user may not open a raw ICMP socket")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost"])
async def test_the_machine_itself_answers(make_io, address):
    if ":" in address and not icmp_permitted(socket.AF_INET6):
        pytest.skip("this machine does not speak IPv6")
    look = params(count=3, interval="10ms")
    observed = await Ping().observe(Target(NodeId("here"), address), look, make_io())
    assert observed.method is Method.RAW
    assert all(isinstance(sample, float) and sample >= 0 for sample in observed.samples)
    assert (len(observed.samples), observed.duplicates, observed.rejected) == (3, 0, 0)


@pytest.mark.skipif(not icmp_permitted(), reason="this user may not open a raw ICMP socket")
async def test_two_hundred_pings_at_once_share_a_socket_and_keep_their_answers_apart(make_io):
    io, look = make_io(20.0), params(count=5, interval="10ms", size=1200)
    targets = [Target(NodeId(f"h{n}"), f"127.0.0.{n + 1}") for n in range(200)]
    observed = await asyncio.gather(*(Ping().observe(target, look, io) for target in targets))
    assert all(isinstance(sample, float) for one in observed for sample in one.samples)
    assert sum(one.duplicates + one.rejected for one in observed) == 0


@pytest.mark.skipif(not icmp_permitted(), reason="this user may not open a raw ICMP socket")
async def test_an_answer_with_another_content_is_not_ours(make_io):
    """Forged replies reach our socket by loopback; only the one that knows the payload is believed."""
    io = make_io()
    pinger = await Pinger.open(socket.AF_INET)
    try:
        echo = pinger.send(await resolve("127.0.0.1", 0, io), 56)
        pinger.forget(echo)  # the kernel's own answer comes late
        identifier, waiting = pinger._identifier, pinger.send(await resolve("127.0.0.1", 0, io), 56)
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as forger:
            for payload in (bytes(56), b""):
                forger.sendto(struct.pack("!BBHHH", 0, 0, 0, identifier, waiting.sequence) + payload, ("127.0.0.1", 0))
            forger.sendto(struct.pack("!BBHHH", 0, 0, 0, identifier ^ 1, waiting.sequence), ("127.0.0.1", 0))
            again = struct.pack("!BBHHH", 0, 0, 0, identifier, waiting.sequence) + waiting.payload
            forger.sendto(again, ("127.0.0.1", 0))
        async with asyncio.timeout(5):
            while not (waiting.answered and waiting.rejected == 2 and waiting.duplicates == 1):
                await asyncio.sleep(0.01)
        assert not echo.answered
    finally:
        pinger.close()


@pytest.fixture
async def listener() -> AsyncIterator[int]:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_port_is_timed_where_icmp_is_dropped(make_io, listener):
    look = params(port=listener, count=4, interval="10ms")
    observed = await Ping().observe(HERE, look, make_io())
    assert observed.method is Method.TCP
    assert len(observed.samples) == 4
    assert all(isinstance(sample, float) for sample in observed.samples)
    assert Ping().judge(observed, look).severity is Severity.OK


async def test_a_refusal_is_an_answer_too(make_io):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else's
        look = params(port=taken.getsockname()[1], count=2, interval="10ms")
        observed = await Ping().observe(HERE, look, make_io())
    assert all(isinstance(sample, float) for sample in observed.samples)


async def test_a_port_that_swallows_everything_is_silence(make_io):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        clients = [socket.socket() for _ in range(3)]
        try:
            for client in clients:  # fill the backlog, so that further handshakes get no answer
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", port))
            look = params(port=port, count=2, interval="10ms", wait="300ms")
            observed = await Ping().observe(HERE, look, make_io())
        finally:
            for client in clients:
                client.close()
    assert observed.samples == (LOST, LOST)
    assert Ping().judge(observed, look).down


async def test_a_name_that_does_not_resolve_is_our_trouble_and_says_what_to_do(make_io: Callable[..., Io]):
    with pytest.raises(ProbeFault) as raised:
        await Ping().observe(Target(NodeId("x"), "nowhere.invalid"), params(), make_io())
    assert "nowhere.invalid" in ENGLISH.render(raised.value.text)
    assert raised.value.remedy is not None


async def test_a_short_deadline_sends_what_fits_and_still_answers(make_io, listener):
    look = params(port=listener, count=50, interval=timedelta(milliseconds=100))
    observed = await Ping().observe(HERE, look, make_io(0.5))
    assert 1 <= len(observed.samples) < 50
