"""Twenty-four hours of a site of 500 checks: exactly the incidents and the messages that the day calls for."""

from __future__ import annotations

from difflib import unified_diff

import pytest

from tests.scenarios.virtual.clockwork import Restart
from tests.scenarios.virtual.stage import HERE, Played, play, stage
from tests.scenarios.virtual.table import Day, compared, day_from
from tests.scenarios.virtual.truth import Truth

HOURS_24 = 24 * 3600.0
FOLDER = "site"


@pytest.fixture(scope="module")
def day() -> Day:
    return day_from(HERE / FOLDER / "day.yaml")


@pytest.fixture(scope="module")
def played(day: Day) -> Played:
    return play(stage(FOLDER), day.faults, HOURS_24, [(at, Restart()) for at in day.restarts])


def test_the_site_has_five_hundred_checks_each_looked_at_every_minute(played: Played) -> None:
    assert len(played.stage.checks) == 500
    assert played.clockwork.results >= 500 * 24 * 60


def test_the_day_makes_exactly_the_incidents_and_messages_that_are_required(day: Day, played: Played) -> None:
    expected, came = compared(day, played)
    difference = "\n".join(unified_diff(expected, came, "required", "came", lineterm="", n=3))
    assert not difference, difference


def test_the_simulated_world_finds_nothing_untold_and_nothing_told_for_nothing(played: Played) -> None:
    assert Truth(played).violations() == []
