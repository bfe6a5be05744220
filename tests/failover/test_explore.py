"""Every interleaving of faults, commands and time, for two sites and a witness: there are never two active sites."""

from __future__ import annotations

import gc
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest

from failover.advance import Enter, Grip, Next, next_move
from failover.fences import Fenced, Proof, judge
from failover.model import Plan, SiteId
from failover.phases import Phase
from failover.run import Move
from failover.vantage import Asking, Kept, View
from monitor.core.text import say
from tests.failover.deciding import DECEIVED, REAL, SLOW, deciding, long_ago, turning
from tests.failover.explored import (
    BEGIN,
    CLIENT,
    CUTS,
    TOKENS,
    A,
    B,
    Brain,
    Broken,
    Daemon,
    Fence,
    World,
    both_run,
    put,
    runs,
    successors,
)

UNASKED = ("heal", "kill", "freeze", "crash", "cut", "alone", "a person", "is refused")
"""What happens, or does not, without anybody being owed anything."""


@dataclass
class Explored:
    """What a search has found. `came`: of every state, the one before it and what happened between them.

    `broken`: the story of something that must not be. `rest`: the states in which nothing more comes of itself but time
    and the renewing of a lease in time, with what follows.
    """

    came: dict[World, tuple[World | None, str]] = field(default_factory=dict)
    broken: str = ""
    rest: dict[World, list[World]] = field(default_factory=dict)

    def settle(self) -> None:
        """Leave in `rest` only what stays at rest."""
        while True:
            stirs = [world for world, nexts in self.rest.items() if any(after not in self.rest for after in nexts)]
            if not stirs:
                return
            for world in stirs:
                del self.rest[world]

    def story(self, world: World, last: str) -> str:
        """Return how it came to this."""
        told = [last]
        at: World | None = world
        while at is not None:
            at, what = self.came[at]
            told.append(what)
        return "; ".join(reversed(told))


def explore(begin: World, fence: Fence, brain: Brain = REAL, *, prompt: bool = False, never: str = "-") -> Explored:
    """Visit every state that can be reached from `begin`, nearest first, until one is found that must not be.

    `prompt`: everybody does at once what there is to do, and nothing is healed, so that a story has its proper end.
    `never`: what does not happen.
    """
    gc.disable()  # hundreds of thousands of tuples, and not one circle
    try:
        return _explore(begin, fence, brain, prompt=prompt, never=never)
    finally:
        gc.enable()


def _explore(begin: World, fence: Fence, brain: Brain, *, prompt: bool, never: str) -> Explored:
    found = Explored({begin: (None, "begin")})
    todo = deque([begin])
    while todo:
        world = todo.popleft()
        try:
            nexts = [(what, after) for what, after in successors(world, fence, brain) if what != never]
        except Broken as error:
            found.broken = found.story(world, str(error))
            return found
        owed = [what for what, _ in nexts if what != "tick" and not any(word in what for word in UNASKED)]
        if prompt:
            nexts = [(what, after) for what, after in nexts if (what in owed if owed else what == "tick")]
        if all("renews" in what for what in owed):
            found.rest[world] = [after for what, after in nexts if (what in owed if owed else what == "tick")]
        for what, after in nexts:
            if after in found.came:
                continue
            found.came[after] = (world, what)
            if both_run(after, fence):
                found.broken = found.story(after, "TWO ACTIVE SITES")
                return found
            todo.append(after)
    found.settle()
    return found


def says(world: World, fence: Fence, x: int) -> str:
    """Return why x does nothing; empty when it does not say so."""
    side = world.sides[x]
    if side.move is not None:
        what = REAL.turn(world, x, fence, REAL.grip(world, x))[0]
        return what if what in ("wait", "pause") else ""
    what, why = REAL.decides(world, x)
    return why if what in ("no", "lease") else what if what == "ask" else ""


BOUNDS = [(2, 0, 0), (1, 1, 1)]
"""How many faults, commands by a person, and answers to what a move asks, there may be in one story."""


@pytest.mark.parametrize(("faults", "commands", "answers"), BOUNDS)
@pytest.mark.parametrize("fence", Fence)
def test_there_are_never_two_active_sites_and_who_is_idle_says_why(
    fence: Fence, faults: int, commands: int, answers: int
) -> None:
    found = explore(BEGIN._replace(faults=faults, commands=commands, answers=answers), fence)
    assert found.broken == ""
    where = {(runs(world, A, fence), runs(world, B, fence)) for world in found.rest}
    assert where == {(True, False), (False, True), (False, False)}
    for world in found.rest:
        awake = [x for x in (A, B) if world.sides[x].up and world.sides[x].daemon is Daemon.RUNS]
        if not (runs(world, A, fence) or runs(world, B, fence)) and awake:
            assert any(says(world, fence, x) for x in awake), found.story(world, "nobody says why")


@pytest.mark.parametrize("fence", Fence)
def test_a_lost_site_is_taken_over_and_stays_passive_when_it_comes_back(fence: Fence) -> None:
    """Whatever comes first of what there is to do, and however long after the healing."""
    lost = BEGIN._replace(faults=0, commands=0, answers=0, cut=CUTS["A alone"])
    found = explore(lost, fence, prompt=True)
    assert found.broken == ""
    assert {(runs(world, A, fence), runs(world, B, fence)) for world in found.rest} == {(False, True)}
    for world in found.rest:
        back = explore(world._replace(cut=0), fence)
        assert back.broken == ""
        assert not any(runs(after, A, fence) for after in back.came)


@pytest.mark.parametrize("fence", Fence)
def test_a_switchover_ends_at_the_other_site(fence: Fence) -> None:
    wanted = put(BEGIN, B, BEGIN.sides[B]._replace(wants="switchover"))._replace(faults=0, commands=0, answers=0)
    found = explore(wanted, fence, prompt=True)
    assert found.broken == ""
    assert {(runs(world, A, fence), runs(world, B, fence)) for world in found.rest} == {(False, True)}


@pytest.mark.parametrize("fence", Fence)
def test_the_loss_of_the_witness_moves_nothing(fence: Fence) -> None:
    alone = BEGIN._replace(faults=0, commands=0, answers=0, cut=CUTS["witness alone"])
    found = explore(alone, fence)
    assert found.broken == ""
    assert not any(side.move is not None for world in found.came for side in world.sides)
    assert all(runs(world, A, fence) for world in explore(alone, fence, prompt=True).came)


@pytest.mark.parametrize("cut", ["cut A-B", "B alone", "cut 0->1", "cut 1->0"])
def test_who_is_cut_off_himself_begins_nothing_by_itself(cut: str) -> None:
    """However late the other one renews its lease: the client still sees it, or nobody can tell."""
    found = explore(BEGIN._replace(faults=0, commands=0, answers=0, cut=CUTS[cut]), Fence.TOKEN)
    assert found.broken == ""
    assert not any(side.move is not None for world in found.came for side in world.sides)


@pytest.mark.parametrize("fence", Fence)
def test_who_is_killed_once_the_lease_is_taken_decides_anew(fence: Fence) -> None:
    """The lapse of the other one is remembered, and the move begins however often that happens."""
    lost = BEGIN._replace(faults=1, commands=0, answers=0, cut=CUTS["A alone"])
    found = explore(lost, fence)
    killed = [
        world
        for world, (_, what) in found.came.items()
        if what == "B kill -9" and world.cut and world.record.holder == B and world.sides[B].home == BEGIN.sides[B].home
        if world.sides[B].move is None
    ]
    assert killed
    for world in killed:
        ends = explore(world, fence, prompt=True)
        assert ends.broken == ""
        assert {(runs(one, A, fence), runs(one, B, fence)) for one in ends.rest} == {(False, True)}


LOST = BEGIN._replace(faults=0, commands=0, answers=0, cut=CUTS["A alone"] | CLIENT[B])
"""A is lost, and nobody is left to see it but B and the voters."""


@pytest.mark.parametrize("fence", Fence)
def test_who_is_refused_at_the_last_moment_begins_once_nothing_is_in_the_way(fence: Fence) -> None:
    """However often, however long after the lapse, and over a kill."""
    lost = LOST._replace(faults=1, vain=2)
    found = explore(lost, fence, SLOW)
    assert found.broken == ""
    # Past the highest token nobody takes anything any more, here.
    left = [
        one
        for one in found.came
        if one.cut == lost.cut and one.vain < 2 and one.record.holder == B and one.record.token < TOKENS
        if one.sides[B] == one.sides[B]._replace(up=True, token=0, move=None, home=BEGIN.sides[B].home)
    ]
    assert {one.vain for one in left} == {0, 1}
    assert any(one.sides[B].daemon is Daemon.GONE for one in left)
    for world in left:
        ends = explore(world._replace(vain=0), fence, SLOW, prompt=True)
        assert ends.broken == ""
        assert all(one.sides[B].move is not None or one.sides[B].home[1] == B for one in ends.rest)
        if fence is Fence.GUARD:  # whatever else fences a lost site is out of reach for B as well
            assert {(runs(one, A, fence), runs(one, B, fence)) for one in ends.rest} == {(False, True)}


def forgotten(kept: Kept, site: SiteId, by: Asking) -> View:
    """Remember a lapse for a minute, and the minute is over."""
    lapsed = None if kept.lapsed is None else replace(kept.lapsed, left=0)
    return long_ago(replace(kept, lapsed=lapsed), site, by)


@pytest.mark.parametrize("fence", Fence)
def test_a_lapse_that_is_remembered_for_a_minute_only_leaves_a_lost_site_where_it_is(fence: Fence) -> None:
    found = explore(LOST, fence, REAL._replace(decides=deciding(kept_view=forgotten)))
    assert any(world.record.holder == B for world in found.came)
    assert not any(world.sides[B].move for world in found.came), "the lease is taken, and that it had lapsed forgotten"


def lies(world: World, x: int) -> bool:
    """Whether a lapse counts at x by its token where the other one may believe in its lease, or the group runs here.

    A move that is taken up may have noted one; nothing is decided while it goes on, and its end forgets it.
    """
    side, other = world.sides[x], world.sides[1 - x]
    if not side.lapsed or side.lapsed != world.record.token or world.record.holder != x:
        return False
    return other.left > 0 or (side.move is None and side.home[1] != 1 - x)


@pytest.mark.parametrize("brain", [REAL, SLOW])
@pytest.mark.parametrize("fence", Fence)
def test_no_lapse_counts_by_its_token_but_that_of_a_taking_in_vain(fence: Fence, brain: Brain) -> None:
    found = explore(BEGIN._replace(faults=1, commands=0, answers=1, vain=1), fence, brain)
    assert found.broken == ""
    assert any(what == "B is refused a failover" for _, what in found.came.values())
    assert [found.story(one, "LIES") for one in found.came if lies(one, A) or lies(one, B)] == []


def test_a_lapse_that_is_not_forgotten_once_its_move_has_begun_is_found() -> None:
    brain = SLOW._replace(forgets=False)
    found = explore(BEGIN._replace(faults=1, commands=0, answers=0), Fence.TOKEN, brain)
    assert any(lies(one, A) or lies(one, B) for one in found.came)


@pytest.mark.parametrize(("faults", "commands", "answers"), [(1, 0, 0), (0, 1, 1)])
@pytest.mark.parametrize("fence", Fence)
def test_the_fences_suffice_where_what_is_taken_for_idle_works(
    fence: Fence, faults: int, commands: int, answers: int
) -> None:
    begin = BEGIN._replace(faults=faults, commands=commands, answers=answers)
    found = explore(begin, fence, DECEIVED)
    assert found.broken == ""
    assert any(what == "B begins a failover" and not after.cut for after, (_, what) in found.came.items())


UNLED = put(BEGIN, A, BEGIN.sides[A]._replace(daemon=Daemon.GONE, token=0, left=0))._replace(
    faults=0, commands=0, answers=0
)
"""Relève alone is gone at A, where the group runs."""


def test_a_site_whose_releve_is_gone_for_good_is_left_once_its_guard_has_stopped_the_group() -> None:
    found = explore(UNLED, Fence.GUARD, prompt=True, never="A daemon starts")
    assert found.broken == ""
    assert {(runs(world, A, Fence.GUARD), runs(world, B, Fence.GUARD)) for world in found.rest} == {(False, True)}
    began = [world for world, (_, what) in found.came.items() if what == "B begins a failover"]
    assert began
    assert not any(runs(world, A, Fence.GUARD) for world in began)


@pytest.mark.parametrize("fence", [Fence.TOKEN, Fence.ISOLATION])
def test_a_site_that_works_without_its_releve_and_without_a_guard_is_not_left(fence: Fence) -> None:
    found = explore(UNLED, fence, never="A daemon starts")
    assert found.broken == ""
    assert not any(side.move is not None for world in found.came for side in world.sides)
    assert all(runs(world, A, fence) for world in found.came)
    for world in found.rest:
        assert says(world, fence, B)


@pytest.mark.parametrize("fence", Fence)
def test_a_releve_that_is_started_again_goes_on_where_the_group_ran(fence: Fence) -> None:
    found = explore(UNLED, fence, prompt=True)
    assert found.broken == ""
    assert not any(side.move is not None for world in found.came for side in world.sides)


# That the search finds what is wrong: each of these is one mistake, put in the place of the real function.


def hasty(fences: Any, evidence: Any, reign: Any, now: float) -> Fenced:
    """Do not wait until the guard has had its time."""
    return judge(fences, evidence, reign, now + 60)


def credulous(fences: Any, evidence: Any, reign: Any, now: float) -> Fenced:
    """Take every fence for proven."""
    return Fenced(Proof(0, say("it will be"), say("nothing")), say("it will be"))


def promotes_first(move: Move, plan: Plan, now: datetime, *, grip: Grip, fenced: Fenced, token: int | None) -> Next:
    """Fence after the start, for a shorter interruption."""
    found = next_move(move, plan, now, grip=grip, fenced=credulous((), {}, None, 0.0))
    if found == Enter(Phase.FENCE):
        return Enter(Phase.PROMOTE)
    return Enter(Phase.FENCE) if found == Enter(Phase.SWITCH) else found


def forgets_the_end(world: World, x: int) -> Grip:
    """Hold a lease for valid as long as nobody says otherwise."""
    return Grip.HELD if world.sides[x].token else REAL.grip(world, x)


MISTAKES = [
    ("TWO ACTIVE SITES", Fence.GUARD, REAL._replace(turn=turning(judge=hasty))),
    ("TWO ACTIVE SITES", Fence.TOKEN, REAL._replace(turn=turning(judge=credulous))),
    ("TWO ACTIVE SITES", Fence.ISOLATION, REAL._replace(turn=turning(judge=credulous))),
    *(("TWO ACTIVE SITES", fence, REAL._replace(turn=turning(next_move=promotes_first))) for fence in Fence),
    *(("with a lapsed belief", fence, REAL._replace(grip=forgets_the_end)) for fence in Fence),
    ("TWO ACTIVE SITES", Fence.GUARD, REAL._replace(gated=False)),
]


@pytest.mark.parametrize(("found", "fence", "brain"), MISTAKES)
def test_a_mistake_is_found(found: str, fence: Fence, brain: Brain) -> None:
    assert found in explore(BEGIN._replace(faults=1, answers=0), fence, brain).broken
