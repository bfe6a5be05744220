"""kill -9 at every write of the journal of both runbooks: it ends as if nothing had been, or a person was asked."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.adapt import adapted, reference, write
from lab.site import Site
from monitor.inventory.load import load
from monitor.store import open_store
from runbooks.run import RunState

KILLED, ENDED = -9, 0
ROOM = 76
"""Per cent of the disk: the purge ends at 75, and calls go on being recorded."""
RESTART = """\
runbook: restart-service
title: {fr: Redémarrer, en: Restart}
budget: {attempts: 3, within: 1 h}
cooldown: 0s
proof: {within: 1s, stays: 0s}
steps:
  - {step: service-restart, starts_within: 2s, stays: 0.2s}
"""
PURGE = """\
runbook: purge-audio
title: {fr: Purger, en: Purge}
budget: {attempts: 3, within: 1 h}
cooldown: 0s
proof: {within: 1s, stays: 0s}
steps:
  - {step: purge, until: 75%}
  - {step: archive, until: 75%}
  - {step: purge, until: 75%}
"""


EVERY_WRITE = bool(os.environ.get("RELEVE_EVERY_WRITE"))
"""Also at each of the hundred writes of the ledger, which `make soak` asks for."""
STEP = 1 if EVERY_WRITE else 2
"""Before the first, after the first, before the third, after the third: each state of the disk once, since what lies
there after one write is what lies there before the next."""
FULL = 93 if EVERY_WRITE else 80
"""Per cent of the disk before the purge: the fuller, the more recordings are archived and the more often is written."""


@dataclass
class Program:
    """The program that carries runs out and can be cut off; each job is a process of its own."""

    process: asyncio.subprocess.Process

    async def job(self, story: Story, what: str = "run", at: int = 0, *, after: bool = False) -> dict[str, Any]:
        """Let the run be carried out, cut off at its write `at` of the kind `what` (0: not at all); return its end."""
        job = {
            "inventory": str(story.folder / "inventory.yaml"),
            "data": str(story.folder / "data"),
            "runbook": story.runbook,
            "subject": story.subject,
            "what": what,
            "at": at,
            "after": after,
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job).encode() + b"\n")
        await self.process.stdin.drain()
        async with asyncio.timeout(90):
            answer: dict[str, Any] = json.loads(await self.process.stdout.readline())
        return answer


@asynccontextmanager
async def program(environment: Mapping[str, str]) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", str(Path(__file__).with_name("cut_run.py")),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **environment, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    try:
        yield Program(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


@dataclass
class Story:
    """A folder with the inventory of a site and with the state of whoever repairs it."""

    folder: Path
    runbook: str
    subject: str

    def state(self) -> RunState:
        """How the only run stands."""
        with open_store(self.folder / "data", write=False) as store:
            (run,) = store.runs()
            return run.state

    def afresh(self) -> None:
        """Forget what the last run left."""
        shutil.rmtree(self.folder / "data", ignore_errors=True)


def story_of(folder: Path, site: Site, runbook: str, subject: str) -> Story:
    """Write the inventory of `site` and quick versions of both runbooks into `folder`."""
    loaded = load(reference()).inventory
    assert loaded is not None
    copy = adapted(reference().read_text("utf-8"), {str(n): c.probe for n, c in loaded.checks.items()}, site)
    copy["recordings"]["hmp-audio"]["closed_after"] = "0.2s"
    for name, check in loaded.checks.items():
        if check.probe == "ping":
            copy["checks"][str(name)]["count"] = 1
    (folder / "runbooks").mkdir(parents=True)
    (folder / "inventory.yaml").write_text(write(copy), "utf-8")
    (folder / "runbooks" / "restart.yaml").write_text(RESTART, "utf-8")
    (folder / "runbooks" / "purge.yaml").write_text(PURGE, "utf-8")
    return Story(folder, runbook, subject)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_restart_of_services_that_is_cut_off_anywhere_restarts_none_twice(tmp_path, after):
    async with Site() as site, program(site.environment) as carrying:
        story = story_of(tmp_path / "site", site, "restart-service", "onnet")
        site.scm.start_takes, site.scm.accept_delay = 0.3, 0.2
        await site.crash_service("Onnet")
        whole = await carrying.job(story)
        assert (whole["code"], story.state(), site.services_run) == (ENDED, RunState.SUCCEEDED, True)
        assert whole["writes"]["run"] >= 8
        asked = 0
        for at in range(1, whole["writes"]["run"] + 1, STEP):
            story.afresh()
            site.scm.accepted.clear()
            await site.crash_service("Onnet")
            where = f"at write {at}"
            assert (await carrying.job(story, "run", at, after=after))["code"] == KILLED, where
            assert (await carrying.job(story))["code"] == ENDED, where
            state = story.state()
            assert {one.key for one in site.scm.accepted} <= {"Onnet"}, f"{where}: what runs is left alone"
            if state is RunState.SUCCEEDED:
                assert (site.services_run, site.scm.starts("Onnet")) == (True, 1), where
            else:
                asked += 1
                assert (state, site.scm.starts("Onnet")) == (RunState.WAITING, 0), where
                await site.start_service("Onnet")
                while not site.services_run:
                    await asyncio.sleep(0.05)
        assert asked <= 1, "a person is asked only where nobody else could tell"


async def purged(folder: Path, carrying: Program, what: str = "run", at: int = 0, *, after: bool) -> dict[str, int]:
    """Fill the disk of a site and let it be purged, cut off once; return how many writes it took undisturbed."""
    async with Site() as site:
        story = story_of(folder, site, "purge-audio", "hmp-disk")
        await site.fill_disk(FULL)
        where = f"{what} {at}"
        ended = await carrying.job(story, what, at, after=after)
        if at and (what == "run" or at == 1 or ended["code"] == KILLED):
            assert ended["code"] == KILLED, where
            ended = await carrying.job(story)
        elif at:
            # How many files one write of the ledger takes is a matter of speed, so there may be fewer than before.
            assert ended["writes"].get(what, 0) < at, where
        assert (ended["code"], story.state()) == (ENDED, RunState.SUCCEEDED), where
        _judge(site, where)
        writes: dict[str, int] = ended["writes"]
        return writes


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_purge_that_is_cut_off_anywhere_loses_no_recording(tmp_path, after):
    """At every write of the journal, and of the ledger's many ones at the first of each kind, or at all of them."""
    async with Site() as any_site, program(any_site.environment) as carrying:
        whole = await purged(tmp_path / "whole", carrying, after=after)
        assert whole["run"] >= 10
        for what in ("run", "look", "prove", "deleting", "deleted"):
            last = whole[what] if what == "run" or EVERY_WRITE else 1
            for at in range(1, last + 1, STEP):
                await purged(tmp_path / f"{what}-{at}", carrying, what, at, after=after)


def _judge(site: Site, where: str) -> None:
    """The disk has room; what is gone is in the archive, and none of it was young; the open file is whole."""
    held = site.servers()
    gone = {name: one for name, one in held.recorded.items() if name not in held.present}
    assert gone, where
    assert held.disk < ROOM, where
    assert {one.sha256 for one in gone.values()} <= held.archived, where
    assert all(held.at - one.written_at >= timedelta(days=7) for one in gone.values()), where
    assert held.live_is_whole, where
