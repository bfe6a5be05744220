"""From when a service counts as lost: when it was last seen to work, if that says anything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from failover.model import Plan, PlanId, SiteId
from monitor.core.ids import CheckId
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.clock import GuardedClock
from monitor.daemon.daemon import Daemon
from monitor.daemon.sighting import TAKES_OVER

DOOR = CheckId("door")
BAD, GOOD = Verdict(Severity.CRITICAL, say("refused")), Verdict(Severity.OK, say("open"))
CENTRE, SECOURS = SiteId("centre"), SiteId("secours")
PLAN = Plan(PlanId("crm"), "CRM", CENTRE, SECOURS, {}, (), timedelta(minutes=30), kinds=("office",))


@pytest.fixture
async def daemon(inventory_of, store, machine) -> AsyncIterator[Daemon]:
    made = await Daemon.start(inventory_of(), store, lambda guard: GuardedClock(guard, machine, "boot"))
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("unseen", "from_the_last_good"),
    [(timedelta(seconds=30), True), (timedelta(minutes=20), True), (TAKES_OVER + timedelta(seconds=1), False)],
    ids=["one interval", "until a person has taken over", "so long that nobody can say"],
)
async def test_an_outage_counts_from_the_last_look_that_was_well(daemon, machine, unseen, from_the_last_good):
    desk, sighting = daemon.desk, daemon.moves.sighting
    worked_at = machine.now()
    await desk.take(DOOR, GOOD, worked_at, 0.0)
    machine.pass_(unseen.total_seconds())
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    (incident,) = desk.state.incidents.values()
    assert incident.began_at == machine.now()
    expected = worked_at if from_the_last_good else incident.began_at
    assert sighting.lost_since(PLAN, CENTRE, machine.now()) == expected


async def test_without_an_incident_it_is_lost_from_now_on_and_never_seen_well_from_the_first_bad_look(daemon, machine):
    desk, sighting = daemon.desk, daemon.moves.sighting
    assert sighting.lost_since(PLAN, CENTRE, machine.now()) == machine.now()
    began = machine.now()
    await desk.take(DOOR, BAD, began, 0.0)
    machine.pass_(60)
    await desk.take(DOOR, GOOD, machine.now(), 0.0)
    machine.pass_(1)
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    assert sighting.lost_since(PLAN, CENTRE, machine.now()) == began, "what worked in between changes nothing of that"
