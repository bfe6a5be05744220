"""What stands behind what: a failure is explained by what lies before it, on every way to it, or by nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.health import Health
from monitor.core.ids import CheckId, NodeId
from monitor.core.topology import Node, Place, Standing, Topology, find_cycle, standing, upstream
from monitor.core.verdict import Severity

FAILED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BEFORE, SINCE = FAILED - timedelta(seconds=30), FAILED + timedelta(seconds=1)

LATER = SINCE + timedelta(seconds=1)


def health(confirmed: Severity, *, fails: int = 0, ok_at: datetime | None = None, down: bool = False) -> Health:
    return Health(confirmed, confirmed, 1, fails, FAILED, FAILED, SINCE, ok_at, down)


GOOD = health(Severity.OK, ok_at=SINCE)
STALE = health(Severity.OK, ok_at=BEFORE)
NEVER_GOOD = health(Severity.OK)
FAILING = replace(health(Severity.OK, fails=1, ok_at=SINCE), latest=Severity.CRITICAL)
DOWN = health(Severity.CRITICAL, fails=3, down=True)
BAD = health(Severity.CRITICAL, fails=3)
BLIND = health(Severity.UNKNOWN, fails=3)


def topology(parents: dict[str, tuple[str, ...]], gates: dict[str, tuple[str, ...]] | None = None) -> Topology:
    """Every node has the gate `ping-NODE` unless `gates` says otherwise, and the check `disk-NODE`."""
    nodes, where = {}, {}
    for name, above in parents.items():
        own = (gates or {}).get(name, (f"ping-{name}",))
        nodes[NodeId(name)] = Node(NodeId(name), tuple(NodeId(n) for n in above), tuple(CheckId(gate) for gate in own))
        where |= {CheckId(check): NodeId(name) for check in (*own, f"disk-{name}")}
    return Topology(nodes, where)


CHAIN = topology({"router": (), "switch": ("router",), "hmp": ("switch",)})
TWO_WAYS = topology({"fo": (), "fh": (), "far": ("fo", "fh")})


@pytest.mark.parametrize(
    ("seen", "place", "by"),
    [
        ({"ping-router": GOOD, "ping-switch": GOOD, "ping-hmp": GOOD}, Place.FREE, ()),
        ({"ping-router": GOOD, "ping-switch": GOOD, "ping-hmp": DOWN}, Place.COVERED, ("ping-hmp",)),
        ({"ping-router": GOOD, "ping-switch": DOWN, "ping-hmp": DOWN}, Place.COVERED, ("ping-switch",)),
        ({"ping-router": DOWN, "ping-switch": DOWN, "ping-hmp": DOWN}, Place.COVERED, ("ping-router",)),
        ({"ping-router": GOOD, "ping-switch": BAD, "ping-hmp": BAD}, Place.FREE, ()),
        ({"ping-router": BLIND, "ping-switch": BLIND, "ping-hmp": BLIND}, Place.FREE, ()),
        ({"ping-router": GOOD, "ping-switch": FAILING, "ping-hmp": GOOD}, Place.WAIT, ("ping-switch",)),
        ({"ping-router": STALE, "ping-switch": GOOD, "ping-hmp": STALE}, Place.WAIT, ("ping-hmp", "ping-router")),
        ({"ping-router": NEVER_GOOD, "ping-switch": GOOD, "ping-hmp": GOOD}, Place.WAIT, ("ping-router",)),
        ({"ping-switch": GOOD, "ping-hmp": GOOD}, Place.WAIT, ("ping-router",)),
        ({"ping-router": STALE, "ping-switch": DOWN, "ping-hmp": FAILING}, Place.COVERED, ("ping-switch",)),
        ({"ping-router": DOWN, "ping-switch": FAILING, "ping-hmp": BLIND}, Place.COVERED, ("ping-router",)),
        ({"ping-router": DOWN, "ping-switch": GOOD, "ping-hmp": DOWN}, Place.COVERED, ("ping-hmp",)),
        ({"ping-router": DOWN, "ping-switch": BLIND, "ping-hmp": GOOD}, Place.FREE, ()),
        ({"ping-router": DOWN, "ping-switch": STALE, "ping-hmp": DOWN}, Place.WAIT, ("ping-switch",)),
        ({"ping-router": DOWN, "ping-switch": STALE, "ping-hmp": STALE}, Place.WAIT, ("ping-switch", "ping-hmp")),
        ({"ping-router": DOWN, "ping-switch": DOWN, "ping-hmp": NEVER_GOOD}, Place.WAIT, ("ping-hmp",)),
    ],
)
def test_a_failure_is_explained_from_the_top_and_waits_for_what_was_not_looked_at_since(seen, place, by):
    healths = {CheckId(name): value for name, value in seen.items()}
    assert standing(CHAIN, healths, CheckId("disk-hmp"), FAILED) == Standing(place, by)


@pytest.mark.parametrize(
    ("fo", "fh", "place", "by"),
    [
        (DOWN, DOWN, Place.COVERED, ("ping-fo", "ping-fh")),
        (DOWN, GOOD, Place.FREE, ()),
        (GOOD, DOWN, Place.FREE, ()),
        (DOWN, FAILING, Place.WAIT, ("ping-fh",)),
        (DOWN, BAD, Place.FREE, ()),
    ],
)
def test_with_two_ways_only_the_loss_of_both_explains(fo, fh, place, by):
    healths = {CheckId("ping-fo"): fo, CheckId("ping-fh"): fh, CheckId("ping-far"): BLIND}
    assert standing(TWO_WAYS, healths, CheckId("disk-far"), FAILED) == Standing(place, by)


def test_a_gate_is_explained_by_the_gates_before_it_and_not_by_itself():
    site = topology({"router": ()}, {"router": ("ping", "link")})
    healths = {CheckId("ping"): DOWN, CheckId("link"): DOWN}
    assert standing(site, healths, CheckId("ping"), FAILED) == Standing(Place.FREE)
    assert standing(site, healths, CheckId("link"), FAILED) == Standing(Place.COVERED, (CheckId("ping"),))
    assert upstream(site, CheckId("link")) == (CheckId("ping"),)


@pytest.mark.parametrize(
    ("seen", "place", "by"),
    [
        ({"disk-sql": BAD}, Place.COVERED, ("disk-sql",)),
        ({"disk-sql": BLIND, "ping-sql": DOWN}, Place.COVERED, ("ping-sql",)),
        ({"disk-sql": BLIND, "ping-sql": FAILING}, Place.WAIT, ("ping-sql",)),
        ({"disk-sql": BLIND, "ping-sql": STALE}, Place.WAIT, ("ping-sql",)),
        ({"disk-sql": BLIND, "ping-sql": GOOD}, Place.FREE, ()),
        ({"disk-sql": FAILING, "ping-sql": GOOD}, Place.WAIT, ("disk-sql",)),
        ({"disk-sql": replace(BLIND, latest=Severity.CRITICAL), "ping-sql": GOOD}, Place.WAIT, ("disk-sql",)),
        ({"disk-sql": BLIND, "ping-sql": replace(GOOD, turned_at=LATER)}, Place.WAIT, ("disk-sql",)),
        ({"disk-sql": GOOD, "ping-sql": DOWN}, Place.FREE, ()),
    ],
)
def test_what_is_needed_and_out_of_sight_is_explained_by_what_put_it_there(seen, place, by):
    """The database's server is off: the page that needs the database fails for that, whatever the database says."""
    site = replace(topology({"sql": (), "crm": ()}), needs={CheckId("disk-crm"): (CheckId("disk-sql"),)})
    healths = {CheckId("ping-crm"): GOOD} | {CheckId(name): health for name, health in seen.items()}
    assert standing(site, healths, CheckId("disk-crm"), FAILED) == Standing(place, tuple(map(CheckId, by)))


@pytest.mark.parametrize(
    ("calm_since", "place", "by"),
    [(None, Place.COVERED, ("ping-switch",)), (BEFORE, Place.COVERED, ("ping-switch",)), (SINCE, Place.FREE, ())],
)
def test_what_wavers_explains_until_it_has_been_well_for_long(calm_since, place, by):
    """It comes and goes for many results more in the books than in the world."""
    wavers = replace(health(Severity.OK, ok_at=SINCE, down=True), flapping=True)
    healths = {CheckId("ping-router"): GOOD, CheckId("ping-switch"): wavers, CheckId("ping-hmp"): GOOD}
    site = replace(CHAIN, needs={CheckId("disk-hmp"): (CheckId("ping-switch"),)})
    found = standing(site, healths, CheckId("disk-hmp"), FAILED, calm_since=calm_since)
    assert found == Standing(place, tuple(map(CheckId, by)))


def test_a_check_that_stands_nowhere_is_on_its_own():
    assert standing(CHAIN, {}, CheckId("elsewhere"), FAILED) == Standing(Place.FREE)
    assert upstream(CHAIN, CheckId("elsewhere")) == ()


def test_upstream_is_nearest_first_and_names_a_shared_parent_once():
    diamond = topology({"core": (), "left": ("core",), "right": ("core",), "far": ("left", "right")})
    assert upstream(diamond, CheckId("disk-far")) == ("ping-far", "ping-left", "ping-right", "ping-core")


def test_a_shared_parent_explains_both_ways_at_once():
    diamond = topology({"core": (), "left": ("core",), "right": ("core",), "far": ("left", "right")})
    healths = {CheckId("ping-core"): DOWN, **{CheckId(f"ping-{n}"): BLIND for n in ("left", "right", "far")}}
    assert standing(diamond, healths, CheckId("disk-far"), FAILED).by == ("ping-core",)


def test_a_node_without_a_gate_passes_on_what_lies_before_it():
    site = topology({"router": (), "panel": ("router",), "hmp": ("panel",)}, {"panel": (), "hmp": ()})
    down = {CheckId("ping-router"): DOWN}
    assert standing(site, down, CheckId("disk-hmp"), FAILED) == Standing(Place.COVERED, (CheckId("ping-router"),))


@pytest.mark.parametrize(
    ("parents", "cycle"),
    [
        ({}, ()),
        ({"a": ("b",), "b": ()}, ()),
        ({"a": ("b", "c"), "b": ("d",), "c": ("d",), "d": ()}, ()),
        ({"a": ("a",)}, ("a", "a")),
        ({"a": ("b",), "b": ("c",), "c": ("b",)}, ("b", "c", "b")),
        ({"a": ("nowhere",)}, ()),
    ],
)
def test_a_cycle_is_found_and_shown_from_its_start_to_its_start(parents, cycle):
    assert find_cycle(parents) == cycle


names = st.sampled_from("abcdef")


@given(st.dictionaries(names, st.lists(names, max_size=3).map(tuple)))
def test_a_cycle_that_is_shown_is_one_and_where_none_is_shown_the_nodes_can_be_put_in_order(parents):
    cycle = find_cycle(parents)
    if cycle:
        assert cycle[0] == cycle[-1]
        assert all(after in parents[before] for before, after in pairwise(cycle))
        return
    left = dict(parents)
    while left:
        bottom = [name for name, above in left.items() if not any(parent in left for parent in above)]
        assert bottom
        for name in bottom:
            del left[name]


@given(st.dictionaries(names, st.lists(names, max_size=3).map(tuple)), st.sets(names))
def test_even_among_circles_every_check_has_a_standing(parents, down):
    """An inventory with a cycle is refused; the floor below does not hang on one all the same."""
    site = topology(parents)
    healths = {CheckId(f"ping-{name}"): DOWN if name in down else GOOD for name in parents}
    for name in parents:
        found = standing(site, healths, CheckId(f"disk-{name}"), FAILED)
        assert found.place is not Place.COVERED or healths[found.by[0]].confirmed_down


def told_way_by_way(site, healths, name):
    """The first cause of what stands on `name`, as it is defined: each way up is walked by itself."""
    above = []
    for parent in site.nodes[name].parents:
        if parent not in site.nodes:
            return None
        cause = told_way_by_way(site, healths, parent) or down_at(site, healths, parent)
        if cause is None:
            return None
        above.append(cause)
    return above[0] if above else None


def down_at(site, healths, name):
    return next((gate for gate in site.nodes[name].gates if gate in healths and healths[gate].confirmed_down), None)


ranked = st.lists(st.tuples(st.lists(st.integers(-1, 6), max_size=3), st.integers(0, 2)), min_size=1, max_size=7)


@given(ranked, st.sets(st.tuples(st.integers(0, 6), st.integers(0, 1))))
def test_each_node_judged_once_says_what_every_way_walked_by_itself_says(rows, down):
    """Parents stand further up in the list, -1 is in no inventory, and a node has no gate, one or two."""
    parents = {f"n{n}": tuple(f"n{p}" for p in above if p < n) for n, (above, _) in enumerate(rows)}
    gates = {f"n{n}": tuple(f"gate{k}-n{n}" for k in range(count)) for n, (_, count) in enumerate(rows)}
    site = topology(parents, gates)
    healths = {gate: BLIND for each in site.nodes.values() for gate in each.gates}
    healths |= {CheckId(f"gate{k}-n{n}"): DOWN for n, k in down}
    for name in parents:
        cause = told_way_by_way(site, healths, name) or down_at(site, healths, name)
        found = standing(site, healths, CheckId(f"disk-{name}"), FAILED)
        assert (found.by[0] if found.place is Place.COVERED else None) == cause


def ladder(levels):
    """Everything twice: each of a pair is reached through both of the pair above it."""
    pairs = [(f"a{n}", f"b{n}") for n in range(levels)]
    parents = {name: () for name in pairs[0]}
    parents |= {name: above for above, pair in pairwise(pairs) for name in pair}
    return topology(parents | {"far": pairs[-1]})


@pytest.mark.parametrize(
    ("down", "place", "by"),
    [
        ({"a0", "b0"}, Place.COVERED, ("ping-a0", "ping-b0")),
        ({"a7", "b7", "a20"}, Place.COVERED, ("ping-a7", "ping-b7")),
        ({"a0", "b29"}, Place.FREE, ()),
    ],
)
def test_thirty_levels_of_redundant_pairs_are_judged_although_nobody_could_walk_every_way(down, place, by):
    site = ladder(30)
    healths = {CheckId(f"ping-{name}"): DOWN if name in down else BLIND for name in site.nodes}
    assert standing(site, healths, CheckId("disk-far"), FAILED) == Standing(place, by)


@pytest.mark.parametrize(("top", "place"), [(DOWN, Place.COVERED), (BAD, Place.FREE)])
def test_a_chain_longer_than_any_stack_is_judged_to_its_top(top, place):
    length = 5000
    parents = {f"n{n}": (f"n{n - 1}",) if n else () for n in range(length)}
    site = topology(parents)
    healths = {CheckId(f"ping-{name}"): BLIND for name in parents} | {CheckId("ping-n0"): top}
    assert standing(site, healths, CheckId(f"disk-n{length - 1}"), FAILED).place is place
