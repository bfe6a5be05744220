"""Commits that wait for a copy, promised among real voters: kept, taken back in order, true when a site is lost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import psycopg
import pytest

from failover.etcd import Voters
from failover.lease import Held
from failover.lease_etcd import EtcdLease
from failover.model import Continuity, DataSet, DataSetId, Etcd, How, Leases, Plan, PlanId, Site, SiteId, Waits
from failover.promise_etcd import EtcdPromise
from failover.promise_record import Record, TakenBack
from failover.promise_seen import Primary
from failover.promise_sql import look_at_primary
from monitor.clock import SystemClock
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.promised import Promises
from monitor.daemon.promising import Grip, Promising
from monitor.secret import Secret
from probes.access import SqlAccess
from probes.contract import Target
from runbooks.commits_wait import LOCK, alone, told
from runbooks.contract import Answer, CheckOf, Io, StepUncertain, Subject
from runbooks.contract import Site as Acting
from runbooks.steps.pg_promote import PgPromote, PgPromoteParams
from tests.real.etcd_voters import Cluster as VoterCluster
from tests.real.etcd_voters import Line, three_voters
from tests.real.postgres import OWNER, Cluster
from tests.runbooks.conftest import hosts, make_io

__all__ = ["hosts", "make_io"]

CENTRE, SECOURS = SiteId("centre"), SiteId("secours")
SQL, COPY = NodeId("sql"), NodeId("sql-2")
CLOCK = SystemClock()
PATIENCE = 40.0
DEGRADE = 0.3
SETTING = "ON PARAMETER synchronous_standby_names"
TTL, RETRY = 1.5, 1.0
NAMES = (f"promise-{n}" for n in count())


@pytest.fixture(scope="module")
def voters(require: Callable[[str, str], Path], free_port: Callable[[], int]) -> Iterator[VoterCluster]:
    with three_voters(require, free_port) as made:
        yield made


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[..., int]) -> Iterator[Cluster]:
    """As `databases`, for a test that ruins them."""
    with paired(Cluster(tmp_path_factory.mktemp("promise"), free_port)) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[..., int]) -> Iterator[Cluster]:
    with paired(Cluster(tmp_path_factory.mktemp("promise"), free_port)) as cluster:
        yield cluster


@pytest.fixture
def databases(shared: Cluster) -> Iterator[Cluster]:
    """`sql` and its copy, as at first before and after."""
    yield shared
    shared.restore("sql")
    shared.sql("sql", "ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")
    shared.restore("sql-2")
    shared.sql("sql", "TRUNCATE written")


@contextmanager
def paired(cluster: Cluster) -> Iterator[Cluster]:
    """Yield the running `sql` and its copy; the role `keeper` may do just what is documented."""
    try:
        cluster.new("sql")
        cluster.sql(
            "sql",
            "CREATE ROLE keeper LOGIN",
            "GRANT pg_monitor TO keeper",
            "GRANT EXECUTE ON FUNCTION pg_reload_conf TO keeper",
            f"GRANT ALTER SYSTEM {SETTING} TO keeper",
            "GRANT EXECUTE ON FUNCTION pg_promote TO keeper",
            "CREATE TABLE written (n int)",
        )
        cluster.copy("sql-2", of="sql")
        yield cluster
    finally:
        cluster.close()


def target(cluster: Cluster, name: NodeId) -> Target:
    access = SqlAccess(
        engine="postgresql", database="postgres", user="keeper", password=Secret("unused"), port=cluster.ports[name]
    )
    return Target(name, "127.0.0.1", {"sql": access})


class Centre:
    """The Relève of the centre as far as it keeps the promise, under a lease that it holds."""

    def __init__(self, cluster: Cluster, etcd: Etcd, lease: EtcdLease, name: str) -> None:
        self.cluster, self.etcd, self.lease, self.name = cluster, etcd, lease, name
        self.said: list[Verdict] = []
        self.wanted, self.belief = True, None
        self.voters = Voters(etcd, RETRY, CLOCK)
        self.data = DataSetId(name)
        self.promise = EtcdPromise(self.voters, self.data, name, CENTRE)
        self.releve = self.made()

    def continuity(self) -> Continuity:
        sites = {one: Site(one, one, here=one == CENTRE) for one in (CENTRE, SECOURS)}
        waits = Waits({CENTRE: SQL, SECOURS: COPY}, self.wanted, timedelta(seconds=DEGRADE))
        data = DataSet(self.data, How.POSTGRESQL, timedelta(0), (), waits=waits)
        leases = Leases(self.etcd, retry=timedelta(seconds=RETRY))
        plan = Plan(PlanId(self.name), "", CENTRE, SECOURS, {}, (), timedelta(minutes=30), data=(self.data,))
        return Continuity(sites, leases, {self.data: data}, {plan.id: plan})

    def made(self, within: float = 2.0) -> Promising:
        targets = {name: target(self.cluster, name) for name in (SQL, COPY)}
        return Promising(
            self.continuity, lambda: targets, lambda plan: Grip(plan, CENTRE, self.belief), self._report, CLOCK, within
        )

    async def _report(self, data: DataSetId, verdict: Verdict, elapsed: float) -> None:
        self.said.append(verdict)

    async def again(self, within: float = 2.0) -> None:
        """Have the Relève killed and started: what it knew is gone. `within`: how patient it is from now on."""
        await self.releve.close()
        self.releve = self.made(within)

    async def hold(self) -> None:
        while not isinstance(answer := await self.lease.acquire(), Held):
            await asyncio.sleep(0.05)
        self.belief = answer.belief

    async def turn(self) -> Record | None:
        """Take one turn, under a lease that lasts; return what the voters hold then."""
        while not isinstance(renewed := await self.lease.renew(self.belief), Held):
            await asyncio.sleep(0.05)
        self.belief = renewed.belief
        await self.releve.turn()
        return (await self.promise.read())[0]

    async def until(self, wanted: Callable[[Record | None], bool]) -> Record | None:
        end = time.monotonic() + PATIENCE
        while not wanted(record := await self.turn()):
            assert time.monotonic() < end, (record, self.text, self.cluster.log())
            await asyncio.sleep(0.02)
        return record

    async def says(self, words: str) -> None:
        """Take turns until what is told has `words`."""
        await self.until(lambda _record: words in self.text)

    async def promised(self) -> Record:
        record = await self.until(stands)
        assert record is not None
        return record

    async def let_go(self) -> None:
        await self.until(lambda record: not stands(record) and self.names() == "")

    async def lost(self) -> str:
        """Return why an inventory without the data set is not taken; empty where it is."""
        found = await self.releve.lost_by(Continuity())
        return " ".join(ENGLISH.render(one.why) for one in found)

    def names(self) -> str:
        return self.cluster.sql("sql", "SHOW synchronous_standby_names")

    @property
    def text(self) -> str:
        return ENGLISH.render(self.said[-1].summary) if self.said else ""


def stands(record: Record | None) -> bool:
    return record is not None and record.stands


@pytest.fixture
async def site(databases: Cluster, voters: VoterCluster) -> AsyncIterator[Centre]:
    async with kept(databases, voters.at()) as made:
        yield made


@asynccontextmanager
async def kept(databases: Cluster, etcd: Etcd) -> AsyncIterator[Centre]:
    name, own = next(NAMES), Voters(etcd, RETRY, CLOCK)
    made = Centre(databases, etcd, EtcdLease(own, name, CENTRE, "life", TTL, CLOCK), name)
    try:
        await made.hold()
        yield made
    finally:
        await made.releve.close()
        await made.voters.close()
        await own.close()


class Writer:
    """Commits one row after the other, and counts those that were acknowledged."""

    def __init__(self, cluster: Cluster) -> None:
        self._where = f"host=127.0.0.1 port={cluster.ports['sql']} user={OWNER} dbname=postgres"
        self.acknowledged: list[int] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def _write(self) -> None:
        try:
            with psycopg.connect(self._where, autocommit=True) as connection:
                for n in count():
                    if self._stopping.is_set():
                        return
                    connection.execute("INSERT INTO written VALUES (%s)", [n])
                    self.acknowledged.append(n)
        except psycopg.Error:
            return

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stopping.set()
            self._thread.join(PATIENCE)

    async def goes_on(self) -> None:
        before, end = len(self.acknowledged), time.monotonic() + PATIENCE
        while len(self.acknowledged) < before + 20:
            assert time.monotonic() < end
            await asyncio.sleep(0.01)


async def hanging(cluster: Cluster, writer: Writer) -> int:
    """Return how many commits were acknowledged, once the next waits for the copy: the same one, look after look."""
    query = "SELECT max(pid::text || xact_start) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    looks: list[tuple[str | None, int]] = []
    end = time.monotonic() + PATIENCE
    while len(looks) < 5 or looks[-1][0] is None or len(set(looks[-5:])) > 1:
        assert time.monotonic() < end, looks[-5:]
        await asyncio.sleep(0.05)
        looks.append((cluster.sql("sql", query), len(writer.acknowledged)))
    return looks[-1][1]


async def test_nothing_acknowledged_under_a_promise_is_lost_with_the_primary(own, voters, make_io):
    async with kept(own, voters.at()) as site:
        await _lost_with_its_primary(site, own, make_io)


async def _lost_with_its_primary(site: Centre, databases: Cluster, make_io: Callable[..., Io]) -> None:
    with Writer(databases).writing() as writer:
        await writer.goes_on()
        record = await site.promised()
        assert (record.primary, record.standby, record.name) == ("sql", "sql-2", "sql-2")
        assert "the loss of centre loses no data" in await kept_text(site)
        await writer.goes_on()
        databases.kill("sql")
    assert stands((await site.promise.read())[0])
    await site.says("sql does not say how it stands")
    taker = Promises(site.continuity, CLOCK)
    try:
        (plan,) = site.continuity().plans.values()
        promised = await taker.of(plan, CENTRE, ())
        assert await taker.of(plan, SECOURS, ()) == {}
    finally:
        await taker.close()
    assert promised[site.data].at == record.at
    # It comes with the files of a copy that were taken while the original waited: here every commit would hang.
    names = "ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (\"sql\")'"
    databases.sql("sql-2", names, "SELECT pg_reload_conf()")
    await _promoted(databases, replace(make_io(token=2), promised=tuple(promised.values())))
    databases.sql("sql-2", "INSERT INTO written VALUES (-1)")
    found = set(databases.rows("sql-2", "SELECT n FROM written"))
    assert len(writer.acknowledged) >= 40
    assert set(writer.acknowledged) - found == set()
    # A copy that was promoted ends it: the old primary may come back and wait for it in vain.
    assert (await site.until(lambda record: not stands(record))).why is TakenBack.PROMOTED


async def _promoted(databases: Cluster, io: Io) -> None:
    step, params, copy = PgPromote(), PgPromoteParams(), target(databases, COPY)
    check = CheckOf(CheckId("base"), "replication", COPY, copy, None)
    subject = Subject(check.id, Acting(checks={check.id: check}, devices={COPY: copy}))
    before = dict(await step.before(params, subject, io))
    outcome = await step.apply(params, before, subject, io)
    said = ENGLISH.render(outcome.text)
    assert "every commit that the old primary acknowledged had waited for it, so that nothing is lost" in said
    assert 'Its commits wait for no copy any more (they did for FIRST 1 ("sql"))' in said
    assert outcome.evidence["promised"] is True
    assert await step.done(params, before, subject, io) is Answer.YES


async def kept_text(site: Centre) -> str:
    end = time.monotonic() + PATIENCE
    while site.said[-1].severity is not Severity.OK or "promised now" in site.text:
        assert time.monotonic() < end, site.text
        await site.turn()
    return site.text


async def test_a_promise_is_taken_back_before_commits_go_on_and_given_anew_when_the_copy_is_back(site, databases):
    with Writer(databases).writing() as writer:
        for turns in (1, 2):  # killed after each step on the way
            for _ in range(turns):
                assert not stands(await site.turn())
            await site.again()
        await site.promised()
        databases.stop("sql-2")
        before = await hanging(databases, writer)
        await site.again()
        record = await site.until(lambda record: not stands(record))
        assert record.why is TakenBack.LOST
        # Taken back, and commits still wait: the voters know before anybody is acknowledged what the copy lacks.
        assert (len(writer.acknowledged), site.names()) == (before, 'FIRST 1 ("sql-2")')
        await site.again()
        await site.let_go()
        await writer.goes_on()
        databases.start("sql-2")
        again = await site.promised()
        assert again.at > record.at
        await writer.goes_on()
    databases.stop("sql-2")
    await site.until(lambda record: not stands(record))
    await site.let_go()


async def test_what_somebody_else_does_to_the_database_ends_the_promise_and_is_told(site, databases):
    await site.promised()
    databases.sql("sql", "ALTER ROLE watcher SET synchronous_commit = off")
    assert (await site.until(lambda record: not stands(record))).why is TakenBack.WEAK
    await site.says("watcher@*: synchronous_commit=off")
    databases.sql("sql", "ALTER ROLE watcher RESET synchronous_commit")
    await site.promised()

    databases.sql("sql", "ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()")
    assert (await site.until(lambda record: not stands(record))).why is TakenBack.BY_HAND
    await site.says("somebody else cleared synchronous_standby_names")
    assert not stands(await site.turn())
    assert (site.said[-1].severity, site.names()) == (Severity.WARNING, "")
    again = "ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (\"sql-2\")'"
    databases.sql("sql", again, "SELECT pg_reload_conf()")
    before = await site.promised()

    databases.stop("sql")
    databases.start("sql")
    assert (await site.until(lambda record: not stands(record))).why is TakenBack.RESTARTED
    after = await site.promised()
    assert after.started > before.started

    assert "made to wait" in await site.lost()
    site.wanted = False
    assert (await site.until(lambda record: not stands(record))).why is TakenBack.DROPPED
    assert "commits on sql still wait for sql-2" in await site.lost()
    databases.sql("sql", f"REVOKE ALTER SYSTEM {SETTING} FROM keeper")
    try:
        await site.says("permission denied")  # the voters were told that it is let go, and it was not
        await site.again()
    finally:
        databases.sql("sql", f"GRANT ALTER SYSTEM {SETTING} TO keeper")
    await site.let_go()
    await site.until(lambda record: record.why is TakenBack.RELAXED)
    assert await site.lost() == ""
    # Whoever has them wait by hand from now on, spelled as we do, is not held up.
    databases.sql("sql", again, "SELECT pg_reload_conf()")
    await site.turn()
    assert await site.lost() == ""
    databases.sql("sql", "ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()")


async def test_without_the_lease_or_the_voters_nothing_is_let_go(databases, voters):
    async with Line(voters.ports) as line, kept(databases, voters.at(*line.ports)) as site:
        await site.promised()
        databases.stop("sql-2")
        line.cut()
        for _ in range(2):
            await site.releve.turn()
            await asyncio.sleep(DEGRADE)
        assert site.said[-1].severity is Severity.CRITICAL
        assert "nothing is let go without the voters" in site.text
        line.mend()
        belief, site.belief = site.belief, None
        await site.releve.turn()
        assert site.said[-1].severity is Severity.CRITICAL
        assert "nothing is let go without the lease of the group" in site.text
        site.belief = belief
        record, revision = await site.promise.read()
        assert stands(record)
        assert await site.promise.write(record, revision) is True
        # Somebody else has the lease by now: whatever we believe, nothing of ours is written.
        other = EtcdLease(site.voters, site.name, SECOURS, "other", 0.2, CLOCK)
        end = time.monotonic() + PATIENCE
        while not isinstance(await other.acquire(), Held):
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
        assert await site.promise.write(record, (await site.promise.read())[1]) is False
        await site.releve.turn()
        assert stands((await site.promise.read())[0])
        assert site.names() == 'FIRST 1 ("sql-2")'


async def test_a_server_that_is_frozen_holds_up_nobody(site, databases):
    await site.promised()
    await site.again(within=0.4)
    with databases.frozen("sql-2"):  # it takes no connection, and copies all the same
        await kept_text(site)
    with databases.frozen("sql"):
        await site.says("sql does not say how it stands: no answer in time")
    assert stands(await site.turn())
    await kept_text(site)


async def test_a_server_that_answers_nonsense_is_told_as_one_that_does_not_answer(databases):
    databases.sql(
        "sql",
        "CREATE SCHEMA odd",
        "CREATE FUNCTION odd.pg_postmaster_start_time() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz'",
        "GRANT USAGE ON SCHEMA odd TO keeper",
        "ALTER ROLE keeper SET search_path = odd, pg_catalog",
    )
    try:
        found = await look_at_primary(target(databases, SQL), 5.0)
    finally:
        databases.sql("sql", "ALTER ROLE keeper RESET search_path", "DROP SCHEMA odd CASCADE")
    assert not isinstance(found, Primary)
    assert ENGLISH.render(found) == "what the database answers makes no sense"


async def test_one_that_stands_still_alone_with_the_primary_keeps_nobody_else_from_it_for_long(databases):
    where = f"host=127.0.0.1 port={databases.ports['sql']} user=keeper dbname=postgres"
    with pytest.raises(StepUncertain):
        async with alone(target(databases, SQL), 0.5) as connection:
            end = time.monotonic() + PATIENCE
            with psycopg.connect(where, autocommit=True) as other:  # nothing of ours goes on in the meantime
                while other.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone() != (True,):
                    assert time.monotonic() < end
                    time.sleep(0.05)
            await told(connection, "", 0.5)  # what it goes on with when it wakes up comes to nothing


async def test_whoever_is_about_to_change_the_primary_is_alone_with_it(site, databases):
    where = f"host=127.0.0.1 port={databases.ports['sql']} user=keeper dbname=postgres"
    with psycopg.connect(where, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        await site.says("somebody else is about to change")
        assert await site.turn() is None
        assert site.names() == ""
    await site.promised()
    seen = await look_at_primary(target(databases, SQL), 5.0)
    assert isinstance(seen, Primary)
    (stream,) = seen.streams
    assert (stream.name, stream.sync, seen.weak, seen.timeline) == ("sql-2", True, "", 1)
