"""A site on which something can be played: its inventory by the real loader, and what it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

import yaml

from alerts.agreement import Protocol
from monitor.core.ids import CheckId
from monitor.core.plan import Plan
from monitor.core.text import ENGLISH
from monitor.inventory.load import load
from monitor.inventory.model import Check, Inventory
from monitor.inventory.problems import Level
from tests.scenarios.virtual.clockwork import Act, Clockwork, Desk, Restart
from tests.scenarios.virtual.sight import Sight, sight, with_parts
from tests.scenarios.virtual.spans import Spans, fewer_than, inverse, union
from tests.scenarios.virtual.world import Fault, Makeup, World, makeup_from, names_in

HERE = Path(__file__).parent
ZERO = datetime(2026, 11, 30, 23, tzinfo=UTC)
"""The moment at which virtual time begins: midnight at the site."""


@dataclass(frozen=True, slots=True)
class Work:
    """What the client pays for, in the terms of the world: so many `positions` in work, and each of `all_of`."""

    positions: tuple[str, ...]
    all_of: tuple[str, ...]
    at_least: int

    def interrupted(self, world: World) -> Spans:
        """Return when the world lets too few people work."""
        lost = [inverse(world.working(name)) for name in self.all_of]
        return union(fewer_than([world.working(name) for name in self.positions], self.at_least), *lost)

    def touched(self, world: World) -> Spans:
        """Return when anything that the work needs does not work."""
        return union(*(inverse(world.working(name)) for name in (*self.positions, *self.all_of)))


@dataclass(frozen=True, slots=True)
class Stage:
    """A site: what Relève knows of it (`inventory`), and what it is (`makeup`, `work`)."""

    inventory: Inventory
    makeup: Makeup
    work: Work

    @property
    def checks(self) -> Mapping[CheckId, Check]:
        """All that is looked at."""
        return self.inventory.checks

    @property
    def plan(self) -> Plan:
        """What decides."""
        return self.inventory.plan

    @property
    def protocol(self) -> Protocol:
        """Who is told what, by when."""
        return self.inventory.protocol

    def world(self, faults: Iterable[Fault]) -> World:
        """Return the world in which `faults` happen."""
        return World(self.makeup, tuple(faults))


@cache
def stage(folder: str) -> Stage:
    """Return the site that lies in `folder` beside this module. Raises ValueError for an inventory that is wrong."""
    path = HERE / folder
    read = load(path / "inventory.yaml")
    wrong = [problem for problem in read.problems if problem.level is Level.ERROR]
    if read.inventory is None:
        raise ValueError("\n".join(f"{p.path}:{p.line}: {p.where}: {ENGLISH.render(p.message)}" for p in wrong))
    makeup = makeup_from(path / "world.yaml")
    data: Mapping[str, Any] = yaml.safe_load((path / "world.yaml").read_text(encoding="utf-8"))["work"]
    positions = tuple(name for written in data["positions"] for name in names_in(written))
    work = Work(positions, tuple(data["all_of"]), data["at_least"])
    return Stage(read.inventory, with_parts(makeup, list(read.inventory.checks.values())), work)


@dataclass(frozen=True, slots=True)
class Played:
    """A course of events, and what Relève made of it."""

    stage: Stage
    world: World
    sights: Mapping[CheckId, Sight]
    desk: Desk
    clockwork: Clockwork


def play(
    on: Stage,
    faults: Iterable[Fault],
    until: float,
    acts: Iterable[tuple[float, Act | Restart]] = (),
    *,
    phase: str = "",
    rests_from: float = inf,
) -> Played:
    """Return what comes of `faults` and of what people do, after `until` seconds; `rests_from`: as `Clockwork.run`."""
    world = on.world(faults)
    sights = {name: sight(check, world) for name, check in on.checks.items()}
    desk = Desk(on.plan, on.protocol)
    clockwork = Clockwork(desk, on.checks, sights, ZERO, phase)
    clockwork.run(until, list(acts), rests_from)
    return Played(on, world, sights, desk, clockwork)
