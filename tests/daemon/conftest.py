"""A store to journal into, notices to send, and a disk that can be full."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import event

from alerts.notice import Audience, Message, Notice, NoticeKey, Step
from monitor.core.ids import IncidentId
from monitor.store import Store, open_store

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "data", write=True, ballast=0)
    yield opened
    opened.close()


@pytest.fixture
def full_disk(store: Store) -> Callable[[], object]:
    """A context in which SQLite finds no room for another page, as on a full disk (SQLITE_FULL)."""

    @contextmanager
    def full() -> Iterator[None]:
        def no_more_pages(connection: object, *_: object) -> None:
            cursor = connection.connection.cursor()  # type: ignore[attr-defined]
            cursor.execute("PRAGMA max_page_count = 1")
            cursor.close()

        def many_pages(connection: object, *_: object) -> None:
            cursor = connection.connection.cursor()  # type: ignore[attr-defined]
            cursor.execute("PRAGMA max_page_count = 1073741823")
            cursor.close()

        event.listen(store.engine, "begin", no_more_pages)
        try:
            yield
        finally:
            event.remove(store.engine, "begin", no_more_pages)
            event.listen(store.engine, "begin", many_pages)

    return full


@pytest.fixture
def notice_of() -> Callable[[int], Notice]:
    """Notices with a body that takes several pages, numbered."""

    def make(n: int) -> Notice:
        key = NoticeKey(IncidentId("26-0001"), Audience.CLIENT, Step.UPDATE, n, "att")
        message = Message("subject", "text " * 4000, "<p>text</p>" * 2000, "short")
        return Notice(key, NOW, NOW, key.message_id("site"), message, "mail", "att@example.org", "fr")

    return make
