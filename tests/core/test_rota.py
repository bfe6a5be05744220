"""Rotas: exactly one person at any moment, changes at handovers alone, and right when the clocks change."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.incident import Refused
from monitor.core.rota import (
    Override,
    Roster,
    Rota,
    Rotation,
    Shift,
    Shifts,
    Spell,
    instant,
    override_from_json,
    override_to_json,
    with_override,
)

DOUALA, PARIS = ZoneInfo("Africa/Douala"), ZoneInfo("Europe/Paris")
MONDAY, EIGHT = date(2026, 1, 5), time(8)
WORKDAYS, WEEKEND = frozenset(range(5)), frozenset({5, 6})
WEEKLY = Rotation(("awa", "ben", "eva"), EIGHT, MONDAY, 7)
OFFICE = Shifts((
    Shift("awa", WORKDAYS, time(8), time(18)),
    Shift("ben", WORKDAYS, time(18), time(8)),
    Shift("eva", WEEKEND, time(8), time(8)),
))  # fmt: skip


def at(text: str, zone: ZoneInfo = DOUALA) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "who"),
    [
        ("2026-01-05 08:00", "awa"),
        ("2026-01-12 07:59:59", "awa"),
        ("2026-01-12 08:00", "ben"),
        ("2026-01-19 08:00", "eva"),
        ("2026-01-26 08:00", "awa"),
        ("2026-01-05 07:59:59", "eva"),
    ],
)
def test_a_week_goes_from_handover_to_handover_in_site_time(moment, who):
    assert Rota("duty", DOUALA, WEEKLY).on_duty((), at(moment)) == who


def test_a_rotation_by_day_hands_over_every_day():
    rota = Rota("duty", DOUALA, Rotation(("awa", "ben"), EIGHT, MONDAY, 1))
    assert [rota.on_duty((), at(f"2026-01-0{day} 09:00")) for day in (5, 6, 7)] == ["awa", "ben", "awa"]


@pytest.mark.parametrize(
    ("moment", "who"),
    [
        ("2026-01-05 08:00", "awa"),
        ("2026-01-05 17:59", "awa"),
        ("2026-01-05 18:00", "ben"),
        ("2026-01-06 07:59", "ben"),
        ("2026-01-10 07:59", "ben"),
        ("2026-01-10 08:00", "eva"),
        ("2026-01-12 07:59", "eva"),
    ],
)
def test_fixed_shifts_go_by_the_day_of_the_week(moment, who):
    assert Rota("duty", DOUALA, OFFICE).on_duty((), at(moment)) == who


def test_a_holiday_has_the_duty_that_begins_on_it():
    rota = Rota("duty", DOUALA, WEEKLY, {date(2026, 1, 7): "eva"})
    spells = rota.spells((), at("2026-01-06 12:00"), at("2026-01-09 00:00"))
    assert [(one.who, one.start) for one in spells] == [
        ("awa", at("2026-01-06 12:00")), ("eva", at("2026-01-07 08:00")), ("awa", at("2026-01-08 08:00")),
    ]  # fmt: skip


def test_the_override_made_last_holds_and_only_for_its_rota():
    rota = Rota("duty", DOUALA, WEEKLY)
    start, end = at("2026-01-06 20:00"), at("2026-01-07 20:00")
    taken = [
        Override("duty", "ben", start, end),
        Override("other", "ben", start - timedelta(days=3), end),
        Override("duty", "eva", start + timedelta(hours=2), end - timedelta(hours=2)),
    ]
    spells = rota.spells(taken, start - timedelta(hours=1), end + timedelta(hours=1))
    assert [one.who for one in spells] == ["awa", "ben", "eva", "ben", "awa"]
    assert spells[1].start == start
    assert spells[3].end == end


def test_who_is_on_duty_and_next_say_since_when_and_until_when():
    rota = Rota("duty", DOUALA, WEEKLY)
    assert rota.now_and_next((), at("2026-01-07 03:00")) == (
        Spell("awa", at("2026-01-05 08:00"), at("2026-01-12 08:00")),
        Spell("ben", at("2026-01-12 08:00"), at("2026-01-19 08:00")),
    )


def test_one_who_is_alone_is_on_duty_for_ever():
    rota = Rota("duty", PARIS, Rotation(("awa",), EIGHT, MONDAY, 7))
    assert rota.now_and_next((), at("2026-01-07 03:00")) == (Spell("awa", None, None), None)


@pytest.mark.parametrize(
    ("day", "written", "zone", "moment"),
    [
        (date(2026, 3, 29), time(2, 30), PARIS, "2026-03-29T01:00:00+00:00"),
        (date(2026, 3, 29), time(3, 0), PARIS, "2026-03-29T01:00:00+00:00"),
        (date(2026, 3, 29), time(1, 59), PARIS, "2026-03-29T00:59:00+00:00"),
        (date(2026, 10, 25), time(2, 30), PARIS, "2026-10-25T00:30:00+00:00"),
        (date(2026, 10, 25), time(3, 0), PARIS, "2026-10-25T02:00:00+00:00"),
        (date(2026, 3, 29), time(2, 30), DOUALA, "2026-03-29T01:30:00+00:00"),
    ],
)
def test_a_handover_in_the_night_in_which_the_clocks_change_takes_place_once(day, written, zone, moment):
    assert instant(day, written, zone) == datetime.fromisoformat(moment)


def test_the_week_of_summer_time_is_an_hour_shorter():
    rota = Rota("duty", PARIS, WEEKLY)
    now, _ = rota.now_and_next((), at("2026-03-28 12:00", PARIS))
    assert now.end - now.start == timedelta(days=7, hours=-1)
    assert now.end == at("2026-03-30 08:00", PARIS)


def test_a_rota_stands_for_one_person_and_a_contact_for_itself():
    roster = Roster({"duty": Rota("duty", DOUALA, WEEKLY)})
    moment = at("2026-01-06 12:00")
    assert roster.people(["boss", "duty", "awa"], moment) == ("boss", "awa")


def test_an_override_is_kept_for_a_month_and_written_as_it_is():
    start = at("2026-01-06 20:00")
    override = Override("duty", "ben", start, start + timedelta(hours=4), "uid:0")
    assert override_from_json(override_to_json(override)) == override
    later = Override("duty", "eva", start + timedelta(days=40), start + timedelta(days=41))
    assert with_override([override], later, start + timedelta(days=31)) == (override, later)
    assert with_override([override], later, start + timedelta(days=32)) == (later,)


def test_an_override_leaves_what_is_past_as_it_was():
    start = at("2026-01-06 20:00")
    override = Override("duty", "ben", start, start + timedelta(hours=4), "uid:0")
    now = start + timedelta(hours=1)
    assert with_override([], override, now)[0].start == now


def test_there_is_an_end_to_the_overrides_that_are_kept():
    start = at("2026-01-06 20:00")
    override = Override("duty", "ben", start, start + timedelta(hours=4), "uid:0")
    with pytest.raises(Refused, match="are enough"):
        with_override([override] * 200, override, start)


names = st.sampled_from(["awa", "ben", "eva", "ida"])
times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
zones = st.sampled_from([DOUALA, PARIS, ZoneInfo("America/St_Johns"), ZoneInfo("Australia/Lord_Howe")])
rotations = st.builds(
    Rotation, st.lists(names, min_size=1, max_size=4).map(tuple), times, st.just(MONDAY), st.sampled_from([1, 2, 7, 14])
)


@st.composite
def all_week(draw):
    """Shifts that change at the same times every day, as a person would draw a week."""
    starts = sorted(draw(st.sets(times, min_size=1, max_size=4)))
    ends = [*starts[1:], starts[0]]
    groups = draw(st.sampled_from([[frozenset(range(7))], [WORKDAYS, WEEKEND]]))
    return Shifts(tuple(Shift(draw(names), days, b, e) for days in groups for b, e in zip(starts, ends, strict=True)))


holidays = st.dictionaries(st.dates(date(2026, 3, 20), date(2026, 4, 10)), names, max_size=3)
rotas = st.builds(Rota, st.just("duty"), zones, st.one_of(rotations, all_week()), holidays)


def between(first, last):
    start, end = (datetime(*day, tzinfo=UTC) for day in (first, last))
    return st.integers(0, int((end - start).total_seconds())).map(lambda seconds: start + timedelta(seconds=seconds))


# Around both changes of the clocks of 2026, and long before the first turn.
moments = st.one_of(
    between((2026, 3, 25), (2026, 4, 8)),
    between((2026, 10, 20), (2026, 11, 5)),
    between((2024, 1, 1), (2024, 1, 20)),
)


@given(rotas, moments, st.lists(st.integers(0, 10 * 86400), max_size=20))
def test_at_any_second_exactly_one_person_is_on_duty_and_spells_agree(rota, start, seconds):
    end = start + timedelta(days=10)
    spells = rota.spells((), start, end)
    assert (spells[0].start, spells[-1].end) == (start, end)
    assert all(one.end == other.start and one.who != other.who for one, other in pairwise(spells))
    for second in seconds:
        moment = start + timedelta(seconds=second)
        held = [one.who for one in spells if one.start <= moment < one.end]
        assert held == ([rota.on_duty((), moment)] if moment < end else [])


@given(rotas, moments)
def test_people_change_at_handovers_alone(rota, start):
    for spell in rota.spells((), start, start + timedelta(days=10))[1:]:
        local = spell.start.astimezone(rota.zone)
        written = {shift.begins for day in (-1, 0) for shift in rota.pattern.turns(local.date() + timedelta(days=day))}
        assert spell.start in {instant(local.date(), one, rota.zone) for one in written}


@given(rotas, moments, names, st.integers(1, 50), st.integers(1, 50))
def test_an_override_changes_its_own_hours_and_no_others(rota, start, who, after, hours):
    begins = start + timedelta(hours=after)
    override = Override("duty", who, begins, begins + timedelta(hours=hours))
    for hour in range(110):
        moment = start + timedelta(hours=hour)
        inside = override.start <= moment < override.end
        assert rota.on_duty([override], moment) == (who if inside else rota.on_duty((), moment))


@given(zones, st.dates(date(2026, 3, 1), date(2026, 11, 30)), st.lists(times, min_size=2, max_size=6))
def test_a_later_time_of_day_is_never_an_earlier_moment(zone, day, written):
    moments = [instant(day, one, zone) for one in sorted(written)]
    assert moments == sorted(moments)
    assert moments[-1] <= instant(day + timedelta(days=1), time(0), zone)
