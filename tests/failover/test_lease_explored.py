"""Every interleaving of two sites and whoever keeps the record, for small bounds, with the real rules of the lease.

A step is one of: time passes; a site looks, takes, renews, raises its token, gives back, dies and starts anew; its
request is carried out, then, later, or never; its answer arrives, then, later, or never. A site that is frozen,
suspended or cut off is one that takes no steps, or whose requests and answers are lost, so all of these are in it. A
site acts whenever it may.

Times are told relative to now and tokens by their order alone: so there are finitely many states, and all of them are
visited. Two things are left out that come to the same: a request that is carried out while its asker waits may as well
be sent just then, for what it says depends on nothing that changes meanwhile; and what was seen of an older revision
is forgotten, for whatever is asked by it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import pytest

from failover.lease import Belief, May, Record, Watched, extended, free_in, may_act, taken

TTL = 2.0
"""Ticks."""
SITES = (0, 1)

Written = tuple[int, int, bool]
"""A record: which site, its token, whether it is held."""


class Request(NamedTuple):
    """To write `wanted` if the record is `expected`; None: if it was not written since it was seen."""

    expected: Written | None
    wanted: Written


class Done(NamedTuple):
    """A write that was carried out `age` ago, whose asker still waits for the answer."""

    wanted: Written
    age: float


class Site(NamedTuple):
    """`belief`: token, and how long it still holds. `seen`: since when the record as it stands is known to the site."""

    belief: tuple[int, float] | None = None
    seen: float | None = None
    done: Done | None = None


class State(NamedTuple):
    """`highest`: the highest token ever given; `acted`: the highest that was acted under.

    `late`: a request that nobody waits for any more, and that may yet be carried out. `deletions`: left to happen.
    """

    record: Written | None = None
    highest: int = 0
    acted: int = 0
    sites: tuple[Site, Site] = (Site(), Site())
    late: Request | None = None
    deletions: int = 0


@dataclass(frozen=True)
class Rules:
    """The real ones. A test exchanges one for a wrong one, to see that it would be found."""

    extended: Callable[[int, float, float], Belief] = extended
    taken: Callable[[Record | None, Record, int], Record] = taken
    free_in: Callable[[Record | None, Watched, float, float], float] = free_in
    rates: tuple[float, float] = (1.0, 1.0)
    deletions: int = 0
    """Times that somebody deletes the record. The sites have heard of all tokens then."""
    compares: bool = True
    gives_back_by_revision: bool = True
    counts_from_arrival: bool = True
    trusts_lost_answers: bool = False


class Broken(Exception):
    """A state that must not be."""


def explore(rules: Rules) -> int:
    """Visit every state; return how many there are. Raises Broken with the way to the first that must not be."""
    first = State(deletions=rules.deletions)
    came_from: dict[State, tuple[State, str] | None] = {first: None}
    todo = [first]
    for state in todo:
        for step, following in steps(state, rules):
            found = numbered(following)
            if found in came_from:
                continue
            came_from[found] = (state, step)
            why = wrong(found)
            if why:
                raise Broken(f"{why}: {' / '.join(way(came_from, found))}")
            todo.append(found)
    return len(todo)


def way(came_from: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    taken_steps = []
    while (before := came_from[state]) is not None:
        state, step = before
        taken_steps.append(step)
    return taken_steps[::-1]


@cache
def acts(belief: tuple[int, float] | None) -> bool:
    return may_act(None if belief is None else Belief(*belief), 0.0) is May.ACT


def wrong(state: State) -> str:
    if all(acts(site.belief) for site in state.sites):
        return "two may act"
    if any(acts(site.belief) and site.belief[0] < state.acted for site in state.sites):
        return "one acts with an old token"
    return ""


def steps(state: State, rules: Rules) -> Iterator[tuple[str, State]]:
    first, second = state.sites
    yield "a tick", state._replace(sites=(older(first, rules.rates[0]), older(second, rules.rates[1])))
    if state.deletions > 0 and state.record is not None:
        yield "deleted", written(state, None, rules)._replace(deletions=state.deletions - 1)
    if state.late is not None:
        alone = state._replace(late=None)
        yield "the late one is carried out", carried_out(alone, state.late, rules) or alone
    for n in SITES:
        for step, following in of_site(n, state, rules):
            yield f"{n} {step}", following


def of_site(n: int, state: State, rules: Rules) -> Iterator[tuple[str, State]]:
    site = state.sites[n]
    if site != Site():
        yield "dies", put(state, n, Site())
    if site.done is not None:
        yield "gets its answer", answered(n, state, rules)
        yield "misses its answer", put(state, n, site._replace(done=None))
        return
    if site.belief is None:
        yield "looks", put(state, n, told(rules, site))
    for step, request in wishes(n, state, rules):
        after = carried_out(state, request, rules)
        if after is None:
            yield f"{step} in vain", put(state, n, told(rules, site))
        else:
            yield step, put(after, n, asking(site, request, Done(request.wanted, 0.0), rules))
        if state.late is None:
            yield f"{step}, unheard so far", put(state._replace(late=request), n, asking(site, request, None, rules))


def wishes(n: int, state: State, rules: Rules) -> Iterator[tuple[str, Request]]:
    """What a site may ask to be written. Who goes on or gives back reads before, which is why it knows the record."""
    site = state.sites[n]
    if site.belief is not None:
        ours = (n, site.belief[0], True)
        yield "renews", Request(ours, ours)
    if state.record is not None and state.record[0] == n and state.record[2]:
        expected = None if rules.gives_back_by_revision else state.record
        yield "gives back", Request(expected, (n, state.record[1], False))
        if site.belief is None:
            yield "goes on", Request(state.record, state.record)
        # Its next life, or one whose guard may have stopped: raised where it stands, without a wait.
        yield "raises", Request(None, (n, newer(state, n, rules), True))
    elif site.belief is None and site.seen is not None:
        record = as_record(state.record)
        if rules.free_in(record, Watched(1, site.seen), TTL, 0.0) <= 0:
            yield "takes", Request(None, (n, newer(state, n, rules), True))


def newer(state: State, n: int, rules: Rules) -> int:
    """The token under which a site takes the lease, or goes on with it."""
    heard = state.highest if rules.deletions else 0
    return rules.taken(as_record(state.record), Record(f"site {n}", f"site {n}", 0, TTL), heard).token


def asking(site: Site, request: Request, done: Done | None, rules: Rules) -> Site:
    """A site that has sent `request`: who gives back believes no more from then on."""
    belief = site.belief if request.wanted[2] else None
    if belief is not None and done is None and rules.trusts_lost_answers:
        belief = (belief[0], TTL)
    return Site(belief, None, done)


def carried_out(state: State, request: Request, rules: Rules) -> State | None:
    """The state after `request` was carried out; None where it finds something else than it expected."""
    if request.expected is not None and state.record != request.expected:
        return None
    _n, token, held = request.wanted
    if held and request.expected is None and token <= state.highest:
        raise Broken("a token that was there before")
    return written(state, request.wanted, rules)._replace(highest=max(state.highest, token))


def written(state: State, record: Written | None, rules: Rules) -> State:
    """The state with another `record`, after which whoever relies on what he saw before is refused."""
    first, second = state.sites
    sites = (first._replace(seen=None), second._replace(seen=None))
    in_vain = rules.compares and state.late is not None and state.late.expected is None
    return state._replace(record=record, sites=sites, late=None if in_vain else state.late)


def answered(n: int, state: State, rules: Rules) -> State:
    """The state after a site learns that its write was carried out."""
    (_n, token, held), age = state.sites[n].done
    if not held:
        return put(state, n, Site())
    belief = rules.extended(token, -age, TTL)
    if may_act(belief, 0.0) is May.ACT:
        state = state._replace(acted=max(state.acted, token))
    return put(state, n, Site(belief=(token, max(0.0, belief.valid_until))))


def told(rules: Rules, site: Site) -> Site:
    """A site without a belief, or that has just lost it, after it learns what stands."""
    since = 0.0 if rules.counts_from_arrival else -1.0
    return Site(seen=since if site.seen is None else site.seen)


def older(site: Site, tick: float) -> Site:
    """A site a tick later, by its own clock; what is so long ago that nothing depends on it is TTL ago."""
    belief, seen, done = site
    if belief is not None:
        belief = (belief[0], max(0.0, round(belief[1] - tick, 6)))
    if seen is not None:
        seen = max(-TTL, round(seen - tick, 6))
    if done is not None:
        done = done._replace(age=min(TTL, round(done.age + tick, 6)))
    return Site(belief, seen, done)


def put(state: State, n: int, site: Site) -> State:
    return state._replace(sites=(site, state.sites[1]) if n == 0 else (state.sites[0], site))


@cache
def as_record(written: Written | None) -> Record | None:
    if written is None:
        return None
    n, token, held = written
    return Record(f"site {n}", f"site {n}", token, TTL, held)


def numbered(state: State) -> State:
    """Return `state` with its tokens numbered by their order."""
    found = [state.record, *(site.done.wanted for site in state.sites if site.done is not None)]
    if state.late is not None:
        found += [state.late.expected, state.late.wanted]
    tokens = {0, state.highest, state.acted, *(record[1] for record in found if record is not None)}
    tokens.update(site.belief[0] for site in state.sites if site.belief is not None)
    if max(tokens) < len(tokens):
        return state
    new = {token: order for order, token in enumerate(sorted(tokens))}

    def record(one: Written | None) -> Written | None:
        return None if one is None else (one[0], new[one[1]], one[2])

    def site(one: Site) -> Site:
        belief = None if one.belief is None else (new[one.belief[0]], one.belief[1])
        done = None if one.done is None else Done(record(one.done.wanted), one.done.age)
        return Site(belief, one.seen, done)

    return State(
        record(state.record),
        new[state.highest],
        new[state.acted],
        (site(state.sites[0]), site(state.sites[1])),
        None if state.late is None else Request(record(state.late.expected), record(state.late.wanted)),
        state.deletions,
    )


REAL = Rules()
FAST_TAKER = (0.996, 1.004)
"""What each clock counts in a tick: as far apart as the rules bear."""


def no_margin(token: int, sent: float, ttl: float) -> Belief:
    return Belief(token, sent + ttl)


def from_the_answer(token: int, sent: float, ttl: float) -> Belief:
    return extended(token, 0.0, ttl)


def absent_is_free(record: Record | None, seen: Watched, ttl: float, now: float) -> float:
    return 0.0 if record is None else free_in(record, seen, ttl, now)


def always_free(record: Record | None, seen: Watched, ttl: float, now: float) -> float:
    return 0.0


def token_stays(record: Record | None, by: Record, above: int) -> Record:
    return taken(None if record is None or record.token == 1 else record, by, above)


@pytest.mark.parametrize(
    "rules", [replace(REAL, rates=FAST_TAKER), replace(REAL, deletions=1)], ids=["drift", "deletion"]
)
def test_in_no_interleaving_do_two_sites_believe_or_does_a_token_come_twice(rules):
    assert explore(rules) > 10_000


@pytest.mark.parametrize(
    ("wrong_one", "found"),
    [
        ({"extended": no_margin, "rates": FAST_TAKER}, "two may act"),
        ({"extended": from_the_answer}, "two may act"),
        ({"free_in": always_free}, "two may act"),
        ({"free_in": absent_is_free, "deletions": 1}, "two may act"),
        ({"taken": token_stays}, "a token that was there before"),
        ({"compares": False}, "a token that was there before"),
        ({"counts_from_arrival": False}, "two may act"),
        ({"gives_back_by_revision": False}, "two may act"),
        ({"trusts_lost_answers": True}, "two may act"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_each_rule_is_needed(wrong_one, found):
    with pytest.raises(Broken, match=found):
        explore(replace(REAL, **wrong_one))
