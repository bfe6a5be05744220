"""kill -9 of the daemon in the middle of a move: taken up, it ends; no effect comes twice, no site beside another."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from monitor.cli.demo_daemon import Daemon
from tests.two_sites import TwoSites, two_sites

ENVIRONMENT = {"RELEVE_TEST_MAIL": "mailto://127.0.0.1:1"}
KILLS = 12 if os.environ.get("RELEVE_EVERY_WRITE") else 3
WITHIN = 90


@pytest.fixture
async def sites(tmp_path: Path) -> AsyncIterator[TwoSites]:
    async with two_sites(tmp_path / "sites") as made:
        made.inventory()
        yield made


async def over_or_waiting(daemon: Daemon) -> dict[str, Any]:
    async with asyncio.timeout(WITHIN):
        while True:
            (move,) = await daemon.get("/api/v1/moves")
            if move["state"] != "running":
                found: dict[str, Any] = move
                return found
            await asyncio.sleep(0.1)


async def begun(daemon: Daemon) -> None:
    body = {"direction": "failover", "word": "crm", "loss_s": None}
    await asyncio.to_thread(daemon.api.post, "/api/v1/plans/crm/run", body)


async def test_a_move_whose_daemon_is_killed_anywhere_is_taken_up_and_ends(sites):
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    await sites.centre.fail()
    daemon = Daemon(sites.folder / "inventory.yaml", sites.folder / "data", ENVIRONMENT, lang="en")
    await daemon.start()
    try:
        await begun(daemon)
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(0, 0.4))
            await daemon.kill()
            await daemon.start()
        move = await over_or_waiting(daemon)
    finally:
        await daemon.stop()
    where = f"seed {seed}, {move['log']}"
    assert move["state"] == "succeeded", where
    assert (sites.centre.runs(), sites.secours.runs()) == (False, True), where
    effects = Counter(line.partition(" ")[2] for line in sites.effects())
    assert effects == {"isolate centre": 1, "start web-2": 1}, where
