"""What each probe says of the simulated site at any moment: the rules of the real ones, written down once more.

Each kind is as its module in `probes` is: silence of what is asked directly is CRITICAL and down, silence of an agent
that is asked about something else is UNKNOWN, a service that does not run and an interface without carrier are down, a
full disk and a page that shows an error are bad and not down.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from monitor.inventory.model import Check
from tests.scenarios.virtual.spans import Spans, edges, holds, union
from tests.scenarios.virtual.world import GENERATOR, MAINS, UPS, Component, Harm, Makeup, Supply, World

QUICK: Final = 0.05
"""Seconds that an answer takes."""
TAKES: Final = {"ping": 1.0, "link": 1.0, "router": 0.5, "disk": 1.0, "service": 2.0, "http": 0.2}
"""Seconds that a look at what is well takes, of kinds that ask several times, or for much."""
PING_GIVES_UP: Final = 4.0
"""Seconds after which a ping has waited long enough for its last request."""
BY_SNMP: Final = frozenset({"router", "disk", "service", "link"})
"""Kinds that ask an agent about something."""
OK: Final = Verdict(Severity.OK, say("as it should be"))
BADLY: Final = Verdict(Severity.WARNING, say("works badly"))
BAD: Final = Verdict(Severity.CRITICAL, say("does not do its work"))
DOWN: Final = Verdict(Severity.CRITICAL, say("is down"), down=True)
SILENT: Final = Verdict(Severity.CRITICAL, say("does not answer"), down=True)
OUT_OF_SIGHT: Final = Verdict(Severity.UNKNOWN, say("its agent does not answer"))

Rule = tuple[Spans, Verdict, float]


@dataclass(frozen=True, slots=True)
class Sight:
    """What one check shows over time: from each of `moments` on (seconds) a verdict and how long that takes."""

    moments: tuple[float, ...]
    shown: tuple[tuple[Verdict, float], ...]

    def at(self, moment: float) -> tuple[Verdict, float]:
        """Return what a look that begins at `moment` shows, and after how many seconds."""
        return self.shown[bisect_right(self.moments, moment) - 1]

    def spans(self, *severities: Severity) -> Spans:
        """Return when it shows one of `severities`."""
        ends = (*self.moments[1:], float("inf"))
        parts = zip(self.moments, ends, self.shown, strict=True)
        return union((start, end) for start, end, (verdict, _) in parts if verdict.severity in severities)


def component_of(check: Check) -> str:
    """Return the name of the component that `check` looks at: a part of its device has the check's own name."""
    if check.probe in ("ping", "router", "ups", "generator", "link"):
        return str(check.node)
    return str(check.id)


def with_parts(makeup: Makeup, checks: list[Check]) -> Makeup:
    """Return `makeup` with the parts of devices that are looked at and that it does not speak of."""
    parts = {
        name: Component(name, part_of=str(check.node))
        for check in checks
        if (name := component_of(check)) not in makeup.components
    }
    return Makeup({**makeup.components, **parts}, makeup.generator_after, makeup.battery)


def sight(check: Check, world: World) -> Sight:
    """Return what `check` shows in `world`."""
    rules = _rules(check, world)
    moments = edges(*(spans for spans, _, _ in rules))
    well = (OK, TAKES.get(check.probe, QUICK))
    shown = tuple(_first(rules, moment, well) for moment in moments)
    return Sight(tuple(moments), shown)


def _first(rules: list[Rule], moment: float, well: tuple[Verdict, float]) -> tuple[Verdict, float]:
    return next(((verdict, took) for spans, verdict, took in rules if holds(spans, moment)), well)


def _rules(check: Check, world: World) -> list[Rule]:
    """What it shows when, the first that holds."""
    name, timeout = component_of(check), check.timeout.total_seconds()
    worse = (world.harmed(name, Harm.WORSEN), BADLY, QUICK)
    if check.probe in BY_SNMP:
        return [(_hidden(check, world, name), OUT_OF_SIGHT, timeout), *_by_snmp(check, world, name), worse]
    match check.probe:
        case "ping":
            return [(world.cut(name), SILENT, PING_GIVES_UP), worse]
        case "tcp":
            return [(world.way_cut(name), SILENT, timeout), (world.idle(name), DOWN, QUICK), worse]
        case "http":
            return [(world.way_cut(name), SILENT, timeout), (world.idle(name), BAD, QUICK), worse]
        case "ups":
            hidden = (world.harmed(UPS, Harm.HIDE), OUT_OF_SIGHT, timeout)
            return [hidden, (union(world.unfed, world.harmed(UPS, Harm.BREAK)), DOWN, QUICK), worse]
        case "generator":
            hidden = (world.harmed(GENERATOR, Harm.HIDE), OUT_OF_SIGHT, timeout)
            return [hidden, (world.harmed(GENERATOR, Harm.BREAK), BAD, QUICK), (world.unfed, BADLY, QUICK), worse]
        case _:
            raise ValueError(check.probe)


def _hidden(check: Check, world: World, name: str) -> Spans:
    """When the agent that is asked about it does not answer."""
    asked = _asked(check, world, name)
    return union(world.cut(asked), world.harmed(asked, Harm.HIDE), world.harmed(name, Harm.HIDE))


def _asked(check: Check, world: World, name: str) -> str:
    """The device whose agent is asked: of a link, the one at whose end it begins."""
    return world.makeup.part(name).via[0] if check.probe == "link" else str(check.node)


def _by_snmp(check: Check, world: World, name: str) -> list[Rule]:
    match check.probe:
        case "disk":
            return [(world.harmed(name, Harm.BREAK), BAD, QUICK)]
        case "service":
            return [(world.idle(name), DOWN, QUICK)]
        case "link":
            return [(world.off(name), DOWN, QUICK)]
        case _:
            return []


def own_faults(check: Check, world: World) -> Spans:
    """Return when something is wrong with what `check` looks at that is not the consequence of something else.

    A UPS stands for the mains: that they are gone is its own finding, and nobody else's. An agent that gives no answer
    is nobody's finding but that of each check that asks it.
    """
    name = component_of(check)
    worse = world.harmed(name, Harm.WORSEN)
    if check.probe in BY_SNMP:
        silent = union(world.harmed(name, Harm.HIDE), world.harmed(_asked(check, world, name), Harm.HIDE))
        if check.probe == "router":  # it asks the device how it is; whether it is there, the ping says
            return union(worse, silent)
        return union(world.broken(name), worse, silent)
    if check.probe == "ups":
        return union(world.broken(name), worse, world.harmed(name, Harm.HIDE), world.unfed)
    if check.probe == "generator":
        return union(world.harmed(name, Harm.BREAK), worse, world.harmed(name, Harm.HIDE))
    return union(world.broken(name), worse)


def upstream_of(name: str, world: World) -> frozenset[str]:
    """Return every component whose failure may make `name` fail, as the world is made."""
    found: set[str] = set()
    pending = [name]
    while pending:
        part = world.makeup.part(pending.pop())
        above = {*part.via, *part.using, *([part.part_of] if part.part_of else ())}
        if part.fed is Supply.MAINS:  # what the generator does shows at the UPS
            above |= {MAINS, UPS}
        elif part.fed is Supply.UPS:
            above.add(UPS)
        pending += above - found
        found |= above
    return frozenset(found)
