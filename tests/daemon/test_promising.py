"""The promises of several data sets, where something is wrong with one of them."""

from __future__ import annotations

from datetime import timedelta

from failover.model import Continuity, DataSet, DataSetId, Etcd, How, Leases, Plan, PlanId, Site, SiteId, Waits
from monitor.clock import SystemClock
from monitor.core.ids import NodeId
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.promising import Grip, Promising
from probes.contract import Target

CENTRE, SECOURS = SiteId("centre"), SiteId("secours")
NOT_THERE, THERE = DataSetId("broken"), DataSetId("whole")


def data_set(name: DataSetId) -> DataSet:
    waits = Waits({CENTRE: NodeId(f"{name}-1"), SECOURS: NodeId(f"{name}-2")}, wanted=True)
    return DataSet(name, How.POSTGRESQL, timedelta(0), (), waits=waits)


async def test_a_fault_of_our_own_about_one_data_set_keeps_no_other_from_being_looked_at(caplog, unused_tcp_port: int):
    told: list[tuple[DataSetId, Severity]] = []

    async def report(name: DataSetId, verdict: Verdict, _elapsed: float) -> None:
        told.append((name, verdict.severity))

    plan = Plan(PlanId("crm"), "", CENTRE, SECOURS, {}, (), timedelta(minutes=30), data=(NOT_THERE, THERE))
    nobody = Leases(Etcd((f"http://127.0.0.1:{unused_tcp_port}",)), retry=timedelta(seconds=1))
    continuity = Continuity(
        {CENTRE: Site(CENTRE, CENTRE, here=True), SECOURS: Site(SECOURS, SECOURS)},
        nobody,
        {name: data_set(name) for name in (NOT_THERE, THERE)},
        {plan.id: plan},
    )
    # The devices of the first are gone, as in an inventory that is just being replaced.
    targets = {name: Target(name, "127.0.0.1") for name in (NodeId("whole-1"), NodeId("whole-2"))}
    promising = Promising(
        lambda: continuity, lambda: targets, lambda plan: Grip(plan, CENTRE, None), report, SystemClock()
    )
    try:
        await promising.turn()
    finally:
        await promising.close()
    assert told == [(THERE, Severity.UNKNOWN)]
    (said,) = [one for one in caplog.records if one.getMessage() == "a promise was not looked at"]
    assert (said.event, said.data, said.exc_info is not None) == ("promising_bug", NOT_THERE, True)
