"""A move is the fold of its events."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from failover.ground import past
from failover.model import SiteId
from failover.phases import Phase
from failover.run import Move, MoveEvent, MoveEventKind, MoveId, MoveState, fold, replay
from failover.run_json import event_from_json, event_to_json
from failover.task import Task, task_to_json
from monitor.core.events import RELEVE
from monitor.core.ids import NodeId
from monitor.core.text import say, text_to_json
from runbooks.contract import Action, Effect
from runbooks.run import ActionState

CENTRE, SECOURS = SiteId("centre"), SiteId("secours")
NAME = MoveId("F26-0001")
BEGAN = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
STOP, START, SWITCH, AGAIN = 0, 1, 2, 3


def task(phase: Phase, site: SiteId) -> Task:
    return Task(phase, 0, site, Action("ask", {"text": "?"}, NodeId("pbx"), Effect.READS, say("it is asked")))


def event(kind: MoveEventKind, n: int | None = None, *, seconds: float = 1, **data: Any) -> MoveEvent:
    return MoveEvent(NAME, BEGAN + timedelta(seconds=seconds), kind, "releve", say("it goes on"), n, data)


def started(direction: str = "switchover") -> MoveEvent:
    tasks = (
        task(Phase.STOP, CENTRE),
        task(Phase.START, SECOURS),
        task(Phase.SWITCH, SECOURS),
        task(Phase.BACK, CENTRE),
    )
    return event(
        MoveEventKind.STARTED,
        seconds=0,
        plan={"id": "crm"},
        direction=direction,
        source="centre",
        target="secours",
        tasks=[task_to_json(one) for one in tasks],
        data=[{"id": "crm-db", "rpo": 300.0, "checks": ["lag"]}],
        since=BEGAN.isoformat(),
        reason=text_to_json(say("works")),
        loss=None,
        before=3,
        incident=None,
    )


def intent(n: int) -> MoveEvent:
    return event(MoveEventKind.INTENT, n, before={"pid": 7}, token=4)


def outcome(n: int, *, ok: bool) -> MoveEvent:
    return event(MoveEventKind.OUTCOME, n, ok=ok)


def phase(which: Phase, seconds: float = 1) -> MoveEvent:
    return event(MoveEventKind.PHASE, seconds=seconds, phase=which.value)


def ended(state: MoveState) -> MoveEvent:
    return event(MoveEventKind.ENDED, seconds=90, state=state.value, rto=42.0, rpo=0.0)


def move_of(*events: MoveEvent, direction: str = "switchover") -> Move:
    return replay((started(direction), *events))[NAME]


def test_nothing_but_a_start_begins_a_move():
    assert fold(None, phase(Phase.STOP)) is None


def test_an_intent_without_outcome_leaves_its_task_unknown_with_its_image_and_its_token():
    move = move_of(phase(Phase.STOP), intent(STOP))
    assert (move.records[STOP].state, move.records[STOP].before, move.token) == (ActionState.UNKNOWN, {"pid": 7}, 4)


def test_what_came_to_nothing_may_be_carried_out_again():
    move = move_of(phase(Phase.STOP), intent(STOP), event(MoveEventKind.VOID, STOP))
    assert (move.records[STOP].state, move.records[STOP].tries) == (ActionState.PENDING, 1)


def test_a_phase_ends_when_the_next_begins():
    move = move_of(phase(Phase.STOP, 1), phase(Phase.FENCE, 5))
    assert [(span.phase, span.ended) for span in move.spans] == [
        (Phase.STOP, BEGAN + timedelta(seconds=5)),
        (Phase.FENCE, None),
    ]


def test_a_yes_lets_the_failed_task_be_tried_again_and_forgets_the_failure():
    asked = event(MoveEventKind.ASKED, START)
    move = move_of(phase(Phase.START), intent(START), outcome(START, ok=False), asked)
    assert (move.state, move.failed_at is not None) == (MoveState.WAITING, True)
    after = fold(move, event(MoveEventKind.ANSWERED, START))
    assert after is not None
    assert (after.state, after.records[START].state, after.failed_at) == (MoveState.RUNNING, ActionState.PENDING, None)


def test_a_move_that_is_over_is_moved_by_nothing():
    move = move_of(ended(MoveState.LEASE_LOST), intent(STOP))
    assert (move.state, move.records[STOP].state, len(move.log)) == (MoveState.LEASE_LOST, ActionState.PENDING, 3)


def test_a_check_that_fails_makes_the_phase_fail():
    proof = event(MoveEventKind.PROOF, phase="verify", check="web-2", ok=False, severity="critical", lag=None)
    move = move_of(phase(Phase.VERIFY), proof)
    assert (move.failed_at, move.seen[0].ok) == (proof.at, False)


def test_the_times_that_were_reached_stand_in_the_end():
    move = move_of(ended(MoveState.SUCCEEDED))
    assert (move.rto, move.rpo) == (timedelta(seconds=42), timedelta(0))


SWITCHED = (phase(Phase.FENCE), phase(Phase.SWITCH), phase(Phase.VERIFY))
WENT_BACK = (phase(Phase.STOP), intent(STOP), phase(Phase.BACK), intent(AGAIN), outcome(AGAIN, ok=True))


@pytest.mark.parametrize(
    ("events", "direction", "site"),
    [
        ((), "switchover", CENTRE),
        ((phase(Phase.STOP),), "switchover", CENTRE),
        ((phase(Phase.STOP), intent(STOP)), "switchover", None),
        ((phase(Phase.FENCE),), "failover", None),
        ((phase(Phase.FENCE), ended(MoveState.SUCCEEDED)), "failover", SECOURS),
        ((phase(Phase.FENCE), ended(MoveState.FAILED)), "failover", None),
        (SWITCHED, "failover", SECOURS),
        ((*SWITCHED, ended(MoveState.REFUSED)), "failover", SECOURS),
        ((*SWITCHED, ended(MoveState.LEASE_LOST)), "failover", None),
        ((*SWITCHED[:-1], ended(MoveState.STOPPED)), "failover", None),
        (WENT_BACK, "switchover", CENTRE),
        ((*WENT_BACK, ended(MoveState.FAILED)), "switchover", CENTRE),
        ((*WENT_BACK[:-1], ended(MoveState.STOPPED)), "switchover", None),
        ((*WENT_BACK[:-2], ended(MoveState.STOPPED)), "switchover", None),
        ((phase(Phase.STOP), intent(STOP), phase(Phase.BACK)), "switchover", None),
        ((phase(Phase.UP), intent(START), ended(MoveState.FAILED)), "drill", CENTRE),
    ],
)
def test_where_the_group_runs_is_known_or_said_to_be_unknown(events, direction, site):
    assert move_of(*events, direction=direction).runs_at == site


def test_an_event_comes_out_of_the_journal_as_it_went_in():
    for one in (started(), intent(STOP), ended(MoveState.SUCCEEDED)):
        assert event_from_json(json.loads(json.dumps(event_to_json(one)))) == one


@pytest.mark.parametrize(
    ("events", "direction", "effect"),
    [
        ((), "failover", False),
        ((phase(Phase.ANNOUNCE),), "failover", False),
        ((phase(Phase.ANNOUNCE), phase(Phase.FENCE)), "failover", True),
        ((phase(Phase.ANNOUNCE), phase(Phase.STOP)), "switchover", False),
        ((phase(Phase.STOP), intent(STOP), event(MoveEventKind.VOID, STOP)), "switchover", False),
        ((phase(Phase.STOP), intent(STOP)), "switchover", True),
        ((phase(Phase.STOP), intent(STOP), outcome(STOP, ok=False), phase(Phase.BACK)), "switchover", True),
    ],
)
def test_a_move_is_vain_that_ended_before_anything_was_done_or_asked_of_a_site(
    events: tuple[MoveEvent, ...], direction: str, effect: bool
):
    move = move_of(*events, ended(MoveState.LEASE_LOST), direction=direction)
    assert move.had_effect is effect
    assert [one.vain for one in past([move])] == [not effect]


def test_where_a_group_runs_is_what_the_later_move_says_also_where_the_clock_was_set_back_in_between():
    away = move_of(ended(MoveState.SUCCEEDED))
    assert away.ended_at is not None
    home = replace(away, source=SECOURS, target=CENTRE, ended_at=away.ended_at - timedelta(hours=1))
    assert [one.runs_at for one in past([away, home])] == [SECOURS, CENTRE]


@pytest.mark.parametrize(
    ("by", "state", "vain"),
    [
        (RELEVE, MoveState.STOPPED, False),
        (RELEVE, MoveState.LEASE_LOST, True),
        (RELEVE, MoveState.FAILED, True),
        ("uid:1000", MoveState.STOPPED, True),
    ],
)
def test_what_releve_began_and_a_person_stopped_rests_the_group_however_early_it_was(
    by: str, state: MoveState, vain: bool
):
    """Else Relève would begin it again ten seconds after a person has said stop."""
    first = replace(started("failover"), actor=by)
    move = fold(fold(fold(None, first), phase(Phase.ANNOUNCE)), ended(state))
    assert move is not None
    assert [one.vain for one in past([move])] == [vain]
