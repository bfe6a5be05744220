"""Announced work: for how long, on what, and whether what fails meanwhile is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from types import MappingProxyType
from typing import Any, NamedTuple

from monitor.core.ids import CheckId, NodeId
from monitor.core.topology import Topology

LONGEST = timedelta(days=31)
"""Of one span; what is to last longer is no maintenance but a change of the inventory."""
LAST_LOOK = timedelta(minutes=1)
"""How long after a move what it stopped and started may wait for the look that says whether it is back: more than any
observation takes, its timeout and its turn at the device included."""


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to before `end`, UTC."""

    start: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        """Return whether `at` lies in it."""
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True)
class Weekly:
    """Begins at `at`, site time, on `days` (0 = Monday), for `length`.

    `weeks`: only on the first, second ... such day of the month; empty for each of them. A time that a change of the
    clocks leaves out is as much later as they go forward; one that comes twice is the first.
    """

    at: time
    days: frozenset[int]
    length: timedelta
    zone: tzinfo
    weeks: frozenset[int] = frozenset()

    def spans(self, first: date, last: date) -> Iterable[Span]:
        """Yield those that begin from `first` to `last`, both included, days of the site."""
        day = first
        while day <= last:
            if day.weekday() in self.days and (not self.weeks or (day.day - 1) // 7 + 1 in self.weeks):
                start = datetime.combine(day, self.at, self.zone).astimezone(UTC)
                yield Span(start, start + self.length)
            day += timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """Work that is announced.

    `scope`: the checks that it excuses. `kind`: what fails is told as one incident of this kind, whose cause is known;
    empty: nothing is told. `when`: one span, or a rule. `ended`: a person ended it then, up to its next span. `by`: who
    announced it, empty for the inventory. `nodes`, `checks`: what it was written for.
    """

    id: str
    scope: frozenset[CheckId]
    when: Span | Weekly
    kind: str = ""
    reason: str = ""
    nodes: tuple[NodeId, ...] = ()
    checks: tuple[CheckId, ...] = ()
    by: str = ""
    ended: datetime | None = None
    titles: Mapping[str, str] = field(default_factory=dict)

    def span_at(self, at: datetime) -> Span | None:
        """Return the span that holds `at`, as far as nobody ended it; None when there is no work then."""
        return next((span for span in self._near(at) if span.holds(at)), None)

    def next_span(self, at: datetime) -> Span | None:
        """Return the span that goes on at `at`, else the next one within a year; None when there is none."""
        now = self.span_at(at)
        if now is not None:
            return now
        if isinstance(self.when, Span):
            coming: Iterable[Span] = (self._cut(self.when),)
        else:
            day = at.astimezone(self.when.zone).date()
            coming = self.when.spans(day, day + timedelta(days=366))
        return next((span for span in coming if at < span.start < span.end), None)

    def cut_short(self, at: datetime) -> Window | None:
        """Return it ended at `at`: what goes on then, or one span that is yet to come; None when neither is."""
        if self.span_at(at) is not None:
            return replace(self, ended=at)
        if isinstance(self.when, Span) and self.when.start > at:
            return replace(self, ended=self.when.start)
        return None

    def _near(self, at: datetime) -> list[Span]:
        if isinstance(self.when, Span):
            spans = [self.when]
        else:
            day = at.astimezone(self.when.zone).date()
            spans = list(self.when.spans(day - self.when.length - timedelta(days=1), day + timedelta(days=1)))
        return [span for span in map(self._cut, spans) if span.start < span.end]

    def _cut(self, span: Span) -> Span:
        ended = self.ended
        return Span(span.start, ended) if ended is not None and span.start <= ended < span.end else span


@dataclass(frozen=True, slots=True)
class Underway:
    """The work that a planned move of a group is, as long as it goes on: what fails of it meanwhile is told nowhere.

    `id`: the move. `scope`: the checks of what it stops and starts; once it is `over` (UTC), those of them at which
    nobody has looked since. `span`: when it excuses them at the longest.
    """

    id: str
    scope: frozenset[CheckId]
    span: Span
    over: datetime | None = None

    def excuses(self, check: CheckId, at: datetime) -> bool:
        """Return whether a failure of `check` is the work's at `at`."""
        if check not in self.scope:
            return False
        if self.over is None or not self.span.holds(self.over):
            return self.span.holds(at)
        return self.span.start <= at < self.over + LAST_LOOK

    def looked(self, check: CheckId, at: datetime) -> Underway:
        """Return it after a look at `check` that began at `at`: one since its end says what remains."""
        if self.over is None or at < self.over or check not in self.scope:
            return self
        return replace(self, scope=self.scope - {check})


class Expected(NamedTuple):
    """Which failures are to be expected: the work of planned moves, and the checks of what stands by, since when."""

    underway: tuple[Underway, ...] = ()
    resting: Mapping[CheckId, datetime] = MappingProxyType({})


def scope_of(topology: Topology, nodes: Iterable[NodeId], checks: Iterable[CheckId] = ()) -> frozenset[CheckId]:
    """Return `checks` and those of `nodes` and of all that is reached only through `nodes`."""
    lost = set(nodes)
    pending = [name for name in topology.nodes if name not in lost]
    while True:
        behind = [
            name
            for name in pending
            if (parents := topology.nodes[name].parents) and all(parent in lost for parent in parents)
        ]
        if not behind:
            break
        lost.update(behind)
        pending = [name for name in pending if name not in lost]
    return frozenset(checks) | {check for check, node in topology.where.items() if node in lost}


def excused(windows: Iterable[Window], check: CheckId, at: datetime) -> Window | None:
    """Return the work that excuses a failure of `check` at `at`; announced as an incident before a silent one."""
    found = [window for window in windows if check in window.scope and window.span_at(at) is not None]
    return min(found, key=lambda window: (not window.kind, window.id), default=None)


def excused_until(windows: Iterable[Window], check: CheckId, since: datetime, now: datetime) -> datetime:
    """Return from when on, not before `since` and not after `now`, no silent work excused a failure of `check`."""
    silent = [window for window in windows if not window.kind and check in window.scope]
    at, moved = since, True
    while moved:
        ends = [span.end for window in silent if (span := window.span_at(at)) is not None]
        moved = bool(ends) and max(ends) <= now
        at = max(ends) if moved else at
    return at


def window_to_json(window: Window) -> dict[str, Any]:
    """Return what people did, as JSON-ready data: the work that they announced, or when they ended the inventory's."""
    data: dict[str, Any] = {"id": window.id, "ended": None if window.ended is None else window.ended.isoformat()}
    if not window.by or not isinstance(window.when, Span):
        return data
    return data | {
        "by": window.by,
        "start": window.when.start.isoformat(),
        "end": window.when.end.isoformat(),
        "kind": window.kind,
        "reason": window.reason,
        "nodes": list(window.nodes),
        "checks": list(window.checks),
        "titles": dict(window.titles),
    }


def window_from_json(data: Mapping[str, Any]) -> Window:
    """Return the work that `window_to_json` wrote, whose scope has yet to be looked up in the present inventory."""
    ended = None if data["ended"] is None else datetime.fromisoformat(data["ended"])
    if "by" not in data:
        never = ended or datetime.min.replace(tzinfo=UTC)
        return Window(data["id"], frozenset(), Span(never, never), ended=ended)
    return Window(
        data["id"],
        frozenset(),
        Span(datetime.fromisoformat(data["start"]), datetime.fromisoformat(data["end"])),
        kind=data["kind"],
        reason=data["reason"],
        nodes=tuple(map(NodeId, data["nodes"])),
        checks=tuple(map(CheckId, data["checks"])),
        by=data["by"],
        ended=ended,
        titles=data["titles"],
    )
