"""Which data sets are to lose nothing with a site, because every commit waits for the copy: `synchronous: true`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from failover.model import Continuity, DataSet, DataSetId, How, Mode, Plan, SiteId
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import Text, say
from monitor.inventory.model import Check
from monitor.inventory.scope import Scope
from monitor.inventory.yaml_nodes import TableNode
from probes.replication import ReplicationParams


def waiting(read: Continuity, checks: Mapping[CheckId, Check], scope: Scope) -> dict[DataSetId, DataSet]:
    """Return the data sets of `read`, each with the servers between which commits may wait; note what hinders."""
    return {name: _with_waits(one, read, checks, scope) for name, one in read.data.items()}


def _with_waits(data: DataSet, read: Continuity, checks: Mapping[CheckId, Check], scope: Scope) -> DataSet:
    if data.waits is None:
        return data
    plans = tuple(plan for plan in read.plans.values() if data.id in plan.data)
    pairs = tuple(_pairs(data, checks))
    hindered = _hindered(data, read, plans, pairs)
    if hindered is None:
        (plan,), (pair,) = plans, pairs
        sites = [(_site_of(device, read, plan), device) for device in pair]
        devices = {site: device for site, device in sites if site is not None}
        return replace(data, waits=replace(data.waits, devices=devices))
    if data.waits.wanted:
        table = scope.sections["datasets"][data.id].value
        key = table.get("synchronous") if isinstance(table, TableNode) else None
        at = scope.sections["datasets"][data.id].at if key is None else key.at
        scope.problems.error(at, f"datasets.{data.id}.synchronous", *hindered)
    return replace(data, waits=None)


def _pairs(data: DataSet, checks: Mapping[CheckId, Check]) -> Iterator[tuple[NodeId, NodeId]]:
    """The two servers of each check of `data` that looks at a database of PostgreSQL and its copy."""
    for name in data.checks:
        check = checks.get(name)
        if check is None or not isinstance(check.params, ReplicationParams) or check.params.standby is None:
            continue
        if check.params.how == "postgresql":
            yield check.node, NodeId(check.params.standby)


def _hindered(
    data: DataSet, read: Continuity, plans: tuple[Plan, ...], pairs: tuple[tuple[NodeId, NodeId], ...]
) -> tuple[Text, Text] | None:
    """Return why nothing can be promised of `data`, and what to do; None where it can."""
    if data.how is not How.POSTGRESQL:
        text = say("no promise is kept for {how}: only commits of PostgreSQL are made to wait", how=data.how.value)
        return text, say("leave it out; what Always On makes wait is set in SQL Server")
    if read.mode is not Mode.QUORUM:
        text = say("without three voters nobody could know whether commits waited when a site was lost")
        return text, say("name three voters under leases: etcd, or leave it out")
    if len(pairs) != 1:
        text = say("which server is the database, and which the copy, is not said by one check")
        return text, say("name under checks: one of probe replication with device: and standby:")
    if len(plans) != 1:
        text = say("{count} plans move {data}, and the lease of one must be that of the promise", data=data.id,
            count=len(plans))  # fmt: skip
        return text, say("name it under data: of one plan alone")
    sites = [_site_of(device, read, plans[0]) for device in pairs[0]]
    for device, site in zip(pairs[0], sites, strict=True):
        if site is None:
            text = say("at which site of {plan} {device} stands is not said", plan=plans[0].id, device=device)
            return text, say("name it under sites: NAME: devices:")
    if sites[0] == sites[1]:
        text = say("the database and its copy both stand at {site}", site=str(sites[0]))
        return text, say("name a copy at the other site")
    return None


def _site_of(device: NodeId, read: Continuity, plan: Plan) -> SiteId | None:
    at = [site for site in (plan.active, plan.standby) if site in read.sites and device in read.sites[site].devices]
    return at[0] if len(at) == 1 else None
