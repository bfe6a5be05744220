"""Two looks at an interface, and what happened between them: rates that are right, or none (IF-MIB, RFC 2863)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from monitor.core.text import Text, say
from probes.names import folded

TICKS = 100
"""Hundredths of a second in which sysUpTime counts."""
WRAP = 2**32
BITS = 8
ABOVE_PHYSICS = 1.1
"""A rate this far above the interface's speed was not on the wire."""
CLOCKS_APART = 0.1
CLOCKS_APART_SECONDS = 5.0
"""How far the agent's clock and ours may differ over the same span before we take it that the agent restarted."""
SHORTEST_SPAN = 0.2
"""Seconds between two looks below which a rate says more about timing than about traffic."""
ETHERNET = frozenset({6, 62, 69, 117, 135})
"""ifType ethernetCsmacd, fastEther, fastEtherFX, gigabitEthernet, l2vlan (IANAifType-MIB)."""
ETHERNET_SPEEDS = frozenset({1e7, 1e8, 1e9, 2.5e9, 5e9, 1e10, 2.5e10, 4e10, 5e10, 1e11, 2e11, 4e11})
"""IEEE 802.3. An Ethernet port that says anything else repeats a `bandwidth` statement of its configuration."""
TYPES_WITHOUT_SPEED = frozenset({1, 24, 53, 131, 166})
"""ifType other, softwareLoopback, propVirtual, tunnel, mpls: what they say of their speed is nominal."""


class Oper(IntEnum):
    """ifOperStatus (RFC 2863, section 3.1.14)."""

    UP = 1
    DOWN = 2
    TESTING = 3
    UNKNOWN = 4
    DORMANT = 5
    NOT_PRESENT = 6
    LOWER_LAYER_DOWN = 7


class Admin(IntEnum):
    """ifAdminStatus."""

    UP = 1
    DOWN = 2
    TESTING = 3


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter's `value` and its width in `bits`."""

    value: int
    bits: int = 32


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at an interface.

    `at`: seconds on our own clock. `uptime`, `last_change`, `discontinuity`: hundredths of a second of the agent's
    clock. `speed`: bit/s. `counters`: `in_octets`, `out_octets`, `in_errors`, `out_errors`, `in_discards`,
    `out_discards`, as many as there are.
    """

    at: float
    index: str
    name: str = ""
    descr: str = ""
    alias: str = ""
    admin: Admin | None = None
    oper: Oper | None = None
    type: int = 0
    speed: float | None = None
    uptime: int | None = None
    last_change: int | None = None
    discontinuity: int | None = None
    counters: Mapping[str, Counter] = field(default_factory=dict)

    def named(self, name: str) -> bool:
        """Return whether the interface is known by `name`, in any letter case."""
        return folded(name) in (folded(self.name), folded(self.descr), folded(self.alias))

    @property
    def fastest(self) -> float:
        """Bit/s that the medium can carry; infinite where what the agent says is only nominal."""
        if self.speed is None or self.type in TYPES_WITHOUT_SPEED:
            return math.inf
        if self.type in ETHERNET and self.speed not in ETHERNET_SPEEDS:
            return math.inf
        return self.speed


@dataclass(frozen=True, slots=True)
class Between:
    """What happened between two looks, by name of metric (`rate_in`, `errors`, `flaps` ...); `why` some are missing."""

    values: Mapping[str, float] = field(default_factory=dict)
    why: Text | None = None


def compare(before: Sample | None, after: Sample, nominal: float | None = None) -> Between:
    """Return rates (bit/s, 1/s) and operational changes between two samples of one interface.

    `nominal`: bit/s that the line is meant to carry; it bounds what may be taken for the wrap of a 32 bit counter.

    1. No rate after a restart of the agent or the counters, of an agent whose clock stands still, or out of too short
       a span.
    2. A 32 bit counter that went back has wrapped, if what then passed fits the line; a 64 bit one was reset. One that
       the line could have filled twice says nothing.
    3. A rate above what the medium carries is dropped.
    """
    if before is None or before.index != after.index:
        return Between(why=say("no rates yet: this was the first look"))
    span = _span(before, after)
    if isinstance(span, Text):
        return Between(why=span)
    values: dict[str, float] = {}
    why: Text | None = None
    for name, counter in (("rate_in", "in_octets"), ("rate_out", "out_octets")):
        rate = _bit_rate(before, after, counter, span, nominal)
        if rate is not None:
            values[name] = rate
        elif counter in after.counters:
            why = say("a rate is left out: its counter was reset or counts what no line carries")
    for name in ("errors", "discards"):
        passed = [_forward(before, after, f"{way}_{name}") for way in ("in", "out")]
        known = [count for count in passed if count is not None]
        if known:
            values[name] = sum(known) / span
    changes = _changes(before, after)
    if changes is not None:
        values["flaps"] = changes
    return Between(values, why)


def _span(before: Sample, after: Sample) -> float | Text:
    """Return the seconds between two samples, on the agent's clock where it has one; or why there is no rate."""
    ours = after.at - before.at
    if ours < SHORTEST_SPAN:
        return say("no rates: the two looks were too close together")
    if before.discontinuity != after.discontinuity:
        return say("no rates: the counters of the interface were reset")
    if before.uptime is None or after.uptime is None:
        return ours
    theirs = (after.uptime - before.uptime) % WRAP / TICKS
    if theirs == 0:
        return say("no rates: the clock of the agent stands still")
    if abs(theirs - ours) > CLOCKS_APART_SECONDS + CLOCKS_APART * ours:
        return say("no rates: the agent restarted")
    return theirs


def _bit_rate(before: Sample, after: Sample, name: str, span: float, nominal: float | None) -> float | None:
    old, new = before.counters.get(name), after.counters.get(name)
    if old is None or new is None or old.bits != new.bits:
        return None
    octets, bound = new.value - old.value, after.fastest
    line = nominal or after.speed
    if new.bits == 32 and line is not None and line / BITS * span >= WRAP:
        return None
    if octets < 0 and new.bits == 32:
        octets, bound = octets + WRAP, min(bound, max(after.speed or 0.0, nominal or 0.0))
    if octets < 0:
        return None
    rate = octets * BITS / span
    return rate if rate <= bound * ABOVE_PHYSICS else None


def _forward(before: Sample, after: Sample, name: str) -> int | None:
    old, new = before.counters.get(name), after.counters.get(name)
    if old is None or new is None or new.value < old.value:
        return None
    return new.value - old.value


def _changes(before: Sample, after: Sample) -> int | None:
    """Return how often the operational state changed at least: by ifLastChange also twice between two looks."""
    if before.oper is None or after.oper is None:
        return None
    if before.oper is not after.oper:
        return 1
    if before.last_change is None or after.last_change is None:
        return 0
    return 2 if before.last_change != after.last_change else 0
