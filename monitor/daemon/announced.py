"""Whether work is announced on what a group stands on: then nothing of it moves by itself."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from failover.model import Plan
from monitor.core.ids import CheckId
from monitor.core.maintenance import Window
from monitor.inventory.concern import acted_on
from monitor.inventory.model import Inventory


class Work(NamedTuple):
    """Announced work that goes on, and when it ends (UTC)."""

    name: str
    until: datetime


def work_on(
    inventory: Inventory, windows: Iterable[Window], plan: Plan, seen_by: Iterable[CheckId], now: datetime
) -> Work | None:
    """Return the work that goes on at `now` on what the group of `plan` stands on; of several, what ends last.

    That is what `seen_by` looks at, by which its sites are seen, and what the plan stops, starts and switches. What
    else stands at a site - its desks - may be worked on.
    """
    where = inventory.plan.topology.where
    nodes = {where[check] for check in seen_by if check in where} | acted_on(plan, inventory)
    found: list[Work] = []
    for window in windows:
        span = window.span_at(now)
        if span is not None and any(where.get(check) in nodes for check in window.scope):
            found.append(Work(window.id, span.end))
    return max(found, key=lambda work: work.until, default=None)
