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
from monitor.inventory.concern import answered, is_of_another
from monitor.inventory.load import load
from monitor.inventory.model import Inventory
from tests.inventory.test_continuity import GOOD
from tests.reports.moves import moved

GROUPS = (
    GOOD.replace(
        "checks:\n",
        "  tel-1: {address: 10.0.1.2}\n  tel-2: {address: 10.0.2.2}\n  paie-3: {address: 10.0.3.1}\n"
        "  paie-4: {address: 10.0.4.1}\n  temoin-5: {address: 10.0.5.1}\n"
        "checks:\n  sip-1: {probe: tcp, device: tel-1, port: 5060, incident: site-lost}\n"
        "  sip-2: {probe: tcp, device: tel-2, port: 5060, incident: site-lost}\n"
        "  paie-3: {probe: tcp, device: paie-3, port: 443, incident: site-lost}\n"
        "  paie-4: {probe: tcp, device: paie-4, port: 443, incident: site-lost}\n"
        "  temoin-5: {probe: tcp, device: temoin-5, port: 2379, incident: site-lost}\n"
        "  calls: {probe: tcp, device: router, port: 5060, incident: site-lost}\n",
        1,
    )
    .replace("devices: sql-1}", "devices: [sql-1, tel-1]}")
    .replace(
        'devices: ["sql-[2-9]"]}',
        'devices: ["sql-[2-9]", tel-2]}\n  bafoussam: {devices: paie-3}\n  garoua: {devices: paie-4}',
    )
    .replace("{title: Témoin, witness: true}", "{title: Témoin, witness: true, devices: temoin-5}")
    + """\
  tel:
    active: centre
    standby: secours
    incident: site-lost
    rto: 30 min
    fences:
      - isolation: {at: centre, steps: [{step: ask, text: Ok}]}
      - isolation: {at: secours, steps: [{step: ask, text: Ok}]}
    sites: {centre: {verify: sip-1}, secours: {verify: sip-2}}
  paie:
    active: bafoussam
    standby: garoua
    incident: site-lost
    rto: 30 min
    fences:
      - isolation: {at: bafoussam, steps: [{step: ask, text: Ok}]}
      - isolation: {at: garoua, steps: [{step: ask, text: Ok}]}
    sites: {bafoussam: {verify: paie-3}, garoua: {verify: paie-4}}
"""
)
"""Three groups that answer one kind of incident: two between the same two sites, one between two others."""
NOW = datetime(2026, 6, 1, tzinfo=UTC)
CENTRE, SECOURS = SiteId("centre"), SiteId("secours")


def written(text: str, path: Path) -> Inventory:
    path.write_text(text, "utf-8")
    reading = load(path)
    assert reading.inventory is not None, reading.problems
    return reading.inventory


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return written(GOOD, tmp_path / "inventory.yaml")


@pytest.fixture
def groups(tmp_path: Path) -> Inventory:
    return written(GROUPS, tmp_path / "inventory.yaml")


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


@pytest.mark.parametrize(
    ("name", "source", "check", "counts"),
    [
        ("paie", "bafoussam", "paie-3", True),
        ("paie", "bafoussam", "port-1", False),
        ("paie", "bafoussam", "port-2", False),
        ("crm", "centre", "paie-3", False),
        ("crm", "centre", "temoin-5", True),
        ("crm", "centre", "calls", True),
        ("crm", None, "paie-3", True),
    ],
)
def test_what_fails_at_a_site_of_other_groups_moves_none_that_does_not_run_there(groups, name, source, check, counts):
    plan = groups.continuity.plans[PlanId(name)]
    assert bool(answered(plan, source, [incident("26-0001", check)], groups)) is counts


@pytest.mark.parametrize(
    ("root", "covered", "counts"),
    [
        ("paie-3", ("port-1",), True),
        ("paie-3", ("db-1", "sip-1"), True),
        ("paie-3", ("port-2",), False),
        ("paie-3", ("paie-4", "gone-from-the-inventory"), False),
        ("port-2", ("port-1",), False),
    ],
)
def test_a_site_lost_behind_what_fails_at_one_of_other_groups_is_a_reason_to_move(groups, root, covered, counts):
    """The router of that site is the root then, for all that stands behind it is covered."""
    lost = replace(incident("26-0001", root), covered=tuple(map(CheckId, covered)))
    plan = groups.continuity.plans[PlanId("crm")]
    assert bool(answered(plan, CENTRE, [lost], groups)) is counts
    again = replace(lost, recovered_at=NOW)
    assert answered(plan, CENTRE, [again], groups) == (), "what is no longer covered fails by itself"


@pytest.mark.parametrize(("source", "counts"), [(CENTRE, True), (SECOURS, False)])
def test_what_verifies_the_group_is_a_reason_to_move_wherever_that_stands(tmp_path, source, counts):
    text = GROUPS.replace("verify: [port-1]", "verify: [port-1, paie-3]")
    groups = written(text, tmp_path / "inventory.yaml")
    plan = groups.continuity.plans[PlanId("crm")]
    assert bool(answered(plan, source, [incident("26-0001", "paie-3")], groups)) is counts


@pytest.mark.parametrize(
    ("check", "by_hand", "of_another"),
    [
        ("sip-1", (), True),
        ("port-1", (), False),
        ("lag", (), False),
        ("calls", (), False),
        (None, (), False),
        ("gone-from-the-inventory", (), False),
        ("sip-1", ("port-1",), False),
        ("sip-1", ("sip-2",), True),
    ],
)
def test_of_two_groups_that_share_a_kind_each_has_what_begins_on_its_own_servers(groups, check, by_hand, of_another):
    joined = Joined(by_hand=tuple(map(CheckId, by_hand)))
    found = replace(incident("26-0001", check), joined=joined)
    assert is_of_another(moved(), found, groups) is of_another
    assert is_of_another(moved(), replace(found, kind="other"), groups) is False
