"""Which open incidents a plan answers: those of its kinds, except what fails where its group does not run."""

from __future__ import annotations

from collections.abc import Iterable

from failover.model import Plan, SiteId
from monitor.core.incident import Incident
from monitor.inventory.model import Inventory


def answered(
    plan: Plan, source: SiteId | None, incidents: Iterable[Incident], inventory: Inventory
) -> tuple[Incident, ...]:
    """Return the open ones of `incidents` that `plan` answers while its group runs at `source`, the oldest first.

    What fails at the site that stands by is no reason to move there, but what a person put together with that is. All
    count where nobody knows where the group runs.
    """
    other = None if source is None else inventory.continuity.sites.get(plan.other(source))
    elsewhere = frozenset() if other is None else other.devices
    ours = (one for one in incidents if one.open and one.kind in plan.kinds)
    found = [one for one in ours if any(node not in elsewhere for node in _nodes(one, inventory))]
    return tuple(sorted(found, key=lambda one: one.began_at))


def _nodes(incident: Incident, inventory: Inventory) -> tuple[str | None, ...]:
    """The devices on which an incident began, and each that a person put into it; None where a person opened it, or its
    check is gone."""
    joined = (inventory.checks[name].node for name in incident.joined.by_hand if name in inventory.checks)
    check = None if incident.check is None else inventory.checks.get(incident.check)
    return (None if check is None else check.node, *joined)
