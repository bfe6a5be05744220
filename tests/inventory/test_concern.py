"""Which incidents a plan answers: what fails where its group does not run is no reason to move there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from failover.model import PlanId, SiteId
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident
from monitor.core.joining import Joined
from monitor.core.text import say
from monitor.core.verdict import Severity
from monitor.inventory.concern import answered
from monitor.inventory.load import load
from monitor.inventory.model import Inventory
from tests.inventory.test_continuity import GOOD

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CENTRE, SECOURS = SiteId("centre"), SiteId("secours")


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    path = tmp_path / "inventory.yaml"
    path.write_text(GOOD, "utf-8")
    reading = load(path)
    assert reading.inventory is not None, reading.problems
    return reading.inventory


def incident(name: str, check: str | None, began_at: datetime = NOW, kind: str = "site-lost") -> Incident:
    began = None if check is None else CheckId(check)
    return Incident(IncidentId(name), kind, began, Severity.CRITICAL, Severity.CRITICAL, began_at, began_at, say("x"))


@pytest.mark.parametrize(
    ("check", "source", "counts"),
    [
        ("port-1", CENTRE, True),
        ("port-2", CENTRE, False),
        ("port-1", SECOURS, False),
        ("port-2", SECOURS, True),
        ("port-2", None, True),
        ("calls", CENTRE, True),
        ("calls", SECOURS, True),
        (None, CENTRE, True),
        ("gone-from-the-inventory", CENTRE, True),
    ],
)
def test_what_fails_where_the_group_does_not_run_is_not_answered(inventory, check, source, counts):
    plan = inventory.continuity.plans[PlanId("crm")]
    assert bool(answered(plan, source, [incident("26-0001", check)], inventory)) is counts


def test_the_oldest_open_one_of_its_kinds_comes_first(inventory):
    plan, before = inventory.continuity.plans[PlanId("crm")], NOW - timedelta(hours=1)
    found = [
        incident("26-0004", "port-1"),
        incident("26-0003", "port-1", before),
        incident("26-0002", "port-2", before - timedelta(hours=1)),
        incident("26-0001", "port-1", before - timedelta(hours=1), kind="other"),
    ]
    assert [one.id for one in answered(plan, CENTRE, found, inventory)] == ["26-0003", "26-0004"]


@pytest.mark.parametrize(
    ("joined", "source", "counts"),
    [("port-1", CENTRE, True), ("port-2", CENTRE, False), ("gone", CENTRE, False)],
)
def test_a_loss_that_a_person_put_into_an_incident_of_the_other_site_is_answered(inventory, joined, source, counts):
    plan = inventory.continuity.plans[PlanId("crm")]
    both = replace(incident("26-0001", "port-2"), covered=(CheckId(joined),), joined=Joined(by_hand=(CheckId(joined),)))
    assert bool(answered(plan, source, [both], inventory)) is counts
