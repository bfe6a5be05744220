"""A thousand courses of events on a small site: whatever happens in whatever order, these things hold."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from tests.scenarios.virtual.schedules import Schedule, played, schedules
from tests.scenarios.virtual.truth import Truth

EXAMPLES = 1000


@settings(max_examples=EXAMPLES, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(schedules())
def test_whatever_happens_each_failure_is_told_once_by_its_cause_and_ends_once(schedule: Schedule) -> None:
    truth = Truth(played(schedule), schedule.excused)
    assert truth.violations() == []
