"""Random courses of events on the small site: faults, and what people do meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import inf
from random import Random

from monitor.core import by_hand, watch
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, NodeId
from monitor.core.incident import Incident, Refused
from monitor.core.maintenance import Span, Window, scope_of
from monitor.core.text import say
from monitor.core.verdict import Severity
from tests.scenarios.virtual.clockwork import Act, Desk, Restart
from tests.scenarios.virtual.spans import Spans
from tests.scenarios.virtual.stage import ZERO, Played, play, stage
from tests.scenarios.virtual.truth import silences
from tests.scenarios.virtual.world import GENERATOR, MAINS, Fault, Harm

SITE = "small"
PERSON = "uid:1000"
CALM_AFTER = 1800.0
"""Seconds that a play goes on after the last fault: what wavers takes twenty results to be steady again."""


@dataclass(frozen=True, slots=True)
class Ack:
    """Somebody takes charge of the incident that opened last, for `minutes` or to the end (0)."""

    at: float
    minutes: int = 0


@dataclass(frozen=True, slots=True)
class Announced:
    """Work on `node` from `at` for `minutes`: silent, or told as one incident of `kind`.

    `called_off`: it was announced for half an hour more, and somebody ends it.
    """

    at: float
    node: str
    minutes: int
    kind: str = ""
    called_off: bool = False

    @property
    def ends(self) -> float:
        """The second at which it is over."""
        return self.at + 60.0 * self.minutes

    @property
    def name(self) -> str:
        """What it is called."""
        return f"work-{self.at:.0f}"


@dataclass(frozen=True, slots=True)
class Stopped:
    """Relève is out for `out` seconds."""

    at: float
    out: float


@dataclass(frozen=True, slots=True)
class Repairing:
    """A runbook is at the incident that opened last, for `minutes`."""

    at: float
    minutes: int


@dataclass(frozen=True, slots=True)
class Closing:
    """Somebody ends the incident that opened first, if its check is well."""

    at: float


Deed = Ack | Announced | Stopped | Repairing | Closing


@dataclass(frozen=True, slots=True)
class Schedule:
    """A course of events."""

    faults: tuple[Fault, ...]
    deeds: tuple[Deed, ...] = field(default=())
    phase: str = ""

    @property
    def until(self) -> float:
        """When it ends: every fault is over, and there was time to see that."""
        ends = [fault.end for fault in self.faults]
        ends += [deed.ends for deed in self.deeds if isinstance(deed, Announced)]
        ends += [deed.at + 60 * deed.minutes for deed in self.deeds if isinstance(deed, Repairing)]
        return max(ends, default=0.0) + CALM_AFTER

    @property
    def excused(self) -> dict[CheckId, Spans]:
        """When announced work excuses each check."""
        topology = stage(SITE).plan.topology
        return silences(
            (scope_of(topology, [NodeId(deed.node)]), deed.at, deed.ends)
            for deed in self.deeds
            if isinstance(deed, Announced)
        )


def _acts(deed: Deed) -> list[tuple[float, Act | Restart]]:
    match deed:
        case Stopped():
            return [(deed.at, Restart(deed.out))]
        case Announced():
            over: list[tuple[float, Act | Restart]] = [(deed.ends, _calling_off(deed))] if deed.called_off else []
            return [(deed.at, _announcing(deed)), *over]
        case Repairing():
            run = f"run-{deed.at:.0f}"
            return [(deed.at, _repairing(run, going=True)), (deed.at + 60 * deed.minutes, _repairing(run, going=False))]
        case Closing():
            return [(deed.at, _close)]
        case Ack():
            return [(deed.at, _acknowledging(deed))]


def _open(desk: Desk) -> list[Incident]:
    return [incident for incident in desk.state.incidents.values() if incident.open]


def _acknowledging(deed: Ack) -> Act:
    def acknowledge(desk: Desk, now: datetime) -> tuple[CheckId, ...]:
        going = _open(desk)
        if not going:
            return ()
        length = timedelta(minutes=deed.minutes) if deed.minutes else None
        event = by_hand.acknowledge(going[-1], PERSON, now, "", length)
        return desk.accept(watch.told(desk.plan, desk.state, event), now)

    return acknowledge


def _close(desk: Desk, now: datetime) -> tuple[CheckId, ...]:
    for incident in _open(desk)[:1]:
        health = None if incident.check is None else desk.state.healths.get(incident.check)
        failing = health is not None and {health.latest, health.confirmed} != {Severity.OK}
        try:
            event = by_hand.resolve_by_hand(incident, PERSON, now, "", failing=failing)
        except Refused:
            return ()
        return desk.accept(watch.told(desk.plan, desk.state, event), now)
    return ()


def _repairing(run: str, *, going: bool) -> Act:
    def repair(desk: Desk, now: datetime) -> tuple[CheckId, ...]:
        known = [one for one in desk.state.incidents.values() if one.repair is not None and one.repair.run == run]
        about = _open(desk)[-1:] if going else known
        kind = EventKind.REPAIR if going else EventKind.REPAIR_ENDED
        events = tuple(Event(one.id, now, kind, RELEVE, say("a runbook is at it"), run=run) for one in about)
        return desk.accept(watch.repaired(desk.plan, desk.state, events, now), now)

    return repair


def _announcing(deed: Announced) -> Act:
    def announce(desk: Desk, now: datetime) -> tuple[CheckId, ...]:
        start = ZERO + timedelta(seconds=deed.at)
        nodes = (NodeId(deed.node),)
        length = timedelta(minutes=deed.minutes + 30 * deed.called_off)
        scope, span = scope_of(desk.plan.topology, nodes), Span(start, start + length)
        window = Window(deed.name, scope, span, kind=deed.kind, nodes=nodes, by=PERSON)
        desk.state = watch.announced(desk.state, window, now)
        return ()

    return announce


def _calling_off(deed: Announced) -> Act:
    def call_off(desk: Desk, now: datetime) -> tuple[CheckId, ...]:
        desk.state, _ = watch.work_ended(desk.state, deed.name, now)
        return ()

    return call_off


def played(schedule: Schedule, *, whole: bool = False) -> Played:
    """Return what comes of `schedule`; `whole`: to its end, also where all has long been well again."""
    acts = [act for deed in schedule.deeds for act in _acts(deed)]
    rests_from = inf if whole else schedule.until - CALM_AFTER
    return play(stage(SITE), schedule.faults, schedule.until, acts, phase=schedule.phase, rests_from=rests_from)


BREAKABLE = (
    "mains", "ups", "genset", "core", "router", "floor-a", "floor-b", "hermes", "sql", "hmp", "fo", "fh", "fo-peer",
    "ocm", "sql-service", "onnet", "hermes-login", "hmp-disk", "ocm-sip", "poste-1", "poste-4", "poste-1-agent",
)  # fmt: skip
WORSENING = ("ups", "router", "fo", "hmp-disk", "ocm", "ocm-sip", "hermes", "poste-1")
HIDEABLE = ("router", "hermes", "sql", "hmp", "ups", "genset", "onnet")
LENGTHS = (20.0, 45.0, 60.0, 90.0, 120.0, 180.0, 240.0, 300.0, 420.0, 600.0, 720.0, 900.0, 1200.0, 1800.0)
PERIODS = (0.0, 0.0, 0.0, 0.0, 40.0, 90.0, 120.0, 180.0, 240.0, 300.0, 420.0)
LASTING = (900.0, 1200.0, 1800.0, 2700.0)
"""Seconds that are enough to be seen and told, whoever is looked at first."""
WORKED_ON = ("hermes", "sql", "floor-a", "fo", "core")


def drawn(seed: int) -> Schedule:
    """Return the course of events number `seed`: one to four faults, up to three deeds, one of many orders of polling.

    A generator of its own, because the same number must mean the same course wherever and whenever it is played.
    """
    chance = Random(seed)
    some = tuple(_fault(chance) for _ in range(chance.randint(1, 4)))
    deeds = {(type(deed), deed.at): deed for deed in (_deed(chance) for _ in range(chance.randint(0, 3)))}
    return Schedule(some, tuple(deeds.values()), str(chance.randint(0, 99)))


def _moment(chance: Random) -> float:
    """Some second of the first hour, once everything has been looked at."""
    return float(chance.randint(60, 3600))


def _fault(chance: Random) -> Fault:
    harm = chance.choice((Harm.BREAK, Harm.BREAK, Harm.BREAK, Harm.WORSEN, Harm.HIDE))
    name = chance.choice({Harm.BREAK: BREAKABLE, Harm.WORSEN: WORSENING, Harm.HIDE: HIDEABLE}[harm])
    start, length, period = _moment(chance), chance.choice(LENGTHS), chance.choice(PERIODS)
    comes_and_goes = harm is not Harm.HIDE and period < length / 2
    return Fault(name, harm, start, start + length, period if comes_and_goes else 0.0)


def _deed(chance: Random) -> Deed:
    at = _moment(chance)
    match chance.randint(0, 4):
        case 0:
            return Ack(at, chance.choice((0, 5, 20)))
        case 1:
            return Stopped(at, chance.choice((0.0, 5.0, 60.0, 300.0)))
        case 2:
            return Repairing(at, chance.choice((1, 5, 15)))
        case 3:
            return Closing(at)
        case _:
            kind = chance.choice(("", "", "hermes-patch"))
            return Announced(at, chance.choice(WORKED_ON), chance.choice((5, 15, 30)), kind, chance.random() < 1 / 2)


def drawn_lasting(seed: int) -> Schedule:
    """Return course number `seed` of faults that last, up to four and perhaps a cut of the mains beside them.

    Such a cut is one only while the generator does not run.
    """
    chance = Random(seed)
    names = [name for name in BREAKABLE if name not in (MAINS, GENERATOR)]
    some = [_lasting(chance, name) for name in chance.sample(names, chance.randint(0, 4))]
    if not some or chance.random() < 1 / 2:
        cut = _lasting(chance, MAINS)
        some += [cut, replace(cut, component=GENERATOR)]
    return Schedule(tuple(some))


def _lasting(chance: Random, name: str) -> Fault:
    start = _moment(chance)
    return Fault(name, Harm.BREAK, start, start + chance.choice(LASTING))


def shortest(schedule: Schedule, wrong: Callable[[Schedule], bool]) -> Schedule:
    """Return `schedule` without whatever may be left out of it so that it is still `wrong`."""
    for part in (*schedule.deeds, *schedule.faults):
        less = replace(
            schedule,
            deeds=tuple(deed for deed in schedule.deeds if deed is not part),
            faults=tuple(fault for fault in schedule.faults if fault is not part),
        )
        if less.faults and wrong(less):
            return shortest(less, wrong)
    return schedule
