"""The old site comes back, and stays passive: what the group has left is started by no repair."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest
import yaml

from failover.model import PlanId
from failover.phases import Direction
from failover.run import MoveState
from monitor.core.ids import CheckId, NodeId
from monitor.core.incident import Refused
from monitor.core.text import ENGLISH
from monitor.daemon.daemon import Daemon
from monitor.daemon.moving import Wanted
from monitor.inventory.load import load
from monitor.store import open_store
from tests.two_sites import TwoSites

WEB = CheckId("web-1")
FORCED = Wanted(PlanId("crm"), Direction.FAILOVER)


@pytest.fixture
async def daemon(sites: TwoSites) -> AsyncIterator[Daemon]:
    """The incident of the group has a runbook that would start the service where it was."""
    path = sites.inventory()
    body = yaml.safe_load(path.read_text("utf-8"))
    body["incidents"]["site-lost"]["runbook"] = "again"
    body["automation"] = {"live": True}
    body["checks"]["web-1"]["confirm"] = 1
    path.write_text(yaml.safe_dump(body, allow_unicode=True), "utf-8")
    (sites.folder / "runbooks").mkdir()
    book = {
        "runbook": "again",
        "title": {"fr": "Relancer", "en": "Start again"},
        "steps": [
            {
                "step": "command",
                "command": ["sh", "../start.sh", "web-1", sys.executable, str(sites.centre.port)],
                "effect": "changes",
            }
        ],
    }
    (sites.folder / "runbooks" / "again.yaml").write_text(yaml.safe_dump(book), "utf-8")
    reading = load(path)
    assert reading.inventory is not None, reading.problems
    made = await Daemon.start(reading.inventory, open_store(sites.folder / "data", write=True, ballast=0))
    yield made
    await made.close()


async def looked_at(daemon: Daemon) -> None:
    """Let what fails be seen, and that nothing upstream explains it, until its incident is open."""
    async with asyncio.timeout(60):
        while True:
            for check in ("web-1", "door-1", "door-2"):
                await daemon.scheduler.look(CheckId(check))
            if any(one.open and one.check == WEB for one in daemon.desk.state.incidents.values()):
                return


async def test_what_fails_at_the_site_that_was_left_is_not_started_again(sites, daemon):
    sites.centre.kill()
    await looked_at(daemon)
    begun = await daemon.moves.start(FORCED, "uid:0", loss=None)
    async with asyncio.timeout(60):
        move = await daemon.moves.finished_or_waiting(begun.id)
    assert (move.state, move.incident) == (MoveState.SUCCEEDED, "26-0001"), ENGLISH.render(move.text)
    effects = sites.effects()
    await looked_at(daemon)
    await daemon.automation.tick()
    assert daemon.automation.runs == {}
    with pytest.raises(Refused) as refused:
        await daemon.automation.start("again", "web-1", "uid:0")
    assert "crm runs at another site" in ENGLISH.render(refused.value.text)
    assert (sites.effects(), sites.centre.runs(), sites.secours.runs()) == (effects, False, True)


async def test_before_any_move_and_while_it_runs_as_it_does_normally_repairs_are_allowed(sites, daemon):
    assert daemon.moves.passive() == {}
    sites.centre.kill()
    await looked_at(daemon)
    await daemon.automation.tick()
    async with asyncio.timeout(60):
        while not sites.centre.runs():
            await asyncio.sleep(0.05)
    assert sites.effects() == [" start web-1"]


async def test_while_a_group_moves_no_runbook_acts_on_its_devices(sites, daemon):
    (sites.secours.folder / "broken").touch()
    await sites.centre.fail()
    begun = await daemon.moves.start(FORCED, "uid:0", loss=None)
    async with asyncio.timeout(60):
        assert (await daemon.moves.finished_or_waiting(begun.id)).state is MoveState.WAITING
    assert daemon.automation.busy == {NodeId("secours-host")}
    assert daemon.moves.passive() == dict.fromkeys(("centre-host", "secours-host"), "crm")
