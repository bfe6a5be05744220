"""A Relève that cannot ask the voters: it goes on with what it had, and begins nothing that it never had."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import trustme
from sqlalchemy import Engine
from sqlalchemy import event as hook

from failover.itself import Alone, Ground, StandBy, Why
from failover.lease import Record, Seen, Standing
from monitor.cli.run import _Asked, _obey_signals
from monitor.clock import SystemClock
from monitor.core.events import RELEVE
from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Severity
from monitor.daemon.daemon import Daemon
from monitor.daemon.own_lease import OwnLease
from monitor.daemon.standby import Standby
from monitor.inventory.model import Inventory
from monitor.store import AuditEntry, Batch, Store, feed, open_store
from monitor.store.archive import back_up
from monitor.store.condition import condition_of
from monitor.store.folder import PEER, TAKING, prepare
from monitor.store.replica import Replica
from monitor.store.taking_over import _begin
from monitor.store.whose import Footing, footing
from tests.daemon.test_peer_story import free_port

OPERATIONS = "operations: {to: [admin]}\n"
TWO = """operations: {{to: [admin]}}
sites:
  centre: {{title: Douala, here: true, releve: "https://127.0.0.1:{port}"}}
  secours: {{title: Yaoundé, releve: "https://127.0.0.1:{other}"}}
peer: {{ca: file:{pems}/ca.pem, cert: file:{pems}/cert.pem, key: file:{pems}/key.pem}}
leases:
  etcd: {{endpoints: ["http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"]}}
  ttl: 3s
  loop: 1s
  retry: 1s
"""


@pytest.fixture
def inventory(inventory_of: Callable[..., Inventory], tmp_path: Path) -> Inventory:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    return inventory_of((OPERATIONS, TWO.format(port=free_port(6), other=free_port(7), pems=tmp_path)))


@pytest.fixture
async def own(tmp_path: Path, inventory: Inventory) -> AsyncIterator[OwnLease]:
    data = tmp_path / "data"
    prepare(data)
    made = OwnLease(data, SystemClock())
    await made.swap(inventory)
    yield made
    await made.close()


async def test_who_starts_with_a_state_goes_on_and_says_what_it_lacks(
    tmp_path: Path, inventory: Inventory, own: OwnLease
) -> None:
    open_store(tmp_path / "data", write=True, ballast=0).close()
    standby = Standby(tmp_path / "data", inventory, own, SystemClock())
    assert await standby.begins_active()
    assert isinstance(standby.role, Alone)
    own.lead(0, SystemClock().now())
    async with asyncio.timeout(20):
        while own.trouble is None:
            await asyncio.sleep(0.02)
    verdict = own.verdict()
    assert verdict is not None
    assert verdict.severity is Severity.WARNING
    assert not own.holds()


async def test_who_starts_without_a_state_stands_by_until_it_is_told_to_end(
    tmp_path: Path, inventory: Inventory, own: OwnLease
) -> None:
    standby = Standby(tmp_path / "data", inventory, own, SystemClock())
    assert not await standby.begins_active()
    stop = asyncio.Event()
    waiting = asyncio.create_task(standby.until_active(stop))
    async with asyncio.timeout(20):
        while not (tmp_path / "data" / "peer" / "lock").exists():
            await asyncio.sleep(0.02)
        assert isinstance(standby.role, StandBy)
        assert standby.role.why is Why.SILENT
        stop.set()
        assert not await waiting
    assert not (tmp_path / "data" / "state.db").exists()


async def test_an_inventory_without_voters_ends_the_lease(
    inventory: Inventory, own: OwnLease, inventory_of: Callable[..., Inventory]
) -> None:
    assert own.kept
    session = own.session
    await own.swap(inventory_of())
    assert (own.kept, own.verdict()) == (False, None)
    await own.swap(inventory)
    assert (own.kept, own.session) == (True, session)


async def test_the_one_that_stands_by_takes_up_its_inventory_again_and_ends_when_told(
    tmp_path: Path, inventory: Inventory
) -> None:
    data, place = tmp_path / "data", tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place))
        manager.setblocking(False)
        environment = {**os.environ, "NOTIFY_SOCKET": str(place)}
        environment.pop("WATCHDOG_USEC", None)
        command = [sys.executable, "-m", "monitor", "--inventory", str(inventory.path), "--data", str(data)]
        process = await asyncio.create_subprocess_exec(
            *command, "run", "--site", "secours", "--listen", "127.0.0.1:0", env=environment, stderr=subprocess.PIPE
        )
        try:
            async with asyncio.timeout(60):
                loop = asyncio.get_running_loop()
                assert (await loop.sock_recv(manager, 100)).startswith(b"READY=1\nSTATUS=passive")
                process.send_signal(signal.SIGHUP)
                assert (await loop.sock_recv(manager, 100)).startswith(b"READY=1\nSTATUS=passive")
                process.send_signal(signal.SIGTERM)
                _out, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0, said.decode()
    assert (data / "site").read_text().strip() == "secours"
    assert not (data / "state.db").exists()


def cut_short(tmp_path: Path, *audited: str) -> tuple[Path, Path]:
    """Return a folder with a state of long ago, where taking over one with `audited` was killed, and the copy in it."""
    data, now = tmp_path / "data", SystemClock().now()
    with open_store(data, write=True, ballast=0) as ours:
        ours.commit(Batch(audit=(AuditEntry("uid:1", "of long ago"),)))
    with open_store(tmp_path / "centre", write=True, ballast=0) as theirs:
        standing = theirs.feed.start(7)
        for what in audited:
            theirs.commit(Batch(audit=(AuditEntry("uid:1", what),)))
        back_up(theirs.folder, tmp_path / "all.zip", now, history=False)
    with Replica(data / PEER) as replica:
        replica.install(standing, tmp_path / "all.zip")
        copy = replica.path
    assert copy is not None
    _begin(data, now, AuditEntry(RELEVE, "take over", {}, now), 8, 0, by_itself=True)
    return data, copy


async def test_a_take_over_that_was_cut_short_is_finished_also_where_nobody_can_be_asked(
    tmp_path: Path, inventory: Inventory, own: OwnLease
) -> None:
    data, _copy = cut_short(tmp_path, "of late", "of today")
    assert await Standby(data, inventory, own, SystemClock()).begins_active()
    with open_store(data, write=True, ballast=0) as found:
        assert found.verify_audit().entries == 3
        known = found.feed.standing()
    assert known is not None
    assert known.token == 8


async def test_a_copy_that_was_damaged_since_its_take_over_was_cut_short_lets_nobody_go_on_with_what_is_older(
    tmp_path: Path, inventory: Inventory, own: OwnLease
) -> None:
    data, copy = cut_short(tmp_path)
    (copy / "state.db").write_bytes(b"no database" * 10_000)
    standby = Standby(data, inventory, own, SystemClock())
    assert not await standby.begins_active()
    assert footing(data) == Footing(Ground.DAMAGED, 7)
    with open_store(data, write=True, ballast=0) as found:
        assert found.verify_audit().entries == 1


async def test_where_nobody_can_read_how_far_a_take_over_was_it_stands_by_and_people_are_told(
    tmp_path: Path, inventory: Inventory, own: OwnLease, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, leads = tmp_path / "data", Record("secours", "there", 7, 3.0)
    copied(tmp_path, data)
    (data / PEER / TAKING).write_bytes(bytes(200))

    async def look() -> Seen:
        return Seen(Standing.FREE, leads, 0.0)

    monkeypatch.setattr(own, "look", look)  # no voter is installed here
    standby, stop = Standby(data, inventory, own, SystemClock()), asyncio.Event()
    assert not await standby.begins_active()
    waiting = asyncio.create_task(standby.until_active(stop))
    async with asyncio.timeout(30):
        while standby._alarm.why is None:
            await asyncio.sleep(0.02)
        assert "releve peer take-over --yes" in ENGLISH.render(standby._alarm.why)
        stop.set()
        assert not await waiting


async def test_told_to_end_while_it_makes_way_for_the_other_it_ends(
    store: Store, inventory_of: Callable[..., Inventory]
) -> None:
    asked, daemon = _Asked(), await Daemon.start(inventory_of(), store)
    _obey_signals(daemon, asked)
    try:
        daemon.give_way()
        signal.raise_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            while not asked.to_stop:
                await asyncio.sleep(0.01)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().remove_signal_handler(number)
        await daemon.close()


async def test_on_a_full_disk_it_looks_in_the_room_that_is_kept_back(
    tmp_path: Path, inventory: Inventory, own: OwnLease
) -> None:
    data = tmp_path / "data"
    open_store(data, write=True, ballast=0).close()
    ballast = data / "ballast"
    ballast.write_bytes(b"kept back")

    def no_room(_connection: object, _cursor: object, _statement: str, *_: object) -> None:
        if ballast.exists():
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

    hook.listen(Engine, "before_cursor_execute", no_room)
    try:
        assert await Standby(data, inventory, own, SystemClock()).begins_active()
    finally:
        hook.remove(Engine, "before_cursor_execute", no_room)
    assert not ballast.exists()


def copied(tmp_path: Path, data: Path) -> tuple[feed.Standing, Path]:
    """Put a whole copy of the state of the centre beside `data`; return whose it is, and where it lies."""
    with open_store(tmp_path / "centre", write=True, ballast=0) as theirs:
        standing = theirs.feed.start(7)
        back_up(theirs.folder, tmp_path / "all.zip", SystemClock().now(), history=False)
    with Replica(data / PEER) as replica:
        replica.install(standing, tmp_path / "all.zip")
        assert replica.path is not None
        return standing, replica.path


async def test_a_copy_that_can_no_longer_be_read_is_given_up_as_soon_as_that_is_seen(
    tmp_path: Path, inventory: Inventory, own: OwnLease
) -> None:
    data = tmp_path / "data"
    standing, copy = copied(tmp_path, data)
    stop, standby = asyncio.Event(), Standby(data, inventory, own, SystemClock())
    waiting = asyncio.create_task(standby.until_active(stop))
    async with asyncio.timeout(20):
        while standby.role is None:
            await asyncio.sleep(0.02)
        with (copy / "state.db").open("r+b") as file:
            file.write(b"no database" * 10_000)
        while (known := condition_of(data / PEER, copy.name)) is None or known.damaged is None:
            await asyncio.sleep(0.02)
        stop.set()
        assert not await waiting
    assert known.standing == standing


async def test_people_are_told_where_an_older_state_that_is_damaged_hides_which_is_the_newer_one(
    tmp_path: Path, inventory: Inventory, own: OwnLease, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    with open_store(data, write=True, ballast=0) as ours:
        ours.feed.start(3)
    copied(tmp_path, data)
    leads = Record("secours", "there", 7, 3.0)
    seen = [Seen(Standing.HELD, leads, 0.0)]

    async def look() -> Seen:
        return seen[0]

    monkeypatch.setattr(own, "look", look)  # no voter is installed here
    stop, standby = asyncio.Event(), Standby(data, inventory, own, SystemClock())
    waiting = asyncio.create_task(standby.until_active(stop))
    async with asyncio.timeout(30):
        while standby.role is None:
            await asyncio.sleep(0.02)
        with (data / "state.db").open("r+b") as file:
            file.write(b"no database" * 10_000)
        seen[0] = Seen(Standing.FREE, leads, 0.0)
        while standby._alarm.why is None:
            await asyncio.sleep(0.02)
        assert str(data / "state.db") in ENGLISH.render(standby._alarm.why)
        seen[0] = Seen(Standing.HELD, leads, 0.0)
        while standby._alarm.why is not None:
            await asyncio.sleep(0.02)
        stop.set()
        assert not await waiting


async def test_nobody_is_told_any_more_that_the_other_gives_no_sign_of_life_once_it_does(
    tmp_path: Path, inventory: Inventory, own: OwnLease
) -> None:
    standby = Standby(tmp_path / "data", inventory, own, SystemClock())
    damaged, silent = StandBy(Why.DAMAGED, say("damaged")), StandBy(Why.SILENT, say("no voter answers"))
    standby._alarmed(damaged, 3.0)
    standby._alarmed(silent, 4.0)
    assert standby._alarm.why == damaged.text
    standby._alarmed(silent, 0.1)
    assert standby._alarm.why is None
