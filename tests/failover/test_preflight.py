"""Ready or not, and why: what a tired person reads first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from failover.ground import Move
from failover.loss import Measured
from failover.model import (
    DataSet,
    DataSetId,
    Guarded,
    How,
    Isolation,
    Mode,
    Part,
    Plan,
    PlanId,
    SiteId,
    Start,
    Work,
)
from failover.phases import Direction
from failover.preflight import Believed, Standing, preflight
from monitor.core.ids import CheckId
from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Severity
from runbooks.steps.ask import Ask, AskParams

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
CENTRE, SECOURS = SiteId("centre"), SiteId("secours")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
SQL = DataSet(DataSetId("crm-db"), How.POSTGRESQL, 5 * MINUTE, (CheckId("lag"),), "the database")
PORT, PING, CUT, ALIVE = CheckId("port-2"), CheckId("sql-2-ping"), CheckId("router-ping"), CheckId("guard-1")
PLAN = Plan(
    id=PlanId("crm"),
    title="CRM",
    active=CENTRE,
    standby=SECOURS,
    parts={SECOURS: Part(verify=(PORT,)), CENTRE: Part(verify=(CheckId("port-1"),))},
    fences=(Isolation(CENTRE, ()), Guarded(CENTRE, timedelta(seconds=10), ALIVE), Isolation(SECOURS, ())),
    rto=30 * MINUTE,
    data=(SQL.id,),
)
OK = Believed(Severity.OK, summary=say("fine"))
BAD = Believed(Severity.CRITICAL, summary=say("refused"))
BLIND = Believed(Severity.UNKNOWN, summary=say("no answer"))
COLD = replace(PLAN, parts={SECOURS: Part(verify=(PORT,), start=((Work(Ask(), AskParams(text="Start it")),),))})


def moved(
    direction: Direction, target: SiteId, ago: timedelta, *, ok: bool = True, runs_at: SiteId | None = None
) -> Move:
    return Move(direction, target, NOW - ago - MINUTE, NOW - ago, "uid:0", ok, runs_at)


DRILLED = moved(Direction.DRILL, SECOURS, 30 * DAY, runs_at=CENTRE)
USED = (
    moved(Direction.SWITCHOVER, SECOURS, 50 * DAY, runs_at=SECOURS),
    moved(Direction.FAILBACK, CENTRE, 49 * DAY, runs_at=CENTRE),
)
LAG = Measured(SQL.id, MINUTE, timedelta(seconds=3), NOW - timedelta(seconds=20))
GOOD = Standing(
    history=(*USED, DRILLED),
    checks=dict.fromkeys((CheckId("lag"), PORT, PING, CUT, ALIVE), OK),
    gates={SECOURS: (PING,)},
    measured=(LAG,),
    fenced_by={CENTRE: {0: (CUT,)}},
)


def judged(plan: Plan = PLAN, seen: Standing = GOOD) -> tuple[str, Severity]:
    found = preflight(plan, (SQL,), seen, NOW)
    return ENGLISH.render(found.text), found.severity


def believed(**states: Believed) -> Standing:
    return replace(
        GOOD, checks={**GOOD.checks, **{CheckId(name.replace("_", "-")): one for name, one in states.items()}}
    )


def test_nothing_stands_against_it():
    found = preflight(PLAN, (SQL,), GOOD, NOW)
    assert (found.ready, found.runs_at, found.to, found.remarks) == (True, CENTRE, SECOURS, ())
    assert ENGLISH.render(found.text) == "ready to move to secours"
    assert found.exercised_at == DRILLED.ended_at
    assert ENGLISH.render(found.loss.text) == "at most the last 23\xa0s of crm-db would be lost"


CASES = {
    "copy that nobody measured": (
        replace(GOOD, measured=(Measured(SQL.id, MINUTE),)),
        "nobody can say how far the database is behind",
    ),
    "copy without any check": (replace(GOOD, measured=()), "nobody can say how far the database is behind"),
    "figure that is too old": (
        replace(GOOD, measured=(replace(LAG, at=NOW - 10 * MINUTE),)),
        "nobody can say how far the database is behind",
    ),
    "one figure of two is missing": (
        replace(GOOD, measured=(LAG, replace(LAG, lag=None))),
        "nobody can say how far the database is behind",
    ),
    "lag above what is promised": (
        replace(GOOD, measured=(replace(LAG, lag=12 * MINUTE),)),
        "the database is 12\xa0min\xa020\xa0s behind, 5\xa0min at most",
    ),
    "copy that is broken": (believed(lag=BAD), "lag fails: refused"),
    "device that is not there": (believed(sql_2_ping=BAD), "sql-2-ping fails: refused"),
    "device that nobody sees": (believed(sql_2_ping=BLIND), "sql-2-ping cannot be seen: no answer"),
    "what would verify it fails": (believed(port_2=BAD), "port-2 fails: refused"),
    "what would verify it was never seen": (
        believed(port_2=Believed()),
        "port-2 cannot be seen: it has not been looked at yet",
    ),
    "what would verify it is silent": (
        believed(port_2=Believed(Severity.OK, stale=True, summary=say("nothing since noon"))),
        "port-2 cannot be seen: nothing since noon",
    ),
    "no fence works": (
        believed(router_ping=BAD, guard_1=BLIND),
        "centre could not be proven isolated: router-ping fails: refused",
    ),
    "never tried": (
        replace(GOOD, history=()),
        "it was never tried whether it runs at secours: `releve failover drill crm`",
    ),
    "drill that is too old": (
        replace(GOOD, history=(moved(Direction.DRILL, SECOURS, 97 * DAY, runs_at=CENTRE),)),
        "the last drill was 97\xa0d ago, 90\xa0d at most: `releve failover drill crm`",
    ),
    "drill that failed": (
        replace(GOOD, history=(*USED, moved(Direction.DRILL, SECOURS, DAY, ok=False, runs_at=CENTRE))),
        "the last drill at secours failed, 1\xa0d ago",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_stands_against_it_is_told_and_warned_of(case):
    seen, why = CASES[case]
    text, severity = judged(seen=seen)
    assert text == f"not ready to move to secours: {why}"
    assert severity is Severity.WARNING
    assert judged(seen=replace(seen, needed=True))[1] is Severity.CRITICAL
    assert preflight(PLAN, (SQL,), seen, NOW).untried is (
        case in ("never tried", "drill that is too old", "drill that failed")
    )
    assert not preflight(PLAN, (SQL,), replace(seen, measured=()), NOW).untried


def test_reasons_are_told_together_the_data_first():
    seen = replace(believed(port_2=BAD), measured=(), history=USED)
    text, _ = judged(seen=seen)
    assert text == (
        "not ready to move to secours: nobody can say how far the database is behind; port-2 fails: refused"
    )


def test_what_the_plan_has_yet_to_start_may_fail_but_must_be_seen():
    assert judged(COLD, believed(port_2=BAD))[0] == "ready to move to secours"
    assert judged(COLD, believed(port_2=BLIND))[0].endswith("port-2 cannot be seen: no answer")
    assert judged(COLD, believed(sql_2_ping=BAD))[0].endswith("sql-2-ping fails: refused")


def test_one_fence_that_works_suffices_and_the_other_is_remarked():
    found = preflight(PLAN, (SQL,), believed(router_ping=BAD), NOW)
    assert found.ready
    assert [ENGLISH.render(one) for one in found.remarks] == [
        "one fence of centre could not be used: router-ping fails: refused"
    ]


def test_a_fence_that_nobody_used_and_a_guard_that_nobody_watches_are_remarked():
    plan = replace(PLAN, fences=(Guarded(CENTRE, timedelta(seconds=10)),))
    found = preflight(plan, (SQL,), replace(GOOD, history=(DRILLED,)), NOW)
    assert found.ready
    assert [ENGLISH.render(one) for one in found.remarks] == [
        "nobody watches whether the guard of centre runs",
        "no fence of centre was used yet in a move",
    ]


@pytest.mark.parametrize(("state", "ready"), [(OK, True), (BAD, False), (BLIND, False)])
def test_the_guard_of_the_new_site_has_to_run(state: Believed, ready: bool) -> None:
    there = CheckId("guard-2")
    plan = replace(PLAN, fences=(*PLAN.fences, Guarded(SECOURS, timedelta(seconds=10), there)))
    seen = replace(GOOD, checks={**GOOD.checks, there: state})
    text, severity = judged(plan, seen)
    assert (severity is Severity.OK) is ready
    assert ("nothing is started at secours without its guard" in text) is not ready


def test_a_site_of_which_nothing_is_known_is_no_place_to_go():
    plan = replace(PLAN, parts={})
    text, _ = judged(plan, replace(GOOD, gates={}))
    assert text == "not ready to move to secours: nothing says whether secours is there"


def test_after_a_move_the_way_back_is_judged():
    found = preflight(PLAN, (SQL,), replace(GOOD, history=USED[:1]), NOW)
    assert (found.runs_at, found.to) == (SECOURS, CENTRE)
    assert found.exercised_at == USED[0].ended_at


def test_where_nobody_knows_where_it_runs_that_comes_first_and_is_critical():
    broken = moved(Direction.FAILOVER, SECOURS, DAY, ok=False)
    text, severity = judged(seen=replace(GOOD, history=(*USED, DRILLED, broken)))
    assert text == "not ready to move to secours: the last move did not end well: nobody knows where CRM runs"
    assert severity is Severity.CRITICAL


def test_while_a_move_is_under_way_none_is_ready_and_none_is_missed():
    seen = replace(GOOD, moving="F26-0003", checks={})
    found = preflight(PLAN, (SQL,), seen, NOW)
    assert (found.ready, found.severity) == (False, Severity.OK)
    assert ENGLISH.render(found.text) == "the move F26-0003 is under way"


def test_a_move_that_waits_for_an_answer_of_which_nobody_was_told_is_critical():
    """Where it belongs to an incident, that one calls people."""
    found = preflight(PLAN, (SQL,), replace(GOOD, moving="F26-0003", asked=say("Again?")), NOW)
    assert (found.ready, found.severity) == (False, Severity.CRITICAL)
    assert ENGLISH.render(found.alarm) == "the move F26-0003 asks: Again?"


NAMES = {CENTRE: ("secours", "voters", "ocm")}
LOST = (
    "it moves by itself once centre is lost: seen down by 2 of these at least, and up by none: secours, the voters, ocm"
)


@pytest.mark.parametrize(
    ("start", "mode", "told"),
    [
        (Start.PERSON, Mode.QUORUM, []),
        (Start.ON_LOSS, Mode.QUORUM, [LOST]),
        (Start.BY, Mode.QUORUM, [LOST, "it moves by itself when an incident that it answers has lasted for 5\xa0h"]),
        *(
            (
                start,
                Mode.PAIR,
                [
                    "a person begins the move, whatever `start` says: without three voters nobody else can tell a lost "
                    "site from a cut link"
                ],
            )
            for start in (Start.ON_LOSS, Start.BY)
        ),
    ],
)
def test_who_wrote_that_a_group_moves_by_itself_is_told_when_it_does(start, mode, told):
    by = timedelta(hours=5) if start is Start.BY else None
    found = preflight(replace(PLAN, start=start, by=by), (SQL,), replace(GOOD, mode=mode, vantages=NAMES), NOW)
    assert found.ready
    assert [ENGLISH.render(one) for one in found.remarks] == told
