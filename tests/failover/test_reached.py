"""What a move reached, by its own journal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from failover.phases import Phase
from failover.reached import Reached, reached
from failover.run import Move, MoveEvent, MoveEventKind, MoveId, replay
from monitor.core.text import say, text_to_json

BEGAN = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
NAME = MoveId("F26-0001")


def event(kind: MoveEventKind, seconds: float, **data: Any) -> MoveEvent:
    return MoveEvent(NAME, BEGAN + timedelta(seconds=seconds), kind, "releve", say("so"), None, data)


def phase(which: Phase, seconds: float) -> MoveEvent:
    return event(MoveEventKind.PHASE, seconds, phase=which.value)


def seen(which: Phase, seconds: float, check: str, *, ok: bool = True, lag: float | None = None) -> MoveEvent:
    severity = "ok" if ok else "critical"
    return event(MoveEventKind.PROOF, seconds, phase=which.value, check=check, ok=ok, severity=severity, lag=lag)


def move_of(direction: str, *events: MoveEvent, loss: float | None = None, data: tuple[str, ...] = ("crm",)) -> Move:
    started = event(
        MoveEventKind.STARTED,
        0,
        plan={"id": "crm"},
        direction=direction,
        source="centre",
        target="secours",
        tasks=[],
        data=[{"id": name, "rpo": 300.0, "checks": [f"{name}-lag"]} for name in data],
        since=(BEGAN - timedelta(seconds=60)).isoformat(),
        reason=text_to_json(say("works")),
        loss=loss,
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
