"""From a person's yes to a move: what was stated grows with the time that the answer took, and with nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from failover.ground import Act
from failover.loss import Loss
from failover.model import DataSetId, Part, Plan, PlanId, SiteId
from failover.phases import Direction
from monitor.core.incident import Refused
from monitor.daemon.move_orders import Said, order_of

NOW = datetime(2026, 11, 26, 3, 5, tzinfo=UTC)
CENTRE, SECOURS = SiteId("centre"), SiteId("secours")
PLAN = Plan(PlanId("crm"), "le CRM", CENTRE, SECOURS, {CENTRE: Part(), SECOURS: Part()}, (), rto=timedelta(minutes=30))


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def forced(lost: float, *, known: bool = True) -> Act:
    return Act(Direction.FAILOVER, CENTRE, SECOURS, Loss(seconds(lost), (DataSetId("crm-db"),), known=known))


@pytest.mark.parametrize(
    ("lost", "stated", "ago", "begins"),
    [
        pytest.param(80, 60, 20, True, id="the lost site's copy has aged while the name was typed"),
        pytest.param(81, 60, 20, True, id="and the look at it took its time"),
        pytest.param(1, 0, None, False, id="who was told that nothing is lost has accepted no second"),
        pytest.param(83, 60, 20, False, id="more than the time explains"),
        pytest.param(80, 60, None, False, id="stated just now"),
        pytest.param(60, 60, 60 * 16, False, id="a yes to what was said long ago"),
        pytest.param(60, 60, -20, False, id="stated in a time to come"),
    ],
)
def test_what_was_stated_covers_the_time_that_the_answer_took(lost, stated, ago, begins):
    said = Said("uid:0", "", seconds(stated), None if ago is None else NOW - seconds(ago))
    if begins:
        assert order_of(PLAN, forced(lost), said, None, NOW).loss == seconds(stated)
    else:
        with pytest.raises(Refused):
            order_of(PLAN, forced(lost), said, None, NOW)


def test_who_was_told_that_nobody_knows_has_said_yes_to_that():
    order = order_of(PLAN, forced(300, known=False), Said("uid:0", stated_at=NOW), None, NOW)
    assert order.loss is None
