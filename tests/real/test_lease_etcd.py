"""Leases among three real etcd voters: voters that are killed, stopped and lost, and a holder that is cut off."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TypeVar

import pytest
import trustme

from failover.etcd import Read, Unanswered, Voters, Written
from failover.lease import DRIFT, Belief, Held, May, Refused, Released, Seen, Standing, Why, may_act
from failover.lease_etcd import PREFIX, EtcdLease, Watching
from failover.model import Continuity, Etcd, Leases, PlanId, Site, SiteId
from failover.vantage import in_vain
from failover.voters import VoterState, look_at, margin
from monitor.clock import SystemClock
from monitor.core.text import ENGLISH, Text
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.tenure import Tenure, record_name, tenure_of
from monitor.daemon.voting import Voting
from monitor.secret import Secret
from tests.real.etcd_voters import COUNT, Cluster, Line, three_voters

TTL, RETRY = 2.0, 2.0
PATIENCE = 40.0
CLOCK = SystemClock()
NAMES = (f"group-{n}" for n in count())


@pytest.fixture(scope="module")
def running(require: Callable[[str, str], Path], free_port: Callable[[], int]) -> Iterator[Cluster]:
    with three_voters(require, free_port) as cluster:
        yield cluster


@pytest.fixture
def cluster(running: Cluster) -> Iterator[Cluster]:
    """The voters, all of them alive before and after."""
    yield running
    for n in range(COUNT):
        process = running.processes[n]
        if process is None or process.poll() is not None:
            running.start(n)
        else:
            process.send_signal(signal.SIGCONT)
    running.leader()


class Sites:
    """Makes leases of sites, each with connections of its own."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack, self._name = stack, next(NAMES)

    async def lease(self, etcd: Etcd, site: str, ttl: float = TTL) -> EtcdLease:
        return EtcdLease(await self.voters(etcd), self._name, site, f"life of {site}", ttl, CLOCK)

    async def voters(self, etcd: Etcd) -> Voters:
        voters = Voters(etcd, RETRY, CLOCK)
        self._stack.push_async_callback(voters.close)
        return voters

    @property
    def name(self) -> str:
        return self._name

    @property
    def key(self) -> bytes:
        return (PREFIX + self._name).encode()


@asynccontextmanager
async def sites() -> AsyncIterator[Sites]:
    async with AsyncExitStack() as stack:
        yield Sites(stack)


T = TypeVar("T")


async def until(ask: Callable[[], Awaitable[T]], wanted: Callable[[T], bool]) -> T:
    """Ask again and again until the answer is `wanted`, and return it."""
    end = time.monotonic() + PATIENCE
    while not wanted(answer := await ask()):
        assert time.monotonic() < end, answer
        await asyncio.sleep(0.02)
    return answer


def held(answer: Held | Refused) -> bool:
    return isinstance(answer, Held)


async def taken(lease: EtcdLease, above: int = 0) -> Belief:
    return (await until(lambda: lease.acquire(above), held)).belief


async def renewed(lease: EtcdLease, belief: Belief) -> Belief:
    return (await until(lambda: lease.renew(belief), held)).belief


def may(belief: Belief) -> May:
    return may_act(belief, CLOCK.boot())


async def test_a_lease_goes_from_hand_to_hand_and_its_token_rises(cluster):
    async with sites() as made:
        centre, secours = await made.lease(cluster.at(), "centre"), await made.lease(cluster.at(), "secours")
        absent = await until(centre.look, lambda seen: isinstance(seen, Seen))
        assert (absent.standing, absent.record) == (Standing.ABSENT, None)
        first = await taken(centre)
        assert first.token == 1
        assert (await until(centre.look, lambda seen: isinstance(seen, Seen))).standing is Standing.OURS
        seen = await until(secours.look, lambda seen: isinstance(seen, Seen))
        assert (seen.standing, seen.record.holder, seen.record.token) == (Standing.HELD, "centre", 1)
        assert 0 < seen.free_in <= TTL
        await until(lambda: centre.release(first), lambda done: done == Released())
        assert (await taken(secours, above=5)).token == 6
        assert (await until(lambda: centre.renew(first), lambda done: done.why is not Why.UNANSWERED)).why is Why.LOST
        assert (await until(lambda: centre.release(first), lambda done: done.why is not Why.UNANSWERED)).why is Why.LOST


async def test_a_token_is_raised_by_one_where_it_stands(cluster):
    async with sites() as made:
        centre, secours = await made.lease(cluster.at(), "centre"), await made.lease(cluster.at(), "secours")
        first = await taken(centre)
        for _ in range(2):  # the second time as if the answer to the first had been lost
            raised = (await until(lambda: centre.raise_token(first, 0), held)).belief
            assert raised.token == first.token + 1
        assert isinstance(await secours.acquire(), Refused), "it was free for nobody"
        higher = (await until(lambda: centre.raise_token(raised, first.token + 5), held)).belief
        assert higher.token == first.token + 6
        denied = await until(lambda: secours.raise_token(higher, 0), lambda done: done.why is not Why.UNANSWERED)
        assert denied.why is Why.LOST


async def test_a_holder_that_is_cut_off_lapses_before_another_site_takes_over(cluster):
    """The leader of the voters goes with it, as when a whole site is lost."""
    async with sites() as made, Line(cluster.ports) as line:
        centre = await made.lease(cluster.at(*line.ports), "centre")
        secours = await made.lease(cluster.at(), "secours")
        belief = await renewed(centre, await taken(centre))
        line.cut()
        cluster.send(signal.SIGKILL, cluster.leader())
        waiting = asyncio.create_task(taken(secours))
        assert (await centre.renew(belief)).why is Why.UNANSWERED
        after = await waiting
        taken_at = after.valid_until - TTL * (1 - DRIFT)
        assert (taken_at > belief.valid_until, after.token) == (True, belief.token + 1)
        line.mend()
        refused = await until(lambda: centre.renew(belief), lambda done: held(done) or done.why is not Why.UNANSWERED)
        assert refused.why is Why.LOST


async def test_a_holder_keeps_its_lease_when_a_voter_dies_and_one_is_no_margin(cluster):
    async with sites() as made:
        centre, voters = await made.lease(cluster.at(), "centre"), await made.voters(cluster.at())
        belief = await taken(centre)
        assert (await until(lambda: look(voters), lambda said: said.severity is Severity.OK)).metrics[1].value == 1
        leader = cluster.leader()
        cluster.send(signal.SIGKILL, leader)
        assert (await renewed(centre, belief)).token == belief.token
        said = await until(lambda: look(voters), lambda said: said.severity is Severity.WARNING)
        assert "no margin left: 2 of 3" in ENGLISH.render(said.summary)
        assert said.facts[voters.endpoints[leader]] == VoterState.UNREACHABLE.value
        cluster.start(leader)
        await until(lambda: look(voters), lambda said: said.severity is Severity.OK)


async def look(voters: Voters):
    return margin(await look_at(voters))


async def test_a_leader_that_was_stopped_for_longer_than_the_lease_takes_nothing_away(cluster):
    """It comes back and believes that everything has run out; leases of etcd's own would be gone (its issue 15247)."""
    async with sites() as made:
        centre = await made.lease(cluster.at(), "centre")
        belief = await taken(centre)
        leader = cluster.leader()
        cluster.send(signal.SIGSTOP, leader)
        end = belief.valid_until + TTL / 2
        while CLOCK.boot() < end:
            belief = await renewed(centre, belief)
        cluster.send(signal.SIGCONT, leader)
        voters = await made.voters(cluster.at())
        await until(lambda: look(voters), lambda said: said.severity is Severity.OK)
        seen = await until(centre.look, lambda seen: isinstance(seen, Seen))
        assert (seen.standing, seen.record.token) == (Standing.OURS, belief.token)


async def test_without_a_majority_nobody_may_act_once_the_lease_has_run_out(cluster):
    async with sites() as made:
        centre, secours = await made.lease(cluster.at(), "centre"), await made.lease(cluster.at(), "secours")
        voters = await made.voters(cluster.at())
        belief = await taken(centre)
        cluster.send(signal.SIGSTOP, 0, 1)
        said = await until(lambda: look(voters), lambda said: said.severity is Severity.CRITICAL)
        assert "no majority" in ENGLISH.render(said.summary)
        while may(belief) is May.ACT:
            answers = await asyncio.gather(centre.renew(belief), secours.acquire())
            # What was on its way before the voters stopped may still have been answered.
            belief = next((answer.belief for answer in answers[:1] if isinstance(answer, Held)), belief)
            assert not isinstance(answers[1], Held)
        assert may(belief) is May.LAPSED
        assert answers[1].why is Why.UNANSWERED
        assert "no answer within" in ENGLISH.render(answers[1].text)
        cluster.send(signal.SIGCONT, 0, 1)
        assert (await taken(secours)).token == belief.token + 1
        refused = await until(lambda: centre.renew(belief), lambda done: held(done) or done.why is not Why.UNANSWERED)
        assert refused.why is Why.LOST


async def test_the_next_life_of_a_site_goes_on_with_its_token_and_a_longer_time(cluster):
    async with sites() as made:
        belief = await taken(await made.lease(cluster.at(), "centre"))
        again = await made.lease(cluster.at(), "centre", ttl=2 * TTL)
        assert (await renewed(again, belief)).token == belief.token
        longer = (await until(again.acquire, held)).belief
        assert (longer.token, longer.valid_until > belief.valid_until) == (belief.token, True)
        shorter = await made.lease(cluster.at(), "centre", ttl=TTL)
        assert (await until(shorter.acquire, held)).belief.token == belief.token
        secours = await made.lease(cluster.at(), "secours")
        seen = await until(secours.look, lambda seen: isinstance(seen, Seen))
        assert seen.record.ttl == 2 * TTL


async def test_what_is_no_record_of_ours_is_left_to_a_person(cluster):
    async with sites() as made:
        centre, voters = await made.lease(cluster.at(), "centre"), await made.voters(cluster.at())
        done = await until(lambda: answer(voters.swap(made.key, 0, b"{}")), lambda done: done is not None)
        assert isinstance(done, Written)
        refused = await until(centre.acquire, lambda answer: answer.why is not Why.UNANSWERED)
        assert refused.why is Why.ILLEGIBLE
        assert made.key.decode() in ENGLISH.render(refused.text)


async def answer(asked: Awaitable[Written | Read]) -> Written | Read | None:
    try:
        return await asked
    except Unanswered:
        return None


async def test_a_write_that_expects_something_else_changes_nothing_and_says_what_stands(cluster):
    async with sites() as made:
        voters = await made.voters(cluster.at())
        await until(lambda: answer(voters.swap(made.key, 0, b"one")), lambda done: done is not None)
        for expected in (0, 10**6, b"two"):
            found = await until(lambda e=expected: answer(voters.swap(made.key, e, b"three")), lambda d: d is not None)
            assert found.kept.value == b"one"
        revision = found.kept.revision
        await until(lambda: answer(voters.swap(made.key, revision, b"two")), lambda done: done is not None)
        read = await until(lambda: answer(voters.read(made.key)), lambda done: done is not None)
        assert (read.kept.value, read.kept.revision > revision) == (b"two", True)


async def test_voters_and_we_ask_each_other_for_certificates(cluster, tmp_path):
    other = trustme.CA()
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    nobody = replace(cluster.at(), cert=None, key=None)
    stranger = replace(cluster.at(), ca=Secret(f"file:{tmp_path / 'other.pem'}"))
    unnamed = replace(cluster.at(), key=Secret("env:RELEVE_NO_SUCH_KEY"))
    cases = (
        (nobody, "may not accept our certificate"),
        (stranger, "not trusted"),
        (unnamed, "RELEVE_NO_SUCH_KEY is not set"),
    )
    async with sites() as made:
        for etcd, words in cases:
            refused = await (await made.lease(etcd, "centre")).acquire()
            assert refused.why is Why.UNANSWERED
            assert words in ENGLISH.render(refused.text)


class Place:
    """A Relève at one of two sites, as far as the lease of the group `crm` goes."""

    def __init__(self, here: str, folder: Path, etcd: Etcd, plan: str) -> None:
        sites = {SiteId(name): Site(SiteId(name), name, here=name == here) for name in ("centre", "secours")}
        leases = Leases(etcd, timedelta(seconds=TTL), timedelta(seconds=TTL / 4), timedelta(seconds=RETRY))
        self._continuity, self._folder, self._plan = Continuity(sites=sites, leases=leases), folder / here, PlanId(plan)
        self._folder.mkdir()
        self.watching = Watching()

    def tenure(self) -> Tenure:
        return tenure_of(self._continuity, self._plan, self._folder, CLOCK, self.watching)

    async def taken(self) -> Tenure:
        """Take it as a move would, again while voters are busy or it is another's."""
        tenure = self.tenure()
        await until(lambda: tenure.take(0, knows_the_other=True), lambda why: why is None)
        return tenure


@asynccontextmanager
async def left(tenure: Tenure) -> AsyncIterator[Tenure]:
    try:
        yield tenure
    finally:
        await tenure.leave()


async def test_a_releve_keeps_its_lease_and_another_has_it_once_the_first_has_gone_silent(cluster, tmp_path):
    plan = next(NAMES)
    centre, secours = (Place(here, tmp_path, cluster.at(), plan) for here in ("centre", "secours"))
    async with left(await centre.taken()) as first:
        token, end = first.belief.token, first.belief.valid_until
        await until(lambda: asyncio.sleep(0, first.belief.valid_until), lambda valid: valid > end)  # it is renewed
        async with left(secours.tenure()) as second:
            why = await until(lambda: second.take(0, knows_the_other=True), lambda why: why and "centre" in said(why))
            assert "centre holds the lease; free in" in said(why)
            assert second.belief is None
        # What was seen before is not forgotten with the lease that saw it.
        assert secours.watching.seen is not None
    async with left(await secours.taken()) as second:
        assert (second.belief.token > token, second.before >= token, first.belief) == (True, True, None)
        assert second.lapsed_at <= CLOCK.boot()
        await second.give_back()
    async with left(centre.tenure()) as again:
        assert await until(again.look, lambda why: why is None) is None


async def test_that_a_lease_was_taken_in_vain_is_known_until_it_is_held_for_a_group_or_theirs_again(cluster, tmp_path):
    plan = next(NAMES)
    centre, secours = (Place(here, tmp_path, cluster.at(), plan) for here in ("centre", "secours"))
    async with left(await centre.taken()) as first:
        token = first.belief.token
    async with left(await secours.taken()) as second:
        assert secours.watching.kept.lapsed.holder == "centre"
        assert secours.watching.kept.lapsed.left == second.belief.token > token
        await until(second.look, lambda why: why is None)
        assert in_vain(secours.watching.kept)
        await until(second.settle, lambda _: second.trouble is None)
        assert await until(second.look, lambda why: why is None) is None
        assert not in_vain(secours.watching.kept), "it is held for a group that runs, under another token"
        await second.give_back()
    async with left(await centre.taken()):
        seen = secours.tenure()
        async with left(seen):
            await until(seen.look, lambda why: why and "centre" in said(why))
        assert secours.watching.kept.lapsed is None, "theirs again"


class Late:
    """Voters whose answer to a read is on its way until `arrives`; it says how all was when it was asked."""

    def __init__(self, voters: Voters) -> None:
        self._voters, self.read_there, self.arrives = voters, asyncio.Event(), asyncio.Event()

    async def read(self, key: bytes) -> Read:
        answer = await self._voters.read(key)
        self.read_there.set()
        await self.arrives.wait()
        return replace(answer, arrived=CLOCK.boot())


async def test_how_a_lease_lapsed_is_known_also_where_somebody_else_read_it_just_before_it_was_taken(cluster):
    async with sites() as made:
        await taken(await made.lease(cluster.at(), "centre"))
        watching, voters = Watching(), await made.voters(cluster.at())
        secours = EtcdLease(voters, made.name, "secours", "life of secours", TTL, CLOCK, watching)
        await until(secours.look, lambda seen: isinstance(seen, Seen) and seen.standing is Standing.FREE)
        late = Late(await made.voters(cluster.at()))
        look = asyncio.create_task(EtcdLease(late, made.name, "-", "-", TTL, CLOCK, watching).look())
        await asyncio.wait_for(late.read_there.wait(), PATIENCE)
        belief = await taken(secours)
        late.arrives.set()
        assert (await look).record.holder == "centre"
        await until(secours.look, lambda seen: isinstance(seen, Seen) and seen.standing is Standing.OURS)
        assert (watching.kept.lapsed.holder, watching.kept.lapsed.left) == ("centre", belief.token)
        assert in_vain(watching.kept)


async def test_a_site_that_stands_by_knows_beforehand_since_when_a_lease_is_as_it_is(cluster):
    plan = PlanId("a group/of ours")
    continuity = Continuity(
        leases=Leases(cluster.at(), timedelta(seconds=TTL), retry=timedelta(seconds=RETRY)), plans={plan: None}
    )
    told: list[Verdict] = []
    watching = Watching()

    async def report(verdict: Verdict, elapsed: float) -> None:
        told.append(verdict)

    voting = Voting(lambda: continuity, {plan: watching}.__getitem__, report, CLOCK)
    looks = asyncio.create_task(voting.run())
    await until(lambda: asyncio.sleep(0, watching.seen), lambda seen: seen is not None)
    looks.cancel()
    with suppress(asyncio.CancelledError):
        await looks
    assert told
    before = watching.seen
    await asyncio.sleep(max(0.0, before.since + TTL - CLOCK.boot()))
    async with sites() as made:
        name = record_name(plan)
        lease = EtcdLease(await made.voters(cluster.at()), name, "secours", "b", TTL, CLOCK, watching)
        seen = await until(lease.look, lambda seen: isinstance(seen, Seen))
        assert (seen.standing, watching.seen) == (Standing.FREE, before)


def said(text: Text) -> str:
    return ENGLISH.render(text)
