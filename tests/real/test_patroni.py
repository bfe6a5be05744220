"""Step `patroni-switchover` on PostgreSQL under a real Patroni: the primary changes, and what was confirmed stays."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest

from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH
from probes.contract import Target
from runbooks.contract import Answer, CheckOf, Image, Io, Site, StepFailed, Subject
from runbooks.steps.patroni_switchover import PatroniSwitchover, PatroniSwitchoverParams
from tests.real.conftest import Require
from tests.real.patroni import PASSWORD, USER, Patronis
from tests.real.postgres import programs
from tests.runbooks.conftest import hosts, make_io

__all__ = ["hosts", "make_io"]
STEP = PatroniSwitchover()
NODE = Target(NodeId("sql-2"), "127.0.0.1")
CHECK = CheckOf(CheckId("base"), "tcp", NODE.name, NODE, None)
SUBJECT = Subject(CHECK.id, Site(checks={CHECK.id: CHECK}, devices={NODE.name: NODE}))
TIMING = 10, 1, 3
"""ttl, loop_wait and retry_timeout: with a shorter retry_timeout Patroni loses etcd for good (its own least)."""


@pytest.fixture
def patronis(
    require: Require, tmp_path_factory: pytest.TempPathFactory, free_port: Callable[..., int]
) -> Iterator[Patronis]:
    """`centre`, the primary, and `secours`, its synchronous standby."""
    patroni, etcd = require("patroni", "patroni"), require("etcd", "etcd-server")
    folder = tmp_path_factory.mktemp("patroni")
    made = Patronis(patroni, etcd, programs(), folder, free_port, TIMING, synchronous=True)
    try:
        made.start("centre")
        made.until(lambda: role(made, "centre", "centre") == "leader")
        made.start("secours")
        made.until(lambda: role(made, "centre", "secours") == "sync_standby")
        yield made
    finally:
        made.close()


def role(patronis: Patronis, by: str, name: str) -> str:
    """Return the role of a member that runs, as `by` has it."""
    own = patronis.members(by).get(name, {})
    return str(own["role"]) if own.get("state") in ("running", "streaming") else ""


def stepped_down(patronis: Patronis, by: str, name: str) -> bool:
    """Whether `by` has it that a member no longer leads, or is about to stop."""
    own = patronis.members(by).get(name)
    return own is not None and (own["role"], own["state"]) != ("leader", "running")


def params(patronis: Patronis, *by: str, **keys: object) -> PatroniSwitchoverParams:
    own = {"url": [patronis.url(name) for name in by], "user": USER, "password": "env:PATRONI_PASSWORD"}
    return PatroniSwitchoverParams.model_validate({**own, "within": "60s", **keys})


async def image(wanted: PatroniSwitchoverParams, io: Io) -> Image:
    """Return the before-image as it comes out of the journal."""
    found: Image = json.loads(json.dumps(dict(await STEP.before(wanted, SUBJECT, io))))
    return found


class Caller:
    """Somebody who writes a number a row, and remembers each that the primary confirmed."""

    def __init__(self, port: int) -> None:
        self.confirmed = 0
        self._where = f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        try:
            with psycopg.connect(self._where, autocommit=True) as connection:
                while True:
                    connection.execute("INSERT INTO calls VALUES (%s)", (self.confirmed + 1,))
                    self.confirmed += 1
        except psycopg.Error:
            return

    def join(self) -> int:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.confirmed


async def test_the_primary_changes_as_told_and_a_lost_one_is_replaced_without_loss(
    patronis: Patronis, make_io: Callable[..., Io], monkeypatch: pytest.MonkeyPatch
):
    io = make_io(token=3)
    patronis.sql("centre", "CREATE TABLE calls (n int)")
    wanted = params(patronis, "centre", "secours", candidate="secours")
    monkeypatch.setenv("PATRONI_PASSWORD", "wrong")
    before = await image(wanted, io)
    assert (before["leader"], before["role"], before["timeline"]) == ("centre", "sync_standby", 1)
    assert await STEP.done(wanted, before, SUBJECT, io) is Answer.NO

    with pytest.raises(StepFailed) as caught:
        await STEP.apply(wanted, before, SUBJECT, io)
    assert "HTTP 401" in ENGLISH.render(caught.value.text)

    monkeypatch.setenv("PATRONI_PASSWORD", PASSWORD)
    caller = Caller(patronis.ports["centre"])
    await asyncio.to_thread(patronis.until, lambda: caller.confirmed > 0)
    carried = asyncio.create_task(STEP.apply(wanted, before, SUBJECT, io))
    await asyncio.to_thread(patronis.until, lambda: stepped_down(patronis, "secours", "centre"))
    # Who was killed meanwhile, and knows no more than what was there before, learns that it was done.
    assert await STEP.done(wanted, before, SUBJECT, io) is Answer.YES
    outcome = await carried
    assert ENGLISH.render(outcome.text).startswith("secours is the primary, on timeline 2. It was the synchronous ")
    confirmed = await asyncio.to_thread(caller.join)
    assert patronis.sql("secours", "SELECT max(n) FROM calls") >= confirmed
    again = await STEP.apply(wanted, await image(wanted, io), SUBJECT, io)
    assert (again.changed, patronis.members("secours")["secours"]["timeline"]) == (False, 2)

    await asyncio.to_thread(patronis.until, lambda: role(patronis, "secours", "centre") == "sync_standby")
    back = params(patronis, "secours", "centre", candidate="centre", force=True)
    caller = Caller(patronis.ports["secours"])
    await asyncio.to_thread(patronis.until, lambda: caller.confirmed > confirmed)
    before = await image(back, io)
    patronis.kill("secours")
    outcome = await STEP.apply(back, before, SUBJECT, io)
    assert ENGLISH.render(outcome.text).startswith("centre is the primary, on timeline 3. It was the synchronous ")
    assert await STEP.done(back, before, SUBJECT, io) is Answer.YES
    confirmed = await asyncio.to_thread(caller.join)
    assert patronis.sql("centre", "SELECT max(n) FROM calls") >= confirmed
