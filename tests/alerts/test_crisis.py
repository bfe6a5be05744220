"""The crisis cell's clock: from when there is one, on which minutes it reports, and what becomes of a report missed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.agreement import Protocol
from alerts.crisis import cell_opened, cell_opens_at, next_report
from alerts.grid import MOST_SLOTS
from alerts.notice import BY_TIME, Audience, NoticeKey, Planned, Step
from alerts.protocol import due
from alerts.protocol_json import protocol_from_json, protocol_to_json
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident, fold
from monitor.core.text import say
from monitor.core.verdict import Severity
from tests.alerts.test_protocol_properties import legs, lived, ticks

ID = IncidentId("26-0042")
BEGAN = datetime(2026, 11, 22, 13, 5, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PROTOCOL = Protocol(
    first_to=("att",),
    update_to=("att",),
    update_every=HOUR,
    resolved_to=("all",),
    operations=("admin",),
    conference_to=("dsi",),
    conference_after=HOUR,
    crisis_to=("att", "dsi"),
    crisis_every=HOUR,
)
ALONE = replace(PROTOCOL, conference_to=(), conference_after=None)


def happened(kind: EventKind, minutes: float, severity: Severity | None = None) -> Event:
    at = BEGAN + minutes * MINUTE
    return Event(ID, at, kind, RELEVE, say("It happened"), CheckId("fo"), severity, "link", min(at, BEGAN))


def incident_of(*events: Event) -> Incident:
    incident: Incident | None = None
    for event in (happened(EventKind.OPENED, 2, Severity.CRITICAL), *events):
        incident = fold(incident, event)
    assert incident is not None
    return incident


OPEN = incident_of(happened(EventKind.DISRUPTED, 2))


def said(planned: tuple[Planned, ...]) -> set[str]:
    ours = [plan for plan in planned if plan.key.step in (Step.CRISIS_OPENED, Step.CRISIS_REPORT)]
    return {str(plan.key).partition("/")[2] + (" skipped" if plan.skipped else "") for plan in ours}


def report(n: int, more: str = "") -> set[str]:
    readers = ("client/crisis_report/{}/att", "client/crisis_report/{}/dsi", "internal/crisis_report/{}/admin")
    return {reader.format(n) + more for reader in readers}


OPENED = "internal/crisis_opened/1/admin"
FIRST = {"client/crisis_report/1/att", "client/crisis_report/1/dsi"}
"""Our own people read a first report, of the moment at which the cell opens, in the call for the cell."""


def told_until(minutes: float, protocol: Protocol = PROTOCOL) -> set[NoticeKey]:
    """What exists after a watch without a gap up to then."""
    found: set[NoticeKey] = set()
    for minute in range(int(minutes) + 1):
        found |= {plan.key for plan in due(protocol, OPEN, found, BEGAN + minute * MINUTE)}
    return found


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (59.9, set()),
        (60, {OPENED} | FIRST),
        (61, set()),
        (119.9, set()),
        (120, report(2)),
        (180, report(3)),
    ],
)
def test_the_cell_opens_with_the_conference_and_reports_on_the_grid_from_then_on(minutes, expected):
    known = told_until(minutes - 0.5)
    planned = due(PROTOCOL, OPEN, known, BEGAN + minutes * MINUTE)
    assert said(planned) == expected
    on_time = {plan.due_at for plan in planned if plan.key.step is Step.CRISIS_REPORT}
    assert on_time <= {BEGAN + minutes * MINUTE}


@pytest.mark.parametrize(
    ("protocol", "opens", "first_report"),
    [
        (PROTOCOL, 60, 60),
        (ALONE, 60, 60),
        (replace(ALONE, crisis_every=90 * MINUTE), 90, 90),
        (replace(PROTOCOL, conference_after=100 * MINUTE), 100, 120),
        (replace(PROTOCOL, crisis_every=45 * MINUTE), 60, 90),
        (replace(PROTOCOL, crisis_to=(), crisis_every=None), 60, None),
        (replace(ALONE, crisis_to=(), crisis_every=None), None, None),
    ],
)
def test_when_the_cell_opens_and_reports_first(protocol, opens, first_report):
    assert cell_opens_at(protocol, OPEN) == (None if opens is None else BEGAN + opens * MINUTE)
    first = None if first_report is None else BEGAN + first_report * MINUTE
    assert next_report(protocol, OPEN, BEGAN + 30 * MINUTE) == first


def test_an_update_and_a_report_of_the_same_minute_are_both_sent():
    planned = due(PROTOCOL, OPEN, told_until(119), BEGAN + 2 * HOUR)
    steps = {plan.key.step for plan in planned if plan.key.recipient == "att"}
    assert steps == {Step.UPDATE, Step.CRISIS_REPORT}


def test_reports_missed_while_releve_was_out_are_skipped_and_named_by_the_next_one():
    planned = due(PROTOCOL, OPEN, told_until(61), BEGAN + 250 * MINUTE)
    assert said(planned) == report(2, " skipped") | report(3, " skipped") | report(4)
    named = {plan.reports for plan in planned if plan.key.step is Step.CRISIS_REPORT and not plan.skipped}
    assert named == {(BEGAN + 2 * HOUR, BEGAN + 3 * HOUR)}
    assert said(due(PROTOCOL, OPEN, told_until(61) | {plan.key for plan in planned}, BEGAN + 250 * MINUTE)) == set()


def test_of_a_long_outage_only_so_many_reports_are_made_good_for():
    planned = due(PROTOCOL, OPEN, told_until(61), BEGAN + 5 * MOST_SLOTS * HOUR)
    assert len([plan for plan in planned if plan.key.step is Step.CRISIS_REPORT]) == 3 * MOST_SLOTS


@pytest.mark.parametrize(
    ("ended", "skipped", "named"),
    [
        (59, set(), ()),
        (119, set(), ()),
        (120, set(), ()),
        (120 + 4 / 60, set(), ()),
        (121, report(2, " skipped"), (BEGAN + 2 * HOUR,)),
    ],
)
def test_what_was_over_before_it_could_be_said_is_named_by_the_message_of_the_end(ended, skipped, named):
    known = told_until(min(ended, 119))
    over = fold(OPEN, happened(EventKind.RESOLVED, ended))
    assert over is not None
    planned = due(PROTOCOL, over, known, BEGAN + 9 * HOUR)
    assert said(planned) == skipped
    end = {plan.key.recipient: plan.reports for plan in planned if str(plan.key).find("client/resolved") > 0}
    assert end["att"] == named
    assert end.get("dsi", ()) == named


def test_who_should_have_read_a_report_is_told_of_the_end_although_none_left():
    protocol = replace(ALONE, crisis_to=("crisis",))
    over = fold(OPEN, happened(EventKind.RESOLVED, 70))
    assert over is not None
    planned = due(protocol, over, {key for key in told_until(3, protocol)}, BEGAN + 9 * HOUR)
    assert "crisis" in {plan.key.recipient for plan in planned if plan.key.step is Step.RESOLVED}


def test_a_relapse_after_the_hour_opens_the_cell_again_and_keeps_the_grid():
    again = incident_of(
        happened(EventKind.DISRUPTED, 2),
        happened(EventKind.RESOLVED, 70),
        happened(EventKind.REOPENED, 80, Severity.CRITICAL),
        happened(EventKind.DISRUPTED, 80),
    )
    known = told_until(65)
    planned = due(PROTOCOL, again, known, BEGAN + 80 * MINUTE)
    assert said(planned) == {"internal/crisis_opened/2/admin"}
    later = due(PROTOCOL, again, known | {plan.key for plan in planned}, BEGAN + 2 * HOUR)
    assert said(later) == report(2)


def test_what_does_not_interrupt_the_client_has_no_cell():
    quiet = incident_of()
    assert said(due(PROTOCOL, quiet, (), BEGAN + 9 * HOUR)) == set()
    assert cell_opened(PROTOCOL, quiet, BEGAN + 9 * HOUR) is None


def test_in_a_rehearsal_the_reports_go_to_operations_and_name_who_would_have_read_them():
    planned = due(replace(PROTOCOL, live=False), OPEN, (), BEGAN + HOUR)
    found = [plan for plan in planned if plan.key.step is Step.CRISIS_REPORT]
    assert {(plan.key.audience, plan.key.recipient, plan.instead_of) for plan in found} == {
        (Audience.CLIENT, "admin", ("att", "dsi")),
    }


def test_nothing_of_it_is_sent_by_a_clock_that_is_not_trusted():
    assert {Step.CRISIS_OPENED, Step.CRISIS_REPORT} <= BY_TIME


def test_the_log_says_once_an_episode_that_a_cell_is_called_for():
    assert cell_opened(PROTOCOL, OPEN, BEGAN + 59 * MINUTE) is None
    event = cell_opened(PROTOCOL, OPEN, BEGAN + 63 * MINUTE)
    assert event is not None
    opened = fold(OPEN, event)
    assert opened is not None
    assert opened.crisis.opened_at == BEGAN + HOUR
    assert cell_opened(PROTOCOL, opened, BEGAN + 500 * MINUTE) is None
    again = opened
    for each in (
        happened(EventKind.RESOLVED, 70),
        happened(EventKind.REOPENED, 80, Severity.CRITICAL),
        happened(EventKind.DISRUPTED, 80),
    ):
        again = fold(again, each) or again
    event = cell_opened(PROTOCOL, again, BEGAN + 80 * MINUTE)
    assert event is not None
    assert event.began_at == BEGAN + 80 * MINUTE


def test_a_protocol_keeps_its_crisis_report_and_one_frozen_before_there_were_any_has_none():
    assert protocol_from_json(protocol_to_json(PROTOCOL)) == PROTOCOL
    old = {name: value for name, value in protocol_to_json(PROTOCOL).items() if not name.startswith("crisis")}
    assert protocol_from_json(old) == replace(PROTOCOL, crisis_to=(), crisis_every=None)


protocols = st.builds(
    Protocol,
    live=st.booleans(),
    update_to=st.sampled_from([("att",), ()]),
    update_every=st.sampled_from([17 * MINUTE, HOUR]),
    operations=st.just(("admin",)),
    conference_to=st.sampled_from([("dsi",), ()]),
    conference_after=st.sampled_from([20 * MINUTE, HOUR]),
    crisis_to=st.sampled_from([("att", "dsi"), ("dsi",)]),
    crisis_every=st.sampled_from([17 * MINUTE, 30 * MINUTE, HOUR]),
)


@given(protocols, legs, ticks)
def test_whatever_happens_no_report_is_sent_twice_or_lost_unnamed(protocol, happenings, tick):
    world = lived(protocol, happenings, tick)
    assert len(world.kept) == len(set(world.kept))
    reports = [(at, plan, one) for at, plan, one in world.told if plan.key.step is Step.CRISIS_REPORT]
    named = {at for _, plan, _ in world.told for at in plan.reports}
    for at, plan, incident in reports:
        assert incident.disrupted_at is not None
        assert plan.due_at == incident.disrupted_at + plan.key.n * protocol.crisis_every
        opens_at = cell_opens_at(protocol, incident)
        assert opens_at is not None
        assert opens_at <= plan.due_at <= at
        if plan.skipped:
            assert plan.due_at in named
        else:
            assert incident.open
    numbers = [plan.key.n for _, plan, _ in reports if plan.key.audience is Audience.INTERNAL]
    assert numbers == sorted(set(numbers))
