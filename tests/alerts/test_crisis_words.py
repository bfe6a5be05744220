"""What is read of a crisis cell: by the client without a machine or an address, by our own people with what to do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.compose import compose
from alerts.context import Conference, Context, CrisisDue
from alerts.language import speech
from alerts.notice import Audience, Message, NoticeKey, Planned, Step
from monitor.core import crisis_cell as cell
from monitor.core.crisis import ActionState, Role
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident, fold
from monitor.core.text import say
from monitor.core.verdict import Severity

ID = IncidentId("26-0042")
BEGAN = datetime(2026, 11, 22, 13, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
CONTEXT = Context(
    site="Media Contact Douala",
    speech=speech("en", "Africa/Douala"),
    now=BEGAN + 2 * HOUR,
    next_at=BEGAN + 3 * HOUR,
    next_to=("att",),
    node="srv-onnet-01",
    private=("srv-onnet-01", "10.20.30.40"),
    people={"att": "Desk ATT", "dsi": "DSI OCM", "awa": "Awa N."},
    conference=Conference(BEGAN + HOUR, "+237 000", ("DSI OCM",)),
    crisis=CrisisDue(BEGAN + HOUR, BEGAN + 3 * HOUR, ("att", "dsi"), BEGAN + 6 * HOUR),
)


def incident() -> Incident:
    one: Incident | None = None
    for kind in (EventKind.OPENED, EventKind.DISRUPTED):
        at = BEGAN + timedelta(minutes=2)
        event = Event(ID, at, kind, RELEVE, say("down"), CheckId("onnet"), Severity.CRITICAL, "service-stopped", BEGAN)
        one = fold(one, event)
    assert one is not None
    return one


def worked(one: Incident) -> Incident:
    at = BEGAN + HOUR
    for said in (
        lambda i: cell.appoint(i, "uid:7", at, Role.LEADER, "awa"),
        lambda i: cell.appoint(i, "uid:7", at, Role.LIAISON, "Paul"),
        lambda i: cell.add_action(i, "uid:7", at, "restart srv-onnet-01", "awa", at + HOUR / 2),
        lambda i: cell.add_action(i, "uid:7", at, "call the carrier at 10.20.30.40", "Paul", at + 4 * HOUR),
        lambda i: cell.add_action(i, "uid:7", at, "check the recordings"),
        lambda i: cell.end_action(i, "uid:7", at + HOUR / 3, 3, ActionState.DONE, "all there"),
        lambda i: cell.decide(i, "uid:7", at, "stay on this site"),
        lambda i: cell.need(i, "uid:7", at, "the password of srv-onnet-01"),
        lambda i: cell.need(i, "uid:7", at, "a second technician"),
        lambda i: cell.meet_need(i, "uid:7", at, 2),
    ):
        after = fold(one, said(one))
        assert after is not None
        one = after
    return one


def written(
    audience: Audience, one: Incident, context: Context = CONTEXT, step: Step = Step.CRISIS_REPORT, **more: object
) -> Message:
    planned = Planned(
        NoticeKey(ID, audience, step, 2, "att" if audience is Audience.CLIENT else "awa"), BEGAN + 2 * HOUR
    )
    return compose(replace(planned, **more), one, context)


def test_the_client_reads_the_situation_the_plan_and_what_was_decided_without_a_machine():
    message = written(Audience.CLIENT, worked(incident()))
    for line in (
        "Crisis report: Service still interrupted: Application service stopped, since 14:05, Douala time.",
        "Next update and crisis report: 17:05, Douala time, or as soon as the service is restored.",
        "Crisis cell: since 15:05, Douala time - led by Awa N. - your contact: Paul",
        "Action plan: actions: 3, done: 1, late: 1",
        "Action 1: restart […] - Awa N. - until 15:35 - LATE",
        "Action 2: call the carrier at […] - Paul - until 19:05",
        "Action 3: check the recordings - done, 15:25 - all there",
        "Decided, 15:05: stay on this site",
        "Needed: the password of […]",
    ):
        assert line in message.text.splitlines()
    for form in (message.text, message.html, message.short, message.subject):
        assert "srv-onnet-01" not in form
        assert "10.20.30.40" not in form
        assert "releve incident" not in form
    assert "second technician" not in message.text
    assert message.subject.endswith("crisis report of 16:05")


def test_our_own_people_read_everything_and_what_to_do_first():
    text = written(Audience.INTERNAL, worked(incident())).text
    assert "Action 1: restart srv-onnet-01 - Awa N. - until 15:35 - LATE" in text
    assert "Next crisis report: 17:05, Douala time (Desk ATT, DSI OCM)." in text.splitlines()[2]
    assert text.partition("To do:\n")[2].split("\n\n")[0].splitlines() == [
        "  releve incident action done 26-0042 1",
        "  releve incident show 26-0042",
    ]


def test_in_a_rehearsal_nobody_is_named_as_the_reader_of_a_report_that_they_do_not_get():
    third = written(Audience.INTERNAL, incident(), replace(CONTEXT, live=False)).text.splitlines()[2]
    assert third.endswith(" Next crisis report: 17:05, Douala time.")
    assert "to operations in the place of" in third


def test_a_cell_that_has_just_been_called_for_says_who_is_to_lead_and_how():
    message = written(Audience.INTERNAL, incident(), step=Step.CRISIS_OPENED)
    assert message.text.startswith("Crisis cell from now on: ")
    assert "Whoever is on it leads the crisis cell, else whoever reads this first" in message.text
    assert "Conference call: 15:05, Douala time\nDial-in: +237 000\n" in message.text
    assert message.text.partition("To do:\n")[2].split("\n\n")[0].splitlines() == [
        "  releve incident role 26-0042 leader awa",
        '  releve incident action add 26-0042 "..." --due 1h',
        "  releve incident show 26-0042",
    ]
    assert "CRISIS CELL" in message.short


def test_who_has_acknowledged_by_a_link_is_named_as_the_leader_to_be():
    taken = replace(incident(), acknowledged_by="contact:dsi", acknowledged_at=BEGAN + HOUR)
    text = written(Audience.INTERNAL, taken, step=Step.CRISIS_OPENED).text
    assert "releve incident role 26-0042 leader dsi" in text


def test_an_empty_plan_is_being_drawn_up_for_the_client_and_empty_for_us():
    assert "Action plan: the action plan is being drawn up" in written(Audience.CLIENT, incident()).text
    own = written(Audience.INTERNAL, incident()).text
    assert "nobody leads it yet" in own
    assert "Action plan: the action plan is empty" in own


@pytest.mark.parametrize(
    ("update_at", "update_to", "line"),
    [
        (BEGAN + 2.5 * HOUR, ("att",), "Next update: 16:35, Douala time, or as soon as the service is restored. "),
        (BEGAN + 2.5 * HOUR, ("dsi",), "Next message: as soon as the service is restored. "),
        (None, (), "Next message: as soon as the service is restored. "),
    ],
)
def test_the_third_line_names_the_update_only_to_whom_gets_it(update_at, update_to, line):
    context = replace(CONTEXT, next_at=update_at, next_to=update_to)
    third = written(Audience.CLIENT, incident(), context).text.splitlines()[2]
    assert third == f"{line}Next crisis report: 17:05, Douala time."


@pytest.mark.parametrize("audience", list(Audience))
def test_from_six_hours_on_every_report_says_that_the_interruption_is_long(audience):
    words = "This interruption has counted as long since 20:05, Douala time: the next step is the redundant site"
    before = replace(CONTEXT, now=BEGAN + 6 * HOUR - timedelta(seconds=1))
    assert words not in written(audience, incident(), before).text
    assert words in written(audience, incident(), replace(CONTEXT, now=BEGAN + 6 * HOUR)).text


def test_reports_that_were_missed_are_named_and_many_are_counted():
    missed = tuple(BEGAN + n * HOUR for n in range(1, 3))
    text = written(Audience.CLIENT, incident(), reports=missed).text
    assert "Crisis reports that could not be sent: 14:05, 15:05. This message stands for them." not in text
    assert "Crisis reports that could not be sent: 15:05, 16:05. This message stands for them." in text
    many = tuple(BEGAN + n * timedelta(minutes=1) for n in range(30))
    assert "could not be sent: 30, from 14:05 to 14:34." in written(Audience.CLIENT, incident(), reports=many).text


def test_of_a_long_plan_what_is_still_to_be_done_is_named_first_and_the_rest_counted():
    one, at = incident(), BEGAN + HOUR
    for n in range(1, 31):
        after = fold(one, cell.add_action(one, "uid:7", at, f"step {n}", "", at + n * HOUR))
        assert after is not None
        one = after
    for n in range(1, 16):
        after = fold(one, cell.end_action(one, "uid:7", at, n, ActionState.DONE))
        assert after is not None
        one = after
    lines = [line for line in written(Audience.CLIENT, one).text.splitlines() if line.startswith("Action ")]
    assert [line.partition(":")[0] for line in lines[1:16]] == [f"Action {n}" for n in range(16, 31)]
    assert len(lines) == 21
    assert "Further actions: 10" in written(Audience.CLIENT, one).text
