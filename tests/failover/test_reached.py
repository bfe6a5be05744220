"""What a move reached, by its own journal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from failover.model import SiteId
from failover.phases import Phase
from failover.promise_json import promised_to_json
from failover.reached import Reached, is_kept, reached
from failover.run import Move, MoveEvent, MoveEventKind, MoveId, replay
from failover.task import Task, task_to_json
from monitor.core.ids import NodeId
from monitor.core.text import say, text_to_json
from runbooks.contract import Action, Effect, Promised

BEGAN = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
NAME = MoveId("F26-0001")


def event(kind: MoveEventKind, seconds: float, **data: Any) -> MoveEvent:
    return MoveEvent(NAME, BEGAN + timedelta(seconds=seconds), kind, "releve", say("so"), None, data)


def phase(which: Phase, seconds: float) -> MoveEvent:
    return event(MoveEventKind.PHASE, seconds, phase=which.value)


def seen(which: Phase, seconds: float, check: str, *, ok: bool = True, lag: float | None = None) -> MoveEvent:
    severity = "ok" if ok else "critical"
    return event(MoveEventKind.PROOF, seconds, phase=which.value, check=check, ok=ok, severity=severity, lag=lag)


PROMISED = Promised(NodeId("sql-2"), "7", 1, BEGAN)


def move_of(
    direction: str,
    *events: MoveEvent,
    loss: float | None = None,
    lost: bool = True,
    data: tuple[str, ...] = ("crm",),
    promised: tuple[str, ...] = (),
    tasks: tuple[Task, ...] = (),
) -> Move:
    started = event(
        MoveEventKind.STARTED,
        0,
        plan={"id": "crm"},
        direction=direction,
        source="centre",
        target="secours",
        tasks=[task_to_json(one) for one in tasks],
        data=[
            {
                "id": name,
                "rpo": 300.0,
                "checks": [f"{name}-lag"],
                "promised": promised_to_json(PROMISED if name in promised else None),
            }
            for name in data
        ],
        since=(BEGAN - timedelta(seconds=60)).isoformat(),
        reason=text_to_json(say("works")),
        loss=loss,
        lost=lost,
        before=None,
        incident=None,
    )
    return replay((started, *events))[NAME]


def span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("move", "rto", "rpo"),
    [
        pytest.param(
            move_of(
                "switchover",
                phase(Phase.STOP, 10), phase(Phase.SYNC, 12), seen(Phase.SYNC, 13, "crm-lag", lag=0.0),
                phase(Phase.VERIFY, 20), seen(Phase.VERIFY, 22, "web-2"),
            ),
            12, 0, id="a planned move, from the stop on",
        ),
        pytest.param(
            move_of(
                "failover",
                phase(Phase.SYNC, 5), seen(Phase.SYNC, 6, "crm-lag", lag=4.0),
                phase(Phase.VERIFY, 20), seen(Phase.VERIFY, 22, "web-2"), loss=9.0,
            ),
            82, 4, id="a forced one, from the loss of the service on",
        ),
        pytest.param(
            move_of("failover", phase(Phase.VERIFY, 20), seen(Phase.VERIFY, 22, "web-2"), loss=9.0),
            82, 9, id="of what nobody could measure, what was stated before",
        ),
        pytest.param(
            move_of(
                "failover",
                phase(Phase.SYNC, 5), seen(Phase.SYNC, 6, "crm-lag", lag=4.0), seen(Phase.SYNC, 6, "calls-lag"),
                loss=9.0, data=("crm", "calls"),
            ),
            None, 9, id="one copy that was not measured makes the whole not measured",
        ),
        pytest.param(
            move_of(
                "switchover", phase(Phase.STOP, 1), phase(Phase.VERIFY, 2), seen(Phase.VERIFY, 3, "web-2", ok=False),
            ),
            None, None, id="nothing was reached while a check fails",
        ),
        pytest.param(
            move_of(
                "switchover", phase(Phase.STOP, 1), phase(Phase.VERIFY, 2), seen(Phase.VERIFY, 3, "web-2", ok=False),
                seen(Phase.VERIFY, 9, "web-2"), data=(),
            ),
            8, 0, id="the last look counts",
        ),
        pytest.param(
            move_of("drill", phase(Phase.UP, 4), phase(Phase.VERIFY, 8), seen(Phase.VERIFY, 9, "web-2"), data=()),
            5, None, id="a drill, from bringing up on",
        ),
        pytest.param(
            move_of(
                "drill", phase(Phase.SYNC, 1), seen(Phase.SYNC, 2, "crm-lag", lag=7.0), phase(Phase.UP, 4),
                phase(Phase.VERIFY, 8), seen(Phase.VERIFY, 9, "web-2"),
            ),
            5, 7, id="of a drill, what would have been lost",
        ),
    ],
)  # fmt: skip
def test_what_was_reached(move, rto, rpo):
    assert reached(move) == Reached(span(rto), span(rpo))


def copied(*lags: float | None) -> tuple[MoveEvent, ...]:
    """The looks at a copy once the old site is fenced."""
    return (phase(Phase.SYNC, 5), *(seen(Phase.SYNC, 6 + n, "crm-lag", lag=lag) for n, lag in enumerate(lags)))


@pytest.mark.parametrize(
    ("direction", "lost", "stated", "lags", "rpo"),
    [
        pytest.param("failover", True, 8.8, (15.0,), 8.8, id="gone: the figure went on growing, nothing was written"),
        pytest.param("failover", True, 19.0, (22.0,), 19.0, id="gone, as a person was told"),
        pytest.param("failover", True, 9.0, (4.0,), 4.0, id="gone: the copy turned out to have more"),
        pytest.param("failover", True, 9.0, (4.0, 15.0), 9.0, id="gone: looked at again much later"),
        pytest.param("failover", True, None, (15.0,), 15.0, id="gone: nobody could say, and then it was measured"),
        pytest.param("failover", True, 9.0, (None,), 9.0, id="gone: the copy could not be measured"),
        pytest.param("failover", True, 9.0, (), 9.0, id="gone: nobody looked at the copy"),
        pytest.param("failover", True, None, (None,), None, id="gone: nobody could ever say"),
        pytest.param("failover", False, 8.8, (15.0,), 15.0, id="it stood, and wrote until its fence"),
        pytest.param("failover", False, 9.0, (4.0,), 4.0, id="it stood: the copy caught up until the fence"),
        pytest.param("failover", False, 9.0, (None,), None, id="it stood: what was stated before is no bound"),
        pytest.param("switchover", False, None, (0.0,), 0.0, id="a planned move loses nothing"),
        pytest.param("switchover", False, None, (3.0,), 3.0, id="a planned move that went on without the rest"),
        pytest.param("drill", False, None, (7.0,), 7.0, id="a drill: what would have been lost"),
    ],
)
def test_what_was_lost_is_bounded_by_what_was_stated_only_where_the_site_was_gone_by_then(
    direction: str, lost: bool, stated: float | None, lags: tuple[float | None, ...], rpo: float | None
) -> None:
    assert reached(move_of(direction, *copied(*lags), loss=stated, lost=lost)).rpo == span(rpo)


@pytest.mark.parametrize(("lost", "rpo"), [(True, 9.0), (False, None)])
def test_without_a_data_set_that_is_measured_what_was_stated_holds_while_the_site_is_gone(
    lost: bool, rpo: float | None
) -> None:
    assert reached(move_of("failover", loss=9.0, data=(), lost=lost)).rpo == span(rpo)


def test_a_journal_that_does_not_say_that_the_site_was_gone_claims_no_smaller_loss() -> None:
    move = move_of("failover", *copied(15.0), loss=8.8)
    first = move.log[0]
    old = replace(first, data={name: value for name, value in first.data.items() if name != "lost"})
    again = replay((old, *move.log[1:]))[NAME]
    assert (again.lost, reached(again).rpo) == (False, timedelta(seconds=15))


def test_what_was_promised_is_not_lost_whatever_nobody_could_measure():
    blind = (phase(Phase.SYNC, 5), seen(Phase.SYNC, 6, "crm-lag"), seen(Phase.SYNC, 6, "calls-lag", lag=4.0))
    assert reached(move_of("failover", *blind, loss=9.0, promised=("crm",))).rpo == timedelta(0)
    both = move_of("failover", *blind, loss=9.0, data=("crm", "calls"), promised=("crm",))
    assert reached(both).rpo == timedelta(seconds=4)
    assert [is_kept(both, one) for one in both.data] == [True, False]
    assert both.data[0].promised == PROMISED


def test_a_promise_of_another_database_than_the_one_that_was_promoted_is_none():
    action = Action("pg-promote", {}, NodeId("sql-2"), Effect.DISRUPTS, say("promote"))
    task = Task(Phase.PROMOTE, 0, SiteId("secours"), action)

    def outcome(promised: bool) -> MoveEvent:
        data = {"ok": True, "changed": True, "evidence": {"promised": promised}, "output": ""}
        return MoveEvent(NAME, BEGAN, MoveEventKind.OUTCOME, "releve", say("so"), 0, data)

    for kept in (True, False):
        move = move_of("failover", outcome(kept), loss=9.0, promised=("crm",), tasks=(task,))
        assert is_kept(move, move.data[0]) is kept
        assert reached(move).rpo == (timedelta(0) if kept else None)
        # Nothing was to be lost, by that promise: what was measured counts where it did not hold.
        move = move_of("failover", *copied(40.0), outcome(kept), loss=0.0, promised=("crm",), tasks=(task,))
        assert reached(move).rpo == timedelta(seconds=0 if kept else 40)
    # Cut off in the middle, or promoted by somebody before: nobody compared, and nothing is claimed.
    done = MoveEvent(NAME, BEGAN, MoveEventKind.OUTCOME, "releve", say("so"), 0, {"ok": True, "changed": True})
    for found in ((), (done,)):
        move = move_of("failover", phase(Phase.PROMOTE, 5), *found, loss=9.0, promised=("crm",), tasks=(task,))
        assert not is_kept(move, move.data[0])
    announced = move_of("failover", phase(Phase.ANNOUNCE, 5), loss=9.0, promised=("crm",), tasks=(task,))
    assert is_kept(announced, announced.data[0])  # as far as anybody knows by then
    # Started again after its guard had stopped it: it is the same that was compared.
    move = move_of("failover", phase(Phase.PROMOTE, 5), outcome(True), done, loss=9.0, promised=("crm",), tasks=(task,))
    assert is_kept(move, move.data[0])
    planned = move_of("switchover", promised=("crm",))
    assert not is_kept(planned, planned.data[0])
