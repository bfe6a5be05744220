"""Step `pg-promote` on a real standby: promoted once, told with how far it had come, and never believed unproven."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH
from monitor.secret import Secret
from probes.access import SqlAccess
from probes.contract import Target
from runbooks.contract import Answer, CheckOf, Image, Io, Outcome, Promised, Site, StepFailed, StepUncertain, Subject
from runbooks.steps.pg_promote import PgPromote, PgPromoteParams
from tests.real.postgres import OWNER, Cluster
from tests.runbooks.conftest import hosts, make_io

__all__ = ["hosts", "make_io"]
STEP = PgPromote()
PARAMS = PgPromoteParams.model_validate({"within": "20s"})
ROLE = "promoter"
RELOAD = "SELECT pg_reload_conf()"
WAIT_FOR_NOBODY = ("ALTER SYSTEM SET synchronous_standby_names = 'of_a_person'", RELOAD)
PROMISED = Promised(NodeId("sql-2"), "7", 1, datetime(2026, 6, 1, tzinfo=UTC))
PATIENCE = 20.0


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[..., int]) -> Iterator[Cluster]:
    """`sql` and its standby `sql-2`; the role `promoter` may promote and is no superuser."""
    made = Cluster(tmp_path_factory.mktemp("promote"), free_port)
    try:
        made.new("sql")
        promote = "GRANT EXECUTE ON FUNCTION pg_promote TO promoter"
        made.sql("sql", "CREATE ROLE promoter LOGIN", promote, "CREATE TABLE seen (n int)")
        made.copy("sql-2", of="sql")
        yield made
    finally:
        made.close()


def target(cluster: Cluster, name: str = "sql-2", user: str = ROLE, engine: str = "postgresql") -> Target:
    own = {"engine": engine, "database": "postgres", "user": user, "password": Secret("x"), "port": cluster.ports[name]}
    return Target(NodeId(name), "127.0.0.1", {"sql": SqlAccess.model_validate(own)})


def subject_of(target: Target) -> Subject:
    check = CheckOf(CheckId("base"), "replication", target.name, target, None)
    return Subject(check.id, Site(checks={check.id: check}, devices={target.name: target}))


async def image(subject: Subject, io: Io) -> Image:
    """Return the before-image as it comes out of the journal."""
    found: Image = json.loads(json.dumps(dict(await STEP.before(PARAMS, subject, io))))
    return found


async def promoted(subject: Subject, io: Io) -> Outcome:
    return await STEP.apply(PARAMS, await image(subject, io), subject, io)


async def until(cluster: Cluster, name: str, query: str, value: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while await asyncio.to_thread(cluster.sql, name, query) != value:
            await asyncio.sleep(0.02)


async def test_a_standby_becomes_the_primary_once_and_a_crash_in_between_is_cleared_up(
    cluster: Cluster, make_io: Callable[..., Io]
):
    io, subject = make_io(token=3), subject_of(target(cluster))
    cluster.sql("sql", "INSERT INTO seen SELECT generate_series(1, 100)")
    await until(cluster, "sql-2", "SELECT count(*) FROM seen", 100)
    cluster.stop("sql")
    before = await image(subject, io)
    assert (before["standby"], before["timeline"]) == (True, 1)
    assert before["replayed"] == cluster.sql("sql-2", "SELECT pg_last_wal_replay_lsn()::text")
    assert before["last_transaction_at"].endswith("Z")
    assert await STEP.done(PARAMS, before, subject, io) is Answer.NO

    outcome = await promoted(subject, io)
    said = ENGLISH.render(outcome.text)
    assert said.startswith("sql-2 is the primary, on timeline 2. It had the log up to 0/")
    assert "what the old primary committed after that, if anything, is not here" in said
    assert outcome.evidence["after"]["system"] == before["system"]
    assert outcome.evidence["after"]["replayed"] >= before["replayed"]
    cluster.sql("sql-2", "INSERT INTO seen VALUES (101)")
    assert cluster.sql("sql-2", "SELECT count(*) FROM seen") == 101
    assert await STEP.done(PARAMS, before, subject, io) is Answer.YES

    # Told once more, for nobody heard that it was done: nothing is promoted twice, and no commit is left to hang.
    cluster.sql("sql-2", *WAIT_FOR_NOBODY)
    assert await STEP.done(PARAMS, before, subject, io) is Answer.YES
    owner = subject_of(target(cluster, user=OWNER))
    cluster.sql("sql-2", "ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (\"sql\")'", RELOAD)
    await until(cluster, "sql-2", "SHOW synchronous_standby_names", 'FIRST 1 ("sql")')
    assert await STEP.done(PARAMS, before, owner, io) is Answer.NO
    # Who begins anew finds a primary, which may have been made to wait since: what that means is told.
    told = ENGLISH.render((await promoted(subject, io)).text)
    assert told.startswith(
        'sql-2 is the primary already, on timeline 2. Its commits wait for FIRST 1 ("sql"), and hang'
    )
    mended = await STEP.apply(PARAMS, before, owner, replace(io, promised=(PROMISED,)))
    assert "Its commits wait for no copy any more" in ENGLISH.render(mended.text)
    assert "what the old primary committed after that, if anything, is not here" in ENGLISH.render(mended.text)
    assert mended.evidence["promised"] is False  # it is said of another database
    cluster.sql("sql-2", "INSERT INTO seen VALUES (102)", "DELETE FROM seen WHERE n = 102")

    again = await promoted(subject, io)
    assert again.changed is False
    assert ENGLISH.render(again.text) == "sql-2 is the primary already, on timeline 2"
    later = await image(subject, io)
    assert await STEP.done(PARAMS, later, subject, io) is Answer.CANNOT_TELL
    other = {**before, "system": "7"}
    assert await STEP.done(PARAMS, other, subject, io) is Answer.CANNOT_TELL


async def test_who_may_not_promote_is_told_so_and_the_standby_stays_one(cluster: Cluster, make_io: Callable[..., Io]):
    with pytest.raises(StepFailed) as caught:
        await promoted(subject_of(target(cluster, user="watcher")), make_io())
    assert "permission denied for function pg_promote" in ENGLISH.render(caught.value.text)
    assert cluster.sql("sql-2", "SELECT pg_is_in_recovery()") is True


async def test_a_primary_is_left_as_it_is(cluster: Cluster, make_io: Callable[..., Io]):
    outcome = await promoted(subject_of(target(cluster, "sql")), make_io())
    assert outcome.changed is False
    assert cluster.sql("sql", "SELECT timeline_id FROM pg_control_checkpoint()") == 1


async def test_a_standby_that_is_frozen_or_gone_leaves_doubt(cluster: Cluster, make_io: Callable[..., Io]):
    io, subject = make_io(), subject_of(target(cluster, user=OWNER))
    before = await image(subject, io)
    startup = cluster.sql("sql-2", "SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'")

    os.kill(startup, signal.SIGSTOP)  # it is who ends the recovery
    try:
        quick = PgPromoteParams.model_validate({"within": "1s"})
        with pytest.raises(StepUncertain, match="and is not after"):
            await STEP.apply(quick, before, subject, io)
    finally:
        os.kill(startup, signal.SIGCONT)
    await until(cluster, "sql-2", "SELECT pg_is_in_recovery()", value=False)
    assert await STEP.done(PARAMS, before, subject, io) is Answer.YES  # it was late, and it was done
    cluster.stop("sql-2")
    assert await STEP.done(PARAMS, before, subject, io) is Answer.CANNOT_TELL
    with pytest.raises(StepFailed, match="cannot log in"):
        await image(subject, io)


def test_what_is_no_postgresql_is_told_before_anything_is_done():
    access = SqlAccess.model_validate({"engine": "mssql", "database": "x", "user": "x", "password": Secret("x")})
    other = Target(NodeId("sql"), "127.0.0.1", {"sql": access})
    with pytest.raises(StepFailed, match="has no PostgreSQL"):
        STEP.actions(PARAMS, subject_of(other))
