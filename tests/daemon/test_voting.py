"""The voters as Relève looks at them: told as a check of its own, and only where the inventory names some."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from failover.lease_etcd import Watching
from failover.model import Continuity, Etcd, Leases, PlanId
from monitor.clock import SystemClock
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity, Verdict
from monitor.daemon import selfcheck
from monitor.daemon.rereading import plan_of
from monitor.daemon.voting import JUDGED_EVERY, Voting
from monitor.inventory.load import load
from monitor.inventory.model import Inventory

NOBODY = Etcd(("http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"))


class Later:
    """A clock that the test sets forward."""

    def __init__(self) -> None:
        self.now, self.ahead = SystemClock().now, 0.0

    def boot(self) -> float:
        return SystemClock().boot() + self.ahead


def looking(continuity: Callable[[], Continuity], clock: Later, told: list[Verdict]) -> Voting:
    async def report(verdict: Verdict, elapsed: float) -> None:
        assert 0 <= elapsed < JUDGED_EVERY
        told.append(verdict)

    def watching(plan: PlanId) -> Watching:
        raise AssertionError(plan)

    return Voting(continuity, watching, report, clock)


async def test_no_majority_is_told_again_when_it_is_due_and_no_voters_are_no_news():
    told: list[Verdict] = []
    clock, now = Later(), Continuity()
    voting = looking(lambda: now, clock, told)
    await voting.turn()
    assert told == []
    now = Continuity(leases=Leases(NOBODY, retry=timedelta(seconds=1)))
    for _ in range(2):
        await voting.turn()
    (verdict,) = told
    assert verdict.severity is Severity.CRITICAL
    assert "0 of 3" in ENGLISH.render(verdict.summary)
    clock.ahead = JUDGED_EVERY
    await voting.turn()
    assert len(told) == 2
    now = Continuity()
    await voting.turn()
    assert len(told) == 2


def inventory(folder: Path) -> Inventory:
    path = folder / "inventory.yaml"
    path.write_text("site: {name: Centre, timezone: Africa/Douala, language: fr}\n", "utf-8")
    found = load(path).inventory
    assert found is not None
    return found


def test_the_check_of_the_voters_is_there_where_there_are_voters(tmp_path):
    plain = inventory(tmp_path)
    local = replace(plain, continuity=Continuity(leases=Leases()))
    voters = replace(plain, continuity=Continuity(leases=Leases(NOBODY)))
    assert selfcheck.VOTERS in plan_of(voters).checks
    for other in (plain, local):
        assert selfcheck.VOTERS not in plan_of(other).checks
