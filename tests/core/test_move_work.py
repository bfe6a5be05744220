"""While a planned move of a group goes on, what fails of it opens nothing; what remains afterwards does at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.events import Event, EventKind
from monitor.core.health import ConfirmPolicy
from monitor.core.ids import CheckId, NodeId
from monitor.core.maintenance import LAST_LOOK, Expected, Span, Underway
from monitor.core.plan import Plan, State, Watched, awake, stands_by
from monitor.core.text import say
from monitor.core.topology import Node, Topology
from monitor.core.verdict import Severity, Verdict
from monitor.core.watch import moved, pass_time, settling, take

START = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
WEB, DISK, PING, BEHIND = CheckId("web"), CheckId("disk"), CheckId("ping"), CheckId("behind")
SPAN = Span(START, START + timedelta(minutes=30))


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class Site:
    """web and disk on one host, whose gate is a ping; `behind` on a host that is reached through it."""

    def __init__(self, *excused: CheckId) -> None:
        host, far = NodeId("host"), NodeId("far")
        nodes = {host: Node(host, (), (PING,)), far: Node(far, (host,), ())}
        where = {WEB: host, DISK: host, PING: host, BEHIND: far}
        checks = {name: Watched(ConfirmPolicy(1, 1), "crm") for name in where}
        self.plan, self.state, self.log = Plan(checks, Topology(nodes, where)), State(), list[Event]()
        for check in where:
            self.see(check, Severity.OK, -1)
        self.move(Underway("F26-0001", frozenset(excused), SPAN), 0)

    def see(self, check: CheckId, severity: Severity, seconds: float, *, took: float = 0) -> None:
        verdict = Verdict(severity, say("seen"), down=severity is Severity.CRITICAL and check == PING)
        taken = take(self.plan, self.state, check, verdict, at(seconds), at(seconds - took))
        self.state, self.log = taken.state, [*self.log, *taken.events]

    def move(self, work: Underway | None, seconds: float) -> tuple[CheckId, ...]:
        taken = moved(self.plan, self.state, (), Expected(() if work is None else (work,)), at(seconds))
        self.state = taken.state
        return taken.reprobe

    def over(self, seconds: float, *excused: CheckId) -> tuple[CheckId, ...]:
        return self.move(Underway("F26-0001", frozenset(excused), SPAN, at(seconds)), seconds)

    def pass_to(self, seconds: float) -> None:
        self.state = pass_time(self.plan, self.state, at(seconds)).state

    @property
    def open(self) -> dict[CheckId | None, datetime]:
        return {one.check: one.began_at for one in self.state.incidents.values() if one.open}


def test_what_the_move_stops_opens_nothing_and_what_comes_back_leaves_no_trace():
    site = Site(WEB)
    site.see(WEB, Severity.CRITICAL, 5)
    site.pass_to(60)
    assert site.open == {}
    site.see(WEB, Severity.OK, 70)
    assert site.over(80, WEB) == ()
    site.pass_to(1000)
    assert (site.open, site.log) == ({}, [])


def test_trouble_outside_of_the_plan_alarms_as_ever():
    site = Site(WEB)
    site.see(DISK, Severity.CRITICAL, 5)
    site.see(PING, Severity.OK, 6)
    assert site.open == {DISK: at(5)}


def test_what_remains_is_told_with_the_first_look_since_the_end_and_counts_from_its_first_failure():
    site = Site(WEB)
    site.see(WEB, Severity.CRITICAL, 5)
    assert site.over(80, WEB) == (WEB,), "it is looked at again at once"
    site.pass_to(81)
    site.see(WEB, Severity.CRITICAL, 82, took=10)
    assert site.open == {}, "a look that began before the end says nothing of what came after"
    site.see(WEB, Severity.CRITICAL, 84, took=1)
    site.see(PING, Severity.OK, 85)
    assert site.open == {WEB: at(5)}


def test_what_nobody_looks_at_any_more_is_told_a_minute_after_the_end():
    site = Site(WEB)
    site.see(WEB, Severity.CRITICAL, 5)
    site.see(PING, Severity.OK, 6)
    site.over(80, WEB)
    last = 80 + LAST_LOOK.total_seconds()
    site.pass_to(last - 1)
    assert site.open == {}
    site.pass_to(last)
    assert site.open == {WEB: at(5)}


def test_a_move_that_takes_longer_than_its_plan_says_excuses_nothing_any_more():
    site = Site(WEB)
    site.see(WEB, Severity.CRITICAL, 5)
    site.see(PING, Severity.OK, 6)
    site.pass_to(1799)
    assert site.open == {}
    site.pass_to(1800)
    assert site.open == {WEB: at(5)}
    site.over(1900, WEB)
    assert site.open == {WEB: at(5)}


def test_what_lies_behind_a_gate_that_the_move_takes_down_is_told_by_nobody_either():
    site = Site(PING)
    site.see(PING, Severity.CRITICAL, 5)
    site.see(BEHIND, Severity.CRITICAL, 6)
    site.pass_to(60)
    assert site.open == {}


@pytest.mark.parametrize("seen", [Severity.WARNING, Severity.CRITICAL])
def test_an_incident_that_was_open_before_goes_on(seen):
    site = Site(WEB)
    site.move(None, 1)
    site.see(WEB, seen, 2)
    site.see(PING, Severity.OK, 3)
    assert list(site.open) == [WEB]
    site.move(Underway("F26-0002", frozenset({WEB}), SPAN), 4)
    site.see(WEB, Severity.CRITICAL, 5)
    site.pass_to(6)
    assert list(site.open) == [WEB]
    site.see(WEB, Severity.OK, 7)
    assert site.open == {}
    assert EventKind.RESOLVED in [event.kind for event in site.log]


class Resting(Site):
    """web stands by since START, or since it was last touched."""

    def __init__(self, since: float = 0) -> None:
        super().__init__()
        self.rest({WEB: at(since)}, since)

    def rest(self, resting: dict[CheckId, datetime], seconds: float) -> None:
        self.state = moved(self.plan, self.state, (), Expected((), resting), at(seconds)).state


def test_what_stands_by_opens_nothing_is_not_hurried_and_is_no_trouble_of_the_site():
    site = Resting()
    site.see(WEB, Severity.CRITICAL, 5)
    site.see(PING, Severity.OK, 6)
    site.pass_to(100_000)
    assert site.open == {}
    assert stands_by(site.state, WEB)
    assert not settling(site.state, WEB)
    assert not site.state.waiting, "nothing waits to be told"
    assert set(awake(site.state)) == {DISK, PING, BEHIND}


def test_what_was_seen_ok_at_the_site_that_stands_by_alarms_when_it_fails():
    site = Resting()
    site.see(WEB, Severity.OK, 5)
    assert not stands_by(site.state, WEB)
    site.see(WEB, Severity.CRITICAL, 10)
    site.see(PING, Severity.OK, 11)
    assert site.open == {WEB: at(10)}


def test_where_the_group_runs_again_what_stood_by_is_told_at_once():
    site = Resting()
    site.see(WEB, Severity.CRITICAL, 5)
    site.see(PING, Severity.OK, 6)
    site.rest({}, 50)
    site.pass_to(51)
    assert site.open == {WEB: at(5)}


def test_an_incident_that_is_open_when_its_group_leaves_stays_open():
    site = Resting()
    site.rest({}, 0)
    site.see(WEB, Severity.CRITICAL, 5)
    site.see(PING, Severity.OK, 6)
    site.rest({WEB: at(50)}, 50)
    site.see(WEB, Severity.CRITICAL, 60)
    site.pass_to(100)
    assert site.open == {WEB: at(5)}


def test_no_incident_waits_for_what_stands_by_meanwhile():
    site = Resting()
    site.rest({}, 0)
    site.see(PING, Severity.CRITICAL, 5)
    site.see(WEB, Severity.CRITICAL, 6)
    assert site.open == {PING: at(5)}
    site.rest({WEB: at(50)}, 50)  # the group has moved away from the host that was lost
    site.see(PING, Severity.OK, 60)
    site.see(WEB, Severity.CRITICAL, 61)
    site.pass_to(62)
    assert site.open == {}
    site.pass_to(100_000)
    assert site.open == {}


def test_what_stands_by_explains_no_failure_of_what_works_without_it():
    site = Resting()
    site.plan = replace(site.plan, topology=replace(site.plan.topology, needs={DISK: (WEB,)}))
    site.see(WEB, Severity.CRITICAL, 5)
    site.see(DISK, Severity.CRITICAL, 6)  # it is about to follow its group
    site.see(PING, Severity.OK, 7)
    site.pass_to(1000)
    assert site.open == {}, "as far as anybody knows it needs what stands by"
    site.see(DISK, Severity.OK, 1001)
    site.see(WEB, Severity.CRITICAL, 1999)
    site.see(DISK, Severity.CRITICAL, 2000)
    site.see(PING, Severity.OK, 2001)
    site.pass_to(2002)
    assert site.open == {DISK: at(2000)}
