"""`rota:` of an inventory: what it may say, and what is wrong with it, located."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from alerts.escalation import Rung
from alerts.quiet import Quiet
from monitor.core.rota import Rotation
from monitor.core.text import ENGLISH
from monitor.inventory.maintenance import BadWindow
from monitor.inventory.problems import Level
from monitor.inventory.rota import date_of, handover_of

SITE = """\
site: {name: X, timezone: Africa/Douala}
contacts: {awa: {mail: a@b.cm}, ben: {mail: b@b.cm}, eva: {mail: e@b.cm}}
channels: {mail: {url: env:HOME}}
operations: {to: [duty]}
"""


def test_contacts_in_turn_by_week_with_words_of_either_language(read):
    text = "rota: {duty: {members: [awa, ben], handover: Lundi 8:00, from: 2026-01-05, holidays: {2026-12-25: eva}}}"
    reading = read(SITE + text)
    assert [one for one in reading.problems if one.level is Level.ERROR] == []
    rota = reading.inventory.rotas["duty"]
    assert rota.pattern == Rotation(("awa", "ben"), time(8), date(2026, 1, 5), 7)
    assert rota.holidays == {date(2026, 12, 25): "eva"}
    assert rota.on_duty((), datetime(2026, 1, 12, 7, 0, tzinfo=UTC)) == "ben"
    assert reading.inventory.protocol.operations == ("duty",)


@pytest.mark.parametrize(
    ("keys", "days"),
    [
        ('members: [awa, ben], handover: "08:00", from: 2026-01-06', 1),
        ('members: [awa, ben], handover: "08:00", from: 2026-01-06, every: 3 d', 3),
        ("members: [awa, ben], handover: tue 08:00, from: 2026-01-06, every: 2 semaines", 14),
        ("members: awa, handover: sun 08:00", 7),
    ],
)
def test_turns_are_of_days_or_weeks(read, keys, days):
    reading = read(SITE + f"rota: {{duty: {{{keys}}}}}")
    assert reading.inventory is not None, reading.problems
    assert reading.inventory.rotas["duty"].pattern.days == days


def test_fixed_shifts_and_rotas_may_stand_wherever_a_contact_may(read):
    text = """\
rota:
  duty:
    shifts:
      - {who: awa, days: [lun, mar, mer, jeu, ven], from: "08:00", until: "18:00"}
      - {who: ben, days: [mon, tue, wed, thu, fri], from: "18:00", until: "08:00"}
      - {who: eva, days: [samedi, sunday], from: "08:00", until: "08:00"}
protocol:
  first_notice: {to: [ben]}
  conference: {to: [duty, ben], bridge: "1"}
"""
    reading = read(SITE + text)
    assert reading.problems == ()
    assert reading.inventory.rotas["duty"].members == ("awa", "ben", "eva")
    assert reading.inventory.protocol.conference_to == ("duty", "ben")


def shifts(*lines):
    return "shifts: [" + ", ".join(f"{{{line}}}" for line in lines) + "]"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("members: [awa, bob], handover: mon 08:00, from: 2026-01-05",
         "5:30 rota.duty.members: there is no contact bob (there are: awa, ben, eva)"),
        ("members: [awa, ben], handover: mon 08:00, from: 2026-01-06",
         "5:63 rota.duty.from: 2026-01-06 is no day of handover: it is a Tuesday (write 2026-01-05)"),
        ("members: [awa, ben], handover: mon 08:00, from: 2026-02-30",
         "5:63 rota.duty.from: '2026-02-30' is no date (write 2026-12-25)"),
        ("members: [awa, ben], handover: mon 08:00",
         "5:8 rota.duty: from is missing (the day on which the turn of the first begins, as 2026-01-05)"),
        ("members: [awa, ben], from: 2026-01-05",
         '5:8 rota.duty: handover is missing (as "monday 08:00", or "08:00" for every day)'),
        ("members: awa, handover: moonday 08:00", "5:39 rota.duty.handover: moonday is no day of the week "
         "(did you mean monday?)"),
        ("members: awa, handover: mon 8h", "5:39 rota.duty.handover: '8h' is no time of day (write \"02:00\")"),
        ("members: awa, handover: mon 08:00, every: 3 d",
         "5:57 rota.duty.every: with a handover on a day of the week a turn is of whole weeks (such as 1 week, 14 d)"),
        ("members: awa, handover: '08:00', every: 12 h",
         "5:55 rota.duty.every: a turn is of whole days, 92\N{NO-BREAK SPACE}d at most (such as 1 week, 14 d)"),
        ("members: awa, handover: mon 08:00, holidays: {2026-12-32: awa}",
         "5:61 rota.duty.holidays.2026-12-32: '2026-12-32' is no date (write 2026-12-25)"),
        ("members: awa, handover: mon 08:00, holidays: {2026-12-25: bob}",
         "5:73 rota.duty.holidays.2026-12-25: there is no contact bob (there are: awa, ben, eva)"),
        ("handover: mon 08:00", "5:8 rota.duty: members is missing (or shifts)"),
        ("members: awa, " + shifts("who: awa, from: '08:00', until: '08:00'"),
         "5:15 rota.duty.members: shifts and members exclude each other (keep one of them)"),
        (shifts("who: awa, from: '08:00', until: '18:00', days: [tue, wed, thu, fri, sat, sun]",
                "who: ben, from: '18:00', until: '08:00'"),
         "5:15 rota.duty.shifts: nobody is on duty from Monday 08:00 to Monday 18:00 (add a shift)"),
        (shifts("who: awa, from: '08:00', until: '08:00'", "who: ben, from: '12:00', until: '13:00', days: lundi"),
         "5:67 rota.duty.shifts.1: two are on duty on Monday 12:00 (let one begin as the other ends)"),
        (shifts("who: bob, from: '08:00', until: '08:00'"),
         "5:30 rota.duty.shifts.0.who: there is no contact bob (there are: awa, ben, eva)"),
        (shifts("who: awa, from: '08:00', until: '08:00', days: [x]"),
         "5:73 rota.duty.shifts.0.days: x is no day of the week (there are: dim, dimanche, fri, friday, jeu, jeudi, "
         "lun, lundi, mar, mardi, mer, mercredi, ...)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_where_it_is(read, lines, keys, expected):
    assert lines(read(SITE + f"rota: {{duty: {{{keys}}}}}").problems) == [expected]


def test_no_rota_has_the_name_of_a_contact(read, lines):
    one = "{members: awa, handover: '08:00'}"
    assert lines(read(SITE + f"rota: {{duty: {one}, awa: {one}, all: {one}}}").problems) == [
        "5:49 rota.awa: awa is the name of a contact already (choose another name)",
        "5:89 rota.all: all is reserved: everybody told (choose another name)",
    ]


def test_an_unknown_name_in_to_is_told_with_the_names_of_rotas_too(read, lines):
    text = SITE.replace("[duty]", "[dutty]") + "rota: {duty: {members: awa, handover: '08:00'}}"
    assert lines(read(text).problems) == ["4:19 operations.to: there is no contact dutty (did you mean duty?)"]


def test_who_is_told_while_nobody_answers_in_turn(read):
    ladder = "operations: {to: [duty], escalation: [{after: 10 min, to: [duty, ben]}, {after: 1 h, to: [eva]}]}"
    text = SITE.replace("operations: {to: [duty]}", ladder) + "rota: {duty: {members: awa, handover: '08:00'}}"
    reading = read(text)
    assert reading.problems == ()
    assert reading.inventory.protocol.escalation == (
        Rung(timedelta(minutes=10), ("duty", "ben")), Rung(timedelta(hours=1), ("eva",)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ladder", "expected"),
    [
        ("[{after: 10 min, to: [bob]}]", "4:60 operations.escalation.0.to: there is no contact bob "
         "(there are: awa, ben, duty, eva)"),
        ("[{after: 10 min, to: [ben]}, {after: 10 min, to: [eva]}]",
         "4:67 operations.escalation.1.after: 10\N{NO-BREAK SPACE}min is not later than the "
         "10\N{NO-BREAK SPACE}min of the one before (each counts from the moment at which our own people were told)"),
        ("[]", "4:38 operations.escalation: this must not be empty"),
        ("[{to: [ben]}]", "4:39 operations.escalation.0: after is missing"),
        ("[{after: 0s, to: [ben]}]",
         "4:47 operations.escalation.0.after: 0s is too little: it must be more than 0\N{NO-BREAK SPACE}s"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_ladder_is_said_where_it_is(read, lines, ladder, expected):
    text = SITE.replace("to: [duty]", f"to: [duty], escalation: {ladder}")
    assert lines(read(text + "rota: {duty: {members: awa, handover: '08:00'}}").problems) == [expected]


def test_quiet_hours_are_of_the_sites_time(read):
    text = SITE.replace("to: [duty]", "to: [awa], quiet: {from: 22:00, to: 07:00}")
    reading = read(text)
    assert reading.problems == ()
    assert reading.inventory.protocol.quiet == Quiet(time(22), time(7), ZoneInfo("Africa/Douala"))


@pytest.mark.parametrize(
    ("quiet", "expected"),
    [
        ("{from: 22h, to: 07:00}", "4:39 operations.quiet.from: '22h' is no time of day (write \"02:00\")"),
        ("{from: 22:00, to: 22:00}", "4:50 operations.quiet.to: they never end: warnings would be told to nobody "
         "(such as from 22:00 to 07:00)"),
        ("{from: 22:00}", "4:25 operations.quiet: to is missing"),
    ],
)  # fmt: skip
def test_quiet_hours_that_are_none_are_refused(read, lines, quiet, expected):
    assert lines(read(SITE.replace("to: [duty]", f"to: [awa], quiet: {quiet}")).problems) == [expected]


@pytest.mark.parametrize("text", ["", "2026-13-01", "20260101", "2026-1-1", "1926-01-01", "x" * 5000])
def test_what_is_no_date_is_refused(text):
    with pytest.raises(BadWindow):
        date_of(text)


@pytest.mark.parametrize("text", ["mon", "mon 25:00", "mon tue 08:00", "x 08:00", "08:00 mon", "2026-01-05 08:00"])
def test_what_is_no_handover_is_refused(text):
    with pytest.raises(BadWindow) as caught:
        handover_of(text)
    assert ENGLISH.render(caught.value.text)
