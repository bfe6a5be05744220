"""Whether the Relève at the other site speaks: asked when it matters whether that site is lost."""

from __future__ import annotations

from failover.model import SiteId
from monitor.daemon.peer_line import SOON, NotTaken, line_to, request
from monitor.daemon.peering import destination, ends
from monitor.inventory.model import Inventory


async def speaks(inventory: Inventory, site: SiteId) -> bool:
    """Return whether the Relève at `site` answers now, be it with a refusal; False also where none is known there."""
    both, wanted = ends(inventory), destination(inventory)
    if both is None or wanted is None or both[1].id != site:
        return False
    try:
        async with line_to(wanted) as line:
            await request(line, "POST", "ping", b"", SOON)
    except NotTaken as error:
        return error.why is not None
    return True
