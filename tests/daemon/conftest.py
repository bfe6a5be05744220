"""A store to journal into, notices to send, a disk that can be full, a clock that is set by hand, and a desk on all."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from alerts.notice import Audience, Message, Notice, NoticeKey, Step
from lab.mailbox import Mailbox
from monitor.clock import SystemClock
from monitor.core.ids import IncidentId
from monitor.daemon.clock import GuardedClock
from monitor.daemon.desk import KEEP, Desk
from monitor.daemon.journal import Journal
from monitor.daemon.rereading import plan_of
from monitor.inventory.load import load
from monitor.inventory.model import Inventory
from monitor.store import Store, open_store
from tests.two_sites import TwoSites, two_sites

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "data", write=True, ballast=0)
    yield opened
    opened.close()


@pytest.fixture
def full_disk(store: Store) -> Callable[[], object]:
    """A context in which nothing can be written, as on a full disk: SQLite's log has no room for another page."""

    @contextmanager
    def full() -> Iterator[None]:
        def no_room(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if statement.startswith(("INSERT", "UPDATE", "DELETE")):
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise error

        event.listen(store.engine, "before_cursor_execute", no_room)
        try:
            yield
        finally:
            event.remove(store.engine, "before_cursor_execute", no_room)

    return full


@pytest.fixture
def notice_of() -> Callable[[int], Notice]:
    """Notices with a body that takes several pages, numbered."""

    def make(n: int) -> Notice:
        key = NoticeKey(IncidentId("26-0001"), Audience.CLIENT, Step.UPDATE, n, "att")
        message = Message("subject", "text " * 4000, "<p>text</p>" * 2000, "short")
        return Notice(key, NOW, NOW, key.message_id("site"), message, "mail", "att@example.org", "fr")

    return make


class Hand:
    """A machine whose clocks are moved by hand."""

    def __init__(self) -> None:
        self.wall, self.since_boot = NOW, 1000.0

    def now(self) -> datetime:
        return self.wall

    def boot(self) -> float:
        return self.since_boot

    def pass_(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.since_boot += seconds


@pytest.fixture
def machine() -> Hand:
    return Hand()


SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: en}
contacts:
  admin: {name: Administrateur, mail: admin@example.org}
  att: {name: Desk ATT, mail: att@example.org}
channels: {mail: {url: env:NO_MAIL_URL}}
devices: {server: {address: 127.0.0.1}, other: {address: 127.0.0.1}}
checks:
  door: {probe: tcp, device: server, port: 1, every: 1 h, confirm: 1, incident: office}
  room: {probe: tcp, device: other, port: 2, every: 1 h, confirm: 1, recover: 2}
incidents: {office: {interruption: always}}
protocol: {first_notice: {to: [att], within: 30s}, update: {every: 60 min, to: [att]}}
operations: {to: [admin]}
"""


@pytest.fixture
def inventory_of(tmp_path: Path) -> Callable[..., Inventory]:
    """The inventory of a small site, in which words are replaced."""

    def make(*replacements: tuple[str, str]) -> Inventory:
        text = SITE
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "inventory.yaml"
        path.write_text(text, encoding="utf-8")
        reading = load(path)
        assert reading.inventory is not None, reading.problems
        return reading.inventory

    return make


@pytest.fixture
def desk_on(store: Store, machine: Hand) -> Callable[[Inventory], Desk]:
    """A desk for an inventory, as the last one on the same store left it, on the machine's clock."""

    def make(inventory: Inventory) -> Desk:
        journal = Journal(store, machine)
        kept = store.load(machine.now(), KEEP)
        clock = GuardedClock(kept.guard, machine, "boot")
        desk = Desk.resume(journal, clock, inventory, plan_of(inventory), kept)
        desk.guard = lambda: clock.guard
        return desk

    return make


@pytest.fixture
def busy_disk() -> Callable[[Journal], object]:
    """A context in which the store's thread has its hands full: what is to be written waits until the end of it."""

    @asynccontextmanager
    async def busy(journal: Journal) -> AsyncIterator[None]:
        free, taken = threading.Event(), threading.Event()

        def hold() -> None:
            taken.set()
            free.wait()

        task = asyncio.create_task(journal.ask(hold))
        while not taken.is_set():
            await asyncio.sleep(0.01)
        try:
            yield
        finally:
            free.set()
            await asyncio.gather(task, return_exceptions=True)  # it may have been waited for in vain

    return busy


@pytest.fixture
async def mailbox(monkeypatch):
    """A mail server that takes everything, named by the variable of the inventory."""
    box = Mailbox(SystemClock())
    box.open()
    monkeypatch.setenv("NO_MAIL_URL", f"mailto://127.0.0.1:{box.port}?from=releve@example.org")
    yield box
    await box.close()


@pytest.fixture
async def modem(tmp_path):
    """A modem that takes every SMS at once, as gammu-smsd does; the folder of what it sent."""
    spool = tmp_path / "spool"
    for name in ("outbox", "sent"):
        (spool / name).mkdir(parents=True)

    async def take():
        while True:
            for path in (spool / "outbox").glob("OUT*"):
                path.rename(spool / "sent" / path.name)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(take())
    yield spool
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TwoSites]:
    """A centre and a redundant site on loopback; the mails of a move reach nobody."""
    monkeypatch.setenv("RELEVE_TEST_MAIL", "mailto://127.0.0.1:1")
    async with two_sites(tmp_path / "sites") as made:
        yield made
