"""An archive that is full, refuses or lies: operations are told, no recording is lost, and all is well once it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from lab.adapt import adapted, reference, write
from lab.site import Site
from monitor.core.events import EventKind
from monitor.core.ids import CheckId
from monitor.core.incident import Incident
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.daemon import Daemon
from monitor.inventory.load import load
from monitor.store import open_store

CHECK = CheckId("releve-archive-hmp-audio")
PATIENCE = 60


@asynccontextmanager
async def watching(
    folder: Path, site: Site, monkeypatch: pytest.MonkeyPatch, every: str = "0.3s"
) -> AsyncIterator[Daemon]:
    """A daemon that archives the recordings of `site`, and turns as it would by itself."""
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    checks = load(reference()).inventory.checks
    copy = adapted(reference().read_text("utf-8"), {str(n): c.probe for n, c in checks.items()}, site)
    copy["recordings"]["hmp-audio"] |= {"every": every, "closed_after": "0.2s"}
    (folder / "inventory.yaml").write_text(write(copy), "utf-8")
    inventory = load(folder / "inventory.yaml").inventory
    daemon = await Daemon.start(inventory, open_store(folder / "data", write=True, ballast=0))
    running = asyncio.create_task(daemon.run())
    try:
        yield daemon
    finally:
        daemon.stop()
        await running
        await daemon.close()


async def incident_of(daemon: Daemon, *, is_open: bool) -> Incident:
    async with asyncio.timeout(PATIENCE):
        while True:
            for incident in daemon.desk.state.incidents.values():
                if incident.check == CHECK and incident.open is is_open:
                    return incident
            await asyncio.sleep(0.1)


async def until_archived(site: Site) -> None:
    async with asyncio.timeout(PATIENCE):
        while not site.recordings_archived:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("fault", ["fill", "refuse"])
async def test_an_archive_that_takes_nothing_is_told_and_everything_is_archived_once_it_does(
    tmp_path, monkeypatch, fault
):
    async with Site() as site:
        broken = getattr(site.archive, fault)()
        if broken is not None:
            await broken
        async with watching(tmp_path, site, monkeypatch) as daemon:
            incident = await incident_of(daemon, is_open=True)
            assert (incident.severity, incident.kind) == (Severity.WARNING, "other")
            assert "othing" in ENGLISH.render(incident.title) or "ended early" in ENGLISH.render(incident.title)
            told = await daemon.journal.notices(incident.id)
            assert {notice.key.recipient for notice in told} == {"admin"}
            assert site.servers().deleted == ()
            await site.archive.mend()
            await until_archived(site)
            ended = await incident_of(daemon, is_open=False)
            assert ended.timeline[-1].kind is EventKind.RESOLVED


async def test_a_copy_that_comes_back_changed_is_no_copy_and_is_made_anew(tmp_path, monkeypatch):
    async with Site() as site:
        site.archive.lie()
        async with watching(tmp_path, site, monkeypatch) as daemon:
            await until_archived(site)
            assert site.archive.lied
            assert daemon.desk.state.healths[CHECK] is not None
        kept = {one.sha256 for one in site.recorder.closed.values()}
        wrong = [name for name, found in site.archive.hashes().items() if found not in kept]
        assert not wrong, "no copy with a flipped bit stays"


async def test_a_look_at_an_archive_says_how_far_it_is_behind_and_begins_a_round(tmp_path, monkeypatch):
    """As a move does, which waits until nothing is lacking any more: the next round by itself would be in an hour."""
    async with Site() as site, watching(tmp_path, site, monkeypatch, every="1 h") as daemon:
        async with asyncio.timeout(PATIENCE):
            while CHECK not in daemon.desk.state.healths:
                with suppress(KeyError):  # until the first tick nothing is archived
                    seen = await daemon.look(CHECK)
                    # While it looks, the first round may come to its end: then it knows how far that came.
                    assert seen.severity is Severity.UNKNOWN or "lag" in figures(seen)
                await asyncio.sleep(0.1)
            while figures(await daemon.look(CHECK)).get("lag", 60) > 5 or not site.recordings_archived:
                await asyncio.sleep(0.1)
        before = figures(await daemon.look(CHECK))
        assert before["lag"] < before["age"] + 10
        await daemon.journal.flush_samples()
        until = daemon.clock.now() + timedelta(seconds=1)
        kept = daemon.journal.store.samples(CHECK, "lag", until - timedelta(hours=1), until)
        assert kept
        with pytest.raises(KeyError):
            await daemon.look(CheckId("releve-archive-nobody"))


def figures(verdict: Verdict) -> dict[str, float]:
    return {metric.name: metric.value for metric in verdict.metrics}
