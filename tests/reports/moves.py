"""Moves of a group as their journal has them, for the reviews of what they answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from failover.model import SiteId
from failover.phases import Direction, Phase
from failover.run import Move, MoveEvent, MoveEventKind, MoveId, MoveState, replay
from failover.task import Task, task_to_json
from monitor.core.events import RELEVE
from monitor.core.ids import NodeId
from monitor.core.text import Text, say, text_to_json, verbatim
from runbooks.contract import Action, Effect

NAME = MoveId("F26-0001")
BEGAN = datetime(2026, 11, 23, 13, 5, tzinfo=UTC)
PLAN = {
    "id": "crm",
    "title": "appels",
    "rto": 1800.0,
    "kinds": ["calls-lost"],
    "titles": {"centre": "Douala", "secours": "Yaoundé"},
    "parts": {"centre": {"verify": ["agents"]}, "secours": {"verify": ["calls"]}},
}


class Course:
    """Events of one move, one after the other, `seconds` after it began."""

    def __init__(self, direction: Direction = Direction.FAILOVER, *, by: str = RELEVE, **more: Any) -> None:
        tasks = [
            Task(
                phase, 0, SiteId("secours"), Action("ask", {}, NodeId("sql-2"), Effect.CHANGES, verbatim("promouvoir"))
            )
            for phase in (Phase.PROMOTE, Phase.SWITCH)
        ]
        data = {
            "plan": PLAN,
            "direction": direction.value,
            "source": "centre",
            "target": "secours",
            "tasks": [task_to_json(task) for task in tasks],
            "data": [{"id": "crm-db", "rpo": 300.0, "checks": ["lag"]}],
            "since": BEGAN.isoformat(),
            "reason": text_to_json(verbatim("plus de courant")),
            "loss": 8.8,
            "before": None,
            "incident": None,
        }
        self.events: list[MoveEvent] = []
        self.tell(0, MoveEventKind.STARTED, say("it begins"), by, **(data | more))

    def tell(
        self, seconds: float, kind: MoveEventKind, text: Text, by: str = RELEVE, n: int | None = None, **data: Any
    ) -> Course:
        self.events.append(MoveEvent(NAME, BEGAN + timedelta(seconds=seconds), kind, by, text, n, data))
        return self

    def phases(self, seconds: float, phases: Sequence[Phase]) -> Course:
        for n, phase in enumerate(phases):
            self.tell(seconds + n, MoveEventKind.PHASE, verbatim(phase.value), phase=phase.value)
        return self

    def seen(self, seconds: float, *, ok: bool = True) -> Course:
        seen = {"phase": "verify", "check": "calls", "ok": ok, "severity": "ok", "lag": None}
        return self.tell(seconds, MoveEventKind.PROOF, verbatim("200"), **seen)

    def ended(self, seconds: float, state: MoveState, text: Text, by: str = RELEVE, **reached: float | None) -> Course:
        figures = {"rto": None, "rpo": None} | reached
        return self.tell(seconds, MoveEventKind.ENDED, text, by, state=state.value, **figures)

    def folded(self) -> Move:
        return replay(self.events)[NAME]


THROUGH = (Phase.ANNOUNCE, Phase.FENCE, Phase.SYNC, Phase.PROMOTE, Phase.START, Phase.SWITCH, Phase.VERIFY)


def moved(direction: Direction = Direction.FAILOVER, *, by: str = RELEVE, **more: Any) -> Move:
    """A move that went well: it was asked about its fence, promoted, switched, and was seen to work after 20 s."""
    course = Course(direction, by=by, **more).phases(1, THROUGH[:2])
    course.tell(3, MoveEventKind.ASKED, verbatim("la ligne est-elle coupée ?"))
    course.tell(5, MoveEventKind.ANSWERED, verbatim("oui : vu sur place"), "paul")
    course.phases(6, THROUGH[2:]).seen(20).phases(21, (Phase.REPORT,))
    end = verbatim("les appels aboutissent à Yaoundé")
    return course.ended(22, MoveState.SUCCEEDED, end, rto=20.0, rpo=8.8).folded()
