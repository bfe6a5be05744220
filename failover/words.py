"""What a move is called, and the event that begins it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from failover.model import DataSet, DataSetId, Plan, SiteId
from failover.phases import Direction, Phase
from failover.plan_json import plan_to_json
from failover.promise_json import promised_to_json
from failover.run import MoveEvent, MoveEventKind, MoveId
from failover.task import Task, task_to_json
from monitor.core.text import N_, Text, say, text_to_json
from runbooks.contract import Promised

WORDS: Mapping[Direction, str] = {
    Direction.SWITCHOVER: N_("planned move"),
    Direction.FAILOVER: N_("forced move"),
    Direction.FAILBACK: N_("move back"),
    Direction.DRILL: N_("drill"),
}
"""What people call each direction."""
PHASES: Mapping[Phase, str] = {
    Phase.ANNOUNCE: N_("the deployment plan is announced"),
    Phase.STOP: N_("the old site is stopped"),
    Phase.FENCE: N_("the old site is fenced"),
    Phase.SYNC: N_("the data is compared"),
    Phase.PROMOTE: N_("the copy becomes the original"),
    Phase.START: N_("the new site is started"),
    Phase.SWITCH: N_("calls and users are switched to the new site"),
    Phase.VERIFY: N_("the new site is verified"),
    Phase.REPORT: N_("the report is written"),
    Phase.BACK: N_("the old site is started again"),
    Phase.UP: N_("the standby is brought up beside the site that runs"),
    Phase.DOWN: N_("what the drill brought up is torn down"),
}
"""What goes on in each phase."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done: `plan` goes from `source` to `target`; in a drill, `target` is brought up beside it.

    `since`: from when the service counts as lost; `loss`: what may be lost, as a person accepted it, None for nothing.
    `lost`: the old site was gone when that was stated, so that it did not grow any more.
    """

    plan: Plan
    direction: Direction
    source: SiteId
    target: SiteId
    reason: Text
    since: datetime
    loss: timedelta | None = None
    incident: str | None = None
    lost: bool = False


def started(
    name: MoveId,
    order: Order,
    tasks: tuple[Task, ...],
    data: tuple[DataSet, ...],
    *,
    before: int | None,
    actor: str,
    at: datetime,
    promised: Mapping[DataSetId, Promised] | None = None,
) -> MoveEvent:
    """Return the event that begins a move, with the plan and its tasks as they are now.

    `before`: the highest token that whoever runs the group now may hold, None where nobody knows. `promised`: of which
    of `data` nothing is lost with the old site.
    """
    body = {
        "plan": plan_to_json(order.plan),
        "direction": order.direction.value,
        "source": order.source,
        "target": order.target,
        "tasks": [task_to_json(task) for task in tasks],
        "data": [
            {
                "id": one.id,
                "rpo": one.rpo.total_seconds(),
                "checks": list(one.checks),
                "promised": promised_to_json((promised or {}).get(one.id)),
            }
            for one in data
        ],
        "since": order.since.isoformat(),
        "reason": text_to_json(order.reason),
        "loss": None if order.loss is None else order.loss.total_seconds(),
        "lost": order.lost,
        "before": before,
        "incident": order.incident,
    }
    what = say(WORDS[order.direction])
    text = say(
        "{plan}: {direction} to {site} begins ({move})",
        plan=order.plan.title,
        direction=what,
        site=order.plan.called(order.target),
        move=name,
    )
    return MoveEvent(name, at, MoveEventKind.STARTED, actor, text, None, body)
