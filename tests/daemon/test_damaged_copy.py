"""The copy is damaged on the disk of who keeps it: that is found, and it is sent again while the source still lives."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from failover.itself import Ground
from monitor.daemon import peer_line
from monitor.daemon import peer_wire as wire
from monitor.daemon.peer_line import Destination, NotTaken
from monitor.daemon.peer_receiver import Receiver
from monitor.store import Corrupt, Store, StoreError, open_store
from monitor.store.archive import back_up
from monitor.store.condition import CONDITION
from monitor.store.feed import Standing
from monitor.store.folder import PEER, STATE_FILE
from monitor.store.putting_back import put_back
from monitor.store.replica import Admission, Replica, current_copy
from monitor.store.taking_over import take_over
from monitor.store.whose import Footing, footing, look_at, own_standing, superseded
from tests.daemon.test_peer import HOST, NOW, Pki, Sites, same, until

PAGE = 4096
ALL, FURTHER = 1, 20
"""From which page on the disk gives back something else: with the first of them, it is not even said whose it is."""


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    folder = tmp_path / "pki"
    folder.mkdir()
    return Pki(folder)


@pytest.fixture
def sites(store: Store, tmp_path: Path, pki: Pki) -> Sites:
    return Sites(store, tmp_path / "other", pki)


def damage(data: Path, first: int = FURTHER, table: str = "") -> Path:
    """Let the disk give back something else from page `first` on, or where `table` begins."""
    copy = current_copy(data / PEER)
    assert copy is not None
    path = copy / STATE_FILE
    pages = range(first, path.stat().st_size // PAGE)
    if table:
        with closing(sqlite3.connect(path)) as database:
            ((page,),) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))
        pages = range(page - 1, page)
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page * PAGE)
            file.write(os.urandom(64))
    return copy


async def copied(sites: Sites, token: int = 0) -> Standing:
    """Let the other site have a copy; whose it is."""
    async with sites.receiving() as receiver, sites.sending(token=lambda: token):
        sites.note("before")
        await until(lambda: same(sites, receiver))
    standing = sites.store.feed.standing()
    assert standing is not None
    return standing


@pytest.mark.parametrize("first", [ALL, FURTHER])
async def test_a_copy_that_is_found_damaged_is_sent_again_while_the_other_one_lives(sites: Sites, first: int) -> None:
    async with sites.receiving() as receiver, sites.sending():
        await until(lambda: same(sites, receiver))
        broken = damage(sites.data, first)
        await receiver.look()
        assert receiver.replica.damaged is not None
        assert footing(sites.data).ground is Ground.DAMAGED
        assert broken.exists(), "it may be all that is left"
        sites.note("meanwhile")
        await until(lambda: same(sites, receiver))
        assert receiver.replica.damaged is None
        assert footing(sites.data).ground is Ground.COPY
        await until(lambda: not broken.exists())


@pytest.mark.parametrize("first", [ALL, FURTHER])
async def test_what_was_damaged_while_nobody_looked_is_found_at_the_start_and_whose_it_was_stays_known(
    sites: Sites, first: int
) -> None:
    standing = await copied(sites, token=5)
    assert (standing.token, footing(sites.data)) == (5, Footing(Ground.COPY, 5))
    open_store(sites.data, write=True, ballast=0).close()  # an older state of its own
    damage(sites.data, first)
    with Replica(sites.data / PEER, own_standing(sites.data)) as replica:
        assert replica.admit(standing) is Admission.ANEW
        assert replica.admit(Standing("older", 4, 9)) is Admission.STALE
    assert footing(sites.data) == Footing(Ground.DAMAGED, 5)
    assert superseded(sites.data), "it is the newer one still: nobody goes on here with an older one by mistake"
    with pytest.raises(StoreError, match="damaged"):
        take_over(sites.data, NOW, actor="uid:0")


async def test_a_copy_that_cannot_even_be_opened_is_no_ground_before_anybody_looked(sites: Sites) -> None:
    await copied(sites)
    damage(sites.data, 0)
    seen = look_at(sites.data / PEER)
    assert seen is not None
    assert seen.damaged is not None
    assert footing(sites.data).ground is Ground.DAMAGED


async def test_where_nobody_knows_whose_the_damaged_copy_was_nobody_begins_in_its_place(sites: Sites) -> None:
    await copied(sites)
    open_store(sites.data, write=True, ballast=0).close()
    (sites.data / PEER / CONDITION).write_bytes(b'{"copy": 1}')  # as of before there was one, or damaged as well
    damage(sites.data, 0)
    assert footing(sites.data).ground is Ground.DAMAGED
    with pytest.raises(Corrupt, match="damaged"):
        superseded(sites.data)


async def test_a_copy_that_somebody_deleted_to_make_room_is_missed_and_sent_again(sites: Sites, tmp_path: Path) -> None:
    standing = await copied(sites, token=5)
    with open_store(sites.data, write=True, ballast=0):
        pass  # an older state of its own
    back_up(sites.data, tmp_path / "own.zip", NOW, history=False)
    copy = current_copy(sites.data / PEER)
    assert copy is not None
    shutil.rmtree(copy)
    assert footing(sites.data) == Footing(Ground.DAMAGED, 5)
    assert superseded(sites.data), "it is the newer one still"
    with Replica(sites.data / PEER, own_standing(sites.data)) as replica:
        assert replica.admit(Standing("older", 4, 9)) is Admission.STALE
        assert replica.admit(standing) is Admission.ANEW
    again = Path(shutil.copytree(sites.data, tmp_path / "again"))
    async with sites.receiving() as receiver, sites.sending(token=lambda: 5):
        await until(lambda: same(sites, receiver))
    assert footing(sites.data).ground is Ground.COPY
    done = put_back(again, tmp_path / "own.zip", NOW, actor="uid:0", over=True, ballast=0)
    assert done.copy is None
    assert footing(again) == Footing(Ground.OWN, 5)


async def test_a_copy_that_is_deleted_while_it_is_received_is_missed_at_once_and_sent_again(sites: Sites) -> None:
    await copied(sites, token=5)
    async with sites.receiving() as receiver, sites.sending(token=lambda: 5):
        await until(lambda: same(sites, receiver))
        copy = current_copy(sites.data / PEER)
        assert copy is not None
        shutil.rmtree(copy)
        sites.note("written since")
        await until(lambda: footing(sites.data).ground is Ground.COPY and same(sites, receiver))
    assert current_copy(sites.data / PEER) not in (None, copy)


async def test_who_has_a_damaged_copy_says_that_it_could_not_go_on(sites: Sites) -> None:
    standing = await copied(sites)
    async with sites.receiving() as receiver:
        receiver.session = "f" * 32
        last = receiver.replica.reached().cursor
        assert last is not None
        to = Destination(f"https://{HOST}:{sites.port}", sites.pki.identity(HOST))
        relief = wire.relief_bytes(wire.Relief(last))
        async with peer_line.line_to(to, standing) as line:
            assert wire.session_of(await peer_line.request(line, "POST", "relief", relief)) == "f" * 32
            damage(sites.data)
            with pytest.raises(NotTaken) as caught:
                await peer_line.request(line, "POST", "relief", relief)
    assert caught.value.why is wire.Why.UNABLE


async def test_damage_is_found_by_itself_before_the_copy_is_needed(sites: Sites) -> None:
    sites.note("before")
    receiver = Receiver(sites.data, sites.listening(), look_every=0.05)
    async with receiver.receiving():
        sites.port = receiver.port
        async with sites.sending():
            await until(lambda: same(sites, receiver))
            broken = damage(sites.data, table="audit")
            await until(lambda: not broken.exists())
            await until(lambda: same(sites, receiver))
    assert footing(sites.data).ground is Ground.COPY


async def test_damage_that_a_row_comes_upon_is_taken_for_such(sites: Sites) -> None:
    standing = await copied(sites)
    sites.note("further")
    with Replica(sites.data / PEER) as replica:
        piece = sites.store.feed.after(replica.reached().cursor or 0, 2**20)
        assert piece is not None and piece.rows
        assert replica._engine is not None
        replica._engine.dispose()  # what it has in memory would hide it
        damage(sites.data, table="audit")
        with pytest.raises(Corrupt):
            replica.take(standing, piece)
        assert replica.admit(standing) is Admission.ANEW
    assert footing(sites.data).ground is Ground.DAMAGED
