"""The mails about a move, as a mail server receives them: the plan before the first step, the report after the last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from failover.model import PlanId
from failover.phases import Direction
from failover.run import Move, MoveEventKind, MoveState
from lab.mailbox import Letter, Mailbox
from monitor.clock import SystemClock
from monitor.core.ids import IncidentId
from monitor.core.verdict import Severity
from monitor.daemon.daemon import Daemon
from monitor.daemon.moving import Wanted
from monitor.inventory.load import load
from monitor.store import open_store
from tests.two_sites import TwoSites, two_sites

DRILL = Wanted(PlanId("crm"), Direction.DRILL)
FORCED = Wanted(PlanId("crm"), Direction.FAILOVER)


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    made = Mailbox(SystemClock())
    made.open()
    yield made
    await made.close()


@pytest.fixture
async def sites(tmp_path: Path, box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TwoSites]:
    monkeypatch.setenv("RELEVE_TEST_MAIL", f"mailto://127.0.0.1:{box.port}?from=releve@example.org")
    async with two_sites(tmp_path / "sites") as made:
        yield made


async def drilled(sites: TwoSites, *, live: bool = True) -> Move:
    path = sites.inventory()
    if not live:
        path.write_text(path.read_text("utf-8") + "protocol: {live: false}\n", "utf-8")
    reading = load(path)
    assert reading.inventory is not None, reading.problems
    daemon = await Daemon.start(reading.inventory, open_store(sites.folder / "data", write=True, ballast=0))
    try:
        begun = await daemon.moves.start(DRILL, "uid:0", loss=None, words="exercice annuel")
        async with asyncio.timeout(60):
            move = await daemon.moves.finished_or_waiting(begun.id)
        await daemon.post.once()
        return move
    finally:
        await daemon.close()


def to(box: Mailbox, who: str) -> list[Letter]:
    return [letter for letter in box.letters if letter.to == who]


async def test_the_client_gets_plan_and_report_and_our_own_people_the_report(sites, box):
    move = await drilled(sites)
    assert move.state is MoveState.SUCCEEDED
    # Both may wait in the outbox, and which connection comes first is nobody's to say.
    plan, report = sorted(to(box, "dsi@example.org"), key=lambda letter: letter.header("In-Reply-To"))
    assert plan.subject.startswith(f"[Relève] {move.id} ")
    assert report.header("In-Reply-To") == f"<{plan.message_id.strip('<>')}>"
    (ours,) = to(box, "admin@example.org")
    assert "within the promised 30" in ours.text
    assert "run sh" in ours.text
    for letter in (plan, report):
        assert not any(name in letter.text for name in ("secours-host", "centre-host", "127.0.0.1", "sh ../"))


async def test_the_plan_is_in_the_outbox_before_the_first_step_and_each_message_is_there_once(sites, box):
    move = await drilled(sites)
    with open_store(sites.folder / "data", write=False) as store:
        notices = store.notices(IncidentId(move.id))
    first = next(event.at for event in move.log if event.kind is MoveEventKind.INTENT)
    assert sorted((one.key.step.value, one.key.recipient) for one in notices) == [
        ("deployment_plan", "ocm-it"),
        ("failover_report", "admin"),
        ("failover_report", "ocm-it"),
    ]
    assert notices[0].created_at <= first
    assert len({letter.message_id for letter in box.letters}) == len(box.letters) == 3


async def test_while_the_protocol_is_not_live_only_our_own_people_read_it_as_a_rehearsal(sites, box):
    await drilled(sites, live=False)
    assert to(box, "dsi@example.org") == []
    plan, report = to(box, "admin@example.org")
    for letter in (plan, report):
        assert letter.subject.startswith("[ESSAI] ")
        assert "DSI OCM" in letter.text


async def test_whoever_of_the_client_was_told_of_the_incident_reads_the_report(sites, box):
    path = sites.inventory()
    told = "protocol: {live: true, first_notice: {to: [att], within: 30s}}\n"
    text = path.read_text("utf-8").replace("contacts:\n", "contacts:\n  att: {name: Desk, mail: att@example.org}\n")
    path.write_text(text + told, "utf-8")
    reading = load(path)
    assert reading.inventory is not None, reading.problems
    await sites.centre.fail()
    daemon = await Daemon.start(reading.inventory, open_store(sites.folder / "data", write=True, ballast=0))
    try:
        incident = await daemon.desk.open("site-lost", Severity.CRITICAL, "uid:0", "no current")
        begun = await daemon.moves.start(FORCED, "uid:0", loss=None)
        async with asyncio.timeout(60):
            move = await daemon.moves.finished_or_waiting(begun.id)
        await daemon.post.once()
    finally:
        await daemon.close()
    assert (move.state, move.incident) == (MoveState.SUCCEEDED, incident.id)
    assert sorted(letter.header("X-Releve-Key").split("/")[2] for letter in to(box, "att@example.org")) == [
        "failover_report", "first_notice",
    ]  # fmt: skip
