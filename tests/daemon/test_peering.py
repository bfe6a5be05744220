"""Which Relève is the other one, what the age of its copy means, and how the inventory goes over."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from failover.model import SiteId
from monitor.core.text import say
from monitor.core.verdict import Severity
from monitor.daemon import selfcheck
from monitor.daemon.peering import destination, inventory_file, listening, peer_verdict, unfolded
from monitor.daemon.rereading import plan_of
from monitor.inventory.model import Inventory, Peer
from monitor.secret import Secret
from monitor.store.folder import prepare

PEER = Peer(Secret("file:a"), Secret("file:b"), Secret("file:c"))
TWO = """operations: {to: [admin]}
sites:
  centre: {title: Douala, here: true, releve: "https://198.18.1.5:8322"}
  secours: {title: Yaoundé, releve: "https://[fd00::5]:8323"}
peer: {ca: file:a, cert: file:b, key: file:c}
"""


@pytest.fixture
def both(inventory_of: Callable[..., Inventory]) -> Inventory:
    return inventory_of(("operations: {to: [admin]}\n", TWO))


def test_each_site_sends_to_the_other_and_listens_at_its_own_address(both: Inventory) -> None:
    to, at = destination(both), listening(both)
    assert to is not None
    assert at is not None
    assert to.url == "https://[fd00::5]:8323"
    assert (at.host, at.port, at.peer) == ("0.0.0.0", 8322, "fd00::5")
    there = replace(both, continuity=both.continuity.seen_from(SiteId("secours")))
    to, at = destination(there), listening(there)
    assert to is not None
    assert at is not None
    assert to.url == "https://198.18.1.5:8322"
    assert (at.host, at.port, at.peer) == ("::", 8323, "198.18.1.5")


def test_the_age_of_the_copy_is_a_check_where_there_is_another_site(
    both: Inventory, inventory_of: Callable[..., Inventory]
) -> None:
    assert selfcheck.PEER in plan_of(both).checks
    alone = inventory_of()
    assert selfcheck.PEER not in plan_of(alone).checks
    assert destination(alone) is None
    assert listening(alone) is None


@pytest.mark.parametrize(
    ("lag", "severity"),
    [(0, Severity.OK), (59, Severity.OK), (60, Severity.WARNING), (299, Severity.WARNING), (300, Severity.CRITICAL)],
)
def test_an_old_copy_is_told_with_its_reason(lag: int, severity: Severity) -> None:
    verdict = peer_verdict(timedelta(seconds=lag), say("no connection"), PEER)
    assert verdict.severity is severity
    assert [(metric.name, metric.value, metric.unit) for metric in verdict.metrics] == [("lag", lag, "s")]
    if severity is not Severity.OK:
        assert dict(verdict.summary.values)["why"] == say("no connection")


def test_the_inventory_in_force_is_written_out_at_the_other_site(both: Inventory, tmp_path: Path) -> None:
    other = tmp_path / "other"
    prepare(other)
    assert unfolded(other) is None
    (other / "inventory.json").write_bytes(inventory_file(both))
    path = unfolded(other)
    assert path is not None
    assert path.read_bytes() == both.path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "came",
    [
        b"no json",
        b"[]",
        b'{"main": "a", "files": {}}',
        b'{"main": "a", "files": {"a": "!"}}',
        b'{"main": "a", "files": ["a"]}',
        *(
            json.dumps({"main": "a", "files": {"a": "", name: base64.b64encode(b"x").decode()}}).encode()
            for name in ("../evil", "/evil", "x/../../evil", "", "nul\0")
        ),
    ],
)
def test_an_inventory_that_leads_elsewhere_is_not_written(tmp_path: Path, came: bytes) -> None:
    other = tmp_path / "other"
    prepare(other)
    (other / "inventory.json").write_bytes(came)
    assert unfolded(other) is None
    assert [path.name for path in tmp_path.rglob("*")] == ["other", "inventory.json"]
