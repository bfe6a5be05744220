"""The daemon on a small real site: a port that closes and opens, a mail server that receives."""

import asyncio
import contextlib
import os
from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.notice import NoticeState
from lab.door import Door
from lab.mailbox import Mailbox
from monitor.clock import SystemClock
from monitor.core.ids import CheckId
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon import selfcheck
from monitor.daemon.clock import GuardedClock
from monitor.daemon.daemon import Daemon
from monitor.inventory.load import load
from monitor.store import open_store

PATIENCE = 20
BAD, GOOD = Verdict(Severity.CRITICAL, say("refused")), Verdict(Severity.OK, say("open"))

SITE = """
site: {{name: Petit site, timezone: Africa/Douala, language: en}}
contacts:
  admin: {{name: Administrateur, mail: admin@example.org}}
  att: {{name: Desk ATT, mail: att@example.org}}
channels:
  mail: {{url: env:TEST_MAIL_URL}}
devices:
  server: {{address: 127.0.0.1}}
  behind: {{address: 127.0.0.1, parent: server}}
checks:
  door:
    {{probe: tcp, device: server, port: {door}, every: 400ms, timeout: 2s, confirm: 2, gate: true, incident: office}}
  room: {{probe: tcp, device: behind, port: {door}, every: 400ms, timeout: 2s, confirm: 1, incident: office}}
incidents:
  office: {{interruption: always}}
protocol:
  first_notice: {{to: [att], within: 30s}}
  update: {{every: 1s, to: [att]}}
operations: {{to: [admin]}}
"""


@pytest.fixture
async def mailbox(monkeypatch):
    box = Mailbox(SystemClock())
    box.open()
    monkeypatch.setenv("TEST_MAIL_URL", f"mailto://127.0.0.1:{box.port}?from=releve@example.org")
    yield box
    await box.close()


def to(mailbox, recipient):
    return [letter for letter in mailbox.letters if letter.to == recipient]


@pytest.fixture
async def door():
    """A TCP port that can be closed and opened again."""
    one = Door(asyncio.Protocol)
    one.open()
    yield one
    await one.remove()


async def until(condition):
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.05)


def written(tmp_path, door):
    path = tmp_path / "inventory.yaml"
    path.write_text(SITE.format(door=door.port), encoding="utf-8")
    return path


@contextlib.asynccontextmanager
async def running(path, data):
    reading = load(path)
    assert reading.inventory is not None, reading.problems
    daemon = await Daemon.start(reading.inventory, open_store(data, write=True, ballast=0))
    task = asyncio.create_task(daemon.run())
    try:
        yield daemon
    finally:
        daemon.stop()
        async with asyncio.timeout(PATIENCE):
            await task
            await daemon.close()


async def test_an_interruption_is_told_updated_and_told_resolved(tmp_path, door, mailbox):
    async with running(written(tmp_path, door), tmp_path / "data") as daemon:
        await until(lambda: len(daemon.desk.seen) >= 2)
        await door.shut()
        await until(lambda: len(to(mailbox, "att@example.org")) >= 3)
        door.open()
        await until(lambda: any(i.resolved_at for i in daemon.desk.state.incidents.values()))
        (incident,) = daemon.desk.state.incidents.values()
        await until(lambda: len(to(mailbox, "admin@example.org")) >= 2)
        await until(lambda: "esolved" in to(mailbox, "att@example.org")[-1].subject)
    assert (incident.check, incident.kind, incident.suppressed) == ("door", "office", ("room",))
    identifiers = [letter.message_id for letter in mailbox.letters]
    assert len(set(identifiers)) == len(identifiers)


async def test_a_new_run_goes_on_with_the_incident_of_the_last(tmp_path, door, mailbox):
    path, data = written(tmp_path, door), tmp_path / "data"
    await door.shut()
    async with running(path, data) as daemon:
        await until(lambda: to(mailbox, "att@example.org"))
        (first,) = daemon.desk.state.incidents
    door.open()
    async with running(path, data) as daemon:
        await until(lambda: not daemon.desk.state.incidents[first].open)
        await until(lambda: "esolved" in to(mailbox, "att@example.org")[-1].subject)
        assert set(daemon.desk.state.incidents) == {first}
    firsts = [letter for letter in to(mailbox, "att@example.org") if not letter.header("In-Reply-To")]
    assert len(firsts) == 1


async def test_a_wrong_inventory_is_refused_and_the_old_one_stays(tmp_path, door, mailbox):
    path = written(tmp_path, door)
    async with running(path, tmp_path / "data") as daemon:
        before = daemon.desk.inventory.version
        path.write_text("site: {name: x}\nchecks: {a: {probe: tpc, device: nobody}}\n", encoding="utf-8")
        reading = await daemon.reload("uid:0")
        assert reading.inventory is None
        assert daemon.desk.inventory.version == before
        path.write_text(SITE.format(door=door.port).replace("room:", "chamber:"), encoding="utf-8")
        reading = await daemon.reload("uid:0")
        assert reading.inventory is not None
        await until(lambda: "chamber" in daemon.desk.seen)
        assert "room" not in daemon.desk.state.healths


async def test_what_people_say_is_in_the_timeline_and_in_the_audit(tmp_path, door, mailbox):
    await door.shut()
    async with running(written(tmp_path, door), tmp_path / "data") as daemon:
        await until(lambda: daemon.desk.state.incidents)
        (name,) = daemon.desk.state.incidents
        incident = await daemon.desk.acknowledge(name, "uid:1000", "on my way")
        assert incident.acknowledged_by == "uid:1000"
        await daemon.desk.state_cause(name, "uid:1000", "câble débranché")
        assert daemon.desk.state.incidents[name].cause == "câble débranché"
        assert (await daemon.journal.ask(daemon.journal.store.verify_audit)).whole
    door.open()


@pytest.mark.parametrize("interruption", ["always", "never"])
async def test_the_time_is_taken_over_unless_the_client_s_service_is_interrupted(
    tmp_path, inventory_of, machine, interruption
):
    confirmed = []
    inventory = inventory_of(("interruption: always", f"interruption: {interruption}"))
    daemon = await Daemon.start(
        inventory,
        open_store(tmp_path / "data", write=True, ballast=0),
        lambda kept: GuardedClock(kept, machine, "boot", synchronised=lambda: bool(confirmed)),
    )
    try:
        machine.wall -= timedelta(hours=2)
        machine.pass_(1)
        await daemon.round()
        assert {one.check for one in daemon.desk.state.incidents.values() if one.open} >= {"door", "releve-clock"}
        confirmed.append(True)
        machine.pass_(1)
        await daemon.round()
        assert (daemon.clock.now() == machine.now()) is (interruption == "never")
    finally:
        await daemon.close()


async def test_a_round_observes_everything_once_and_sends_what_is_due(tmp_path, door, mailbox):
    await door.shut()
    path = written(tmp_path, door)
    path.write_text(path.read_text(encoding="utf-8").replace("confirm: 2", "confirm: 1"), encoding="utf-8")
    inventory = load(path).inventory
    daemon = await Daemon.start(inventory, open_store(tmp_path / "data", write=True, ballast=0))
    try:
        await daemon.round()
        assert to(mailbox, "att@example.org")
        states = {notice.state for notice in await daemon.journal.ask(daemon.journal.store.notices)}
        assert states == {NoticeState.SENT}
    finally:
        await daemon.close()
    door.open()
    assert daemon.desk.inventory.protocol.update_every == timedelta(seconds=1)


async def test_a_start_on_a_full_disk_watches_and_sends_what_the_kill_cut_off(
    store, inventory_of, desk_on, machine, mailbox, monkeypatch, full_disk
):
    monkeypatch.setenv("NO_MAIL_URL", os.environ["TEST_MAIL_URL"])
    inventory = inventory_of()
    before = desk_on(inventory)
    await before.open("other", Severity.WARNING, "uid:0", "smell of smoke")
    (cut_off,) = await before.journal.claim(machine.now(), 10)
    with full_disk():
        daemon = await Daemon.start(inventory, store)
        await daemon.round()
        assert cut_off.message_id in [letter.message_id.strip("<>") for letter in mailbox.letters]
        assert {one.check for one in daemon.desk.state.incidents.values()} >= {"door", "releve-store"}
    await daemon.journal.retry()
    assert {row.state for row in store.notices()} == {NoticeState.SENT}
    await daemon.close()


async def test_after_a_night_in_which_nobody_watched_no_check_is_called_silent(tmp_path, door, mailbox):
    async with running(written(tmp_path, door), tmp_path / "data") as daemon:
        daemon.desk.state = replace(daemon.desk.state, stale=frozenset({"door", "gone"}))
        assert daemon.ourselves.stale() == ()


async def test_a_start_finds_nothing_wrong_with_ourselves(tmp_path, door, mailbox):
    own = {selfcheck.LAG, selfcheck.QUEUE, selfcheck.CHECKS}
    async with running(written(tmp_path, door), tmp_path / "data") as daemon:
        await until(lambda: own <= set(daemon.desk.seen))
        said = {name: daemon.desk.seen[name].verdict for name in own}
        assert {verdict.severity for verdict in said.values()} == {Severity.OK}, said
        assert selfcheck.HEARTBEAT not in daemon.desk.plan.checks
        assert not {one.check for one in daemon.desk.state.incidents.values()} & own


async def test_what_ended_just_now_is_known_after_a_start_with_a_clock_that_was_stepped_far_ahead(
    inventory_of, store, machine
):
    inventory = inventory_of(("confirm: 1, incident: office", "confirm: 1, flapping: false, incident: office"))

    def clock_from(kept):
        return GuardedClock(kept, machine, "boot", lambda: False)

    daemon = await Daemon.start(inventory, store, clock_from)
    for verdict in (BAD, GOOD):
        machine.pass_(60)
        await daemon.desk.take(CheckId("door"), verdict, daemon.clock.now(), 0.0)
    await daemon.close()
    machine.wall += timedelta(days=1000)
    again = await Daemon.start(inventory, open_store(store.folder, write=True, ballast=0), clock_from)
    machine.pass_(60)
    await again.desk.take(CheckId("door"), BAD, again.clock.now(), 0.0)
    (incident,) = again.desk.state.incidents.values()
    assert incident.episode == 2
    await again.close()
