"""Random courses of events on the small site: faults, and what people do meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import strategies as st

from monitor.core import incident as incidents
from monitor.core import watch
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
from tests.scenarios.virtual.world import Fault, Harm

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
        event = incidents.acknowledge(going[-1], PERSON, now, "", length)
        return desk.accept(watch.told(desk.plan, desk.state, event), now)

    return acknowledge


def _close(desk: Desk, now: datetime) -> tuple[CheckId, ...]:
    for incident in _open(desk)[:1]:
        health = None if incident.check is None else desk.state.healths.get(incident.check)
        failing = health is not None and {health.latest, health.confirmed} != {Severity.OK}
        try:
            event = incidents.resolve_by_hand(incident, PERSON, now, "", failing=failing)
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


def played(schedule: Schedule) -> Played:
    """Return what comes of `schedule`."""
    acts = [act for deed in schedule.deeds for act in _acts(deed)]
    return play(stage(SITE), schedule.faults, schedule.until, acts, phase=schedule.phase)


BREAKABLE = (
    "mains", "ups", "genset", "core", "router", "floor-a", "floor-b", "hermes", "sql", "hmp", "fo", "fh", "fo-peer",
    "ocm", "sql-service", "onnet", "hermes-login", "hmp-disk", "ocm-sip", "poste-1", "poste-4", "poste-1-agent",
)  # fmt: skip
WORSENING = ("ups", "router", "fo", "hmp-disk", "ocm", "ocm-sip", "hermes", "poste-1")
HIDEABLE = ("router", "hermes", "sql", "hmp", "ups", "genset", "onnet")
_moments = st.integers(60, 3600).map(float)
_lengths = st.sampled_from((20, 45, 60, 90, 120, 180, 240, 300, 420, 600, 720, 900, 1200, 1800))
_periods = st.sampled_from((0, 0, 0, 0, 40, 90, 120, 180, 240, 300, 420))


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    """One fault within the first hour."""
    harm = draw(st.sampled_from((Harm.BREAK, Harm.BREAK, Harm.BREAK, Harm.WORSEN, Harm.HIDE)))
    names = {Harm.BREAK: BREAKABLE, Harm.WORSEN: WORSENING, Harm.HIDE: HIDEABLE}[harm]
    start, length = draw(_moments), draw(_lengths)
    period = draw(_periods) if harm is not Harm.HIDE else 0
    if period >= length / 2:
        period = 0
    return Fault(draw(st.sampled_from(names)), harm, start, start + length, float(period))


_nodes = st.sampled_from(("hermes", "sql", "floor-a", "fo", "core"))
_works = st.builds(
    Announced, _moments, _nodes, st.sampled_from((5, 15, 30)), st.sampled_from(("", "", "hermes-patch")), st.booleans()
)
_deeds = st.one_of(
    st.builds(Ack, _moments, st.sampled_from((0, 5, 20))),
    st.builds(Stopped, _moments, st.sampled_from((0.0, 5.0, 60.0, 300.0))),
    st.builds(Repairing, _moments, st.sampled_from((1, 5, 15))),
    st.builds(Closing, _moments),
    _works,
)


def schedules() -> st.SearchStrategy[Schedule]:
    """Return courses of one to four faults and up to three deeds, on one of a hundred orders of polling."""
    several = st.lists(faults(), min_size=1, max_size=4).map(tuple)
    deeds = st.lists(_deeds, max_size=3, unique_by=lambda deed: (type(deed), deed.at)).map(tuple)
    return st.builds(Schedule, several, deeds, st.integers(0, 99).map(str))
