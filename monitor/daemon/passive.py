"""Where nothing is to be repaired: what belongs to a site that a group has left, and what a move acts on just now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from failover.model import Continuity, Plan, PlanId, SiteId
from failover.phases import Direction
from failover.run import Move
from failover.tasks import tasks_of
from monitor.core.ids import NodeId
from runbooks.contract import Site, StepFailed


def passive(
    continuity: Continuity, moves: Iterable[Move], at: Site, foreign: Iterable[PlanId] = ()
) -> Mapping[NodeId, PlanId]:
    """Return the devices on which no service of a group may be started, with the plan of that group.

    A site that was left is stopped on purpose, however much its checks fail: started there by a repair, the group would
    run twice. Where nobody knows where it runs, that holds for both sites; where it runs as it does normally, for none:
    what stands by is repaired as the inventory says. What also belongs to the site that runs is left out. `moves`: all
    that are known, oldest first. `foreign`: plans whose lease another site holds, or has held since: nothing is started
    at this site then, whatever our own journal says.
    """
    last = {move.plan: move for move in moves if move.direction.moves}
    found: dict[NodeId, PlanId] = {}
    for name, move in last.items():
        plan = continuity.plans.get(name)
        if plan is None:
            continue
        runs = move.runs_at
        if runs == plan.active:
            continue
        active = frozenset[NodeId]() if runs is None else _devices(continuity, plan, runs, at)
        for site in plan.parts:
            if site != runs:
                found |= dict.fromkeys(_devices(continuity, plan, site, at) - active, name)
    here = continuity.here
    for name in foreign:
        plan = continuity.plans.get(name)
        if plan is not None and here is not None and here.id in plan.parts:
            found |= dict.fromkeys(_devices(continuity, plan, here.id, at), name)
    return found


def acted_on(moves: Iterable[Move]) -> frozenset[NodeId]:
    """Return the devices on which one of `moves` that is under way acts: no run of a runbook touches them meanwhile."""
    return frozenset(task.action.target for move in moves if not move.state.over for task in move.tasks)


def _devices(continuity: Continuity, plan: Plan, site: SiteId, at: Site) -> frozenset[NodeId]:
    """What stands at `site` by the inventory, and what its part of the plan stops and starts."""
    there = continuity.sites[site].devices if site in continuity.sites else frozenset[NodeId]()
    try:
        tasks = tasks_of(plan, Direction.SWITCHOVER, site, plan.other(site), at)
    except StepFailed:
        return there
    return there | {task.action.target for task in tasks if task.site == site and task.fence is None}
