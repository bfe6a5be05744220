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
    other = None if source is None else plan.other(source)
    ours = (one for one in incidents if one.open and one.kind in plan.kinds)
    found = [one for one in ours if other is None or not fails_only_at(other, one, inventory)]
    return tuple(sorted(found, key=lambda one: one.began_at))


def fails_only_at(site: SiteId, incident: Incident, inventory: Inventory) -> bool:
    """Return whether `incident` began on a device of `site`, and a person put nothing into it that stands elsewhere.

    Not where a person opened it, or its check is gone.
    """
    known, checks = inventory.continuity.sites.get(site), inventory.checks
    if known is None or incident.check is None or incident.check not in checks:
        return False
    names = (incident.check, *incident.joined.by_hand)
    return all(checks[name].node in known.devices for name in names if name in checks)
