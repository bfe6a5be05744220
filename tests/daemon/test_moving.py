"""What the guard of the old site hears of a move: all until the fence, and then nothing, which the fence counts in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from failover.lease_etcd import Watching
from failover.model import Continuity, Plan, PlanId, Site, SiteId
from failover.phases import Direction, Phase
from failover.run import Move, MoveEvent, MoveEventKind, MoveId, Span
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
    """A journal that is in memory, beside a guard that was told to let the old site run until `until`."""

    move: Move
    until: float

    async def record(self, event: MoveEvent) -> Move:
        self.move = replace(self.move, spans=(*self.move.spans, Span(Phase(event.data["phase"]), event.at)))
        return self.move

    async def look_for_service(self, plan: Plan, site: SiteId) -> Look:
        return Look("secours", site, View.UNKNOWN, CLOCK.now(), CLOCK.now() - CLOCK.now())

    def told_until(self, move: Move) -> float:
        return self.until

    def halted_since(self, move: Move) -> bool:
        return False


async def test_the_fence_counts_from_the_end_of_what_the_guard_heard_last(tmp_path):
    tenure = tenure_of(SITES, MOVE.plan, tmp_path, CLOCK, Watching())
    assert await tenure.take(0, knows_the_other=True) is None
    before, until = tenure.lapsed_at, CLOCK.boot() + 1000
    footing = Footing(Told(MOVE, until), tenure)
    for phase, lapsed_at in ((Phase.STOP, before), (Phase.FENCE, until), (Phase.SYNC, until)):
        event = MoveEvent(MOVE.id, AT, MoveEventKind.PHASE, "releve", say("on"), None, {"phase": phase.value})
        move = await footing.record(event)
        assert footing.reign(move).lapsed_at == lapsed_at
    await tenure.give_back()
