"""The voters as Relève looks at them: told as a check of its own, and only where the inventory names some."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from failover.lease_etcd import Watching
from failover.model import Continuity, Etcd, Leases, Plan, PlanId, SiteId
from monitor.clock import SystemClock
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity, Verdict
from monitor.daemon import selfcheck
from monitor.daemon.rereading import plan_of
from monitor.daemon.voting import AT_ONCE, JUDGED_EVERY, Voting
from monitor.inventory.load import load
from monitor.inventory.model import Inventory

CENTRE, SECOURS = SiteId("centre"), SiteId("secours")
BROKEN = PlanId("plan-1")
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


async def test_no_lease_waits_for_the_look_at_another_and_so_many_are_looked_at_together(
    unused_tcp_port: int, caplog: pytest.LogCaptureFixture
):
    """Voters that answer only once so many ask: one after the other, nobody would ever hear a thing."""
    enough, asking, most = asyncio.Event(), 0, 0

    async def read(_request: web.Request) -> web.Response:
        nonlocal asking, most
        asking += 1
        most = max(most, asking)
        if asking == AT_ONCE:
            enough.set()
        await enough.wait()
        asking -= 1
        return web.json_response({"header": {"revision": "7"}})

    app = web.Application()
    app.add_routes([web.post("/v3/kv/range", read)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    try:
        etcd = Etcd((f"http://127.0.0.1:{unused_tcp_port}",))
        names = [PlanId(f"plan-{n}") for n in range(AT_ONCE + 4)]
        plans = {name: Plan(name, "", CENTRE, SECOURS, {}, (), timedelta(minutes=30)) for name in names}
        now = Continuity({}, Leases(etcd, retry=timedelta(seconds=60)), {}, plans)
        seen = {name: Watching() for name in names if name != BROKEN}

        async def report(_verdict: Verdict, _elapsed: float) -> None:
            return None

        voting = Voting(lambda: now, seen.__getitem__, report, SystemClock())
        asked = asyncio.create_task(voting.run())
        try:
            async with asyncio.timeout(30):
                while any(one.kept.heard is None for one in seen.values()):
                    await asyncio.sleep(0.01)
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
    finally:
        await runner.cleanup()
    assert most == AT_ONCE
    assert {one.plan for one in caplog.records if one.getMessage() == "a lease was not looked at"} == {BROKEN}


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
