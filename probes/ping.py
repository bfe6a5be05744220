"""Does the host answer, how fast, how steadily? By ICMP echo, or by TCP where ICMP is dropped or not permitted."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise
from statistics import fmean
from typing import Annotated, ClassVar

from pydantic import Field

from monitor.core.text import N_, Quantity, Text, say
from monitor.core.thresholds import Range
from monitor.core.verdict import Metric, Severity, Verdict, worst
from probes.access import Port
from probes.contract import Io, ProbeFault, Target
from probes.icmp import Echo, Method, Pinger
from probes.network import MARGIN, OURS, Address, patience, reason, resolve
from probes.params import Duration, Limits, ParamsMs

FALLBACK_PORT = 80
"""Asked where ICMP is not permitted and the check names no port: an open port and a refusal are both an answer."""
LOSS = Limits(warning=Range(0, 20), critical=Range(0, 60))
"""Per cent of loss that is WARNING and CRITICAL when the check says nothing: more than one, more than three of five."""
TCP_INFO_RTT, TCP_INFO_RETRANSMISSIONS = 68, 100
"""Offsets in struct tcp_info (linux/tcp.h): `tcpi_rtt` in us, `tcpi_total_retrans`."""
TCP_INFO_BYTES = 104
_U32 = struct.Struct("=I")


class PingParams(ParamsMs):
    """Keys of a `ping` check."""

    count: Annotated[int, Field(ge=1, le=100)] = Field(default=5, description=N_("requests of one look"))
    interval: Annotated[Duration, Field(ge=timedelta(milliseconds=10), le=timedelta(seconds=10))] = Field(
        default=timedelta(milliseconds=200), description=N_("time between two requests")
    )
    wait: Annotated[Duration, Field(ge=timedelta(milliseconds=10), le=timedelta(minutes=1))] = Field(
        default=timedelta(seconds=2), description=N_("time to wait for answers after the last request")
    )
    size: Annotated[int, Field(ge=16, le=65000)] = Field(default=56, description=N_("bytes of payload of a request"))
    port: Port | None = Field(
        default=None, description=N_("TCP port to time instead of ICMP, for hosts that drop ICMP")
    )


class Missing(StrEnum):
    """What a request has instead of a round trip: no answer, or one whose time the clock spoilt."""

    LOST = "lost"
    UNTIMED = "untimed"


@dataclass(frozen=True, slots=True)
class PingSeen:
    """`samples`: of each request, in order, the round trip in seconds or what it has instead.

    `port`: the TCP port that was asked. `obstacle`: who said that the way is closed. `duplicates`, `rejected`: answers
    that came twice, and answers whose content was not what we sent.
    """

    method: Method
    samples: tuple[float | Missing, ...]
    port: int | None = None
    obstacle: Text | None = None
    duplicates: int = 0
    rejected: int = 0


class Ping:
    """Sends `count` requests and waits for the answers."""

    kind: ClassVar[str] = "ping"
    Params: ClassVar[type[PingParams]] = PingParams
    metrics: ClassVar[tuple[tuple[str, str], ...]] = (("rtt", "ms"), ("loss", "%"), ("jitter", "ms"))
    ways: ClassVar[tuple[str, ...]] = ()
    judged: ClassVar[frozenset[str]] = frozenset({"loss"})
    """Metrics that it judges by thresholds of its own where the inventory gives none."""
    needs: ClassVar[Text] = say(
        "CAP_NET_RAW, or a group within net.ipv4.ping_group_range; without either a TCP port is timed instead."
    )

    async def observe(self, target: Target, params: PingParams, io: Io) -> PingSeen:
        """Ask the host. Silence is something seen; raises ProbeFault when we cannot ask."""
        address = await resolve(target.address, params.port or FALLBACK_PORT, io)
        if params.port is not None:
            return await _by_tcp(address, params, io)
        try:
            pinger = await io.sessions.shared(
                ("icmp", address.family), lambda: Pinger.open(address.family), lambda pinger: pinger.close()
            )
        except PermissionError:
            return await _instead_of_icmp(address, params, io)
        except OSError as error:
            raise ProbeFault(
                say("this machine cannot ping {host}: {why}", host=address.host, why=reason(error))
            ) from error
        return await _by_icmp(pinger, address, params, io)

    def judge(self, seen: PingSeen, params: PingParams) -> Verdict:
        """Silence is CRITICAL and down; else the worst of round trip, loss and jitter by their thresholds."""
        answered = [sample for sample in seen.samples if sample is not Missing.LOST]
        if not seen.samples:
            return Verdict(Severity.UNKNOWN, say("nothing could be sent"), (), {"method": seen.method.value})
        rtts = [sample for sample in answered if not isinstance(sample, Missing)]
        share = 100 * (len(seen.samples) - len(answered)) / len(seen.samples)
        loss = params.metric("loss", share, "%", minimum=0, maximum=100, default=LOSS)
        metrics = (*_average(rtts, params), loss, *_variation(seen.samples, params))
        if not answered:
            return Verdict(Severity.CRITICAL, _silence(seen), metrics, {"method": seen.method.value}, down=True)
        severity = worst(metric.severity for metric in metrics)
        return Verdict(severity, _summary(seen, rtts, loss, params), metrics, {"method": seen.method.value})


def jitter(samples: Sequence[float | Missing]) -> float | None:
    """Return the mean absolute difference of the round trips of neighbouring requests, in their unit; None without two.

    It is the mean of |ipdv| of RFC 3393 taken over round trips; RFC 3550 smooths the same differences by 1/16, which
    a handful of samples would leave near zero.
    """
    differences = [
        abs(after - before)
        for before, after in pairwise(samples)
        if not isinstance(before, Missing) and not isinstance(after, Missing)
    ]
    return fmean(differences) if differences else None


def _average(rtts: list[float], params: PingParams) -> Iterable[Metric]:
    if rtts:
        yield params.metric("rtt", fmean(rtts) * 1000, "ms", first=True, minimum=0)


def _variation(samples: Sequence[float | Missing], params: PingParams) -> Iterable[Metric]:
    varied = jitter(samples)
    if varied is not None:
        yield params.metric("jitter", varied * 1000, "ms", minimum=0)


def _summary(seen: PingSeen, rtts: list[float], loss: Metric, params: PingParams) -> Text:
    lost = Quantity(loss.value, "%", 0)
    if rtts:
        text = say("answers in {time}, {loss} lost", time=Quantity(fmean(rtts) * 1000, "ms"), loss=lost)
    else:
        text = say("answers, {loss} lost; the clock was set meanwhile, so there is no time", loss=lost)
    if seen.method is Method.TCP and params.port is not None:
        text = say("{answer} (TCP port {port})", answer=text, port=params.port)
    elif seen.method is Method.TCP:
        text = say("{answer} (TCP port {port}, for ICMP is not permitted)", answer=text, port=seen.port or 0)
    if seen.duplicates:
        text = say("{answer}, {count} duplicates", answer=text, count=seen.duplicates)
    if seen.obstacle is not None and loss.value:
        text = say("{answer}; {obstacle}", answer=text, obstacle=seen.obstacle)
    return text


def _silence(seen: PingSeen) -> Text:
    sent = len(seen.samples)
    if seen.method is Method.TCP:
        text = say("no answer to {count} attempts on TCP port {port}", count=sent, port=seen.port or 0)
    else:
        text = say("no answer to {count} requests", count=sent)
    if seen.obstacle is not None:
        return say("{silence}; {obstacle}", silence=text, obstacle=seen.obstacle)
    if seen.rejected:
        return say(
            "{silence}: what came back is not what was sent ({rejected} times)", silence=text, rejected=seen.rejected
        )
    return text


async def _by_icmp(pinger: Pinger, address: Address, params: PingParams, io: Io) -> PingSeen:
    loop, interval = asyncio.get_running_loop(), params.interval.total_seconds()
    sent: list[Echo | OSError] = []
    start = loop.time()
    try:
        for n in range(params.count):
            if not await _turn(start + n * interval, io):
                break
            sent.append(_send(pinger, address, params.size))
        await _answers(sent, min(params.wait.total_seconds(), patience(io)))
    finally:
        for echo in sent:
            if isinstance(echo, Echo):
                pinger.forget(echo)
    echoes = [echo for echo in sent if isinstance(echo, Echo)]
    return PingSeen(
        pinger.method,
        tuple(_sample(echo) for echo in sent),
        obstacle=next((why for why in map(_obstacle, reversed(sent)) if why is not None), None),
        duplicates=sum(echo.duplicates for echo in echoes),
        rejected=sum(echo.rejected for echo in echoes),
    )


def _send(pinger: Pinger, address: Address, size: int) -> Echo | OSError:
    """Send one request; a kernel that knows no way to the host has told us something, too."""
    try:
        return pinger.send(address, size)
    except OSError as error:
        if error.errno in OURS:
            raise ProbeFault(say("cannot ping {host}: {why}", host=address.host, why=reason(error))) from error
        return error


async def _turn(at: float, io: Io) -> bool:
    """Wait until the loop's clock shows `at`; False when the deadline leaves no time for an answer after it."""
    wait = at - asyncio.get_running_loop().time()
    if wait > 0:
        await asyncio.sleep(wait)
    return io.remaining() > MARGIN


async def _answers(sent: list[Echo | OSError], wait: float) -> None:
    """Wait until all that was sent is answered, `wait` seconds at most."""
    try:
        async with asyncio.timeout(wait):
            for echo in sent:
                if isinstance(echo, Echo):
                    await echo.done.wait()
    except TimeoutError:
        return


def _obstacle(echo: Echo | OSError) -> Text | None:
    return reason(echo) if isinstance(echo, OSError) else echo.obstacle


def _sample(echo: Echo | OSError) -> float | Missing:
    if isinstance(echo, OSError) or not echo.answered:
        return Missing.LOST
    return Missing.UNTIMED if echo.rtt is None else echo.rtt


async def _instead_of_icmp(address: Address, params: PingParams, io: Io) -> PingSeen:
    """Time a TCP port because we may not send ICMP. Its silence proves nothing, for the port may be filtered."""
    seen = await _by_tcp(address, params, io)
    if all(sample is Missing.LOST for sample in seen.samples):
        raise ProbeFault(
            say("ICMP is not permitted to Relève, and TCP port {port} does not answer either", port=FALLBACK_PORT),
            say("Give Relève CAP_NET_RAW, widen net.ipv4.ping_group_range, or give the check a port that answers"),
        )
    return seen


async def _by_tcp(address: Address, params: PingParams, io: Io) -> PingSeen:
    loop, interval = asyncio.get_running_loop(), params.interval.total_seconds()
    start = loop.time()
    async with asyncio.TaskGroup() as attempts:
        tasks = []
        for n in range(params.count):
            if not await _turn(start + n * interval, io):
                break
            wait = min(params.wait.total_seconds(), patience(io))
            tasks.append(attempts.create_task(_attempt(address, wait)))
    outcomes = [task.result() for task in tasks]
    obstacle = next((reason(outcome) for outcome in reversed(outcomes) if isinstance(outcome, OSError)), None)
    samples = tuple(Missing.LOST if isinstance(outcome, OSError) else outcome for outcome in outcomes)
    ours = next((o for o in outcomes if isinstance(o, OSError) and o.errno in OURS), None)
    if ours is not None:
        raise ProbeFault(say("cannot connect to {host}: {why}", host=address.host, why=reason(ours)))
    return PingSeen(Method.TCP, samples, int(address.sockaddr[1]), obstacle)


async def _attempt(address: Address, wait: float) -> float | OSError | Missing:
    """Return the seconds of one handshake, or of a refusal, which is an answer too; LOST when nothing came in time."""
    loop = asyncio.get_running_loop()
    with socket.socket(address.family, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        started = loop.time()
        try:
            async with asyncio.timeout(wait):
                await loop.sock_connect(sock, address.sockaddr)
        except TimeoutError:
            return Missing.LOST
        except ConnectionRefusedError:
            return loop.time() - started
        except OSError as error:
            return error
        return handshake(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES), loop.time() - started)


def handshake(info: bytes, elapsed: float) -> float | Missing:
    """Return the seconds of a handshake by the kernel's own measure in `info` (struct tcp_info), without our delay.

    `elapsed`: what we measured, the upper bound and the answer of a kernel that does not say. A first packet that had
    to be sent again was lost.
    """
    if len(info) < TCP_INFO_BYTES:
        return elapsed
    if _U32.unpack_from(info, TCP_INFO_RETRANSMISSIONS)[0]:
        return Missing.LOST
    kernel = _U32.unpack_from(info, TCP_INFO_RTT)[0] / 1e6
    return kernel if 0 < kernel < elapsed else elapsed
