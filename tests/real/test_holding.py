"""The lease of a group that runs here, among three real voters: held, handed to the guard, and given up by a move."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from failover.guard_files import Places, handed_over
from failover.keeping import FOREIGN
from failover.model import PlanId
from failover.phases import Direction
from failover.run import Move, MoveState
from monitor.clock import boot_id
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity
from monitor.daemon.daemon import Daemon
from monitor.daemon.keeping import lease_verdicts
from monitor.daemon.moving import Wanted
from monitor.inventory.load import load
from monitor.store import open_store
from tests.failover.guarded import Guarded
from tests.real.etcd_voters import Cluster, three_voters
from tests.two_sites import TwoSites, two_sites

CRM = PlanId("crm")
WITHIN = 90


@pytest.fixture
def cluster(require: Callable[[str, str], Path], free_port: Callable[[], int]) -> Iterator[Cluster]:
    """Voters of this test's own, who know of no lease yet."""
    with three_voters(require, free_port) as made:
        yield made


@pytest.fixture
async def sites(tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TwoSites]:
    monkeypatch.setenv("RELEVE_TEST_MAIL", "mailto://127.0.0.1:1")
    async with two_sites(tmp_path / "sites") as made:
        yield made


def inventory_of(sites: TwoSites, cluster: Cluster, here: str) -> Path:
    voters = cluster.at()
    assert voters.ca is not None and voters.cert is not None and voters.key is not None
    etcd = {
        "endpoints": list(voters.endpoints),
        "ca": voters.ca.reference,
        "cert": voters.cert.reference,
        "key": voters.key.reference,
    }
    places: dict[str, Any] = {
        "centre": {"title": "Douala", "devices": ["centre-host"]},
        "secours": {"title": "Yaoundé", "devices": ["secours-host"]},
        "temoin": {"title": "Témoin", "witness": True},
    }
    places[here]["here"] = True
    more = {"sites": places, "leases": {"etcd": etcd, "ttl": "5s", "loop": "1s", "retry": "1s"}}
    isolation = {"at": "secours", "steps": [sites.work("secours", sites.centre, "isolate", "[ -e cut ]")]}
    fences = [
        {"isolation": {"at": "centre", "steps": [sites.work("centre", sites.secours, "isolate", "[ -e cut ]")]}},
        {"guard": {"at": "centre", "stops_within": "1s"}},
        {"isolation": isolation},
    ]
    written = sites.inventory(more, fences=fences)
    return written.rename(sites.folder / f"{here}.yaml")


@asynccontextmanager
async def running(sites: TwoSites, path: Path, data: str) -> AsyncIterator[Daemon]:
    reading = load(path)
    assert reading.inventory is not None, [ENGLISH.render(problem.message) for problem in reading.problems]
    daemon = await Daemon.start(reading.inventory, open_store(sites.folder / data, write=True, ballast=0))
    daemon.moves.holding.places = Places(sites.folder, sites.folder, sites.folder)
    await daemon.jobs.hear(CheckId("crm-copy"), ok=True)
    copying = asyncio.create_task(_copying(daemon))
    try:
        yield daemon
    finally:
        copying.cancel()
        await asyncio.gather(copying, return_exceptions=True)
        await daemon.close()


async def _copying(daemon: Daemon) -> None:
    while True:
        await daemon.jobs.hear(CheckId("crm-copy"), ok=True)
        await daemon.moves.hold()
        await asyncio.sleep(0.1)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN):
        while not condition():
            await asyncio.sleep(0.05)


async def moved(daemon: Daemon, direction: Direction) -> Move:
    begun = await daemon.moves.start(Wanted(CRM, direction), "uid:0", loss=None)
    async with asyncio.timeout(WITHIN):
        return await daemon.moves.finished_or_waiting(begun.id)


async def test_a_site_holds_the_lease_of_what_runs_there_and_a_move_gives_it_up(sites, cluster):
    async with running(sites, inventory_of(sites, cluster, "centre"), "data-1") as centre:
        await until(lambda: CRM in centre.moves.holding.held)
        steady = centre.moves.holding.held[CRM].belief
        assert steady is not None
        handed = sites.folder / "crm.lease"
        await until(handed.exists)
        validity = handed_over(handed, boot_id())
        assert validity is not None
        assert (validity.token, validity.until > centre.clock.boot()) == (steady.token, True)

        drill = await moved(centre, Direction.DRILL)
        assert (drill.state, CRM in centre.moves.holding.held) == (MoveState.SUCCEEDED, True)

        async with running(sites, inventory_of(sites, cluster, "secours"), "data-2") as secours:
            await until(lambda: CRM not in secours.moves.holding.held)
            prepared = await secours.moves.planned(Wanted(CRM, Direction.FAILOVER))
            assert prepared.tasks == (), "somebody else holds the lease"

        move = await moved(centre, Direction.SWITCHOVER)
        assert move.state is MoveState.SUCCEEDED, ENGLISH.render(move.text)
        assert (sites.centre.runs(), sites.secours.runs()) == (False, True)
        carried = {int(line.split()[0]) for line in sites.effects() if not line.startswith(" ")}
        assert carried == {move.token}
        assert move.token is not None
        assert move.token > steady.token
        await until(lambda: CRM not in centre.moves.holding.held)


async def test_who_comes_back_does_not_take_what_another_site_held_last(sites, cluster):
    """Its own journal knows nothing of the move: the voters do."""
    async with running(sites, inventory_of(sites, cluster, "secours"), "data-2") as secours:
        await sites.centre.fail()
        move = await moved(secours, Direction.FAILOVER)
        assert move.state is MoveState.SUCCEEDED, ENGLISH.render(move.text)
        await until(lambda: CRM in secours.moves.holding.held)
    async with running(sites, inventory_of(sites, cluster, "centre"), "data-1") as centre:
        await until(lambda: CRM in centre.moves.holding.foreign() and centre.moves.holding.why[CRM].why in FOREIGN)
        assert CRM not in centre.moves.holding.held
        passive = centre.moves.holding.why[CRM]
        assert "this one stays passive" in ENGLISH.render(passive.text)
        assert centre.moves.passive() == {NodeId("centre-host"): CRM}
        told = lease_verdicts(centre.desk.inventory.continuity, centre.moves.moves, centre.moves.holding, 0.0)
        assert told[CRM].severity is Severity.CRITICAL
        assert not (sites.folder / "crm.lease").exists(), "the guard is told nothing"


async def test_the_guard_stops_what_runs_while_no_voter_answers_and_holds_again_under_a_newer_token(
    sites, cluster, tmp_path
):
    folder = tmp_path / "guarded"
    folder.mkdir()
    guarded = Guarded(folder)
    try:
        async with running(sites, inventory_of(sites, cluster, "centre"), "data-1") as centre:
            centre.moves.holding.places = Places(folder, folder / "state", folder / "run")
            await until(guarded.lease.exists)
            await asyncio.to_thread(guarded.run)
            guarded.guard_it()
            await until(lambda: guarded.recorded().get("phase") == "holding")
            token = guarded.recorded()["token"]
            cluster.send(signal.SIGSTOP, 0, 1, 2)
            await until(lambda: guarded.stopped(token))
            assert not guarded.runs()
            cluster.send(signal.SIGCONT, 0, 1, 2)
            await until(lambda: guarded.recorded()["phase"] == "holding")
            assert guarded.recorded()["token"] > token
            assert not guarded.runs(), "a guard starts nothing"

            token, places = guarded.recorded()["token"], centre.moves.holding.places
            centre.moves.holding.places = replace(places, beliefs=folder / "full")
            await until(lambda: guarded.stopped(token))
            centre.moves.holding.places = places
            await until(lambda: guarded.recorded()["phase"] == "holding")
            assert guarded.recorded()["token"] > token, "no voter was silent, and the guard had stopped"
    finally:
        guarded.close()
