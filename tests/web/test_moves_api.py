"""Moves over the local API: what one would do, what it does, a person's word on it, and what makes no sense."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from monitor.daemon.daemon import Daemon
from monitor.inventory.load import load
from monitor.store import open_store
from monitor.web.app import application
from monitor.web.client import SOCKET, ApiError, LocalApi, NoDaemon
from monitor.web.server import serving, tcp_socket, unix_socket
from tests.two_sites import TwoSites, two_sites


@pytest.fixture
async def sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TwoSites]:
    monkeypatch.setenv("RELEVE_TEST_MAIL", "mailto://127.0.0.1:1")
    async with two_sites(tmp_path / "sites") as made:
        yield made


@pytest.fixture
async def api(sites: TwoSites) -> AsyncIterator[LocalApi]:
    """The API of a daemon at one of two sites."""
    data = sites.folder / "data"
    reading = load(sites.inventory())
    assert reading.inventory is not None, reading.problems
    daemon = await Daemon.start(reading.inventory, open_store(data, write=True, ballast=0))
    listening, local = tcp_socket("127.0.0.1:0"), unix_socket(data / SOCKET)
    running = asyncio.create_task(daemon.run())
    async with serving(application(daemon), listening, local):
        client = LocalApi(data, "en")
        async with asyncio.timeout(30):
            while not (daemon.turning and await aside(answers, client)):
                await asyncio.sleep(0.01)
        yield client
    daemon.stop()
    async with asyncio.timeout(30):
        await running
        await daemon.close()


def answers(client: LocalApi) -> Any:
    with contextlib.suppress(NoDaemon):
        return client.get("/healthz")


async def aside(work: Any, *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, work, *arguments)


async def test_a_drill_is_planned_begun_and_seen_to_its_end(sites, api):
    planned = await aside(api.post, "/api/v1/plans/crm/plan", {"direction": "drill"})
    assert (planned["may"], planned["from"], planned["to"]) == (True, "centre", "secours")
    assert [task["phase"] for task in planned["tasks"]] == ["up", "down"]
    assert sites.effects() == []
    begun = await aside(api.post, "/api/v1/plans/crm/run", {"direction": "drill", "text": "exercice"})
    async with asyncio.timeout(60):
        while (move := await aside(api.get, f"/api/v1/moves/{begun['id']}"))["ended_at"] is None:
            await asyncio.sleep(0.05)
    assert (move["state"], move["reason"], move["started_by"][:4]) == ("succeeded", "exercice", "uid:")
    assert [one["id"] for one in await aside(api.get, "/api/v1/moves")] == [begun["id"]]


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("plans/crm/run", {"direction": "failover"}, 400, "needs `word`"),
        ("plans/crm/run", {"direction": "failover", "word": "CRM"}, 400, "needs `word`"),
        ("plans/crm/run", {"direction": "failover", "word": "crm"}, 400, "needs `loss_s`"),
        ("plans/crm/run", {"direction": "drill", "stated_at": "2026-11-26T03:00:00"}, 400, "with its zone"),
        ("plans/crm/run", {"direction": "drill", "stated_at": "soon"}, 400, "with its zone"),
        ("plans/crm/run", {"direction": "sideways"}, 400, "switchover, failover, failback, drill"),
        ("plans/crm/run", {"direction": "drill", "loss_s": "all"}, 400, "number of seconds"),
        ("plans/crm/run", {"direction": "drill", "loss_s": True}, 400, "number of seconds"),
        ("plans/crm/run", {"direction": "drill", "loss_s": -1}, 400, "number of seconds"),
        ("plans/crm/plan", {}, 400, "direction"),
        ("plans/web/plan", {"direction": "drill"}, 409, "there is no plan web; there are: crm"),
        ("plans/crm/run", {"direction": "switchover", "to": "ailleurs"}, 409, "none of the two sites"),
        ("moves/-/answer", {"yes": "oui"}, 400, "true or false"),
        ("moves/-/answer", {"yes": True}, 409, "no move waits"),
        ("moves/F26-0009/stop", {}, 409, "no move is under way"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_the_reason_and_does_nothing(sites, api, path, body, status, words):
    with pytest.raises(ApiError) as caught:
        await aside(api.post, f"/api/v1/{path}", body)
    assert words in str(caught.value)
    assert caught.value.status == status
    assert (await aside(api.get, "/api/v1/moves"), sites.effects()) == ([], [])


async def test_a_move_that_is_not_there_is_said_so(api):
    with pytest.raises(ApiError, match="there is no move F26-0009"):
        await aside(api.get, "/api/v1/moves/F26-0009")
