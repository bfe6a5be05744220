"""`maintenance:` of an inventory, and moments as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.maintenance import Span, Weekly
from monitor.core.text import ENGLISH
from monitor.core.topology import Node, Topology
from monitor.inventory.maintenance import (
    DAYS,
    BadWindow,
    doubt_at,
    end_after,
    moment_at,
    span_of,
    time_at,
    weekly_of,
    window_of,
)
from monitor.inventory.problems import Level

DOUALA, PARIS = ZoneInfo("Africa/Douala"), ZoneInfo("Europe/Paris")
TODAY = date(2026, 12, 1)
SITE = """\
site: {name: X, timezone: Africa/Douala}
devices:
  router: {address: 10.0.0.3, role: server, snmp: {version: 2c, community: env:HOME}}
  hermes: {address: 10.0.0.1, role: server, parent: router}
  behind: {address: 10.0.0.2, role: server, parent: [hermes, fo]}
  bare: {address: 10.0.0.4}
links:
  fo: {technology: FO, device: router, interface: e0, capacity: 4 Mbit/s, peer: 10.0.0.9}
checks:
  web: {probe: http, device: hermes, port: 80}
maintenance:
"""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


# ---------------------------------------------------------------------------------------------------------- moments


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-12-01 22:00", "2026-12-01T21:00+00:00"),
        ("2026-12-01T22:00:30", "2026-12-01T21:00:30+00:00"),
        (" 2026-12-01  8:05 ", "2026-12-01T07:05+00:00"),
        ("22:00", "2026-12-01T21:00+00:00"),
        ("0:30", "2026-11-30T23:30+00:00"),
        ("2026-12-01 22:00Z", "2026-12-01T22:00+00:00"),
        ("2026-12-01t22:00z", "2026-12-01T22:00+00:00"),
        ("2026-12-01 22:00 +05:30", "2026-12-01T16:30+00:00"),
        ("2026-12-01T22:00-0800", "2026-12-02T06:00+00:00"),
        ("2026-12-01T22:00+02", "2026-12-01T20:00+00:00"),
    ],
)
def test_a_moment_is_read_in_the_sites_time_unless_it_has_an_offset(written, meant):
    found = moment_at(written, DOUALA, TODAY)
    assert found == at(meant)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "'' is no moment"),
        ("tonight", "'tonight' is no moment"),
        ("2026-12-01", "'2026-12-01' is no moment"),
        ("01/12/2026 22:00", "'01/12/2026 22:00' is no moment"),
        ("2026-13-01 22:00", "'2026-13-01 22:00' is no moment"),
        ("2026-12-01 25:00", "'2026-12-01 25:00' is no moment"),
        ("2026-12-01 22:60", "'2026-12-01 22:60' is no moment"),
        ("2026-12-01 22:00 +30:00", "'2026-12-01 22:00 +30:00' is no moment"),
        ("٢٢:٠٠", "'٢٢:٠٠' is no moment"),
        ("22:00Z", "'22:00Z' has no date"),
        ("1999-12-31 22:00", "'1999-12-31 22:00' lies in another century"),
        ("9999-12-31 23:59", "'9999-12-31 23:59' lies in another century"),
    ],
)
def test_what_is_no_moment_is_refused_with_a_remedy(written, why):
    with pytest.raises(BadWindow) as error:
        moment_at(written, DOUALA, TODAY)
    assert ENGLISH.render(error.value.text) == why
    assert ENGLISH.render(error.value.hint) == 'write "2026-12-01 22:00"'


def test_a_time_alone_needs_a_day():
    with pytest.raises(BadWindow, match="'22:00' has no date"):
        moment_at("22:00", DOUALA)


@given(st.text(max_size=30))
def test_no_text_does_more_than_be_refused(written):
    try:
        moment_at(written, PARIS, TODAY)
    except BadWindow as error:
        assert error.text


@given(st.dates(date(2000, 1, 2), date(2099, 12, 30)), st.times(), st.sampled_from([DOUALA, PARIS, UTC]))
def test_a_moment_that_is_written_is_the_moment_that_is_read(day, hour, zone):
    local = datetime.combine(day, hour.replace(microsecond=0))
    written = local.isoformat(sep=" ")
    found = moment_at(written, zone)
    if not doubt_at(written, zone):
        assert found.astimezone(zone).replace(tzinfo=None) == local


@pytest.mark.parametrize(
    ("written", "taken", "doubt"),
    [
        ("2026-03-29 02:30", "2026-03-29T01:30+00:00", "the clocks of the site jump over 2026-03-29 02:30"),
        ("2026-10-25 02:30", "2026-10-25T00:30+00:00",
         "2026-10-25 02:30 comes twice that night: the first one is taken, 2026-10-25 02:30+02:00"),
        ("2026-03-29 03:30", "2026-03-29T01:30+00:00", ""),
        ("2026-10-25 02:30+01:00", "2026-10-25T01:30+00:00", ""),
        ("2026-07-01 02:30", "2026-07-01T00:30+00:00", ""),
    ],
)  # fmt: skip
def test_a_time_that_is_left_out_or_comes_twice_is_doubtful(written, taken, doubt):
    assert moment_at(written, PARIS) == at(taken)
    assert ENGLISH.render(doubt_at(written, PARIS)).startswith(doubt)
    assert bool(doubt_at(written, PARIS)) is bool(doubt)


def test_an_end_that_is_a_time_alone_is_the_first_such_time_after_the_start():
    start = moment_at("2026-12-01 22:00", DOUALA)
    assert end_after("02:00", DOUALA, start) == at("2026-12-02T02:00+01:00")
    assert end_after("23:00", DOUALA, start) == at("2026-12-01T23:00+01:00")
    assert end_after("22:00", DOUALA, start) == at("2026-12-02T22:00+01:00")
    assert end_after("2026-12-05 22:00", DOUALA, start) == at("2026-12-05T22:00+01:00")
    assert end_after("2026-11-05 22:00", DOUALA, start) < start


def test_a_time_of_day_is_read():
    assert time_at("02:00") == time(2)
    assert time_at("9:30") == time(9, 30)
    for wrong in ("2026-12-01 02:00", "2 h", "25:00", "02:00Z"):
        with pytest.raises(BadWindow):
            time_at(wrong)


# ---------------------------------------------------------------------------------------------------------- windows

TOPOLOGY = Topology(
    {"a": Node("a"), "b": Node("b", ("a",)), "c": Node("c", ("b", "d")), "d": Node("d")},
    {"a-ping": "a", "b-ping": "b", "c-ping": "c", "d-ping": "d"},
)
NIGHT = Span(at("2026-12-01T22:00+01:00"), at("2026-12-02T02:00+01:00"))


def test_a_window_has_the_checks_of_its_devices_and_of_what_is_reached_only_through_them():
    window = window_of(
        "patch", NIGHT, TOPOLOGY, nodes=["a", "a"], checks=["d-ping"], kind="power", reason="why", by="me"
    )
    assert window.scope == {"a-ping", "b-ping", "d-ping"}
    assert (window.nodes, window.checks) == (("a",), ("d-ping",))
    assert (window.id, window.kind, window.reason, window.by, window.when) == ("patch", "power", "why", "me", NIGHT)


@pytest.mark.parametrize(
    ("keys", "why", "hint"),
    [
        ({"nodes": ["a", "x"]}, "there is no device or link x", "there are: a, b, c, d"),
        ({"checks": ["a-pong"]}, "there is no check a-pong", "did you mean a-ping?"),
        ({}, "no check is concerned", "name devices that are watched, or checks"),
    ],
)
def test_a_window_of_nothing_or_of_what_is_not_there_is_refused(keys, why, hint):
    with pytest.raises(BadWindow) as error:
        window_of("patch", NIGHT, TOPOLOGY, **keys)
    assert (ENGLISH.render(error.value.text), ENGLISH.render(error.value.hint)) == (why, hint)


def test_a_span_ends_after_it_begins_and_within_a_month():
    assert span_of(NIGHT.start, NIGHT.end) == NIGHT
    assert span_of(NIGHT.start, NIGHT.start + timedelta(days=31)).end - NIGHT.start == timedelta(days=31)
    with pytest.raises(BadWindow, match="it would end before it begins"):
        span_of(NIGHT.start, NIGHT.start)
    with pytest.raises(BadWindow, match="it lasts too long: 31\xa0d at most"):
        span_of(NIGHT.start, NIGHT.start + timedelta(days=31, seconds=1))


@pytest.mark.parametrize(
    ("days", "hours", "ends"),
    [(range(7), 23, True), (range(7), 24, False), ([6], 167, True), ([6], 168, False), ([0, 1], 143, True),
     ([0, 1], 144, False), ([5, 6], 49, True)],
)  # fmt: skip
def test_work_that_recurs_must_end_before_all_of_the_next_has_begun(days, hours, ends):
    length = timedelta(hours=hours)
    if ends:
        assert weekly_of(time(2), length, DOUALA, days) == Weekly(time(2), frozenset(days), length, DOUALA)
    else:
        with pytest.raises(BadWindow, match="it never ends"):
            weekly_of(time(2), length, DOUALA, days)


def test_days_have_a_full_and_a_short_name_in_each_language():
    assert sorted(DAYS.values()) == sorted([*range(7)] * 4)
    assert (DAYS["mon"], DAYS["lundi"], DAYS["sunday"], DAYS["dim"]) == (0, 0, 6, 6)


# ------------------------------------------------------------------------------------------------------- inventories


@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_work_that_is_announced_once_is_read(read, lines, quote):
    loaded = read(
        SITE + "  patch:\n    title: {fr: Mise à jour, en: Update}\n    devices: hermes\n    checks: [fo]\n"
        f"    incident: hermes-patch\n    from: {quote}2026-12-01 22:00{quote}\n"
        f"    until: {quote}2026-12-02 02:00{quote}\n"
    )
    assert lines(loaded.problems) == []
    (window,) = loaded.inventory.plan.maintenance
    assert (window.id, window.kind, window.when) == ("patch", "hermes-patch", NIGHT)
    assert window.scope == {"web", "hermes-ping", "fo"}
    assert (window.nodes, window.checks, window.by) == (("hermes",), ("fo",), "")
    assert window.titles == {"fr": "Mise à jour", "en": "Update"}


def test_work_on_what_everything_stands_behind_concerns_all_of_it(read):
    (window,) = read(SITE + "  w: {devices: [router], from: 2026-12-01 22:00, for: 4 h}\n").inventory.plan.maintenance
    assert window.when == NIGHT
    assert window.kind == ""
    assert window.scope == {"router-ping", "web", "hermes-ping", "behind-ping", "fo", "fo-peer"}


def test_work_on_a_link_concerns_its_far_end(read):
    (window,) = read(SITE + "  w: {devices: fo, from: 2026-12-01T21:00Z, until: 02:00}\n").inventory.plan.maintenance
    assert (window.when, window.scope) == (NIGHT, {"fo", "fo-peer"})


def test_work_that_recurs_is_read(read, lines):
    loaded = read(
        SITE
        + '  nightly: {devices: [hermes], days: [sun, Lundi, TUESDAY, mer], at: "02:00", for: 2h, weeks: [1, 3]}\n'
        + "  daily: {checks: web, at: 02:00, for: 90 min}\n"
        + "  monthly: {checks: web, days: dimanche, at: 3:15, for: 31 d, weeks: 2}\n"
    )
    assert lines(loaded.problems) == []
    nightly, daily, monthly = (window.when for window in loaded.inventory.plan.maintenance)
    zone = loaded.inventory.site.timezone
    assert nightly == Weekly(time(2), frozenset({6, 0, 1, 2}), timedelta(hours=2), zone, frozenset({1, 3}))
    assert daily == Weekly(time(2), frozenset(range(7)), timedelta(minutes=90), zone)
    assert monthly == Weekly(time(3, 15), frozenset({6}), timedelta(days=31), zone, frozenset({2}))


def test_without_any_there_is_none(read):
    assert read("site: {name: X}\nmaintenance: {}\n").inventory.plan.maintenance == ()


ONCE = "from: 2026-12-01 22:00, for: 4 h"
ERRORS = {
    "unknown device": (
        f"w: {{devices: [hermès], {ONCE}}}",
        "12:17 maintenance.w.devices: there is no device or link hermès (did you mean hermes?)",
    ),
    "unknown check": (
        f"w: {{checks: [wbe], {ONCE}}}", "12:16 maintenance.w.checks: there is no check wbe (did you mean web?)",
    ),
    "unknown kind": (
        f"w: {{checks: web, incident: powr, {ONCE}}}",
        "12:30 maintenance.w.incident: there is no incident kind powr (did you mean power?)",
    ),
    "a kind of what cannot be seen": (
        f"w: {{checks: web, incident: blind, {ONCE}}}",
        "12:30 maintenance.w.incident: work cannot be announced as blind: that is what nobody can see (there are: "
        "crm-disconnected, data-loss, hermes-patch, hmp-disk-full, link-unstable, other, power, server-reboot, "
        "service-stopped)",
    ),
    "nothing": (
        f"w: {{{ONCE}}}",
        "12:3 maintenance.w: devices is missing (or checks: it needs something that it concerns)",
    ),
    "a device without checks": (
        f"w: {{devices: bare, {ONCE}}}",
        "12:6 maintenance.w: no check is concerned (name devices that are watched, or checks)",
    ),
    "no time": ("w: {checks: web, for: 4 h}", "12:3 maintenance.w: from is missing (or at, for work that recurs)"),
    "both": (
        "w: {checks: web, from: 2026-12-01 22:00, at: 02:00, for: 4 h}",
        "12:44 maintenance.w.at: from and at exclude each other (keep one of them)",
    ),
    "days of what happens once": (
        f"w: {{checks: web, {ONCE}, days: [sun]}}",
        "12:54 maintenance.w.days: from and days exclude each other (keep one of them)",
    ),
    "the end of what recurs": (
        "w: {checks: web, at: 02:00, until: 03:00}",
        "12:31 maintenance.w.until: at and until exclude each other (keep one of them)",
    ),
    "two ends": (
        f"w: {{checks: web, {ONCE}, until: 2026-12-02 02:00}}",
        "12:44 maintenance.w.for: until and for exclude each other (keep one of them)",
    ),
    "no end": (
        "w: {checks: web, from: 2026-12-01 22:00}", "12:3 maintenance.w: for is missing (how long it lasts: 4 h)",
    ),
    "no end of what recurs": (
        "w: {checks: web, at: 02:00}", "12:3 maintenance.w: for is missing (how long it lasts: 4 h)",
    ),
    "end before start": (
        "w: {checks: web, from: 2026-12-01 22:00, until: 2026-12-01 21:00}",
        "12:51 maintenance.w.until: it would end before it begins",
    ),
    "too long": (
        "w: {checks: web, from: 2026-12-01 22:00, for: 32 d}",
        "12:49 maintenance.w.for: it lasts too long: 31\xa0d at most"
        " (what is to last longer is a change of the inventory)",
    ),
    "never over": (
        "w: {checks: web, at: 02:00, for: 1 d}",
        "12:36 maintenance.w.for: it never ends: the next one has begun before (a window is to end)",
    ),
    "no moment": (
        "w: {checks: web, from: tonight, for: 4 h}",
        "12:26 maintenance.w.from: 'tonight' is no moment (write \"2026-12-01 22:00\")",
    ),
    "no date": (
        "w: {checks: web, from: 22:00, for: 4 h}",
        "12:26 maintenance.w.from: '22:00' has no date (write \"2026-12-01 22:00\")",
    ),
    "no moment at the end": (
        "w: {checks: web, from: 2026-12-01 22:00, until: dawn}",
        "12:51 maintenance.w.until: 'dawn' is no moment (write \"2026-12-01 22:00\")",
    ),
    "no time of day": (
        "w: {checks: web, at: 2 h, for: 4 h}",
        "12:24 maintenance.w.at: '2 h' is no time of day (write \"02:00\")",
    ),
    "a number for a time of day": (
        "w: {checks: web, at: 2, for: 4 h}",
        '12:24 maintenance.w.at: a text is expected here, not 2 (write it in quotes: "2")',
    ),
    "no day": (
        "w: {checks: web, at: 02:00, for: 4 h, days: [sun, mondy]}",
        "12:53 maintenance.w.days: mondy is no day of the week (did you mean monday?)",
    ),
    "no week": (
        "w: {checks: web, at: 02:00, for: 4 h, weeks: [1, 6]}",
        "12:52 maintenance.w.weeks.1: 6 is too much: at most 5",
    ),
    "mistyped key": (
        "w: {checks: web, at: 02:00, fro: 4 h}",
        "12:31 maintenance.w.fro: unknown key fro (did you mean from?)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), ERRORS.values(), ids=ERRORS)
def test_each_mistake_is_told_once_where_it_stands(read, lines, text, expected):
    loaded = read(SITE + f"  {text}\n")
    assert lines(loaded.problems) == [expected]
    assert loaded.inventory is None


def test_a_doubtful_time_is_a_warning_that_says_what_is_taken(read, lines):
    text = SITE.replace("Africa/Douala", "Europe/Paris") + (
        "  spring: {checks: web, from: 2026-03-29 02:30, for: 4 h}\n"
        "  autumn: {checks: web, from: 2026-10-24 22:00, until: 02:30}\n"
    )
    loaded = read(text)
    assert lines(loaded.problems) == []
    assert [line for line in lines(loaded.problems, Level.WARNING) if "maintenance" in line] == [
        "12:31 maintenance.spring.from: the clocks of the site jump over 2026-03-29 02:30: 01:30 is taken"
        " (write it with its offset, as +01:00)",
        "13:56 maintenance.autumn.until: 02:30 comes twice that night: the first one is taken,"
        " 2026-10-25 02:30+02:00 (write it with its offset, as +01:00)",
    ]
    assert loaded.inventory.plan.maintenance[1].when.end == at("2026-10-25T00:30+00:00")


def test_a_check_that_is_wrong_is_not_missed_once_more(read, lines):
    text = SITE.replace("port: 80", "prot: 80") + f"  w: {{checks: [web], {ONCE}}}\n"
    assert lines(read(text).problems) == ["10:38 checks.web.prot: unknown key prot (did you mean port?)"]
