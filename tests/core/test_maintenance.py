"""Announced work: when it goes on, what it excuses, across changes of the clocks and ends by hand."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.core.ids import CheckId, NodeId
from monitor.core.maintenance import (
    Span,
    Weekly,
    Window,
    excused,
    excused_until,
    scope_of,
    window_from_json,
    window_to_json,
)
from monitor.core.topology import Node, Topology

DOUALA, PARIS = ZoneInfo("Africa/Douala"), ZoneInfo("Europe/Paris")
H = timedelta(hours=1)
SCOPE = frozenset({CheckId("crm")})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


ONCE = Window("patch", SCOPE, Span(at("2026-12-01 21:00"), at("2026-12-02 01:00")), kind="hermes-patch")
SUNDAYS = Window("nightly", SCOPE, Weekly(time(2), frozenset({6}), 2 * H, DOUALA))


@pytest.mark.parametrize(
    ("window", "moment", "going"),
    [
        (ONCE, "2026-12-01 20:59:59", False),
        (ONCE, "2026-12-01 21:00", True),
        (ONCE, "2026-12-02 00:59:59", True),
        (ONCE, "2026-12-02 01:00", False),
        (SUNDAYS, "2026-11-29 00:59", False),  # Douala is an hour ahead of UTC
        (SUNDAYS, "2026-11-29 01:00", True),
        (SUNDAYS, "2026-11-29 02:59", True),
        (SUNDAYS, "2026-11-29 03:00", False),
        (SUNDAYS, "2026-11-28 01:30", False),
    ],
)
def test_it_goes_on_from_its_start_to_before_its_end(window, moment, going):
    assert (window.span_at(at(moment)) is not None) is going


@pytest.mark.parametrize(
    ("begin", "day", "start"),
    [
        (time(2, 30), "2026-03-29", "2026-03-29 01:30"),  # left out that night: what would have been 2:30 winter time
        (time(2, 30), "2026-10-25", "2026-10-25 00:30"),  # comes twice: the first
        (time(4), "2026-10-25", "2026-10-25 03:00"),
    ],
)
def test_a_change_of_the_clocks_moves_no_work_to_another_hour_of_the_site(begin, day, start):
    weekly = Weekly(begin, frozenset({6}), H, PARIS)
    (span,) = weekly.spans(datetime.fromisoformat(day).date(), datetime.fromisoformat(day).date())
    assert span == Span(at(start), at(start) + H)


def test_the_second_sunday_is_the_second_sunday():
    weekly = Weekly(time(2), frozenset({6}), H, DOUALA, frozenset({2}))
    days = [span.start.date().isoformat() for span in weekly.spans(at("2026-11-01").date(), at("2027-01-31").date())]
    assert days == ["2026-11-08", "2026-12-13", "2027-01-10"]


def test_work_longer_than_a_day_still_goes_on_the_day_after():
    long = Window("move", SCOPE, Weekly(time(12), frozenset({4}), timedelta(days=2), DOUALA))
    assert long.span_at(at("2026-11-29 10:00")) == Span(at("2026-11-27 11:00"), at("2026-11-29 11:00"))


def test_the_next_span_is_the_one_that_goes_on_or_the_one_to_come():
    assert ONCE.next_span(at("2026-11-26 09:00")) == ONCE.when
    assert ONCE.next_span(at("2026-12-01 22:00")) == ONCE.when
    assert ONCE.next_span(at("2026-12-02 01:00")) is None
    assert SUNDAYS.next_span(at("2026-11-29 01:30")) == Span(at("2026-11-29 01:00"), at("2026-11-29 03:00"))
    assert SUNDAYS.next_span(at("2026-11-29 03:00")) == Span(at("2026-12-06 01:00"), at("2026-12-06 03:00"))


def test_ended_by_hand_it_ends_then_and_the_next_one_comes_all_the_same():
    ended = SUNDAYS.cut_short(at("2026-11-29 01:30"))
    assert ended.span_at(at("2026-11-29 01:29")) is not None
    assert ended.span_at(at("2026-11-29 01:30")) is None
    assert ended.span_at(at("2026-12-06 01:30")) is not None


def test_work_that_is_to_come_can_be_called_off_and_work_that_is_over_cannot_be_ended():
    called_off = ONCE.cut_short(at("2026-11-26 09:00"))
    assert called_off.span_at(at("2026-12-01 22:00")) is None
    assert called_off.next_span(at("2026-11-26 09:00")) is None
    assert ONCE.cut_short(at("2026-12-03 00:00")) is None


def test_an_announced_incident_goes_before_silence():
    silent = Window("a", SCOPE, ONCE.when)
    assert excused((silent, ONCE), CheckId("crm"), at("2026-12-01 22:00")) is ONCE
    assert excused((silent, ONCE), CheckId("sql"), at("2026-12-01 22:00")) is None
    assert excused((silent, ONCE), CheckId("crm"), at("2026-12-01 20:00")) is None


def test_what_began_during_silent_work_counts_from_its_end():
    silent = Window("a", SCOPE, ONCE.when)
    then = Window("b", SCOPE, Span(at("2026-12-02 00:30"), at("2026-12-02 02:00")))
    now, since = at("2026-12-02 03:00"), at("2026-12-01 23:00")
    assert excused_until((silent,), CheckId("crm"), since, now) == at("2026-12-02 01:00")
    assert excused_until((silent, then), CheckId("crm"), since, now) == at("2026-12-02 02:00")
    assert excused_until((ONCE,), CheckId("crm"), since, now) == since
    assert excused_until((silent,), CheckId("crm"), at("2026-12-01 20:00"), now) == at("2026-12-01 20:00")


def test_it_excuses_its_devices_and_what_is_reached_only_through_them():
    parents = {"switch": (), "other": (), "hermes": ("switch",), "poste": ("hermes",), "twin": ("switch", "other")}
    nodes = {NodeId(n): Node(NodeId(n), tuple(map(NodeId, above))) for n, above in parents.items()}
    topology = Topology(nodes, {CheckId(f"ping-{n}"): NodeId(n) for n in parents})
    assert scope_of(topology, [NodeId("hermes")]) == {"ping-hermes", "ping-poste"}
    assert scope_of(topology, [NodeId("switch")], [CheckId("sql")]) == {
        "sql",
        "ping-switch",
        "ping-hermes",
        "ping-poste",
    }
    assert "ping-twin" in scope_of(topology, [NodeId("switch"), NodeId("other")])


@pytest.mark.parametrize(
    "window",
    [
        Window("w", frozenset(), ONCE.when, "hermes-patch", "v5", (NodeId("n"),), (CheckId("c"),), "uid:0", None, {}),
        Window("w", frozenset(), ONCE.when, by="uid:0", ended=at("2026-12-01 22:00"), titles={"fr": "Mise à jour"}),
    ],
)
def test_what_people_announce_is_kept_as_it_is(window):
    assert window_from_json(window_to_json(window)) == window


def test_of_the_inventory_s_work_only_its_end_is_kept():
    ended = SUNDAYS.cut_short(at("2026-11-29 01:30"))
    kept = window_from_json(window_to_json(ended))
    assert (kept.id, kept.ended, kept.by) == (ended.id, ended.ended, "")
    assert kept.span_at(at("2026-11-29 01:10")) is None
