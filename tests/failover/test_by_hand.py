"""Whether a person may begin a move."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from failover.by_hand import may_start
from failover.ground import Act, Group, History, Hold, LeaseSeen, Move, Seen, Why, Word
from failover.loss import Loss
from failover.model import DataSetId, Drill, Guarded, Mode, Part, Plan, PlanId, SiteId
from failover.phases import Direction
from failover.vantage import Sight, Sighted
from monitor.core.text import ENGLISH, Text, say

CENTRE, SECOURS, TEMOIN, CRM = SiteId("centre"), SiteId("secours"), SiteId("temoin"), PlanId("crm")
SWITCHOVER, FAILOVER, FAILBACK, DRILL = Direction
NOW = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PLAN = Plan(
    CRM,
    "CRM",
    CENTRE,
    SECOURS,
    {SECOURS: Part(drill=Drill((), (), ()))},
    (Guarded(CENTRE, timedelta(seconds=10)),),
    timedelta(minutes=30),
    lag_ceiling=5 * MINUTE,
)
LOST, UP = Sighted(Sight.LOST, (), ("client", "secours")), Sighted(Sight.UP, ("client", "secours"))
LOSS = Loss(MINUTE, (DataSetId("crm-db"),), known=True, measured_at=NOW)
SEEN = Seen({CENTRE: UP, SECOURS: UP}, {CRM: Group(LOSS, None, None)})
LEASE = LeaseSeen(Mode.PAIR, timedelta(seconds=12))
HERE: History = ()


def left_at(site: SiteId | None, ago: timedelta = timedelta(days=2)) -> History:
    """A failover that left the group there."""
    return (Move(FAILOVER, SECOURS, NOW - ago - MINUTE, NOW - ago, "awa", site == SECOURS, site),)


def sites(centre: Sighted, secours: Sighted) -> dict[str, Any]:
    return {"sites": {CENTRE: centre, SECOURS: secours}}


def group(**more: Any) -> dict[str, Any]:
    return {"groups": {CRM: replace(SEEN.groups[CRM], **more)}}


def ask(direction: Direction, seen: dict[str, Any], history: History = HERE, **more: Any) -> Hold | Act:
    return may_start(PLAN, direction, replace(SEEN, **seen), more.pop("lease", LEASE), history, NOW, **more)


@pytest.mark.parametrize(
    ("direction", "history", "source", "target"),
    [
        (SWITCHOVER, HERE, CENTRE, SECOURS),
        (FAILOVER, HERE, CENTRE, SECOURS),
        (DRILL, HERE, CENTRE, SECOURS),
        (SWITCHOVER, left_at(SECOURS), SECOURS, CENTRE),
        (FAILBACK, left_at(SECOURS), SECOURS, CENTRE),
        (FAILOVER, left_at(None), CENTRE, SECOURS),
    ],
)
def test_a_person_is_asked_with_what_will_be_lost_and_a_yes_to_exactly_this_is_one_to_it(
    direction: Direction, history: History, source: SiteId, target: SiteId
) -> None:
    act = ask(direction, {}, history)
    assert isinstance(act, Act)
    assert (act.source, act.target) == (source, target)
    assert act.needs_word is not None
    if direction is FAILOVER:
        assert "at most the last 1 min of crm-db" in ENGLISH.render(act.needs_word).replace("\u00a0", " ")
    for to in (target, source):
        word = Word("awa", NOW, direction, to, act.loss.at_most)
        assert word.covers(act.direction, act.target, act.loss, NOW) is (to == target)


def test_a_group_that_runs_nowhere_starts_where_the_person_says() -> None:
    act = ask(FAILOVER, {}, left_at(None), target=CENTRE)
    assert isinstance(act, Act)
    assert (act.source, act.target) == (SECOURS, CENTRE)


@pytest.mark.parametrize(
    ("why", "direction", "seen", "history", "more"),
    [
        *((Why.MOVING, direction, group(moving="F26-0003"), HERE, {}) for direction in Direction),
        *((Why.HALTED, direction, {"halted": True}, HERE, {}) for direction in Direction),
        *((Why.NOWHERE, direction, {}, left_at(None), {}) for direction in (SWITCHOVER, FAILBACK, DRILL)),
        (Why.ALREADY, FAILBACK, {}, HERE, {}),
        (Why.ALREADY, SWITCHOVER, {}, HERE, {"target": CENTRE}),
        (Why.ALREADY, FAILOVER, {}, HERE, {"target": TEMOIN}),
        (Why.ALREADY, DRILL, {}, HERE, {"target": CENTRE}),
        (Why.SOURCE, SWITCHOVER, sites(LOST, UP), HERE, {}),
        (Why.SOURCE, SWITCHOVER, sites(Sighted(Sight.UNSEEN), UP), HERE, {}),
        (Why.TARGET, SWITCHOVER, sites(UP, Sighted(Sight.UNSEEN)), HERE, {}),
        (Why.TARGET, FAILOVER, sites(UP, LOST), HERE, {}),
        (Why.TARGET, DRILL, sites(UP, LOST), HERE, {}),
        (Why.LAG, SWITCHOVER, group(loss=replace(LOSS, known=False)), HERE, {}),
        (Why.INCIDENT, DRILL, group(incident=NOW), HERE, {}),
        (Why.INCIDENT, DRILL, sites(Sighted(Sight.SPLIT), UP), HERE, {}),
        (Why.NO_DRILL, DRILL, {}, left_at(SECOURS), {}),
        *(
            (Why.NOT_FENCED, direction, group(unfenced=say("no route")), HERE, {})
            for direction in (SWITCHOVER, FAILOVER)
        ),
        *((Why.LEASE, direction, {}, HERE, {"lease": LeaseSeen(Mode.PAIR)}) for direction in (SWITCHOVER, FAILOVER)),
    ],
)
def test_some_things_hold_for_a_person_too(
    why: Why, direction: Direction, seen: dict[str, Any], history: History, more: dict[str, Any]
) -> None:
    held = ask(direction, seen, history, **more)
    assert isinstance(held, Hold)
    assert held.why is why
    assert "{" not in ENGLISH.render(held.text) + ENGLISH.render(held.lifted_by)


@pytest.mark.parametrize(
    ("direction", "seen", "history", "words"),
    [
        (FAILOVER, {}, HERE, "a switchover would lose nothing"),
        (FAILOVER, {"clock": False}, HERE, "what time it is"),
        (FAILOVER, group(work="patch"), HERE, "work is announced: patch"),
        (FAILOVER, group(loss=replace(LOSS, at_most=6 * MINUTE)), HERE, "more may be lost than the plan allows"),
        (FAILOVER, group(loss=Loss(None, (), known=False)), HERE, "nobody can say how much"),
        (FAILBACK, {}, left_at(SECOURS, MINUTE), "the last move was less than"),
        (DRILL, group(work="patch"), HERE, "work is announced"),
    ],
)
def test_what_would_hold_releve_alone_is_remarked_to_a_person(
    direction: Direction, seen: dict[str, Any], history: History, words: str
) -> None:
    act = ask(direction, seen, history)
    assert isinstance(act, Act)
    assert words in "; ".join(ENGLISH.render(one) for one in act.remarks)


@pytest.mark.parametrize("vain", [False, True])
def test_a_lost_site_is_left_without_a_remark_also_after_a_try_that_came_to_nothing(vain: bool) -> None:
    tried = (Move(FAILOVER, SECOURS, NOW - MINUTE, NOW, "awa", False, CENTRE, vain=True),) if vain else ()
    act = ask(FAILOVER, sites(LOST, UP), tried)
    assert isinstance(act, Act)
    assert act.remarks == ()


def test_a_drill_needs_no_lease() -> None:
    assert isinstance(ask(DRILL, {}, lease=LeaseSeen(Mode.SINGLE)), Act)


@pytest.mark.parametrize(
    ("direction", "history", "untold", "held"),
    [
        (FAILBACK, left_at(SECOURS), {CENTRE: say("no answer")}, True),
        (FAILBACK, left_at(SECOURS), {SECOURS: say("no answer")}, False),
        (FAILBACK, left_at(SECOURS), {}, False),
        (FAILOVER, left_at(None), {CENTRE: say("no answer")}, False),
        (SWITCHOVER, HERE, {CENTRE: say("no answer")}, False),
        (DRILL, left_at(SECOURS), {CENTRE: say("no answer")}, False),
    ],
)
def test_no_move_begins_what_a_guard_that_hears_nothing_of_it_would_stop(
    direction: Direction, history: History, untold: dict[SiteId, Text], held: bool
) -> None:
    drilled = Part(drill=Drill((), (), ()))
    plan = replace(PLAN, parts={CENTRE: drilled, SECOURS: drilled})
    answer = may_start(plan, direction, SEEN, LEASE, history, NOW, untold=untold)
    assert (isinstance(answer, Hold) and answer.why is Why.GUARD) is held
    if isinstance(answer, Hold):
        assert "the guard there cannot be told: no answer" in ENGLISH.render(answer.text)


@pytest.mark.parametrize(("history", "remarked"), [(HERE, False), (left_at(SECOURS), True)])
def test_a_drill_at_a_guarded_site_is_told_what_the_guard_does(history: History, remarked: bool) -> None:
    drilled = Part(drill=Drill((), (), ()))
    plan = replace(PLAN, parts={CENTRE: drilled, SECOURS: drilled})
    act = may_start(plan, DRILL, SEEN, LEASE, history, NOW)
    assert isinstance(act, Act)
    told = [one for one in act.remarks if "the guard at centre stops" in ENGLISH.render(one)]
    assert bool(told) is remarked
