"""The inventory as the daemon takes it up: read where this Relève stands, with the checks that Relève has of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from failover.model import Continuity
from monitor.core.plan import Plan
from monitor.daemon import selfcheck
from monitor.daemon.own_lease import is_led
from monitor.daemon.peering import destination
from monitor.daemon.promising import Lost
from monitor.inventory.load import Loaded as Reading
from monitor.inventory.load import load
from monitor.inventory.model import Inventory
from monitor.inventory.problems import Problem
from monitor.inventory.standpoint import NotASite, remembered, standing_at


def plan_of(inventory: Inventory) -> Plan:
    """Return the plan of `inventory` with Relève's checks of itself."""
    folders = inventory.actionable.recordings if inventory.automation.live else ()
    replies = inventory.replies
    voters = inventory.continuity.leases is not None and inventory.continuity.leases.etcd is not None
    own = selfcheck.own_checks(
        folders,
        heartbeat=inventory.heartbeat is not None,
        public=bool(inventory.public.push),
        mailbox=replies is not None and replies.imap is not None,
        sms_in=replies is not None and bool(replies.sms),
        plans=inventory.continuity.plans,
        peer=destination(inventory) is not None,
        voters=voters,
        leases=inventory.continuity.plans if voters and inventory.continuity.here is not None else (),
        itself=is_led(inventory),
        promises=[one.id for one in inventory.continuity.data.values() if one.waits is not None and one.waits.wanted],
    )
    return replace(inventory.plan, checks={**inventory.plan.checks, **own})


async def read_again(path: Path, folder: Path, lost_by: Callable[[Continuity], Awaitable[tuple[Lost, ...]]]) -> Reading:
    """Return the inventory as it is read at the site where this Relève stands; one that no longer has it is wrong.

    So is one without data whose commits are made to wait: nobody could let them go (`lost_by`).
    """
    reading = await asyncio.get_running_loop().run_in_executor(None, _read_here, path, folder)
    lost = () if reading.inventory is None else await lost_by(reading.inventory.continuity)
    found = [Problem(str(path), 1, 1, f"datasets.{one.data}", one.why, one.hint) for one in lost]
    return replace(reading, inventory=None, problems=(*reading.problems, *found)) if found else reading


def _read_here(path: Path, folder: Path) -> Reading:
    reading = load(path)
    if reading.inventory is None:
        return reading
    try:
        return replace(reading, inventory=standing_at(reading.inventory, remembered(folder)))
    except NotASite as error:
        problem = Problem(str(path), 1, 1, "sites", error.text)
        return replace(reading, inventory=None, problems=(*reading.problems, problem))
