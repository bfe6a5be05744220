"""Random courses of events on the small site: faults, and what people do meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import strategies as st

from monitor.core import incident as incidents
from monitor.core import watch
from monitor.core.ids import CheckId, NodeId
from monitor.core.maintenance import Span, Window, scope_of
from tests.scenarios.virtual.clockwork import Act, Desk, Restart
from tests.scenarios.virtual.spans import Spans
from tests.scenarios.virtual.stage import ZERO, Played, play, stage
from tests.scenarios.virtual.truth import silences
from tests.scenarios.virtual.world import Fault, Harm

SITE = "small"
HOUR = 3600.0
CALM_AFTER = 1800.0
"""Seconds that a play goes on after the last fault: what wavers takes twenty results to be steady again."""


@dataclass(frozen=True, slots=True)
class Ack:
    """Somebody takes charge of the incident that opened last, for `minutes` or to the end (0)."""

    at: float
    minutes: int = 0


@dataclass(frozen=True, slots=True)
class Announced:
    """Silent work on `node` from `at` for `minutes`, announced at its beginning."""

    at: float
    node: str
    minutes: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """Relève is out for `out` seconds."""

    at: float
    out: float


Deed = Ack | Announced | Stopped


@dataclass(frozen=True, slots=True)
class Schedule:
    """A course of events."""

    faults: tuple[Fault, ...]
    deeds: tuple[Deed, ...] = field(default=())

    @property
    def until(self) -> float:
        """When it ends: every fault is over, and there was time to see that."""
        ends = [fault.end for fault in self.faults]
        ends += [deed.at + deed.minutes * 60 for deed in self.deeds if isinstance(deed, Announced)]
        return max(ends, default=0.0) + CALM_AFTER

    @property
    def excused(self) -> dict[CheckId, Spans]:
        """When announced work excuses each check."""
        topology = stage(SITE).plan.topology
        return silences(
            (scope_of(topology, [NodeId(deed.node)]), deed.at, deed.at + 60 * deed.minutes)
            for deed in self.deeds
            if isinstance(deed, Announced)
        )


def _act(deed: Deed) -> tuple[float, Act | Restart]:
    if isinstance(deed, Stopped):
        return deed.at, Restart(deed.out)
    if isinstance(deed, Announced):
        return deed.at, _announcing(deed)

    def acknowledge(desk: Desk, now: datetime) -> tuple[CheckId, ...]:
        going = [incident for incident in desk.state.incidents.values() if incident.open]
        if not going:
            return ()
        length = timedelta(minutes=deed.minutes) if deed.minutes else None
        event = incidents.acknowledge(going[-1], "uid:1000", now, "", length)
        return desk.accept(watch.told(desk.plan, desk.state, event), now)

    return deed.at, acknowledge


def _announcing(deed: Announced) -> Act:
    def announce(desk: Desk, now: datetime) -> tuple[CheckId, ...]:
        start = ZERO + timedelta(seconds=deed.at)
        nodes = (NodeId(deed.node),)
        window = Window(
            f"work-{deed.at:.0f}",
            scope_of(desk.plan.topology, nodes),
            Span(start, start + timedelta(minutes=deed.minutes)),
            nodes=nodes,
            by="uid:1000",
        )
        desk.state = watch.announced(desk.state, window, now)
        return ()

    return announce


def played(schedule: Schedule, phase: str = "") -> Played:
    """Return what comes of `schedule`."""
    acts = [_act(deed) for deed in schedule.deeds]
    return play(stage(SITE), schedule.faults, schedule.until, acts, phase=phase)


BREAKABLE = (
    "mains", "genset", "core", "router", "floor-a", "floor-b", "hermes", "sql", "hmp", "fo", "fh", "fo-peer", "ocm",
    "sql-service", "onnet", "hermes-login", "hmp-disk", "ocm-sip", "poste-1", "poste-4", "poste-1-agent",
)  # fmt: skip
WORSENING = ("ups", "router", "fo", "hmp-disk", "ocm", "ocm-sip", "hermes", "poste-1")
HIDEABLE = ("router", "hermes", "sql", "hmp", "ups", "genset", "onnet")
_moments = st.integers(2, 120).map(lambda half: half * 30.0)
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


_deeds = st.one_of(
    st.builds(Ack, _moments, st.sampled_from((0, 5, 20))),
    st.builds(Stopped, _moments, st.sampled_from((0.0, 5.0, 60.0, 300.0))),
    st.builds(
        Announced, _moments, st.sampled_from(("hermes", "sql", "floor-a", "fo", "core")), st.sampled_from((5, 15, 30))
    ),
)


def schedules() -> st.SearchStrategy[Schedule]:
    """Return courses of one to four faults and up to three deeds."""
    several = st.lists(faults(), min_size=1, max_size=4).map(tuple)
    deeds = st.lists(_deeds, max_size=3, unique_by=lambda deed: (type(deed), deed.at)).map(tuple)
    return st.builds(Schedule, several, deeds)
