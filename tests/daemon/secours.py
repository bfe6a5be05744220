"""The daemon of the other of two sites, whose voters say what a test puts there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import yaml

from failover.lease import Record, Watched
from failover.model import PlanId
from monitor.clock import SystemClock
from monitor.core.text import ENGLISH
from monitor.daemon.daemon import Daemon
from monitor.inventory.load import load
from monitor.store import open_store
from tests.two_sites import TwoSites

CRM, CLOCK = PlanId("crm"), SystemClock()
NOBODY = {"etcd": {"endpoints": [f"http://127.0.0.1:{port}" for port in (1, 2, 3)]}}


@asynccontextmanager
async def at_secours(
    sites: TwoSites, more: dict[str, Any] | None = None, plan: dict[str, Any] | None = None, **keys: Any
) -> AsyncIterator[Daemon]:
    """The daemon; `more`: keys of the inventory, `plan` those of the plan, `keys` those of the centre.

    With a `plan` the first look at the centre's door that fails opens the incident that the plan answers.
    """
    places = {
        "centre": {"title": "Douala", "devices": ["centre-host"], **keys},
        "secours": {"title": "Yaoundé", "here": True, "devices": ["secours-host"]},
        "temoin": {"title": "Témoin", "witness": True},
    }
    if "releve" in keys:
        places["secours"]["releve"] = "https://127.0.0.1:1"
    path = sites.inventory({"sites": places, "leases": NOBODY, **(more or {})}, **(plan or {}))
    if plan:
        body = yaml.safe_load(path.read_text("utf-8"))
        body["checks"]["door-1"] |= {"incident": "site-lost", "confirm": 1}
        path.write_text(yaml.safe_dump(body, allow_unicode=True, sort_keys=False), "utf-8")
    reading = load(path)
    assert reading.inventory is not None, [ENGLISH.render(problem.message) for problem in reading.problems]
    daemon = await Daemon.start(reading.inventory, open_store(sites.folder / "data", write=True, ballast=0))
    try:
        yield daemon
    finally:
        await daemon.close()


def recorded(daemon: Daemon, ago: float, **changes: Any) -> None:
    """Put it that the voters have just answered: the centre renewed the lease `ago` seconds before now."""
    now, watching = CLOCK.boot(), daemon.moves.watching(CRM)
    record = replace(Record("centre", "a" * 32, 1, 15.0), **changes)
    watching.kept = replace(watching.kept, record=record, seen=Watched(1, now - ago), heard=now)
