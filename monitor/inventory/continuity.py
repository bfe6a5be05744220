"""How the service goes on at the other site: `sites:`, `leases:`, `datasets:` and `plans:` of the inventory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from failover.model import Continuity
from monitor.core.ids import CheckId, NodeId
from monitor.inventory import continuity_rules as rules
from monitor.inventory.continuity_data import datasets
from monitor.inventory.continuity_lifted import look_at_lifting
from monitor.inventory.continuity_mirrors import look_at_last_copy, with_mirrors
from monitor.inventory.continuity_plans import plans
from monitor.inventory.continuity_promise import waiting
from monitor.inventory.continuity_promote import look_at_agreement
from monitor.inventory.continuity_sites import leases, sites
from monitor.inventory.model import Check, Link
from monitor.inventory.scope import Scope
from runbooks.contract import Site


def continuity(
    scope: Scope,
    checks: Mapping[CheckId, Check],
    links: Mapping[NodeId, Link],
    acting: Site,
    long_after: timedelta,
) -> Continuity:
    """Return what the inventory says of it; what is wrong is noted. Empty where it says nothing.

    `long_after`: from which age on an interruption is long. What only shows when all parts are there is looked for
    when nothing is wrong so far: what is left out because of an error would be missed here once more.
    """
    places, kept, data = sites(scope), leases(scope), datasets(scope)
    drafted = plans(scope, places)
    for one in drafted:
        rules.look_at_order(one, scope)
        rules.look_at_guards(one, kept, scope)
        look_at_agreement(one, scope)
        look_at_lifting(one, scope)
    read = Continuity(places, kept, data, {one.plan.id: one.plan for one in drafted})
    if scope.problems.fatal:
        return read
    for one in drafted:
        rules.look_at_steps(one, read, acting, scope)
        rules.look_at_verification(one, read, checks, links, scope)
    if not scope.problems.fatal:
        for one in drafted:
            rules.look_at_start(one, read.mode, long_after, acting, scope)
            rules.look_at_incident(one, read, checks, scope)
    rules.look_at_data(drafted, data, scope)
    rules.look_at_use(drafted, read, scope)
    read = replace(read, data=waiting(read, checks, scope))
    read = replace(read, data=with_mirrors(read, acting.recordings, scope))
    for one in drafted:
        look_at_last_copy(one, read.data, scope)
    return read
