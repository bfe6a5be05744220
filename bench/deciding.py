"""What it costs to look for moves that would begin by themselves, while all is well: 200 groups, 400 devices.

A turn every two seconds for years, so it has to be nothing: CPU of `Deciding.turn`, beside a bare loop of the same
interpreter in pairs, and as a share of the two seconds. The voters are none: what their record says is put there.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from failover.lease import Record, Watched
from monitor.clock import SystemClock
from monitor.core.ids import CheckId
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.daemon import Daemon
from monitor.daemon.deciding import EVERY
from monitor.inventory.load import load
from monitor.store import open_store

PAIRS, GROUPS, DEVICES, ADDITIONS = 51, 200, 400, 10_000
OK = Verdict(Severity.OK, say("it answers"))


def inventory(folder: Path) -> Path:
    """Write an inventory of two sites, with as many groups, and return where."""
    sides = ("centre", "secours")
    devices = {f"{sides[n % 2]}-{n}": {"address": "127.0.0.1"} for n in range(DEVICES)}
    plan: dict[str, Any] = {
        "active": "centre", "standby": "secours", "start": "on_loss", "incident": "site-lost", "rto": "30 min",
        "fences": [{"isolation": {"at": at, "steps": [{"step": "notify", "text": "T"}]}} for at in sides],
        "sites": {at: {"verify": [f"{at}-{n}"]} for n, at in enumerate(sides)},
    }  # fmt: skip
    endpoints = [f"http://127.0.0.1:{port}" for port in (1, 2, 3)]
    body = {
        "site": {"name": "X"}, "operations": None, "devices": devices,
        "checks": {name: {"probe": "tcp", "device": name, "port": 9, "gate": True} for name in devices},
        "incidents": {"site-lost": {"interruption": "always"}},
        "sites": {
            "centre": {"devices": ["centre-*"]}, "secours": {"here": True, "devices": ["secours-*"]},
            "temoin": {"witness": True},
        },
        "leases": {"etcd": {"endpoints": endpoints}},
        "plans": {f"g{n}": plan for n in range(GROUPS)},
    }  # fmt: skip
    path = folder / "inventory.yaml"
    path.write_text(yaml.safe_dump(body, sort_keys=False), "utf-8")
    return path


def renewed(daemon: Daemon) -> None:
    """Put it that the centre has just renewed the lease of every group."""
    now = SystemClock().boot()
    for name in daemon.desk.inventory.continuity.plans:
        watching = daemon.moves.watching(name)
        record = Record("centre", "a" * 32, 1, 15.0)
        watching.kept = replace(watching.kept, record=record, seen=Watched(1, now), heard=now)


def bare() -> None:
    """The peer: additions of the same interpreter."""
    total = 0
    for n in range(ADDITIONS):
        total += n


async def main() -> None:
    """Measure and print."""
    os.environ.setdefault("RELEVE_LOG", "critical")
    with tempfile.TemporaryDirectory() as folder:
        reading = load(inventory(Path(folder)))
        if reading.inventory is None:
            raise SystemExit(
                f"the inventory of this bench is wrong: {[str(one.message) for one in reading.problems][:3]}"
            )
        daemon = await Daemon.start(reading.inventory, open_store(Path(folder) / "data", write=True, ballast=0))
        now = daemon.clock.now()
        for name in reading.inventory.checks:
            await daemon.desk.take(CheckId(name), OK, now, 0.0)
        await daemon.deciding.turn()
        pairs = []
        for _ in range(PAIRS):
            renewed(daemon)
            began = time.process_time_ns()
            await daemon.deciding.turn()
            turned = time.process_time_ns()
            bare()
            pairs.append(((turned - began) / 1e6, (time.process_time_ns() - turned) / 1e6))
        if daemon.deciding.held:
            raise SystemExit("the ground of this bench is wrong: something speaks for a move")
        await daemon.close()
    ours = sorted(one for one, _ in pairs)
    ratio = statistics.median(one / other for one, other in pairs)
    middle, low, high = statistics.median(ours), ours[len(ours) // 10], ours[-1 - len(ours) // 10]
    print(
        f"a turn for {GROUPS} groups and {DEVICES} devices, all well, CPU: {middle:.2f} ms ({low:.2f} to {high:.2f}), "
        f"{middle / EVERY / 10:.3f} % of a core; / {ADDITIONS} additions: {ratio:.2f}"
    )


if __name__ == "__main__":
    asyncio.run(main())
