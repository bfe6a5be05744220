"""Two sites, a witness and the client with all real components: what reaches the client while things break."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor.clock import SystemClock
from tests.real.sites.course import play
from tests.real.sites.faults import Faults
from tests.real.sites.judge import Ending, violations
from tests.real.sites.lab import Lab
from tests.real.sites.nodes import until
from tests.real.sites.schedule import UNLED, schedule

SEEDS = range(10)


@pytest.fixture(scope="module")
def lab(require: Callable[[str, str], Path]) -> Iterator[Lab]:
    made = Lab(require)
    yield made
    made.close()


def ended(lab: Lab, site: str) -> str:
    """Return how the last move at a site ended, once it has."""
    until(lambda: (moves := lab.releves.moves(site)) and moves[0]["ended_at"], lab.log)
    return str(lab.releves.moves(site)[0]["state"])


def test_a_silent_carrier_is_left_for_the_other_one_and_taken_again(lab: Lab):
    lab.network.whole()
    until(lambda: lab.network.carrier() == "fh", lab.network.log)
    lab.network.silence("fh")
    until(lambda: lab.network.carrier() == "fo", lab.network.log)
    lab.network.whole()
    until(lambda: lab.network.carrier() == "fh", lab.network.log)


def test_what_two_sites_do_under_one_token_is_seen_at_the_client(lab: Lab):
    token = lab.begin()
    lab.releves.send("secours", "guard", signal.SIGKILL)
    assert lab.hosts.does("secours", "start", "dialler", token)
    until(lambda: "secours" in {one.site for one in lab.client.calls()}, lab.log)
    found = violations(lab.client.effects(), lab.rows("centre"), Ending("centre"), lossy=())
    assert [one for one in found if one.startswith("two sites in one epoch")]


def test_a_planned_move_loses_nothing_and_leaves_the_old_site_without_effect(lab: Lab):
    lab.begin()
    name, why = lab.releves.order("centre", "switchover", "secours")
    assert name, why
    assert ended(lab, "centre") == "succeeded", lab.log()
    until(lambda: lab.serving() == "secours", lab.log)
    effects, rows = lab.client.effects(), lab.rows("secours")
    assert violations(effects, rows, Ending("secours"), lossy=()) == ()
    assert [mail for mail in lab.client.mails() if "it@example.org" in str(mail["to"])]


def test_the_group_moves_by_itself_away_from_a_site_without_power_which_stays_passive_when_it_is_back(lab: Lab):
    lab.begin()
    faults = Faults(lab)
    faults.power_off("centre")
    until(lambda: lab.releves.moves("secours"), lab.log)
    assert ended(lab, "secours") == "succeeded", lab.log()
    (move,) = lab.releves.moves("secours")
    assert (move["direction"], move["started_by"]) == ("failover", "releve")
    until(lambda: lab.serving() == "secours", lab.log)
    faults.power_on("centre")
    back = SystemClock().now().timestamp()
    until(lambda: lab.releves.copied("centre"), lab.log)
    until(lambda: lab.served("secours", since=back + 6), lab.log)
    assert not [one for one in lab.client.effects() if one.site == "centre" and one.at > back]
    assert violations(lab.client.effects(), lab.rows("secours"), Ending("secours"), lossy=("centre",)) == ()


def test_the_group_moves_by_itself_away_from_a_site_that_stands_but_whose_releve_alone_is_gone_for_good(lab: Lab):
    course = play(lab, UNLED, person=False)
    assert not course.wrong, course.story + lab.log()
    assert course.ending.active == "secours", course.story + lab.log()
    (move,) = lab.releves.moves("secours")
    assert (move["direction"], move["started_by"], move["state"]) == ("failover", "releve", "succeeded"), course.story
    assert lab.releves.guarded("centre").get("phase") == "stopped", course.story


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_done_twice_or_late_or_lost_whatever_breaks(lab: Lab, seed: int):
    course = play(lab, schedule(seed))
    if course.wrong and "RELEVE_LAB_LOGS" in os.environ:
        Path(os.environ["RELEVE_LAB_LOGS"], f"{seed}.log").write_text(course.story + lab.log())
    assert not course.wrong, course.story + lab.log()
