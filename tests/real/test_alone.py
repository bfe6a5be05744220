"""A site is lost, and its group moves by itself: real voters, real hosts, and the daemon of the other site."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import select

from alerts.notice import Step
from failover.etcd import Voters
from failover.ground import Why
from failover.lease import Record, Seen
from failover.lease_etcd import EtcdLease, Watching
from failover.model import Etcd, PlanId
from failover.phases import Direction
from failover.promise_etcd import EtcdPromise
from failover.promise_record import Record as Promise
from failover.promise_record import TakenBack
from failover.run import Move, MoveState
from failover.vantage import LAPSE_LASTS, in_vain
from monitor.cli import demo_daemon
from monitor.clock import SystemClock
from monitor.core.events import RELEVE, EventKind
from monitor.core.ids import CheckId, NodeId
from monitor.core.maintenance import Span, Window
from monitor.core.text import ENGLISH
from monitor.daemon import deciding
from monitor.daemon.clock import GuardedClock
from monitor.daemon.daemon import Daemon
from monitor.daemon.lapses import Lapses
from monitor.daemon.moving import Wanted
from monitor.daemon.selfcheck import promise_check
from monitor.daemon.tenure import tenure_of
from monitor.inventory.load import load
from monitor.store import open_store
from monitor.store.tables import audit
from runbooks.contract import Promised
from tests.real.etcd_voters import Cluster, Line, three_voters
from tests.two_sites import TwoSites, two_sites

PATIENCE = 60.0
NAMES = (PlanId(f"alone-{n}") for n in count())
CLOCK = SystemClock()
HOST = NodeId("centre-host")
MINUTES = LAPSE_LASTS + 30
ENVIRONMENT = {"RELEVE_TEST_MAIL": "mailto://127.0.0.1:1"}


@pytest.fixture(scope="module")
def cluster(require: Callable[[str, str], Path], free_port: Callable[[], int]) -> Iterator[Cluster]:
    with three_voters(require, free_port) as made:
        yield made


@dataclass
class World:
    """Both sites; the Relève of the centre as a process that keeps the lease, that of the other one as a daemon."""

    sites: TwoSites
    etcd: Etcd
    plan: PlanId
    keeper: subprocess.Popen[str] | None = None

    def keep(self) -> None:
        """Let the centre hold its lease, as its Relève does."""
        folder = self.sites.folder / "kept"
        folder.mkdir()
        secrets = [str(one.reference) for one in (self.etcd.ca, self.etcd.cert, self.etcd.key) if one is not None]
        command = [sys.executable, "-m", "tests.real.keeping_site", ",".join(self.etcd.endpoints), str(folder)]
        self.keeper = subprocess.Popen([*command, *secrets, self.plan], stdout=subprocess.DEVNULL, text=True)

    def stop_keeping(self) -> None:
        """End the Relève of the centre, as a power cut would."""
        if self.keeper is not None:
            self.keeper.kill()
            self.keeper.wait(10)

    async def lose_the_centre(self) -> None:
        self.stop_keeping()
        await self.sites.centre.fail()

    def inventory(self, *ports: int, here: str = "secours", **changes: Any) -> Path:
        """Write the inventory as the Relève at `here` has it; `ports`: where it reaches the voters."""
        etcd = self.etcd if not ports else _elsewhere(self.etcd, ports)
        assert etcd.ca is not None and etcd.cert is not None and etcd.key is not None
        voters = {
            "endpoints": list(etcd.endpoints), "ca": etcd.ca.reference, "cert": etcd.cert.reference,
            "key": etcd.key.reference,
        }  # fmt: skip
        more: dict[str, Any] = {
            "sites": {
                "centre": {"title": "Douala", "devices": ["centre-host"]},
                "secours": {"title": "Yaoundé", "devices": ["secours-host"]},
                "temoin": {"title": "Témoin", "witness": True},
            },
            "leases": {"etcd": voters, "ttl": "5s", "loop": "1s", "retry": "1s"},
        }
        more["sites"][here]["here"] = True
        path = self.sites.inventory(more, **{"start": "on_loss", "lag_ceiling": "1 h"} | changes)
        body = yaml.safe_load(path.read_text("utf-8"))
        body["plans"] = {str(self.plan): body["plans"]["crm"]}
        for check in body["checks"].values():
            check |= {"every": "1s", "confirm": 1}
        body["checks"]["door-1"]["incident"] = "site-lost"
        path.write_text(yaml.safe_dump(body, allow_unicode=True, sort_keys=False), "utf-8")
        return path


def _elsewhere(etcd: Etcd, ports: tuple[int, ...]) -> Etcd:
    return Etcd(tuple(f"https://127.0.0.1:{port}" for port in ports), etcd.ca, etcd.cert, etcd.key)


class Later(SystemClock):
    """The machine's clock, `ahead` seconds later than it is."""

    ahead = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead)

    def boot(self) -> float:
        return super().boot() + self.ahead


class StoppedOnce(Later):
    """As if all of Relève had been stopped for a while, once, at the moment when `when` is true."""

    def __init__(self, when: Callable[[], bool]) -> None:
        self._when, self._stopped = when, False

    def boot(self) -> float:
        if not self._stopped and self._when():
            self.ahead, self._stopped = self.ahead + MINUTES, True
        return super().boot()


@pytest.fixture
async def world(tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setenv("RELEVE_TEST_MAIL", "mailto://127.0.0.1:1")
    async with two_sites(tmp_path / "sites") as sites:
        made = World(sites, cluster.at(), next(NAMES))
        made.keep()
        try:
            yield made
        finally:
            made.stop_keeping()


@asynccontextmanager
async def watching(
    world: World, path: Path, gate: str = "door-1", machine: Later | None = None, holder: str = "centre"
) -> AsyncIterator[Daemon]:
    """The daemon, by the clock of `machine`, once it has seen the lease of `holder`, and `gate` once."""
    reading = load(path)
    assert reading.inventory is not None, [ENGLISH.render(problem.message) for problem in reading.problems]
    later = machine or Later()
    daemon = await Daemon.start(
        reading.inventory,
        open_store(world.sites.folder / "data", write=True, ballast=0),
        clock_from=lambda kept: GuardedClock(kept, later, "boot", synchronised=lambda: True),
    )
    await daemon.jobs.hear(CheckId("crm-copy"), ok=True)
    running = asyncio.create_task(daemon.run())
    try:
        kept = daemon.moves.watching(world.plan)
        await until(lambda: kept.kept.record is not None and kept.kept.record.holder == holder, "the lease")
        await until(lambda: gate in daemon.desk.state.healths, "a first look")
        yield daemon
    finally:
        daemon.stop()
        await running
        await daemon.close()


async def until(true: Callable[[], Any], what: str, within: float = PATIENCE) -> Any:
    end = time.monotonic() + within
    while not (found := true()):
        assert time.monotonic() < end, what
        await asyncio.sleep(0.05)
    return found


async def over(daemon: Daemon) -> Move:
    """The only move there is, once it is over."""

    def ended() -> Move | None:
        return next((move for move in daemon.moves.moves.values() if move.state.over), None)

    found = await until(ended, "a move")
    assert len(daemon.moves.moves) == 1
    assert isinstance(found, Move)
    return found


async def told(daemon: Daemon, kind: EventKind = EventKind.NOTE) -> list[str]:
    """What the logs of the incidents say."""
    journal = daemon.journal
    events = [event for one in daemon.desk.state.incidents for event in await journal.ask(journal.store.events, one)]
    return [ENGLISH.render(event.text) for event in events if event.kind is kind]


async def says(daemon: Daemon, words: str, kind: EventKind = EventKind.NOTE) -> str:
    """Return the line of an incident's log that has `words`, once there is one."""
    end = time.monotonic() + PATIENCE
    while not (found := [line for line in await told(daemon, kind) if words in line]):
        assert time.monotonic() < end, words
        await asyncio.sleep(0.1)
    return found[0]


def held(daemon: Daemon, plan: PlanId) -> Why | None:
    found = daemon.deciding.held.get(plan)
    return None if found is None else found.hold.why


def effects(world: World) -> Counter[str]:
    return Counter(line.partition(" ")[2] for line in world.sites.effects())


def with_a_copy_that_commits_wait_for(world: World) -> Path:
    """Write an inventory by which nothing may be lost, with a database at each site; none of the two is there."""
    path = world.inventory(lag_ceiling="0s", data=["base"])
    body = yaml.safe_load(path.read_text("utf-8"))
    access = {"engine": "postgresql", "database": "crm", "user": "releve", "password": "env:RELEVE_TEST_MAIL"}
    for name, site in (("sql-1", "centre"), ("sql-2", "secours")):
        body["devices"][name] = {"address": "127.0.0.1", "sql": {**access, "port": 1}}
        body["sites"][site]["devices"].append(name)
    body["checks"]["pair"] = {"probe": "replication", "device": "sql-1", "standby": "sql-2"}
    body["datasets"] = {"base": {"how": "postgresql", "rpo": "5 min", "checks": "pair", "synchronous": True}}
    path.write_text(yaml.safe_dump(body, allow_unicode=True, sort_keys=False), "utf-8")
    return path


@asynccontextmanager
async def promise(world: World, site: str) -> AsyncIterator[EtcdPromise]:
    """The promise of the data set `base`, as the Relève at `site` may write it."""
    voters = Voters(world.etcd, 2.0, CLOCK)
    try:
        yield EtcdPromise(voters, "base", str(world.plan), site)
    finally:
        await voters.close()


async def test_a_lost_site_is_taken_over_by_itself_and_loses_nothing_where_the_voters_hold_that_commits_waited(world):
    path = with_a_copy_that_commits_wait_for(world)
    async with watching(world, path) as daemon, lease(world) as record, promise(world, "centre") as kept:
        held_by, at = await record(), CLOCK.now()
        made = Promise(True, "centre", "sql-1", "sql-2", "sql-2", "", "7", 1, 1.0, held_by.token, at)
        assert await kept.write(made, 0)
        await until(lambda: "base" in daemon.promising.standing(), "that it is known to stand")
        assert (await daemon.readiness.judged())[world.plan][1].loss.none
        await world.lose_the_centre()
        move = await over(daemon)
        assert move.state is MoveState.SUCCEEDED, ENGLISH.render(move.text)
        assert (move.started_by, move.direction, move.target) == (RELEVE, Direction.FAILOVER, "secours")
        assert "lost, as seen by Yaoundé, the voters" in ENGLISH.render(move.reason)
        assert effects(world) == {"isolate centre": 1, "start web-2": 1}
        await says(daemon, f"forced move to Yaoundé begins ({move.id})")
        notices = await daemon.journal.ask(daemon.journal.store.notices)
        assert {notice.key.step for notice in notices} >= {Step.DEPLOYMENT_PLAN, Step.FAILOVER_REPORT}
        await until(lambda: world.plan in daemon.moves.holding.held, "its lease is held from here on")
        assert move.data[0].promised == Promised(NodeId("sql-2"), "7", 1, at)
        assert (move.loss, move.rpo) == (timedelta(0), timedelta(0))
        # It was of a primary that is none any more: whoever runs the group now takes it back, and promises nothing yet.
        void = await taken_back(kept)
        assert (void.stands, void.why, void.token > made.token) == (False, TakenBack.MOVED, True)
        assert promise_check("base") in daemon.desk.state.healths
        plan = daemon.desk.inventory.continuity.plans[world.plan]
        for site in (move.source, move.target):
            assert await daemon.moves.promises.of(plan, site, [move]) == {}
    with open_store(world.sites.folder / "data", write=False) as store:
        assert store.verify_audit().whole
        with store.engine.connect() as connection:
            rows = connection.execute(select(audit.c.actor, audit.c.action)).all()
        assert (RELEVE, "failover") in [tuple(row) for row in rows]


async def test_who_is_only_cut_off_moves_nothing_and_says_so_and_announced_work_is_left_alone(world, cluster):
    async with Line(cluster.ports) as line, watching(world, world.inventory(*line.ports)) as daemon:
        await world.sites.centre.fail()
        await says(daemon, "Douala is seen down by Yaoundé, but up by the voters")
        line.cut()
        await says(daemon, "Douala is seen down by Yaoundé only")
        now = daemon.clock.now()
        work = Window("patch", frozenset({CheckId("door-1")}), Span(now, now + timedelta(hours=1)), nodes=(HOST,))
        await daemon.desk.announce(work, "uid:0")
        line.mend()
        world.stop_keeping()
        await until(lambda: held(daemon, world.plan) is Why.MAINTENANCE, "that work is announced")
        kept = daemon.moves.watching(world.plan)
        await until(lambda: kept.kept.heard is not None and CLOCK.boot() - kept.kept.seen.since > 6, "the lapse")
        assert held(daemon, world.plan) is Why.MAINTENANCE
        assert (daemon.moves.moves, world.sites.effects()) == ({}, [])
        await daemon.desk.end_work("patch", "uid:0")
        assert (await over(daemon)).state is MoveState.SUCCEEDED
        assert effects(world) == {"isolate centre": 1, "start web-2": 1}


async def test_where_more_may_be_lost_than_the_plan_allows_a_person_is_called_once_and_decides(world):
    path = world.inventory(lag_ceiling="0s")
    async with watching(world, path) as daemon:
        await world.lose_the_centre()
        call = await says(daemon, "more may be lost than the plan allows", EventKind.CALLED)
        assert f"releve failover run {world.plan} --forced" in call
    async with watching(world, path) as daemon:
        await until(lambda: held(daemon, world.plan) is Why.WORD, "the same after a restart")
        seen = daemon.deciding.held[world.plan]
        await until(lambda: daemon.deciding.held[world.plan] is not seen, "another turn")
        assert (await told(daemon, EventKind.CALLED), daemon.moves.moves) == ([call], {})
        begun = await daemon.moves.start(Wanted(world.plan, Direction.FAILOVER), "uid:1000", loss=None)
        async with asyncio.timeout(PATIENCE):
            ended = await daemon.moves.finished_or_waiting(begun.id)
        assert (ended.state, ended.started_by) == (MoveState.SUCCEEDED, "uid:1000")


async def test_a_service_that_is_down_for_too_long_leaves_a_site_that_stands(world):
    world.stop_keeping()
    async with watching(world, world.inventory(here="centre", start="by 10 s"), gate="door-2") as daemon:
        await until(lambda: world.plan in daemon.moves.holding.held, "the lease")
        world.sites.centre.kill()
        await until(lambda: held(daemon, world.plan) is Why.RUNS, "why it does not move yet")
        until_then = daemon.deciding.held[world.plan].hold.until
        move = await over(daemon)
        assert move.state is MoveState.SUCCEEDED, ENGLISH.render(move.text)
        assert (move.started_by, until_then is not None and move.started_at >= until_then) == (RELEVE, True)
        assert "the incident lasts too long" in ENGLISH.render(move.reason)


async def taken_back(promise: EtcdPromise) -> Promise:
    """Return what the voters hold once the promise stands no more."""
    end = time.monotonic() + PATIENCE
    while (found := (await promise.read())[0]) is None or found.stands:
        assert time.monotonic() < end, found
        await asyncio.sleep(0.1)
    return found


async def test_who_is_killed_right_after_the_decision_decides_anew_and_moves_once(world):
    daemon = demo_daemon.Daemon(world.inventory(), world.sites.folder / "data", ENVIRONMENT, lang="en")
    await daemon.start()
    try:
        async with lease(world) as record:
            while "crm-copy" not in await figures(daemon):
                await asyncio.to_thread(daemon.api.post, "/heartbeat/crm-copy", {})
                await asyncio.sleep(0.2)
            assert (await record()).holder == "centre"
            await world.lose_the_centre()
            async with asyncio.timeout(PATIENCE):
                while (await record()).holder != "secours":
                    await asyncio.sleep(0.005)
            await daemon.kill()
            await daemon.start()
            async with asyncio.timeout(PATIENCE):
                while not (moves := await daemon.get("/api/v1/moves")) or moves[0]["state"] == "running":
                    await asyncio.sleep(0.1)
    finally:
        await daemon.stop()
    assert [(move["state"], move["started_by"]) for move in moves] == [("succeeded", RELEVE)], moves
    assert effects(world) == {"isolate centre": 1, "start web-2": 1}


async def figures(daemon: demo_daemon.Daemon) -> set[str]:
    """Return the data whose lag is known while the centre is held."""
    (group,) = await daemon.get("/api/v1/plans")
    return {check["check"] for data in group["data"] if data["known"] for check in data["checks"]}


@asynccontextmanager
async def lease(world: World) -> AsyncIterator[Callable[[], Awaitable[Record]]]:
    """Read the record of the group's lease as somebody who looks only."""
    voters = Voters(world.etcd, 2.0, CLOCK)
    reading = EtcdLease(voters, str(world.plan), "-", "-", 5.0, CLOCK)

    async def record() -> Record:
        """The first one is written once nobody can hold the lease any more: that takes as long as it lasts."""
        async with asyncio.timeout(PATIENCE):
            while not isinstance(seen := await reading.look(), Seen) or seen.record is None:
                await asyncio.sleep(0.05)
        return seen.record

    try:
        yield record
    finally:
        await reading.close()


async def test_a_move_that_could_not_begin_is_tried_again_for_longer_than_a_lapse_is_remembered(world, monkeypatch):
    monkeypatch.setattr(deciding, "AGAIN", 1.0)
    daemons: list[Daemon] = []

    def taking() -> bool:
        tenures = daemons[0].moves.beginning.taking if daemons else {}
        return world.plan in tenures and tenures[world.plan].belief is not None

    machine = StoppedOnce(taking)
    async with watching(world, world.inventory(), machine=machine) as daemon:
        daemons.append(daemon)
        await world.lose_the_centre()
        kept = daemon.moves.watching(world.plan)
        await until(lambda: machine.ahead and in_vain(kept.kept) and not kept.kept.record.held, "that it is given back")
        assert daemon.moves.moves == {}
        machine.ahead += MINUTES
        move = await over(daemon)
        assert (move.state, move.started_by) == (MoveState.SUCCEEDED, RELEVE), ENGLISH.render(move.text)
        assert effects(world) == {"isolate centre": 1, "start web-2": 1}
        assert kept.kept.lapsed is None, "from here on the lease is that of a group that runs"
        assert list(daemon.journal.store.folder.glob("lapsed-*")) == []


async def test_who_is_killed_once_the_lease_is_taken_and_comes_back_minutes_later_decides_anew(world):
    path = world.inventory()
    async with watching(world, path) as daemon:
        await until(lambda: "crm-copy" in daemon.desk.state.healths, "the age of the copy")
        continuity = daemon.desk.inventory.continuity
    await world.lose_the_centre()
    # What a Relève does between its decision and the first line of the move, and no more.
    folder, seen = world.sites.folder / "data", Watching()
    tenure = tenure_of(continuity, world.plan, folder, CLOCK, seen)
    lapses = Lapses(folder, CLOCK, lambda _plan: seen, lambda: 5.0, lambda _plan: 0)
    end = time.monotonic() + PATIENCE
    while await tenure.look() is not None:
        assert time.monotonic() < end
        await asyncio.sleep(0.1)
    before = lapses.before(world.plan)
    assert await tenure.take(0, knows_the_other=True) is None
    assert tenure.belief is not None
    lapses.taken(world.plan, tenure.belief.token, before)
    await tenure.leave()
    machine = Later()
    machine.ahead = MINUTES
    async with watching(world, path, machine=machine, holder="secours") as daemon:
        move = await over(daemon)
        assert (move.state, move.started_by) == (MoveState.SUCCEEDED, RELEVE), ENGLISH.render(move.text)
        assert effects(world) == {"isolate centre": 1, "start web-2": 1}
