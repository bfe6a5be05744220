"""The optical fibre to the client: up or down, and how much has gone through it, as a pure function of time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

MEAN_IN, MEAN_OUT = 1.9e6, 2.1e6
"""bit/s: some twenty-five calls of G.711 and the agents' screens, each way."""
SWING, PERIOD = 0.15, 90.0
"""The traffic swings around its mean by this share, once in so many seconds."""
BITS_PER_PACKET = 1720.0
"""A call's packet: 20 ms of G.711 with its RTP, UDP, IP and Ethernet headers (RFC 3551), 215 bytes or so."""


@dataclass(frozen=True, slots=True)
class Wire:
    """`up` since `since` (seconds); `carried`: for how many seconds it had carried traffic before; `cuts` so far."""

    up: bool = True
    since: float = 0.0
    carried: float = 0.0
    cuts: int = 0


def cut(wire: Wire, at: float) -> Wire:
    """Return `wire` dug up at `at`; unchanged if it was."""
    return replace(wire, up=False, since=at, carried=carried(wire, at), cuts=wire.cuts + 1) if wire.up else wire


def mend(wire: Wire, at: float) -> Wire:
    """Return `wire` spliced at `at`; unchanged if it was whole."""
    return wire if wire.up else replace(wire, up=True, since=at)


def carried(wire: Wire, at: float) -> float:
    """Return for how many seconds the fibre has carried traffic until `at`."""
    return wire.carried + (at - wire.since if wire.up else 0.0)


def octets(wire: Wire, mean: float, at: float) -> int:
    """Return the bytes that went one way until `at`, where the mean rate is `mean` bit/s: the swing's integral."""
    seconds = carried(wire, at)
    swing = SWING * PERIOD / (2 * math.pi) * (1 - math.cos(2 * math.pi * seconds / PERIOD))
    return int(mean * (seconds + swing) / 8)
