"""`releve failover run|back|drill|answer|stop`, by a process of its own, with and without a daemon."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from monitor.cli.demo_daemon import Daemon
from monitor.web.client import ApiError
from tests.two_sites import TwoSites, two_sites

ENVIRONMENT = {"RELEVE_TEST_MAIL": "mailto://127.0.0.1:1"}
WITHIN = 90


@pytest.fixture
async def sites(tmp_path: Path) -> AsyncIterator[TwoSites]:
    async with two_sites(tmp_path / "sites") as made:
        made.inventory()
        yield made


async def failover(sites: TwoSites, *words: str, said: str = "") -> tuple[int, str, str]:
    """Run `releve failover WORDS` in a process, `said` on its stdin; return its exit code and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "monitor", "--inventory", str(sites.folder / "inventory.yaml"),
        "--data", str(sites.folder / "data"), "--lang", "en", "failover", *words,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **ENVIRONMENT, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    async with asyncio.timeout(WITHIN):
        out, err = await process.communicate(said.encode())
    return process.returncode or 0, out.decode(), err.decode()


def whats(sites: TwoSites) -> list[str]:
    return [line.partition(" ")[2] for line in sites.effects()]


async def test_a_drill_without_a_daemon_is_carried_out_told_and_timed(sites):
    code, out, err = await failover(sites, "drill", "crm", "--yes", "--json")
    assert code == 0, err
    move: dict[str, Any] = json.loads(out)
    assert (move["state"], move["direction"], move["runs_at"]) == ("succeeded", "drill", "centre")
    assert (move["promised"]["rto_s"], [span["phase"] for span in move["phases"]]) == (
        1800,
        ["announce", "sync", "up", "verify", "down", "report"],
    )
    assert move["rto_s"] > 0
    assert (whats(sites), sites.centre.runs()) == (["start web-2", "stop web-2"], True)


async def test_a_forced_move_states_the_loss_and_wants_the_name_of_the_plan_typed(sites):
    await sites.centre.fail()
    code, out, err = await failover(sites, "run", "crm", "--forced", "--yes", said="yes\n")
    assert code != 0
    assert "What may be lost: nobody can say what would be lost" in err
    assert ("Nothing was done" in err, sites.effects()) == (True, [])
    code, out, err = await failover(sites, "run", "crm", "--forced", "--note", "the mains are out", said="crm\n")
    assert code == 0, err
    assert whats(sites) == ["isolate centre", "start web-2"]
    assert ("succeeded" in out, "the mains are out" in out, "secours" in out) == (True, True, True)
    assert "the old site is fenced" in err


async def test_a_planned_move_is_refused_with_what_would_lift_it_while_the_site_is_gone(sites):
    await sites.centre.fail()
    code, _, err = await failover(sites, "run", "crm", "--yes")
    assert (code, sites.effects()) == (2, [])
    assert "is not seen up" in err
    assert "What would lift it" in err


async def test_nobody_at_the_terminal_is_a_no(sites):
    await sites.centre.fail()
    code, _, err = await failover(sites, "drill", "web")
    assert (code, "there is no plan web; there are: crm" in err) == (2, True)


async def test_a_question_without_a_daemon_is_answered_by_another_command(sites):
    (sites.secours.folder / "broken").touch()
    await sites.centre.fail()
    code, out, asked = await failover(sites, "run", "crm", "--forced", said="crm\n")
    assert (code, "failover answer yes F" in out) == (1, True)
    (sites.secours.folder / "broken").unlink()
    code, out, err = await failover(sites, "answer", "yes", "--note", "the disk is back")
    assert code == 0, err
    assert [line for line in (asked + err).splitlines() if "not sent" in line] == [], "that is in the log of a daemon"
    assert (whats(sites), sites.secours.runs()) == (["isolate centre", "start web-2", "start web-2"], True)
    code, _, err = await failover(sites, "stop")
    assert (code, "no move is under way" in err) == (2, True)


async def test_with_a_daemon_it_is_the_daemon_that_moves_and_takes_the_answers(sites):
    (sites.secours.folder / "broken").touch()
    daemon = Daemon(sites.folder / "inventory.yaml", sites.folder / "data", ENVIRONMENT, lang="en")
    async with daemon:
        await sites.centre.fail()
        code, out, err = await failover(sites, "run", "crm", "--forced", "--json", said="crm\n")
        assert code == 1, err
        asked = json.loads(out)
        assert (asked["state"], "no disk" in asked["question"]["text"]) == ("waiting", True)
        late = {"yes": True, "asked_at": "2026-01-01T00:00:00Z"}
        with pytest.raises(ApiError, match=r"asks something else by now: .*no disk"):
            await asyncio.to_thread(daemon.api.post, f"/api/v1/moves/{asked['id']}/answer", late)
        again, _, err = await failover(sites, "answer", "oui")
        assert (again, f"{asked['id']} asks: " in err, "no disk" in err) == (1, True, True)
        code, out, _ = await failover(sites, "stop", asked["id"])
        assert (code, "stopped" in out, "nowhere" in out) == (0, True, True)
        moves = await daemon.get("/api/v1/moves")
        assert [(move["id"], move["state"]) for move in moves] == [(asked["id"], "stopped")]
        assert sorted(await daemon.get("/api/v1/openapi.json")) == ["components", "info", "openapi", "paths"]
