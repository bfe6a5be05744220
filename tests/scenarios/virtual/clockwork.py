"""Virtual time: who is looked at when, by the daemon's own rules, and what the desk makes of it; no clock, no IO."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from math import inf

from alerts.agreement import Protocol
from alerts.notice import NoticeKey, Planned
from alerts.protocol import due
from monitor.core import watch
from monitor.core.events import Event, event_from_json, event_to_json
from monitor.core.health import Health
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import replay
from monitor.core.plan import Plan, State
from monitor.core.schedule import first_look, next_look
from monitor.core.verdict import Verdict
from monitor.core.watch import Taken
from monitor.inventory.model import Check
from monitor.store import health_from_json, health_to_json
from tests.scenarios.virtual.sight import Sight

KEEP = timedelta(hours=24)
"""How long the daemon keeps a resolved incident at hand."""
TICK = 10.0
"""Seconds between two looks at what time alone makes due; the daemon's are closer, and nothing here hangs on it."""
REST = 360.0
"""Seconds for which all has to be well before a play may end: each check was looked at several times by then."""
LATER = 0.001
"""Seconds after a start at which what was to happen meanwhile happens."""


@dataclass(frozen=True, slots=True)
class Told:
    """A notice that came into being at `at`."""

    at: datetime
    planned: Planned

    @property
    def key(self) -> NoticeKey:
        """What makes it the same notice."""
        return self.planned.key


@dataclass
class Desk:
    """The daemon's desk without its disk: what is believed, and what is told of it.

    `stored`: what would be on disk; a restart goes on from that and from nothing else.
    """

    plan: Plan
    protocol: Protocol
    state: State = field(default_factory=State)
    log: list[Event] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    sent: dict[IncidentId, set[NoticeKey]] = field(default_factory=dict)
    stored: Mapping[CheckId, Health] = field(default_factory=dict)

    def take(self, check: CheckId, verdict: Verdict, at: datetime, took: float) -> tuple[CheckId, ...]:
        """Take a result that came in at `at` after `took` seconds, and return what to look at again at once."""
        health = self.state.healths.get(check)
        at = at if health is None else max(at, health.seen_at)
        looked_at = at - timedelta(seconds=took)
        return self.accept(watch.take(self.plan, self.state, check, verdict, at, looked_at), at)

    def tick(self, at: datetime) -> tuple[CheckId, ...]:
        """Let time pass until `at`."""
        taken = watch.pass_time(self.plan, watch.forget(self.state, at, KEEP), at)
        again = self.accept(taken, at, time_passed=True)
        self.stored = self.state.healths
        return again

    def accept(self, taken: Taken, at: datetime, *, time_passed: bool = False) -> tuple[CheckId, ...]:
        """Make what was `taken` the state, and tell what it makes due."""
        before, self.state = self.state.incidents, taken.state
        if taken.events:
            self.log += taken.events
            self.stored = self.state.healths
        if time_passed or before is not self.state.incidents:
            for name, incident in self.state.incidents.items():
                if time_passed or before.get(name) is not incident:
                    sent = self.sent.setdefault(name, set())
                    planned = due(self.protocol, incident, sent, at)
                    self.told += [Told(at, one) for one in planned]
                    sent.update(one.key for one in planned)
        return taken.reprobe

    def rests(self) -> bool:
        """Return whether all is well, and nothing is open, waits or wavers."""
        state = self.state
        if state.waiting or state.stale or any(one.open for one in state.incidents.values()):
            return False
        return len(state.healths) == len(self.plan.checks) and all(one.well for one in state.healths.values())

    def restart(self, at: datetime) -> None:
        """Forget everything but what the daemon stores, and begin anew with that."""
        events = [event_from_json(json.loads(json.dumps(event_to_json(event)))) for event in self.log]
        healths = {
            name: health_from_json(json.loads(json.dumps(health_to_json(health))))
            for name, health in self.stored.items()
        }
        numbers = [int(event.incident.partition("-")[2]) for event in events]
        windows = tuple(window for window in self.state.windows if window.by or window.ended is not None)
        kept = State(healths, replay(events), max(numbers, default=0) + 1, windows)
        kept = watch.forget(kept, at, KEEP)
        self.sent = {name: set(map(NoticeKey.parse, map(str, keys))) for name, keys in self.sent.items()}
        self.state = kept
        self.accept(watch.reload(self.plan, kept, at), at, time_passed=True)


Act = Callable[[Desk, datetime], tuple[CheckId, ...]]
"""What somebody does at a moment; returns what is to be looked at again at once."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Relève is stopped, or dies, and is back `out` seconds later."""

    out: float = 0.0


@dataclass
class Clockwork:
    """The daemon's scheduler under virtual time.

    `phase` moves the grid of every check to another place: what is believed must not hang on who is looked at first.
    `results`: how many there were. `longest_gap`: the most seconds between two of one check, while Relève ran.
    `busiest`: the most of one check within one minute.
    """

    desk: Desk
    checks: Mapping[CheckId, Check]
    sights: Mapping[CheckId, Sight]
    zero: datetime
    phase: str = ""
    results: int = 0
    longest_gap: float = 0.0
    busiest: int = 0
    _heap: list[tuple[float, int, str, object]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)
    _turn: dict[CheckId, int] = field(default_factory=dict)
    _last: dict[CheckId, tuple[int, int, float]] = field(default_factory=dict)
    _running: set[CheckId] = field(default_factory=set)
    _again: set[CheckId] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._grid = {
            name: (CheckId(self.phase + name), check.every.total_seconds(), check.retry.total_seconds())
            for name, check in self.checks.items()
        }

    def run(self, until: float, acts: list[tuple[float, Act | Restart]], rests_from: float = inf) -> None:
        """Let time pass until `until` seconds, with what people do on the way.

        `rests_from`: from when nothing happens any more in the world; once all has been well and told for REST since,
        what follows is the same again and again, and is left out.
        """
        well_since = inf
        self.desk.restart(self.zero)  # as the daemon begins: by what is stored, which is nothing yet
        self._start(0.0)
        self._push(TICK, "tick", None)
        for at, act in acts:
            self._push(at, "act", act)
        while self._heap and self._heap[0][0] <= until:
            at, order, what, about = heappop(self._heap)
            if what == "tick" and at > rests_from:
                well_since = min(well_since, at) if self.desk.rests() else inf
                if at - well_since > REST:
                    return
            if what == "look":
                self._look(about, at, order)  # type: ignore[arg-type]
            elif what == "result":
                self._result(*about, at, order)  # type: ignore[misc]
            elif what == "tick":
                self._reprobe(self.desk.tick(self._clock(at)), at)
                self._push(at + TICK, "tick", None)
            elif isinstance(about, Restart):
                self._stop(at + about.out)
            elif what == "start":
                self.desk.restart(self._clock(at))
                self._start(at)
            else:
                self._reprobe(about(self.desk, self._clock(at)), at)  # type: ignore[operator]

    def _clock(self, at: float) -> datetime:
        return self.zero + timedelta(seconds=at)

    def _push(self, at: float, what: str, about: object) -> int:
        order = next(self._order)
        heappush(self._heap, (at, order, what, about))
        return order

    def _start(self, at: float) -> None:
        for name, (grid, every, _) in self._grid.items():
            self._plan(name, first_look(grid, every, at))

    def _stop(self, until: float) -> None:
        """What is in flight is lost; nothing happens before `until`."""
        self._heap = [entry for entry in self._heap if entry[2] == "act" or (entry[0] > until and entry[2] == "tick")]
        self._heap = [(max(at, until + LATER), order, what, about) for at, order, what, about in self._heap]
        self._heap.sort()
        self._turn.clear()
        self._last.clear()
        self._running.clear()
        self._again.clear()
        self._push(until, "start", None)
        if not any(what == "tick" for _, _, what, _ in self._heap):
            self._push(until + TICK, "tick", None)

    def _plan(self, name: CheckId, at: float) -> None:
        self._turn[name] = self._push(at, "look", name)

    def _look(self, name: CheckId, at: float, order: int) -> None:
        if self._turn.get(name) != order or name in self._running:
            return  # it was hurried meanwhile
        self._running.add(name)
        verdict, took = self.sights[name].at(at)
        self._turn[name] = self._push(at + took, "result", (name, verdict, took))

    def _result(self, name: CheckId, verdict: Verdict, took: float, at: float, order: int) -> None:
        if self._turn.get(name) != order:
            return
        self.results += 1
        self._note(name, at)
        self._reprobe(self.desk.take(name, verdict, self._clock(at), took), at)
        self._running.discard(name)
        grid, every, retry = self._grid[name]
        again, settling = name in self._again, watch.settling(self.desk.state, name)
        self._again.discard(name)
        self._plan(name, next_look(grid, every, retry, at, again=again, settling=settling))

    def _note(self, name: CheckId, at: float) -> None:
        minute, looks, before = self._last.get(name, (-1, 0, at))
        self.longest_gap = max(self.longest_gap, at - before)
        looks = looks + 1 if minute == at // 60 else 1
        self.busiest = max(self.busiest, looks)
        self._last[name] = (int(at // 60), looks, at)

    def _reprobe(self, names: tuple[CheckId, ...], at: float) -> None:
        for name in names:
            if name in self._running:
                self._again.add(name)
            elif name in self._grid:
                self._plan(name, at)
