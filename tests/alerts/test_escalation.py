"""The ladder: while nobody says that they are on it, the next is told; each once, and none after somebody is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.agreement import Protocol
from alerts.compose import compose
from alerts.context import Context
from alerts.escalation import Climbed, Rung, next_rung
from alerts.language import speech
from alerts.notice import BY_TIME, NoticeKey, Planned, Step
from alerts.protocol import due
from alerts.protocol_json import protocol_from_json, protocol_to_json
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident, fold
from monitor.core.text import say
from monitor.core.verdict import Severity

ID = IncidentId("26-0042")
START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
LADDER = (Rung(10 * MINUTE, ("ben",)), Rung(20 * MINUTE, ("chief", "ben")), Rung(60 * MINUTE, ("boss",)))
PROTOCOL = Protocol(operations=("awa",), resolved_to=(), escalation=LADDER)


def happened(kind: EventKind, at: datetime, severity: Severity | None = None) -> Event:
    return Event(ID, at, kind, RELEVE, say("no answer"), CheckId("fo"), severity, "link", at)


class World:
    """The daemon's part in short: it keeps nothing but keys, and asks `due` after each event and on each tick."""

    def __init__(self, severity: Severity = Severity.CRITICAL, protocol: Protocol = PROTOCOL) -> None:
        self.protocol, self.now = protocol, START
        first = fold(None, happened(EventKind.OPENED, START, severity))
        assert first is not None
        self.incident: Incident = first
        self.kept: list[str] = []
        self.told: list[tuple[datetime, Planned]] = []
        self.ask()

    def ask(self) -> list[Planned]:
        known = {NoticeKey.parse(text) for text in self.kept}  # as after a restart
        planned = list(due(self.protocol, self.incident, known, self.now))
        self.kept += [str(plan.key) for plan in planned]
        self.told += [(self.now, plan) for plan in planned]
        return planned

    def at(self, minutes: float) -> list[str]:
        """Whom a tick at that minute escalates to."""
        self.now = START + minutes * MINUTE
        return [
            f"{plan.key.n} {plan.key.recipient}" + (" skipped" if plan.skipped else "")
            for plan in self.ask()
            if plan.key.step is Step.ESCALATED
        ]

    def happen(self, minutes: float, kind: EventKind, severity: Severity | None = None) -> list[str]:
        after = fold(self.incident, happened(kind, START + minutes * MINUTE, severity))
        assert after is not None
        self.incident = after
        return self.at(minutes)


def test_each_rung_is_told_once_on_its_minute():
    world = World()
    assert world.at(9.99) == []
    assert world.at(10) == ["1 ben"]
    assert world.at(19.99) == []
    assert world.at(20.5) == ["2 chief", "2 ben"]
    assert world.at(60) == ["3 boss"]
    assert world.at(6000) == []
    assert [plan.due_at - START for _, plan in world.told[1:]] == [10 * MINUTE, 20 * MINUTE, 20 * MINUTE, 60 * MINUTE]


def test_it_ends_with_the_acknowledgement_and_begins_anew_when_that_lapses():
    world = World()
    assert world.at(10) == ["1 ben"]
    assert world.happen(12, EventKind.ACKNOWLEDGED) == []
    assert world.at(70) == []
    assert world.happen(80, EventKind.UNACKNOWLEDGED) == []
    assert world.at(90) == ["4 ben"]
    assert world.at(100) == ["5 chief", "5 ben"]
    assert world.happen(110, EventKind.RESOLVED) == []
    assert world.at(1000) == []


def test_an_acknowledgement_that_is_void_begins_it_anew():
    world = World()
    world.happen(1, EventKind.ACKNOWLEDGED)
    world.happen(5, EventKind.DISRUPTED)
    assert world.at(14) == []
    assert world.at(15) == ["4 ben"]


def test_a_warning_is_escalated_once_it_is_critical_and_not_while_it_is_mild_again():
    world = World(Severity.WARNING)
    assert world.at(60) == []
    assert world.happen(61, EventKind.SEVERITY, Severity.CRITICAL) == []
    assert world.at(71) == ["1 ben"]
    assert world.happen(72, EventKind.SEVERITY, Severity.WARNING) == []
    assert world.at(85) == []
    assert world.happen(90, EventKind.SEVERITY, Severity.CRITICAL) == ["2 chief", "2 ben"]
    assert [plan.due_at for _, plan in world.told[-2:]] == [START + 90 * MINUTE] * 2


def test_after_an_outage_all_who_should_know_are_told_late_and_nobody_twice():
    world = World()
    assert world.at(50) == ["1 ben skipped", "2 chief", "2 ben"]
    assert world.at(60) == ["3 boss"]
    assert world.at(61) == []


def test_whoever_was_reached_hears_of_the_end_and_of_the_end_of_that_episode_alone():
    world = World()
    world.at(10)
    world.happen(15, EventKind.RESOLVED)
    assert {p.key.recipient for _, p in world.told if p.key.step is Step.RESOLVED} == {"awa", "ben"}
    world.happen(20, EventKind.REOPENED, Severity.CRITICAL)
    world.happen(22, EventKind.RESOLVED)
    ends = [plan.key.recipient for _, plan in world.told if plan.key.step is Step.RESOLVED and plan.key.n == 2]
    assert ends == ["awa"]


def test_in_a_rehearsal_operations_read_it_in_the_place_of_whom_it_names():
    world = World(protocol=replace(PROTOCOL, live=False))
    assert world.at(10) == ["1 awa"]
    assert world.told[-1][1].instead_of == ("ben",)
    world.happen(11, EventKind.RESOLVED)
    end = world.told[-1][1]
    assert (end.key.step, end.key.recipient, end.instead_of) == (Step.RESOLVED, "awa", ())


def test_it_waits_for_a_clock_that_can_be_trusted():
    assert Step.ESCALATED in BY_TIME


def test_the_ladder_is_frozen_with_the_incident_and_older_protocols_have_none():
    data = protocol_to_json(PROTOCOL)
    assert protocol_from_json(data) == PROTOCOL
    del data["escalation"], data["rotas"]
    assert protocol_from_json(data) == replace(PROTOCOL, escalation=())


def test_who_is_next_is_known_beforehand():
    world = World()
    assert next_rung(LADDER, world.incident, START) == Climbed(1, START + 10 * MINUTE, ("ben",))
    assert next_rung(LADDER, world.incident, START + 60 * MINUTE) is None
    world.happen(1, EventKind.ACKNOWLEDGED)
    assert next_rung(LADDER, world.incident, world.now) is None


@pytest.mark.parametrize(
    ("language", "what", "told", "following", "short"),
    [
        ("en", "Not acknowledged for 20 min, Critical: ", "Told before, and nobody has acknowledged it: Awa, Ben.",
         "If nobody acknowledges it, the next message goes to The boss: ", "NOT ACKNOWLEDGED for 20"),
    ],
)  # fmt: skip
def test_the_message_says_who_has_not_answered_and_who_is_next(language, what, told, following, short):
    world = World()
    world.at(10)
    world.at(20)
    plan = world.told[-1][1]
    context = Context(
        "Douala", speech(language), world.now, people={"awa": "Awa", "ben": "Ben", "boss": "The boss"},
        escalates_at=START + 60 * MINUTE, escalates_to=("boss",),
    )  # fmt: skip
    message = compose(plan, world.incident, context)
    lines = message.text.replace("\N{NO-BREAK SPACE}", " ")
    assert what in lines
    assert message.subject.endswith(": not acknowledged")
    assert told in lines
    assert following in lines
    assert f"releve incident ack {ID}" in lines
    assert short in message.short.replace("\N{NO-BREAK SPACE}", " ")


happenings = st.sampled_from([
    (EventKind.ACKNOWLEDGED, None), (EventKind.UNACKNOWLEDGED, None), (EventKind.RESOLVED, None),
    (EventKind.REOPENED, Severity.CRITICAL), (EventKind.REOPENED, Severity.WARNING), (EventKind.DISRUPTED, None),
    (EventKind.SEVERITY, Severity.CRITICAL), (EventKind.SEVERITY, Severity.WARNING), (EventKind.NOTE, None),
])  # fmt: skip
legs = st.lists(st.tuples(st.integers(0, 4000), happenings, st.booleans()), max_size=10)


def possible(incident: Incident, kind: EventKind) -> bool:
    if not incident.open:
        return kind is EventKind.REOPENED
    if kind is EventKind.UNACKNOWLEDGED:
        return incident.acknowledged_at is not None
    return kind is not EventKind.REOPENED


def waiting(incident: Incident) -> tuple[int, datetime | None]:
    """How often nobody was on it when it was critical, and since when nobody is now: from the log alone."""
    so_far, times, since = None, 0, None
    for event in incident.timeline:
        so_far = fold(so_far, event)
        assert so_far is not None
        if not so_far.open or so_far.acknowledged_at is not None:
            since = None
        elif since is None and critical(so_far):
            times, since = times + 1, event.at
    return times, since


def critical(incident: Incident) -> bool:
    return incident.severity is Severity.CRITICAL or incident.disruption_seen_at is not None


def look(world: World) -> None:
    """Ask, and hold the answer against the log."""
    new, (times, since) = world.ask(), waiting(world.incident)
    escalated = [plan for plan in new if plan.key.step is Step.ESCALATED]
    if since is None or not critical(world.incident):
        assert escalated == []
        return
    reached = {len(LADDER) * (times - 1) + n for n, r in enumerate(LADDER, start=1) if since + r.after <= world.now}
    kept = {NoticeKey.parse(text) for text in world.kept}
    of_now = {key.n for key in kept if key.step is Step.ESCALATED and key.n > len(LADDER) * (times - 1)}
    assert of_now == reached
    for plan in escalated:
        assert plan.due_at <= world.now
        if plan.skipped:
            # Its reader reads the same now, by the message of a higher rung.
            higher = [p for p in escalated if p.key.recipient == plan.key.recipient and p.key.n > plan.key.n]
            assert [p.skipped for p in higher].count(False) == 1


@given(
    legs,
    st.sampled_from([31 * SECOND, 97 * SECOND, 40 * MINUTE]),
    st.sampled_from([Severity.CRITICAL, Severity.WARNING]),
)
def test_none_is_missed_or_told_twice_in_any_order_of_ticks_acknowledgements_lapses_and_restarts(legs, tick, severity):
    world = World(severity)
    for seconds, (kind, how_bad), running in legs:
        until = world.now + seconds * SECOND
        while running and world.now + tick < until:
            world.now += tick
            look(world)
        world.now = until
        if possible(world.incident, kind):
            after = fold(world.incident, happened(kind, until, how_bad))
            assert after is not None
            world.incident = after
        look(world)
    assert len(world.kept) == len(set(world.kept))
