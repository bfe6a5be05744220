"""A thousand courses of events on a small site: whatever happens in whatever order, these things hold.

Each course has a number, from which it is drawn. A failure shows the number, and what is left of the course once
everything that is not needed for it to fail was left out.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.virtual.schedules import Schedule, drawn, drawn_lasting, played, shortest
from tests.scenarios.virtual.truth import Truth

COURSES, LASTING, BATCH = 1000, 50, 25
WHOLE = 10
"""One of so many courses is played to its end also where all has long been well again."""


def wrong(schedule: Schedule, *, whole: bool = False) -> list[str]:
    """What does not hold of a course of events; `whole`: to its end, also where all has long been well again."""
    return Truth(played(schedule, whole=whole), schedule.excused).violations()


def wrong_in_some_order(schedule: Schedule) -> list[str]:
    """What does not hold of it in one order of polling or the other, and what is told in one alone."""
    truths = [Truth(played(replace(schedule, phase=phase))) for phase in ("0", "1")]
    told = truths[0].told_roots() ^ truths[1].told_roots()
    return [line for truth in truths for line in truth.violations()] + [f"{name} is told in one alone" for name in told]


@pytest.mark.parametrize("first", range(0, COURSES, BATCH))
def test_whatever_happens_each_failure_is_told_once_by_its_cause_and_ends_once(first: int) -> None:
    for number in range(first, first + BATCH):
        schedule = drawn(number)
        if wrong(schedule, whole=number % WHOLE == 0):
            least = shortest(schedule, lambda one: bool(wrong(one, whole=True)))
            pytest.fail(f"course {number}: {least}\n" + "\n".join(wrong(least, whole=True)))


@pytest.mark.parametrize("first", range(0, LASTING, BATCH))
def test_who_is_looked_at_first_never_decides_what_is_told(first: int) -> None:
    for number in range(first, first + BATCH):
        schedule = drawn_lasting(number)
        if wrong_in_some_order(schedule):
            least = shortest(schedule, lambda one: bool(wrong_in_some_order(one)))
            pytest.fail(f"course {number}: {least}\n" + "\n".join(wrong_in_some_order(least)))
