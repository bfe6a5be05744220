"""Flapping: the weighted share of changes among the last twenty results, with two thresholds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.flapping import SAMPLES, FlappingPolicy, pushed, share, wavers

POLICY = FlappingPolicy()


def window(*changed: bool) -> int:
    """The window after these results, oldest first."""
    bits = 0
    for one in changed:
        bits = pushed(bits, changed=one)
    return bits


@pytest.mark.parametrize(
    ("changes", "percent"),
    [
        (window(), 0.0),
        (window(*[True] * SAMPLES), 99.0),  # the weights go from 0.8 to 1.18: (0.8 + 1.18) / 2
        (window(True), 100 * 1.18 / 20),
        (window(True, *[False] * (SAMPLES - 1)), 100 * 0.8 / 20),
        (window(True, *[False] * SAMPLES), 0.0),
        (window(True, False, True), 100 * (1.18 + 1.14) / 20),
    ],
)
def test_a_late_change_weighs_more_than_an_early_one(changes, percent):
    assert share(changes) == pytest.approx(percent)


@given(st.lists(st.booleans(), max_size=60))
def test_only_the_last_twenty_results_count(results):
    assert window(*results) == window(*results[-SAMPLES:])
    assert 0 <= share(window(*results)) < 100


def test_it_begins_above_the_high_threshold_and_ends_at_the_low_one():
    bits, flapping, seen = 0, False, []
    for turn in range(40):
        bits = pushed(bits, changed=turn < 6)
        flapping = wavers(bits, POLICY, before=flapping)
        seen.append(flapping)
    begins, lasted = seen.index(True), 40 - seen[::-1].index(True)
    assert share(window(*[True] * (begins + 1))) > POLICY.high >= share(window(*[True] * begins))
    assert share(window(*[True] * 6, *[False] * (lasted - 6))) > POLICY.low
    assert share(window(*[True] * 6, *[False] * (lasted - 5))) <= POLICY.low


def test_between_the_thresholds_it_stays_as_it_was():
    bits = window(*[True] * 5)
    assert POLICY.low < share(bits) < POLICY.high
    assert wavers(bits, POLICY, before=True)
    assert not wavers(bits, POLICY, before=False)


def test_switched_off_nothing_wavers():
    assert not wavers(window(*[True] * 20), FlappingPolicy(enabled=False), before=True)
