"""The order in which a group moves."""

from __future__ import annotations

import pytest

from failover.phases import ORDER, Direction, Phase


@pytest.mark.parametrize("direction", [one for one in Direction if one.moves])
def test_nothing_is_promoted_started_or_switched_before_the_old_site_is_fenced(direction: Direction) -> None:
    order = ORDER[direction]
    fenced = order.index(Phase.FENCE)
    assert all(order.index(phase) > fenced for phase in (Phase.SYNC, Phase.PROMOTE, Phase.START, Phase.SWITCH))


@pytest.mark.parametrize("direction", Direction)
def test_a_move_begins_with_the_announcement_and_ends_with_the_report(direction: Direction) -> None:
    assert (ORDER[direction][0], ORDER[direction][-1]) == (Phase.ANNOUNCE, Phase.REPORT)


def test_only_a_planned_move_stops_the_old_site_by_its_own_steps() -> None:
    assert [one for one in Direction if Phase.STOP in ORDER[one]] == [one for one in Direction if one.planned]


def test_a_drill_neither_fences_nor_promotes_nor_switches() -> None:
    assert not {Phase.STOP, Phase.FENCE, Phase.PROMOTE, Phase.SWITCH} & {*ORDER[Direction.DRILL]}
