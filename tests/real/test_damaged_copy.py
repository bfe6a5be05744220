"""The passive Relève has nothing to go on with when the other one is lost: it says what to do, and that helps."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trustme

from lab.mailbox import Mailbox
from monitor.clock import SystemClock
from monitor.core.events import RELEVE
from monitor.store import AuditEntry
from monitor.store.folder import PEER, STATE_FILE, WriterLock
from monitor.store.replica import current_copy
from monitor.store.taking_over import _begin
from tests.real.etcd_voters import Cluster, three_voters
from tests.real.two_releves import Releve, kept, tells, until

PAGE = 4096


@pytest.fixture
def two(
    require: Callable[[str, str], Path], free_port: Callable[[], int], tmp_path: Path, mailbox: Mailbox
) -> Iterator[tuple[Releve, Releve, Cluster]]:
    """Both know the voters and each other."""
    authority, ports = trustme.CA(), (free_port(), free_port())
    made = tuple(Releve(tmp_path / site, site, authority, mailbox.port) for site in ("centre", "secours"))
    with three_voters(require, free_port) as cluster:
        for one in made:
            one.knows(cluster, cluster.ports, *ports)
        try:
            yield made[0], made[1], cluster
        finally:
            for one in made:
                one.end()


def damage(data: Path) -> None:
    """Let the disk give back something else where the copy's trail begins; whose it is can still be read."""
    copy = current_copy(data / PEER)
    assert copy is not None
    path = copy / STATE_FILE
    with closing(sqlite3.connect(path)) as database:
        ((page,),) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'audit'")
        database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    with path.open("r+b") as file:
        file.seek(PAGE * (page - 1))
        file.write(os.urandom(64))


@pytest.mark.parametrize("lost", ["damaged", "damaged meanwhile", "never there"])
async def test_where_the_other_one_is_lost_for_good_what_is_said_to_do_helps(
    two: tuple[Releve, Releve, Cluster], tmp_path: Path, mailbox: Mailbox, lost: str
) -> None:
    centre, secours, cluster = two
    centre.start()
    await until(lambda: centre.active)
    await tells(centre)
    backup = tmp_path / "backup.zip"
    assert (await centre.says("backup", str(backup)))[0] == 0
    before = centre.began_at()
    if lost == "damaged":
        secours.start()
        await until(lambda: secours.receives)
        centre.send(signal.SIGKILL)
        held = await kept(cluster)
        damage(secours.data)
        await until(lambda: "has yet to come again" in secours.log.read_text())
        now = await kept(cluster)
        assert held is not None and now is not None
        assert now.revision == held.revision, "the lease is left to whoever has a state"
        assert "take_over_failed" not in secours.log.read_text()
        code, out, _err = await secours.says("peer", "status")
        assert (code, "is damaged on the disk here" in out) == (1, True)
    elif lost == "damaged meanwhile":
        secours.start()
        await until(lambda: secours.receives)
        secours.send(signal.SIGTERM)
        centre.send(signal.SIGKILL)
        now = SystemClock().now()
        _begin(secours.data, now, AuditEntry(RELEVE, "take over", {}, now), 2, 0, by_itself=True)  # and killed there
        damage(secours.data)
        secours.start()
        await until(lambda: "take_over_failed" in secours.log.read_text())
        await until(lambda: "has yet to come again" in secours.log.read_text())
        assert secours.log.read_text().count("take_over_failed") == 1
        assert not (secours.data / STATE_FILE).exists(), "nothing is gone on with"
    else:
        centre.send(signal.SIGKILL)
        secours.start()
        await until(lambda: "there is no state here to go on with" in secours.log.read_text())
    await until(lambda: [one for one in mailbox.letters if "nobody watches any more" in one.subject])
    code, _out, err = await secours.says("restore", str(backup), "--yes")
    assert (code, "Stop that one first" in err) == (2, True), err
    secours.send(signal.SIGTERM)
    code, out, err = await secours.says("restore", str(backup), "--yes")
    assert code == 0, out + err
    assert bool(list(secours.data.glob("before-*/copy-*/state.db"))) is (lost != "never there")
    secours.start()
    await until(lambda: secours.active)
    await tells(secours)
    assert secours.began_at() == before
    assert not (secours.data / PEER / "unrelieved").exists()


async def test_people_are_told_why_the_take_over_fails_until_it_is_done(
    two: tuple[Releve, Releve, Cluster], mailbox: Mailbox
) -> None:
    centre, secours, _cluster = two
    centre.start()
    await until(lambda: centre.active)
    secours.start()
    await until(lambda: secours.receives)
    busy = WriterLock(secours.data)  # as a command that hangs while it writes there
    try:
        centre.send(signal.SIGKILL)
        await until(lambda: [one for one in mailbox.letters if "nobody watches any more" in one.subject])
        (letter,) = [one for one in mailbox.letters if "nobody watches any more" in one.subject]
        assert "already writes the state" in letter.text
        assert not secours.active
    finally:
        busy.release()
    await until(lambda: secours.active)
    assert not (secours.data / PEER / "unrelieved").exists()
