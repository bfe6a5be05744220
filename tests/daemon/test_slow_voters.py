"""Voters that take their time over one group: the guard of another, whose lease is held, hears of that all the same."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from failover.guard_files import Places, handed_over
from failover.lease_local import LocalLease
from failover.model import PlanId
from monitor.clock import SystemClock, boot_id
from monitor.core.text import ENGLISH
from monitor.daemon.daemon import Daemon
from monitor.daemon.tenure import Tenure
from monitor.inventory.load import load
from monitor.store import open_store
from tests.two_sites import two_sites

CRM, CLOCK = PlanId("crm"), SystemClock()


def until(places: Places) -> float:
    """Until when the guard may let the group run, as it was told last."""
    told = handed_over(places.lease(CRM), boot_id())
    return 0.0 if told is None else told.until


async def test_a_guard_hears_of_a_lease_that_is_held_while_another_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELEVE_TEST_MAIL", "mailto://127.0.0.1:1")
    places = Places(tmp_path / "run", tmp_path / "state", tmp_path / "alive")
    for place in (places.beliefs, places.state, places.run):
        place.mkdir()
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        where = [f"http://127.0.0.1:{one.getsockname()[1]}" for one in silent]
        async with two_sites(tmp_path / "sites") as sites:
            path = sites.inventory(
                {"leases": {"etcd": {"endpoints": where}, "ttl": "200s", "loop": "5s", "retry": "60s"}},
                fences=[{"guard": {"at": name, "stops_within": "9s"}} for name in ("centre", "secours")],
            )
            reading = load(path)
            assert reading.inventory is not None, [ENGLISH.render(one.message) for one in reading.problems]
            folder = sites.folder / "data"
            daemon = await Daemon.start(reading.inventory, open_store(folder, write=True, ballast=0))
            daemon.moves.holding.places = places
            lease = LocalLease(folder, "lease-other", "centre", "c" * 32, 15.0, CLOCK)
            tenure = Tenure(lease, "centre", CLOCK, timedelta(seconds=0.2))
            assert await tenure.take(0, knows_the_other=False) is None
            running = asyncio.create_task(daemon.run())
            try:
                async with asyncio.timeout(30):
                    while not daemon.moves.beginning.changing.locked():
                        await asyncio.sleep(0.02)
                    daemon.moves.holding.held[CRM] = tenure  # what is waited for is the other one
                    while (first := until(places)) == 0.0:
                        await asyncio.sleep(0.05)
                    while until(places) <= first:
                        await asyncio.sleep(0.05)
                assert daemon.moves.beginning.changing.locked(), "it is still waited for"
            finally:
                daemon.stop()
                await asyncio.gather(running, return_exceptions=True)
                await daemon.close()
