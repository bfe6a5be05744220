"""One of two Relèves is the active one: killed, cut off, and back again, with an incident that goes on."""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from alerts.notice import NoticeState, Step
from lab.mailbox import Mailbox
from monitor.clock import SystemClock
from monitor.store import open_store
from tests.real.etcd_voters import Cluster, place
from tests.real.two_releves import TTL, Releve, record

PATIENCE = 60.0
EVERY = timedelta(seconds=4)


@pytest.fixture
def cluster(require: Callable[[str, str], Path], free_port: Callable[[], int]) -> Iterator[Cluster]:
    """Voters of this test's own, who know of no lease yet."""
    program = require("etcd", "etcd-server")
    with tempfile.TemporaryDirectory(prefix="releve-etcd-", dir=place()) as folder:
        made = Cluster(program, Path(folder), free_port)
        try:
            made.start()
            made.leader()
            yield made
        finally:
            made.stop()


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox(SystemClock())
    box.open()
    yield box
    await box.close()


@pytest.fixture
def two(tmp_path: Path, mailbox: Mailbox) -> Iterator[tuple[Releve, Releve]]:
    authority = trustme.CA()
    made = (
        Releve(tmp_path / "centre", "centre", authority, mailbox.port),
        Releve(tmp_path / "secours", "secours", authority, mailbox.port),
    )
    try:
        yield made
    finally:
        for one in made:
            one.end()


async def until(holds: Callable[[], object], seconds: float = PATIENCE) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.05)


async def test_the_other_goes_on_when_the_active_one_is_killed_and_the_first_comes_back_passive(
    two: tuple[Releve, Releve], cluster: Cluster, mailbox: Mailbox, free_port: Callable[[], int]
) -> None:
    centre, secours = two
    ports = free_port(), free_port()
    for one in two:
        one.knows(cluster, cluster.ports, *ports)
    centre.start()
    await until(lambda: centre.active)
    secours.start()
    unanswered = [600.0]
    mailbox.delay = lambda: unanswered.pop() if unanswered else 0.0
    await until(lambda: any(one.state is NoticeState.SENDING for one in secours.copied()) and mailbox.letters)
    assert not secours.active
    first = await record(cluster)
    assert first is not None
    assert first.holder == "centre"

    centre.send(signal.SIGKILL)
    killed = time.monotonic()
    unconfirmed = {one.message_id for one in secours.copied() if one.state is NoticeState.SENDING}
    heard = len(mailbox.letters)
    await until(lambda: secours.active)
    print(f"active after {time.monotonic() - killed:.2f} s, ttl {TTL} s")
    after = await record(cluster)
    assert after is not None
    assert (after.holder, after.token > first.token) == ("secours", True)
    await until(lambda: unconfirmed <= {one.message_id.strip("<>") for one in mailbox.letters[heard:]})
    assert secours.began_at() == centre.began_at()

    centre.start()
    await until(lambda: centre.receives)
    assert not centre.active
    incident, began = secours.began_at()
    await until(lambda: [one for one in secours.notices() if one.created_at > SystemClock().now() - EVERY])
    told = [one for one in secours.notices() if one.key.step is Step.UPDATE and one.key.incident == incident]
    assert {(one.due_at - began) % EVERY for one in told} == {timedelta(0)}


async def test_one_hands_over_to_the_other_and_back_in_the_middle_of_an_incident(
    two: tuple[Releve, Releve], cluster: Cluster, mailbox: Mailbox, free_port: Callable[[], int]
) -> None:
    centre, secours = two
    ports = free_port(), free_port()
    for one in two:
        one.knows(cluster, cluster.ports, *ports)
    centre.start()
    await until(lambda: centre.active)
    code, _out, err = await centre.says("peer", "hand-over", "--yes")
    assert code == 2
    assert "cannot go on" in err, "nobody is there"
    secours.start()
    await until(lambda: secours.receives and mailbox.letters)
    incident, began = centre.began_at()
    tokens = []
    for giver, taker in ((centre, secours), (secours, centre)):
        await until(lambda taker=taker: taker.receives)
        asked = time.monotonic()
        code, out, err = await giver.says("peer", "hand-over", "--yes", "--json")
        assert code == 0, err
        assert json.loads(out)["to"] == taker.site
        await until(lambda taker=taker: taker.active)
        print(f"handed over in {time.monotonic() - asked:.2f} s")
        assert taker.began_at() == (incident, began)
        code, out, _err = await taker.says("peer", "status", "--json")
        said = json.loads(out)
        assert (said["role"], said["lease"]["holder"]) == ("active", taker.site)
        tokens.append(said["lease"]["token"])
        await until(lambda giver=giver: not giver.active)
        code, out, _err = await giver.says("peer", "status", "--json")
        assert json.loads(out)["role"] == "passive"
    assert tokens == sorted(set(tokens))
    with open_store(centre.data, write=False) as store:
        assert store.verify_audit().whole
    assert len({letter.message_id for letter in mailbox.letters}) == len(mailbox.letters), "nothing came twice"
    await until(lambda: [one for one in centre.notices() if one.created_at > SystemClock().now() - EVERY])
    told = [one for one in centre.notices() if one.key.step is Step.UPDATE and one.key.incident == incident]
    assert {(one.due_at - began) % EVERY for one in told} == {timedelta(0)}
