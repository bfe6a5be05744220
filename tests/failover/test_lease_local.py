"""The lease of one machine, with processes that are killed and stopped, and files that are spoilt."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from failover.lease import DRIFT, Held, Record, Refused, Released, Seen, Standing, Why, decode, encode
from failover.lease_local import LocalLease
from monitor.clock import SystemClock
from monitor.core.text import ENGLISH

TTL = 15.0
OTHER = """
import asyncio, sys
from pathlib import Path
from failover.lease_local import LocalLease
from monitor.clock import SystemClock
lease = LocalLease(Path(sys.argv[1]), "crm", "centre", sys.argv[2], 15.0, SystemClock())
print(asyncio.run(lease.acquire()).belief.token, flush=True)
sys.stdin.read()
"""


class Boot:
    """A clock whose seconds since the boot are set by the test."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.now = SystemClock().now

    def boot(self) -> float:
        return self.at


@pytest.fixture
def boot() -> Boot:
    return Boot()


@pytest.fixture
def lease(tmp_path: Path, boot: Boot) -> Iterator[LocalLease]:
    made = LocalLease(tmp_path, "crm", "centre", "a1", TTL, boot)
    yield made
    asyncio.run(made.close())


@contextmanager
def another_process(folder: Path, session: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Yield a process that holds the lease, and its token."""
    command = [sys.executable, "-c", OTHER, str(folder), session]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


async def test_the_first_holder_has_token_1_and_believes_for_the_time_less_the_margin(lease, boot):
    held = await lease.acquire()
    assert held.belief.token == 1
    assert held.belief.valid_until == pytest.approx(boot.at + TTL * (1 - DRIFT))


async def test_a_renewal_counts_from_when_it_was_asked_for(lease, boot):
    first = (await lease.acquire()).belief
    boot.at += 10
    second = (await lease.renew(first)).belief
    assert second.token == first.token
    assert second.valid_until == pytest.approx(first.valid_until + 10)


async def test_two_in_one_process_never_hold_it_together(lease, tmp_path, boot):
    other = LocalLease(tmp_path, "crm", "secours", "b2", TTL, boot)
    held = await lease.acquire()
    refused = await other.acquire()
    assert refused.why is Why.HELD
    assert "centre" in ENGLISH.render(refused.text)
    assert (await other.look()).standing is Standing.HELD
    assert (await lease.look()).standing is Standing.OURS
    assert await lease.release(held.belief) == Released()
    assert (await other.look()).standing is Standing.FREE
    assert (await other.acquire()).belief.token == 2
    assert (await lease.renew(held.belief)).why is Why.LOST
    assert (await lease.release(held.belief)).why is Why.LOST
    await other.close()


async def test_leases_of_two_names_have_nothing_to_do_with_each_other(lease, tmp_path, boot):
    other = LocalLease(tmp_path, "paie", "centre", "a1", TTL, boot)
    assert isinstance(await lease.acquire(), Held)
    assert (await other.acquire()).belief.token == 1
    await other.close()


async def test_the_process_that_holds_it_keeps_its_token_when_it_asks_again(lease, boot):
    first = (await lease.acquire()).belief
    boot.at += 3
    again = (await lease.acquire(above=90)).belief
    assert (again.token, again.valid_until) == (first.token, pytest.approx(first.valid_until + 3))


async def test_a_token_is_higher_than_what_the_site_has_heard_of(lease):
    assert (await lease.acquire(above=41)).belief.token == 42


async def test_a_token_is_raised_where_it_stands(lease, tmp_path, boot):
    first = await lease.acquire()
    raised = await lease.raise_token(first.belief, 0)
    assert (raised.belief.token, decode((tmp_path / "crm.lease").read_bytes()).token) == (2, 2)
    assert (await lease.raise_token(raised.belief, 6)).belief.token == 7
    other = LocalLease(tmp_path, "crm", "centre", "b1", TTL, boot)
    assert (await other.acquire()).why is Why.HELD
    assert (await lease.raise_token(first.belief, 0)).why is Why.LOST


async def test_two_sites_that_never_met_use_tokens_of_their_own(tmp_path, boot):
    tokens = []
    for rank in (0, 1):
        (tmp_path / str(rank)).mkdir()
        lease = LocalLease(tmp_path / str(rank), "crm", "x", "a1", TTL, boot, sites=2, rank=rank)
        for _ in range(3):
            held = await lease.acquire()
            tokens.append(held.belief.token)
            await lease.release(held.belief)
    assert tokens == [2, 4, 6, 1, 3, 5]


async def test_a_stopped_process_keeps_it_and_a_killed_one_does_not(tmp_path, lease):
    with another_process(tmp_path, "z9") as (process, token):
        process.send_signal(signal.SIGSTOP)
        refused = await lease.acquire()
        assert isinstance(refused, Refused)
        assert refused.why is Why.HELD
        process.kill()
        process.wait(10)
        held = await lease.acquire()
    assert held.belief.token == token + 1


async def test_the_next_life_of_the_same_session_goes_on_with_its_token(tmp_path, lease):
    with another_process(tmp_path, "a1") as (process, token):
        process.kill()
        process.wait(10)
    assert (await lease.acquire()).belief.token == token


async def test_a_lock_file_that_was_exchanged_ends_the_lease(lease, tmp_path):
    held = await lease.acquire()
    (tmp_path / "crm.lock").unlink()
    (tmp_path / "crm.lock").touch()
    assert (await lease.renew(held.belief)).why is Why.LOST


@pytest.mark.parametrize("raw", [b"", b"7\n", b"{}", b"x" * 5000])
async def test_a_record_that_is_none_is_left_to_a_person(lease, tmp_path, raw):
    (tmp_path / "crm.lease").write_bytes(raw)
    refused = await lease.acquire()
    assert refused.why is Why.ILLEGIBLE
    assert str(tmp_path / "crm.lease") in ENGLISH.render(refused.text)
    assert (tmp_path / "crm.lease").read_bytes() == raw
    (tmp_path / "crm.lease").unlink()
    assert isinstance(await lease.acquire(), Held)


async def test_a_link_in_the_place_of_a_file_is_not_followed(lease, tmp_path):
    (tmp_path / "elsewhere").write_bytes(encode(Record("x", "y", 5, 1.0)))
    (tmp_path / "crm.lease").symlink_to(tmp_path / "elsewhere")
    refused = await lease.acquire()
    assert (refused.why, (tmp_path / "crm.lease").is_symlink()) == (Why.UNANSWERED, True)


async def test_where_nothing_can_be_written_the_lease_is_not_held_and_says_why(tmp_path, boot):
    lease = LocalLease(tmp_path / "gone", "crm", "centre", "a1", TTL, boot)
    refused = await lease.acquire()
    assert refused.why is Why.UNANSWERED
    assert "No such file or directory" in ENGLISH.render(refused.text)


async def test_a_failed_read_does_not_let_go_of_a_lock_under_which_somebody_believes(lease, tmp_path, boot):
    held = await lease.acquire()
    record = (tmp_path / "crm.lease").read_bytes()
    (tmp_path / "crm.lease").write_bytes(b"spoilt")
    assert (await lease.acquire()).why is Why.ILLEGIBLE
    assert (await lease.renew(held.belief)).why is Why.ILLEGIBLE
    (tmp_path / "crm.lease").write_bytes(record)
    other = LocalLease(tmp_path, "crm", "secours", "b2", TTL, boot)
    assert (await other.acquire()).why is Why.HELD
    assert isinstance(await lease.renew(held.belief), Held)


async def test_the_token_lasts_beyond_close_and_the_files_are_private(lease, tmp_path):
    token = (await lease.acquire()).belief.token
    await lease.close()
    assert decode((tmp_path / "crm.lease").read_bytes()).token == token
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crm.lease", "crm.lock"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


async def test_before_the_first_holder_it_is_free(lease):
    assert await lease.look() == Seen(Standing.FREE, None, 0.0)


async def test_many_that_want_it_at_once_get_it_one_at_a_time(tmp_path, boot):
    leases = [LocalLease(tmp_path, "crm", f"site-{n}", f"s{n}", TTL, boot) for n in range(8)]
    results = await asyncio.gather(*(lease.acquire() for lease in leases))
    assert sum(isinstance(result, Held) for result in results) == 1
    for lease in leases:
        await lease.close()
