"""What the record of a group's lease says of the site where it runs, and whether it could be taken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failover.by_itself import untakeable
from failover.lease import Record, Watched
from failover.model import Site, SiteId
from failover.vantage import (
    LAPSE_LASTS,
    Asking,
    Kept,
    Lapsed,
    View,
    enough,
    kept_view,
    still_since,
    token_of,
    vantages,
)
from monitor.core.ids import CheckId
from monitor.core.text import ENGLISH

CENTRE, SECOURS = SiteId("centre"), SiteId("secours")
THEIRS, OURS = Record("centre", "a" * 32, 7, 15.0), Record("secours", "b" * 32, 8, 15.0)
NOW = 1000.0
BY = Asking("secours", 15.0, 10.0, NOW)
RENEWED = Kept(THEIRS, Watched(1, NOW - 3), NOW - 1)
STILL = Kept(THEIRS, Watched(1, NOW - 15), NOW - 1)
TAKEN = Kept(OURS, Watched(2, NOW - 1), NOW - 1)
LAPSED = Lapsed("centre", NOW - 20, NOW - 2)
LONG_AGO = Lapsed("centre", NOW - LAPSE_LASTS - 20, NOW - LAPSE_LASTS - 1, left=8)
GIVEN_BACK = replace(OURS, held=False)


@pytest.mark.parametrize(
    ("kept", "by", "view"),
    [
        pytest.param(RENEWED, BY, View.UP, id="held and renewed"),
        pytest.param(replace(STILL, seen=Watched(1, NOW - 14.9)), BY, View.UP, id="may be renewed yet"),
        pytest.param(STILL, BY, View.DOWN, id="stood still for its time"),
        pytest.param(STILL, replace(BY, ttl=20.0), View.UP, id="our own time counts where it is longer"),
        pytest.param(replace(STILL, record=replace(THEIRS, ttl=20.0)), BY, View.UP, id="and theirs"),
        pytest.param(replace(STILL, heard=NOW - 11), BY, View.UNKNOWN, id="no majority has answered lately"),
        pytest.param(Kept(), BY, View.UNKNOWN, id="nobody has answered yet"),
        pytest.param(Kept(None, Watched(0, NOW - 99), NOW), BY, View.UNKNOWN, id="there is no record"),
        pytest.param(replace(STILL, record=replace(THEIRS, held=False)), BY, View.UNKNOWN, id="given back"),
        pytest.param(replace(TAKEN, lapsed=LAPSED), BY, View.DOWN, id="taken by us after it had lapsed"),
        pytest.param(
            replace(TAKEN, lapsed=LAPSED, record=replace(OURS, held=False)), BY, View.DOWN, id="and given back since"
        ),
        pytest.param(
            replace(TAKEN, lapsed=replace(LAPSED, at=NOW - LAPSE_LASTS - 1)), BY, View.UNKNOWN, id="taken long ago",
        ),
        pytest.param(replace(TAKEN, lapsed=LONG_AGO), BY, View.DOWN, id="taken long ago, and as it was taken"),
        pytest.param(
            replace(TAKEN, lapsed=LONG_AGO, record=GIVEN_BACK), BY, View.DOWN, id="given back long ago, and so since"
        ),
        pytest.param(
            replace(TAKEN, lapsed=LONG_AGO, record=replace(OURS, token=9)), BY, View.UNKNOWN, id="held since",
        ),
        pytest.param(
            replace(TAKEN, lapsed=LONG_AGO, record=replace(THEIRS, token=8, held=False)), BY, View.UNKNOWN,
            id="theirs under the token that was to be ours",
        ),
        pytest.param(
            replace(TAKEN, lapsed=LONG_AGO, heard=NOW - 11), BY, View.UNKNOWN, id="as it was taken, for all we know",
        ),
        pytest.param(replace(TAKEN, lapsed=LONG_AGO, record=None), BY, View.UNKNOWN, id="its record is gone"),
        pytest.param(TAKEN, BY, View.UNKNOWN, id="kept by us for the other site"),
        pytest.param(replace(RENEWED, lapsed=LAPSED), BY, View.UP, id="theirs again"),
    ],
)  # fmt: skip
def test_the_voters_see_a_site_by_the_lease_of_its_group(kept: Kept, by: Asking, view: View) -> None:
    assert kept_view(kept, CENTRE, by) is view


def test_a_lease_that_is_ours_says_nothing_against_our_own_site() -> None:
    assert kept_view(TAKEN, SECOURS, BY) is View.UP
    assert kept_view(replace(TAKEN, record=THEIRS), SECOURS, BY) is View.UNKNOWN


@pytest.mark.parametrize(
    ("kept", "since"),
    [
        (STILL, NOW - 15),
        (replace(TAKEN, lapsed=LAPSED), NOW - 20),
        (replace(TAKEN, lapsed=replace(LAPSED, at=NOW - LAPSE_LASTS - 1)), None),
        (replace(TAKEN, lapsed=LONG_AGO), LONG_AGO.still),
        (replace(TAKEN, lapsed=LONG_AGO, record=replace(OURS, token=9)), None),
        (TAKEN, None),
        (replace(STILL, record=replace(THEIRS, held=False)), None),
        (Kept(), None),
    ],
)
def test_since_when_a_lease_is_not_renewed_is_known_also_after_it_was_taken(kept: Kept, since: float | None) -> None:
    assert still_since(kept, CENTRE, NOW) == since


@pytest.mark.parametrize(
    ("kept", "token"),
    [
        (STILL, 7),
        (replace(STILL, record=replace(THEIRS, held=False)), 7),
        (TAKEN, None),
        (replace(TAKEN, lapsed=LAPSED), None),
        (replace(TAKEN, lapsed=replace(LAPSED, token=6)), 6),
        (replace(TAKEN, lapsed=replace(LONG_AGO, token=6)), 6),
        (replace(TAKEN, lapsed=replace(LONG_AGO, token=6), record=replace(OURS, token=9)), None),
        (replace(STILL, lapsed=replace(LAPSED, token=6)), 7),
        (Kept(), None),
    ],
)
def test_the_token_that_a_site_lost_is_known_also_after_its_lease_was_taken(kept: Kept, token: int | None) -> None:
    assert token_of(kept, CENTRE, NOW) == token


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        (STILL, None),
        (RENEWED, "centre holds the lease; free in 12"),
        (TAKEN, None),
        (replace(RENEWED, record=replace(THEIRS, held=False)), None),
        (Kept(None, Watched(0, NOW - 5), NOW), "free in 10"),
        (Kept(None, Watched(0, NOW - 15), NOW), None),
        (replace(STILL, heard=NOW - 11), "no majority of the voters"),
        (Kept(), "no majority of the voters"),
    ],
)
def test_a_lease_is_taken_when_it_is_free_or_ours(kept: Kept, why: str | None) -> None:
    found = untakeable(kept, BY)
    assert (found is None) if why is None else (found is not None and why in ENGLISH.render(found))


def test_who_sees_a_site_is_told_by_name_and_a_majority_of_two_at_least_has_to_agree() -> None:
    site = Site(CENTRE, "Douala", seen_by={"ocm": (CheckId("ocm-centre"),)})
    assert vantages(site, "secours", voters=True) == ("secours", "voters", "ocm")
    assert vantages(site, "secours", voters=False) == ("secours", "ocm")
    assert [enough(count) for count in range(6)] == [2, 2, 2, 2, 3, 3]
