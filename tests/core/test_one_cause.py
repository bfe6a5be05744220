"""One incident, one cause: what wavers, what is needed, what shows life, what was announced, and who is on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.by_hand import acknowledge
from monitor.core.events import Event, EventKind, event_from_json, event_to_json
from monitor.core.flapping import SAMPLES, FlappingPolicy
from monitor.core.health import ConfirmPolicy
from monitor.core.ids import CheckId, NodeId
from monitor.core.impact import outlook
from monitor.core.incident import BLIND, Incident, Interruption, Refused, Status
from monitor.core.maintenance import Span, Window, scope_of
from monitor.core.plan import Plan, State, Watched, record
from monitor.core.services import Leaf, Rule, Service, View, Way
from monitor.core.text import say
from monitor.core.thresholds import parse_range
from monitor.core.topology import Node, Topology
from monitor.core.verdict import Metric, Severity, Verdict
from monitor.core.watch import announced, pass_time, reload, repaired, take, told, work_ended

OK, WARNING, UNKNOWN, CRITICAL = Severity
START = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
OPENED, REOPENED, RESOLVED, SEVERITY = EventKind.OPENED, EventKind.REOPENED, EventKind.RESOLVED, EventKind.SEVERITY
COVERED, UNCOVERED, RECOVERED, RELAPSED = (
    EventKind.COVERED,
    EventKind.UNCOVERED,
    EventKind.RECOVERED,
    EventKind.RELAPSED,
)
FLAPPING, STEADY, DISRUPTED = EventKind.FLAPPING, EventKind.STEADY, EventKind.DISRUPTED
STEADY_AFTER = SAMPLES
NAMES = ("ups", "router", "fo", "sip", "crm", "poste-1", "poste-2")
ABOVE = {"router": "ups", "fo": "router", "sip": "fo", "crm": "router", "poste-1": "ups", "poste-2": "ups"}
GATES = ("ups", "router", "fo", "poste-1", "poste-2")


def site(confirm: int = 1, **changes: object) -> Plan:
    """Mains -> router -> link -> SIP, and CRM and positions beside it; each with one check of its name."""
    nodes = {
        NodeId(name): Node(
            NodeId(name), (NodeId(ABOVE[name]),) if name in ABOVE else (), (CheckId(name),) if name in GATES else ()
        )
        for name in NAMES
    }
    where = {CheckId(name): NodeId(name) for name in NAMES} | {CheckId("web"): NodeId("crm")}
    kinds = {"ups": "power", "fo": "link-unstable", "crm": "crm-disconnected", "web": "crm-disconnected"}
    minute = timedelta(minutes=1)
    checks = {
        name: Watched(ConfirmPolicy(confirm), kinds.get(name, "other"), every=minute, timeout=minute / 6)
        for name in where
    }
    interruption = {
        "power": Interruption.DETECTED,
        "link-unstable": Interruption.ALWAYS,
        "crm-disconnected": Interruption.DETECTED,
        "hermes-patch": Interruption.ALWAYS,
    }
    plan = Plan(checks, Topology(nodes, where, {CheckId("web"): (CheckId("crm"),)}), interruption)
    return replace(plan, **changes)


@dataclass
class Watch:
    """Takes results a second apart and keeps what came of them."""

    plan: Plan
    state: State = field(default_factory=State)
    at: datetime = START
    log: list[Event] = field(default_factory=list)
    reprobe: tuple[CheckId, ...] = ()

    def __post_init__(self) -> None:
        self.state = reload(self.plan, self.state, self.at).state
        self.good()

    def see(self, check: str, severity: Severity, *, down: bool = False, value: float | None = None) -> list[EventKind]:
        self.at += timedelta(seconds=1)
        metrics = () if value is None else (Metric("free", value, "{call}", parse_range("1:")),)
        verdict = Verdict(severity, say("{check} seen", check=check), metrics, down=down)
        return self._keep(take(self.plan, self.state, CheckId(check), verdict, self.at))

    def good(self, *checks: str) -> list[EventKind]:
        return [kind for check in checks or tuple(self.plan.checks) for kind in self.see(check, OK)]

    def down(self, *checks: str) -> list[EventKind]:
        return [kind for check in checks for kind in self.see(check, CRITICAL, down=True)]

    def wait(self, **span: float) -> list[EventKind]:
        self.at += timedelta(**span)
        return self._keep(pass_time(self.plan, self.state, self.at))

    def ack(self, length: timedelta | None = None) -> None:
        event = acknowledge(self.only, "uid:0", self.at, length=length)
        self._keep(told(self.plan, self.state, event))

    def _keep(self, taken) -> list[EventKind]:
        self.state, self.reprobe = taken.state, taken.reprobe
        self.log += taken.events
        return [event.kind for event in taken.events]

    @property
    def only(self) -> Incident:
        (incident,) = (one for one in self.state.incidents.values() if one.open)
        return incident

    @property
    def open(self) -> Mapping[str, set[str]]:
        return {str(one.check): set(one.covered) for one in self.state.incidents.values() if one.open}


# What wavers


def test_a_check_that_never_fails_three_times_in_a_row_is_told_once_it_wavers():
    watch = Watch(site(confirm=3))
    told = [kind for _ in range(4) for seen in (OK, CRITICAL) for kind in watch.see("fo", seen, down=seen is CRITICAL)]
    assert told == []
    assert set(watch.reprobe) == {"router", "ups"}  # as for any failure, what lies before it is looked at first
    assert watch.good("router", "ups") == [OPENED, FLAPPING]
    assert (watch.only.severity, watch.only.kind, watch.only.check) == (WARNING, "link-unstable", "fo")
    assert watch.only.disruption_seen_at is None


def test_what_wavers_is_told_when_it_fails_and_not_while_it_happens_to_be_well():
    """Its cause may just have gone: told then, what it stood behind would be left out."""
    watch = Watch(site(confirm=3))
    for _ in range(6):
        watch.see("fo", CRITICAL, down=True)
        watch.see("fo", OK)
    assert watch.state.healths[CheckId("fo")].flapping
    assert watch.good("router", "ups") == []
    assert watch.see("fo", CRITICAL, down=True) == []
    assert watch.good("router", "ups") == [OPENED, FLAPPING]


def wavering(watch: Watch) -> None:
    """Let the link come and go until that is told."""
    for _ in range(5):
        watch.down("fo")
        watch.good("router", "ups", "fo")
    assert watch.only.flapping_at is not None


def test_while_it_wavers_nothing_more_is_told_and_its_end_is_told_once_it_is_steady():
    watch = Watch(site())
    wavering(watch)
    sofar = len(watch.log)
    for _ in range(30):
        watch.down("fo")
        watch.good("fo")
    assert watch.log[sofar:] == []
    told = [kind for _ in range(STEADY_AFTER) for kind in watch.good("fo")]
    assert told == [STEADY, RESOLVED]
    assert watch.open == {}


def test_what_is_steady_and_bad_stays_an_incident_and_ends_like_any_other():
    watch = Watch(site())
    wavering(watch)
    told = [kind for _ in range(STEADY_AFTER) for kind in watch.down("fo")]
    assert told == [STEADY]
    assert watch.only.severity is CRITICAL
    assert watch.good("fo") == [RESOLVED]


def test_what_fails_behind_something_that_wavers_is_its_work():
    watch = Watch(site())
    wavering(watch)
    watch.good("fo")
    assert watch.down("sip") == [COVERED]
    watch.down("fo")
    assert watch.open == {"fo": {"sip"}}


def test_what_we_cannot_see_does_not_waver():
    watch = Watch(site(confirm=3))
    for _ in range(20):
        watch.see("fo", UNKNOWN)
        watch.good("fo", "router", "ups")
    assert watch.log == []


def test_flapping_can_be_switched_off():
    checks = {name: replace(one, flapping=FlappingPolicy(enabled=False)) for name, one in site(3).checks.items()}
    watch = Watch(site(checks=checks))
    for _ in range(20):
        watch.down("fo")
        watch.good("fo", "router", "ups")
    assert watch.log == []


# What one cause explains, and what it does not


def test_what_needs_another_check_is_explained_by_it():
    watch = Watch(site())
    watch.see("crm", CRITICAL)
    watch.good("router", "ups")
    assert watch.open == {"crm": set()}
    assert watch.see("web", CRITICAL) == [COVERED]
    assert watch.open == {"crm": {"web"}}


def test_a_look_that_began_before_the_failure_is_no_sign_of_life_after_it():
    watch = Watch(site())
    assert watch.see("web", CRITICAL) == []
    well, before = Verdict(OK, say("fine")), watch.at - timedelta(seconds=2)
    for name in ("crm", "router", "ups"):
        taken = take(watch.plan, watch.state, CheckId(name), well, watch.at, before)
        watch.state = taken.state
        assert (taken.events, CheckId(name) in taken.reprobe) == ((), True)
    watch.good("router", "ups")
    watch.see("crm", CRITICAL)
    watch.good("router", "ups")
    assert watch.open == {"crm": {"web"}}


def test_what_it_needs_is_looked_at_first():
    watch = Watch(site())
    assert watch.see("web", CRITICAL) == []
    assert watch.reprobe == ("crm", "router", "ups")
    watch.see("crm", CRITICAL)
    watch.good("router", "ups")
    assert watch.open == {"crm": {"web"}}


def test_the_first_cause_of_what_is_needed_is_named():
    watch = Watch(site())
    watch.down("ups", "router")
    watch.see("crm", CRITICAL)
    watch.see("web", CRITICAL)
    assert watch.open == {"ups": {"router", "crm", "web"}}


def test_a_second_cause_under_the_first_is_told_by_itself():
    watch = Watch(site())
    watch.down("ups")  # the mains are cut, the router goes on by its battery
    watch.down("fo")
    assert watch.reprobe == ("router",)
    assert watch.good("router") == [OPENED, DISRUPTED]
    assert watch.open == {"ups": set(), "fo": set()}


def test_without_a_sign_of_life_the_first_cause_explains_all():
    watch = Watch(site())
    watch.down("ups", "fo")
    assert watch.down("router") == [COVERED, COVERED, DISRUPTED]
    assert watch.open == {"ups": {"router", "fo"}}


def test_a_covered_failure_outlives_its_cause_by_what_lies_between_and_is_told():
    watch = Watch(site())
    watch.down("ups", "router", "fo")
    watch.good("router")  # by a generator: the UPS still says that the mains are cut
    assert watch.down("fo") == []
    watch.wait(minutes=4)
    watch.good("router")
    assert watch.down("fo") == []
    watch.wait(minutes=2)
    watch.good("router")
    assert watch.down("fo") == [UNCOVERED, OPENED, DISRUPTED]
    assert watch.open == {"ups": set(), "fo": set()}


def test_what_failed_with_something_before_it_that_is_back_must_be_seen_to_fail_anew():
    """A switch restarts, too fast to be believed down: of the positions behind it nobody is told."""
    watch = Watch(site(confirm=2))
    watch.good(*NAMES)
    watch.down("router", "crm")
    assert watch.down("crm") == []
    assert watch.good("router", "ups") == []
    assert (watch.open, watch.reprobe) == ({}, ("crm",))
    assert watch.see("crm", OK) == []
    watch.down("router", "crm", "crm")
    watch.good("router", "ups")
    assert watch.down("crm") == []
    assert watch.down("crm") == []
    assert watch.good("router", "ups") == [OPENED]
    assert watch.open == {"crm": set()}


def test_out_of_sight_is_never_told_as_an_outage():
    watch = Watch(site())
    watch.see("crm", UNKNOWN)
    watch.good("router", "ups")
    assert (watch.only.kind, watch.only.disruption_seen_at) == (BLIND, None)


# Who is on it


def test_an_acknowledgement_survives_a_warning_that_comes_and_goes():
    watch = Watch(site())
    watch.see("crm", WARNING)
    watch.good("router", "ups")
    watch.ack()
    assert watch.good("crm") == [RESOLVED]
    watch.see("crm", WARNING)
    watch.good("router", "ups")
    assert (watch.only.episode, watch.only.status) == (2, Status.ACKNOWLEDGED)


def test_it_is_void_once_things_get_worse():
    watch = Watch(site())
    watch.see("crm", WARNING)
    watch.good("router", "ups")
    watch.ack()
    assert watch.see("crm", CRITICAL) == []
    assert watch.good("router", "ups") == [SEVERITY]
    assert (watch.only.status, watch.only.acknowledged_at) == (Status.OPEN, None)
    watch.ack()
    assert watch.see("crm", WARNING) == [SEVERITY]
    watch.see("crm", CRITICAL)
    assert watch.good("router", "ups") == [SEVERITY]
    assert watch.only.status is Status.ACKNOWLEDGED


def test_after_an_end_a_relapse_that_is_critical_needs_somebody_anew():
    watch = Watch(site())
    watch.see("crm", CRITICAL)
    watch.good("router", "ups")
    watch.ack()
    watch.good("crm")
    watch.see("crm", CRITICAL)
    watch.good("router", "ups")
    assert (watch.only.episode, watch.only.status) == (2, Status.OPEN)


def test_it_lapses_when_its_time_is_over_and_says_so_once():
    watch = Watch(site())
    watch.see("crm", CRITICAL)
    watch.good("router", "ups")
    watch.ack(timedelta(hours=1))
    assert watch.wait(minutes=59) == []
    assert watch.wait(minutes=2) == [EventKind.UNACKNOWLEDGED]
    assert watch.wait(minutes=2) == []
    assert (watch.only.status, watch.only.lapses) == (Status.OPEN, 1)


# Announced work


def window(kind: str = "", **changes: object) -> Window:
    scope = scope_of(site().topology, [NodeId("crm")])
    span = Span(START + timedelta(minutes=10), START + timedelta(minutes=70))
    return replace(Window("patch", scope, span, kind, nodes=(NodeId("crm"),)), **changes)


def test_silent_work_tells_nothing_and_what_still_fails_after_it_counts_from_its_end():
    work = window()
    watch = Watch(site(maintenance=(work,)))
    watch.wait(minutes=20)
    watch.see("crm", CRITICAL)
    assert watch.good("router", "ups") == []
    assert watch.wait(minutes=45) == []
    watch.wait(minutes=10)
    watch.see("crm", CRITICAL)
    watch.good("router", "ups")
    assert watch.only.began_at == work.when.end


def test_what_comes_back_during_silent_work_is_never_told():
    watch = Watch(site(maintenance=(window(),)))
    watch.wait(minutes=20)
    watch.see("crm", CRITICAL)
    watch.good()
    watch.wait(minutes=60)
    assert watch.log == []


def test_an_incident_from_before_goes_on_through_the_work_and_its_end_is_told():
    watch = Watch(site(maintenance=(window(),)))
    watch.see("crm", CRITICAL)
    watch.good("router", "ups")
    watch.wait(minutes=20)
    assert watch.see("web", CRITICAL) == []
    assert watch.good("crm") == [RESOLVED]


def test_announced_work_is_one_incident_of_its_own_kind_whatever_it_brings_down():
    watch = Watch(site(maintenance=(window("hermes-patch"),)))
    watch.wait(minutes=20)
    assert watch.see("web", CRITICAL) == [OPENED, DISRUPTED]
    assert watch.see("crm", CRITICAL) == [COVERED]
    assert (watch.only.kind, watch.only.window) == ("hermes-patch", "patch")
    assert watch.good("web") == [RECOVERED]
    watch.wait(minutes=20)
    assert watch.see("crm", CRITICAL) == []
    assert watch.open == {"web": {"crm"}}
    assert watch.good("crm") == [UNCOVERED, RESOLVED]


def test_what_announced_work_left_broken_is_told_by_itself_when_it_is_over():
    watch = Watch(site(maintenance=(window("hermes-patch"),)))
    watch.wait(minutes=20)
    watch.see("web", CRITICAL)
    watch.see("crm", CRITICAL)
    watch.good("web")
    watch.wait(minutes=60)
    watch.see("crm", CRITICAL)
    watch.good("router", "ups")
    assert watch.open == {"crm": set()}
    assert watch.only.kind == "crm-disconnected"


def test_what_announced_work_left_broken_is_told_by_itself_though_what_it_began_with_is_broken_too():
    watch = Watch(site(maintenance=(window("hermes-patch"),)))
    watch.wait(minutes=20)
    watch.see("web", CRITICAL)
    watch.see("crm", CRITICAL)
    assert watch.open == {"web": {"crm"}}
    watch.wait(minutes=52)
    assert watch.see("crm", CRITICAL) == []  # what lies behind anything takes its time to come back
    watch.wait(minutes=5)
    watch.see("crm", CRITICAL)
    watch.good("router", "ups")
    assert watch.open == {"web": set(), "crm": set()}
    assert watch.good("crm") == [RESOLVED]


def test_work_that_overruns_says_so_once_an_episode():
    watch = Watch(site(maintenance=(window("hermes-patch"),)))
    watch.wait(minutes=20)
    watch.see("crm", CRITICAL)
    assert watch.wait(minutes=50) == []  # its end, and the five minutes after it, are its own
    assert watch.wait(minutes=6) == [EventKind.OVERRUN]
    assert watch.wait(minutes=6) == []
    assert watch.only.overrun_at is not None
    assert watch.good("crm") == [RESOLVED]
    assert watch.see("crm", CRITICAL) == []
    assert watch.good("router", "ups") == [OPENED]  # by itself, and of its own kind


def test_people_announce_work_and_end_it_before_its_time():
    watch = Watch(site())
    now = watch.at + timedelta(minutes=15)
    watch.state = announced(watch.state, window(by="uid:0"), watch.at)
    with pytest.raises(Refused):
        announced(watch.state, window(by="uid:1"), watch.at)
    watch.wait(minutes=15)
    watch.see("crm", CRITICAL)
    assert watch.good("router", "ups") == []
    watch.state, ended = work_ended(watch.state, "patch", watch.at)
    watch.see("crm", CRITICAL)
    watch.good("router", "ups")
    assert watch.only.began_at == ended.ended
    assert ended.ended > now
    for name in ("patch", "nothing"):
        with pytest.raises(Refused):
            work_ended(watch.state, name, watch.at)


def test_a_new_inventory_keeps_what_people_did_about_work():
    written = window(when=Span(START, START + timedelta(hours=5)), id="written")
    plan = site(maintenance=(written,))
    watch = Watch(plan)
    watch.state, _ = work_ended(watch.state, "written", watch.at)
    watch.state = announced(watch.state, window(by="uid:0", scope=frozenset()), watch.at)
    state = reload(plan, watch.state, watch.at).state
    names = {one.id: (one.ended, one.scope) for one in state.windows}
    assert names["written"][0] == watch.at
    assert names["patch"] == (None, window().scope)
    late = reload(plan, watch.state, START + timedelta(days=1)).state
    assert [one.id for one in late.windows] == ["written"]


# What it means for the service


POSTS = Rule(Way.COUNT, (Leaf(CheckId("poste-1")), Leaf(CheckId("poste-2"))))
CALLS = Service("calls", Rule(Way.ALL, (Leaf(CheckId("fo")), Leaf(CheckId("crm")), POSTS)))


def test_a_mains_cut_interrupts_once_it_takes_the_positions_along():
    watch = Watch(site(services={"calls": CALLS}))
    assert watch.down("ups") == [OPENED]
    assert watch.good("router", "poste-1") == []
    assert watch.down("poste-1") == [COVERED]
    assert outlook(watch.plan, watch.state)[0].view == View(1, 0, 2)
    failed = watch.at
    assert watch.down("poste-2") == [COVERED, DISRUPTED]
    assert watch.only.disrupted_at == failed


def test_a_failure_that_no_service_asks_interrupts_nobody():
    calls = replace(CALLS, rule=POSTS)
    watch = Watch(site(services={"calls": calls}))
    watch.see("crm", CRITICAL)
    watch.good("router", "ups")
    assert watch.only.disruption_seen_at is None


def test_what_fails_behind_a_cause_counts_before_it_is_believed():
    plan = site(confirm=3, services={"calls": CALLS})
    watch = Watch(plan)
    watch.down("ups", "ups", "ups")
    watch.down("poste-1")
    assert watch.down("poste-2") == [DISRUPTED]
    assert outlook(plan, watch.state)[0].view == View(0, 0, 2)


def test_only_the_incident_that_interrupts_says_so():
    plan = site(services={"calls": replace(CALLS, below=2)})
    watch = Watch(plan)
    watch.see("web", CRITICAL)
    watch.good("crm", "router", "ups")
    watch.down("ups")
    watch.good("router")
    assert watch.down("poste-1") == [COVERED, DISRUPTED]
    assert {one.check: one.disruption_seen_at is not None for one in watch.state.incidents.values()} == {
        "web": False,
        "ups": True,
    }


# What time alone does


def test_a_check_that_gives_no_result_for_three_intervals_is_stale_until_it_does():
    watch = Watch(site(services={"calls": CALLS}))
    watch.wait(minutes=3)
    assert watch.state.stale == frozenset()
    watch.wait(minutes=1)
    assert watch.state.stale == set(watch.plan.checks)
    assert outlook(watch.plan, watch.state)[0].view == View(0, 2, 2)
    watch.good()
    assert watch.state.stale == frozenset()
    assert outlook(watch.plan, watch.state)[0].view == View(2, 0, 2)


def test_a_repair_ends_no_incident_whose_root_wavers():
    watch = Watch(site())
    wavering(watch)
    name = watch.only.id
    events = tuple(
        Event(name, watch.at, kind, "releve", say("repair"), run="R26-0001")
        for kind in (EventKind.REPAIR, EventKind.REPAIR_ENDED)
    )
    assert [event.kind for event in repaired(watch.plan, watch.state, events, watch.at).events] == [
        EventKind.REPAIR,
        EventKind.REPAIR_ENDED,
    ]


def test_the_log_alone_gives_every_incident_back():
    watch = Watch(site(maintenance=(window("hermes-patch"),)))
    wavering(watch)
    watch.ack(timedelta(minutes=5))
    watch.wait(minutes=20)
    watch.see("web", CRITICAL)
    state = State()
    for event in watch.log:
        state = record(state, event_from_json(event_to_json(event)))
    assert state.incidents == watch.state.incidents
