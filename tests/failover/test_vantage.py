"""What several vantage points together say of a site."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.language import speech
from failover.model import SiteId
from failover.vantage import PEER, VOTERS, Look, Sight, View, called, sighted
from monitor.core.text import say

CENTRE = SiteId("centre")
NOW = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
EVERY = timedelta(seconds=10)
UP, DOWN, UNKNOWN = View.UP, View.DOWN, View.UNKNOWN
THREE = ("client", "ours", "peer")


def look(by: str, view: View, age: float = 3) -> Look:
    return Look(by, CENTRE, view, NOW - timedelta(seconds=age), EVERY)


def sight(*looks: Look, vantages: tuple[str, ...] = THREE) -> Sight:
    return sighted(looks, vantages, [CENTRE], NOW)[CENTRE].sight


@pytest.mark.parametrize(
    ("views", "is_seen"),
    [
        ((UP, UP, UP), Sight.UP),
        ((UP, UNKNOWN, UNKNOWN), Sight.UP),
        ((DOWN, DOWN, DOWN), Sight.LOST),
        ((DOWN, DOWN, UNKNOWN), Sight.LOST),
        ((DOWN, UNKNOWN, UNKNOWN), Sight.LONE),
        ((DOWN, DOWN, UP), Sight.SPLIT),
        ((UNKNOWN, UNKNOWN, UNKNOWN), Sight.UNSEEN),
    ],
)
def test_a_site_is_lost_when_a_majority_sees_it_down_and_nobody_up(views: tuple[View, ...], is_seen: Sight) -> None:
    assert sight(*(look(by, view) for by, view in zip(THREE, views, strict=True))) is is_seen


def test_the_only_vantage_point_there_is_does_not_suffice() -> None:
    assert sight(look("ours", DOWN), vantages=("ours",)) is Sight.LONE


def test_two_of_five_are_no_majority() -> None:
    looks = [look("ours", DOWN), look("peer", DOWN)]
    assert sight(*looks, vantages=(*THREE, "mobile", "cloud")) is Sight.LONE


@pytest.mark.parametrize(("age", "is_seen"), [(20, Sight.LOST), (21, Sight.LONE), (-5, Sight.LOST), (-6, Sight.LONE)])
def test_a_look_that_is_too_old_or_of_a_time_to_come_tells_nothing(age: float, is_seen: Sight) -> None:
    assert sight(look("ours", DOWN), look("client", DOWN, age)) is is_seen


def test_the_latest_look_of_a_vantage_point_counts_whatever_order_they_come_in() -> None:
    assert sight(look("ours", DOWN, 1), look("client", DOWN, 1), look("ours", UP, 9)) is Sight.LOST


def test_who_is_not_named_in_the_inventory_is_not_heard() -> None:
    assert sight(look("ours", DOWN), look("stranger", DOWN)) is Sight.LONE


def test_it_is_told_who_sees_what() -> None:
    (seen,) = sighted([look("ours", DOWN), look("client", UP)], THREE, [CENTRE], NOW).values()
    assert (seen.up, seen.down, seen.silent) == (("client",), ("ours",), ("peer",))


@pytest.mark.parametrize(
    ("names", "english", "french"),
    [
        ((), "-", "-"),
        (("centre",), "centre", "centre"),
        (("centre", VOTERS, "ocm"), "centre, the voters, ocm", "centre, les votants, ocm"),
        ((PEER,), "the Relève that stands there", "la Relève qui s’y trouve"),
    ],
)
def test_people_read_who_sees_a_site_in_their_language(names, english, french):
    for words, told in (("en", english), ("fr", french)):
        assert speech(words).render(say("{names}", names=called(names))) == told
