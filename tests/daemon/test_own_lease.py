"""The lease of Relève itself: whether there is one, and what operations are told of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from failover.lease import Belief
from failover.model import Leases
from monitor.clock import SystemClock
from monitor.core.text import Text, say
from monitor.core.verdict import Severity
from monitor.daemon import selfcheck
from monitor.daemon.own_lease import OwnLease, is_led, own_verdict
from monitor.daemon.rereading import plan_of
from monitor.inventory.model import Inventory

OPERATIONS = "operations: {to: [admin]}\n"
TWO = """operations: {to: [admin]}
sites:
  centre: {title: Douala, here: true, releve: "https://198.18.1.5:8322"}
  secours: {title: Yaoundé, releve: "https://198.18.3.5:8322"}
peer: {ca: file:a, cert: file:b, key: file:c}
"""
VOTERS = 'leases: {etcd: {endpoints: ["http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"]}}\n'
ALONE = "sites:\n  centre: {title: Douala, here: true}\n  secours: {title: Yaoundé}\n"
LEASES = Leases(None, timedelta(seconds=15), timedelta(seconds=5), timedelta(seconds=3))


@pytest.mark.parametrize(
    ("text", "led"),
    [(OPERATIONS, False), (TWO, False), (TWO + VOTERS, True), (OPERATIONS + ALONE + VOTERS, False)],
)
def test_voters_decide_only_between_two_releves(
    inventory_of: Callable[..., Inventory], text: str, *, led: bool
) -> None:
    inventory = inventory_of((OPERATIONS, text))
    assert is_led(inventory) is led
    assert (selfcheck.SELF in plan_of(inventory).checks) is led


@pytest.mark.parametrize(
    ("belief", "age", "trouble", "severity", "template"),
    [
        (Belief(3, 14.0), 0.0, None, Severity.OK, "This Relève is the active one: token {token}, for {left}"),
        (Belief(3, 4.0), 10.9, say("x"), Severity.WARNING, "The renewal of the lease of Relève is late; it ends in"),
        (Belief(3, 0.0), 15.0, say("x"), Severity.WARNING, "This Relève goes on without the lease"),
        (None, 15.0, None, Severity.WARNING, "This Relève goes on without the lease"),
    ],
)
def test_operations_are_told_how_the_lease_stands(
    belief: Belief | None, age: float, trouble: Text | None, severity: Severity, template: str
) -> None:
    found = own_verdict(belief, 0.0, age, LEASES, trouble)
    assert found.severity is severity
    assert found.summary.template.startswith(template)
    if severity is Severity.WARNING:
        why = dict(found.summary.values)["why"]
        assert why == (trouble or say("it was not asked for in time"))


async def test_who_has_no_other_leads_and_one_of_two_only_while_the_lease_is_held(
    inventory_of: Callable[..., Inventory], tmp_path: Path
) -> None:
    own = OwnLease(tmp_path, SystemClock())
    assert own.leads()
    await own.swap(inventory_of((OPERATIONS, TWO + VOTERS)))
    try:
        assert not own.leads()
        own.belief = Belief(3, SystemClock().boot() + 60)
        assert own.leads()
    finally:
        await own.close()
