"""The state of one Relève goes to the other over TLS, through cuts and kills, and to none but that one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from sqlalchemy.exc import DBAPIError

from monitor.clock import SystemClock
from monitor.daemon import peer_wire as wire
from monitor.daemon.journal import Journal
from monitor.daemon.peer_door import CannotReceive, Listening, holding
from monitor.daemon.peer_line import WORDS, Destination, superseded_there
from monitor.daemon.peer_receiver import Receiver
from monitor.daemon.peer_sender import PeerSender
from monitor.daemon.peer_tls import BadIdentity, Identity, client_context, is_for
from monitor.secret import Secret
from monitor.store import AuditEntry, Batch, Store, StoreError, attachments
from monitor.store.archive import back_up
from monitor.store.feed import FED, LEFT_OUT, Piece, Standing
from monitor.store.folder import PEER
from monitor.store.link_key import link_key
from monitor.store.taking_over import take_over
from monitor.store.whose import own_standing

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
HOST = "127.0.0.1"


@dataclass
class Pki:
    """Certificates of one authority, in files."""

    folder: Path
    authority: trustme.CA = field(default_factory=trustme.CA)
    made: int = 0

    def identity(self, *names: str, authority: trustme.CA | None = None) -> Identity:
        self.made += 1
        issued = self.authority.issue_cert(*names) if authority is None else authority.issue_cert(*names)
        place = self.folder / str(self.made)
        place.mkdir()
        self.authority.cert_pem.write_to_path(place / "ca.pem")
        issued.private_key_pem.write_to_path(place / "key.pem")
        (place / "cert.pem").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        return Identity(*(Secret(f"file:{place / name}") for name in ("ca.pem", "cert.pem", "key.pem")))


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    folder = tmp_path / "pki"
    folder.mkdir()
    return Pki(folder)


@dataclass
class Sites:
    """The centre, which sends from `store`, and the other site, whose copy lies below `data`."""

    store: Store
    data: Path
    pki: Pki
    port: int = 0

    def listening(self, port: int = 0) -> Listening:
        return Listening(HOST, port, self.pki.identity(HOST), "127.0.0.1")

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[Receiver]:
        """The other site is up, under the same port each time."""
        receiver = Receiver(self.data, self.listening(self.port))
        async with receiver.receiving():
            self.port = receiver.port
            yield receiver

    @asynccontextmanager
    async def sending(
        self, identity: Identity | None = None, inventory: bytes = b"", **further: Any
    ) -> AsyncIterator[PeerSender]:
        """The centre sends."""
        ours = identity or self.pki.identity(HOST)
        journal = Journal(self.store)
        to = Destination(f"https://{HOST}:{self.port}", ours)
        sender = PeerSender(lambda: to, journal, journal._clock, lambda: inventory, **further)
        task = asyncio.create_task(sender.run())
        try:
            yield sender
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def note(self, what: str) -> None:
        self.store.commit(Batch(audit=(AuditEntry("uid:1", what),)))


@pytest.fixture
def sites(store: Store, tmp_path: Path, pki: Pki) -> Sites:
    return Sites(store, tmp_path / "other", pki)


async def until(holds: Callable[[], object], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


def same(sites: Sites, receiver: Receiver) -> bool:
    """Whether the copy is as the state.

    One that is being replaced just then is not: the receiver, which has it, works beside us.
    """
    try:
        return _equal(sites, receiver)
    except (StoreError, DBAPIError):
        return False


def _equal(sites: Sites, receiver: Receiver) -> bool:
    engine = receiver.replica._engine
    if engine is None or receiver.replica.reached().cursor is None:
        return False
    with engine.connect() as copy, sites.store.engine.connect() as state:
        for name in FED:
            left = " WHERE key <> '" + LEFT_OUT + "'" if name == "meta" else ""
            query = f'SELECT * FROM "{name}"{left} ORDER BY 1, 2'
            if copy.exec_driver_sql(query).all() != state.exec_driver_sql(query).all():
                return False
    return True


async def test_all_of_the_state_goes_over_and_then_every_change(sites: Sites) -> None:
    link_key(sites.store.folder)
    attachments.keep(sites.store.folder, "photo-é.jpg", b"photo", spare=0)
    sites.note("before")
    async with sites.receiving() as receiver, sites.sending(inventory=b'{"main": 1}') as sender:
        await until(lambda: same(sites, receiver))
        for n in range(5):
            sites.note(f"change {n}")
        await until(lambda: same(sites, receiver))
        await until(lambda: receiver.replica.path and (receiver.replica.path / "inventory.json").exists())
        await until(lambda: sender.trouble is None and sender.lag.total_seconds() < 2)
        copy = receiver.replica.path
        assert copy is not None
        assert (copy / "links.key").read_bytes() == link_key(sites.store.folder)
        assert (copy / "attachments" / "photo-é.jpg").read_bytes() == b"photo"
        assert (copy / "inventory.json").read_bytes() == b'{"main": 1}'
        assert not list((sites.store.folder / "outgoing").glob("*.zip"))
        assert not list((sites.data / PEER).glob("incoming-*"))


async def test_who_asks_waits_until_the_other_has_what_is_written_and_for_no_other(sites: Sites) -> None:
    async with sites.receiving() as receiver, sites.sending() as sender:
        await until(lambda: same(sites, receiver))
        for n in range(3):
            sites.note(f"change {n}")
            assert await sender.has_all(30)
            assert same(sites, receiver)
    nobody = PeerSender(lambda: None, Journal(sites.store), SystemClock())
    assert not await nobody.has_all(30)


async def test_one_that_stopped_answering_is_waited_for_no_longer_than_asked(sites: Sites) -> None:
    async with sites.receiving() as receiver, sites.sending() as sender:
        await until(lambda: same(sites, receiver))
        async with receiver._alone:
            sites.note("nobody answers")
            assert not await sender.has_all(0.2)
        await until(lambda: same(sites, receiver))


async def test_after_a_cut_it_goes_on_where_it_was(sites: Sites) -> None:
    async with sites.receiving() as receiver, sites.sending():
        await until(lambda: same(sites, receiver))
        copy = receiver.replica.path
    async with sites.sending() as sender:
        sites.note("while the line is cut")
        await until(lambda: sender.trouble is not None)
        assert "no connection" in sender.trouble.template if sender.trouble else False
        before = sender.lag
        await until(lambda: sender.lag > before)
        async with sites.receiving() as receiver:
            await until(lambda: same(sites, receiver))
            await until(lambda: sender.trouble is None)
            assert receiver.replica.path == copy


async def test_who_is_too_far_behind_gets_all_of_the_state(sites: Sites) -> None:
    async with sites.receiving() as receiver, sites.sending():
        await until(lambda: same(sites, receiver))
        copy = receiver.replica.path
    async with sites.sending(most_kept=20_000) as sender:
        for n in range(40):
            sites.note(f"{n}" * 500)
        await until(lambda: not sites.store.feed.on)
        assert sites.store.feed.extent().last == 0
        async with sites.receiving() as receiver:
            sender.swap()  # by itself it asks again after longer and longer pauses
            await until(lambda: same(sites, receiver))
            assert receiver.replica.path != copy
            await until(lambda: sender.trouble is None)


async def test_all_of_the_state_is_gone_on_with_after_a_cut(sites: Sites, caplog: pytest.LogCaptureFixture) -> None:
    folder, name = sites.store.folder, "b" * 32
    attachments.keep(folder, "a.bin", os.urandom(3 * wire.PART), spare=0)
    standing = sites.store.feed.start()
    (folder / "outgoing").mkdir()
    backup = folder / "outgoing" / f"{standing.epoch}-{name}.zip"
    back_up(folder, backup, NOW, history=False)
    with backup.open("r+b") as file:
        first = file.read(wire.PART)
        file.seek(0)
        file.write(bytes(wire.PART))  # sent again, it would be damaged
    async with sites.receiving() as receiver:
        async with visitor(sites.pki.identity(HOST)) as session:
            url = f"https://{HOST}:{receiver.port}/peer/v1/backup/{name}?offset=0"
            headers = {wire.STANDING: wire.standing_header(standing)}
            async with session.put(url, data=first, headers=headers) as response:
                assert response.status == 200
        async with sites.sending():
            await until(lambda: same(sites, receiver))
    assert not [record for record in caplog.records if record.__dict__.get("event") == "peer_damaged"]


async def test_a_part_that_leaves_a_gap_is_refused_and_one_again_changes_nothing(sites: Sites) -> None:
    standing = wire.standing_header(Standing("e", 0, 1))
    name = "a" * 32
    async with sites.receiving() as receiver, visitor(sites.pki.identity(HOST)) as session:

        async def put(offset: int, data: bytes) -> tuple[int, bytes]:
            url = f"https://{HOST}:{receiver.port}/peer/v1/backup/{name}?offset={offset}"
            async with session.put(url, data=data, headers={wire.STANDING: standing}) as response:
                return response.status, await response.read()

        assert (await put(0, b"abc"))[0] == 200
        assert (await put(5, b"abc")) == (409, b'{"why": "gap"}')
        assert (await put(0, b"abc"))[0] == 200
        status, answer = await put(3, b"def")
        assert (status, wire.stand_of(answer).part) == (200, wire.Part(name, 6))
        url = f"https://{HOST}:{receiver.port}/peer/v1/backup/{name}"
        async with session.post(url, headers={wire.STANDING: standing}) as response:
            assert (response.status, await response.read()) == (409, b'{"why": "damaged"}')
        assert not list((sites.data / PEER).glob("incoming-*"))


async def test_once_taken_over_the_old_state_is_refused_and_that_is_told(sites: Sites) -> None:
    async with sites.receiving() as receiver, sites.sending():
        await until(lambda: same(sites, receiver))
    take_over(sites.data, NOW, actor="uid:0")
    async with sites.receiving() as receiver, sites.sending() as sender:
        await until(lambda: sender.trouble is not None)
        assert sender.trouble is not None
        assert "taken over" in sender.trouble.template
        assert receiver.replica.reached().cursor is None
    assert own_standing(sites.data) is not None


@asynccontextmanager
async def visitor(identity: Identity) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=client_context(identity), force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


async def test_who_has_no_certificate_of_the_authority_gets_no_answer(sites: Sites) -> None:
    other = trustme.CA()
    alone = ssl.create_default_context(cadata=sites.pki.authority.cert_pem.bytes().decode())
    async with sites.receiving() as receiver:
        url = f"https://{HOST}:{receiver.port}/peer/v1/ping"
        stranger = client_context(sites.pki.identity(HOST, authority=other))
        for context in (stranger, alone):
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
                with pytest.raises(aiohttp.ClientError):
                    await session.post(url)
        assert receiver.heard_at is None


async def test_a_stranger_who_shows_nothing_is_not_waited_for(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.daemon.peer_door.SHOWN_WITHIN", 0.2)
    async with sites.receiving(), asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(HOST, sites.port)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()


async def test_a_certificate_that_is_made_for_another_name_is_not_heard(sites: Sites) -> None:
    async with sites.receiving() as receiver, visitor(sites.pki.identity("printer.example.org")) as session:
        async with session.post(f"https://{HOST}:{receiver.port}/peer/v1/ping") as response:
            assert (response.status, await response.read()) == (403, b'{"why": "stranger"}')
        async with sites.sending(sites.pki.identity("printer.example.org")) as sender:
            await until(lambda: sender.trouble is not None)
            assert sender.trouble is not None
            assert "not made for the name" in sender.trouble.template
        assert receiver.heard_at is None
        assert not sites.store.feed.on


async def test_we_send_nothing_to_a_host_that_is_not_the_one(sites: Sites) -> None:
    wanted = replace(sites.listening(), identity=sites.pki.identity("other.example.org"))
    receiver = Receiver(sites.data, wanted)
    async with receiver.receiving():
        sites.port = receiver.port
        async with sites.sending() as sender:
            await until(lambda: sender.trouble is not None)
            assert sender.trouble is not None
            assert "certificate is not trusted" in sender.trouble.template
    assert receiver.heard_at is None


async def test_nobody_speaks_anything_older_than_tls_1_3(sites: Sites) -> None:
    context = client_context(sites.pki.identity(HOST))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with sites.receiving() as receiver:
        connector = aiohttp.TCPConnector(ssl=context)
        async with aiohttp.ClientSession(connector=connector) as session:
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.post(f"https://{HOST}:{receiver.port}/peer/v1/ping")


BOMB = b"a bomb"
"""Stands for one of more bytes than are ever unpacked: made by the test alone, not by each worker that collects it."""


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("hello", b""),
        ("hello", b"[]"),
        ("hello", b'{"files": {"x": 1}}'),
        ("rows", b"no zlib"),
        ("rows", wire.packed(Piece(1, ("x",)))[:-3]),
        ("rows", wire.packed(Piece(0, ("x",)))),
        ("rows", wire.zlib.compress(b'{"first": 1, "rows": [1]}')),
        ("rows", wire.zlib.compress(b"[" * 100_000)),
        ("rows", BOMB),
        ("backup/NAME", b""),
    ],
)
async def test_nonsense_is_called_so(sites: Sites, path: str, body: bytes) -> None:
    if body is BOMB:
        body = wire.zlib.compress(b"0" * (wire.MOST_UNPACKED + 1))
    standing = wire.standing_header(Standing("e", 0, 1))
    async with sites.receiving() as receiver, visitor(sites.pki.identity(HOST)) as session:
        url = f"https://{HOST}:{receiver.port}/peer/v1/{path}"
        async with session.post(url, data=body, headers={wire.STANDING: standing}) as response:
            assert (response.status, await response.read()) == (400, b'{"why": "nonsense"}')
        async with session.post(f"https://{HOST}:{receiver.port}/peer/v1/hello", data=b"{}") as response:
            assert response.status == 400


async def test_another_version_is_told_so(sites: Sites) -> None:
    hello = wire.hello_bytes(wire.Hello("0001", {}))
    async with sites.receiving() as receiver, visitor(sites.pki.identity(HOST)) as session:
        url = f"https://{HOST}:{receiver.port}/peer/v1/hello"
        headers = {wire.STANDING: wire.standing_header(Standing("e", 0, 1))}
        async with session.post(url, data=hello, headers=headers) as response:
            assert wire.why_of(await response.read()) is wire.Why.SCHEMA


async def test_where_nobody_is_to_have_the_state_nothing_is_written_down(store: Store) -> None:
    store.feed.start()
    journal = Journal(store)
    sender = PeerSender(lambda: None, journal, journal._clock)
    task = asyncio.create_task(sender.run())
    await until(lambda: not store.feed.on)
    assert sender.trouble is None
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_port_that_is_taken_and_a_key_that_is_none_are_told(sites: Sites, tmp_path: Path) -> None:
    async with sites.receiving() as receiver:
        second = Receiver(tmp_path / "second", sites.listening(receiver.port))
        with pytest.raises(CannotReceive, match="cannot listen"):
            async with second.receiving():
                pass
    (tmp_path / "key").write_text("no key")
    bad = replace(sites.pki.identity(HOST), key=Secret(f"file:{tmp_path / 'key'}"))
    third = Receiver(tmp_path / "third", replace(sites.listening(), identity=bad))
    with pytest.raises(CannotReceive, match="cannot be used"):
        async with third.receiving():
            pass
    with pytest.raises(BadIdentity, match="cannot read"):
        client_context(replace(bad, key=Secret(f"file:{tmp_path / 'gone'}")))


@pytest.mark.parametrize(
    ("names", "host", "fits"),
    [
        ((("DNS", "releve.example.org"),), "Releve.example.org", True),
        ((("DNS", "*.example.org"),), "releve.example.org", False),
        ((("DNS", "other"), ("IP Address", "198.18.3.5")), "198.18.3.5", True),
        ((("IP Address", "FD00:0:0:0:0:0:0:5\n"),), "fd00::5", False),
        ((("IP Address", "FD00:0:0:0:0:0:0:5"),), "fd00::5", True),
        ((("DNS", "198.18.3.5"),), "198.18.3.5", False),
        ((), "releve.example.org", False),
    ],
)
def test_a_certificate_is_for_whole_names(names: tuple[tuple[str, str], ...], host: str, fits: bool) -> None:
    assert is_for({"subjectAltName": names}, host) is fits
    assert not is_for(None, host)


@pytest.mark.parametrize(
    ("ours", "why", "superseded"),
    [
        (Standing("b", 0, 2), wire.Why.ACTIVE, True),
        (Standing("b", 0, 1), wire.Why.BUSY, False),
        (Standing("b", 0, 0), wire.Why.BUSY, False),
        (None, wire.Why.BUSY, False),
    ],
)
async def test_of_two_that_run_the_one_with_the_older_state_learns_it(
    sites: Sites, ours: Standing | None, why: wire.Why, superseded: bool
) -> None:
    async def own() -> Standing | None:
        return ours

    standing = sites.store.feed.start()
    assert standing.rank == (0, 1, 0)
    sites.port = free_port()
    asked: list[bool] = []
    async with holding(sites.listening(sites.port), own), visitor(sites.pki.identity(HOST)) as session:
        url = f"https://{HOST}:{sites.port}/peer/v1/rows"
        async with session.post(url, headers={wire.STANDING: wire.standing_header(standing)}) as response:
            assert (response.status, wire.why_of(await response.read())) == (409, why)
        async with session.post(url) as response:
            assert response.status == 400
        to = Destination(f"https://{HOST}:{sites.port}", sites.pki.identity(HOST))
        assert await superseded_there(to, standing) is superseded
        async with sites.sending(superseded=lambda: asked.append(True)) as sender:
            await until(lambda: sender.trouble is not None)
            assert sender.trouble == WORDS[why]
    assert bool(asked) is superseded
    assert not await superseded_there(to, standing)  # nobody is there now


async def test_where_there_is_no_other_no_door_is_opened() -> None:
    async def own() -> Standing | None:
        raise AssertionError("nobody asks")

    async with holding(None, own):
        pass


def free_port() -> int:
    """A port that nobody else is given by chance: below those that the kernel hands out."""
    for port in range(10_000 + (os.getpid() * 7) % 20_000, 32_000):
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind((HOST, port))
            return port
    raise AssertionError("no port")
