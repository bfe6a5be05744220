"""What the tests of the store share: a folder, a moment, and things to put into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.notice import Audience, Message, Notice, NoticeKey, NoticeState, Step
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.plan import incident_id
from monitor.core.text import Quantity, say
from monitor.core.verdict import Severity
from monitor.store import Store, open_store

START = datetime(2026, 11, 23, 2, 5, 0, 123456, tzinfo=UTC)


@pytest.fixture
def start() -> datetime:
    """The moment at which everything here begins."""
    return START


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a state will lie; it is not there yet."""
    return tmp_path / "data"


@pytest.fixture
def reopen(folder: Path) -> Iterator[Callable[..., Store]]:
    """Return a function that closes the store opened last and opens it (again), by default to write."""
    with ExitStack() as stack:

        def open_(*, write: bool = True) -> Store:
            stack.close()
            return stack.enter_context(open_store(folder, write=write, ballast=0))

        yield open_


@pytest.fixture
def store(reopen: Callable[..., Store]) -> Store:
    """A new store, opened to write, without a ballast."""
    return reopen()


@pytest.fixture
def opening() -> Callable[..., Event]:
    """Return `opening(number, at=START)`: the event that opens an incident."""

    def make(number: int, at: datetime = START) -> Event:
        return Event(
            incident=incident_id(number, at),
            at=at,
            kind=EventKind.OPENED,
            actor=RELEVE,
            text=say("Disk {mount} is full: {free} left", mount="D:", free=Quantity(3.5e9, "By")),
            check=CheckId("hmp-disk"),
            severity=Severity.CRITICAL,
            kind_name="hmp-disk-full",
            began_at=at - timedelta(minutes=2),
        )

    return make


@pytest.fixture
def notice() -> Callable[..., Notice]:
    """Return `notice(n, due=0, ...)`: a notice that is due `due` seconds after START."""

    def make(
        n: int = 1,
        due: float = 0,
        incident: str = "26-0001",
        state: NoticeState = NoticeState.PENDING,
        next_try_at: datetime | None = None,
    ) -> Notice:
        key = NoticeKey(IncidentId(incident), Audience.CLIENT, Step.UPDATE, n, "att")
        return Notice(
            key=key,
            due_at=START + timedelta(seconds=due),
            created_at=START,
            message_id=key.message_id("site"),
            message=Message("Sujet é", "texte\nà lire", "<p>texte</p>", "court"),
            channel="mail",
            address="att@example.org",
            language="fr",
            state=state,
            next_try_at=next_try_at,
            tried=("sms",),
            in_reply_to="first@site",
        )

    return make
