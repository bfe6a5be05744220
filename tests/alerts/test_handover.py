"""The handover: one message to whoever comes on duty while something is open, and never a second one."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.agreement import Protocol
from alerts.compose import compose
from alerts.context import Context
from alerts.handover import LATEST, handovers, moment_of
from alerts.language import speech
from alerts.notice import BY_TIME, HANDOVERS, Audience, NoticeKey, Step
from monitor.core.events import Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident, fold
from monitor.core.rota import Override, Roster, Rota, Rotation
from monitor.core.text import say
from monitor.core.verdict import Severity

DOUALA = ZoneInfo("Africa/Douala")
ROTA = Rota("duty", DOUALA, Rotation(("awa", "ben"), time(8), date(2026, 1, 5), 7))
ROSTER = Roster({"duty": ROTA})
MOMENT = datetime(2026, 1, 12, 7, 0, tzinfo=UTC)  # 8 o'clock at Douala: from awa to ben
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
PROTOCOL = Protocol(operations=("duty", "boss"))
ONE, TWO = IncidentId("26-0001"), IncidentId("26-0002")


def incident(name: IncidentId, opened: datetime, *others: tuple[EventKind, datetime]) -> Incident:
    found: Incident | None = None
    for kind, at in ((EventKind.OPENED, opened), *others):
        event = Event(name, at, kind, "awa", say("no answer"), CheckId("fo"), Severity.CRITICAL, "link", at)
        found = fold(found, replace(event, severity=None) if kind is not EventKind.OPENED else event)
    assert found is not None
    return found


def at(now, *incidents, sent=(), roster=ROSTER, protocol=PROTOCOL):
    found = handovers(roster, {one.id: one for one in incidents}, {one.id: protocol for one in incidents}, sent, now)
    return {(one.plan.key.recipient, *(each.id for each in one.incidents)): one.plan for one in found}


def test_whoever_comes_on_duty_is_handed_what_is_open_the_oldest_first():
    told = at(MOMENT + SECOND, incident(TWO, MOMENT - HOUR), incident(ONE, MOMENT - 2 * HOUR))
    assert list(told) == [("ben", ONE, TWO)]
    (plan,) = told.values()
    assert plan.key == NoticeKey(HANDOVERS, Audience.INTERNAL, Step.HANDOVER, int(MOMENT.timestamp()), "ben")
    assert (plan.due_at, moment_of(plan.key)) == (MOMENT, MOMENT)
    assert at(MOMENT + HOUR, incident(ONE, MOMENT - HOUR), sent={plan.key}) == {}
    assert plan.key.thread_id("site") == ""


@pytest.mark.parametrize(
    ("now", "story"),
    [
        (MOMENT - SECOND, [MOMENT - HOUR]),
        (MOMENT + SECOND, [MOMENT]),
        (MOMENT + 2 * SECOND, [MOMENT - HOUR, (EventKind.RESOLVED, MOMENT + SECOND)]),
        (MOMENT + LATEST + SECOND, [MOMENT - HOUR]),
    ],
    ids=["before it", "opened since", "over meanwhile", "long ago"],
)
def test_no_message_where_nothing_is_to_be_handed_over(now, story):
    assert at(now, incident(ONE, *story)) == {}
    assert at(now) == {}


def test_an_outage_over_the_handover_tells_it_late_and_once():
    assert list(at(MOMENT + 3 * HOUR, incident(ONE, MOMENT - HOUR))) == [("ben", ONE)]


def test_only_what_the_rota_is_told_of_is_handed_over():
    assert at(MOMENT + SECOND, incident(ONE, MOMENT - HOUR), protocol=Protocol(operations=("boss",))) == {}


def test_to_take_over_and_to_give_back_are_handovers_too():
    taken = Override("duty", "eva", MOMENT + HOUR, MOMENT + 2 * HOUR)
    roster, one = Roster({"duty": ROTA}, (taken,)), incident(ONE, MOMENT - HOUR)
    assert list(at(MOMENT + HOUR + SECOND, one, roster=roster)) == [("eva", ONE)]
    assert list(at(MOMENT + 2 * HOUR + SECOND, one, roster=roster)) == [("ben", ONE)]


def test_one_person_of_two_rotas_has_one_message():
    other = Rota("other", DOUALA, ROTA.pattern)
    roster = Roster({"duty": ROTA, "other": other})
    told = at(MOMENT, incident(ONE, MOMENT - HOUR), roster=roster, protocol=Protocol(operations=("duty", "other")))
    assert list(told) == [("ben", ONE)]


def test_it_waits_for_a_clock_that_can_be_trusted():
    assert Step.HANDOVER in BY_TIME


@given(st.lists(st.integers(-3 * 86400, 3 * 86400), max_size=30), st.integers(-86400, 86400))
def test_in_any_order_of_ticks_there_is_one_message_a_handover(ticks, opened):
    one, sent, told = incident(ONE, MOMENT + opened * SECOND), set(), []
    rota = replace(ROTA, pattern=Rotation(("awa", "ben"), time(8), date(2026, 1, 5), 1))
    for seconds in sorted(ticks):
        now = MOMENT + seconds * SECOND
        new = at(now, *([one] if one.opened_at <= now else []), sent=sent, roster=Roster({"duty": rota}))
        told += [(moment_of(plan.key), plan.key.recipient) for plan in new.values()]
        sent |= {plan.key for plan in new.values()}
    assert len(told) == len(set(told))
    assert all(rota.on_duty((), moment) == who and moment > one.opened_at for moment, who in told)


def test_the_message_lists_what_is_open_who_is_on_it_and_what_comes_next():
    first = incident(ONE, MOMENT - 2 * HOUR, (EventKind.ACKNOWLEDGED, MOMENT - HOUR))
    second = incident(TWO, MOMENT - HOUR, (EventKind.DISRUPTED, MOMENT - HOUR))
    (handover,) = handovers(ROSTER, {ONE: first, TWO: second}, {ONE: PROTOCOL, TWO: PROTOCOL}, (), MOMENT)
    there = Context("Douala", speech("en"), MOMENT, people={"ben": "Ben"})
    its = replace(there, node="router", title="Link down")
    message = compose(handover.plan, None, replace(there, handed=((first, its), (second, its))))
    lines = message.text.replace("\N{NO-BREAK SPACE}", " ").splitlines()
    assert lines[0].startswith("You are on duty, 2 incidents are open. You have been on duty since ")
    assert lines[1] == "Impact: the client's service is interrupted (26-0002)."
    assert lines[2] == "Next message: as soon as something changes."
    text = " ".join(lines)
    assert "Critical: Link down (router): no answer, since " in text
    assert "awa has been working on it since " in text
    assert "; nobody has acknowledged it yet." in text
    assert "releve incident ack 26-0002" in text
    assert message.subject == "[Relève] You are on duty, 2 incidents are open"
    assert message.short == "You are on duty, 2 incidents are open: 26-0001, 26-0002"


def test_a_long_list_is_cut_and_says_so():
    many = [incident(IncidentId(f"26-{n:04}"), MOMENT - HOUR) for n in range(1, 31)]
    there = Context("Douala", speech("en"), MOMENT)
    key = NoticeKey(HANDOVERS, Audience.INTERNAL, Step.HANDOVER, int(MOMENT.timestamp()), "ben")
    (plan,) = at(MOMENT, *many).values()
    assert plan.key == key
    message = compose(plan, None, replace(there, handed=tuple((one, there) for one in many)))
    assert "And 10 more: `releve incident list --open`" in message.text
    assert message.short == "You are on duty, 30 incidents are open: 26-0001, 26-0002, 26-0003, ..."
