"""A drawing as data: what stands where, in words of one language. Whoever draws it decides nothing.

All times are seconds since the left edge, so that the drawing knows no time zone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any

from monitor.core.text import Quantity, Speech

MOST_TICKS = 7
"""Labels below an axis of 17 cm that do not touch."""
MOST_VALUES = 5
"""Labels beside one panel."""
BUCKETS = 300
"""A line keeps the least and the most of each of that many spans: what an A4 page can show."""
SILENCE = 4.0
"""Times the usual distance of two samples after which the line is broken: there was no measurement."""
NEAR = 0.03
"""Share of the width within which two marks would be written over one another."""
FLAT = 1e-9
"""Share of its size by which a series must change for its changes to be shown: below it, labels would all be alike."""
HIGHEST = 3
"""Lines of letters above the drawing."""
STEPS = tuple(
    timedelta(seconds=seconds)
    for seconds in (10, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800)
)


@dataclass(frozen=True, slots=True)
class Tick:
    """A label on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment: a line through every panel, a `letter` at its head, `level` lines above the drawing."""

    at: float
    letter: str
    level: int = 0


@dataclass(frozen=True, slots=True)
class Limit:
    """A threshold, drawn as a line across; `severe`: that of CRITICAL."""

    value: float
    label: str
    severe: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """One series: `runs` are unbroken stretches of (seconds, value); between two of them nothing was measured."""

    title: str
    low: float
    high: float
    ticks: tuple[Tick, ...]
    runs: tuple[tuple[tuple[float, float], ...], ...]
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class Plot:
    """Panels above one another over one axis of time, `span` seconds wide; `shaded` is when the incident lasted."""

    span: float
    axis: str
    ticks: tuple[Tick, ...]
    shaded: tuple[float, float]
    marks: tuple[Mark, ...]
    panels: tuple[Panel, ...]


def plot_from_json(data: Mapping[str, Any]) -> Plot:
    """Return the plot of which `dataclasses.asdict` made `data`, possibly by way of JSON."""
    return Plot(
        span=data["span"],
        axis=data["axis"],
        ticks=_ticks(data["ticks"]),
        shaded=(data["shaded"][0], data["shaded"][1]),
        marks=tuple(Mark(**mark) for mark in data["marks"]),
        panels=tuple(
            Panel(
                panel["title"],
                panel["low"],
                panel["high"],
                _ticks(panel["ticks"]),
                tuple(tuple((at, value) for at, value in run) for run in panel["runs"]),
                tuple(Limit(**limit) for limit in panel["limits"]),
            )
            for panel in data["panels"]
        ),
    )


def _ticks(data: Sequence[Mapping[str, Any]]) -> tuple[Tick, ...]:
    return tuple(Tick(**tick) for tick in data)


def time_ticks(start: datetime, end: datetime, speech: Speech) -> tuple[Tick, ...]:
    """Return round times of the site between `start` and `end`; the day stands where it is not that of the one before.

    The steps are counted from the site's midnight, so that labels are full hours and quarters there.
    """
    step = next((step for step in STEPS if (end - start) / step < MOST_TICKS), STEPS[-1])
    while (end - start) / step >= MOST_TICKS:
        step *= 2
    midnight = datetime.combine(start.astimezone(speech.zone).date(), time(), speech.zone).astimezone(UTC)
    at = midnight + math.ceil((start - midnight) / step) * step
    ticks: list[Tick] = []
    day = speech.date(start)
    while at <= end:
        ticks.append(Tick((at - start).total_seconds(), _clock(at, step, day, speech)))
        day, at = speech.date(at), at + step
    return tuple(ticks)


def _clock(at: datetime, step: timedelta, day: str, speech: Speech) -> str:
    date = speech.date(at)
    short = date[:5] if speech.language == "fr" else date[5:]
    if step >= timedelta(days=1):
        return short
    clock = at.astimezone(speech.zone).strftime("%H:%M:%S") if step < timedelta(minutes=1) else speech.clock(at)
    return clock if date == day else f"{short}\n{clock}"


def value_ticks(low: float, high: float, unit: str, speech: Speech) -> tuple[Tick, ...]:
    """Return round values between `low` and `high`, written with their `unit` (UCUM)."""
    rough = (high - low) / MOST_VALUES
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough)
    first = math.ceil(low / step - 1e-9)
    values = [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]
    return tuple(Tick(value, speech.quantity(Quantity(value, unit, _digits(step)))) for value in values)


def _digits(step: float) -> int:
    """Decimals that tell two neighbours apart, also after a unit was scaled (1.5 GB)."""
    return min(6, max(1, -math.floor(math.log10(step)))) if step < 1e3 else 2


def bounds(values: Sequence[float], limits: Sequence[float]) -> tuple[float, float]:
    """Return the lower and upper edge of a panel: all `values`, and each of `limits` that is not far away from them."""
    low, high = min(values), max(values)
    scale = max(abs(low), abs(high))
    flat = high - low <= scale * FLAT
    spread = (scale * 0.1 or 1.0) if flat else high - low
    for limit in limits:
        if low - spread <= limit <= high + spread:
            low, high = min(low, limit), max(high, limit)
    room = max(high - low, spread) * 0.08
    return low - room, high + room


def runs_of(samples: Sequence[tuple[float, float]]) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Return `samples` (seconds, value; in order) as unbroken stretches, thinned out to what can be seen."""
    if not samples:
        return ()
    gaps = sorted(after[0] - before[0] for before, after in pairwise(samples))
    usual = gaps[len(gaps) // 2] if gaps else 0.0
    found: list[list[tuple[float, float]]] = [[samples[0]]]
    for before, after in pairwise(samples):
        if after[0] - before[0] > SILENCE * usual:
            found.append([])
        found[-1].append(after)
    width = (samples[-1][0] - samples[0][0]) / BUCKETS
    thin = len(samples) > 2 * BUCKETS
    return tuple(tuple(_thinned(run, width) if thin else run) for run in found[: 2 * BUCKETS])


def _thinned(run: Sequence[tuple[float, float]], width: float) -> list[tuple[float, float]]:
    """The least and the most of each span of `width` seconds, so that no peak is lost."""
    spans: dict[int, list[tuple[float, float]]] = {}
    for sample in run:
        spans.setdefault(int(sample[0] // width), []).append(sample)
    kept = (sorted({min(span, key=_value), max(span, key=_value)}) for span in spans.values())
    return [sample for span in kept for sample in span]


def _value(sample: tuple[float, float]) -> float:
    return sample[1]


def levels(marks: Sequence[tuple[float, str]], span: float) -> tuple[Mark, ...]:
    """Return marks (seconds, letter; in order) with those that stand close together on different lines."""
    placed: list[Mark] = []
    for at, letter in marks:
        near = {mark.level for mark in placed if at - mark.at < NEAR * span}
        level = next((level for level in range(HIGHEST) if level not in near), 0)
        placed.append(Mark(at, letter, level))
    return tuple(placed)
