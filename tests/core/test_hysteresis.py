"""Hysteresis: back only once a value is clear of the threshold by its margin."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.hysteresis import narrowed, settled
from monitor.core.text import ENGLISH, say
from monitor.core.thresholds import Range, parse_range
from monitor.core.verdict import Metric, Severity, Verdict, worst

OK, WARNING, UNKNOWN, CRITICAL = Severity


def used(value: float, margin: float = 5) -> Verdict:
    metric = Metric("used", value, "%", parse_range("80"), parse_range("90"), margin=margin)
    return Verdict(metric.severity, say("{value} used", value=str(value)), (metric,))


def play(*values: float, margin: float = 5) -> list[Severity]:
    levels, seen = {}, []
    for value in values:
        verdict, levels = settled(used(value, margin), levels)
        seen.append(verdict.severity)
    return seen


@pytest.mark.parametrize(
    ("values", "severities"),
    [
        ((79, 81, 79, 76, 75, 74), (OK, WARNING, WARNING, WARNING, OK, OK)),
        ((91, 89, 86, 85, 84, 76, 75), (CRITICAL, CRITICAL, CRITICAL, WARNING, WARNING, WARNING, OK)),
        ((91, 70), (CRITICAL, OK)),
        ((79, 79), (OK, OK)),
        ((81, 91, 86), (WARNING, CRITICAL, CRITICAL)),
    ],
)
def test_a_value_that_crossed_a_threshold_must_come_back_by_the_margin(values, severities):
    assert tuple(play(*values)) == severities


def test_without_a_margin_each_value_speaks_for_itself():
    assert play(81, 79, 91, 89, margin=0) == [WARNING, OK, CRITICAL, WARNING]


def test_what_holds_it_back_is_said():
    verdict, _ = settled(used(78), {"used": WARNING})
    assert ENGLISH.render(verdict.summary) == "78 used (not yet clear of the threshold: used)"


def test_a_verdict_without_figures_keeps_the_levels_for_the_next():
    silent = Verdict(UNKNOWN, say("no answer"))
    assert settled(silent, {"used": CRITICAL}) == (silent, {"used": CRITICAL})


def test_one_metric_does_not_hold_another_back():
    near = Metric("inodes", 78, "%", parse_range("80"), None, margin=5)
    back = Metric("used", 50, "%", parse_range("80"), None, margin=5)
    verdict, levels = settled(Verdict(OK, say("fine"), (back, near)), {"used": WARNING})
    assert (verdict.severity, dict(levels)) == (OK, {})


@pytest.mark.parametrize(
    ("limit", "margin", "inside"),
    [
        ("10:20", 2, Range(12, 18)),
        ("~:20", 2, Range(-math.inf, 18)),
        ("20:", 2, Range(22, math.inf)),
        ("@10:20", 2, Range(8, 22, inside=True)),
        ("10:12", 5, Range(11, 11)),
    ],
)
def test_the_range_to_come_back_into_is_narrower_by_the_margin(limit, margin, inside):
    assert narrowed(parse_range(limit), margin) == inside


@given(st.lists(st.floats(0, 100), max_size=30), st.floats(0, 20))
def test_it_is_never_milder_than_the_value_and_never_worse_than_the_last_level(values, margin):
    levels = {}
    for value in values:
        before, plain = levels.get("used", OK), used(value).severity
        verdict, levels = settled(used(value, margin), levels)
        assert plain <= verdict.severity <= worst((before, plain))
