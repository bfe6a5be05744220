"""Runbooks over the local API: what they would do, what they do, and a person's word on it."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from monitor.daemon.daemon import Daemon
from monitor.inventory.load import load
from monitor.store import open_store
from monitor.web.app import application
from monitor.web.client import SOCKET, ApiError, LocalApi, NoDaemon
from monitor.web.server import serving, tcp_socket, unix_socket

SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: fr}
contacts: {admin: {name: Admin, mail: admin@example.org}}
channels: {mail: {url: "env:NO_MAIL_URL"}}
devices: {server: {address: 127.0.0.1}}
checks: {door: {probe: tcp, device: server, port: 1, every: 1 h, confirm: 1, incident: office}}
incidents: {office: {interruption: never, runbook: look}}
operations: {to: [admin]}
automation: {live: true}
"""
BOOK = """\
runbook: look
title: {fr: Regarder la porte, en: Look at the door}
budget: {attempts: 1, within: 1 h}
proof: {within: 0s, stays: 0s}
steps:
  - {step: ask, text: "is it open?"}
"""


@pytest.fixture
async def api(tmp_path):
    """The API of a daemon that watches a closed door with a runbook."""
    path, data = tmp_path / "inventory.yaml", tmp_path / "data"
    path.write_text(SITE, encoding="utf-8")
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "look.yaml").write_text(BOOK, encoding="utf-8")
    daemon = await Daemon.start(load(path).inventory, open_store(data, write=True, ballast=0))
    listening, local = tcp_socket("127.0.0.1:0"), unix_socket(data / SOCKET)
    running = asyncio.create_task(daemon.run())
    async with serving(application(daemon), listening, local):
        client = LocalApi(data, "en")
        async with asyncio.timeout(10):
            while not (daemon.turning and await aside(answers, client)):
                await asyncio.sleep(0.01)
        yield client
    daemon.stop()
    async with asyncio.timeout(30):
        await running
        await daemon.close()


def answers(client):
    with contextlib.suppress(NoDaemon):
        return client.get("/healthz")


async def aside(work, *arguments):
    return await asyncio.get_running_loop().run_in_executor(None, work, *arguments)


async def run_that(api, state):
    async with asyncio.timeout(20):
        while True:
            found = [run for run in await aside(api.get, "/api/v1/runs") if run["state"] == state]
            if found:
                return found[0]
            await asyncio.sleep(0.05)


async def test_the_incident_of_a_closed_door_starts_the_runbook_and_shows_it(api):
    run = await run_that(api, "waiting")
    assert (run["runbook"], run["title"], run["subject"]) == ("look", "Look at the door", "door")
    assert run["question"] == {"text": "is it open?", "action": 1, "at": run["question"]["at"]}
    incident = await aside(api.get, f"/api/v1/incidents/{run['incident']}")
    assert [one["id"] for one in incident["runs"]] == [run["id"]]
    called = [event for event in incident["timeline"] if event["kind"] == "called"]
    assert [event["data"]["run"] for event in called] == [run["id"]]


async def test_an_answer_is_taken_and_a_second_one_is_refused(api):
    run = await run_that(api, "waiting")
    refused = await aside(api.post, f"/api/v1/runs/{run['id']}/refuse", {"text": "I am there"})
    assert (refused["state"], refused["text"]) == ("refused", "a person said no: I am there")
    with pytest.raises(ApiError, match="no run waits") as caught:
        await aside(api.post, f"/api/v1/runs/{run['id']}/approve", {})
    assert caught.value.status == 409


async def test_a_plan_is_told_and_nothing_is_started_by_it(api):
    await run_that(api, "waiting")
    plan = await aside(api.post, "/api/v1/runbooks/look/plan", {"subject": "door"})
    assert [(action["step"], action["asks"]) for action in plan["actions"]] == [("ask", True)]
    assert len(await aside(api.get, "/api/v1/runs")) == 1
    assert "look" in [book["runbook"] for book in await aside(api.get, "/api/v1/runbooks")]


async def test_the_emergency_stop_is_taken_and_lifted(api):
    await run_that(api, "waiting")
    stopped = await aside(api.post, "/api/v1/automation/stop", {})
    assert stopped["halted_by"].startswith("uid:")
    await run_that(api, "stopped")
    armed = await aside(api.post, "/api/v1/automation/arm", {"runbook": "look", "for": "2 h"})
    assert (armed["halted_by"], list(armed["armed"])) == (None, ["look"])
    assert await aside(api.get, "/api/v1/automation") == armed


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/v1/runbooks/look/plan", {}, 400),
        ("/api/v1/runbooks/look/plan", {"subject": "x"}, 409),
        ("/api/v1/runbooks/x/run", {"subject": "door"}, 409),
        ("/api/v1/runs/R26-0001/perhaps", {}, 404),
        ("/api/v1/automation/arm", {"runbook": "look", "for": "2"}, 400),
        ("/api/v1/automation/arm", {"runbook": "x"}, 409),
    ],
)
async def test_what_makes_no_sense_is_refused(api, path, body, status):
    with pytest.raises(ApiError) as caught:
        await aside(api.post, path, body)
    assert caught.value.status == status


async def test_a_run_that_there_is_not_is_not_found(api):
    with pytest.raises(ApiError, match="there is no run R26-0999") as caught:
        await aside(api.get, "/api/v1/runs/R26-0999")
    assert caught.value.status == 404
