"""Twenty-four hours of a site of 500 checks: exactly the incidents and the messages that the day calls for."""

from __future__ import annotations

from difflib import unified_diff

import pytest

from tests.scenarios.virtual.clockwork import Restart
from tests.scenarios.virtual.stage import HERE, play, stage
from tests.scenarios.virtual.table import compared, day_from
from tests.scenarios.virtual.truth import Truth
from tests.scenarios.virtual.world import Fault, Harm

HOURS_24 = 24 * 3600.0
FOLDER = "site"


def test_a_day_of_five_hundred_checks_makes_exactly_the_incidents_and_messages_that_are_required() -> None:
    day = day_from(HERE / FOLDER / "day.yaml")
    played = play(stage(FOLDER), day.faults, HOURS_24, [(at, Restart()) for at in day.restarts])
    assert len(played.stage.checks) == 500
    assert played.clockwork.results >= 500 * 24 * 60
    expected, came = compared(day, played)
    difference = "\n".join(unified_diff(expected, came, "required", "came", lineterm="", n=3))
    assert not difference, difference
    assert Truth(played).violations() == []


@pytest.mark.parametrize("phase", ["0", "1", "2", "3"])
@pytest.mark.parametrize("broken_for", [10.0, 20.0, 30.0, 60.0])
def test_a_switch_that_restarts_is_one_incident_at_most_however_many_positions_are_behind_it(
    broken_for: float, phase: str
) -> None:
    """It takes a minute to boot: too short to be believed down each time, long enough for some of what is behind it."""
    played = play(stage(FOLDER), [Fault("floor-1", Harm.BREAK, 600.0, 600.0 + broken_for)], 1500.0, phase=phase)
    assert {incident.check for incident in played.desk.state.incidents.values()} <= {"floor-1-ping"}
