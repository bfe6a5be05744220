"""A run is what its journal says: whatever was written, and wherever it ends, it can be read and gone on with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.ids import CheckId, IncidentId, NodeId
from monitor.core.text import Quantity, say
from runbooks.contract import Action, Effect
from runbooks.run import (
    ActionState,
    Run,
    RunEvent,
    RunEventKind,
    RunId,
    RunState,
    action_from_json,
    action_to_json,
    event_from_json,
    event_to_json,
    fold,
    replay,
)

AT = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
NAME = RunId("R26-0001")
PLAN = (
    Action("archive", {"until": 75.0}, NodeId("hmp"), Effect.CHANGES, say("archive {n}", n=3)),
    Action("service-restart", {"check": "onnet"}, NodeId("sql"), Effect.DISRUPTS, say("restart"), timedelta(seconds=5)),
    Action("ask", {}, NodeId("hmp"), Effect.READS, say("go on?"), asks=True),
)


def event(kind: RunEventKind, action: int | None = None, **data: object) -> RunEvent:
    return RunEvent(NAME, AT, kind, "releve", say("what {x}", x=Quantity(1.5, "s")), action, data)


STARTED = event(
    RunEventKind.STARTED,
    runbook="purge-audio",
    version="abc",
    book={"runbook": "purge-audio"},
    subject="hmp-disk",
    node="hmp",
    incident="26-0007",
    plan=[action_to_json(action) for action in PLAN],
    live=True,
)
ATTEMPT = event(RunEventKind.ATTEMPT)


def run(*events: RunEvent) -> Run:
    return replay((STARTED, ATTEMPT, *events))[NAME]


@pytest.mark.parametrize("action", PLAN)
def test_an_action_is_read_as_it_was_written(action):
    assert action_from_json(action_to_json(action)) == action


@pytest.mark.parametrize("one", [STARTED, event(RunEventKind.INTENT, 1, before={"pid": 4})])
def test_an_event_is_read_as_it_was_written(one):
    assert event_from_json(event_to_json(one)) == one


def test_a_run_begins_with_its_plan_and_touches_every_device_in_it():
    begun = replay([STARTED])[NAME]
    assert (begun.state, begun.attempt, begun.plan, begun.actions) == (RunState.RUNNING, 0, PLAN, ())
    assert (begun.subject, begun.incident) == (CheckId("hmp-disk"), IncidentId("26-0007"))
    assert begun.targets == {"hmp", "sql"}


def test_nothing_but_a_beginning_makes_a_run():
    assert fold(None, ATTEMPT) is None
    assert replay([ATTEMPT, event(RunEventKind.OUTCOME, 0, ok=True)]) == {}


def test_an_intent_without_outcome_leaves_its_action_unknown_with_the_image_before_it():
    (action, *_) = run(event(RunEventKind.INTENT, 0, before={"pid": 4})).actions
    assert (action.state, action.before, action.intent_at, action.tries) == (ActionState.UNKNOWN, {"pid": 4}, AT, 1)


def test_a_void_intent_may_be_begun_again():
    found = run(event(RunEventKind.INTENT, 0, before={}), event(RunEventKind.VOID, 0))
    assert (found.actions[0].state, found.actions[0].tries) == (ActionState.PENDING, 1)


@pytest.mark.parametrize(("ok", "state"), [(True, ActionState.DONE), (False, ActionState.FAILED)])
def test_an_outcome_decides_and_a_failure_fails_the_attempt(ok, state):
    found = run(
        event(RunEventKind.INTENT, 0, before={}),
        event(RunEventKind.OUTCOME, 0, ok=ok, changed=True, evidence={"pid": 9}, output="words"),
    )
    action = found.actions[0]
    assert (action.state, action.evidence, action.output, action.changed) == (state, {"pid": 9}, "words", True)
    assert (found.failed_at is None) is ok


def test_a_question_holds_the_run_and_a_yes_lets_it_do_that_one_thing():
    asked = run(event(RunEventKind.ASKED, 1))
    assert asked.question is not None
    assert (asked.state, asked.question.action) == (RunState.WAITING, 1)
    yes = fold(asked, event(RunEventKind.ANSWERED, 1))
    assert yes is not None
    assert (yes.state, yes.question, yes.actions[1].approved_at, yes.actions[0].approved_at) == (
        RunState.RUNNING, None, AT, None,
    )  # fmt: skip


def test_a_new_attempt_begins_afresh_and_forgets_what_was_approved():
    found = run(
        event(RunEventKind.ASKED, 1),
        event(RunEventKind.ANSWERED, 1),
        event(RunEventKind.OUTCOME, 0, ok=False),
        ATTEMPT,
    )
    assert (found.attempt, found.failed_at) == (2, None)
    assert all(action.state is ActionState.PENDING and action.approved_at is None for action in found.actions)


def test_a_proof_that_fails_fails_the_attempt():
    assert run(event(RunEventKind.PROOF, ok=True, severity="ok")).failed_at is None
    found = run(event(RunEventKind.PROOF, ok=False, severity="critical"))
    assert found.failed_at == AT
    assert found.proof is not None
    assert not found.proof.ok


@pytest.mark.parametrize("state", [state for state in RunState if state.over])
def test_an_ended_run_is_over(state):
    found = run(event(RunEventKind.ASKED, 1), event(RunEventKind.ENDED, state=state.value))
    assert (found.state, found.ended_at, found.question) == (state, AT, None)


def test_nothing_moves_a_run_that_is_over():
    over = run(event(RunEventKind.ASKED, 1), event(RunEventKind.ENDED, state="stopped"))
    for late in (
        event(RunEventKind.ANSWERED, 1),
        event(RunEventKind.ENDED, state="refused"),
        event(RunEventKind.ATTEMPT),
        event(RunEventKind.PROOF, ok=False, severity="critical"),
    ):
        moved = fold(over, late)
        assert moved == replace(over, log=(*over.log, late))


def test_a_second_look_that_fails_does_not_put_the_next_attempt_off():
    later = replace(event(RunEventKind.PROOF, ok=False, severity="critical"), at=AT + timedelta(seconds=5))
    found = run(event(RunEventKind.PROOF, ok=False, severity="critical"), later)
    assert (found.failed_at, found.proof and found.proof.at) == (AT, later.at)
    assert (
        run(event(RunEventKind.OUTCOME, 0, ok=False), event(RunEventKind.PROOF, ok=True, severity="ok")).failed_at
        is None
    )


KINDS = st.sampled_from([kind for kind in RunEventKind if kind is not RunEventKind.STARTED])


@st.composite
def events(draw: st.DrawFn) -> RunEvent:
    kind = draw(KINDS)
    data = {
        RunEventKind.INTENT: {"before": {}},
        RunEventKind.OUTCOME: {"ok": draw(st.booleans())},
        RunEventKind.PROOF: {"ok": draw(st.booleans()), "severity": "critical"},
        RunEventKind.ENDED: {"state": "failed"},
    }.get(kind, {})
    return event(kind, draw(st.integers(0, 2)), **data)


@given(st.lists(events(), max_size=12))
def test_any_journal_can_be_read_and_keeps_every_line(journal):
    found = replay([STARTED, *journal])[NAME]
    assert found.log == (STARTED, *journal)
    assert len(found.actions) in (0, len(PLAN))
    assert (found.question is not None) <= (found.state is RunState.WAITING)
