"""What the time of writing adds to a notice: what the services are able to do, and the work that was announced."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from icalendar import Calendar

from alerts.invitation import organised
from alerts.notice import Audience, NoticeKey, Planned, Step
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.impact import Outlook
from monitor.core.incident import fold
from monitor.core.maintenance import Span, Weekly, Window
from monitor.core.services import Leaf, Service, View
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.letters import Letters, Moment
from tests.alerts import calendar_file

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
"""03:00 at Douala, a Monday."""
OPENING = Event(
    IncidentId("26-0001"), AT, EventKind.OPENED, RELEVE, say("cut"), CheckId("door"), Severity.CRITICAL, "office", AT,
    window="new-fibre",
)  # fmt: skip
INCIDENT = fold(None, OPENING)
assert INCIDENT is not None
NIGHT = Span(AT - timedelta(hours=1), AT + timedelta(hours=3))
WORK = Window("new-fibre", frozenset({CheckId("door")}), NIGHT, "office", titles={"fr": "Nouvelle fibre"})


@pytest.fixture
def first_notice(inventory_of):
    """The text of the first notice to our own people, as it is written at a moment."""

    def write(moment, incident=INCIDENT):
        inventory = inventory_of()
        planned = Planned(NoticeKey(incident.id, Audience.INTERNAL, Step.FIRST_NOTICE, 1, "admin"), AT)
        return Letters(inventory).write(planned, incident, inventory.protocol, moment).message.text

    return write


def test_the_service_view_of_the_moment_is_the_first_line(first_notice):
    seen = Outlook(Service("agents", Leaf(CheckId("door"))), View(0, 0, 100), interrupted=True)
    assert first_notice(Moment(AT, True, (), (seen,))).startswith("Agents: 0 of 100. Impact: ")
    assert first_notice(Moment(AT, True, ())).startswith("Announced maintenance, Critical: ")


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (WORK, "Nouvelle fibre, planned end: 06:00, Douala time"),
        (replace(WORK, titles={}), "new-fibre, planned end: 06:00, Douala time"),
        (replace(WORK, titles={"en": "New fibre", "fr": "Nouvelle fibre"}), "New fibre, planned end: 06:00"),
        (
            replace(WORK, when=Weekly(AT.time(), frozenset({0}), timedelta(hours=2), UTC)),
            "Nouvelle fibre, planned end: 05:00, Douala time",
        ),
        (replace(WORK, id="other"), "Announced maintenance: new-fibre\n"),
        (replace(WORK, when=Span(AT - timedelta(hours=9), AT - timedelta(hours=8))), "Nouvelle fibre\n"),
    ],
)
def test_announced_work_is_called_by_its_title_with_the_end_that_was_planned_when_it_failed(first_notice, window, said):
    assert said in first_notice(Moment(AT, True, (), windows=(window,)))


def test_what_belongs_to_no_announced_work_says_nothing_of_any(first_notice):
    text = first_notice(Moment(AT, True, (), windows=(WORK,)), replace(INCIDENT, window=""))
    assert "nnounced maintenance" not in text


# --- from the desk to the outbox ---------------------------------------------------------------------------------

DOOR = CheckId("door")
BAD, GOOD = Verdict(Severity.CRITICAL, say("shut"), down=True), Verdict(Severity.OK, say("open"))
SERVICES = ("incidents: {office", "services: {agents: {count: [door, room]}}\nincidents: {office")


def own(store, *steps):
    """The texts of the notices to our own people, oldest first, of `steps` or of all."""
    found = [one for one in store.notices() if one.key.audience is Audience.INTERNAL]
    return [(one.key.step, one.message.text) for one in found if not steps or one.key.step in steps]


async def test_a_notice_leads_with_what_the_services_were_able_to_do_when_it_was_written(
    desk_on, inventory_of, store, machine
):
    desk = desk_on(inventory_of(SERVICES))
    await desk.take(CheckId("room"), GOOD, machine.now(), 0.0)
    await desk.take(DOOR, GOOD, machine.now(), 0.0)
    machine.pass_(60)
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    machine.pass_(60)
    await desk.take(DOOR, GOOD, machine.now(), 0.0)
    assert [(step, text.split(".")[0]) for step, text in own(store)] == [
        (Step.FIRST_NOTICE, "Agents: 1 of 2"),
        (Step.RESOLVED, "Agents: 2 of 2"),
    ]


async def test_when_the_time_of_an_acknowledgement_is_up_operations_are_told_once(
    desk_on, inventory_of, store, machine
):
    desk = desk_on(inventory_of())
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    (name,) = desk.state.incidents
    await desk.acknowledge(name, "awa", "going to see", timedelta(minutes=30))
    for _ in range(3):
        machine.pass_(20 * 60)
        await desk.tick()
    ((_, text),) = own(store, Step.UNACKNOWLEDGED)
    assert text.startswith("Nobody is on it any more: ")
    assert "The acknowledgement by awa ended at " in text


async def test_what_comes_and_goes_is_told_as_that_and_not_each_time(desk_on, inventory_of, store, machine):
    desk = desk_on(inventory_of())
    for n in range(40):
        machine.pass_(60)
        await desk.take(DOOR, BAD if n % 2 == 0 else GOOD, machine.now(), 0.0)
    told = own(store)
    assert desk.state.healths[DOOR].flapping
    assert len(told) < 20, "half of what happened"
    assert "It has come and gone since " in told[-1][1], "the relapse as which it begins to waver is one message"
    for _ in range(30):
        machine.pass_(60)
        await desk.take(DOOR, GOOD, machine.now(), 0.0)
    assert [step for step, _ in own(store)[len(told) :]] == [Step.RESOLVED]


async def test_what_fails_of_announced_work_is_told_with_its_planned_end(desk_on, inventory_of, store, machine):
    desk = desk_on(inventory_of())
    span = Span(machine.now(), machine.now() + timedelta(hours=2))
    await desk.announce(Window("new-door", frozenset({DOOR}), span, "office"), "awa")
    machine.pass_(60)
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    ((_, text),) = own(store)
    assert text.startswith("Announced maintenance, Critical: ")
    assert "Announced maintenance: new-door, planned end: 05:00, Douala time" in text
    client = [one.message.text for one in store.notices() if one.key.audience is Audience.CLIENT]
    assert client[0].startswith("Announced maintenance, planned end 05:00, Douala time: ")


async def test_everybody_is_called_to_the_same_meeting_and_it_is_taken_back_under_the_same_name(
    desk_on, inventory_of, store, machine
):
    called = (
        "protocol: {first_notice",
        "protocol: {conference: {to: [att], after: 30 min, bridge: '+237 000'}, first_notice",
    )
    desk = desk_on(inventory_of(called))
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    machine.pass_(30 * 60)
    await desk.tick()
    await desk.tick()
    machine.pass_(60)
    await desk.take(DOOR, GOOD, machine.now(), 0.0)
    found = {one.key: Calendar.from_ical(one.message.calendar) for one in store.notices() if one.message.calendar}
    assert {(key.step, key.recipient) for key in found} == {
        (step, name) for step in (Step.CONFERENCE, Step.CONFERENCE_CANCELLED) for name in ("att", "admin")
    }
    events = {key: calendar.walk("VEVENT")[0] for key, calendar in found.items()}
    assert len({str(event["uid"]) for event in events.values()}) == 1
    starts = {event.decoded("dtstart") for event in events.values()}
    assert starts == {datetime(2026, 11, 23, 2, 35, tzinfo=UTC)}
    methods = {(key.step, str(found[key]["method"]), int(events[key]["sequence"])) for key in found}
    assert methods == {(Step.CONFERENCE, "REQUEST", 0), (Step.CONFERENCE_CANCELLED, "CANCEL", 1)}
    for event in events.values():
        guests = {str(guest) for guest in event["attendee"]}
        assert guests == {"mailto:att@example.org", "mailto:admin@example.org"}
        assert str(event["location"]) == "+237 000"


async def test_what_changes_before_the_call_revises_the_meeting_and_its_end_is_above_all(
    desk_on, inventory_of, store, machine
):
    called = (
        "protocol: {first_notice",
        "protocol: {conference: {to: [att], after: 60 min, bridge: '+237 000'}, first_notice",
    )
    desk = desk_on(inventory_of(called))
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    (name,) = desk.state.incidents
    await desk.state_cause(name, "uid:0", "rats")
    machine.pass_(60 * 60)
    await desk.tick()
    for words in ("a digger", "two diggers"):
        machine.pass_(60)
        desk = desk_on(inventory_of(called))
        await desk.state_cause(name, "uid:0", words)
        await desk.tick()
    machine.pass_(60)
    await desk.take(DOOR, GOOD, machine.now(), 0.0)
    sent = [one for one in store.notices() if one.message.calendar and one.key.recipient == "att"]
    assert len({one.message_id for one in sent}) == len(sent) == 4
    read = [calendar_file.meeting(organised(one.message.calendar, "NOC", "noc@example.org")[0]) for one in sent]
    assert len({event.one("UID") for _, event in read}) == 1
    assert [(method, event.one("SEQUENCE")) for method, event in read] == [
        ("REQUEST", "0"),
        ("REQUEST", "1"),
        ("REQUEST", "2"),
        ("CANCEL", "3"),
    ]
    assert ["rats" in event.one("DESCRIPTION") for _, event in read] == [True, False, False, False]
    assert "two diggers" in read[2][1].one("DESCRIPTION")
    assert len({event.one("DTSTART") for _, event in read}) == 1


async def test_a_rehearsal_enters_nothing_into_anybody_s_calendar_for_the_client(desk_on, inventory_of, store, machine):
    called = ("protocol: {first_notice", "protocol: {live: false, conference: {to: [att], after: 30 min}, first_notice")
    desk = desk_on(inventory_of(called))
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    machine.pass_(30 * 60)
    await desk.tick()
    client = [one for one in store.notices() if one.key.step is Step.CONFERENCE and one.key.audience is Audience.CLIENT]
    assert [(one.key.recipient, one.message.calendar) for one in client] == [("admin", "")]
