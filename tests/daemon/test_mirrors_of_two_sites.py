"""Files that are mirrored both ways between two hosts while their group moves there and back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from failover.ground import Act, Hold
from failover.loss import Loss
from failover.model import PlanId, SiteId
from failover.phases import Direction
from failover.run import Move, MoveState
from failover.tasks import subject_of
from monitor.clock import SystemClock
from monitor.core.ids import CheckId
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity
from monitor.daemon import archiving
from monitor.daemon.daemon import Daemon
from monitor.daemon.moving import Wanted
from monitor.inventory.load import load
from monitor.store import open_store
from runbooks.contract import StepFailed
from runbooks.steps.archive import Archive, ArchiveParams
from tests.two_sites import Host, TwoSites, two_sites

CRM, CENTRE, SECOURS = PlanId("crm"), SiteId("centre"), SiteId("secours")
THERE, BACK = CheckId("releve-archive-there"), CheckId("releve-archive-back")
SOON = timedelta(milliseconds=200)
"""How often they are mirrored, and for how long a file must stand still: less than an inventory may say."""
AWAY, HOME = Wanted(CRM, Direction.SWITCHOVER), Wanted(CRM, Direction.FAILBACK)
FORCED = Wanted(CRM, Direction.FAILOVER)


@pytest.fixture
async def sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TwoSites]:
    monkeypatch.setenv("RELEVE_TEST_MAIL", "mailto://127.0.0.1:1")
    monkeypatch.setattr(archiving, "FIRST_AFTER", 0.0)
    async with two_sites(tmp_path / "sites") as made:
        for host in (made.centre, made.secours):
            calls(host).mkdir()
        yield made


@asynccontextmanager
async def running(sites: TwoSites, rate: float | None = None) -> AsyncIterator[Daemon]:
    """The daemon, with its mirrors going round; `rate`: bytes a second at most."""
    ends = ("centre-host", "secours-host")
    more = {
        "automation": {"live": True},
        "recordings": {
            name: {"device": one, "folder": "/calls", "archive": {"device": other, "folder": "/calls"}, "mirror": True}
            for name, one, other in (("there", *ends), ("back", *reversed(ends)))
        },
        "datasets": {"crm-db": {"how": "files", "rpo": "5 min", "checks": [str(THERE), str(BACK)]}},
    }
    reading = load(sites.inventory(more))
    assert reading.inventory is not None, [ENGLISH.render(problem.message) for problem in reading.problems]
    acting = reading.inventory.actionable
    quick = {name: replace(one, every=SOON, closed_after=SOON, rate=rate) for name, one in acting.recordings.items()}
    inventory = replace(reading.inventory, actionable=replace(acting, recordings=quick))
    daemon = await Daemon.start(inventory, open_store(sites.folder / "data", write=True, ballast=0))
    going_round = asyncio.create_task(_going_round(daemon))
    try:
        yield daemon
    finally:
        going_round.cancel()
        await asyncio.gather(going_round, return_exceptions=True)
        await daemon.close()


async def _going_round(daemon: Daemon) -> None:
    while True:
        await daemon.archiving.tick()
        await asyncio.sleep(0.05)


def calls(host: Host) -> Path:
    return host.folder / "calls"


def write(host: Host, name: str, words: str, ago: float = 60) -> None:
    path = calls(host) / name
    path.write_text(words)
    os.utime(path, (SystemClock().now().timestamp() - ago,) * 2)


def files(host: Host) -> dict[str, str]:
    return {path.name: path.read_text() for path in calls(host).iterdir() if not path.name.endswith(".part")}


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.02)


async def moved(daemon: Daemon, wanted: Wanted, loss: timedelta | None = None) -> Move:
    begun = await daemon.moves.start(wanted, "uid:1000", loss=loss, words="works on the mains")
    async with asyncio.timeout(60):
        move = await daemon.moves.finished_or_waiting(begun.id)
    assert move.state is MoveState.SUCCEEDED, ENGLISH.render(move.question.text if move.question else move.text)
    return move


async def archived_by_a_step(daemon: Daemon, name: str) -> None:
    inventory = daemon.desk.inventory
    about = subject_of(inventory.continuity.plans[CRM], SECOURS, inventory.actionable)
    await Archive().apply(ArchiveParams(recordings=name), {}, about, daemon.automation.io())


async def loss_of(daemon: Daemon) -> Loss:
    plan = daemon.desk.inventory.continuity.plans[CRM]
    mine = daemon.moves.book.of(CRM)
    return (await daemon.moves.sighting.seen(plan, mine, moving=None, halted=False)).group(CRM).loss


def told(daemon: Daemon, check: CheckId) -> str:
    health = daemon.desk.state.healths.get(check)
    return "" if health is None or health.latest is not Severity.OK else ENGLISH.render(health.summary)


async def test_a_group_moves_there_and_back_by_plan_with_its_files_mirrored_the_way_that_counts(sites):
    write(sites.centre, "first.wav", "of the centre")
    async with running(sites) as daemon:
        await until(lambda: files(sites.secours) == {"first.wav": "of the centre"})
        assert told(daemon, BACK) == "stands by: le CRM runs at Douala"
        assert (await loss_of(daemon)).known
        write(sites.centre, "last.wav", "before the stop", ago=0)

        away = await moved(daemon, AWAY)

        assert away.rpo == timedelta(0)
        assert [one.checks for one in away.data] == [(THERE,)]
        assert files(sites.secours) == {"first.wav": "of the centre", "last.wav": "before the stop"}
        write(sites.secours, "second.wav", "of the other site")
        await until(lambda: "second.wav" in files(sites.centre))
        assert told(daemon, THERE) == "stands by: le CRM runs at Yaoundé"
        assert daemon.archiving._standing_by.keys() == {"there"}
        loss = await loss_of(daemon)
        assert (loss.known, loss.of) == (True, ("crm-db",))
        standing, _found = (await daemon.readiness.judged())[CRM]
        assert (len(standing.measured), {THERE, BACK} & set(standing.checks)) == (1, {BACK})
        with pytest.raises(StepFailed) as refused:
            await archived_by_a_step(daemon, "there")
        assert ENGLISH.render(refused.value.text) == "there: stands by: le CRM runs at Yaoundé"
        await archived_by_a_step(daemon, "back")
        (sites.secours.folder / "cut").unlink()

        home = await moved(daemon, HOME)

        assert home.rpo == timedelta(0)
        assert [one.checks for one in home.data] == [(BACK,)]
        assert files(sites.centre) == files(sites.secours)
        write(sites.centre, "third.wav", "of the centre again")
        await until(lambda: "third.wav" in files(sites.secours))
        assert told(daemon, BACK) == "stands by: le CRM runs at Douala"


async def test_a_lost_site_that_is_back_brings_nothing_over_and_what_it_alone_has_stays_for_the_way_back(sites):
    write(sites.centre, "list.csv", "first", ago=600)
    async with running(sites) as daemon:
        await until(lambda: "list.csv" in files(sites.secours))
        await until(lambda: THERE in daemon.desk.figures or told(daemon, THERE) != "")
        await sites.centre.fail()
        write(sites.centre, "only-here.wav", "nobody else has it")
        write(sites.centre, "list.csv", "changed before the loss", ago=300)

        await moved(daemon, FORCED)

        # Where the group runs by now the list goes on, and was worked off under another name.
        (calls(sites.secours) / "list.csv").rename(calls(sites.secours) / "done.csv")
        write(sites.secours, "list.csv", "of the other site", ago=100)
        prepared = await daemon.moves.planned(HOME)
        assert isinstance(prepared.answer, Hold)
        await sites.centre.sshd.start()
        await until(lambda: "done.csv" in files(sites.centre))
        for name in ("next.wav", "after-that.wav"):  # as many rounds as the other way would need, twice over
            write(sites.secours, name, "a call")
            await until(lambda name=name: name in files(sites.centre))
        new = {"next.wav": "a call", "after-that.wav": "a call"}
        assert files(sites.secours) == {"list.csv": "of the other site", "done.csv": "first"} | new
        assert files(sites.centre) == {
            "list.csv": "of the other site", ".list.csv.before": "changed before the loss",
            "only-here.wav": "nobody else has it", "done.csv": "first",
        } | new  # fmt: skip
        (sites.secours.folder / "cut").unlink(missing_ok=True)
        assert isinstance((await daemon.moves.planned(HOME)).answer, Act)

        await moved(daemon, HOME)

        await until(lambda: files(sites.secours).get("only-here.wav") == "nobody else has it")
        assert files(sites.centre)["list.csv"] == files(sites.secours)["list.csv"] == "of the other site"


async def test_what_is_half_copied_is_let_go_once_the_group_moves_by_force(sites):
    write(sites.centre, "long.wav", "x" * 5_000_000)
    async with running(sites, rate=50_000.0) as daemon:
        await until(lambda: any(calls(sites.secours).glob(".long.wav.part")))
        sites.centre.kill()

        await moved(daemon, FORCED)

        await until(lambda: told(daemon, THERE) == "stands by: le CRM runs at Yaoundé")
        assert "there" not in daemon.archiving._rounds
        write(sites.secours, "next.wav", "a call")
        await until(lambda: "next.wav" in files(sites.centre))
        assert files(sites.secours) == {"next.wav": "a call"}
