"""What could hide a failure from everybody: a gate that happens to be well, silent work on one of two ways, silence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from monitor.core.events import EventKind
from monitor.core.flapping import SAMPLES
from monitor.core.health import ConfirmPolicy
from monitor.core.ids import CheckId, NodeId
from monitor.core.impact import outlook
from monitor.core.incident import Interruption
from monitor.core.maintenance import Span, Window, scope_of
from monitor.core.plan import Plan, State, Watched
from monitor.core.services import Leaf, Rule, Service, Way
from monitor.core.text import say
from monitor.core.topology import Node, Topology
from monitor.core.verdict import Severity, Verdict
from monitor.core.watch import pass_time, reload, take

OK, CRITICAL = Severity.OK, Severity.CRITICAL
START = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def site(confirm: int = 1, **changes: object) -> Plan:
    """Two lines, `fo` and `radio`; the site behind them has a router, and a voice server with a disk."""
    nodes = {
        NodeId("fo"): Node(NodeId("fo"), (), (CheckId("fo"),)),
        NodeId("radio"): Node(NodeId("radio"), (), (CheckId("radio"),)),
        NodeId("site"): Node(NodeId("site"), (NodeId("fo"), NodeId("radio")), (CheckId("router"),)),
        NodeId("hmp"): Node(NodeId("hmp"), (NodeId("site"),), (CheckId("hmp"),)),
    }
    where = {CheckId(name): NodeId(name) for name in ("fo", "radio", "hmp")}
    where |= {CheckId("router"): NodeId("site"), CheckId("disk"): NodeId("hmp")}
    checks = {name: Watched(ConfirmPolicy(confirm), "line", every=MINUTE, timeout=MINUTE / 6) for name in where}
    return replace(Plan(checks, Topology(nodes, where), {"line": Interruption.DETECTED}), **changes)


class Course:
    """Takes results a second apart and keeps what came of them."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.at = plan, START
        self.state = reload(plan, State(), START).state
        self.good()

    def see(self, check: str, severity: Severity, *, down: bool = True) -> list[EventKind]:
        self.at += timedelta(seconds=1)
        verdict = Verdict(severity, say("{check} seen", check=check), down=down and severity is CRITICAL)
        taken = take(self.plan, self.state, CheckId(check), verdict, self.at)
        self.state = taken.state
        return [event.kind for event in taken.events]

    def good(self, *checks: str) -> list[EventKind]:
        return [kind for check in checks or tuple(self.plan.checks) for kind in self.see(check, OK)]

    def down(self, *checks: str) -> list[EventKind]:
        return [kind for check in checks for kind in self.see(check, CRITICAL)]

    def wait(self, span: timedelta) -> list[EventKind]:
        self.at += span
        taken = pass_time(self.plan, self.state, self.at)
        self.state = taken.state
        return [event.kind for event in taken.events]

    @property
    def open(self) -> dict[str, set[str]]:
        return {str(one.check): set(one.covered) for one in self.state.incidents.values() if one.open}


def service(way: Way, *checks: str, below: float = 1) -> dict[str, Service]:
    return {"calls": Service("calls", Rule(way, tuple(Leaf(CheckId(name)) for name in checks)), below=below)}


def test_a_failure_behind_a_gate_that_wavers_is_told_though_the_gate_is_well_just_now():
    course = Course(site(confirm=3))
    for _ in range(6):
        course.down("hmp")
        course.good("hmp", "router", "fo", "radio")
    assert course.state.healths[CheckId("hmp")].flapping
    assert course.open == {}
    for _ in range(3):
        course.down("disk")
    course.good("hmp", "router", "fo", "radio")
    assert course.open == {"hmp": {"disk"}}
    for _ in range(SAMPLES):
        course.good("hmp")
    course.good("disk")
    assert course.open == {}


def test_silent_work_on_one_of_two_ways_does_not_hide_that_the_other_one_broke():
    plan = site(services=service(Way.ALL, "hmp"))
    work = Window("patch", scope_of(plan.topology, [NodeId("fo")]), Span(START, START + 60 * MINUTE))
    course = Course(replace(plan, maintenance=(work,)))
    course.down("fo")
    assert course.open == {}
    course.down("radio")
    course.down("router", "hmp")
    assert course.open == {"radio": {"router", "hmp"}}
    (incident,) = course.state.incidents.values()
    assert incident.disruption_seen_at is not None


def test_silent_work_on_both_ways_hides_what_stands_behind_them_until_it_is_over():
    plan = site()
    scope = scope_of(plan.topology, [NodeId("fo"), NodeId("radio")])
    course = Course(replace(plan, maintenance=(Window("patch", scope, Span(START, START + 60 * MINUTE)),)))
    course.down("fo", "radio", "router", "hmp")
    assert course.open == {}
    course.wait(60 * MINUTE)
    assert course.open == {"fo": {"router", "hmp"}, "radio": set()}


def test_what_is_not_verified_yet_after_its_cause_is_not_shown_as_able_to_work():
    course = Course(site(services=service(Way.COUNT, "hmp")))
    course.down("radio", "fo", "router", "hmp")
    assert outlook(course.plan, course.state)[0].view.able == 0
    course.good("radio", "fo", "router")
    assert outlook(course.plan, course.state)[0].view.able == 0
    course.good("hmp")
    assert outlook(course.plan, course.state)[0].view.able == 1


def test_what_wavers_behind_its_cause_counts_as_able_to_work_when_it_was_just_seen_well():
    """It wavers in the books for many results more: nobody is interrupted by that."""
    course = Course(site(services=service(Way.COUNT, "hmp")))
    course.down("radio", "fo", "router")
    for _ in range(SAMPLES):
        course.down("hmp")
        course.good("hmp")
    assert course.state.healths[CheckId("hmp")].flapping
    assert any("hmp" in covered for covered in course.open.values())
    assert outlook(course.plan, course.state)[0].view.able == 1
    course.down("hmp")
    assert outlook(course.plan, course.state)[0].view.able == 0


def test_a_cause_interrupts_the_service_through_what_was_ill_by_itself_before_it():
    """The check of the service was slow, and told so; then the line before it goes, and that is what interrupts."""
    course = Course(site(confirm=2, services=service(Way.ALL, "disk")))
    for _ in range(3):
        course.see("disk", Severity.WARNING)
        course.good("fo", "radio", "router", "hmp")
    assert list(course.open) == ["disk"]
    cut_at = course.at
    kinds = [kind for _ in range(3) for kind in course.down("fo", "radio", "router", "hmp", "disk")]
    assert kinds.count(EventKind.DISRUPTED) == 1
    interrupted = {one.check: one.disrupted_at for one in course.state.incidents.values() if one.disrupted_at}
    assert list(interrupted) == ["fo"]
    assert interrupted[CheckId("fo")] > cut_at
    assert outlook(course.plan, course.state)[0].interrupted


def test_a_check_that_is_heard_of_again_and_still_fails_may_show_that_a_service_is_interrupted():
    course = Course(site(services=service(Way.ANY, "radio", "fo")))
    course.down("radio")
    assert course.wait(10 * MINUTE) == []
    assert course.down("fo") == [EventKind.OPENED]  # nobody knows of the radio
    assert course.down("radio") == [EventKind.DISRUPTED] * 2


def test_what_needs_a_check_that_is_critical_but_not_down_stays_its_shadow_result_after_result():
    lines = site().topology
    course = Course(site(topology=Topology(lines.nodes, lines.where, {CheckId("disk"): (CheckId("hmp"),)})))
    course.see("hmp", CRITICAL, down=False)
    assert course.good("router", "fo", "radio") == [EventKind.OPENED]
    assert course.down("disk") == [EventKind.COVERED]
    course.see("router", Severity.WARNING)  # with another failure untold, no result is quiet
    for _ in range(3):
        assert [*course.see("hmp", CRITICAL, down=False), *course.down("disk")] == []
    assert course.see("hmp", Severity.WARNING) == [EventKind.SEVERITY, EventKind.UNCOVERED]


def test_what_only_stands_behind_a_check_is_free_of_it_once_it_is_not_down_any_more():
    course = Course(site())
    course.down("hmp")
    course.good("router", "fo", "radio")
    assert course.down("disk") == [EventKind.COVERED]
    assert course.see("hmp", CRITICAL, down=False) == [EventKind.UNCOVERED]


def test_a_failure_is_told_however_often_what_stands_before_it_misses_a_beat():
    course = Course(site(confirm=3))
    for _ in range(6):  # the disk is looked at every five minutes; a ping of its host is lost now and then
        course.down("disk")
        course.at += 4 * MINUTE
        for _ in range(8):
            course.good("hmp", "router", "fo", "radio")
        course.down("hmp")
        course.good("hmp", "router", "fo", "radio")
        course.at += MINUTE
    assert course.open == {"disk": set()}


def test_a_failure_is_told_after_three_intervals_though_a_gate_before_it_never_answers():
    """A look that hangs in the system never ends; the silence itself is told as our own failure."""
    course = Course(site())
    for _ in range(3):
        course.down("disk")
        course.good("router", "fo", "radio")
        assert course.open == {}
        course.at += MINUTE
    assert course.down("disk") == [EventKind.OPENED]
    assert course.open == {"disk": set()}
