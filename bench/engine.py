"""What a result costs on its way over the desk, beside a bare commit of sqlite3 (WAL, synchronous FULL), in pairs.

Prints the medians of the pairs' ratios of CPU and their spread, with 500 checks: for a result that changes nothing (the
everyday: it is only believed), and for one that opens an incident and writes its notice, which is one commit of ours.
The peer's commit writes the same rows of the same sizes: the floor for anything that survives a power cut.
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from monitor.clock import SystemClock
from monitor.core.ids import CheckId
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.daemon import Daemon
from monitor.inventory.load import load
from monitor.store import open_store

PAIRS, CHECKS, INCIDENTS, COMMITS = 7, 500, 20, 200
GOOD, BAD = Verdict(Severity.OK, say("open")), Verdict(Severity.CRITICAL, say("refused"))
SITE = """
site: {name: Bench, timezone: Africa/Douala, language: fr}
contacts: {admin: {name: Admin, mail: admin@example.org}}
channels: {mail: {url: env:NONE}}
operations: {to: [admin]}
devices: {server: {address: 127.0.0.1}}
checks:
"""


async def ours(folder: Path) -> tuple[float, float, int]:
    """Return the CPU seconds of a result that changes nothing and of one that opens an incident; its notice's size."""
    path = folder / "inventory.yaml"
    checks = [f"  c{n}: {{probe: tcp, device: server, port: 1, confirm: 1}}\n" for n in range(CHECKS)]
    path.write_text(SITE + "".join(checks), encoding="utf-8")
    inventory = load(path).inventory
    if inventory is None:
        raise SystemExit("the inventory of this bench is wrong")
    daemon, clock = await Daemon.start(inventory, open_store(folder / "data", write=True, ballast=0)), SystemClock()
    names = [CheckId(f"c{n}") for n in range(CHECKS)]

    async def cost(verdict: Verdict, among: list[CheckId]) -> float:
        before = time.process_time()
        for name in among:
            await daemon.desk.take(name, verdict, clock.now(), 0.0)
        return (time.process_time() - before) / len(among)

    await cost(GOOD, names)
    steady, opened = await cost(GOOD, names), await cost(BAD, names[:INCIDENTS])
    (notice, *_) = await daemon.journal.ask(daemon.journal.store.notices)
    await daemon.close()
    message = notice.message
    return steady, opened, len(message.subject + message.text + message.html + message.short)


def peer(folder: Path, size: int) -> float:
    """Return the CPU seconds of a bare commit of an event, a health and a notice of `size` bytes."""
    connection = sqlite3.connect(folder / "peer.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    for table in ("events", "healths", "notices"):
        connection.execute(f"CREATE TABLE {table} (key TEXT PRIMARY KEY, body TEXT)")
    before = time.process_time()
    for n in range(COMMITS):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO events VALUES (?, ?)", (str(n), "e" * 300))
        connection.execute("INSERT INTO healths VALUES (?, ?)", (str(n), "h" * 400))
        connection.execute("INSERT INTO notices VALUES (?, ?)", (str(n), "n" * size))
        connection.execute("COMMIT")
    spent = (time.process_time() - before) / COMMITS
    connection.close()
    return spent


def main() -> None:
    """Measure and print."""
    steady, opened = list[float](), list[float]()
    for _ in range(PAIRS):
        with tempfile.TemporaryDirectory(prefix="releve-bench-") as folder:
            quiet, loud, size = asyncio.run(ours(Path(folder)))
            floor = peer(Path(folder), size)
        steady.append(quiet / floor)
        opened.append(loud / floor)
    for name, ratios in (("a result that changes nothing", steady), ("one that opens an incident", opened)):
        low, high = min(ratios), max(ratios)
        print(f"{name} / a bare sqlite3 commit, CPU: {statistics.median(ratios):.1f} ({low:.1f} to {high:.1f})")


if __name__ == "__main__":
    main()
