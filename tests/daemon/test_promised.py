"""What is promised to whoever takes a group over, as far as that needs no voters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from failover.model import Continuity, DataSet, DataSetId, Etcd, How, Leases, Plan, PlanId, SiteId, Waits
from failover.promise_json import promised_to_json
from failover.run import Move, MoveEvent, MoveEventKind, MoveId, replay
from monitor.clock import SystemClock
from monitor.core.ids import NodeId
from monitor.core.text import say, text_to_json
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.promised import Promises, last_change, promised_to
from monitor.daemon.sighting import is_not_waited_for
from runbooks.contract import Promised

BEGAN = datetime(2026, 6, 1, 8, tzinfo=UTC)
PROMISED = Promised(NodeId("sql-2"), "7", 1, BEGAN)
CENTRE, SECOURS, CRM = SiteId("centre"), SiteId("secours"), DataSetId("crm")


def move_of(direction: str, token: int, *, state: str | None = "succeeded", phases: tuple[str, ...] = ()) -> Move:
    name = MoveId("F26-0001")

    def event(kind: MoveEventKind, **data: Any) -> MoveEvent:
        return MoveEvent(name, BEGAN, kind, "releve", say("so"), None, data)

    started = event(
        MoveEventKind.STARTED,
        plan={"id": "crm"},
        direction=direction,
        source="centre",
        target="secours",
        tasks=[],
        data=[
            {"id": "crm", "rpo": 300.0, "checks": ["lag"], "promised": promised_to_json(PROMISED)},
            {"id": "calls", "rpo": 300.0, "checks": ["age"]},
        ],
        since=BEGAN.isoformat(),
        reason=text_to_json(say("works")),
        loss=None,
        before=None,
        incident=None,
        token=token,
    )
    over = [event(MoveEventKind.ENDED, state=state, rto=None, rpo=None)] if state is not None else []
    return replay((started, *(event(MoveEventKind.PHASE, phase=one) for one in phases), *over))[name]


def test_what_was_promised_before_the_group_last_changed_its_place_is_void():
    assert last_change(()) == 0
    assert last_change((move_of("failover", 4), move_of("switchover", 7))) == 7
    # It stayed where it was, or goes on: what was promised of its primary is still true.
    assert last_change((move_of("failover", 4, state="refused"),)) == 0
    assert last_change((move_of("failover", 4, state=None),)) == 0
    assert last_change((move_of("drill", 4),)) == 0
    # Nobody knows where it runs.
    assert last_change((move_of("failover", 4, state="failed", phases=("fence",)),)) == 4


def test_a_drill_makes_no_copy_the_original_and_is_promised_nothing():
    assert promised_to(move_of("failover", 4, state=None)) == (PROMISED,)
    assert promised_to(move_of("drill", 4, state=None)) == ()


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"sync": "async", "state": "streaming"}, True),
        ({"sync": "async", "state": "catchup"}, False),
        ({"sync": "sync", "state": "streaming"}, False),
        ({"sync": "none"}, False),
        ({}, False),
    ],
)
def test_a_copy_that_streams_and_is_not_waited_for_contradicts_the_promise(facts, found):
    assert is_not_waited_for(Verdict(Severity.OK, say("so"), facts=facts)) is found


async def test_what_the_voters_do_not_say_is_no_promise(unused_tcp_port: int):
    waits = Waits({CENTRE: NodeId("sql"), SECOURS: NodeId("sql-2")}, wanted=True)
    data = DataSet(CRM, How.POSTGRESQL, timedelta(0), (), waits=waits)
    plan = Plan(PlanId("crm"), "", CENTRE, SECOURS, {}, (), timedelta(minutes=30), data=(CRM,))
    etcd = Etcd((f"http://127.0.0.1:{unused_tcp_port}",))
    promises = Promises(lambda: Continuity({}, Leases(etcd), {CRM: data}, {plan.id: plan}), SystemClock())
    try:
        assert await promises.of(plan, CENTRE, ()) == {}
        assert await promises.of(plan, None, ()) == {}
    finally:
        await promises.close()
    alone = Promises(lambda: Continuity({}, None, {CRM: data}, {plan.id: plan}), SystemClock())
    assert await alone.of(plan, CENTRE, ()) == {}
