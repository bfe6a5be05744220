"""A thousand courses of events on a small site: whatever happens in whatever order, these things hold.

What is random is drawn by hypothesis from a fixed seed: a failure shows the shortest course of events that it found,
and comes again with the next run.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from tests.scenarios.virtual.schedules import Schedule, played, schedules
from tests.scenarios.virtual.truth import Truth

COURSES = 1000
always = settings(derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))


@settings(always, max_examples=COURSES)
@given(schedules())
def test_whatever_happens_each_failure_is_told_once_by_its_cause_and_ends_once(schedule: Schedule) -> None:
    truth = Truth(played(schedule), schedule.excused)
    assert truth.violations() == []
