"""A site that keeps its group's lease among real voters: killed, frozen, and back after another site took over."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from failover.etcd import Voters
from failover.guard import Validity
from failover.guard_files import handed_over
from failover.lease import Held, Seen, Standing, Why
from failover.lease_etcd import EtcdLease, Watching
from failover.model import Continuity, Etcd, SiteId
from monitor.clock import SystemClock, boot_id
from monitor.core.verdict import Severity
from monitor.daemon.tenure import session_in, taken_anew, tenure_of
from tests.real.etcd_voters import Cluster, three_voters
from tests.real.keeping_site import CENTRE, SECOURS, TTL, site

PATIENCE = 40.0
CLOCK = SystemClock()
NAMES = (f"kept-{n}" for n in count())


@pytest.fixture(scope="module")
def cluster(require: Callable[[str, str], Path], free_port: Callable[[], int]) -> Iterator[Cluster]:
    with three_voters(require, free_port) as made:
        yield made


class Group:
    """One group, its two sites, and the Relève of the centre as a process."""

    def __init__(self, etcd: Etcd, folder: Path) -> None:
        self.etcd, self.name = etcd, next(NAMES)
        self.centre, self.secours = folder / "centre", folder / "secours"
        self.centre.mkdir()
        self.secours.mkdir()
        self.processes: list[subprocess.Popen[str]] = []

    def start(self) -> subprocess.Popen[str]:
        etcd = self.etcd
        secrets = [str(one.reference) for one in (etcd.ca, etcd.cert, etcd.key)]
        command = [sys.executable, "-m", "tests.real.keeping_site", ",".join(etcd.endpoints), str(self.centre)]
        process = subprocess.Popen([*command, *secrets, self.name], stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def handed(self) -> Validity | None:
        return handed_over(self.centre / f"{self.name}.lease", boot_id())

    async def holds(self, above: int = 0) -> Validity:
        """Return what the guard of the centre was handed, once it holds under a token above `above`."""
        end = time.monotonic() + PATIENCE
        while not ((found := self.handed()) and found.token > above and found.until > CLOCK.boot()):
            assert time.monotonic() < end, found
            await asyncio.sleep(0.02)
        return found

    @asynccontextmanager
    async def lease(self, here: SiteId, retry: float | None = None) -> AsyncIterator[EtcdLease]:
        folder = self.centre if here == CENTRE else self.secours
        made = lease_of(site(self.etcd, here, self.name), self.name, folder, retry)
        try:
            yield made
        finally:
            await made.close()


def lease_of(continuity: Continuity, name: str, folder: Path, retry: float | None) -> EtcdLease:
    leases = continuity.leases
    voters = Voters(leases.etcd, retry or leases.retry.total_seconds(), CLOCK)
    return EtcdLease(voters, name, str(continuity.here.id), session_in(folder), TTL, CLOCK)


@pytest.fixture
def group(cluster: Cluster, tmp_path: Path) -> Iterator[Group]:
    made = Group(cluster.at(), tmp_path)
    try:
        yield made
    finally:
        for process in made.processes:
            process.kill()
            process.wait(10)
            process.stdout.close()


async def taken_over(group: Group):
    """Take the lease for the other site as a move does, once it can be had."""
    continuity, watching = site(group.etcd, SECOURS, group.name), Watching()
    end = time.monotonic() + PATIENCE
    while True:
        tenure = tenure_of(continuity, group.name, group.secours, CLOCK, watching)
        if await tenure.take(0, knows_the_other=True) is None:
            return tenure
        await tenure.leave()
        assert time.monotonic() < end


async def said(process: subprocess.Popen[str], word: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await asyncio.to_thread(process.stdout.readline)).strip() != word:
            assert process.poll() is None


async def test_a_site_that_is_killed_takes_its_lease_again_under_a_new_token(group):
    process = group.start()
    first = await group.holds()
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    group.start()
    again = await group.holds(first.token)
    async with group.lease(SECOURS) as lease:
        seen = await lease.look()
        assert isinstance(seen, Seen)
        assert (seen.standing, seen.record.holder) == (Standing.HELD, "centre")
        assert seen.record.token >= again.token


async def test_a_frozen_site_lapses_for_its_guard_before_another_has_the_lease_and_wakes_up_passive(group):
    process = group.start()
    first = await group.holds()
    process.send_signal(signal.SIGSTOP)
    tenure = await taken_over(group)
    try:
        last = group.handed()
        assert last.token == first.token
        assert (last.until < tenure.lapsed_at, tenure.belief.token > last.token) == (True, True)
        process.send_signal(signal.SIGCONT)
        await said(process, Severity.CRITICAL.word)
        after = group.handed()
        assert (after.token, after.until <= CLOCK.boot()) == (first.token, True)
        assert (await tenure._lease.renew(tenure.belief)).belief.token == tenure.belief.token
    finally:
        await tenure.give_back()
    # The lease is free now, and a start still leaves it to a person.
    process.kill()
    process.wait(10)
    await said(group.start(), Severity.CRITICAL.word)
    async with group.lease(SECOURS) as lease:
        seen = await lease.look()
        assert (seen.record.holder, seen.record.held) == ("secours", False)


async def test_a_token_that_is_ours_is_raised_where_it_stands(group):
    """It is free for nobody meanwhile: a guard may still hold under the one before."""
    async with group.lease(CENTRE) as lease, group.lease(CENTRE) as again:
        end = time.monotonic() + PATIENCE
        while not isinstance(first := await lease.acquire(), Held):
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
        while not isinstance(raised := await taken_anew(again, first.belief.token), Held):
            assert time.monotonic() < end
        assert raised.belief.token > first.belief.token
        seen = await again.look()
        assert (seen.record.held, seen.record.token) == (True, raised.belief.token)
        while (refused := await lease.renew(first.belief)).why is Why.UNANSWERED:
            assert time.monotonic() < end
        assert refused.why is Why.LOST


async def test_a_lease_that_is_given_to_another_life_is_free_for_nobody_in_between(group):
    async with group.lease(CENTRE, PATIENCE) as ours, group.lease(SECOURS, PATIENCE) as theirs:
        end = time.monotonic() + PATIENCE
        while not isinstance(held := await ours.acquire(), Held):
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
        life = session_in(group.secours)
        given = await ours.hand_to(held.belief, "secours", life)
        assert (given.holder, given.session, given.token, given.held) == ("secours", life, held.belief.token + 1, True)
        assert (await ours.renew(held.belief)).why is Why.LOST
        assert (await ours.hand_to(held.belief, "secours", life)).why is Why.LOST
        seen = await ours.look()
        assert (seen.standing, seen.record) == (Standing.HELD, given)
        assert (await theirs.look()).standing is Standing.OURS
        taken = await theirs.acquire(held.belief.token)
        assert taken.belief.token == given.token
