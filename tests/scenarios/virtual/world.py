"""The simulated site as physics: what is fed by what, reached through what and made of what, and what breaks when.

Nothing here knows of checks, incidents or the inventory's topology: this is the truth that Relève is to find out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from tests.scenarios.virtual.spans import NEVER, Spans, delayed, intersection, inverse, prolonged, union, without

MAINS, GENERATOR, UPS = "mains", "genset", "ups"


class Harm(StrEnum):
    """What a fault does to a component."""

    BREAK = "break"
    """It does not work at all."""
    WORSEN = "worsen"
    """It works badly: slow, lossy, nearly full."""
    HIDE = "hide"
    """It works, and nobody can see it: its agent gives no answer."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`harm` to `component` from `start` to `end` (seconds of virtual time).

    With `period` it comes and goes: for `share` of each period it is there, from the first moment on.
    """

    component: str
    harm: Harm
    start: float
    end: float
    period: float = 0.0
    share: float = 0.5

    @property
    def spans(self) -> Spans:
        """When it is there."""
        if not self.period:
            return union([(self.start, self.end)])
        turns = int((self.end - self.start) // self.period) + 1
        starts = [self.start + turn * self.period for turn in range(turns)]
        return union((start, min(start + self.share * self.period, self.end)) for start in starts)


class Supply(StrEnum):
    """What feeds a component."""

    OWN = "own"
    """A battery, or the power of another place."""
    MAINS = "mains"
    """The mains, or the generator once it runs."""
    UPS = "ups"
    """As long as it lasts, the battery as well."""


@dataclass(frozen=True, slots=True)
class Component:
    """A thing, or a part of one.

    `fed`: what it runs on. `via`: it is reached through any one of these, directly where there are none. `part_of`: the
    thing that it is a part of. `using`: what must work for it to do its work. `boots`: seconds that it takes to come
    back once it has power again, or was broken.
    """

    id: str
    fed: Supply = Supply.OWN
    via: tuple[str, ...] = ()
    part_of: str = ""
    using: tuple[str, ...] = ()
    boots: float = 0.0


@dataclass(frozen=True, slots=True)
class Makeup:
    """What the site is made of. `generator_after`: seconds until it carries the site; `battery`: for how many seconds
    the UPS does."""

    components: Mapping[str, Component]
    generator_after: float
    battery: float

    def part(self, name: str) -> Component:
        """Return the component `name`. Raises KeyError."""
        return self.components[name]


def makeup_from(path: Path) -> Makeup:
    """Return what the YAML file `path` describes. Raises ValueError for a key that means nothing."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    found: dict[str, Component] = {}
    for written, keys in data["components"].items():
        for name in names_in(written):
            found[name] = _component(name, keys or {})
    return Makeup(found, float(data["generator_after"]), float(data["battery"]))


def names_in(written: str) -> Iterable[str]:
    """Return the names that `poste-[001-100]` stands for, or the one that is written out."""
    before, bracket, rest = written.partition("[")
    if not bracket:
        return (written,)
    span, _, after = rest.partition("]")
    first, last = span.split("-")
    return tuple(f"{before}{n:0{len(first)}}{after}" for n in range(int(first), int(last) + 1))


def _component(name: str, keys: Mapping[str, Any]) -> Component:
    unknown = set(keys) - {"fed", "via", "part_of", "using", "boots"}
    if unknown:
        raise ValueError(f"{name}: {unknown}")
    return Component(
        name,
        Supply(keys.get("fed", Supply.OWN)),
        tuple(keys.get("via", ())),
        keys.get("part_of", ""),
        tuple(keys.get("using", ())),
        float(keys.get("boots", 0.0)),
    )


@dataclass
class World:
    """One course of events: what the site is made of and what happens to it."""

    makeup: Makeup
    faults: tuple[Fault, ...]
    _off: dict[str, Spans] = field(default_factory=dict)
    _cut: dict[str, Spans] = field(default_factory=dict)

    def harmed(self, name: str, harm: Harm) -> Spans:
        """Return when faults of that kind are at the component itself."""
        return union(*(fault.spans for fault in self.faults if fault.component == name and fault.harm is harm))

    def broken(self, name: str) -> Spans:
        """Return when the component does not run for a reason of its own, until it has booted again."""
        return prolonged(self.harmed(name, Harm.BREAK), self.makeup.part(name).boots)

    @cached_property
    def mains_lost(self) -> Spans:
        """When there are no mains."""
        return self.harmed(MAINS, Harm.BREAK)

    @cached_property
    def generating(self) -> Spans:
        """When the generator carries the site: some time into a cut, and that time after it was repaired."""
        broken = self.harmed(GENERATOR, Harm.BREAK)
        return delayed(without(self.mains_lost, broken), self.makeup.generator_after)

    @cached_property
    def unfed(self) -> Spans:
        """When there is neither mains nor generator: the UPS discharges."""
        return without(self.mains_lost, self.generating)

    def _unpowered(self, supply: Supply) -> Spans:
        if supply is Supply.OWN:
            return NEVER
        if supply is Supply.MAINS:
            return self.unfed
        return union(delayed(self.unfed, self.makeup.battery), self.harmed(UPS, Harm.BREAK))

    def off(self, name: str) -> Spans:
        """Return when the component does not run: without power, broken, on something that is off, or still booting."""
        if name not in self._off:
            part = self.makeup.part(name)
            own = union(self._unpowered(part.fed), self.harmed(name, Harm.BREAK))
            above = self.off(part.part_of) if part.part_of else NEVER
            self._off[name] = union(above, prolonged(own, part.boots))
        return self._off[name]

    def cut(self, name: str) -> Spans:
        """Return when nothing that is sent to the component is answered by it."""
        if name not in self._cut:
            part = self.makeup.part(name)
            if part.part_of:
                way = self.cut(part.part_of)
            else:
                way = intersection(*(self.cut(other) for other in part.via)) if part.via else NEVER
            self._cut[name] = union(way, self.off(name))
        return self._cut[name]

    def way_cut(self, name: str) -> Spans:
        """Return when the component cannot be reached, whatever its own state."""
        part = self.makeup.part(name)
        if part.part_of:
            return self.cut(part.part_of)
        return intersection(*(self.cut(other) for other in part.via)) if part.via else NEVER

    def idle(self, name: str) -> Spans:
        """Return when the component cannot do its work: it is off, or something that it uses cannot do its own."""
        part = self.makeup.part(name)
        return union(self.off(name), *(union(self.idle(other), self.cut(other)) for other in part.using))

    def working(self, name: str) -> Spans:
        """Return when the component can be reached and does its work."""
        return inverse(union(self.cut(name), self.idle(name)))
