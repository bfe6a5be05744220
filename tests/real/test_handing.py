"""Handing everything over to the other site, by real voters, while somebody here waits to begin something."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from failover.run import Move
from failover.vantage import Lapsed
from monitor.daemon import peer_wire as wire
from monitor.daemon.handing import Handing
from monitor.daemon.own_lease import OwnLease
from monitor.daemon.peer_door import Listening, door, taken
from monitor.daemon.peer_sender import PeerSender
from monitor.daemon.tenure import Tenure, tenure_of
from tests.daemon.secours import CLOCK, CRM, at_secours
from tests.daemon.test_moves import DRILL, WHO, refused
from tests.daemon.test_peer import HOST, Pki
from tests.real.etcd_voters import three_voters
from tests.two_sites import two_sites

if TYPE_CHECKING:
    from aiohttp import web

    from monitor.daemon.daemon import Daemon

SESSION = "0123456789abcdef" * 2


async def test_a_drill_that_waits_while_everything_is_handed_over_begins_nothing(
    require: Callable[[str, str], Path], free_port: Callable[[], int], tmp_path: Path, monkeypatch
):
    """The lock is free again before this Relève has ended, and by then the other one decides."""
    monkeypatch.setenv("RELEVE_TEST_MAIL", "mailto://127.0.0.1:1")
    port, drills, pems = free_port(), list[asyncio.Task[Move]](), Pki(tmp_path).identity(HOST)
    names = {name: f"file:{tmp_path}/1/{name}.pem" for name in ("ca", "cert", "key")}

    async def could_go_on(_request: web.Request) -> web.StreamResponse:
        if daemon.moves.beginning.changing.locked() and not drills:
            drills.append(asyncio.create_task(daemon.moves.start(DRILL, WHO, loss=None)))
        return taken(wire.session_bytes(SESSION))

    with three_voters(require, free_port) as cluster:
        etcd = cluster.at()
        secrets = {name: str(getattr(etcd, name).reference) for name in ("ca", "cert", "key")}
        votes = {
            "leases": {
                "etcd": {"endpoints": list(etcd.endpoints), **secrets},
                "ttl": "6s",
                "loop": "1s",
                "retry": "1s",
            },
            "peer": names,
        }
        async with (
            two_sites(tmp_path / "sites") as sites,
            door(Listening(HOST, port, pems, HOST), could_go_on),
            at_secours(sites, votes, {"start": "on_loss"}, releve=f"https://{HOST}:{port}") as daemon,
        ):
            lease = await taken_in_vain(daemon)
            own = OwnLease(daemon.desk.journal.store.folder, CLOCK)
            await own.swap(daemon.desk.inventory)
            async with asyncio.timeout(60):
                while await own.take(0) is not None:
                    await asyncio.sleep(0.1)
            sender, kept = PeerSender(lambda: None, daemon.desk.journal, CLOCK), daemon.moves.watching(CRM).kept
            try:
                await is_refused_without_voters(daemon, Handing(daemon.desk, daemon.moves, own, sender), free_port())
                assert own.holds()
                daemon.moves.watching(CRM).kept = kept
                assert (await Handing(daemon.desk, daemon.moves, own, sender).hand_over(WHO)).to.id == "centre"
                (drill,) = drills
                with refused("about to stop"):
                    await drill
                assert (daemon.moves.moves, sites.effects()) == ({}, [])
                await lease.look()
                kept = daemon.moves.watching(CRM).kept
                assert kept.record is not None
                assert (kept.record.holder, kept.record.session, kept.record.held) == ("centre", SESSION, True)
                assert kept.lapsed is None, "what was taken in vain goes along"
            finally:
                await lease.leave()
                await own.close()


async def is_refused_without_voters(daemon: Daemon, handing: Handing, port: int) -> None:
    """The voters of the groups' leases do not answer while that is to be held which goes along: nothing is done."""
    before = daemon.desk.inventory
    leases = before.continuity.leases
    silent = replace(leases, etcd=replace(leases.etcd, endpoints=(f"https://{HOST}:{port}",)))
    daemon.desk.inventory = replace(before, continuity=replace(before.continuity, leases=silent))
    with refused("does not hold the lease"):
        await handing.hand_over(WHO)
    daemon.desk.inventory = before


async def taken_in_vain(daemon: Daemon) -> Tenure:
    """Take the lease of the group as for a move that does not begin, and give it back."""
    folder, watching = daemon.journal.store.folder, daemon.moves.watching(CRM)
    tenure = tenure_of(daemon.desk.inventory.continuity, CRM, folder, CLOCK, watching)
    async with asyncio.timeout(60):
        while await tenure.take(0, knows_the_other=True) is not None:
            await asyncio.sleep(0.1)
        assert tenure.belief is not None
        token = tenure.belief.token
        await tenure.give_back()
        while await tenure.look() is not None:
            await asyncio.sleep(0.1)
    watching.kept = replace(watching.kept, lapsed=Lapsed("centre", CLOCK.boot() - 99, CLOCK.boot() - 90, token))
    assert daemon.moves.lapses.stands(daemon.desk.inventory.continuity.plans[CRM])
    return tenure
