"""A rota in the place of a contact: who is on duty when the reason arises is told, and nobody else, ever."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from alerts.agreement import Protocol
from alerts.notice import Planned, Step
from alerts.protocol import due
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident, fold
from monitor.core.rota import Override, Roster, Rota, Rotation
from monitor.core.text import say
from monitor.core.verdict import Severity

ID = IncidentId("26-0042")
ROTA = Rota("duty", ZoneInfo("Africa/Douala"), Rotation(("awa", "ben"), time(8), date(2026, 1, 5), 7))
ROSTER = Roster({"duty": ROTA})
HANDOVER = datetime(2026, 1, 12, 7, 0, tzinfo=UTC)  # 8 o'clock at Douala: from awa to ben
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
PROTOCOL = Protocol(
    first_to=("att",), update_to=("att",), update_every=HOUR, operations=("duty",),
    conference_to=("dsi",), conference_after=HOUR, resolved_to=("all",),
)  # fmt: skip


def incident_at(opened: datetime, *others: tuple[EventKind, datetime]) -> Incident:
    incident: Incident | None = None
    for kind, at in ((EventKind.OPENED, opened), *others):
        severity = Severity.CRITICAL if kind in (EventKind.OPENED, EventKind.REOPENED) else None
        incident = fold(incident, Event(ID, at, kind, RELEVE, say("so"), CheckId("fo"), severity, "link", at))
    assert incident is not None
    return incident


def internal(planned: tuple[Planned, ...]) -> set[tuple[Step, str]]:
    return {(plan.key.step, plan.key.recipient) for plan in planned if plan.key.audience.value == "internal"}


def test_who_was_on_duty_when_it_opened_is_told_however_late_the_tick():
    before = incident_at(HANDOVER - SECOND)
    assert internal(due(PROTOCOL, before, (), HANDOVER - SECOND, ROSTER)) == {(Step.FIRST_NOTICE, "awa")}
    assert internal(due(PROTOCOL, before, (), HANDOVER + 5 * SECOND, ROSTER)) == {(Step.FIRST_NOTICE, "awa")}
    assert internal(due(PROTOCOL, incident_at(HANDOVER), (), HANDOVER, ROSTER)) == {(Step.FIRST_NOTICE, "ben")}


def test_the_end_is_told_to_whoever_is_on_duty_then():
    incident = incident_at(HANDOVER - HOUR, (EventKind.RESOLVED, HANDOVER + HOUR))
    sent = {plan.key for plan in due(PROTOCOL, incident_at(HANDOVER - HOUR), (), HANDOVER - HOUR, ROSTER)}
    assert internal(due(PROTOCOL, incident, sent, HANDOVER + HOUR, ROSTER)) == {(Step.RESOLVED, "ben")}


def test_what_one_person_was_told_no_override_and_no_other_inventory_tells_a_second_one():
    incident = incident_at(HANDOVER - HOUR)
    sent = {plan.key for plan in due(PROTOCOL, incident, (), HANDOVER - HOUR, ROSTER)}
    late = Override("duty", "eva", HANDOVER - 2 * HOUR, HANDOVER)
    other = replace(ROTA, pattern=Rotation(("ida",), time(8), date(2026, 1, 5), 7))
    for roster in (Roster({"duty": ROTA}, (late,)), Roster({"duty": other}), Roster()):
        assert due(PROTOCOL, incident, sent, HANDOVER - HOUR / 2, roster) == ()


def test_the_invitation_is_called_off_to_those_who_were_invited():
    began = HANDOVER - HOUR - SECOND
    events = [(EventKind.DISRUPTED, began)]
    incident = incident_at(began, *events)
    sent = {plan.key for plan in due(PROTOCOL, incident, (), HANDOVER - SECOND, ROSTER)}
    ended = incident_at(began, *events, (EventKind.RESOLVED, HANDOVER + SECOND))
    planned = due(PROTOCOL, ended, sent, HANDOVER + SECOND, ROSTER)
    assert internal(planned) == {(Step.CONFERENCE_CANCELLED, "awa"), (Step.RESOLVED, "ben")}


def test_in_a_rehearsal_who_is_on_duty_reads_whom_the_client_s_message_would_have_reached():
    protocol = replace(PROTOCOL, live=False, first_to=("att", "duty"))
    incident = incident_at(HANDOVER, (EventKind.DISRUPTED, HANDOVER))
    planned = due(protocol, incident, (), HANDOVER, ROSTER)
    client = [plan for plan in planned if plan.key.audience.value == "client"]
    assert [(plan.key.recipient, plan.instead_of) for plan in client] == [("ben", ("att", "ben"))]


def test_one_person_under_two_names_is_told_once():
    protocol = replace(PROTOCOL, operations=("duty", "awa", "boss"))
    planned = due(protocol, incident_at(HANDOVER - HOUR), (), HANDOVER - HOUR, ROSTER)
    assert [plan.key.recipient for plan in planned] == ["awa", "boss"]


kinds = st.sampled_from([
    EventKind.DISRUPTED, EventKind.RESOLVED, EventKind.REOPENED, EventKind.ACKNOWLEDGED, EventKind.UNACKNOWLEDGED,
    EventKind.FLAPPING, EventKind.STEADY,
])  # fmt: skip
legs = st.lists(
    st.tuples(st.integers(1, 9000).map(lambda n: timedelta(seconds=n)), kinds, st.booleans(), st.booleans()),
    max_size=8,
)


@given(legs, st.integers(-7200, 7200))
def test_each_message_reaches_exactly_one_on_duty_whatever_is_changed_meanwhile(legs, offset):
    now = HANDOVER + timedelta(seconds=offset)
    opened, events, overrides = now, [], list[Override]()
    sent, told = set(), list[Planned]()

    def ask():
        nonlocal sent
        planned = due(PROTOCOL, incident_at(opened, *events), sent, now, Roster({"duty": ROTA}, tuple(overrides)))
        told.extend(planned)
        sent = sent | {plan.key for plan in planned}

    ask()
    for lasts, kind, running, takes_over in legs:
        if takes_over:
            overrides.append(Override("duty", "eva", now, now + HOUR))
        now += lasts
        if running:
            ask()
        resolved = incident_at(opened, *events).resolved_at is not None
        if resolved is (kind is EventKind.REOPENED):
            events.append((kind, now))
            ask()
    messages = [(plan.key.step, plan.key.n) for plan in told if plan.key.audience.value == "internal"]
    assert len(messages) == len(set(messages))
    assert {plan.key.recipient for plan in told if plan.key.audience.value == "internal"} <= {"awa", "ben", "eva"}
