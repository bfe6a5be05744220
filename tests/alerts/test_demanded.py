"""What a protocol demanded, worked out from the log alone, is what a Relève that is always there plans."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.agreement import Protocol
from alerts.demanded import demanded
from alerts.notice import Audience, NoticeKey, Planned, Step
from alerts.protocol import due
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident, fold
from monitor.core.text import say
from monitor.core.verdict import Severity

ID = IncidentId("26-0007")
ZERO = datetime(2026, 11, 22, 3, 0, 17, tzinfo=UTC)
PROTOCOL = Protocol(
    first_to=("att",),
    update_to=("att",),
    update_every=timedelta(minutes=60),
    conference_to=("dsi",),
    conference_after=timedelta(minutes=60),
    operations=("admin",),
)


def at(minutes: float) -> datetime:
    return ZERO + timedelta(minutes=minutes)


def event(minutes: float, kind: EventKind, severity: Severity | None = None, **more: object) -> Event:
    return Event(ID, at(minutes), kind, RELEVE, say("So it is"), CheckId("fo"), severity, "link", **more)  # type: ignore[arg-type]


def interrupted(end: float | None = None) -> list[Event]:
    events = [
        event(1, EventKind.OPENED, Severity.CRITICAL, began_at=at(0)),
        event(1, EventKind.DISRUPTED, began_at=at(0)),
    ]
    return events if end is None else [*events, event(end, EventKind.RESOLVED, Severity.OK)]


def of_client(planned: tuple[Planned, ...]) -> list[tuple[str, int, str, float]]:
    return [
        (plan.key.step.value, plan.key.n, plan.key.recipient, (plan.due_at - ZERO).total_seconds() / 60)
        for plan in planned
        if plan.key.audience is Audience.CLIENT
    ]


def test_a_slot_just_before_an_incident_goes_into_another_is_not_demanded_as_before_any_other_end():
    slot = 60 - 3 / 60  # seconds before the update
    for kind in (EventKind.RESOLVED, EventKind.MERGED):
        events = [*interrupted(), event(slot + 5 / 60, kind, data={"into": "26-0001"})]
        assert "update" not in [step for step, *_ in of_client(demanded(PROTOCOL, events, at(10_000)))]


def test_an_interruption_demands_a_first_notice_each_slot_the_conference_and_the_end():
    assert of_client(demanded(PROTOCOL, interrupted(end=150), at(10_000))) == [
        ("first_notice", 1, "att", 1.5),
        ("conference", 1, "dsi", 60),
        ("update", 1, "att", 60),
        ("update", 2, "att", 120),
        ("resolved", 1, "att", 150),
        ("resolved", 1, "dsi", 150),
    ]


def test_what_goes_on_demands_what_is_due_by_now_and_nothing_that_is_to_come():
    assert of_client(demanded(PROTOCOL, interrupted(), at(61)))[-1] == ("update", 1, "att", 60)
    assert of_client(demanded(PROTOCOL, interrupted(), at(59))) == [("first_notice", 1, "att", 1.5)]


def test_no_slot_counts_as_skipped_and_none_has_a_gap():
    planned = demanded(PROTOCOL, interrupted(end=6_000), at(10_000))
    assert not any(plan.skipped or plan.gap for plan in planned)
    updates = [plan.key.n for plan in planned if plan.key.step is Step.UPDATE]
    assert updates == list(range(1, 100))


def test_a_slot_for_which_the_end_stands_is_not_demanded():
    assert all(step != "update" for step, *_ in of_client(demanded(PROTOCOL, interrupted(end=60.05), at(90))))
    assert any(step == "update" for step, *_ in of_client(demanded(PROTOCOL, interrupted(end=60.1), at(90))))


def test_what_interrupts_nobody_demands_nothing_for_the_client():
    events = [event(1, EventKind.OPENED, Severity.CRITICAL, began_at=at(0)), event(90, EventKind.RESOLVED)]
    planned = demanded(PROTOCOL, events, at(100))
    assert of_client(planned) == []
    assert [plan.key.step for plan in planned] == [Step.FIRST_NOTICE, Step.RESOLVED]


def test_a_worsening_that_lasted_no_breath_had_to_be_told_to_nobody():
    brief, lasting = (
        [
            event(1, EventKind.OPENED, Severity.WARNING, began_at=at(0)),
            event(2, EventKind.SEVERITY, Severity.CRITICAL),
            event(end, EventKind.RESOLVED),
        ]
        for end in (2 + 1 / 60, 3)
    )
    assert Step.WORSENED not in {plan.key.step for plan in demanded(PROTOCOL, brief, at(9))}
    assert Step.WORSENED in {plan.key.step for plan in demanded(PROTOCOL, lasting, at(9))}


def test_every_reminder_of_a_question_that_waited_is_demanded():
    events = [
        event(0, EventKind.OPENED, Severity.CRITICAL, began_at=at(0)),
        event(1, EventKind.REPAIR, run="R1"),
        event(1, EventKind.CALLED, run="R1", asks=True),
        event(100, EventKind.REPAIR_ENDED, run="R1"),
        event(100, EventKind.RESOLVED),
    ]
    planned = demanded(PROTOCOL, events, at(200))
    assert [plan.key.n for plan in planned if plan.key.step is Step.REMINDER] == [1, 2, 3]


def test_a_rehearsal_demands_it_of_operations_and_names_who_would_have_been_told():
    planned = demanded(replace(PROTOCOL, live=False), interrupted(end=30), at(40))
    client = [plan for plan in planned if plan.key.audience is Audience.CLIENT]
    assert {(plan.key.recipient, plan.instead_of) for plan in client} == {("admin", ("att",))}


KINDS = st.sampled_from(
    [
        EventKind.DISRUPTED,
        EventKind.SEVERITY,
        EventKind.RESOLVED,
        EventKind.REOPENED,
        EventKind.FLAPPING,
        EventKind.STEADY,
        EventKind.NOTE,
    ]
)
LEGS = st.lists(st.tuples(st.integers(3, 9000), KINDS), max_size=7)
PROTOCOLS = st.builds(
    Protocol,
    live=st.booleans(),
    first_to=st.sampled_from([(), ("att",), ("att", "dsi")]),
    update_to=st.sampled_from([(), ("att",), ("dsi", "att")]),
    update_every=st.sampled_from([None, timedelta(minutes=10), timedelta(minutes=60)]),
    resolved_to=st.sampled_from([("all",), ("all", "crisis"), ()]),
    operations=st.just(("admin",)),
    conference_to=st.sampled_from([(), ("dsi",)]),
    conference_after=st.sampled_from([None, timedelta(minutes=60)]),
)


def told(incident: Incident, kind: EventKind) -> bool:
    """Whether the watch would let that happen."""
    if kind is EventKind.REOPENED or not incident.open:
        return kind is EventKind.REOPENED and not incident.open
    if kind in (EventKind.FLAPPING, EventKind.STEADY):
        return (incident.flapping_at is None) is (kind is EventKind.FLAPPING)
    return True


def lived(protocol: Protocol, legs: list[tuple[int, EventKind]]) -> tuple[list[Event], set[NoticeKey], datetime]:
    """A Relève that looks twice a minute and after everything that happens: its log, and what it planned."""
    events = [event(1, EventKind.OPENED, Severity.WARNING, began_at=at(0))]
    incident = fold(None, events[0])
    assert incident is not None
    now, known = events[0].at, set[NoticeKey]()

    def ask() -> None:
        known.update(plan.key for plan in due(protocol, incident, known, now))

    ask()
    for seconds, kind in legs:
        until = now + timedelta(seconds=seconds)
        while now + timedelta(seconds=30) < until:
            now += timedelta(seconds=30)
            ask()
        now = until
        if told(incident, kind):
            severity = Severity.CRITICAL if kind in (EventKind.SEVERITY, EventKind.REOPENED) else None
            happened = Event(ID, now, kind, RELEVE, say("So it is"), CheckId("fo"), severity, "link", now)
            events.append(happened)
            incident = fold(incident, happened) or incident
        ask()
    return events, known, now


@given(PROTOCOLS, LEGS)
def test_what_is_demanded_is_what_a_releve_that_never_rests_plans(protocol, legs):
    events, known, now = lived(protocol, legs)
    found = {plan.key for plan in demanded(protocol, events, now)}
    assert known <= found
    # A slot in the last seconds before now may not have been asked for yet by the one or the other.
    late = {key for key in known ^ found if key.step not in (Step.UPDATE, Step.CONFERENCE, Step.LONG_SOON, Step.LONG)}
    assert not late


@given(PROTOCOLS, LEGS)
def test_what_is_demanded_does_not_depend_on_when_it_is_worked_out_later(protocol, legs):
    events, _known, now = lived(protocol, legs)
    early = {plan.key for plan in demanded(protocol, events, now)}
    later = {plan.key for plan in demanded(protocol, events, now + timedelta(days=2))}
    assert early <= later
