"""What is looked at of a group at a site that stands while its lease has lapsed: its guard, and what verifies it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from failover.ground import Group
from failover.lease import Record, Watched
from failover.lease_etcd import Watching
from failover.model import PlanId, SiteId
from failover.vantage import VOTERS, Kept, Lapsed, Sight
from monitor.core.ids import CheckId
from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.daemon import Daemon
from monitor.daemon.sighting import Sighting
from monitor.inventory.load import load
from monitor.store import open_store
from tests.two_sites import TwoSites

CRM, CENTRE = PlanId("crm"), SiteId("centre")
GOOD, BAD, BLIND = (Verdict(one, say("seen")) for one in (Severity.OK, Severity.CRITICAL, Severity.UNKNOWN))
VOTES = {"etcd": {"endpoints": [f"http://127.0.0.1:{n}" for n in (1, 2, 3)]}, "ttl": "15s"}
STANDS = {"door-1": GOOD, "door-2": GOOD, "web-1": GOOD, "guard-1": GOOD}


@dataclass
class Case:
    """What the Relève at secours sees, and where it stands. `still`: seconds since the lease of centre was renewed.

    `taken`: that was taken for a move which never began.
    """

    seen: Mapping[str, Verdict] = field(default_factory=dict)
    still: float = 3600.0
    record: int | None = None
    here: str = "secours"
    taken: bool = False


async def looked(sites: TwoSites, case: Case) -> tuple[Sight, Group]:
    """Return how the centre is seen, and what is known of the group there."""
    guards = [{"guard": {"at": site, "stops_within": "20s", "check": "guard-1"}} for site in ("centre", "secours")]
    more: dict[str, Any] = {
        "leases": VOTES,
        "sites": {
            site: {"title": site, "devices": [f"{site}-host"], **({"here": True} if site == case.here else {})}
            for site in ("centre", "secours")
        } | {"witness": {"title": "witness", "witness": True}},
    }  # fmt: skip
    path = sites.inventory(more=more, fences=guards)
    text = path.read_text("utf-8").replace(
        "checks:\n", f"checks:\n  guard-1: {{probe: tcp, device: centre-host, port: {sites.centre.port}}}\n", 1
    )
    path.write_text(text, "utf-8")
    found = load(path)
    assert found.inventory is not None, found
    daemon = await Daemon.start(found.inventory, open_store(sites.folder / "data", write=True, ballast=0))
    try:
        verdicts, now = {**STANDS, **case.seen}, daemon.clock.boot()
        record = Record(CENTRE, "life", 7, 15.0, held=True)
        watching = Watching()
        watching.kept = Kept(record, Watched(7, now - case.still), now)
        if case.taken:
            lapsed = Lapsed(CENTRE, now - case.still, now - case.still + 15, 8, 7)
            given_back = Record("secours", "life", 8, 15.0, held=False)
            watching.kept = Kept(given_back, Watched(8, now), now, lapsed)

        async def look(check: CheckId) -> Verdict:
            return verdicts[check]

        async def speaks(_site: SiteId) -> bool:
            return False

        async def stopped(_plan: PlanId, _site: SiteId) -> int | None:
            return case.record

        sighting = Sighting(
            daemon.desk, look, daemon.clock, lambda _plan: watching, speaks, daemon.moves.promises, stopped
        )
        plan = found.inventory.continuity.plans[CRM]
        seen = await sighting.seen(plan, (), moving=None, halted=False, strict=True)
        again = await sighting.as_of_now(plan, (), seen, halted=False)
        assert again.group(CRM).stopped == seen.group(CRM).stopped
        assert again.group(CRM).failing is seen.group(CRM).failing
        if seen.site(CENTRE).sight is Sight.SPLIT:
            assert VOTERS in seen.site(CENTRE).down
        return seen.site(CENTRE).sight, seen.group(CRM)
    finally:
        await daemon.close()


@pytest.mark.parametrize(
    ("case", "sight", "stopped", "failing"),
    [
        (Case(), Sight.SPLIT, "has had the time", False),
        (Case(taken=True), Sight.SPLIT, "has had the time", False),
        (Case({"guard-1": BAD}, record=7, taken=True), Sight.SPLIT, "the record of its guard", False),
        (Case({"guard-1": BAD}, record=6, taken=True), Sight.SPLIT, None, False),
        (Case({"guard-1": BAD, "web-1": BAD}, taken=True), Sight.SPLIT, None, True),
        (Case(still=10), Sight.UP, None, False),
        (Case(still=20), Sight.SPLIT, None, False),
        (Case({"guard-1": BAD}), Sight.SPLIT, None, False),
        (Case({"guard-1": BAD}, record=7), Sight.SPLIT, "the record of its guard", False),
        (Case({"guard-1": BAD}, record=6), Sight.SPLIT, None, False),
        (Case({"guard-1": BAD, "web-1": BAD}), Sight.SPLIT, None, True),
        (Case({"guard-1": BAD, "web-1": BLIND}), Sight.SPLIT, None, False),
        (Case({"web-1": BAD, "door-1": BAD}), Sight.LOST, None, False),
        (Case({"web-1": BAD}, record=7, here="centre"), Sight.SPLIT, None, False),
    ],
)
async def test_a_group_is_known_not_to_work_by_its_guard_or_by_what_verifies_it_and_never_where_we_stand(
    sites: TwoSites, case: Case, sight: Sight, stopped: str | None, failing: bool
) -> None:
    seen, group = await looked(sites, case)
    assert seen is sight
    assert (group.stopped is None) is (stopped is None)
    if group.stopped is not None and stopped is not None:
        assert stopped in ENGLISH.render(group.stopped)
    assert group.failing is failing
