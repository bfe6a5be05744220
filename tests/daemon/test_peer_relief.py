"""Who stands by is told that the other is there, that all has come, and that it may go on; and by nobody else."""

from __future__ import annotations

import asyncio
import shutil
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from monitor.daemon import peer_wire as wire
from monitor.daemon.journal import Journal
from monitor.daemon.peer_door import holding
from monitor.daemon.peer_line import Destination, NotTaken, line_to, request, runs_there
from monitor.daemon.peer_sender import PeerSender
from monitor.store import Store
from monitor.store.feed import Standing
from tests.daemon.test_peer import HOST, Pki, Sites, free_port, same, until

SESSION = "0123456789abcdef" * 2


@pytest.fixture
def two(store: Store, tmp_path: Path) -> Sites:
    folder = tmp_path / "pki"
    folder.mkdir()
    return Sites(store, tmp_path / "other", Pki(folder))


def destination(two: Sites) -> Destination:
    return Destination(f"https://{HOST}:{two.port}", two.pki.identity(HOST))


async def asked(two: Sites, standing: Standing, relief: wire.Relief) -> str | wire.Why | None:
    """The answer of the other site: its session, or why not."""
    try:
        async with line_to(destination(two), standing) as line:
            return wire.session_of(await request(line, "POST", "relief", wire.relief_bytes(relief)))
    except NotTaken as error:
        return error.why


async def test_who_could_go_on_says_so_and_learns_when_all_has_come(two: Sites) -> None:
    two.note("before")
    async with two.receiving() as receiver:
        assert await asked(two, Standing("x", 0, 1), wire.Relief(0)) is wire.Why.UNABLE, "it has no copy yet"
        async with two.sending():
            await until(lambda: same(two, receiver))
        standing, last = two.store.feed.start(), two.store.feed.extent().last
        assert await asked(two, standing, wire.Relief(last)) is wire.Why.UNABLE, "it only receives"
        receiver.session = SESSION
        assert await asked(two, standing, wire.Relief(last + 1)) is wire.Why.GAP
        assert await asked(two, standing, wire.Relief(last)) == SESSION
        assert not receiver.relieved
        two.note("the last thing")
        journal = Journal(two.store)
        sender = PeerSender(lambda: None, journal, journal._clock)
        await sender.finish(destination(two), 20.0)
        assert receiver.relieved
        assert same(two, receiver)
        assert await asked(two, standing, wire.Relief(last)) == SESSION
        assert not receiver.relieved, "it goes on after all"


async def test_a_state_that_is_out_of_date_relieves_nobody(two: Sites) -> None:
    async with two.receiving() as receiver, two.sending(token=lambda: 2):
        receiver.session = SESSION
        await until(lambda: same(two, receiver))
        older = Standing("older", 1, 1)
        assert await asked(two, older, wire.Relief(0, ended=True)) is wire.Why.STALE
        assert not receiver.relieved


async def test_the_last_of_the_state_is_waited_for_no_longer_than_was_said(two: Sites) -> None:
    journal = Journal(two.store)
    sender = PeerSender(lambda: None, journal, journal._clock)
    with socket.create_server((HOST, 0)) as silent:
        two.port = silent.getsockname()[1]
        with pytest.raises(NotTaken):
            await sender.finish(destination(two), 0.3)


async def test_who_stands_by_hears_the_other_also_while_nothing_happens(two: Sites) -> None:
    async with two.receiving() as receiver, two.sending():
        await until(lambda: same(two, receiver))
        first = receiver.heard_at
        assert first is not None
        await until(lambda: receiver.heard_at is not None and receiver.heard_at > first + 2.0)


async def test_a_releve_without_a_state_learns_whether_the_other_one_runs(two: Sites) -> None:
    assert not await runs_there(destination(two))
    async with two.receiving():
        assert not await runs_there(destination(two)), "it stands by as well"

    async def own() -> Standing | None:
        return None

    two.port = free_port()
    async with holding(two.listening(two.port), own):
        assert await runs_there(destination(two))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"last": -1, "ended": false}', b'{"last": 1.0, "ended": false}', b'{"last": 1}']
)
async def test_a_question_that_is_none_is_refused(two: Sites, body: bytes) -> None:
    async with two.receiving():
        with pytest.raises(NotTaken) as refused:
            async with line_to(destination(two), Standing("x", 0, 1)) as line:
                await asyncio.wait_for(request(line, "POST", "relief", body), 20)
    assert refused.value.why is wire.Why.NONSENSE


@pytest.mark.parametrize("answer", [b"", b"{}", b'{"session": 1}', b'{"session": "../x"}', b'{"session": "0123"}'])
def test_an_answer_that_names_no_life_is_refused(answer: bytes) -> None:
    with pytest.raises(wire.Nonsense):
        wire.session_of(answer)


@pytest.mark.parametrize("token", ["Infinity", "1e999", "1.5", "true", '"1"', "-1", str(2**53 + 1), "null"])
def test_a_standing_with_a_token_that_no_lease_can_have_is_nonsense(token: str) -> None:
    with pytest.raises(wire.Nonsense):
        wire.standing_of(f'{{"epoch": "x", "token": {token}, "term": 1, "serial": 0}}')


async def test_who_was_put_back_and_lacks_what_is_forgotten_here_is_not_told_that_all_has_come(two: Sites) -> None:
    two.note("before")
    async with two.receiving() as receiver, two.sending():
        await until(lambda: same(two, receiver))
    shutil.copytree(two.data, two.data.with_name("earlier"))
    async with two.receiving() as receiver, two.sending():
        two.note("what it will lack")
        two.note("and this")
        await until(lambda: same(two, receiver))
    two.store.feed.forget(two.store.feed.extent().last)
    shutil.rmtree(two.data)
    two.data.with_name("earlier").rename(two.data)
    journal = Journal(two.store)
    sender = PeerSender(lambda: None, journal, journal._clock)
    async with two.receiving() as receiver:
        receiver.session = SESSION
        with suppress(NotTaken):
            await sender.finish(destination(two), 20.0)
        assert same(two, receiver) or not receiver.relieved
