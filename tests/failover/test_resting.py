"""How long a group rests after a move while its clock is set forward and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.decide import decide
from failover.ground import Act, Hold, Why
from failover.resting import at_least_ago
from tests.failover.test_decide import HOUR, LEASE, MINUTE, NOW, PLAN, SEEN, moved

PASSED = st.timedeltas(timedelta(0), timedelta(days=3))
STEPS = st.timedeltas(-timedelta(days=3), timedelta(days=3))


@pytest.mark.parametrize(
    ("ago", "known", "rests"),
    [
        (-5 * HOUR, timedelta(0), 10 * MINUTE),  # set back by five hours, and this Relève has just begun to run
        (-5 * HOUR, 9 * MINUTE, MINUTE),
        (-5 * HOUR, 10 * MINUTE, None),
        (MINUTE, 10 * MINUTE, None),  # set back in the middle of the rest
        (9 * MINUTE, MINUTE, MINUTE),  # begun to run since it ended: what the clock says holds
        (11 * MINUTE, timedelta(0), None),
    ],
)
def test_a_clock_that_was_set_back_holds_a_group_no_longer_than_its_plan_says(ago, known, rests):
    last = at_least_ago(moved(ago), NOW, known)
    found = decide(replace(PLAN, most=9), SEEN, LEASE, (last,), NOW)
    if rests is None:
        assert isinstance(found, Act)
    else:
        assert isinstance(found, Hold)
        assert (found.why, found.until) == (Why.HOLD_DOWN, NOW + rests)


@given(truly=PASSED, before=PASSED, step=STEPS)
def test_nothing_moves_sooner_than_its_plan_says_for_a_clock_that_was_set_back(truly, before, step):
    """It truly ended `truly` ago, `before` before this Relève saw that; the clock was set by `step` since."""
    last = moved(truly + step)
    found = at_least_ago(last, NOW, max(timedelta(0), truly - before))
    assert NOW - found.ended_at <= max(truly, NOW - last.ended_at), "no longer ago than it is, or than the clock says"
    assert found.ended_at <= last.ended_at
    assert found.ended_at - found.began_at == last.ended_at - last.began_at
    assert replace(found, began_at=last.began_at, ended_at=last.ended_at) == last
