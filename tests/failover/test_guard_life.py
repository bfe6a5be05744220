"""The guard as a process of its own, with real processes to stop; kill -9 and SIGSTOP of whatever stands around it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from failover.guard import Validity
from failover.guard_files import hand_over
from monitor.clock import SystemClock
from tests.failover.guarded import Guarded


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Return `site(targets)`: a guarded site, nothing of it begun."""
    made = []

    def make(*targets: str) -> Any:
        made.append(Guarded(tmp_path, targets or ("dialler",)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_without_a_lease_it_begins_by_stopping_what_runs(site):
    here = site("dialler", "writer")
    here.run("dialler")
    here.run("writer")
    here.guard_it()
    here.wait(lambda: here.stopped(0))
    assert not here.runs("dialler")
    assert not here.runs("writer")


def test_as_long_as_the_lease_is_held_nothing_is_touched_and_then_all_is_stopped_once(site):
    here = site("dialler", "writer")
    until = here.hand(7, 3000)
    here.run("dialler")
    here.run("writer", "stubborn")  # takes no order: only force helps
    here.guard_it()
    here.wait(lambda: here.holds(7))
    count = len(here.effects())
    here.wait(lambda: len(here.effects()) > count + 50)
    until = here.hand(7, 1)
    here.wait(lambda: here.stopped(7))
    assert not here.runs("dialler")
    assert not here.runs("writer")
    assert max(here.effects()) > until - 1  # it was not stopped before the lease's end was handed over
    assert {one["name"]: one["proven"] for one in here.recorded()["targets"]} == {"dialler": True, "writer": True}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_the_end_of_the_daemon_changes_nothing_but_that_the_lease_runs_out(site, how):
    here = site()
    daemon = here.feed(7)
    here.run()
    here.guard_it()
    here.wait(lambda: here.held(7))
    daemon.send_signal(how)
    here.wait(lambda: here.stopped(7))
    assert not here.runs()


def test_a_guard_that_is_killed_stands_again_and_touches_nothing_under_a_valid_lease(site):
    here = site()
    here.hand(7, 3000)
    dialler = here.run()
    first = here.guard_it()
    here.wait(lambda: here.holds(7))
    first.kill()
    first.wait()
    here.wait(lambda: here.said().count("the lease is held, token 7") == 2, supervised=True)
    assert here.guard is not first
    assert here.runs()
    assert int((here.folder / "dialler.pid").read_text()) == dialler


def test_daemon_and_guard_killed_together_leave_nothing_running(site):
    here = site()
    daemon = here.feed(7)
    here.run()
    first = here.guard_it()
    here.wait(lambda: here.held(7))
    daemon.kill()
    first.kill()
    first.wait()
    here.wait(lambda: here.stopped(7), supervised=True)
    assert not here.runs()


def test_a_guard_that_is_frozen_over_the_end_of_the_lease_is_killed_and_the_next_one_stops_all(site):
    here = site()
    here.hand(7, 3000)
    here.run()
    first = here.guard_it()
    here.wait(lambda: here.holds(7), supervised=True)
    first.send_signal(signal.SIGSTOP)
    here.hand(7, 0)
    here.wait(lambda: here.stopped(7), supervised=True)
    assert first.returncode == -signal.SIGKILL
    assert not here.runs()


def test_a_spent_token_never_holds_again_and_a_new_one_does(site):
    here = site()
    here.hand(7, 0)
    here.guard_it()
    here.wait(lambda: here.stopped(7))
    here.hand(7, 3000)
    here.run()  # somebody believes in the old lease and starts it: it is seen, and stopped
    here.wait(lambda: not here.runs())
    here.wait(lambda: here.stopped(7))
    here.hand(8, 3000)
    here.wait(lambda: here.holds(8))
    here.run()
    count = len(here.effects())
    here.wait(lambda: len(here.effects()) > count + 50)


def test_what_another_boot_handed_over_counts_for_nothing(site):
    here = site()
    until = SystemClock().boot() + 3000
    hand_over(here.lease, Validity(7, until), "00000000-0000-0000-0000-000000000000")
    here.run()
    here.guard_it()
    here.wait(lambda: here.stopped(0))
    assert not here.runs()


def test_a_validity_longer_than_a_lease_lasts_counts_for_nothing_and_is_told_once(site):
    here = site()
    here.hand(7, 2 * 3600)
    here.run()
    here.guard_it()
    here.wait(lambda: here.stopped(0))
    here.wait(lambda: "holds for longer than a lease lasts (1 h)" in here.said().replace("\u00a0", " "))
    assert here.said().count("holds for longer") == 1
    assert not here.runs()


def test_a_disk_that_takes_no_record_holds_no_stop_up(site):
    here = site()
    here.record.mkdir(parents=True)  # a folder in its place: whatever is written there fails
    here.run()
    here.guard_it()
    here.wait(lambda: "all is stopped" in here.said())
    here.wait(lambda: "cannot write the record" in here.said())
    assert not here.runs()
    here.record.rmdir()
    here.wait(lambda: here.stopped(0))


def test_a_record_that_cannot_be_read_makes_the_present_lease_count_as_spent(site):
    here = site()
    here.record.parent.mkdir()
    here.record.write_text("{")
    here.hand(7, 3000)
    here.run()
    here.guard_it()
    here.wait(lambda: "cannot be read" in here.said())
    here.wait(lambda: here.record.read_text() != "{" and here.stopped(7))
    assert not here.runs()


def test_its_sign_of_life_says_at_once_for_which_token_it_holds(site):
    here = site()
    here.hand(7, 3000)
    here.guard_it()
    alive = here.folder / "run" / "crm.json"
    here.wait(lambda: alive.exists() and '"phase": "holding", "token": 7' in alive.read_text())
    here.hand(7, 0)
    here.wait(lambda: '"phase": "stopped", "token": 7' in alive.read_text())


@pytest.mark.parametrize(("limit", "told"), [("3000000", 0), ("30000000", 1), ("", 1)])
def test_it_says_when_nobody_would_kill_it_in_time_if_it_hung(site, monkeypatch, limit, told):
    monkeypatch.setenv("WATCHDOG_USEC", limit)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    here = site()
    guard = here.guard_it()
    here.wait(lambda: here.stopped(0))
    guard.terminate()
    assert guard.wait(60) == 0
    assert here.said().count("nobody kills this guard") == told


def test_told_to_end_it_stops_nothing_under_a_valid_lease_and_says_that_nobody_guards(site):
    here = site()
    here.hand(7, 3000)
    here.run()
    guard = here.guard_it()
    here.wait(lambda: here.holds(7))
    guard.terminate()
    assert guard.wait(60) == 0
    assert here.runs()
    assert "nobody stops this site any more" in here.said()


def test_told_to_end_in_the_middle_of_a_stop_it_finishes_it(site):
    here = site()
    here.hand(7, 3000)
    here.run("dialler", "stubborn")
    guard = here.guard_it()
    here.wait(lambda: here.holds(7))
    here.hand(7, 0)
    here.wait(lambda: here.recorded()["phase"] != "holding")
    guard.terminate()
    assert guard.wait(60) == 0
    assert not here.runs()


def test_a_second_guard_is_refused(site):
    here = site()
    here.hand(7, 3000)
    here.guard_it()
    here.wait(lambda: here.holds(7))
    second = here.guard_it()
    assert second.wait(60) == 2
    assert "another guard runs here already" in here.said()
