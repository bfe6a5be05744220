"""Whether a run may start, and what it does next: a reason each time, and never a harmful one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.health import Health
from monitor.core.ids import CheckId, IncidentId, NodeId
from monitor.core.text import ENGLISH, say
from monitor.core.topology import Node, Topology
from monitor.core.verdict import Severity
from runbooks.book import Book, Budget, book_from_json
from runbooks.contract import Action, Effect
from runbooks.decide import (
    YES_LASTS,
    AskFirst,
    Attempt,
    Carry,
    End,
    Footing,
    Hold,
    Prove,
    Rest,
    Settle,
    Start,
    Tried,
    Wait,
    Why,
    attempts,
    may_start,
    next_move,
    spent,
)
from runbooks.run import (
    ActionRecord,
    ActionState,
    Proof,
    Question,
    Run,
    RunEvent,
    RunEventKind,
    RunId,
    RunState,
)

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
HMP, ROUTER = NodeId("hmp"), NodeId("router")
DISK, PING, ROUTER_PING = CheckId("hmp-disk"), CheckId("hmp-ping"), CheckId("router-ping")
TOPOLOGY = Topology(
    {HMP: Node(HMP, (ROUTER,), (PING,)), ROUTER: Node(ROUTER, (), (ROUTER_PING,))},
    {DISK: HMP, PING: HMP, ROUTER_PING: ROUTER},
)


def book(**keys: object) -> Book:
    return book_from_json(
        {
            "runbook": "purge-audio",
            "title": {"fr": "Purger", "en": "Purge"},
            "budget": {"attempts": 3, "within": "1 h"},
            "cooldown": "30s",
            "steps": [{"step": "ask", "text": "go on?"}],
            **keys,
        }
    )


def health(severity: Severity, *, down: bool = False) -> Health:
    return Health(severity, severity, 3, 0, NOW, NOW, NOW, ok_at=NOW, down=down)


OK, BAD = health(Severity.OK), health(Severity.CRITICAL, down=True)
WELL = {PING: OK, ROUTER_PING: OK, DISK: replace(BAD, down=False)}


def footing(**changes: object) -> Footing:
    return replace(Footing(TOPOLOGY, WELL, (), frozenset(), Budget(attempts=6)), **changes)


def tried(minutes: float, runbook: str = "purge-audio", target: NodeId = HMP) -> Tried:
    return Tried(runbook, target, frozenset({target}), NOW - timedelta(minutes=minutes))


def start(**changes: object) -> Start | Hold:
    return may_start(book(), DISK, {HMP}, footing(**changes), NOW)


def test_it_starts_when_the_device_answers_and_nothing_was_tried():
    assert start() == Start()


def test_it_starts_on_a_device_that_answers_although_what_lies_before_it_is_down():
    assert start(healths={**WELL, ROUTER_PING: BAD}) == Start()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"halted": True}, Why.HALTED),
        ({"busy": frozenset({HMP})}, Why.BUSY),
        ({"healths": {**WELL, PING: BAD}}, Why.COVERED),
        ({"healths": {**WELL, ROUTER_PING: BAD, PING: health(Severity.UNKNOWN)}}, Why.COVERED),
        ({"worked_on": {HMP: "patch"}}, Why.MAINTENANCE),
        ({"healths": {**WELL, PING: health(Severity.UNKNOWN)}}, Why.UNREACHABLE),
        ({"healths": {DISK: BAD, ROUTER_PING: OK}}, Why.UNREACHABLE),
        ({"healths": {**WELL, PING: replace(OK, latest=Severity.CRITICAL, fails=1)}}, Why.UNREACHABLE),
        ({"tried": (tried(0.2),)}, Why.RESTING),
        ({"tried": (tried(50), tried(40), tried(2))}, Why.SPENT),
        ({"tried": tuple(tried(n, f"other-{n}") for n in range(10, 16))}, Why.SPENT),
    ],
)
def test_it_holds_with_a_reason_that_can_be_read(changes, why):
    answer = start(**changes)
    assert isinstance(answer, Hold)
    assert answer.why is why
    assert "{" not in ENGLISH.render(answer.text)


@pytest.mark.parametrize(
    "changes",
    [
        {"busy": frozenset({ROUTER})},
        {"tried": (tried(61), tried(70), tried(80))},
        {"tried": (tried(5, target=ROUTER), tried(4, target=ROUTER), tried(3, target=ROUTER))},
        {"tried": tuple(tried(n, f"other-{n}") for n in range(10, 15))},
    ],
)
def test_what_was_elsewhere_or_long_ago_holds_nothing_back(changes):
    assert start(**changes) == Start()


PLAN = (
    Action("archive", {}, HMP, Effect.CHANGES, say("archive")),
    Action("service-restart", {}, HMP, Effect.DISRUPTS, say("restart"), timedelta(seconds=20)),
    Action("ask", {}, HMP, Effect.READS, say("go on?"), asks=True),
)
PENDING, DONE = ActionRecord(), ActionRecord(ActionState.DONE)
FAILED, UNKNOWN = ActionRecord(ActionState.FAILED), ActionRecord(ActionState.UNKNOWN, intent_at=NOW)
APPROVED = ActionRecord(approved_at=NOW)


def run(*actions: ActionRecord, **changes: object) -> Run:
    base = Run(
        RunId("R26-0001"),
        "purge-audio",
        "v",
        {},
        DISK,
        HMP,
        IncidentId("26-0001"),
        "releve",
        NOW,
        PLAN,
        attempt=1,
        actions=actions,
    )
    return replace(base, **changes)


def move(one: Run, **given: object) -> object:
    facts = {"armed": False, "halted": False, "well": False, "over": None, **given}
    return next_move(one, book(), NOW, **facts)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (run(attempt=0), Attempt()),
        (run(PENDING, PENDING, PENDING), Carry(0)),
        (run(UNKNOWN, PENDING, PENDING), Settle(0, NOW + PLAN[0].settle)),
        (run(DONE, UNKNOWN, PENDING), Settle(1, NOW + timedelta(seconds=20))),
        (run(DONE, APPROVED, PENDING), Carry(1)),
        (run(DONE, DONE, PENDING), AskFirst(2, PLAN[2].said)),
        (run(DONE, DONE, APPROVED), Carry(2)),
        (run(DONE, DONE, DONE), Prove()),
        (run(FAILED, PENDING, PENDING, failed_at=NOW - timedelta(seconds=10)), Rest(NOW + timedelta(seconds=20))),
        (run(FAILED, PENDING, PENDING, failed_at=NOW - timedelta(seconds=30)), Attempt()),
        (run(DONE, PENDING, PENDING, state=RunState.WAITING, question=Question(say("?"), 1, NOW)), Wait()),
    ],
)
def test_what_comes_next(one, expected):
    assert move(one) == expected


def test_announced_work_stops_a_run_between_two_attempts_and_leaves_nothing_half_done():
    text = say("work is announced")
    failed = run(FAILED, PENDING, PENDING, failed_at=NOW - timedelta(seconds=10))
    assert move(failed, work=text) == End(RunState.STOPPED, text)
    assert move(run(DONE, APPROVED, PENDING), work=text) == Carry(1)
    assert move(run(DONE, DONE, DONE), work=text) == Prove()
    assert move(failed, work=text, over=say("spent")).state is RunState.FAILED  # a person is called all the same


def test_what_disrupts_is_asked_unless_it_is_armed_and_a_question_is_always_asked():
    assert isinstance(move(run(DONE, PENDING, PENDING)), AskFirst)
    assert move(run(DONE, PENDING, PENDING), armed=True) == Carry(1)
    assert isinstance(move(run(DONE, DONE, PENDING), armed=True), AskFirst)


@pytest.mark.parametrize(
    ("one", "given", "state"),
    [
        (run(DONE, DONE, DONE, proof=Proof(True, "ok", say("ok"), NOW)), {}, RunState.SUCCEEDED),
        (run(FAILED, PENDING, PENDING, failed_at=NOW, attempt=3), {}, RunState.FAILED),
        (run(FAILED, PENDING, PENDING, failed_at=NOW), {"over": say("spent")}, RunState.FAILED),
        (run(PENDING, PENDING, PENDING), {"halted": True}, RunState.STOPPED),
        (run(attempt=0), {"halted": True}, RunState.STOPPED),
        (run(DONE, PENDING, PENDING, state=RunState.WAITING), {"halted": True}, RunState.STOPPED),
        (run(DONE, PENDING, PENDING, state=RunState.WAITING), {"well": True}, RunState.SUCCEEDED),
    ],
)
def test_how_a_run_ends(one, given, state):
    found = move(one, **given)
    assert isinstance(found, End)
    assert found.state is state


def test_a_simulation_that_was_cut_off_never_becomes_an_act():
    found = move(run(attempt=0, live=False))
    assert isinstance(found, End)
    assert found.state is RunState.SIMULATED


def test_an_emergency_stop_first_finds_out_what_became_of_the_action_in_hand():
    assert isinstance(move(run(UNKNOWN, PENDING, PENDING), halted=True), Settle)


def test_a_check_that_is_ok_by_chance_does_not_end_a_plan_that_goes_on():
    assert move(run(PENDING, PENDING, PENDING), well=True) == Carry(0)


def test_what_a_person_began_while_all_was_well_waits_for_its_answer_and_fails_as_a_failure():
    begun = run(DONE, DONE, PENDING, state=RunState.WAITING, incident=None, started_by="uid:0")
    assert move(begun, well=True) == Wait()
    failed = run(FAILED, PENDING, PENDING, failed_at=NOW, incident=None, attempt=3)
    found = move(failed, well=True)
    assert isinstance(found, End)
    assert found.state is RunState.FAILED


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (
            run(replace(FAILED, text=say("no log-in")), PENDING, PENDING, failed_at=NOW, attempt=3),
            "without lasting effect (attempts: 3); the last failure: no log-in",
        ),
        (
            run(DONE, DONE, DONE, proof=Proof(False, "critical", say("91% full"), NOW), failed_at=NOW, attempt=3),
            "without lasting effect (attempts: 3); the last failure: 91% full",
        ),
    ],
)
def test_the_end_of_a_run_that_failed_says_what_its_last_attempt_failed_for(one, said):
    found = move(one)
    assert isinstance(found, End)
    assert ENGLISH.render(found.text) == said
    spent_before = move(replace(one, attempt=1), over=say("spent"))
    assert isinstance(spent_before, End)
    assert ENGLISH.render(spent_before.text) == f"spent; {said.partition('; ')[2]}"


def test_each_attempt_of_a_run_counts_towards_the_budget():
    begun = [RunEvent(RunId("R26-0001"), NOW, RunEventKind.ATTEMPT, "releve", say("attempt")) for _ in range(3)]
    counted = attempts([replace(run(), log=tuple(begun))])
    assert [one.targets for one in counted] == [frozenset({HMP})] * 3
    assert spent(book(), HMP, {HMP}, footing(tried=counted[:2]), NOW) is None
    assert spent(book(), HMP, {HMP}, footing(tried=counted), NOW) is not None
    assert spent(book(), ROUTER, {ROUTER}, footing(tried=counted), NOW) is None


def test_what_is_ok_after_a_failure_is_looked_at_until_it_stays_once_between_two_attempts():
    failed = NOW - timedelta(seconds=10)
    of_an_incident = run(FAILED, PENDING, PENDING, failed_at=failed, incident=IncidentId("26-0001"))
    assert move(of_an_incident, well=True) == Prove()
    lasted = Proof(True, "ok", say("ok"), NOW)
    ended = move(replace(of_an_incident, proof=lasted, failed_at=None), well=True)
    assert isinstance(ended, End)
    assert ended.state is RunState.SUCCEEDED
    wavered = replace(of_an_incident, proof=replace(lasted, ok=False))
    assert move(wavered, well=True) == Rest(failed + timedelta(seconds=30))


def test_a_yes_counts_for_a_while_and_is_asked_for_again_afterwards():
    for effect in (1, 2):  # what disrupts, and what asks
        actions = [DONE, DONE, DONE]
        actions[effect] = ActionRecord(approved_at=NOW - YES_LASTS)
        assert move(run(*actions)) == Carry(effect)
        actions[effect] = ActionRecord(approved_at=NOW - YES_LASTS - timedelta(seconds=1))
        assert isinstance(move(run(*actions)), AskFirst)
    once_more = ActionRecord(approved_at=NOW - timedelta(hours=7), tries=1)
    assert isinstance(move(run(once_more, PENDING, PENDING)), AskFirst), "whether it was done, nobody could tell"


def test_a_run_whose_check_is_gone_ends_whatever_it_did():
    for one in (run(UNKNOWN, PENDING, PENDING), run(DONE, PENDING, PENDING, state=RunState.WAITING), run(attempt=0)):
        ended = move(one, gone=True)
        assert isinstance(ended, End)
        assert ended.state is RunState.FAILED


def test_nobody_rests_until_a_failure_that_lies_ahead_of_a_clock_that_was_set_back():
    assert move(run(FAILED, PENDING, PENDING, failed_at=NOW + timedelta(hours=5))) == Attempt()


def test_two_recorders_that_share_an_archive_do_not_use_up_each_others_attempts():
    other = tuple(Tried("purge-audio", ROUTER, frozenset({ROUTER, NodeId("nas")}), NOW) for _ in range(3))
    assert may_start(book(), DISK, {HMP, NodeId("nas")}, footing(tried=other), NOW) == Start()
