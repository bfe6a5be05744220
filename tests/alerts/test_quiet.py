"""Quiet hours: a warning waits for the morning, what is urgent never does, nothing is lost or doubled."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.agreement import Protocol
from alerts.demanded import demanded
from alerts.notice import NoticeKey, Planned, Step
from alerts.protocol import due
from alerts.protocol_json import protocol_from_json, protocol_to_json
from alerts.quiet import Quiet
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident, fold
from monitor.core.text import say
from monitor.core.verdict import Severity

ID = IncidentId("26-0042")
DOUALA, PARIS = ZoneInfo("Africa/Douala"), ZoneInfo("Europe/Paris")
QUIET = Quiet(time(22), time(7), DOUALA)
PROTOCOL = Protocol(
    operations=("awa",), first_to=("att",), resolved_to=("all",), quiet=QUIET, long_after=timedelta(days=30)
)
NIGHT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)  # 2 o'clock at Douala
MORNING = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
EVENING = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
WARNING, CRITICAL, UNKNOWN = Severity.WARNING, Severity.CRITICAL, Severity.UNKNOWN


def happened(kind: EventKind, at: datetime, severity: Severity | None = None) -> Event:
    return Event(ID, at, kind, RELEVE, say("so"), CheckId("fo"), severity, "link", at)


class World:
    """The daemon's part in short: it keeps nothing but keys, and asks `due` after each event and on each tick."""

    def __init__(self, opened: datetime, severity: Severity = WARNING, protocol: Protocol = PROTOCOL) -> None:
        first = fold(None, happened(EventKind.OPENED, opened, severity))
        assert first is not None
        self.protocol, self.incident, self.now = protocol, first, opened
        self.kept: set[str] = set()
        self.told: list[tuple[datetime, Planned]] = []
        self.first = self.at(opened)

    def at(self, now: datetime) -> list[str]:
        self.now = now
        known = {NoticeKey.parse(text) for text in self.kept}
        planned = due(self.protocol, self.incident, known, now)
        assert not {str(plan.key) for plan in planned} & self.kept
        self.kept |= {str(plan.key) for plan in planned}
        self.told += [(now, plan) for plan in planned]
        return [plan.key.step.value + (" skipped" if plan.skipped else "") for plan in planned]

    def happen(self, kind: EventKind, now: datetime, severity: Severity | None = None) -> list[str]:
        after = fold(self.incident, happened(kind, now, severity))
        assert after is not None
        self.incident = after
        return self.at(now)


def test_a_warning_of_the_night_is_told_once_when_the_quiet_hours_end():
    world = World(NIGHT)
    assert world.first == []
    assert world.at(MORNING - MINUTE) == []
    assert world.at(MORNING + MINUTE) == ["first_notice"]
    (at_last,) = [plan for _, plan in world.told]
    assert at_last.due_at == MORNING
    assert world.at(MORNING + HOUR) == []
    assert world.happen(EventKind.RESOLVED, MORNING + HOUR) == ["resolved"]


def test_of_what_ended_meanwhile_nothing_is_sent_and_its_keys_are_kept():
    world = World(NIGHT)
    assert world.happen(EventKind.RESOLVED, NIGHT + HOUR) == ["first_notice skipped", "resolved skipped"]
    assert world.at(MORNING + HOUR) == []


@pytest.mark.parametrize(
    ("kind", "severity", "told"),
    [
        (EventKind.SEVERITY, CRITICAL, ["first_notice skipped", "worsened"]),
        (EventKind.SEVERITY, UNKNOWN, ["first_notice skipped", "worsened"]),
        (EventKind.DISRUPTED, None, ["first_notice skipped", "disrupted", "first_notice"]),
        (EventKind.RELAPSED, CRITICAL, ["first_notice"]),
    ],
)
def test_what_becomes_urgent_is_told_at_once_and_once(kind, severity, told):
    world = World(NIGHT)
    assert sorted(world.happen(kind, NIGHT + HOUR, severity)) == sorted(told)
    assert world.happen(EventKind.SEVERITY, NIGHT + 2 * HOUR, WARNING) == []
    assert "resolved" in world.happen(EventKind.RESOLVED, NIGHT + 3 * HOUR)


@pytest.mark.parametrize("severity", [CRITICAL, UNKNOWN])
def test_what_is_more_than_a_warning_waits_for_nothing(severity):
    assert World(NIGHT, severity).first == ["first_notice"]


def test_by_day_a_warning_is_told_at_once_and_its_end_of_the_night_in_the_morning():
    world = World(EVENING)
    assert world.first == ["first_notice"]
    assert world.happen(EventKind.FLAPPING, NIGHT) == []
    assert world.happen(EventKind.RESOLVED, NIGHT + HOUR) == []
    assert world.at(MORNING) == ["resolved"]


def test_of_several_reasons_of_one_night_the_latest_alone_is_told():
    world = World(NIGHT)
    assert world.happen(EventKind.FLAPPING, NIGHT + HOUR) == []
    assert sorted(world.at(MORNING)) == ["first_notice skipped", "flapping"]


def test_that_a_person_is_needed_is_told_in_any_case():
    world = World(NIGHT)
    assert world.happen(EventKind.CALLED, NIGHT + HOUR) == []
    assert world.happen(EventKind.FLAPPING, NIGHT + 2 * HOUR) == []
    assert sorted(world.at(MORNING)) == ["first_notice skipped", "flapping skipped", "person_called"]


def test_what_is_new_in_the_morning_stands_for_what_waited():
    world = World(NIGHT)
    assert sorted(world.happen(EventKind.FLAPPING, MORNING + MINUTE)) == ["first_notice skipped", "flapping"]


def test_a_relapse_by_night_into_a_warning_waits_as_well():
    world = World(EVENING, CRITICAL)
    world.happen(EventKind.RESOLVED, NIGHT)
    assert world.happen(EventKind.REOPENED, NIGHT + MINUTE, WARNING) == []
    assert world.at(MORNING) == ["first_notice"]


def test_releve_out_over_the_morning_tells_it_late_or_not_at_all():
    world = World(NIGHT)
    assert world.at(MORNING + 5 * HOUR) == ["first_notice"]
    ended = World(NIGHT)
    assert ended.happen(EventKind.RESOLVED, MORNING + 5 * HOUR) == ["first_notice skipped", "resolved skipped"]


@pytest.mark.parametrize(
    ("quiet", "at", "end"),
    [
        (QUIET, "2026-11-21T21:00+00:00", "2026-11-22T06:00+00:00"),
        (QUIET, "2026-11-21T20:59:59+00:00", None),
        (QUIET, "2026-11-22T05:59:59+00:00", "2026-11-22T06:00+00:00"),
        (QUIET, "2026-11-22T06:00+00:00", None),
        (Quiet(time(12), time(14), DOUALA), "2026-11-22T12:00+00:00", "2026-11-22T13:00+00:00"),
        (Quiet(time(22), time(7), PARIS), "2026-03-29T00:30+00:00", "2026-03-29T05:00+00:00"),
        (Quiet(time(22), time(7), PARIS), "2026-10-25T00:30+00:00", "2026-10-25T06:00+00:00"),
    ],
)
def test_when_it_is_quiet_is_a_matter_of_the_sites_clocks(quiet, at, end):
    assert quiet.end_of(datetime.fromisoformat(at)) == (None if end is None else datetime.fromisoformat(end))


def test_quiet_hours_are_frozen_with_the_incident_and_older_protocols_have_none():
    data = protocol_to_json(PROTOCOL)
    assert protocol_from_json(data) == PROTOCOL
    del data["quiet"]
    assert protocol_from_json(data) == replace(PROTOCOL, quiet=None)


def test_nobody_demands_what_was_kept_back():
    world = World(NIGHT)
    world.happen(EventKind.SEVERITY, NIGHT + HOUR, CRITICAL)
    world.happen(EventKind.RESOLVED, NIGHT + 2 * HOUR)
    plans = demanded(PROTOCOL, world.incident.timeline, MORNING)
    assert {plan.key.step: plan.hushed for plan in plans} == {
        Step.FIRST_NOTICE: True, Step.WORSENED: False, Step.RESOLVED: False,
    }  # fmt: skip


kinds = st.sampled_from([
    (EventKind.SEVERITY, CRITICAL), (EventKind.SEVERITY, WARNING), (EventKind.DISRUPTED, None),
    (EventKind.RESOLVED, None), (EventKind.REOPENED, WARNING), (EventKind.REOPENED, CRITICAL),
    (EventKind.FLAPPING, None), (EventKind.STEADY, None), (EventKind.CALLED, None), (EventKind.RELAPSED, WARNING),
])  # fmt: skip
legs = st.lists(st.tuples(st.integers(1, 5 * 3600), kinds, st.booleans()), max_size=8)


def possible(incident: Incident, kind: EventKind) -> bool:
    if not incident.open:
        return kind is EventKind.REOPENED
    if kind in (EventKind.FLAPPING, EventKind.STEADY):
        return (incident.flapping_at is None) is (kind is EventKind.FLAPPING)
    return kind is not EventKind.REOPENED


@given(st.integers(0, 86400), st.sampled_from([WARNING, CRITICAL]), legs)
def test_by_night_only_what_is_urgent_wakes_and_each_reason_is_settled_once_in_the_end(offset, severity, legs):
    world = World(EVENING + timedelta(seconds=offset), severity)
    for seconds, (kind, how_bad), running in legs:
        until = world.now + timedelta(seconds=seconds)
        while running and world.now + 10 * MINUTE < until:
            world.at(world.now + 10 * MINUTE)
        if possible(world.incident, kind):
            world.happen(kind, until, how_bad)
        else:
            world.at(until)
        sent = [plan for at, plan in world.told if at == until and not plan.skipped]
        if world.incident.urgency.loud_at is None and QUIET.end_of(until) is not None:
            # Only what waited for the end of an earlier night may come late into this one.
            assert all(plan.due_at < until for plan in sent)
    calm = due(replace(PROTOCOL, quiet=None), world.incident, (), world.now)
    morning = QUIET.end_of(world.now) or world.now
    world.at(morning)
    # In the end there is a key for everything that would exist without quiet hours.
    assert {str(plan.key) for plan in calm} <= world.kept
    assert world.at(morning + HOUR) == []
