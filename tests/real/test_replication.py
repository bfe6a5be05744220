"""The copy of a real PostgreSQL: new, idle, cut off, paused, promoted while the old primary goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from monitor.cli import carry_out
from monitor.cli.context import ExitCode
from monitor.clock import SystemClock
from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity, Verdict
from monitor.secret import Secret
from probes.access import SqlAccess
from probes.contract import Target
from probes.replication import Replication, ReplicationParams
from probes.runner import run
from probes.sessions import Sessions
from tests.real.postgres import Cluster

PATIENCE = 20.0


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory, free_port: Any) -> Iterator[Cluster]:
    """`sql` with its copy `sql-2`, which are in step at the start of each test; the last test may ruin them."""
    cluster = Cluster(tmp_path_factory.mktemp("pg"), free_port)
    try:
        cluster.new("sql")
        cluster.copy("sql-2", of="sql")
        yield cluster
    finally:
        cluster.close()


def target(cluster: Cluster, name: str, beside: str = "", user: str = "watcher") -> Target:
    access = SqlAccess(
        engine="postgresql", database="postgres", user=user, password=Secret("unused"), port=cluster.ports[name]
    )
    others = {"standby": target(cluster, beside, user=user)} if beside else {}
    return Target(NodeId(name), "127.0.0.1", {"sql": access}, others)


class Watch:
    """Looks as a check does, with the memory of one."""

    def __init__(self, cluster: Cluster, name: str = "sql", standby: str = "sql-2", user: str = "watcher") -> None:
        self.target = target(cluster, name, standby, user)
        self.params: dict[str, Any] = {"standby": standby} if standby else {}
        self.memory: dict[str, Any] = {}

    async def look(self, within: float = 8.0, **params: Any) -> Verdict:
        given = ReplicationParams.model_validate({**self.params, **params})
        async with Sessions() as sessions:
            result = await run(Replication(), self.target, given, within, sessions, SystemClock(), self.memory)
        return result.verdict

    async def until(self, holds: Any, **params: Any) -> Verdict:
        """Return the first verdict of which `holds`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE
        while not holds(verdict := await self.look(**params)):
            assert loop.time() < end, said(verdict)
        return verdict


def said(verdict: Verdict) -> str:
    return ENGLISH.render(verdict.summary)


def figures(verdict: Verdict) -> dict[str, float]:
    return {metric.name: metric.value for metric in verdict.metrics}


def in_step(verdict: Verdict) -> bool:
    """Whether all is there and replayed. The database writes also by itself, now and then."""
    known = figures(verdict)
    return verdict.severity is Severity.OK and known.get("behind") == 0 == known.get("replay_behind", 0)


async def test_a_copy_in_step_lacks_nothing_however_long_nobody_wrote(databases):
    watch = Watch(databases)
    databases.sql("sql", "INSERT INTO calls DEFAULT VALUES")
    verdict = await watch.until(in_step)
    assert figures(verdict)["lag"] < 5
    assert said(verdict).startswith("sql-2 has all that sql has")
    expected = {"role": "primary", "role.sql": "primary", "role.sql-2": "standby", "timeline": "1", "sync": "async"}
    assert verdict.facts.items() >= expected.items()
    # The last transaction grows older and older, and that is no lag.
    databases.sql("sql", "SELECT pg_sleep(1.1)")
    assert figures(await watch.until(in_step))["lag"] == 0


async def test_the_devices_may_have_changed_their_roles(databases):
    watch = Watch(databases, "sql-2", "sql")
    verdict = await watch.until(in_step)
    assert said(verdict).startswith("sql-2 has all that sql has")
    assert (verdict.facts["role"], verdict.facts["role.sql"]) == ("standby", "primary")


async def test_a_synchronous_copy_is_one_only_while_commits_wait(databases):
    watch = Watch(databases)
    assert "no commit waits for sql-2 (async)" in said(await watch.look(synchronous=True))
    try:
        databases.sql("sql", "ALTER SYSTEM SET synchronous_standby_names = '\"sql-2\"'", "SELECT pg_reload_conf()")
        verdict = await watch.until(lambda one: one.facts.get("sync") == "sync", synchronous=True)
        assert verdict.severity is Severity.OK
        databases.sql("sql", "ALTER SYSTEM SET synchronous_commit = off", "SELECT pg_reload_conf()")
        verdict = await watch.until(lambda one: one.facts.get("sync") == "async", synchronous=True)
        assert verdict.severity is Severity.WARNING
    finally:
        databases.sql("sql", "ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")


async def test_who_may_not_see_the_copies_is_told_so(databases):
    verdict = await Watch(databases, user="blind").look()
    assert verdict.severity is Severity.UNKNOWN
    assert "GRANT pg_monitor" in said(verdict)
    assert figures(verdict)["behind"] == 0


async def test_a_paused_replay_loses_nothing_and_is_told(databases):
    watch = Watch(databases)
    await watch.until(lambda one: one.severity is Severity.OK)
    databases.sql("sql-2", "SELECT pg_wal_replay_pause()")
    try:
        databases.sql("sql", "INSERT INTO calls SELECT FROM generate_series(1, 1000)")
        verdict = await watch.until(
            lambda one: figures(one).get("replay_behind", 0) > 10_000 and figures(one)["behind"] == 0
        )
        assert verdict.severity is Severity.WARNING
        assert "replay is paused on sql-2" in said(verdict)
        assert "wait there to be replayed" in said(verdict)
        later = await watch.until(lambda one: figures(one)["replay_lag"] > figures(verdict)["replay_lag"])
        assert figures(later)["lag"] < 2
    finally:
        databases.sql("sql-2", "SELECT pg_wal_replay_resume()")
    await watch.until(in_step)


async def test_a_copy_that_is_cut_off_lags_more_with_every_look(databases):
    watch = Watch(databases)
    await watch.until(lambda one: one.severity is Severity.OK)
    databases.stop("sql-2")
    try:
        # It had everything, and nobody wrote since.
        verdict = await watch.until(lambda one: one.severity is Severity.CRITICAL)
        assert "sql-2 is not connected to sql: nothing is copied" in said(verdict)
        assert figures(verdict)["behind"] == 0
        databases.sql("sql", "INSERT INTO calls DEFAULT VALUES")
        verdict = await watch.look(critical="1 h")
        assert figures(verdict)["behind"] > 0
        later = await watch.look()
        assert figures(later)["lag"] > figures(verdict)["lag"] > 0
        assert "sql-2 is" in said(later)
        assert later.facts["role.sql-2"] == "unknown"
        # Whoever looks for the first time cannot know.
        new = await Watch(databases).look()
        assert "lag" not in figures(new)
        assert "nobody knows how far sql-2 is behind sql" in said(new)
    finally:
        databases.start("sql-2")
    await watch.until(lambda one: one.severity is Severity.OK)


async def test_without_its_primary_a_copy_knows_only_how_old_it_is(databases):
    watch = Watch(databases)
    databases.sql("sql", "INSERT INTO calls DEFAULT VALUES")
    await watch.until(in_step)
    databases.stop("sql")
    try:
        verdict = await watch.look()
        assert verdict.severity is Severity.UNKNOWN
        assert said(verdict).startswith("nobody knows what sql-2 lacks: PostgreSQL on sql cannot be asked")
        assert figures(verdict).keys() == {"age"}
        assert verdict.facts["role.sql"] == "unknown"
        assert (await watch.look(thresholds={"age": {"critical": "0.001s"}})).severity is Severity.CRITICAL
    finally:
        databases.start("sql")
    await watch.until(lambda one: one.severity is Severity.OK)


async def test_a_primary_that_is_frozen_does_not_keep_its_copy_from_being_asked(databases):
    watch = Watch(databases)
    await watch.until(lambda one: one.severity is Severity.OK)
    with databases.frozen("sql"):
        verdict = await watch.look(within=2.0)
    assert verdict.severity is Severity.UNKNOWN
    assert "PostgreSQL on sql cannot be asked: no answer on port" in said(verdict)
    # Nobody wrote since the primary was last seen: that its last transaction is older says nothing.
    assert figures(verdict)["age"] < 60
    await watch.until(lambda one: one.severity is Severity.OK)


def test_a_check_of_the_inventory_names_the_other_device(databases, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SQL_PASSWORD", "unused")
    access = {"engine": "postgresql", "database": "postgres", "user": "watcher", "password": "env:SQL_PASSWORD"}
    devices = {
        name: {"address": "127.0.0.1", "sql": {**access, "port": databases.ports[name]}} for name in ("sql", "sql-2")
    }
    checks = {"crm-copy": {"probe": "replication", "device": "sql", "standby": "sql-2", "warning": "5 min"}}
    path = tmp_path / "inventory.yaml"
    path.write_text(json.dumps({"site": {"name": "x"}, "devices": devices, "checks": checks}), encoding="utf-8")
    assert carry_out(["--inventory", str(path), "--lang", "en", "check", "--json"]) == ExitCode.DONE
    (shown,) = json.loads(capsys.readouterr().out)
    assert (shown["kind"], shown["severity"], shown["facts"]["role.sql-2"]) == ("replication", "ok", "standby")
    assert {"name": "lag", "unit": "s", "warning": "300"}.items() <= shown["metrics"][0].items()


async def test_two_that_take_writes_are_two_active_databases(databases):
    """The last one: what it does to the copy cannot be undone."""
    databases.copy("sql-3", of="sql")
    watch = Watch(databases, standby="sql-3")
    await watch.until(lambda one: one.severity is Severity.OK)
    assert databases.sql("sql-3", "SELECT pg_promote()") is True
    verdict = await watch.look()
    assert verdict.severity is Severity.CRITICAL
    assert said(verdict).startswith("two active databases: sql and sql-3 both take writes")
    assert (verdict.facts["role.sql"], verdict.facts["role.sql-3"]) == ("primary", "primary")
    assert (verdict.facts["timeline.sql"], verdict.facts["timeline.sql-3"]) == ("1", "2")
    assert figures(verdict) == {}
    databases.stop("sql-3")
