"""The lease of a group on one machine: newer for each move, kept over a restart, lost to who held it in between."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from failover.lease import Held, May, may_act
from failover.lease_etcd import Watching
from failover.lease_local import LocalLease
from failover.model import Continuity, PlanId, Site, SiteId
from monitor.clock import SystemClock
from monitor.core.text import ENGLISH
from monitor.daemon.tenure import Tenure, knows_the_other, session_in, tenure_of

CLOCK = SystemClock()
SITES = Continuity(
    sites={SiteId(name): Site(SiteId(name), name, here=name == "centre") for name in ("centre", "secours")}
)


def tenure(folder: Path) -> Tenure:
    return tenure_of(SITES, PlanId("crm"), folder, CLOCK, Watching())


async def test_each_move_takes_a_newer_token_even_when_the_last_one_was_never_given_back(tmp_path):
    first = tenure(tmp_path)
    assert await first.take(0, knows_the_other=True) is None
    assert first.belief is not None
    assert may_act(first.belief, CLOCK.boot()) is May.ACT
    token = first.belief.token
    await first.leave()
    second = tenure(tmp_path)
    assert await second.take(0, knows_the_other=True) is None
    assert second.belief is not None
    assert second.before == token
    assert second.belief.token > token
    await second.give_back()


async def test_a_restart_goes_on_under_the_same_token(tmp_path):
    first = tenure(tmp_path)
    await first.take(0, knows_the_other=True)
    assert first.belief is not None
    token = first.belief.token
    await first.leave()
    again = tenure(tmp_path)
    await again.resume(token, knows_the_other=True)
    assert (again.belief is not None and again.belief.token, again.lost) == (token, False)
    await again.give_back()


async def test_while_somebody_on_this_machine_holds_it_nobody_else_takes_it(tmp_path):
    other = LocalLease(tmp_path, "lease-crm", "secours", "f" * 32, 15.0, CLOCK)
    assert isinstance(await other.acquire(), Held)
    mine = tenure(tmp_path)
    why = await mine.take(0, knows_the_other=False)
    assert why is not None
    assert "secours" in ENGLISH.render(why)
    assert mine.belief is None
    late = tenure(tmp_path)
    await late.resume(0, knows_the_other=False)
    assert (late.lost, late.belief) == (True, None)
    for one in (mine, late):
        await one.leave()
    await other.close()


async def test_who_held_it_in_between_makes_it_lost(tmp_path):
    first = tenure(tmp_path)
    await first.take(0, knows_the_other=True)
    assert first.belief is not None
    token = first.belief.token
    await first.leave()
    other = LocalLease(tmp_path, "lease-crm", "secours", "f" * 32, 15.0, CLOCK)
    taken = await other.acquire(token + 10)
    assert isinstance(taken, Held)
    await other.release(taken.belief)
    late = tenure(tmp_path)
    await late.resume(token, knows_the_other=True)
    assert (late.lost, late.belief) == (True, None)
    await late.leave()


async def test_a_move_of_the_other_releve_whose_lease_still_stands_is_waited_for_and_not_lost(tmp_path):
    """The journal that goes on here names the token under which the other one carried the move out."""
    other = LocalLease(tmp_path, "lease-crm", "secours", "f" * 32, 15.0, CLOCK)
    taken = await other.acquire(4)
    assert isinstance(taken, Held)
    mine = tenure(tmp_path)
    await mine.resume(taken.belief.token, knows_the_other=True)
    assert (mine.lost, mine.belief) == (False, None)
    await other.release(taken.belief)
    async with asyncio.timeout(30):
        while mine.belief is None:
            await asyncio.sleep(0.05)
    assert (mine.lost, mine.belief.token) == (False, taken.belief.token + 1)
    assert mine.lapsed_at is not None
    await mine.give_back()
    await other.close()


async def test_a_site_that_takes_over_from_itself_gives_what_it_told_its_guard_time_to_end(tmp_path):
    first = tenure(tmp_path)
    assert await first.hold(PlanId("crm"), 0) is None
    assert first.belief is not None
    told = first.belief.valid_until
    assert await first.take(0, knows_the_other=True) is None
    assert first.lapsed_at is not None
    assert first.lapsed_at >= told
    await first.give_back()
    free = tenure(tmp_path)
    assert await free.take(0, knows_the_other=True) is None
    assert await free.take(0, knows_the_other=False) is None
    assert (free.before, free.lapsed_at) == (None, None), "what was known of the last move says nothing about this one"
    await free.give_back()


async def test_a_move_that_is_taken_up_before_its_lease_can_be_had_knows_later_that_the_old_one_is_over(tmp_path):
    first = tenure(tmp_path)
    await first.take(0, knows_the_other=True)
    assert first.belief is not None
    token, told = first.belief.token, first.belief.valid_until
    await first.leave()
    path = next(tmp_path.glob("*.lease"))
    path.rename(tmp_path / "aside")
    path.mkdir()
    again = tenure(tmp_path)
    await again.resume(token, knows_the_other=True)
    assert (again.belief, again.lapsed_at, again.lost) == (None, None, False)
    path.rmdir()
    (tmp_path / "aside").rename(path)
    async with asyncio.timeout(30):
        while again.belief is None:
            await asyncio.sleep(0.05)
    assert again.lapsed_at is not None
    assert again.lapsed_at >= told
    await again.give_back()


def test_a_session_lasts_and_what_is_no_session_is_made_anew(tmp_path):
    made = session_in(tmp_path)
    assert (len(made), session_in(tmp_path)) == (32, made)
    (tmp_path / "lease.session").write_text("half a s")
    assert session_in(tmp_path) != made


@pytest.mark.parametrize(("source", "known"), [("centre", True), ("secours", False)])
def test_a_local_lease_says_nothing_about_another_machine(source, known):
    assert knows_the_other(SITES, source) is known


class Later:
    """The machine's clock, `by` seconds on."""

    by = 0.0

    def now(self) -> datetime:
        return CLOCK.now()

    def boot(self) -> float:
        return CLOCK.boot() + self.by


async def test_a_lease_that_had_lapsed_before_it_was_renewed_is_held_on_under_a_newer_token(tmp_path):
    """What ran under it was stopped by the guard, which never holds for that token again."""
    clock = Later()
    lease = LocalLease(tmp_path, "lease-crm", "centre", "f" * 32, 15.0, clock, sites=2, rank=0)
    held = Tenure(lease, "centre", clock, timedelta(milliseconds=20), 2)
    assert await held.hold(PlanId("crm"), 0) is None
    assert held.belief is not None
    token, end = held.belief.token, held.belief.valid_until
    until = time.monotonic() + 60
    while held.belief is None or held.belief.valid_until == end:
        assert time.monotonic() < until
        await asyncio.sleep(0.01)
    assert held.belief.token == token
    clock.by += 60
    while held.belief is None or held.belief.token == token:
        assert time.monotonic() < until
        await asyncio.sleep(0.01)
    assert (held.belief.token > token, held.lost) == (True, False)
    assert may_act(held.belief, clock.boot()) is May.ACT
    await held.give_back()


async def test_what_we_believed_ourselves_before_a_move_is_over_only_when_it_ends(tmp_path):
    """The guard of this site was handed it, and stops nothing before."""
    first = tenure(tmp_path)
    assert await first.take(0, knows_the_other=True) is None
    assert first.belief is not None
    believed = first.belief.valid_until
    await first.leave()
    second = tenure(tmp_path)
    assert await second.take(0, knows_the_other=True) is None
    assert second.lapsed_at is not None
    assert second.lapsed_at >= believed
    assert second.belief is not None
    token, believed = second.belief.token, second.belief.valid_until
    await second.leave()
    third = tenure(tmp_path)
    await third.resume(token, knows_the_other=True)
    assert third.lapsed_at is not None
    assert third.lapsed_at >= believed
    await third.give_back()


async def test_a_lease_that_a_move_leaves_here_goes_on_under_a_newer_token_and_so_it_does_after_a_lapse(tmp_path):
    """The guard may have stopped for the move's own, and would never let run what the move has brought here."""
    clock = Later()
    lease = LocalLease(tmp_path, "lease-crm", "centre", "f" * 32, 15.0, clock)
    held = Tenure(lease, "centre", clock, timedelta(milliseconds=20))
    assert await held.take(0, knows_the_other=True) is None
    tokens = [held.belief.token]
    await held.settle()
    tokens.append(held.belief.token)
    clock.by += 60
    until = time.monotonic() + 60
    while held.belief.token == tokens[-1]:
        assert time.monotonic() < until
        await asyncio.sleep(0.01)
    tokens.append(held.belief.token)
    assert tokens == sorted(set(tokens))
    assert may_act(held.belief, clock.boot()) is May.ACT
    await held.give_back()
