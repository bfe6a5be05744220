"""A validity crosses from one machine's clock to another's without ever growing, and what came late changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.across import (
    FRESH,
    Heard,
    Reading,
    Refusal,
    after_ending,
    after_telling,
    latest,
    may_tell,
    refused,
    until_there,
)
from failover.guard import Validity
from failover.lease import DRIFT, Belief

SECONDS = st.floats(0, 1e6, allow_nan=False)
DELAY = st.floats(0, 30, allow_nan=False)


@given(
    asked=SECONDS,
    out=DELAY,
    back=DELAY,
    used_after=st.floats(0, FRESH),
    left=st.floats(0, 3600),
    offset=SECONDS,
    rate=st.floats(1 - DRIFT, 1 + DRIFT),
)
def test_what_is_told_never_ends_later_than_the_belief_whatever_the_delays_and_the_clocks(
    asked: float, out: float, back: float, used_after: float, left: float, offset: float, rate: float
) -> None:
    """The other clock runs at `rate` of ours, from any beginning; the answer is used as long as it is fresh."""

    def there(at: float) -> float:
        return offset + (at - asked) * rate

    reading = Reading("b", there(asked + out), asked + out + back)
    told_at = reading.arrived + used_after
    valid_until = told_at + left
    until = until_there(reading, valid_until)
    assert reading.is_fresh(reading.arrived)
    assert until <= there(valid_until) + 1e-6
    lost = there(valid_until) - until
    assert lost <= back * rate + (used_after + left) * 2 * DRIFT + 1e-6, (
        "no more is lost than the answer took, and drift"
    )


@pytest.mark.parametrize(
    ("told", "offered", "why"),
    [
        (None, Validity(7, 110.0), None),
        (Validity(7, 105.0), Validity(7, 110.0), None),
        (Validity(7, 110.0), Validity(7, 105.0), None),
        (Validity(7, 110.0), Validity(7, 0.0), None),
        (Validity(7, 0.0), Validity(7, 0.0), None),
        (Validity(7, 0.0), Validity(8, 110.0), None),
        (Validity(7, 0.0), Validity(7, 110.0), Refusal.OVER),
        (Validity(7, 0.0), Validity(6, 110.0), Refusal.OLDER),
        (Validity(7, 110.0), Validity(6, 0.0), Refusal.OLDER),
        (None, Validity(7, 115.0), None),
        (None, Validity(7, 115.1), Refusal.LONG),
    ],
)
def test_a_guard_is_told_nothing_that_is_older_or_over_or_too_long(
    told: Validity | None, offered: Validity, why: Refusal | None
) -> None:
    assert refused(told, offered, ttl=15.0, now=100.0) is why


@pytest.mark.parametrize(
    ("told", "offered", "by"),
    [
        (None, Validity(7, 110.0), Validity(7, 110.0)),
        (Validity(7, 105.0), Validity(7, 110.0), Validity(7, 110.0)),
        (Validity(7, 110.0), Validity(7, 105.0), Validity(7, 110.0)),
        (Validity(7, 110.0), Validity(7, 99.0), Validity(7, 110.0)),
        (Validity(7, 110.0), Validity(7, 0.0), Validity(7, 0.0)),
        (Validity(7, 110.0), Validity(8, 105.0), Validity(8, 105.0)),
        (Validity(7, 116.0), Validity(7, 105.0), Validity(7, 105.0)),  # the guard does not go by what no lease lasts
    ],
)
def test_what_comes_late_takes_nothing_from_what_came_before_but_the_end_does(
    told: Validity | None, offered: Validity, by: Validity
) -> None:
    assert latest(told, offered, ttl=15.0, now=100.0) == by


def test_what_a_guard_may_have_heard_is_the_latest_end_of_all_that_was_sent_until_it_is_told_otherwise() -> None:
    heard = after_telling(None, Belief(7, 110.0))
    heard = after_telling(heard, Belief(7, 108.0))
    assert heard == Heard(7, 110.0)
    assert after_telling(heard, Belief(8, 109.0)) == Heard(8, 110.0)
    assert after_ending(heard, 7, 104.0) == Heard(7, 104.0, 104.0)
    assert after_ending(heard, 7, 120.0) == Heard(7, 110.0, 120.0)
    assert after_ending(Heard(9, 110.0), 8, 104.0) == Heard(9, 110.0), "of a later token it was told since"
    assert after_ending(None, 7, 104.0) == Heard(7, 0.0, 104.0)


@pytest.mark.parametrize(
    ("heard", "belief", "may"),
    [
        (None, Belief(7, 101.0), True),
        (None, None, False),
        (None, Belief(7, 100.0), False),
        (Heard(7, 101.0), Belief(7, 101.0), True),
        (Heard(7, 90.0, 90.0), Belief(7, 101.0), False),
        (Heard(7, 90.0, 90.0), Belief(8, 101.0), True),
        (Heard(8, 90.0), Belief(7, 101.0), False),
    ],
)
def test_what_has_lapsed_or_was_said_to_be_over_is_not_told_again(
    heard: Heard | None, belief: Belief | None, may: bool
) -> None:
    assert may_tell(heard, belief, now=100.0) is may
