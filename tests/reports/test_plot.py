"""A drawing as data: round labels, edges that hold everything, lines that break where nothing was measured."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.language import speech
from monitor.reports.drawing import LETTERS, draw
from monitor.reports.plot import (
    HIGHEST,
    MOST_TICKS,
    Limit,
    Mark,
    Panel,
    Plot,
    Tick,
    bounds,
    levels,
    plot_from_json,
    runs_of,
    time_ticks,
    value_ticks,
)

ENGLISH, FRENCH = speech("en", "Africa/Douala"), speech("fr", "Africa/Douala")
START = datetime(2026, 11, 23, 13, 33, 12, tzinfo=UTC)
values = st.floats(-1e15, 1e15, allow_subnormal=False)


def labels(minutes: float, words: object = ENGLISH, start: datetime = START) -> list[str]:
    return [tick.label for tick in time_ticks(start, start + timedelta(minutes=minutes), words)]  # type: ignore[arg-type]


def test_times_are_full_quarters_at_the_site() -> None:
    assert labels(78) == ["14:45", "15:00", "15:15", "15:30", "15:45"]
    assert labels(78, FRENCH)[0] == "14\u00a0h\u00a045"


def test_the_day_stands_where_it_changes() -> None:
    late = START.replace(hour=22)
    assert labels(120, start=late) == ["23:40", "11-24\n00:00", "00:20", "00:40", "01:00", "01:20"]
    assert labels(6 * 24 * 60)[0] == "11-24"
    assert labels(6 * 24 * 60, FRENCH)[0] == "24/11"


def test_a_short_time_has_seconds() -> None:
    assert labels(1)[:2] == ["14:33:20", "14:33:30"]


@given(
    st.floats(60, 40 * 86400),
    st.integers(0, 86400),
    st.sampled_from(["Africa/Douala", "Europe/Paris", "Asia/Kathmandu"]),
)
def test_labels_of_time_are_few_in_order_and_within_the_drawing(seconds: float, offset: int, zone: str) -> None:
    start = datetime(2026, 10, 24, tzinfo=UTC) + timedelta(seconds=offset)
    found = [tick.at for tick in time_ticks(start, start + timedelta(seconds=seconds), speech("fr", zone))]
    assert found == sorted(set(found))
    assert len(found) <= MOST_TICKS + 1
    assert all(0 <= at <= seconds + 1e-6 for at in found)


@pytest.mark.parametrize(
    ("low", "high", "unit", "shown"),
    [
        (68, 94, "%", ["70%", "80%", "90%"]),
        (0, 1.5e9, "By", ["0\u00a0B", "500\u00a0MB", "1\u00a0GB", "1.5\u00a0GB"]),
        (0.39, 0.81, "ms", ["0.4\u00a0ms", "0.5\u00a0ms", "0.6\u00a0ms", "0.7\u00a0ms", "0.8\u00a0ms"]),
    ],
)
def test_values_are_round_and_have_their_unit(low: float, high: float, unit: str, shown: list[str]) -> None:
    assert [tick.label for tick in value_ticks(low, high, unit, ENGLISH)] == shown


@given(st.lists(values, min_size=1, max_size=20), st.lists(values, max_size=3))
def test_a_panel_holds_every_value_and_has_a_few_labels(points: list[float], limits: list[float]) -> None:
    low, high = bounds(points, limits)
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert low < min(points)
    assert max(points) < high
    ticks = value_ticks(low, high, "", ENGLISH)
    assert 2 <= len(ticks) <= 7
    assert all(low <= tick.at <= high or math.isclose(tick.at, low) or math.isclose(tick.at, high) for tick in ticks)


def test_a_threshold_far_away_does_not_flatten_the_line() -> None:
    assert bounds([0.3, 0.5], [100]) == bounds([0.3, 0.5], [])
    assert bounds([70, 92], [80, 95])[1] > 95


def test_a_line_breaks_where_nothing_was_measured() -> None:
    samples = [(60.0 * n, 1.0) for n in range(10)] + [(60.0 * n, 2.0) for n in range(20, 30)]
    assert [len(run) for run in runs_of(samples)] == [10, 10]
    assert runs_of([]) == ()
    assert runs_of([(5.0, 1.0)]) == (((5.0, 1.0),),)


@given(st.lists(values, min_size=1, max_size=5000))
def test_thinning_out_loses_no_peak(series: list[float]) -> None:
    samples = [(float(n), value) for n, value in enumerate(series)]
    kept = [sample for run in runs_of(samples) for sample in run]
    assert kept == sorted(kept)
    assert len(kept) <= 1210
    assert set(kept) <= set(samples)
    assert (min(v for _, v in kept), max(v for _, v in kept)) == (min(series), max(series))


def test_marks_that_stand_close_together_are_written_on_different_lines() -> None:
    assert levels([(0, "A"), (1, "B"), (50, "C"), (50, "D")], 100) == (
        Mark(0, "A", 0),
        Mark(1, "B", 1),
        Mark(50, "C", 0),
        Mark(50, "D", 1),
    )
    assert {mark.level for mark in levels([(0, "x")] * 9, 100)} == set(range(HIGHEST))


def test_a_drawing_has_room_for_every_line_of_letters() -> None:
    def height(*marks: Mark) -> float:
        found = re.search(rb'height="([0-9.]+)pt"', draw(Plot(60, "", (), (0, 10), marks, ())))
        assert found is not None
        return float(found[1])

    assert height() == height(Mark(0, "A", 0))
    assert height(Mark(0, "A", 0), Mark(1, "B", 1), Mark(2, "C", 2)) >= height() + 2 * LETTERS


def test_a_plot_is_the_same_after_a_way_through_json() -> None:
    panel = Panel("t", 0, 1, (Tick(0, "0"),), (((0.0, 0.5), (1.0, 0.6)),), (Limit(0.9, "90%", severe=True),))
    plot = Plot(10.0, "axis", (Tick(1, "x"),), (2.0, 3.0), (Mark(2.0, "A", 1),), (panel,))
    assert plot_from_json(json.loads(json.dumps(asdict(plot)))) == plot
