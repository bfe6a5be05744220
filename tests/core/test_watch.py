"""From results to incidents: one a crossing, the cause told and not its shadows, nothing lost on the way."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.by_hand import open_by_hand, resolve_by_hand
from monitor.core.events import Event, EventKind, event_from_json, event_to_json
from monitor.core.flapping import SAMPLES
from monitor.core.health import ConfirmPolicy, Health
from monitor.core.ids import CheckId, IncidentId, NodeId
from monitor.core.incident import BLIND, Incident, Interruption, Status, replay
from monitor.core.maintenance import Span, Window, scope_of
from monitor.core.plan import Plan, State, Watched, incident_id, record
from monitor.core.services import Leaf, Rule, Service, Way
from monitor.core.text import say
from monitor.core.topology import Node, Topology, upstream
from monitor.core.verdict import Severity, Verdict
from monitor.core.watch import forget, pass_time, reload, repaired, take, told

OK, WARNING, UNKNOWN, CRITICAL = Severity
START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
OPENED, COVERED, UNCOVERED, RESOLVED = EventKind.OPENED, EventKind.COVERED, EventKind.UNCOVERED, EventKind.RESOLVED
NOTE = EventKind.NOTE
RECOVERED, RELAPSED, REOPENED, DISRUPTED = (
    EventKind.RECOVERED,
    EventKind.RELAPSED,
    EventKind.REOPENED,
    EventKind.DISRUPTED,
)


ALL_GATED = ("router", "switch", "hmp")


def site(*, confirm: int = 1, recover: int = 1, gated: tuple[str, ...] = ALL_GATED) -> Plan:
    """router <- switch <- hmp, with a ping on each, the gate of those that are `gated`; a disk and a service on hmp."""
    policy = ConfirmPolicy(confirm, recover)
    above = {"router": (), "switch": ("router",), "hmp": ("switch",)}
    nodes = {
        NodeId(name): Node(
            NodeId(name), tuple(map(NodeId, parents)), (CheckId(f"ping-{name}"),) if name in gated else ()
        )
        for name, parents in above.items()
    }
    where = {CheckId(f"ping-{name}"): NodeId(name) for name in above}
    where |= {CheckId("disk"): NodeId("hmp"), CheckId("onnet"): NodeId("hmp")}
    kinds = {"disk": "hmp-disk-full", "onnet": "service-stopped", "ping-router": "power"}
    checks = {check: Watched(policy, kinds.get(check, "other")) for check in where}
    interruption = {"service-stopped": Interruption.ALWAYS, "power": Interruption.DETECTED}
    return Plan(checks, Topology(nodes, where), interruption)


@dataclass
class Desk:
    """Takes results a second apart and keeps what came of them."""

    plan: Plan
    state: State = State()  # noqa: RUF009 - frozen
    second: float = 0
    log: tuple[Event, ...] = ()
    reprobe: tuple[CheckId, ...] = ()

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.second)

    def see(self, check: str, severity: Severity, *, down: bool = False) -> tuple[EventKind, ...]:
        self.second += 1
        verdict = Verdict(severity, say("{check} seen", check=check), down=down)
        taken = take(self.plan, self.state, CheckId(check), verdict, self.now)
        self.state, self.log, self.reprobe = taken.state, self.log + taken.events, taken.reprobe
        return tuple(event.kind for event in taken.events)

    def good(self, *checks: str) -> None:
        for check in checks or tuple(self.plan.checks):
            self.see(check, OK)

    def down(self, check: str) -> tuple[EventKind, ...]:
        return self.see(check, CRITICAL, down=True)

    @property
    def open(self) -> dict[str, set[str]]:
        """Root of each open incident -> what it covers."""
        return {str(i.check): set(i.covered) for i in self.state.incidents.values() if i.open}

    def incident(self, number: int = 1) -> Incident:
        return self.state.incidents[incident_id(number, START)]


def test_a_failure_that_is_believed_opens_one_incident_and_its_recovery_ends_it():
    desk = Desk(site(confirm=3))
    desk.good()
    assert desk.see("disk", CRITICAL) == ()
    assert desk.see("disk", CRITICAL) == ()
    assert desk.see("disk", CRITICAL) == ()
    assert set(desk.reprobe) == {"ping-hmp", "ping-switch", "ping-router"}
    for gate in desk.reprobe:
        events = desk.see(gate, OK)
    assert events == (OPENED,)
    assert desk.incident().kind == "hmp-disk-full"
    assert desk.see("disk", CRITICAL) == ()
    assert desk.see("disk", OK) == (RESOLVED,)
    assert desk.see("disk", OK) == ()


def test_while_a_gate_is_being_confirmed_it_is_not_hurried():
    desk = Desk(site(confirm=3))
    desk.good()
    for _ in range(3):
        desk.see("disk", UNKNOWN)
    desk.good("ping-hmp", "ping-switch")
    desk.down("ping-router")
    assert desk.see("disk", UNKNOWN) == ()
    assert "ping-router" not in desk.reprobe


def test_what_lies_behind_a_dead_parent_is_told_as_its_shadow_and_not_by_itself():
    desk = Desk(site())
    desk.good()
    assert desk.see("disk", UNKNOWN) == ()
    assert desk.down("ping-hmp") == ()
    assert desk.down("ping-switch") == ()
    events = desk.down("ping-router")
    assert events == (OPENED, COVERED, COVERED, COVERED)
    assert desk.open == {"ping-router": {"disk", "ping-hmp", "ping-switch"}}
    assert desk.see("onnet", UNKNOWN) == (COVERED,)


def test_a_suppressed_check_that_is_well_leaves_the_shadow():
    desk = Desk(site(gated=("router",)))
    desk.good()
    desk.down("ping-router")
    desk.down("ping-hmp")
    assert desk.open == {"ping-router": {"ping-hmp"}}
    assert desk.see("ping-hmp", OK) == (UNCOVERED,)
    assert desk.open == {"ping-router": set()}


def test_when_the_cause_is_gone_what_it_covered_is_verified_before_the_end():
    desk = Desk(site(gated=("router",)))
    desk.good()
    desk.down("ping-router")
    desk.down("ping-switch")
    desk.see("disk", UNKNOWN)
    assert desk.see("ping-router", OK) == (RECOVERED,)
    assert set(desk.reprobe) == {"ping-switch", "disk"}
    assert desk.incident().open
    assert desk.see("ping-switch", OK) == (UNCOVERED,)
    assert desk.see("disk", OK) == (UNCOVERED, RESOLVED)


def test_what_still_fails_after_the_cause_is_gone_has_time_to_come_back_and_is_then_told_by_itself():
    desk = Desk(site(gated=("router",)))
    desk.good()
    desk.down("ping-router")
    desk.see("disk", CRITICAL)
    desk.see("ping-router", OK)
    for _ in range(3):
        desk.good("ping-switch", "ping-hmp", "ping-router")
        assert desk.see("disk", CRITICAL) == ()
    assert desk.open == {"ping-router": {"disk"}}
    desk.second += 300
    assert desk.see("ping-router", OK) == ()  # how the disk was seen minutes ago says nothing of how it is
    assert desk.see("disk", CRITICAL) == (UNCOVERED, RESOLVED, OPENED)
    assert desk.open == {"disk": set()}


def test_what_nobody_looked_at_since_its_cause_is_gone_is_not_told_before_somebody_does():
    desk = Desk(site())
    desk.good()
    for name in ("ping-router", "ping-switch", "ping-hmp"):
        desk.down(name)
    desk.see("ping-router", OK)
    desk.second += 1000
    taken = pass_time(desk.plan, desk.state, desk.now)
    assert taken.events == ()
    desk.state = taken.state
    desk.good("ping-switch", "ping-hmp")
    assert desk.open == {}


def test_a_relapse_while_the_end_is_verified_is_the_same_incident():
    desk = Desk(site())
    desk.good()
    desk.down("ping-router")
    desk.down("ping-switch")
    desk.see("ping-router", OK)
    assert desk.down("ping-router") == (RELAPSED,)
    assert desk.open == {"ping-router": {"ping-switch"}}
    assert desk.down("ping-switch") == ()


def test_out_of_sight_while_the_end_is_verified_is_no_relapse():
    desk = Desk(site())
    desk.good()
    desk.down("ping-router")
    desk.down("ping-switch")
    desk.see("ping-router", OK)
    assert desk.see("ping-router", UNKNOWN) == (EventKind.NOTE,)
    assert desk.see("ping-router", OK) == ()
    assert desk.see("ping-switch", OK) == (UNCOVERED, RESOLVED)


def test_a_root_that_is_bad_but_no_longer_down_explains_nothing_behind_it():
    desk = Desk(site(gated=("router",)))
    desk.good()
    desk.down("ping-router")
    desk.see("onnet", CRITICAL)
    assert desk.open == {"ping-router": {"onnet"}}
    assert desk.see("ping-router", WARNING) == (EventKind.SEVERITY, UNCOVERED)
    assert desk.reprobe == ("onnet",)
    desk.good("ping-hmp", "ping-switch")
    desk.see("onnet", CRITICAL)
    desk.good("ping-hmp", "ping-switch")
    assert desk.open == {"ping-router": set(), "onnet": set()}


def test_a_root_that_goes_out_of_sight_keeps_what_it_covers():
    desk = Desk(site())
    desk.good()
    desk.down("ping-router")
    desk.down("ping-switch")
    assert desk.see("ping-router", UNKNOWN) == (EventKind.NOTE,)
    assert desk.open == {"ping-router": {"ping-switch"}}
    assert desk.down("ping-hmp") == (COVERED,)
    assert desk.open == {"ping-router": {"ping-switch", "ping-hmp"}}


def test_one_good_result_of_a_gate_that_must_give_three_explains_as_before():
    desk = Desk(site(recover=3, gated=("router",)))
    desk.good()
    desk.down("ping-router")
    desk.see("ping-router", OK)
    assert desk.down("ping-hmp") == (COVERED,)


def test_not_seeing_is_an_incident_of_its_own_kind_and_gives_way_to_what_is_seen():
    desk = Desk(site())
    desk.good()
    desk.see("ping-router", UNKNOWN)
    assert desk.incident().kind == BLIND
    assert desk.down("ping-router") == (RESOLVED, OPENED)
    assert desk.incident(2).kind == "power"


def test_a_relapse_within_a_quarter_of_an_hour_reopens_the_incident():
    desk = Desk(site())
    desk.good()
    desk.down("ping-router")
    desk.see("ping-router", OK)
    desk.second += 14 * 60
    assert desk.down("ping-router") == (REOPENED,)
    assert (desk.incident().episode, desk.incident().began_at) == (2, desk.log[0].began_at)
    desk.see("ping-router", OK)
    desk.second += 16 * 60
    assert desk.down("ping-router") == (OPENED,)
    assert desk.state.next_number == 3


def test_an_interruption_of_the_client_is_said_once_and_since_its_first_failure():
    desk = Desk(site(confirm=2))
    desk.good()
    desk.see("onnet", CRITICAL)
    failed = desk.now
    desk.see("onnet", CRITICAL)
    for _ in range(2):
        desk.good("ping-hmp", "ping-switch", "ping-router")
    assert [event.kind for event in desk.log] == [OPENED, DISRUPTED]
    assert desk.incident().disrupted_at == failed
    assert desk.see("onnet", CRITICAL) == ()


def test_a_cut_interrupts_the_client_only_once_it_takes_a_service_along():
    desk = Desk(site(gated=("router",)))
    desk.good()
    assert desk.down("ping-router") == (OPENED,)
    assert desk.see("disk", CRITICAL) == (COVERED,)
    assert desk.see("onnet", CRITICAL) == (COVERED, DISRUPTED)
    assert desk.incident().disrupted_at == desk.now


def test_a_warning_interrupts_nobody_and_getting_critical_interrupts_from_then_on():
    desk = Desk(site())
    desk.good()
    desk.see("onnet", WARNING)
    desk.good("ping-hmp", "ping-switch", "ping-router")
    assert [event.kind for event in desk.log] == [OPENED]
    assert desk.see("onnet", CRITICAL) == ()
    critical_at = desk.now
    desk.good("ping-hmp", "ping-switch", "ping-router")
    assert [event.kind for event in desk.log] == [OPENED, EventKind.SEVERITY, DISRUPTED]
    assert desk.incident().disrupted_at == critical_at


def test_what_waits_to_come_back_after_its_cause_and_is_held_up_by_another_is_told_with_that_one():
    ups, plan = CheckId("ups"), site()
    topology = replace(plan.topology, needs={CheckId("ping-hmp"): (ups,)})
    desk = Desk(replace(plan, topology=topology, checks={**plan.checks, ups: Watched(ConfirmPolicy(1))}))
    desk.good()
    desk.down("ping-router")
    desk.down("ping-switch")
    desk.down("ping-hmp")
    assert desk.open == {"ping-router": {"ping-switch", "ping-hmp"}}
    assert desk.see("ping-router", OK) == (RECOVERED,)
    desk.good("ping-switch")
    assert desk.down("ups") == (OPENED,)
    desk.down("ping-hmp")
    assert desk.open == {"ups": {"ping-hmp"}}
    assert not desk.incident().open


def test_what_waits_to_come_back_stays_with_its_cause_while_what_it_needs_may_come_back_too():
    """`ping-hmp` was slow and told so by itself; that it is off now is the doing of the router, as all behind it."""
    plan = site()
    topology = replace(plan.topology, needs={CheckId("disk"): (CheckId("ping-hmp"),)})
    desk = Desk(replace(plan, topology=topology))
    desk.good()
    desk.see("ping-hmp", WARNING)
    desk.good("ping-router", "ping-switch")
    for name in ("ping-router", "ping-switch", "ping-hmp"):
        desk.down(name)
    desk.see("disk", UNKNOWN)
    assert desk.open == {"ping-hmp": set(), "ping-router": {"ping-switch", "disk"}}
    desk.good("ping-router", "ping-switch")
    desk.see("disk", CRITICAL)
    desk.down("ping-hmp")
    desk.see("disk", CRITICAL)
    assert desk.open == {"ping-hmp": set(), "ping-router": {"disk"}}
    desk.good("ping-hmp", "disk")
    assert desk.open == {}


def test_what_a_cause_explains_stays_its_doing_while_nobody_can_see_that_cause():
    """Whoever is looked at first once the router answers again: what lies behind the switch is told with it."""
    desk = Desk(site())
    desk.good()
    desk.down("ping-switch")
    desk.good("ping-router")
    desk.down("ping-hmp")
    assert desk.open == {"ping-switch": {"ping-hmp"}}
    desk.down("ping-router")
    desk.see("ping-switch", UNKNOWN)
    desk.down("ping-hmp")
    desk.good("ping-router")
    desk.second += 301
    desk.good("ping-router")
    desk.down("ping-hmp")
    assert desk.open == {"ping-switch": {"ping-hmp"}}
    desk.good("ping-switch")
    assert desk.see("ping-hmp", OK) == (UNCOVERED, RESOLVED)


def test_what_was_slow_and_is_cut_off_is_not_told_as_worse_while_its_cause_goes_on_and_what_it_feeds_boots():
    desk = Desk(site())
    desk.good()
    desk.see("ping-hmp", WARNING)
    desk.good("ping-switch", "ping-router")
    assert desk.open == {"ping-hmp": set()}
    desk.down("ping-hmp")
    desk.down("ping-router")
    assert desk.down("ping-switch") == (COVERED,)
    assert desk.open == {"ping-hmp": set(), "ping-router": {"ping-switch"}}
    assert desk.incident().severity is WARNING
    desk.good("ping-router", "ping-switch")
    assert desk.down("ping-hmp") == ()
    assert desk.incident().severity is WARNING
    desk.second += desk.plan.settle.total_seconds()
    assert desk.down("ping-hmp") == (EventKind.SEVERITY,)
    assert desk.incident().severity is CRITICAL


def test_a_relapse_that_is_a_mere_warning_does_not_interrupt_the_client_again():
    desk = Desk(site())
    desk.good()
    desk.see("onnet", CRITICAL)
    desk.good("ping-hmp", "ping-switch", "ping-router")
    began = desk.incident().disrupted_at
    desk.see("onnet", OK)
    desk.see("onnet", WARNING)
    desk.good("ping-hmp", "ping-switch", "ping-router")
    assert desk.incident().episode == 2
    assert desk.incident().disruption_seen_at is None
    desk.see("onnet", CRITICAL)
    desk.good("ping-hmp", "ping-switch", "ping-router")
    assert [event.kind for event in desk.log[-2:]] == [EventKind.SEVERITY, DISRUPTED]
    assert (desk.incident().disrupted_at, desk.incident().disruption_seen_at) == (began, desk.now)


def test_what_a_person_opens_is_numbered_with_the_rest_and_may_interrupt():
    desk = Desk(site())
    desk.good()
    name = incident_id(desk.state.next_number, START)
    taken = told(desk.plan, desk.state, open_by_hand(name, "service-stopped", CRITICAL, "uid:0", START, "no calls"))
    assert [event.kind for event in taken.events] == [OPENED, DISRUPTED]
    assert taken.state.next_number == 2


def test_after_a_person_ends_it_a_failure_that_goes_on_is_told_again():
    desk = Desk(site())
    desk.good()
    desk.down("ping-router")
    desk.down("ping-switch")
    desk.state = record(desk.state, resolve_by_hand(desk.incident(), "uid:0", desk.now, "", failing=False))
    assert desk.down("ping-router") == (REOPENED, COVERED)


def test_what_the_inventory_no_longer_watches_is_closed_and_says_so():
    desk = Desk(site())
    desk.good()
    desk.down("ping-router")
    desk.down("ping-switch")
    kept = {name: watched for name, watched in desk.plan.checks.items() if name != "ping-router"}
    taken = reload(replace(desk.plan, checks=kept), desk.state, desk.now)
    assert [event.kind for event in taken.events] == [RESOLVED]
    assert CheckId("ping-router") not in taken.state.healths


def test_what_waited_for_its_cause_and_is_ok_again_by_then_is_not_told():
    desk = Desk(site(recover=2))
    desk.good()
    desk.see("onnet", CRITICAL)
    desk.see("onnet", OK)
    desk.good("ping-router", "ping-switch", "ping-hmp")
    assert desk.log == ()
    desk.see("onnet", CRITICAL)
    desk.good("ping-router", "ping-switch", "ping-hmp")
    assert [event.kind for event in desk.log][:1] == [OPENED]


def test_an_interruption_that_nobody_sees_any_more_goes_on_until_it_is_seen_or_a_person_ends_it():
    desk = Desk(site())
    desk.good()
    desk.see("onnet", CRITICAL)
    desk.good("ping-router", "ping-switch", "ping-hmp")
    whole, kept = desk.plan, {name: one for name, one in desk.plan.checks.items() if name != "onnet"}
    desk.plan = replace(whole, checks=kept)
    taken = reload(desk.plan, desk.state, desk.now)
    assert [event.kind for event in taken.events] == [NOTE]
    assert "releve incident resolve" in taken.events[0].text.template
    assert reload(desk.plan, taken.state, desk.now).events == ()
    desk.state = reload(whole, taken.state, desk.now).state
    desk.plan = whole
    assert desk.see("onnet", OK) == (RESOLVED,)


def test_a_recovered_incident_ends_when_the_last_check_to_verify_leaves_the_inventory():
    desk = Desk(site(gated=("router",)))
    desk.good()
    desk.down("ping-router")
    desk.see("disk", CRITICAL)
    desk.see("ping-router", OK)
    kept = {name: watched for name, watched in desk.plan.checks.items() if name != "disk"}
    taken = reload(replace(desk.plan, checks=kept), desk.state, desk.now)
    assert [event.kind for event in taken.events] == [UNCOVERED, RESOLVED]


def test_what_stood_behind_a_cause_that_nobody_looks_at_any_more_is_told_by_itself():
    desk = Desk(site(gated=("router",)))
    desk.good()
    desk.down("ping-router")
    desk.see("onnet", CRITICAL)
    kept = {name: watched for name, watched in desk.plan.checks.items() if name != "ping-router"}
    nodes = {**desk.plan.topology.nodes, NodeId("router"): Node(NodeId("router"))}
    desk.plan = replace(desk.plan, checks=kept, topology=replace(desk.plan.topology, nodes=nodes))
    taken = reload(desk.plan, desk.state, desk.now)
    assert [event.kind for event in taken.events] == [EventKind.NOTE, UNCOVERED]
    desk.state = taken.state
    desk.good("ping-hmp", "ping-switch")
    desk.see("onnet", CRITICAL)
    desk.good("ping-hmp", "ping-switch")
    assert desk.open == {"ping-router": set(), "onnet": set()}


def test_a_reload_that_changes_nothing_says_nothing():
    desk = Desk(site())
    desk.down("ping-router")
    taken = reload(desk.plan, desk.state, desk.now)
    assert taken.events == ()
    assert taken.state == desk.state


def test_ended_incidents_are_forgotten_after_a_while_and_open_ones_never():
    desk = Desk(site())
    desk.good()
    desk.down("ping-router")
    assert forget(desk.state, START + timedelta(days=400), timedelta(days=1)) is desk.state
    desk.see("ping-router", OK)
    assert forget(desk.state, desk.now + timedelta(hours=1), timedelta(days=1)).incidents
    assert not forget(desk.state, desk.now + timedelta(days=2), timedelta(days=1)).incidents


def test_an_incident_is_named_short_enough_to_dictate():
    assert incident_id(42, START) == "26-0042"
    assert incident_id(12345, START) == "26-12345"


def test_screens_are_told_what_a_check_waits_for():
    assert upstream(site().topology, CheckId("disk")) == ("ping-hmp", "ping-switch", "ping-router")


# Properties: any plan of four nodes, any results.

NODES = ("a", "b", "c", "d")
SEEN = st.tuples(st.sampled_from(Severity), st.booleans())


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Nodes in a row, each behind any of the ones before it; a gate on most, a plain check on each."""
    nodes, where, checks = {}, {}, {}
    for at, name in enumerate(NODES):
        parents = draw(st.sets(st.sampled_from(NODES[:at]))) if at else set()
        gates = (CheckId(f"gate-{name}"),) if draw(st.integers(0, 4)) else ()
        nodes[NodeId(name)] = Node(NodeId(name), tuple(NodeId(n) for n in sorted(parents)), gates)
        for check in (*gates, CheckId(f"plain-{name}")):
            where[check] = NodeId(name)
            policy = ConfirmPolicy(draw(st.integers(1, 3)), draw(st.integers(1, 2)))
            checks[check] = Watched(policy, draw(st.sampled_from(["other", "service", "cut"])))
    names = draw(st.permutations(list(checks)))
    interruption = {"service": Interruption.ALWAYS, "cut": Interruption.DETECTED}
    return Plan({name: checks[name] for name in names}, Topology(nodes, where), interruption)


@st.composite
def stories(draw: st.DrawFn) -> tuple[Plan, list[tuple[CheckId, Severity, bool]]]:
    """A plan and results for its checks: each a spell of one to four alike, so that things are believed."""
    plan = draw(plans())
    spells = draw(st.lists(st.tuples(st.sampled_from(list(plan.checks)), SEEN, st.integers(1, 4)), max_size=25))
    return plan, [(check, seen, down) for check, (seen, down), times in spells for _ in range(times)]


def play(desk: Desk, story: list[tuple[CheckId, Severity, bool]]) -> Desk:
    for check, seen, down in story:
        desk.see(check, seen, down=down)
    return desk


@given(stories())
def test_the_events_of_a_result_are_the_whole_change(told):
    """Folding them gives the incidents, so nothing but events needs to be stored of them."""
    plan, story = told
    desk = Desk(plan)
    for check, seen, down in story:
        before, sofar = desk.state, len(desk.log)
        desk.see(check, seen, down=down)
        folded = before
        for event in desk.log[sofar:]:
            assert event.kind is OPENED or event.incident in folded.incidents
            folded = record(folded, event)
        assert folded.incidents == desk.state.incidents
        assert folded.next_number == desk.state.next_number
    assert replay(desk.log) == desk.state.incidents


@given(stories(), st.integers(0, 60))
def test_resuming_from_what_was_stored_equals_never_having_stopped(told, cut):
    plan, story = told
    whole = play(Desk(plan), story)
    half = play(Desk(plan), story[:cut])
    stored = json.dumps([event_to_json(event) for event in half.log])
    state = State(healths=dict(half.state.healths))
    for data in json.loads(stored):
        state = record(state, event_from_json(data))
    resumed = play(Desk(plan, state, half.second, half.log), story[cut:])
    assert (resumed.state, resumed.log) == (whole.state, whole.log)


@given(stories())
def test_a_check_has_one_open_incident_at_a_time_and_opens_it_once_a_crossing(told):
    plan, story = told
    desk = Desk(plan)
    for check, seen, down in story:
        sofar = len(desk.log)
        desk.see(check, seen, down=down)
        roots = [i.check for i in desk.state.incidents.values() if i.open]
        assert len(roots) == len(set(roots))
        for event in desk.log[sofar:]:
            if event.kind in (OPENED, REOPENED):
                assert desk.state.healths[event.check].confirmed is not OK
                assert desk.state.healths[event.check].fails >= 1


OFTEN = st.sampled_from([(OK, False), (CRITICAL, True), (CRITICAL, True), (CRITICAL, False), (WARNING, False)]) | SEEN


@st.composite
def courses(draw: st.DrawFn) -> tuple[Plan, list[tuple[CheckId, Severity, bool] | timedelta]]:
    """A plan with needs, a service, stale checks and perhaps announced work; and rounds over all of its checks.

    All is well at first; before each few rounds one check changes, and some are not heard of for a while.
    """
    plan = draw(plans())
    plain = [CheckId(f"plain-{name}") for name in NODES]
    needs = {
        check: (draw(st.sampled_from(plain[:at])),) for at, check in enumerate(plain) if at and draw(st.booleans())
    }
    checks = {name: replace(one, every=timedelta(seconds=10)) for name, one in plan.checks.items()}
    parts = tuple(map(Leaf, draw(st.lists(st.sampled_from(sorted(checks)), min_size=1, max_size=4, unique=True))))
    service = Service("calls", Rule(draw(st.sampled_from(Way)), parts), below=draw(st.sampled_from([1.0, 2.0])))
    scope = scope_of(plan.topology, [NodeId(draw(st.sampled_from(NODES)))])
    begin, end = (START + timedelta(seconds=draw(st.integers(*limits))) for limits in ((0, 99), (100, 400)))
    work = Window("work", scope, Span(begin, end), draw(st.sampled_from(["", "cut"])))
    whole = replace(
        plan,
        checks={
            name: replace(one, kind=draw(st.sampled_from(["cut", "cut", "service"]))) for name, one in checks.items()
        },
        topology=replace(plan.topology, needs=needs),
        services={"calls": service},
        maintenance=draw(st.sampled_from([(), (work,)])),
    )
    names = st.sampled_from(list(checks))
    world, steps = dict.fromkeys(checks, (OK, False)), list[tuple[CheckId, Severity, bool] | timedelta]()
    changes = st.tuples(names, OFTEN, st.integers(2, 4), st.frozensets(names, max_size=1), st.booleans())
    for check, seen, rounds, silent, late in draw(st.lists(changes, min_size=3, max_size=9)):
        for _ in range(rounds):
            steps += [(name, *world[name]) for name in checks if name not in silent]
        world[check] = seen
        steps += [timedelta(seconds=45)] if late else []
    return whole, [*steps, *((name, *world[name]) for name in checks)]


@settings(max_examples=200)
@given(courses())
def test_a_result_that_passes_for_quiet_would_have_changed_nothing(told):
    """What is looked at again after each result all the same comes to the same."""
    plan, steps = told
    now = START
    quick = thorough = reload(plan, State(), now).state
    for step in steps:
        thorough = replace(thorough, waiting=True)
        if isinstance(step, timedelta):
            now += step
            one, other = pass_time(plan, quick, now), pass_time(plan, thorough, now)
        else:
            now += timedelta(seconds=1)
            check, seen, down = step
            verdict = Verdict(seen, say("seen"), down=down)
            one, other = (take(plan, state, check, verdict, now) for state in (quick, thorough))
        assert (one.events, one.state) == (other.events, other.state)
        quick, thorough = one.state, other.state


def settled(gate: Health, since: datetime) -> bool:
    """Whether the gate was looked at since, and the result is not being confirmed."""
    return gate.confirmed is not OK or (gate.fails == 0 and gate.ok_at is not None and gate.ok_at >= since)


@given(stories())
def test_what_is_believed_bad_is_told_or_waits_for_something_upstream(told):
    """Suppressed, never un-monitored: whatever is bad is in an incident, or a gate before it is undecided."""
    plan, story = told
    desk = Desk(replace(plan, settle=timedelta(0)))
    for check, seen, down in story:
        desk.see(check, seen, down=down)
        for name, health in desk.state.healths.items():
            if OK in (health.confirmed, health.latest) or any(i.explains(name) for i in desk.state.incidents.values()):
                continue
            gates = [desk.state.healths.get(gate) for gate in upstream(plan.topology, name)]
            since = health.as_bad_since
            assert any(gate is None or gate.confirmed_down or not settled(gate, since) for gate in gates)


@given(stories())
def test_once_all_is_well_for_good_every_incident_ends(told):
    plan, story = told
    desk = play(Desk(plan), story)
    for _ in range(SAMPLES):  # until what wavered counts as steady
        desk.good()
    assert desk.open == {}
    assert all(i.status is Status.RESOLVED and i.resolved_at for i in desk.state.incidents.values())
    assert desk.state.incidents.keys() == {event.incident for event in desk.log if event.kind is OPENED}


def reachable(plan: Plan, dead: set[str]) -> dict[NodeId, bool]:
    """Which nodes answer while `dead` are off."""
    reached: dict[NodeId, bool] = {}
    for name in NODES:
        node = plan.topology.nodes[NodeId(name)]
        way = not node.parents or any(reached[parent] for parent in node.parents)
        reached[node.id] = way and name not in dead
    return reached


@given(plans(), st.sets(st.sampled_from(NODES), min_size=1), st.data())
def test_the_order_of_polling_never_decides_what_is_told(plan, dead, data):
    """After a failure at one moment, polled in whatever order, the same causes are told with the same shadows."""

    def outcome(order: list[CheckId]) -> dict[str, set[str]]:
        reached = reachable(plan, dead)
        desk = Desk(plan)
        desk.good()
        for check in order:
            name = plan.topology.where[check]
            if reached[name]:
                desk.see(check, OK)
            elif check.startswith("gate-"):
                desk.down(check)
            else:
                desk.see(check, UNKNOWN)
        return desk.open

    def rounds() -> list[CheckId]:
        return [check for _ in range(5) for check in data.draw(st.permutations(list(plan.checks)))]

    assert outcome(rounds()) == outcome(rounds())


@given(plans(), st.sets(st.sampled_from(NODES), min_size=1))
def test_a_child_whose_every_way_is_down_is_never_told_by_itself(plan, dead):
    reached = reachable(plan, dead)
    desk = Desk(plan)
    desk.good()
    for _ in range(5):
        for check, name in plan.topology.where.items():
            if reached[name]:
                desk.see(check, OK)
            else:
                desk.see(check, CRITICAL, down=check.startswith("gate-"))
    for name in NODES:
        node = plan.topology.nodes[NodeId(name)]
        cut_off = node.parents and not any(reached[parent] for parent in node.parents)
        gated = all(plan.topology.nodes[parent].gates for parent in node.parents)
        if cut_off and gated:
            told = set(desk.open)
            assert f"plain-{name}" not in told
            assert f"gate-{name}" not in told


@pytest.mark.parametrize("hurry", [0.001, 1, 3600])
def test_how_much_time_lies_between_results_does_not_change_what_is_told(hurry):
    desk = Desk(replace(site(confirm=2, gated=("router",)), reopen_within=timedelta(0)))
    desk.good()
    for check in ("ping-router", "ping-switch", "disk", "ping-router", "ping-switch", "disk"):
        desk.second += hurry
        desk.down(check) if check.startswith("ping") else desk.see(check, UNKNOWN)
    assert desk.open == {"ping-router": {"ping-switch", "disk"}}


def test_no_event_is_folded_into_an_incident_that_nobody_opened():
    state = State()
    stray = Event(IncidentId("26-0099"), START, RESOLVED, "releve", say("over"))
    assert record(state, stray) is state


def at_it(desk: Desk, kind: EventKind) -> tuple[EventKind, ...]:
    """Let a run of a runbook say something about the only incident."""
    (name,) = desk.state.incidents
    event = Event(name, desk.now, kind, "releve", say("start Onnet"), run="R26-0001")
    taken = repaired(desk.plan, desk.state, (event,), desk.now)
    desk.state, desk.log = taken.state, desk.log + taken.events
    return tuple(one.kind for one in taken.events)


def repairing() -> Desk:
    desk = Desk(site(confirm=2))
    desk.good()
    desk.see("onnet", CRITICAL)
    desk.see("onnet", CRITICAL)
    desk.good("ping-hmp", "ping-switch", "ping-router")
    assert [incident.open for incident in desk.state.incidents.values()] == [True]
    assert at_it(desk, EventKind.REPAIR) == (EventKind.REPAIR,)
    return desk


def test_what_is_being_repaired_is_over_only_with_the_repair():
    desk = repairing()
    assert desk.see("onnet", OK) == (RECOVERED,)
    assert desk.see("onnet", OK) == ()
    assert at_it(desk, EventKind.REPAIR_ENDED) == (EventKind.REPAIR_ENDED, RESOLVED)


def test_a_service_that_starts_and_dies_is_never_told_as_over():
    desk = repairing()
    assert desk.see("onnet", OK) == (RECOVERED,)
    desk.see("onnet", CRITICAL)
    assert at_it(desk, EventKind.REPAIR_ENDED) == (EventKind.REPAIR_ENDED,), "it was just seen to fail"
    desk.see("onnet", CRITICAL)
    desk.good("ping-hmp", "ping-switch", "ping-router")
    assert desk.log[-1].kind is RELAPSED
    assert desk.see("onnet", OK) == (RESOLVED,)


def test_what_is_cut_off_while_its_end_is_awaited_has_not_relapsed():
    desk = repairing()
    assert desk.see("onnet", OK) == (RECOVERED,)
    desk.see("onnet", CRITICAL)
    desk.down("ping-hmp")
    desk.good("ping-switch", "ping-router")
    desk.see("onnet", CRITICAL)
    assert desk.incident().severity is CRITICAL
    assert RELAPSED not in [event.kind for event in desk.log]
    desk.good("ping-hmp")
    assert desk.see("onnet", OK) == ()
    assert at_it(desk, EventKind.REPAIR_ENDED) == (EventKind.REPAIR_ENDED, RESOLVED)


def test_a_repair_that_ends_before_the_check_is_ok_ends_nothing():
    desk = repairing()
    assert at_it(desk, EventKind.REPAIR_ENDED) == (EventKind.REPAIR_ENDED,)
    assert desk.see("onnet", OK) == (RESOLVED,)


def test_a_failure_that_is_not_believed_any_more_ends_with_the_next_look():
    desk = repairing()
    desk.see("onnet", OK)
    desk.see("onnet", CRITICAL)
    at_it(desk, EventKind.REPAIR_ENDED)
    assert desk.see("onnet", OK) == (RESOLVED,)
