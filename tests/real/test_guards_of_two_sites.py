"""A Relève at one site moves a group between two that are both guarded: by its guards' records, not by their time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from failover.model import PlanId
from failover.phases import Direction
from failover.run import Move, MoveState
from monitor.core.text import ENGLISH
from monitor.daemon.daemon import Daemon
from monitor.daemon.keeping import lease_verdicts
from monitor.daemon.moving import Wanted
from tests.real.etcd_voters import Cluster, three_voters
from tests.real.guarded_pair import STOPS_WITHIN, WITHIN, Pair, Watched, guarded_pair
from tests.two_sites import two_sites

CRM = PlanId("crm")


@pytest.fixture
def cluster(require: Callable[[str, str], Path], free_port: Callable[[], int]) -> Iterator[Cluster]:
    """Voters of this test's own, who know of no lease yet."""
    with three_voters(require, free_port) as made:
        yield made


@pytest.fixture
async def pair(tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    monkeypatch.setenv("RELEVE_TEST_MAIL", "mailto://127.0.0.1:1")
    async with two_sites(tmp_path / "sites") as sites, guarded_pair(sites, cluster) as made:
        yield made


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN):
        while not condition():
            await asyncio.sleep(0.05)


async def moved(daemon: Daemon, direction: Direction, pair: Pair) -> tuple[Move, Watched]:
    watched = Watched(pair)
    begun = await daemon.moves.start(Wanted(CRM, direction), "uid:0", loss=None)
    async with asyncio.timeout(WITHIN):
        move = await daemon.moves.finished_or_waiting(begun.id)
    await watched.close()
    assert move.state is MoveState.SUCCEEDED, ENGLISH.render(move.text or move.log[-1].text)
    return move, watched


def lease(daemon: Daemon) -> str:
    """How the lease stands, as people read it."""
    moves = daemon.moves
    untold = moves.guards.untold_there()
    told = lease_verdicts(daemon.desk.inventory.continuity, moves.moves, moves.holding, daemon.clock.boot(), untold)
    return ENGLISH.render(told[CRM].summary)


async def test_a_group_moves_between_two_guarded_sites_and_back_by_the_records_of_their_guards(pair):
    pair.guard("secours")
    async with AsyncExitStack() as line, pair.leading("centre") as daemon:
        await line.enter_async_context(pair.receiving("secours"))
        await until(lambda: daemon.moves.holding.heard.get(CRM) is not None)
        pair.guard("centre")
        await until(lambda: [pair.recorded(n).get("phase") for n in pair.ports] == ["holding", "stopped"])
        assert pair.sites.centre.runs(), "a guard that holds stops nothing"

        drill, _watched = await moved(daemon, Direction.DRILL, pair)
        assert drill.state is MoveState.SUCCEEDED

        move, there = await moved(daemon, Direction.SWITCHOVER, pair)
        assert (pair.sites.centre.runs(), pair.sites.secours.runs(), there.both) == (False, True, 0)
        assert there.gap < STOPS_WITHIN / 2, "nobody has waited for the time of the guard"
        assert pair.recorded("centre")["phase"] == "stopped"
        assert pair.recorded("centre")["token"] >= move.token
        await until(lambda: pair.recorded("secours")["phase"] == "holding" and CRM in daemon.moves.holding.held)
        steady = daemon.moves.holding.held[CRM].belief
        assert steady is not None
        assert move.token is not None
        assert steady.token > move.token, "the guard over there may have stopped for the move's own"
        await until(lambda: pair.recorded("secours")["token"] >= steady.token)

        # It runs there on and on, under a lease that is kept from here.
        told = daemon.moves.guards.telling.heard[CRM].until
        await until(lambda: daemon.moves.guards.telling.heard[CRM].until > told + 3)
        assert pair.sites.secours.runs()
        assert "stopping" not in pair.said("secours").partition("the lease is held")[2]

        await line.aclose()
        await until(lambda: not pair.sites.secours.runs())
        assert "the lease of le CRM is held, and will stop it" in lease(daemon)
        await line.enter_async_context(pair.receiving("secours"))
        await until(lambda: pair.recorded("secours")["phase"] == "holding" and "token" in lease(daemon))
        assert pair.recorded("secours")["token"] > steady.token, "what it has stopped for, it never holds for again"
        await pair.sites.begin("web-2", pair.sites.secours)

        _move, back = await moved(daemon, Direction.FAILBACK, pair)
        assert (pair.sites.centre.runs(), pair.sites.secours.runs(), back.both) == (True, False, 0)
        await until(lambda: pair.recorded("secours")["phase"] == "stopped")
        print(f"nothing ran for {there.gap:.2f} s on the way there, {back.gap:.2f} s on the way back")
