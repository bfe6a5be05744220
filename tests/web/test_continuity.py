"""The API about groups that can move: how they stand, and what a move would do, for the owner alone."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.daemon.daemon import Daemon
from monitor.inventory.load import load
from monitor.store import open_store
from monitor.web.app import application
from monitor.web.client import SOCKET, ApiError, LocalApi
from monitor.web.openapi import description
from monitor.web.server import serving, tcp_socket, unix_socket
from tests.cli.test_failover import SITE


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[Path, int]]:
    """A daemon that answers, and watches nothing: its folder and its port."""
    path, data = tmp_path / "inventory.yaml", tmp_path / "data"
    path.write_text(SITE, encoding="utf-8")
    inventory = load(path).inventory
    assert inventory is not None
    daemon = await Daemon.start(inventory, open_store(data, write=True, ballast=0))
    listening, local = tcp_socket("127.0.0.1:0"), unix_socket(data / SOCKET)
    async with serving(application(daemon), listening, local):
        yield data, listening.getsockname()[1]
    await daemon.close()


async def test_each_group_is_told_as_it_stands_in_the_language_asked_for(served):
    data, _ = served
    (group,) = await asyncio.to_thread(LocalApi(data, "en").get, "/api/v1/plans")
    assert (group["plan"], group["ready"], group["severity"], group["runs_at"]["site"]) == (
        "crm", False, "warning", "centre",
    )  # fmt: skip
    assert group["reasons"][0] == "nobody can say how far la base is behind"
    assert set(group) == set(description()["components"]["schemas"]["Group"]["properties"])
    assert set(group["loss"]) == set(
        description()["components"]["schemas"]["Group"]["properties"]["loss"]["properties"]
    )


async def test_what_a_move_would_do_is_told_phase_by_phase(served):
    data, _ = served
    course = await asyncio.to_thread(LocalApi(data, "en").get, "/api/v1/plans/crm/course?direction=failover&to=secours")
    assert [phase["phase"] for phase in course["phases"]] == [
        "announce", "fence", "sync", "promote", "start", "switch", "verify", "report",
    ]  # fmt: skip
    assert (course["phases"][0]["told"], course["phases"][0]["names"]) == (["it"], {"it": "DSI"})
    described = description()["components"]["schemas"]["Course"]["properties"]
    assert set(course) == set(described)
    assert set(course["phases"][0]) == set(described["phases"]["items"]["properties"])


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/v1/plans/crn/course", 404, "name one of the plans: crm"),
        ("/api/v1/plans/crm/course?to=temoin", 400, "the group can run at these sites: centre, secours"),
        ("/api/v1/plans/crm/course?direction=up", 400, "direction is one of switchover, failover, failback, drill"),
        ("/api/v1/plans/crm/course?direction=drill&to=centre", 400, "the plan does not say how to drill centre"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_what_there_is(served, path, status, said):
    data, _ = served
    with pytest.raises(ApiError, match=said) as refused:
        await asyncio.to_thread(LocalApi(data, "en").get, path)
    assert refused.value.status == status


@pytest.mark.parametrize("path", ["/api/v1/plans", "/api/v1/plans/crm/course"])
async def test_the_network_gets_nothing_of_it(served, path):
    def fetched(port: int) -> int:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", path)
            return connection.getresponse().status

    assert await asyncio.to_thread(fetched, served[1]) == 401
