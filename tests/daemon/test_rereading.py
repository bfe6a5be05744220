"""An inventory that is read again is not taken where something could not be let go under it any more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from failover.model import DataSetId
from monitor.core.text import ENGLISH
from monitor.daemon.daemon import Daemon
from monitor.inventory.load import load
from monitor.store import open_store
from tests.inventory.test_continuity import GOOD, WAITING, without_voters

NO_VOTERS = without_voters(
    GOOD.replace("guard: {at: secours, stops_within: 10s, check: db-2}",
                 "isolation: {at: secours, steps: [{step: ask, text: T}]}")
)  # fmt: skip
LETS_GO = WAITING.replace("synchronous: true, degrade_after: 30s", "synchronous: false")
OTHER_SERVER = WAITING.replace("sql-2", "sql-3")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inventory.yaml"


@pytest.fixture
async def daemon(path: Path, tmp_path: Path) -> AsyncIterator[Daemon]:
    path.write_text(WAITING, encoding="utf-8")
    reading = load(path)
    assert reading.inventory is not None, reading.problems
    made = await Daemon.start(reading.inventory, open_store(tmp_path / "data", write=True, ballast=0))
    yield made
    await made.close()


async def taken(daemon: Daemon, text: str) -> list[str]:
    """Reload `text`; return why it was not taken."""
    daemon.path.write_text(text, encoding="utf-8")
    reading = await daemon.reload("uid:0")
    return [
        f"{one.line}:{one.column} {one.where}: {ENGLISH.render(one.message)} ({ENGLISH.render(one.hint)})"
        for one in reading.problems
        if reading.inventory is None
    ]


@pytest.mark.parametrize("text", [NO_VOTERS, OTHER_SERVER], ids=["no leases", "another server"])
async def test_commits_that_are_made_to_wait_are_let_go_before_what_that_needs_is_taken_away(daemon, text):
    version = daemon.desk.inventory.version
    (why,) = await taken(daemon, text)
    assert why == (
        "1:1 datasets.crm-db: commits on sql-1 are made to wait for sql-2, and without this nobody could let them go "
        "(write synchronous: false there and reload; once commits wait no more, this is taken)"
    )
    assert daemon.desk.inventory.version == version
    assert DataSetId("crm-db") in daemon.desk.inventory.continuity.data
    assert await taken(daemon, LETS_GO) == []
    # The server does not answer, so that nobody says that it waits: whoever wants it gone is not held up for ever.
    assert await taken(daemon, text) == []


async def test_what_changes_nothing_of_it_is_taken(daemon):
    assert await taken(daemon, WAITING.replace("la base", "les clients")) == []
    assert daemon.desk.inventory.continuity.data[DataSetId("crm-db")].title == "les clients"
