"""One of two Relèves is the active one: killed, cut off, and back again, with an incident that goes on."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from sqlalchemy import select

from alerts.notice import NoticeState, Step
from failover.lease import Record
from lab.mailbox import Mailbox
from monitor.clock import SystemClock
from monitor.store import open_store
from monitor.store.folder import WriterLock, prepare
from monitor.store.tables import audit
from monitor.store.taking_over import SKIPPED
from tests.real.etcd_voters import Cluster, Line, three_voters
from tests.real.two_releves import TTL, Releve, kept, record, tells, until, write

PATIENCE = 60.0
EVERY = timedelta(seconds=3)


@pytest.fixture
def cluster(require: Callable[[str, str], Path], free_port: Callable[[], int]) -> Iterator[Cluster]:
    """Voters of this test's own, who know of no lease yet."""
    with three_voters(require, free_port) as made:
        yield made


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


@pytest.fixture
def known(two: tuple[Releve, Releve], cluster: Cluster, free_port: Callable[[], int]) -> tuple[Releve, Releve]:
    """Both know the voters and each other."""
    ports = free_port(), free_port()
    for one in two:
        one.knows(cluster, cluster.ports, *ports)
    return two


@pytest.fixture
def told(two: tuple[Releve, Releve], tmp_path: Path) -> Iterator[Callable[[], list[bytes]]]:
    """What the service manager of the first one has heard by now."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        two[0].environment |= {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        two[0].environment.pop("WATCHDOG_USEC", None)

        def heard() -> list[bytes]:
            words: list[bytes] = []
            with suppress(BlockingIOError):
                while True:
                    words.append(manager.recv(4096))
            return words

        yield heard


def audited(releve: Releve) -> list[str]:
    """What its trail says was done."""
    with open_store(releve.data, write=False) as store, store.engine.connect() as connection:
        return list(connection.execute(select(audit.c.action).order_by(audit.c.seq)).scalars())


async def led_by(cluster: Cluster, site: str) -> Record:
    """Return the record as soon as it is that of `site`."""
    async with asyncio.timeout(PATIENCE):
        while (found := await record(cluster)) is None or found.holder != site:
            await asyncio.sleep(0.05)
    return found


def on_its_grid(releve: Releve) -> None:
    """The incident is the same as ever, and what is told of it is due where it always was."""
    incident, began = releve.began_at()
    told = [one for one in releve.notices() if one.key.step is Step.UPDATE and one.key.incident == incident]
    assert told
    assert {(one.due_at - began) % EVERY for one in told} == {timedelta(0)}


async def test_the_other_goes_on_when_the_active_one_is_killed_and_the_first_comes_back_passive(
    known: tuple[Releve, Releve], cluster: Cluster, mailbox: Mailbox
) -> None:
    centre, secours = known
    centre.start()
    await until(lambda: centre.active)
    secours.start()
    unanswered = [600.0]
    mailbox.delay = lambda: unanswered.pop() if unanswered else 0.0
    await until(lambda: any(one.state is NoticeState.SENDING for one in secours.copied()) and mailbox.letters)
    assert not secours.active
    first = await led_by(cluster, "centre")

    centre.send(signal.SIGKILL)
    killed = time.monotonic()
    unconfirmed = {one.message_id for one in secours.copied() if one.state is NoticeState.SENDING}
    heard = len(mailbox.letters)
    await until(lambda: secours.active)
    print(f"active after {time.monotonic() - killed:.2f} s, ttl {TTL} s")
    after = await led_by(cluster, "secours")
    assert after.token > first.token
    await until(lambda: unconfirmed <= {one.message_id.strip("<>") for one in mailbox.letters[heard:]})
    assert secours.began_at() == centre.began_at()

    centre.start()
    await until(lambda: centre.receives)
    assert not centre.active
    on_its_grid(secours)

    # Without voters nobody becomes active, and nobody stops: the check says so.
    cluster.send(signal.SIGSTOP, 0, 1, 2)
    await until(lambda: "goes on without the lease" in secours.says_of_itself())
    await tells(secours)
    assert (secours.active, centre.active) == (True, False)
    cluster.send(signal.SIGCONT, 0, 1, 2)
    await until(lambda: "is the active one" in secours.says_of_itself())

    # Killed again, and the one that goes on is killed on its way: it takes up what it had begun.
    secours.send(signal.SIGKILL)
    before = secours.began_at()
    await led_by(cluster, "centre")
    centre.send(signal.SIGKILL)
    centre.start()
    await until(lambda: centre.active)
    assert centre.began_at() == before
    await tells(centre)
    on_its_grid(centre)


async def test_an_active_one_that_is_cut_off_goes_on_telling_until_it_learns_of_the_other(
    two: tuple[Releve, Releve], cluster: Cluster, mailbox: Mailbox, free_port: Callable[[], int]
) -> None:
    (centre, secours), (one, other) = two, (free_port(), free_port())
    async with Line(cluster.ports) as voters, Line([other]) as peer:
        centre.knows(cluster, voters.ports, one, peer.ports[0])
        secours.knows(cluster, cluster.ports, one, other)
        centre.start()
        await until(lambda: centre.active)
        secours.start()
        await until(lambda: any(n.key.step is Step.UPDATE for n in secours.copied()))
        voters.cut()
        peer.cut()
        await until(lambda: secours.active)
        assert centre.active
        await until(lambda: set(times(mailbox).values()) == {1, 2})
        voters.mend()
        peer.mend()
        await until(lambda: not centre.active and centre.receives)
        assert secours.active
    healed = SystemClock().now()
    told = {n.message_id: n.key.step for n in secours.notices()}
    count = times(mailbox)
    assert max(count.values()) == 2
    assert {told[name] for name, times_ in count.items() if times_ == 2} <= {Step.UPDATE, Step.FIRST_NOTICE}
    await until(lambda: [n for n in secours.notices() if n.key.step is Step.UPDATE and n.due_at > healed])
    later = {n.message_id for n in secours.notices() if n.due_at > healed}
    assert not [name for name in later if times(mailbox)[name] > 1], "it is over"


def times(mailbox: Mailbox) -> Counter[str]:
    """How often each message came that has anything to do with the incident."""
    return Counter(one.message_id.strip("<>") for one in mailbox.letters if one.to == "att@example.org")


async def test_one_hands_over_to_the_other_and_back_in_the_middle_of_an_incident(
    known: tuple[Releve, Releve], cluster: Cluster, mailbox: Mailbox, told: Callable[[], list[bytes]]
) -> None:
    centre, secours = known
    centre.start()
    await until(lambda: centre.active)
    code, _out, err = await centre.says("peer", "hand-over", "--yes")
    assert code == 2
    assert "cannot go on" in err, "nobody is there"
    assert "peer hand-over" not in audited(centre), "and nothing was done"
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
        tokens.append((await led_by(cluster, taker.site)).token)
        await until(lambda giver=giver: not giver.active)
    assert tokens == sorted(set(tokens))
    # A service manager that hears of an end kills what goes on after it.
    words = [word.split(b"\n") for word in told()]
    assert [word[1][:14] for word in words[-2:]] == [b"STATUS=passive", b"STATUS=watchin"]
    assert {word[0] for word in words} == {b"READY=1"}
    _code, out, _err = await centre.says("peer", "status", "--json")
    said = json.loads(out)
    assert (said["role"], said["lease"]["holder"], said["lease"]["token"]) == ("active", "centre", tokens[-1])
    _code, out, _err = await secours.says("peer", "status")
    assert "This Relève is the passive one since" in out
    assert "centre holds the lease of Relève" in out
    with open_store(centre.data, write=False) as store:
        assert store.verify_audit().whole
    assert audited(centre).count("peer hand-over") == 2
    assert len({letter.message_id for letter in mailbox.letters}) == len(mailbox.letters), "nothing came twice"
    await tells(centre)
    on_its_grid(centre)

    # Handed over to one that does not come up: it is taken back.
    await until(lambda: secours.receives)
    asked = asyncio.create_task(centre.says("peer", "hand-over", "--yes"))
    given = await led_by(cluster, "secours")
    secours.send(signal.SIGKILL)
    code, _out, err = await asked
    assert code == 0, err
    assert (await led_by(cluster, "centre")).token > given.token
    await until(lambda: centre.active)
    await tells(centre)
    on_its_grid(centre)


async def test_who_was_handed_to_and_cannot_go_on_leaves_the_lease_to_the_first(
    known: tuple[Releve, Releve], cluster: Cluster
) -> None:
    centre, secours = known
    centre.start()
    await until(lambda: centre.active)
    secours.start()
    await until(lambda: secours.receives)
    busy = WriterLock(secours.data)  # nothing can be taken over while a command writes there
    try:
        code, _out, err = await centre.says("peer", "hand-over", "--yes")
        assert code == 0, err
        await until(lambda: "take_over_failed" in secours.log.read_text())
        failed, given = time.monotonic(), await led_by(cluster, "secours")
        written = set()
        while time.monotonic() < failed + TTL:
            now = await kept(cluster)
            if now is not None and b"secours" in now.value:
                written.add(now.revision)
            await asyncio.sleep(0.1)
        assert len(written) == 1, "nothing is renewed by who cannot go on"
        assert (await led_by(cluster, "centre")).token > given.token
        await until(lambda: centre.active)
        assert not secours.active
    finally:
        busy.release()


async def test_who_comes_back_and_cannot_go_on_leaves_the_lease_to_the_other(
    known: tuple[Releve, Releve], cluster: Cluster
) -> None:
    centre, secours = known
    centre.start()
    await until(lambda: centre.active)
    secours.start()
    await until(lambda: secours.receives)
    centre.send(signal.SIGKILL)
    busy = WriterLock(centre.data)  # as a state that is damaged, or a port that is taken
    try:

        def again() -> bool:
            if not centre.runs:
                centre.start()
            return secours.active

        await until(again, PATIENCE)
        assert (await led_by(cluster, "secours")).token > 1
    finally:
        busy.release()
    await until(lambda: centre.receives or not again())
    await until(lambda: centre.receives)


async def test_a_first_start_that_fails_leaves_no_lease_behind_that_nobody_takes(
    known: tuple[Releve, Releve], cluster: Cluster
) -> None:
    centre, secours = known
    prepare(centre.data)
    busy = WriterLock(centre.data)  # as a disk that is full
    try:
        centre.start()
        await until(lambda: "standby_blind" in centre.log.read_text() or not centre.runs, PATIENCE)
    finally:
        busy.release()
    if not centre.runs:
        centre.start()
    secours.start()
    await until(lambda: centre.active or secours.active, PATIENCE)
    await until(lambda: centre.receives or secours.receives, PATIENCE)


async def test_who_goes_on_with_its_own_state_after_the_other_led_gives_no_number_that_was_told_there(
    known: tuple[Releve, Releve], cluster: Cluster
) -> None:
    centre, _secours = known
    open_store(centre.data, write=True, ballast=0).close()
    led = Record("secours", "0" * 32, 5, TTL, held=False)
    await write(cluster, led)
    for _again in range(2):
        centre.start()
        await until(lambda: centre.active and centre.notices())
        assert centre.began_at()[0].endswith(f"{SKIPPED + 1}")
        centre.send(signal.SIGTERM)
        with open_store(centre.data, write=False) as store:
            assert store.load(SystemClock().now(), timedelta(days=1)).state.next_number < 2 * SKIPPED
