"""The service view: rules over checks say how many are able to work, and when too few are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.ids import CheckId
from monitor.core.services import (
    Figure,
    Leaf,
    Other,
    Rule,
    Service,
    View,
    Way,
    Works,
    interrupted,
    leaves,
    reduced,
    view_of,
)

YES, NO, UNSURE = Works


def leaf(name: str) -> Leaf:
    return Leaf(CheckId(name))


POSTS = Rule(Way.COUNT, tuple(leaf(f"poste-{n}") for n in range(100)))
CALLS = Rule(Way.ALL, (leaf("fo"), leaf("crm"), POSTS))
CHANNELS = Figure(CheckId("pbx"), "capacity", 30)


def able(rule, figures=None, services=None, **seen: Works) -> View:
    known = {CheckId(name.replace("_", "-")): works for name, works in seen.items()}
    whole = {"s": Service("s", rule), **(services or {})}
    return view_of(rule, whole, lambda check: known.get(check, YES), figures or {})


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({}, View(100, 0, 100)),
        ({f"poste_{n}": NO for n in range(38)}, View(62, 0, 100)),
        ({"poste_1": NO, "poste_2": UNSURE}, View(98, 1, 100)),
        ({"fo": NO}, View(0, 0, 100)),
        ({"crm": UNSURE}, View(0, 100, 100)),
        ({"crm": UNSURE, "poste_1": NO}, View(0, 99, 100)),
        ({"crm": UNSURE, "fo": NO}, View(0, 0, 100)),
    ],
)
def test_a_switch_beside_a_count_lets_all_of_it_through_or_nothing(seen, expected):
    assert able(CALLS, **seen) == expected


@pytest.mark.parametrize(
    ("value", "pbx", "expected"),
    [
        (18, YES, View(18, 0, 30)),
        (45, YES, View(30, 0, 30)),
        (-1, YES, View(0, 0, 30)),
        (18, NO, View(0, 0, 30)),
        (18, UNSURE, View(0, 30, 30)),
        (None, YES, View(0, 30, 30)),
        (float("nan"), YES, View(0, 30, 30)),
    ],
)
def test_a_figure_counts_out_of_its_whole(value, pbx, expected):
    figures = {} if value is None else {(CheckId("pbx"), "capacity"): value}
    assert able(CHANNELS, figures, pbx=pbx) == expected


def test_the_narrowest_of_two_counts_decides():
    both = Rule(Way.ALL, (POSTS, CHANNELS))
    assert able(both, {(CheckId("pbx"), "capacity"): 18}) == View(18, 0, 100)


def test_of_two_ways_one_suffices():
    either = Rule(Way.ANY, (leaf("fo"), leaf("fh")))
    assert able(either, fo=NO) == View(1, 0, 1)
    assert able(either, fo=NO, fh=UNSURE) == View(0, 1, 1)
    assert able(either, fo=NO, fh=NO) == View(0, 0, 1)


def test_a_service_may_ask_another_one():
    services = {"link": Service("link", Rule(Way.ANY, (leaf("fo"), leaf("fh"))))}
    rule = Rule(Way.ALL, (Other("link"), POSTS))
    assert able(rule, services=services, fo=NO) == View(100, 0, 100)
    assert able(rule, services=services, fo=NO, fh=NO) == View(0, 0, 100)
    assert leaves(Other("link"), services) == {"fo", "fh"}


@pytest.mark.parametrize(
    ("below", "share", "seen", "cut"),
    [
        (1, False, View(0, 0, 100), True),
        (1, False, View(1, 0, 100), False),
        (1, False, View(0, 1, 100), False),
        (50, False, View(49, 0, 100), True),
        (0.5, True, View(49, 0, 100), True),
        (0.5, True, View(50, 0, 100), False),
        (50, False, View(29, 0, 30), True),
        (50, False, View(30, 0, 30), False),
        (1, False, View(0, 0, 0), False),
    ],
)
def test_it_is_interrupted_when_surely_too_few_are_able(below, share, seen, cut):
    assert interrupted(Service("s", POSTS, below=below, share=share), seen) is cut


parts = st.recursive(
    st.sampled_from([leaf(name) for name in "abcde"]),
    lambda inner: st.builds(Rule, st.sampled_from(Way), st.lists(inner, min_size=1, max_size=4).map(tuple)),
    max_leaves=12,
)


@given(parts, st.dictionaries(st.sampled_from("abcde"), st.sampled_from(Works)), st.sampled_from("abcde"))
def test_what_comes_back_never_makes_a_service_worse(rule, seen, name):
    before = able(rule, **seen)
    after = able(rule, **{**seen, name: YES})
    assert 0 <= before.able <= after.able <= after.total
    assert before.able + before.unsure <= after.able + after.unsure <= after.total == before.total


PARTS = st.recursive(
    st.builds(Leaf, st.sampled_from("abcde").map(CheckId))
    | st.builds(Figure, st.sampled_from("ab").map(CheckId), st.just("free"), st.sampled_from([1.0, 30.0]))
    | st.just(Other("other")),
    lambda parts: st.builds(Rule, st.sampled_from(Way), st.lists(parts, min_size=1, max_size=4).map(tuple)),
    max_leaves=12,
)


@given(PARTS, st.sets(st.sampled_from("abcde").map(CheckId)), st.data())
def test_a_rule_that_is_reduced_to_what_is_doubtful_comes_to_the_same(rule, doubtful, data):
    services = {"other": Service("other", Rule(Way.COUNT, (leaf("a"), leaf("e"))))}
    figures = {(CheckId("a"), "free"): data.draw(st.sampled_from([0.0, 1.0, 18.0]))}
    short = reduced(rule, services, doubtful, figures)
    for _ in range(3):
        seen = {check: data.draw(st.sampled_from(Works)) for check in sorted(doubtful)}
        whole, part = (view_of(one, services, lambda c: seen.get(c, YES), figures) for one in (rule, short))  # noqa: B023 - asked at once
        assert whole == part
