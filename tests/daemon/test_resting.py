"""Which checks stand by with the site where the group does not run, and which alarm as ever."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failover.model import Continuity, DataSet, DataSetId, Guarded, How, Part, PlanId, Site, Work
from failover.run import Move, MoveEventKind
from monitor.core.ids import CheckId
from monitor.daemon.move_work import NEVER, resting
from runbooks.steps.service_restart import ServiceRestart, ServiceRestartParams
from tests.failover.test_underway import CENTRE, PLAN, RTO, SECOURS, STOPPING, at, move

ENDED = MoveEventKind.ENDED


def ended(direction: str, seconds: float) -> Move:
    return move(direction, STOPPING, (seconds, ENDED, {"state": "succeeded", "rto": None, "rpo": None}))


GOING, THERE, DRILLED = move("switchover", STOPPING), ended("switchover", 90), ended("drill", 95)
WEB = replace(PLAN, id=PlanId("web"), active=SECOURS, standby=CENTRE, parts={SECOURS: Part(verify=(CheckId("web-2"),))})
SITES = Continuity(plans={PLAN.id: PLAN})


@pytest.mark.parametrize(
    ("moves", "since"),
    [
        ([], {"web-2": NEVER, "rehearsal": NEVER}),
        ([GOING], {"web-2": NEVER, "rehearsal": NEVER}),  # its own work excuses the rest
        ([DRILLED], {"web-2": at(95), "rehearsal": at(95)}),
        ([THERE], {"web-1": at(90)}),
        ([THERE, DRILLED], {"web-1": at(90)}),
        ([replace(THERE, plan=PlanId("other"))], {"web-2": NEVER, "rehearsal": NEVER}),
    ],
)
def test_what_only_the_other_site_is_seen_by_stands_by_since_the_last_move_that_touched_it(moves, since):
    assert resting(moves, SITES) == since


def test_where_nobody_knows_where_the_group_runs_nothing_stands_by():
    fenced = (30, MoveEventKind.PHASE, {"phase": "fence"})
    nowhere = move("switchover", STOPPING, fenced, (40, ENDED, {"state": "failed", "rto": None, "rpo": None}))
    assert nowhere.runs_at is None
    assert resting([nowhere], SITES) == {}


@pytest.mark.parametrize(
    "needed",
    [
        Continuity(plans={PLAN.id: replace(PLAN, fences=(Guarded(SECOURS, RTO, CheckId("web-2")),))}),
        replace(SITES, data={DataSetId("db"): DataSet(DataSetId("db"), How.EXTERNAL, RTO, (CheckId("web-2"),))}),
        replace(SITES, sites={CENTRE: Site(CENTRE, "Douala", seen_by={"ocm": (CheckId("web-2"),)})}),
        replace(SITES, plans={PLAN.id: PLAN, WEB.id: WEB}),
    ],
    ids=["a guard", "a copy", "a whole site", "another group that runs there"],
)  # fmt: skip
def test_what_is_watched_for_another_reason_alarms_as_ever(needed):
    assert set(resting([], needed)) == {"rehearsal"}


def test_a_gate_says_whether_the_device_is_there_and_alarms_as_ever():
    assert set(resting([], SITES, frozenset({CheckId("web-2")}))) == {"rehearsal"}


def test_what_a_step_starts_and_stops_stands_by_with_its_site():
    step = ServiceRestart()
    work = tuple(Work(step, ServiceRestartParams(check=CheckId("dialler"), verb=verb)) for verb in ("stop", "start"))
    part = replace(PLAN.parts[SECOURS], stop=work[:1], start=(work[1:],))
    sites = Continuity(plans={PLAN.id: replace(PLAN, parts={**PLAN.parts, SECOURS: part})})
    assert set(resting([], sites)) == {"web-2", "rehearsal", "dialler"}
