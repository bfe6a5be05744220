"""Which open incidents a plan answers: those of its kinds, except what fails where its group does not run."""

from __future__ import annotations

from collections.abc import Iterable

from failover.model import Plan, SiteId
from failover.phases import Direction
from failover.run import Move
from failover.tasks import tasks_of
from failover.underway import seen_at, touched
from monitor.core.ids import CheckId, NodeId
from monitor.core.incident import Incident
from monitor.inventory.model import Inventory
from runbooks.contract import StepFailed


def answered(
    plan: Plan, source: SiteId | None, incidents: Iterable[Incident], inventory: Inventory
) -> tuple[Incident, ...]:
    """Return the open ones of `incidents` that `plan` answers while its group runs at `source`, the oldest first.

    What fails at another site, be it the one that stands by or one of other groups, is no reason to move there, but
    what a person put together with that is, and what of the group itself fails there. All count where nobody knows
    where the group runs.
    """
    ours = (one for one in incidents if one.open and one.kind in plan.kinds)
    found = [
        one
        for one in ours
        if source is None or not fails_elsewhere(source, one, inventory) or _reaches(plan, source, one, inventory)
    ]
    return tuple(sorted(found, key=lambda one: one.began_at))


def _reaches(plan: Plan, source: SiteId, incident: Incident, inventory: Inventory) -> bool:
    """Return whether `incident`, which began at a site of other groups, takes the group of `plan` at `source` with it.

    It is where it began with what verifies that there, or covers this or a device of `source`: a site that is reached
    through another one has its root there. Not where it began at the site that stands by: all of `source` may be behind
    what fails of that.
    """
    sites, checks = inventory.continuity.sites, inventory.checks
    here, other = sites.get(source), sites.get(plan.other(source))
    if here is None or (other is not None and not other.devices.isdisjoint(_nodes_of(incident, inventory))):
        return False
    part = plan.parts.get(source)
    verified = () if part is None else part.verify
    told = (name for name in incident.explained if name in checks)
    return any(name in verified or checks[name].node in here.devices for name in told)


def fails_elsewhere(source: SiteId, incident: Incident, inventory: Inventory) -> bool:
    """Return whether `incident` began on a device of a site other than `source`, and a person put nothing into it that
    does not stand there.

    Not where a person opened it, or its check is gone. What stands at no site, or beside a witness, sees the service
    wherever it runs.
    """
    places = inventory.continuity.sites.values()
    away = {node for site in places if site.id != source and not site.witness for node in site.devices}
    nodes = _nodes_of(incident, inventory)
    return bool(nodes) and all(node in away for node in nodes)


def is_of_another(move: Move, incident: Incident, inventory: Inventory) -> bool:
    """Return whether `incident`, of a kind that the plan of `move` answers, is about another group that answers it too.

    It is where it began on what the plan of that one looks at, stops or starts, and that of `move` does not: two groups
    that share a kind and their sites differ in their servers alone.
    """
    nodes, mine, theirs = _nodes_of(incident, inventory), set(touched(move)), set[NodeId]()
    for plan in inventory.continuity.plans.values():
        if plan.id == move.plan:
            mine |= stands_on(plan, inventory)
        elif incident.kind in plan.kinds:
            theirs |= stands_on(plan, inventory)
    return bool(nodes) and all(node in theirs - mine for node in nodes)


def stands_on(plan: Plan, inventory: Inventory) -> frozenset[NodeId]:
    """Return the devices of the group of `plan`: those of its checks and of its data, and on which its steps act."""
    where, data = inventory.plan.topology.where, inventory.continuity.data
    checks = {check for part in plan.parts.values() for check in seen_at(part)}
    checks |= {check for name in plan.data if name in data for check in data[name].checks}
    return frozenset(where[check] for check in checks if check in where) | acted_on(plan, inventory)


def acted_on(plan: Plan, inventory: Inventory) -> frozenset[NodeId]:
    """Return the devices on which the steps of `plan` act when its group moves, there and back."""
    found = set[NodeId]()
    for source in (plan.active, plan.standby):
        try:
            tasks = tasks_of(plan, Direction.SWITCHOVER, source, plan.other(source), inventory.actionable)
        except StepFailed:  # it cannot move, and says so where it is asked to
            continue
        found |= {task.action.target for task in tasks}
    return frozenset(found)


def _nodes_of(incident: Incident, inventory: Inventory) -> list[NodeId]:
    """The devices on which `incident` began, and of what a person put into it; empty where its own is not known."""
    checks = inventory.checks
    if incident.check is None or incident.check not in checks:
        return []
    names: tuple[CheckId, ...] = (incident.check, *incident.joined.by_hand)
    return [checks[name].node for name in names if name in checks]
