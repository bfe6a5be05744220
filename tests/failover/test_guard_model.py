"""Every interleaving, within small bounds, of what may happen to a guarded site: no instant has two active sites.

Time is counted in ticks. The guard judges by the real `judge`, `begin` and `may_feed`; what stands around it (voters,
commands, service manager, the machine's watchdog, who takes over) is modelled as the guard's docstring assumes it, and
each may do all that this allows. The taker waits `worst`; that this is not generous is seen by taking a tick away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from failover.guard import Phase, Round, State, Validity, begin, judge, may_feed, worst

TURN, ROUND, HANGS, STARTS, DOG = 2, 3, 2, 2, 3
"""Ticks."""
WAIT = int(worst(ROUND, turn=TURN, hangs_for=HANGS, starts_within=STARTS))


@dataclass(frozen=True, slots=True)
class World:
    """One instant. `faults`, `renewals`: how many may still come; `until`: of the old site's lease with `token`."""

    now: int
    faults: int
    renewals: int
    token: int
    until: int
    handed: Validity
    """What the guard can read of it: a renewal may be handed over late, or never."""
    runs: bool = True
    guard: State | None = None
    hung: int | None = None
    """Since when it stands still: its last sign of life."""
    back: int = 0
    """When the next guard begins, while there is none."""
    turns: int = 0
    """When the guard turns next."""
    began: int | None = None
    """Of the round in hand."""
    seen: bool = False
    """Whether a look in this round saw it stopped."""
    recorded: tuple[Phase, int] | None = None
    proof: int = 0
    """The highest token of a record that says stopped, even if only an old copy of it is at hand."""
    taken: int | None = None
    """When the other site took the lease."""
    fed: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """`wait`, `ttl`: ticks of taker and lease. `stubborn`: no command stops anything. `dog`: a watchdog is in use."""

    wait: int
    ttl: int = 2
    stubborn: bool = False
    dog: bool = False


def acts(world: World, rules: Rules) -> bool:
    """Whether the other site may be active: it waited, or it read a proof."""
    if world.taken is None:
        return False
    return world.proof >= world.token or world.now >= world.taken + rules.wait


def started(world: World, rules: Rules) -> World:
    """A guard that has just started, on what is recorded and handed over."""
    phase, token = world.recorded or (None, 0)
    state = begin(phase, token, this_boot=True, handed=world.handed, ttl=rules.ttl, now=world.now)
    return recorded(replace(world, guard=state, turns=world.now, hung=None, began=None, seen=False), state)


def recorded(world: World, state: State) -> World:
    proof = max(world.proof, state.token if state.phase is Phase.STOPPED else 0)
    return replace(world, recorded=(state.phase, state.token), proof=proof)


def turned(world: World, rules: Rules) -> World:
    """One turn of the guard's loop, as `PlanGuard.turn` makes it."""
    assert world.guard is not None
    done = Round.NONE
    if world.began is not None:
        over = world.seen or world.now >= world.began + ROUND
        done = Round.IN_HAND if not over else Round.PROVEN if world.seen else Round.UNPROVEN
    state = judge(world.guard, world.handed, rules.ttl, done, world.now)
    if done in (Round.PROVEN, Round.UNPROVEN):
        world = replace(world, began=None, seen=False)
    if (state.phase, state.token) != (world.guard.phase, world.guard.token):
        world = recorded(world, state)
    if state.phase is Phase.STOPPING and world.began is None:
        world = replace(world, began=world.now)
    fed = world.now if rules.dog and may_feed(state, ROUND, world.now) else world.fed
    return replace(world, guard=state, turns=world.now + TURN, fed=fed)


def outside(world: World, rules: Rules) -> Iterator[World]:
    """What may happen in this instant besides the guard's own turn: nothing, or one of these."""
    yield world
    held = world.now < world.until and world.taken is None
    if held and world.renewals:
        yield replace(world, renewals=world.renewals - 1, until=world.now + rules.ttl)
    if world.now >= world.until and world.taken is None:
        yield replace(world, taken=world.now)
        if world.renewals:  # the site takes its own lease anew
            yield replace(world, renewals=world.renewals - 1, token=world.token + 1, until=world.now + rules.ttl)
    if held and world.handed != Validity(world.token, world.until):
        yield replace(world, handed=Validity(world.token, world.until))
    holding = world.guard is not None and world.guard.phase is Phase.HOLDING and world.guard.token == world.token
    if held and holding and not world.runs:
        yield replace(world, runs=True)
    if world.guard is not None and world.hung is None and world.faults:
        one_less = replace(world, faults=world.faults - 1)
        yield replace(one_less, hung=world.now)
        for took in (1, STARTS):
            yield replace(one_less, guard=None, began=None, seen=False, back=world.now + took)


def commands(world: World, rules: Rules) -> Iterator[World]:
    """What the commands in hand may do in this instant; at the end of a round a hard stop has done its work."""
    if world.began is None or world.seen or rules.stubborn:
        yield world
        return
    last = world.now >= world.began + ROUND
    if not last or world.hung is not None:
        yield world
    yield replace(world, runs=False)
    yield replace(world, runs=False, seen=True)


def next_worlds(world: World, rules: Rules) -> Iterator[World]:
    for after in outside(world, rules):
        for done in commands(after, rules):
            now = done
            if rules.dog and now.now >= now.fed + DOG:
                # The machine is reset; what runs on it is gone, and the guard of the next boot is passive.
                now = replace(now, runs=False, guard=None, began=None, seen=False, hung=None, back=now.now + STARTS)
                now = replace(now, fed=now.now + STARTS)
            elif now.hung is not None and now.now >= now.hung + HANGS:
                now = replace(now, guard=None, began=None, seen=False, hung=None, back=now.now + STARTS)
            if now.guard is None and now.now >= now.back:
                now = started(now, rules)
            if now.guard is not None and now.hung is None and now.now >= now.turns:
                now = turned(now, rules)
            yield replace(now, now=now.now + 1)
            if now.hung is not None:  # it comes to itself again (SIGCONT)
                yield replace(now, now=now.now + 1, hung=None, turns=now.now + 1)


def explored(rules: Rules, *, faults: int, renewals: int = 1) -> tuple[int, World | None]:
    """How many worlds there are, and the first with two active sites."""
    horizon = (renewals + 2) * rules.ttl + rules.wait + 4
    beginning = World(0, faults, renewals, 1, rules.ttl, Validity(1, rules.ttl))
    # The guard's turns fall on any tick, before the lapse and after it.
    first = [replace(started(beginning, rules), turns=offset) for offset in range(TURN)]
    waiting, known = list(first), set(first)
    while waiting:
        world = waiting.pop()
        for after in next_worlds(world, rules):
            if after.runs and acts(after, rules):
                return len(known), after
            settled = after.taken is not None and not after.runs  # without its lease the site starts nothing again
            if not settled and after.now <= horizon and after not in known:
                known.add(after)
                waiting.append(after)
    return len(known), None


@pytest.mark.parametrize("faults", [0, 1])
def test_two_sites_are_never_active_when_the_guard_fails_at_most_once(faults):
    worlds, found = explored(Rules(WAIT), faults=faults)
    assert found is None
    assert worlds > 1000


def test_a_copy_of_a_proof_stays_true_when_a_renewal_was_handed_over_too_late():
    """The lease lives on, the guard has stopped, and what it reads is valid again: under a spent token it holds not."""
    assert explored(Rules(WAIT, ttl=8), faults=0)[1] is None


def test_a_taker_that_waits_less_meets_a_site_that_still_runs():
    """The bound is no wider than it has to be, and this exploration finds what it looks for."""
    _worlds, found = explored(Rules(WAIT - 1), faults=1)
    assert found is not None


def test_a_second_fault_within_one_lapse_asks_for_a_longer_wait():
    assert explored(Rules(WAIT), faults=2, renewals=0)[1] is not None
    assert explored(Rules(WAIT + HANGS + STARTS + ROUND), faults=2, renewals=0)[1] is None


def test_what_no_command_stops_is_stopped_by_the_watchdog_of_the_machine():
    waits = WAIT + DOG
    assert waits == worst(ROUND, DOG, turn=TURN, hangs_for=HANGS, starts_within=STARTS)
    assert explored(Rules(waits, stubborn=True), faults=0)[1] is not None
    assert explored(Rules(waits, stubborn=True, dog=True), faults=1)[1] is None
