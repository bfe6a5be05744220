"""The arithmetic of time that the simulated world is reckoned with."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.scenarios.virtual.spans import (
    Spans,
    delayed,
    fewer_than,
    holds,
    in_order,
    intersection,
    inverse,
    longest,
    overlaps,
    prolonged,
    union,
    without,
)

seconds = st.integers(0, 60).map(float)
sets = st.lists(st.tuples(seconds, seconds), max_size=5).map(union)
MOMENTS = [half / 2 for half in range(-2, 130)]


@given(sets, sets)
def test_a_set_of_time_is_what_holds_at_each_moment(one: Spans, two: Spans) -> None:
    for made, rule in (
        (union(one, two), lambda at: holds(one, at) or holds(two, at)),
        (intersection(one, two), lambda at: holds(one, at) and holds(two, at)),
        (without(one, two), lambda at: holds(one, at) and not holds(two, at)),
        (inverse(one), lambda at: not holds(one, at)),
        (fewer_than([one, two, one], 2), lambda at: not holds(one, at)),
    ):
        assert in_order(made)
        assert [holds(made, at) for at in MOMENTS] == [rule(at) for at in MOMENTS]


@given(sets, st.integers(0, 20).map(float))
def test_what_takes_time_to_set_in_or_to_end_keeps_its_other_side(spans: Spans, late: float) -> None:
    assert without(spans, prolonged(spans, late)) == ()
    assert without(delayed(spans, late), spans) == ()
    assert all(any(end + late <= last for _, last in prolonged(spans, late)) for _, end in spans)
    assert delayed(spans, 61.0) == ()


@given(sets, seconds, seconds)
def test_what_overlaps_lasts(spans: Spans, one: float, two: float) -> None:
    start, end = sorted((one, two))
    assert overlaps(spans, start, end) == any(holds(spans, at) for at in MOMENTS if start <= at <= end)
    assert longest(spans, start, end) <= end - start or not spans
