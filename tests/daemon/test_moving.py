"""What the guard of the old site hears of a move: all until the fence, and then nothing, which the fence counts in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from failover.across import GuardSeen, Heard
from failover.guard import Phase as Guard
from failover.lease_etcd import Watching
from failover.model import Continuity, Guarded, Plan, PlanId, Site, SiteId
from failover.phases import Direction, Phase
from failover.plan_json import plan_to_json
from failover.run import Move, MoveEvent, MoveId, Span
from failover.vantage import Look, View
from monitor.clock import SystemClock
from monitor.core.text import say
from monitor.daemon.moving import Footing, may_run_at
from monitor.daemon.tenure import tenure_of

CLOCK, AT = SystemClock(), datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
CENTRE, SECOURS = SiteId("centre"), SiteId("secours")
SITES = Continuity(sites={name: Site(name, name, here=name == CENTRE) for name in (CENTRE, SECOURS)})
MOVE = Move(
    MoveId("F26-0001"), PlanId("crm"), Direction.SWITCHOVER, CENTRE, SECOURS, {}, (), (), "uid:0", AT, AT, say("works")
)


def at(direction: Direction, *phases: Phase) -> Move:
    return replace(MOVE, direction=direction, spans=tuple(Span(phase, AT) for phase in phases))


@pytest.mark.parametrize(
    ("move", "old", "new"),
    [
        pytest.param(at(Direction.SWITCHOVER), True, True, id="nothing done yet"),
        pytest.param(at(Direction.SWITCHOVER, Phase.STOP), True, True, id="calls come to their end"),
        pytest.param(at(Direction.SWITCHOVER, Phase.STOP, Phase.BACK), True, True, id="it goes back"),
        pytest.param(at(Direction.SWITCHOVER, Phase.STOP, Phase.FENCE), False, True, id="fenced"),
        pytest.param(at(Direction.SWITCHOVER, Phase.FENCE, Phase.PROMOTE), False, True, id="the copy leads"),
        pytest.param(at(Direction.FAILOVER, Phase.ANNOUNCE), False, True, id="by force"),
    ],
)
def test_the_guard_of_the_old_site_lets_it_run_until_the_fence_of_a_planned_move(move, old, new):
    assert (may_run_at(move, CENTRE), may_run_at(move, SECOURS)) == (old, new)


@dataclass
class Told:
    """A journal that is in memory, beside a guard of the old site that has `heard` that, and has stopped for that."""

    move: Move
    told: Heard | None
    stopped: int | None = None
    said: list[int] = field(default_factory=list)
    says: GuardSeen | None = None

    async def record(self, event: MoveEvent) -> Move:
        self.move = replace(self.move, spans=(*self.move.spans, Span(Phase(event.data["phase"]), event.at)))
        return self.move

    async def look_for_service(self, plan: Plan, site: SiteId) -> Look:
        return Look("secours", site, View.UNKNOWN, CLOCK.now(), CLOCK.now() - CLOCK.now())

    def heard(self, move: Move) -> Heard | None:
        return self.told

    async def fenced(self, move: Move, token: int) -> int | None:
        self.said.append(token)
        return self.stopped

    async def guard_at(self, site: SiteId, move: Move) -> GuardSeen | None:
        return self.says

    def halted_since(self, move: Move) -> bool:
        return False


@pytest.fixture
async def footing(tmp_path: Path) -> AsyncIterator[Callable[..., Footing]]:
    """Return what makes the footing of MOVE under a lease that was taken just now."""
    tenure = tenure_of(SITES, MOVE.plan, tmp_path, CLOCK, Watching())
    assert await tenure.take(0, knows_the_other=True) is None

    def make(heard: Heard | None, stopped: int | None = None, **more: bool) -> Footing:
        return Footing(Told(MOVE, heard, stopped), tenure, **more)

    yield make
    await tenure.give_back()


async def test_the_fence_counts_from_the_end_of_what_the_guard_may_have_heard(footing):
    none = footing(None)
    token, lapsed_at = none.tenure.belief.token, none.tenure.lapsed_at
    assert none.reign(MOVE).lapsed_at == lapsed_at
    later = lapsed_at + 1000
    for heard, expected in (
        (Heard(token, later), later),
        (Heard(token, lapsed_at - 1), lapsed_at),
        (Heard(token, lapsed_at + 3, lapsed_at + 3), lapsed_at + 3),
        (Heard(token, 0.0, lapsed_at - 7), lapsed_at - 7),
        (Heard(token - 1, later, later), later),
    ):
        assert footing(heard).reign(MOVE).lapsed_at == expected, heard


async def test_a_record_counts_from_the_token_under_which_the_guard_was_told_to_let_it_run(footing):
    token = footing(None).tenure.belief.token
    move = replace(MOVE, before=token - 1)
    assert footing(None).reign(move).before == token - 1
    assert footing(Heard(token, 1.0)).reign(move).before == token
    assert footing(None).reign(MOVE).before is None, "nobody knows what the old site holds"
    taken_up = footing(None, taken_up=True)
    assert taken_up.reign(move).before == token, "the life before may have told it of ours"


async def test_the_guard_of_the_old_site_is_told_that_our_token_is_over_before_its_record_counts(footing):
    plan = Plan(MOVE.plan, "CRM", CENTRE, SECOURS, {}, (Guarded(CENTRE, timedelta(seconds=9)),), timedelta(minutes=30))
    one = footing(None, stopped=41)
    move = replace(MOVE, before=40, frozen=plan_to_json(plan))
    await one.ask_guard(move)
    assert (one.moves.said, one.records(move)) == ([one.tenure.belief.token], {0: 41})
    unknown = footing(None, stopped=41)
    await unknown.ask_guard(replace(move, before=None))
    assert unknown.records(move) == {}


async def test_what_goes_back_to_a_guarded_site_does_so_under_the_very_next_token(footing):
    plan = Plan(MOVE.plan, "CRM", CENTRE, SECOURS, {}, (Guarded(CENTRE, timedelta(seconds=9)),), timedelta(minutes=30))
    one = footing(None)
    before = one.tenure.belief.token
    assert await one.go_back(replace(MOVE, frozen=plan_to_json(replace(plan, fences=())))) is None
    assert one.tenure.belief.token == before, "nothing there has stopped for it"
    assert await one.go_back(replace(MOVE, frozen=plan_to_json(plan))) is None
    assert one.tenure.belief.token == before + 2, "of two sites that cannot ask each other, each has every other"


async def test_nothing_is_started_before_the_guard_there_holds_for_our_token(footing):
    plan = Plan(MOVE.plan, "CRM", CENTRE, SECOURS, {}, (Guarded(SECOURS, timedelta(seconds=9)),), timedelta(minutes=30))
    move, one = replace(MOVE, frozen=plan_to_json(plan)), footing(None)
    token = one.tenure.belief.token
    assert await one.guard_holds(move, CENTRE), "no guard stands there"
    for says, holds in (
        (None, False),
        (GuardSeen(), False),
        (GuardSeen(phase=Guard.HOLDING, token=token - 1), False),
        (GuardSeen(phase=Guard.STOPPED, token=token - 1), False),
        (GuardSeen(phase=Guard.HOLDING, token=token), True),
    ):
        one.moves.says = says
        assert await one.guard_holds(move, SECOURS) is holds
        assert one.tenure.belief.token == token
    one.moves.says = GuardSeen(phase=Guard.STOPPING, token=token)
    assert not await one.guard_holds(move, SECOURS)
    assert one.tenure.belief.token > token, "it was not told in time, and never holds for that one again"
