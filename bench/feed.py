"""What it costs that every change is written down for the other site: commits with the feed on beside those without.

In pairs, on this machine's disk, each commit flushed. A commit is that of an incident that opens (its event, three
notices of 6 kB, an audit entry, some healths); a step of the outbox is one notice claimed and settled. Prints medians,
the median of the pairs' ratios, what one commit adds to the feed, and what of that goes over the line once packed.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from alerts.notice import Audience, Message, Notice, NoticeKey, NoticeState, Step
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.health import Health
from monitor.core.ids import CheckId
from monitor.core.plan import incident_id
from monitor.core.text import say
from monitor.core.verdict import Severity
from monitor.daemon.peer_wire import packed
from monitor.store import AuditEntry, Batch, Store, open_store

PAIRS = 7
COMMITS = 150
NOW = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)
WORDS = "Le service du client est interrompu depuis 14 h 05, heure de Douala. "


def batch(number: int) -> Batch:
    """Return what an incident that opens brings."""
    name = incident_id(number, NOW)
    health = Health(Severity.CRITICAL, Severity.CRITICAL, number, 3, NOW, NOW, NOW)
    message = Message("Incident", WORDS * 20, f"<p>{WORDS}</p>" * 60, "court")
    notices = [
        Notice(key, NOW, NOW, key.message_id("s"), message, "mail", "att@example.org", "fr")
        for key in (NoticeKey(name, Audience.CLIENT, Step.FIRST_NOTICE, 1, who) for who in ("att", "dsi", "admin"))
    ]
    return Batch(
        events=(Event(name, NOW, EventKind.OPENED, RELEVE, say("Disk is full"), kind_name="x", began_at=NOW),),
        healths={CheckId(f"c{n}"): health for n in range(5)},
        notices=tuple(notices),
        protocols={name: {"first_notice": {"to": ["att"]}}},
        audit=(AuditEntry("uid:0", "open", {"incident": name}),),
    )


def commits(store: Store, first: int) -> float:
    """Return the seconds of one commit."""
    batches = [batch(first + n) for n in range(COMMITS)]
    begun = time.perf_counter()
    for one in batches:
        store.commit(one)
    return (time.perf_counter() - begun) / COMMITS


def steps(store: Store) -> float:
    """Return the seconds in which one notice is claimed and settled."""
    begun = time.perf_counter()
    for _ in range(COMMITS):
        (one,) = store.claim(NOW, 1)
        store.settle(one.key, state=NoticeState.SENT, at=NOW, answer="250", attempts=1, channel="mail", address="a")
    return (time.perf_counter() - begun) / COMMITS


def flush(folder: Path) -> float:
    """Return the seconds in which this disk takes 4 KiB for good: what every commit waits for at least."""
    with (folder / "flush").open("wb") as file:
        begun = time.perf_counter()
        for _ in range(COMMITS):
            file.write(bytes(4096))
            file.flush()
            os.fdatasync(file.fileno())
        return (time.perf_counter() - begun) / COMMITS


def main() -> None:
    """Measure and print."""
    found: dict[str, list[float]] = {name: [] for name in ("off", "on", "sent off", "sent on")}
    with tempfile.TemporaryDirectory(dir=".", prefix=".bench-feed-") as work:
        disk = flush(Path(work))
        with (
            open_store(Path(work) / "off", write=True, ballast=0) as off,
            open_store(Path(work) / "on", write=True, ballast=0) as on,
        ):
            on.feed.start()
            for pair in range(PAIRS):
                sides = [("off", off), ("on", on)]
                for name, store in sides if pair % 2 else reversed(sides):
                    found[name].append(commits(store, pair * COMMITS + 1))
                    found[f"sent {name}"].append(steps(store))
                on.feed.forget(on.feed.extent().last)
            before = on.feed.extent()
            on.commit(batch(PAIRS * COMMITS + 1))
            piece = on.feed.after(before.last, 2**30)
            size = 0 if piece is None else sum(len(row.encode()) for row in piece.rows)
            wire = 0 if piece is None else len(packed(piece))
    print(f"a flush of this disk          {disk * 1e3:6.2f} ms")
    for what, name in (("a commit", ""), ("a notice claimed and settled", "sent ")):
        without, beside = found[f"{name}off"], found[f"{name}on"]
        ratio = statistics.median(b / a for a, b in zip(without, beside, strict=True))
        print(
            f"{what:29} {statistics.median(without) * 1e3:6.2f} ms off, {statistics.median(beside) * 1e3:6.2f} ms on, "
            f"ratio {ratio:.2f}"
        )
    print(f"a commit adds to the feed     {size} bytes, {wire} of them on the line")


if __name__ == "__main__":
    main()
