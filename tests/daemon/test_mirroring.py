"""When files are mirrored: only away from the site where the group runs, as the journal of moves has it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from failover.model import Continuity, DataSet, DataSetId, How, Part, Plan, PlanId, Site, SiteId
from failover.phases import Phase
from failover.run import MoveEventKind, MoveId, MoveState
from monitor.core.ids import CheckId
from monitor.core.text import ENGLISH
from monitor.daemon.mirroring import FREE, Stance, stance
from tests.failover.test_run import event, move_of, phase

CENTRE, SECOURS, CRM, WEB = SiteId("centre"), SiteId("secours"), PlanId("crm"), PlanId("web")
THERE, BACK, ELSE = CheckId("releve-archive-there"), CheckId("releve-archive-back"), CheckId("releve-archive-else")
CALLS = DataSetId("calls")
DATA = DataSet(CALLS, How.FILES, timedelta(minutes=5), (THERE, BACK), mirrors={THERE: CENTRE, BACK: SECOURS})
PLAN = Plan(
    CRM, "the CRM", CENTRE, SECOURS, {CENTRE: Part(), SECOURS: Part()}, (), timedelta(minutes=30), data=(CALLS,)
)
SITES = {CENTRE: Site(CENTRE, "Douala"), SECOURS: Site(SECOURS, "Yaoundé")}
CONTINUITY = Continuity(SITES, data={CALLS: DATA}, plans={CRM: PLAN})
HELD = Stance(copies=False)


def ended(state: MoveState = MoveState.SUCCEEDED):
    return event(MoveEventKind.ENDED, seconds=90, state=state.value, rto=None, rpo=None)


SWITCHED = (phase(Phase.FENCE), phase(Phase.SWITCH), phase(Phase.VERIFY))
MOVED = move_of(*SWITCHED, ended())
NOWHERE = move_of(phase(Phase.FENCE), ended(MoveState.FAILED), direction="failover")
BACK_AGAIN = replace(
    move_of(*SWITCHED, ended(), direction="failback"), id=MoveId("F26-0002"), source=SECOURS, target=CENTRE
)


def shown(found: Stance) -> str | bool:
    return found.copies if found.stands_by is None else ENGLISH.render(found.stands_by)


@pytest.mark.parametrize(
    ("moves", "there", "back"),
    [
        ((), True, "stands by: the CRM runs at Douala"),
        ((MOVED,), "stands by: the CRM runs at Yaoundé", True),
        ((NOWHERE,), *2 * ("stands by: nobody knows where the CRM runs",)),
        ((MOVED, BACK_AGAIN), True, "stands by: the CRM runs at Douala"),
        ((replace(MOVED, plan=WEB),), True, "stands by: the CRM runs at Douala"),
    ],
)
def test_only_the_mirror_away_from_where_the_group_runs_copies(moves, there, back):
    found = [stance(CONTINUITY, check, moves) for check in (THERE, BACK)]
    assert [shown(one) for one in found] == [there, back]
    assert [one.copies for one in found] == [there is True, back is True]


@pytest.mark.parametrize("direction", ["switchover", "failback", "failover", "drill"])
@pytest.mark.parametrize("reached", [None, *Phase])
def test_during_a_move_only_what_a_planned_one_waits_for_is_copied(direction, reached):
    """And a drill leaves the group, and so its copies, as they are."""
    move = move_of(*(() if reached is None else (phase(reached),)), direction=direction)
    early = reached in (None, Phase.ANNOUNCE, Phase.STOP, Phase.FENCE, Phase.SYNC)
    copies = direction == "drill" or (direction != "failover" and early)
    assert stance(CONTINUITY, THERE, (move,)) == Stance(copies)
    assert shown(stance(CONTINUITY, BACK, (move,))) == "stands by: the CRM runs at Douala"


def test_a_figure_stays_one_until_the_move_is_over():
    """What is lost has to be said of a forced move while it goes on."""
    assert stance(CONTINUITY, THERE, (move_of(phase(Phase.FENCE), direction="failover"),)) == HELD


def test_nothing_is_copied_while_the_lease_is_somebody_elses():
    for check in (THERE, BACK):
        assert shown(stance(CONTINUITY, check, (), {CRM})) == "stands by: nobody knows where the CRM runs"
        assert not stance(CONTINUITY, check, (), {CRM}).copies
    assert stance(CONTINUITY, THERE, (), {WEB}) == FREE


def test_of_several_groups_that_need_the_data_each_has_to_run_where_it_comes_from():
    both = replace(CONTINUITY, plans={CRM: PLAN, WEB: replace(PLAN, id=WEB, title="the web")})
    moved = replace(MOVED, plan=WEB)
    assert shown(stance(both, THERE, (moved,))) == "stands by: the web runs at Yaoundé"
    assert shown(stance(both, BACK, (moved,))) == "stands by: the CRM runs at Douala"
    assert stance(both, BACK, (moved, MOVED)) == FREE
    going = replace(move_of(phase(Phase.FENCE), direction="failover"), plan=WEB)
    assert stance(both, THERE, (going,)) == HELD


def test_what_belongs_to_no_plan_is_copied_as_ever():
    assert stance(CONTINUITY, ELSE, (NOWHERE,)) == FREE
    assert stance(replace(CONTINUITY, plans={CRM: replace(PLAN, data=())}), THERE, (NOWHERE,)) == FREE
