"""What a person knows and no inventory says: two incidents are one, or a failure has a cause of its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core import merging
from monitor.core.events import Event, EventKind, event_from_json, event_to_json
from monitor.core.health import ConfirmPolicy
from monitor.core.ids import CheckId, IncidentId, NodeId
from monitor.core.incident import Incident, Interruption, Refused, Status, replay
from monitor.core.maintenance import Span, Window
from monitor.core.plan import Plan, State, Watched
from monitor.core.text import say
from monitor.core.topology import Node, Topology
from monitor.core.verdict import Severity, Verdict
from monitor.core.watch import joined, pass_time, reload, take

START = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NAMES = ("router", "web", "sql", "disk")


def site() -> Plan:
    """A router with a web server and its database behind it, and a disk that nothing stands before."""
    nodes = {
        NodeId("router"): Node(NodeId("router"), (), (CheckId("router"),)),
        NodeId("web"): Node(NodeId("web"), (NodeId("router"),)),
        NodeId("sql"): Node(NodeId("sql"), (NodeId("router"),)),
        NodeId("disk"): Node(NodeId("disk")),
    }
    kinds = {"disk": "disk"}
    checks = {CheckId(name): Watched(ConfirmPolicy(1), kinds.get(name, "crm"), every=MINUTE) for name in NAMES}
    return Plan(checks, Topology(nodes, {CheckId(n): NodeId(n) for n in NAMES}), {"crm": Interruption.ALWAYS})


@dataclass
class Course:
    """Takes results a second apart and keeps what came of them."""

    plan: Plan = field(default_factory=site)
    state: State = field(default_factory=State)
    at: datetime = START
    log: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = reload(self.plan, self.state, self.at).state
        self.see(Severity.OK, *NAMES)

    def see(self, severity: Severity, *checks: str) -> list[EventKind]:
        kinds = []
        for name in checks:
            self.at += timedelta(seconds=1)
            verdict = Verdict(severity, say("{check} seen", check=name), down=severity is Severity.CRITICAL)
            kinds += self._keep(take(self.plan, self.state, CheckId(name), verdict, self.at))
        return kinds

    def down(self, *checks: str) -> list[EventKind]:
        return self.see(Severity.CRITICAL, *checks)

    def good(self, *checks: str) -> list[EventKind]:
        return self.see(Severity.OK, *checks)

    def wait(self, span: timedelta) -> list[EventKind]:
        self.at += span
        return self._keep(pass_time(self.plan, self.state, self.at))

    def merge(self, source: str, target: str, *told: str) -> list[EventKind]:
        events = merging.merged(self.of(source), self.of(target), told, "uid:0", self.at)
        return self._keep(joined(self.plan, self.state, events, self.at))

    def split(self, cause: str, check: str) -> list[EventKind]:
        health = self.state.healths.get(CheckId(check))
        event = merging.split(self.of(cause), CheckId(check), health, "uid:0", self.at)
        return self._keep(joined(self.plan, self.state, (event,), self.at))

    def of(self, check: str) -> Incident:
        found = [one for one in self.state.incidents.values() if one.check == check]
        return max(found, key=lambda one: (one.open, one.opened_at))

    @property
    def open(self) -> dict[str, set[str]]:
        return {str(one.check): set(one.covered) for one in self.state.incidents.values() if one.open}

    def _keep(self, taken) -> list[EventKind]:
        self.state = taken.state
        self.log += taken.events
        return [event.kind for event in taken.events]


def two() -> Course:
    """The web server and the disk fail, each by itself."""
    course = Course()
    course.down("disk", "web")
    course.good("router")
    assert course.open == {"disk": set(), "web": set()}
    return course


def test_two_incidents_become_one_that_goes_on_for_both():
    course = two()
    assert course.merge("web", "disk", "att") == [EventKind.ABSORBED, EventKind.MERGED]
    assert course.open == {"disk": {"web"}}
    web, disk = course.of("web"), course.of("disk")
    assert (web.status, web.joined.into) == (Status.RESOLVED, disk.id)
    assert disk.joined.told == ("att",)
    for _ in range(3):  # nothing in the inventory says that the one explains the other
        assert course.down("web", "disk") == []
        assert course.good("router") == []
        assert course.wait(10 * MINUTE) == []
    assert course.good("disk") == [EventKind.RECOVERED]
    assert course.good("web") == [EventKind.UNCOVERED, EventKind.RESOLVED]


def test_what_still_fails_after_the_incident_that_it_was_put_into_is_told_again_as_its_own():
    course = two()
    course.merge("web", "disk")
    course.good("disk")
    course.at += 6 * MINUTE
    course.good("router")
    kinds = [*course.down("web"), *course.good("router")]
    assert kinds[:3] == [EventKind.UNCOVERED, EventKind.RESOLVED, EventKind.REOPENED]
    assert course.open == {"web": set()}
    assert course.of("web").joined.into is None


def test_whoever_was_told_of_the_first_hears_of_the_end_of_the_last_that_it_went_into():
    course = two()
    course.down("sql")
    course.good("router")
    course.merge("web", "disk", "att")
    course.merge("disk", "sql", "dsi")
    assert course.of("sql").joined.told == ("att", "dsi")
    assert course.open == {"sql": {"web", "disk"}}


def test_an_interruption_goes_on_under_the_other_incident_on_its_own_grid():
    course = two()
    assert course.of("disk").disrupted_at is None
    began_at = course.of("web").disrupted_at
    course.merge("web", "disk", "att")
    assert (course.of("disk").disrupted_at, course.of("disk").disruption_seen_at) == (began_at, course.at)


def test_one_that_interrupts_already_keeps_its_own_grid():
    course = Course(replace(site(), interruption={"crm": Interruption.ALWAYS, "disk": Interruption.ALWAYS}))
    course.down("disk", "web")
    course.good("router")
    began_at, seen_at = course.of("disk").disrupted_at, course.of("disk").disruption_seen_at
    course.merge("web", "disk")
    assert (course.of("disk").disrupted_at, course.of("disk").disruption_seen_at) == (began_at, seen_at)


def test_a_failure_that_a_person_takes_out_is_told_by_itself_and_stays_so():
    course = Course()
    course.down("router", "web", "sql")
    assert course.open == {"router": {"web", "sql"}}
    kinds = course.split("router", "web")
    assert kinds[:2] == [EventKind.SPLIT, EventKind.OPENED]
    assert course.open == {"router": {"sql"}, "web": set()}
    for _ in range(3):
        assert course.down("router", "web", "sql") == []
        assert course.wait(10 * MINUTE) == []
    assert course.good("web") == [EventKind.RESOLVED]
    assert EventKind.REOPENED in course.down("web")  # it was known to be another matter, and still is
    assert course.open == {"router": {"sql"}, "web": set()}


def test_what_was_taken_out_can_be_put_back():
    course = Course()
    course.down("router", "web")
    course.split("router", "web")
    course.merge("web", "router")
    assert course.open == {"router": {"web"}}
    assert course.down("web") == []


def test_what_cannot_be_put_together_or_taken_apart_is_refused():
    course = two()
    with pytest.raises(Refused):
        course.merge("web", "web")
    with pytest.raises(Refused, match="explain"):
        course.split("disk", "web")
    course.merge("web", "disk")
    with pytest.raises(Refused, match="already resolved"):
        merging.merged(course.of("web"), course.of("disk"), (), "uid:0", course.at)
    course.good("web")
    with pytest.raises(Refused):
        course.split("disk", "web")
    work = Window("w", frozenset({CheckId("web")}), Span(course.at, course.at + 60 * MINUTE), kind="crm")
    course.state = replace(course.state, windows=(work,))
    course.down("web")
    with pytest.raises(Refused, match="announced work"):
        course.merge("web", "disk")


@given(st.lists(st.tuples(st.sampled_from(["down", "good", "merge", "split"]), *[st.sampled_from(NAMES)] * 2)))
def test_in_any_order_every_failure_is_told_in_one_place_and_all_ends(steps):
    course = Course()
    for what, one, other in steps:
        try:
            match what:
                case "down":
                    course.down(one)
                case "good":
                    course.good(one)
                case "merge" if {one, other} <= course.open.keys():
                    course.merge(one, other)
                case "split" if one in course.open:
                    course.split(one, other)
        except Refused:
            continue
        told = [name for incident in course.state.incidents.values() for name in incident.explained]
        assert len(told) == len(set(told))
    stored = [event_from_json(event_to_json(event)) for event in course.log]
    assert replay(stored) == dict(course.state.incidents)
    for _ in range(25):
        course.good(*NAMES)
    assert course.open == {}


def test_the_incident_that_it_went_into_is_named_in_both_timelines():
    course = two()
    course.merge("web", "disk")
    web, disk = course.of("web"), course.of("disk")
    assert dict(web.timeline[-1].text.values)["id"] == disk.id
    assert dict(disk.timeline[-1].text.values)["id"] == IncidentId(web.id)
