"""Whether a group is known not to work at a site that stands while nobody leads it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from failover.unled import Guarding, stands_unled, stopped_by
from failover.vantage import PEER, VOTERS, Sight, Sighted
from monitor.core.text import ENGLISH

SECOND = timedelta(seconds=1)
GUARDING = Guarding(token=7, stopped=None, runs=False, within=10 * SECOND, still=None, ttl=15 * SECOND)


@pytest.mark.parametrize(
    ("sighted", "unled"),
    [
        (Sighted(Sight.SPLIT, ("ocm", "secours"), (VOTERS,)), True),
        (Sighted(Sight.SPLIT, (PEER, "secours"), (VOTERS,)), True),
        (Sighted(Sight.SPLIT, ("secours",), (VOTERS,), ("ocm",)), True),
        (Sighted(Sight.SPLIT, ("secours",), ("ocm", VOTERS)), False),
        (Sighted(Sight.SPLIT, (VOTERS,), ("secours",)), False),
        (Sighted(Sight.LONE, (), (VOTERS,), ("secours",)), False),
        (Sighted(Sight.LOST, (), ("secours", VOTERS)), False),
        (Sighted(Sight.UP, ("secours", VOTERS)), False),
    ],
)
def test_a_site_stands_unled_when_its_lease_alone_speaks_against_it(sighted: Sighted, unled: bool) -> None:
    assert stands_unled(sighted) is unled


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({}, None),
        ({"stopped": 7}, "the record of its guard"),
        ({"stopped": 8}, "the record of its guard"),
        ({"stopped": 6}, None),
        ({"stopped": 7, "token": None}, None),
        ({"runs": True}, None),
        ({"runs": True, "still": 25 * SECOND}, None),
        ({"runs": True, "still": 26 * SECOND}, "has had the time"),
        ({"runs": False, "still": 3600 * SECOND}, None),
        ({"runs": True, "still": 26 * SECOND, "stopped": 6}, "has had the time"),
    ],
)
def test_a_guard_has_stopped_a_group_by_its_record_or_by_its_time_while_it_is_seen_to_run(
    known: dict[str, Any], words: str | None
) -> None:
    found = stopped_by(replace(GUARDING, **known))
    assert (found is None) is (words is None)
    if found is not None and words is not None:
        assert words in ENGLISH.render(found)
