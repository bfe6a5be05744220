"""Handing over to the Relève at the other site while somebody else wants something of this one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from failover.lease import Belief
from monitor.daemon import peer_wire as wire
from monitor.daemon.handing import Handing
from monitor.daemon.own_lease import OwnLease
from monitor.daemon.peer_door import Listening, door, taken
from monitor.daemon.peer_sender import PeerSender
from tests.daemon.secours import CLOCK, at_secours
from tests.daemon.test_moves import DRILL, WHO, refused
from tests.daemon.test_peer import HOST, Pki, free_port

if TYPE_CHECKING:
    from aiohttp import web

SESSION = "0123456789abcdef" * 2


async def test_a_move_that_began_while_the_other_was_asked_is_not_cut_off(sites, tmp_path):
    """Two people order at once: whoever hands over had looked for a move before there was one."""
    port, asked, pems = free_port(), asyncio.Event(), Pki(tmp_path).identity(HOST)

    async def could_go_on(_request: web.Request) -> web.StreamResponse:
        asked.set()
        return taken(wire.session_bytes(SESSION))

    names = {name: f"file:{tmp_path}/1/{name}.pem" for name in ("ca", "cert", "key")}
    async with (
        door(Listening(HOST, port, pems, HOST), could_go_on),
        at_secours(sites, {"peer": names}, releve=f"https://{HOST}:{port}") as daemon,
    ):
        own = OwnLease(daemon.desk.journal.store.folder, CLOCK)
        await own.swap(daemon.desk.inventory)
        own.belief = Belief(3, CLOCK.boot() + 60)
        sender = PeerSender(lambda: None, daemon.desk.journal, CLOCK)
        handing, changing = Handing(daemon.desk, daemon.moves, own, sender), daemon.moves.beginning.changing
        await changing.acquire()
        begun = asyncio.create_task(daemon.moves.start(DRILL, WHO, loss=None))
        await asyncio.sleep(0)
        handed = asyncio.create_task(handing.hand_over(WHO))
        await asked.wait()
        changing.release()
        with refused(f"the move {(await begun).id} is under way"):
            await handed
        await own.close()
