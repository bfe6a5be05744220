"""Whatever happens, in whatever order, with whatever outages: nobody is told twice and no update is lost unnamed."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.agreement import Protocol
from alerts.notice import Audience, NoticeKey, Planned, Step
from alerts.protocol import conference_at, due
from alerts.slots import next_update
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident, fold
from monitor.core.text import say
from monitor.core.verdict import Severity

ID = IncidentId("26-0007")
START = datetime(2026, 11, 22, 3, 0, 17, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
HAPPENINGS = [
    EventKind.DISRUPTED,
    EventKind.SEVERITY,
    EventKind.RESOLVED,
    EventKind.REOPENED,
    EventKind.NOTE,
    EventKind.FLAPPING,
    EventKind.STEADY,
    EventKind.ACKNOWLEDGED,
    EventKind.UNACKNOWLEDGED,
]
ONCE_MORE = {EventKind.FLAPPING: Step.FLAPPING, EventKind.UNACKNOWLEDGED: Step.UNACKNOWLEDGED}


@dataclass(frozen=True)
class Leg:
    """Some time goes by, Relève running or not; then it runs, and something happens."""

    lasts: timedelta
    running: bool
    then: EventKind


@dataclass
class World:
    """The daemon's part in short: it keeps nothing but keys, and asks `due` after each event and on each tick."""

    protocol: Protocol
    tick: timedelta
    incident: Incident
    now: datetime
    kept: list[str] = field(default_factory=list)
    known: set[NoticeKey] = field(default_factory=set)
    told: list[tuple[datetime, Planned, Incident]] = field(default_factory=list)

    def ask(self) -> None:
        planned = due(self.protocol, self.incident, self.known, self.now)
        self.kept += [str(plan.key) for plan in planned]
        self.known |= {plan.key for plan in planned}
        self.told += [(self.now, plan, self.incident) for plan in planned]

    def restart(self) -> None:
        self.known = {NoticeKey.parse(text) for text in self.kept}

    def live(self, leg: Leg) -> None:
        if not leg.running:
            self.restart()
        until = self.now + leg.lasts
        while leg.running and self.now + self.tick < until:
            self.now += self.tick
            self.ask()
        self.now = until
        self.happen(leg.then)

    def possible(self, kind: EventKind) -> bool:
        one = self.incident
        if not one.open:
            return kind is EventKind.REOPENED
        if kind in (EventKind.FLAPPING, EventKind.STEADY):
            return (one.flapping_at is None) is (kind is EventKind.FLAPPING)
        if kind is EventKind.UNACKNOWLEDGED:
            return one.acknowledged_at is not None
        return kind is not EventKind.REOPENED

    def happen(self, kind: EventKind) -> None:
        if self.possible(kind):
            severity = Severity.CRITICAL if kind in (EventKind.SEVERITY, EventKind.REOPENED) else None
            began = self.now - 20 * SECOND
            event = Event(ID, self.now, kind, RELEVE, say("So it is"), CheckId("fo"), severity, "link", began)
            after = fold(self.incident, event)
            assert after is not None
            self.incident = after
        self.ask()


def lived(protocol: Protocol, legs: list[Leg], tick: timedelta) -> World:
    opening = Event(
        ID, START, EventKind.OPENED, RELEVE, say("So it is"), CheckId("fo"), Severity.WARNING, "link", START - MINUTE
    )
    incident = fold(None, opening)
    assert incident is not None
    world = World(protocol, tick, incident, START)
    world.ask()
    for leg in legs:
        world.live(leg)
    return world


legs = st.lists(
    st.builds(
        Leg,
        st.integers(0, 7000).map(lambda seconds: timedelta(seconds=seconds)),
        st.booleans(),
        st.sampled_from(HAPPENINGS),
    ),
    max_size=8,
)
ticks = st.sampled_from([97 * SECOND, timedelta(minutes=7), timedelta(hours=2)])
protocols = st.builds(
    Protocol,
    live=st.booleans(),
    first_to=st.sampled_from([(), ("att",), ("att", "dsi")]),
    update_to=st.sampled_from([(), ("att",), ("dsi", "att")]),
    update_every=st.sampled_from([None, timedelta(minutes=10), timedelta(minutes=60)]),
    resolved_to=st.sampled_from([("all",), ("all", "crisis"), ("dsi",), ()]),
    operations=st.sampled_from([("admin",), ("admin", "night")]),
    long_after=st.sampled_from([timedelta(minutes=30), timedelta(hours=6)]),
    conference_to=st.sampled_from([(), ("dsi",), ("dsi", "att")]),
    conference_after=st.sampled_from([None, timedelta(minutes=20), timedelta(minutes=60)]),
)


def slots_owed(world: World) -> set[tuple[int, datetime]]:
    """Every slot of the grid that fell into an interrupting episode, worked out from the log and not from `due`."""
    every, incident = world.protocol.update_every, world.incident
    if every is None or not world.protocol.update_to or incident.disrupted_at is None:
        return set()
    spans, since = [], None
    for event in incident.timeline:
        if event.kind is EventKind.DISRUPTED and since is None:
            since = event.at
        elif event.kind is EventKind.RESOLVED and since is not None:
            spans.append((since, event.at))
            since = None
    if since is not None:
        spans.append((since, world.now))
    owed = set()
    for began, ended in spans:
        n = 1
        while incident.disrupted_at + n * every <= ended:
            if incident.disrupted_at + n * every > began:
                owed.add((n, incident.disrupted_at + n * every))
            n += 1
    return owed


@given(protocols, legs, ticks)
def test_no_key_is_planned_twice(protocol, legs, tick):
    world = lived(protocol, legs, tick)
    assert max(Counter(world.kept).values()) == 1


@given(protocols, legs, ticks)
def test_each_interrupting_episode_has_one_first_notice_for_each_recipient(protocol, legs, tick):
    world = lived(protocol, legs, tick)
    episode, interrupting = 1, set()
    for event in world.incident.timeline:
        episode += event.kind is EventKind.REOPENED
        if event.kind is EventKind.DISRUPTED:
            interrupting.add(episode)
    to = protocol.first_to if protocol.live else protocol.operations if protocol.first_to else ()
    first = Counter(
        (plan.key.n, plan.key.recipient)
        for _, plan, _ in world.told
        if plan.key.step is Step.FIRST_NOTICE and plan.key.audience is Audience.CLIENT
    )
    assert first == Counter({(n, name): 1 for n in interrupting for name in to})


@given(protocols, legs, ticks)
def test_operations_are_told_of_each_opening_and_each_end_once(protocol, legs, tick):
    world = lived(protocol, legs, tick)
    kinds = Counter(event.kind for event in world.incident.timeline)
    seen = Counter(plan.key.step for _, plan, _ in world.told if plan.key.audience is Audience.INTERNAL)
    people = len(protocol.operations)
    assert seen[Step.FIRST_NOTICE] == people * (1 + kinds[EventKind.REOPENED])
    assert seen[Step.RESOLVED] == people * kinds[EventKind.RESOLVED]


@given(protocols, legs, ticks)
def test_every_slot_is_either_sent_or_skipped_and_named(protocol, legs, tick):
    world = lived(protocol, legs, tick)
    recipients = protocol.update_to if protocol.live else protocol.operations
    updates = [plan for _, plan, _ in world.told if plan.key.step is Step.UPDATE]
    owed = {(n, at, name) for n, at in slots_owed(world) for name in recipients}
    assert {(plan.key.n, plan.due_at, plan.key.recipient) for plan in updates} == owed
    ended = any(event.kind is EventKind.RESOLVED for event in world.incident.timeline)
    if ended and "all" not in protocol.resolved_to:
        return  # whom the protocol leaves out of the end cannot be told there of what was missed before it
    for plan in updates:
        assert not plan.skipped or any(
            plan.due_at in other.gap and other.key.recipient == plan.key.recipient and not other.skipped
            for _, other, _ in world.told
        )


@given(protocols, legs, ticks)
def test_nobody_is_updated_after_the_end_and_none_early(protocol, legs, tick):
    for at, plan, incident in lived(protocol, legs, tick).told:
        if plan.key.step is Step.UPDATE and not plan.skipped:
            assert incident.open
            assert plan.due_at <= at


@given(protocols, legs, ticks, ticks)
def test_the_size_of_the_tick_does_not_matter(protocol, legs, tick, other):
    """Only what is sent in time depends on it, and so what must be taken back; no recipient, step or moment does."""
    fine, coarse = (
        {text for text in lived(protocol, legs, one).kept if "/conference_cancelled/" not in text}
        for one in (tick, other)
    )
    assert fine == coarse


@given(protocols, legs, ticks)
def test_asking_twice_at_one_moment_changes_nothing(protocol, legs, tick):
    world = lived(protocol, legs, tick)
    before = list(world.kept)
    world.ask()
    assert world.kept == before


@given(protocols, legs)
def test_without_an_outage_a_fine_tick_skips_nothing_but_a_slot_at_the_very_end(protocol, legs):
    world = lived(protocol, [replace(leg, running=True) for leg in legs], 97 * SECOND)
    ends = [event.at for event in world.incident.timeline if event.kind is EventKind.RESOLVED]
    for _, plan, _ in world.told:
        if plan.skipped:
            assert any(timedelta() <= end - plan.due_at <= 97 * SECOND for end in ends)


@given(protocols, legs, ticks)
def test_a_rehearsal_reaches_operations_only_and_names_the_others(protocol, legs, tick):
    for _, plan, _ in lived(replace(protocol, live=False), legs, tick).told:
        assert plan.key.recipient in protocol.operations
        assert bool(plan.instead_of) == (plan.key.audience is Audience.CLIENT)


@given(protocols, legs, ticks)
def test_the_promised_next_update_is_the_one_that_comes(protocol, legs, tick):
    world = lived(protocol, legs, tick)
    promised = next_update(protocol, world.incident, world.now)
    if promised is None:
        going = world.incident.open and world.incident.disruption_seen_at is not None
        assert not (going and protocol.update_to and protocol.update_every)
        return
    sent = world.known
    assert promised > world.now
    early = due(protocol, world.incident, sent, promised - SECOND / 10)
    assert {plan.key.step for plan in early} <= {Step.CONFERENCE, Step.CRISIS_OPENED, Step.LONG_SOON, Step.LONG}
    updates = [plan for plan in due(protocol, world.incident, sent, promised) if plan.key.step is Step.UPDATE]
    assert {plan.due_at for plan in updates} == {promised}


@given(protocols, legs, ticks)
def test_operations_are_told_at_most_once_of_each_time_that_it_wavers_and_that_nobody_is_on_it(protocol, legs, tick):
    world = lived(protocol, legs, tick)
    kinds = Counter(event.kind for event in world.incident.timeline)
    for kind, step in ONCE_MORE.items():
        seen = [plan for _, plan, _ in world.told if plan.key.step is step]
        assert {plan.key.audience for plan in seen} <= {Audience.INTERNAL}
        assert len(seen) <= len(protocol.operations) * kinds[kind]


@given(protocols, legs, ticks)
def test_a_lapse_that_leaves_nobody_on_it_is_always_told(protocol, legs, tick):
    world = lived(protocol, legs, tick)
    lapses = sum(event.kind is EventKind.UNACKNOWLEDGED for event in world.incident.timeline)
    told = {plan.key.n for _, plan, _ in world.told if plan.key.step is Step.UNACKNOWLEDGED}
    assert told == set(range(1, lapses + 1))


@given(protocols, legs, ticks)
def test_whoever_is_invited_is_invited_once_an_episode_and_told_when_it_is_off(protocol, legs, tick):
    world = lived(protocol, legs, tick)
    for at, plan, incident in world.told:
        if plan.key.step is Step.CONFERENCE and not plan.skipped:
            starts_at = conference_at(protocol, incident)
            assert incident.open
            assert plan.due_at <= at
            assert starts_at > plan.due_at
            off = {
                other.key.recipient
                for _, other, _ in world.told
                if (other.key.step, other.key.n, other.key.audience)
                == (Step.CONFERENCE_CANCELLED, plan.key.n, plan.key.audience)
            }
            ends = [
                event.at
                for event in world.incident.timeline
                if event.kind is EventKind.RESOLVED and event.at >= plan.due_at
            ]
            assert (plan.key.recipient in off) is bool(ends and ends[0] < starts_at)


@given(protocols, legs, ticks)
def test_nobody_is_told_that_a_call_is_off_who_was_not_invited(protocol, legs, tick):
    invited = set()
    for _, plan, _ in lived(protocol, legs, tick).told:
        who = (plan.key.audience, plan.key.n, plan.key.recipient)
        if plan.key.step is Step.CONFERENCE and not plan.skipped:
            invited.add(who)
        if plan.key.step is Step.CONFERENCE_CANCELLED:
            assert who in invited
