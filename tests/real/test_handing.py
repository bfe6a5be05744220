"""Handing everything over to the other site, by real voters, while somebody here waits to begin something."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from failover.run import Move
from monitor.daemon import peer_wire as wire
from monitor.daemon.handing import Handing
from monitor.daemon.own_lease import OwnLease
from monitor.daemon.peer_door import Listening, door, taken
from monitor.daemon.peer_sender import PeerSender
from tests.daemon.secours import CLOCK, at_secours
from tests.daemon.test_moves import DRILL, WHO, refused
from tests.daemon.test_peer import HOST, Pki
from tests.real.etcd_voters import three_voters
from tests.two_sites import two_sites

if TYPE_CHECKING:
    from aiohttp import web

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
            at_secours(sites, votes, releve=f"https://{HOST}:{port}") as daemon,
        ):
            own = OwnLease(daemon.desk.journal.store.folder, CLOCK)
            await own.swap(daemon.desk.inventory)
            async with asyncio.timeout(60):
                while await own.take(0) is not None:
                    await asyncio.sleep(0.1)
            sender = PeerSender(lambda: None, daemon.desk.journal, CLOCK)
            try:
                assert (await Handing(daemon.desk, daemon.moves, own, sender).hand_over(WHO)).to.id == "centre"
                (drill,) = drills
                with refused("about to stop"):
                    await drill
                assert (daemon.moves.moves, sites.effects()) == ({}, [])
            finally:
                await own.close()
