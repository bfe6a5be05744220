"""How long a planned move excuses what it stops and starts, and what that is: by its journal alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from failover.model import Drill, Part, Plan, PlanId, SiteId
from failover.phases import Phase
from failover.run import Move, MoveEvent, MoveEventKind, MoveId, replay
from failover.task import Task, task_to_json
from failover.underway import ANSWERED_WITHIN, named, span_of, touched
from monitor.core.ids import CheckId, NodeId
from monitor.core.maintenance import Span
from monitor.core.text import say, text_to_json
from runbooks.contract import Action, Effect

BEGAN = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
CENTRE, SECOURS = SiteId("centre"), SiteId("secours")
RTO = timedelta(minutes=30)
PLAN = Plan(
    PlanId("crm"), "CRM", CENTRE, SECOURS,
    {
        CENTRE: Part(verify=(CheckId("web-1"), CheckId("calls"))),
        SECOURS: Part(verify=(CheckId("web-2"), CheckId("calls")), drill=Drill((), (CheckId("rehearsal"),), ())),
    },
    (), RTO,
)  # fmt: skip
STARTED, PHASE, ASKED, ANSWERED = (
    MoveEventKind.STARTED,
    MoveEventKind.PHASE,
    MoveEventKind.ASKED,
    MoveEventKind.ANSWERED,
)


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def task(target: str, effect: Effect, **params: Any) -> dict[str, Any]:
    return task_to_json(Task(Phase.STOP, 0, CENTRE, Action("command", params, NodeId(target), effect, say("it is"))))


def move(direction: str, *events: tuple[float, MoveEventKind, Mapping[str, Any]], tasks: tuple[Any, ...] = ()) -> Move:
    begun = {
        "plan": {"id": "crm"}, "direction": direction, "source": "centre", "target": "secours", "tasks": tasks,
        "data": [{"id": "crm-db", "rpo": 300.0, "checks": ["lag"]}], "since": BEGAN.isoformat(),
        "reason": text_to_json(say("works")), "loss": None, "incident": None,
    }  # fmt: skip
    name = MoveId("F26-0001")
    log = [MoveEvent(name, at(seconds), kind, "uid:0", say("it goes on"), None, data) for seconds, kind, data in events]
    return replay([MoveEvent(name, BEGAN, STARTED, "uid:0", say("begun"), None, begun), *log])[name]


ANNOUNCED, STOPPING = (1, PHASE, {"phase": "announce"}), (20, PHASE, {"phase": "stop"})
QUESTION, YES = (60, ASKED, {}), (300, ANSWERED, {})


@pytest.mark.parametrize(
    ("direction", "events", "span"),
    [
        ("switchover", (), None),
        ("switchover", (ANNOUNCED,), None),  # nothing is stopped yet: what fails now fails by itself
        ("switchover", (ANNOUNCED, STOPPING), Span(at(20), at(20) + RTO)),
        ("failback", (ANNOUNCED, STOPPING, (40, PHASE, {"phase": "start"})), Span(at(20), at(20) + RTO)),
        ("switchover", (ANNOUNCED, STOPPING, QUESTION), Span(at(20), at(60) + ANSWERED_WITHIN)),
        ("switchover", (ANNOUNCED, STOPPING, QUESTION, YES), Span(at(20), at(20) + RTO)),
        ("switchover", (STOPPING, (3000, ASKED, {})), Span(at(20), at(20) + RTO)),
        ("switchover", (ANNOUNCED, QUESTION), None),
        ("drill", (ANNOUNCED, (9, PHASE, {"phase": "sync"})), Span(at(9), at(9) + RTO)),
        ("failover", (ANNOUNCED, (9, PHASE, {"phase": "fence"})), None),  # its incident is open
    ],
)
def test_it_excuses_from_its_first_action_for_as_long_as_its_plan_says_and_not_while_it_waits_for_a_person(
    direction, events, span
):
    assert span_of(move(direction, *events), PLAN) == span


@pytest.mark.parametrize(
    ("direction", "tasks", "checks"),
    [
        ("switchover", (), {"web-1", "web-2", "calls", "lag"}),
        ("failback", (task("sql-1", Effect.READS, check="port"),), {"web-1", "web-2", "calls", "lag", "port"}),
        ("drill", (task("web-2", Effect.CHANGES, check="onnet", verb="start"),), {"rehearsal", "onnet"}),
    ],
)
def test_what_it_is_seen_by_is_its_work_and_a_drill_leaves_the_site_that_runs_alone(direction, tasks, checks):
    moving = move(direction, STOPPING, tasks=tasks)
    assert named(moving, PLAN) == checks


def test_what_it_only_looks_at_it_does_not_touch():
    tasks = (task("sql-1", Effect.READS), task("web-1", Effect.DISRUPTS), task("web-2", Effect.CHANGES))
    assert touched(move("switchover", STOPPING, tasks=tasks)) == {"web-1", "web-2"}
