"""One action of a move: to which part of the plan it belongs, and how it is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from failover.model import SiteId
from failover.phases import Phase
from runbooks.contract import Action
from runbooks.run import action_from_json, action_to_json


@dataclass(frozen=True, slots=True)
class Task:
    """One action of a move. `group`: within its phase; the next group begins when this one is done.

    `site`: the part of the plan that it belongs to. `fence`: which fence of the old site it belongs to, from 0; None
    outside of the phase FENCE.
    """

    phase: Phase
    group: int
    site: SiteId
    action: Action
    fence: int | None = None


def task_to_json(task: Task) -> dict[str, Any]:
    """Return `task` as JSON-ready data; `task_from_json` gives it back equal."""
    return {
        "phase": task.phase.value,
        "group": task.group,
        "site": task.site,
        "action": action_to_json(task.action),
        "fence": task.fence,
    }


def task_from_json(data: Mapping[str, Any]) -> Task:
    """Return the task that `task_to_json` wrote."""
    action = action_from_json(data["action"])
    return Task(Phase(data["phase"]), data["group"], SiteId(data["site"]), action, data["fence"])
