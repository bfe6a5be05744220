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
from tests.real.sites.hosts import SERVICES
from tests.real.sites.judge import Ending, violations
from tests.real.sites.lab import Lab
from tests.real.sites.nodes import until
from tests.real.sites.paper import PLAN
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
    token = lab.begin(first=True)
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


def test_what_its_guard_stopped_while_the_voters_were_away_is_told_with_what_to_do_until_somebody_starts_it(lab: Lab):
    """Nobody else may have run it meanwhile, so that nothing moves and nothing is started behind anybody's back."""
    token = lab.begin()
    away = ("secours", "witness")
    for voter in away:
        lab.voters.send(voter, signal.SIGSTOP)
    until(lambda: lab.releves.guarded("centre").get("phase") == "stopped", lab.log)
    for voter in away:
        lab.voters.send(voter, signal.SIGCONT)
    until(lambda: lab.releves.guarded("centre").get("phase") == "holding", lab.log)
    newer = int(lab.releves.guarded("centre")["token"])
    assert newer > token

    def told() -> list[str]:
        incidents = lab.releves.ask("centre", "/api/v1/incidents") or []
        return [str(one["title"]) for one in incidents if one["status"] != "resolved"]

    stopped = "the guard at Centre has stopped the calls"
    until(lambda: any(stopped in title and f"`releve failover run {PLAN}`" in title for title in told()), lab.log)
    assert not lab.releves.moves("centre")
    assert not lab.releves.moves("secours")
    for service in SERVICES:  # as its runbook does, or a person
        assert lab.hosts.does("centre", "start", service, newer), lab.log()
    until(lambda: lab.serving() == "centre", lab.log)
    until(lambda: not any(stopped in title for title in told()), lab.log)
    assert violations(lab.client.effects(), lab.rows("centre"), Ending("centre"), lossy=()) == ()


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_done_twice_or_late_or_lost_whatever_breaks(lab: Lab, seed: int):
    course = play(lab, schedule(seed))
    if course.wrong and "RELEVE_LAB_LOGS" in os.environ:
        Path(os.environ["RELEVE_LAB_LOGS"], f"{seed}.log").write_text(course.story + lab.log())
    assert not course.wrong, course.story + lab.log()
