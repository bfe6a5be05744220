"""Our own people are reminded of reviews and actions until these are done, and never twice of the same time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.agreement import Protocol
from alerts.chase import ACTION_EVERY, APART, CHASED, FOR, REVIEW_EVERY, Chase, outstanding
from alerts.demanded import demanded
from alerts.notice import Audience, NoticeKey, Step
from alerts.protocol import due
from monitor.core import crisis_cell, reviewing
from monitor.core.crisis import ActionState
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import IncidentId
from monitor.core.incident import Incident, fold, replay
from monitor.core.review import Part, Stage
from monitor.core.text import say
from monitor.core.verdict import Severity

ID = IncidentId("26-0007")
ZERO = datetime(2026, 11, 22, 3, 0, 17, tzinfo=UTC)
END = ZERO + timedelta(hours=2)
DAY = timedelta(days=1)
PROTOCOL = Protocol(first_to=("att",), operations=("admin",), chase=True)


def happened(at: datetime, kind: EventKind) -> Event:
    return Event(ID, at, kind, RELEVE, say("So it is"), None, Severity.CRITICAL, "link")


def ended(*, disrupted: bool = True) -> Incident:
    events = [happened(ZERO, EventKind.OPENED)]
    events += [happened(ZERO, EventKind.DISRUPTED)] if disrupted else []
    return replay([*events, happened(END, EventKind.RESOLVED)])[ID]


def then(incident: Incident, event: Event) -> Incident:
    after = fold(incident, event)
    assert after is not None
    return after


def chased(incident: Incident, now: datetime, sent: set[NoticeKey] = frozenset()) -> list[tuple[str, int, str, float]]:  # type: ignore[assignment]
    return [
        (plan.key.step.value, plan.key.n, plan.key.recipient, (plan.due_at - END) / DAY)
        for plan in due(PROTOCOL, incident, sent, now)
        if plan.key.step in CHASED
    ]


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (2.9, []),
        (3, [("review_hot", 1000, "admin", 3)]),
        (9.9, [("review_hot", 1000, "admin", 3)]),
        (10, [("review_hot", 1001, "admin", 10)]),
        (30, [("review_hot", 1003, "admin", 24), ("review_cold", 1000, "admin", 30)]),
        (40, [("review_hot", 1005, "admin", 38), ("review_cold", 1001, "admin", 37)]),
        (3000, [("review_hot", 1052, "admin", 367), ("review_cold", 1052, "admin", 394)]),
    ],
)
def test_a_review_is_told_when_it_is_due_and_every_week_after(days, told):
    assert chased(ended(), END + days * DAY) == told


def test_a_review_that_is_closed_is_told_no_more():
    incident = then(ended(), reviewing.close(ended(), "paul", END, Stage.HOT, [Part("lesson", 0, "x")]))
    assert chased(incident, END + 10 * DAY) == []
    assert [step for step, *_ in chased(incident, END + 31 * DAY)] == ["review_cold"]
    incident = then(incident, reviewing.close(incident, "paul", END, Stage.COLD, [Part("lesson", 0, "x")]))
    assert chased(incident, END + 100 * DAY) == []
    assert outstanding(incident, END) is None


def test_what_interrupted_nobody_has_no_review_that_anybody_waits_for():
    assert chased(ended(disrupted=False), END + 100 * DAY) == []


def test_an_action_is_told_at_its_time_and_every_three_days_until_it_is_done_or_dropped():
    incident = ended(disrupted=False)
    incident = then(incident, crisis_cell.add_action(incident, "paul", END, "no deadline"))
    incident = then(incident, crisis_cell.add_action(incident, "paul", END, "map of works", "OCM", END + DAY))
    assert chased(incident, END + 0.9 * DAY) == []
    assert chased(incident, END + DAY) == [("action_due", 2000, "admin", 1)]
    assert chased(incident, END + 4.5 * DAY) == [("action_due", 2001, "admin", 4)]
    for state in (ActionState.DONE, ActionState.DROPPED):
        over = then(incident, crisis_cell.end_action(incident, "paul", END, 2, state))
        assert chased(over, END + 10 * DAY) == []
        again = then(over, crisis_cell.end_action(over, "paul", END, 2, ActionState.OPEN))
        assert chased(again, END + 10 * DAY) == [("action_due", 2003, "admin", 10)]


def test_the_client_is_never_told_of_it():
    incident = ended()
    incident = then(incident, crisis_cell.add_action(incident, "paul", END, "x", "att", END + DAY))
    plans = [plan for plan in due(PROTOCOL, incident, (), END + 40 * DAY) if plan.key.step in CHASED]
    assert {(plan.key.audience, plan.key.recipient) for plan in plans} == {(Audience.INTERNAL, "admin")}


def test_what_was_frozen_before_there_were_reminders_stays_quiet():
    old = Protocol(first_to=("att",), operations=("admin",))
    assert not [plan for plan in due(old, ended(), (), END + 40 * DAY) if plan.key.step in CHASED]


@given(st.lists(st.floats(0.01, 20), min_size=1, max_size=40))
def test_however_often_anybody_looks_each_time_is_told_once_and_what_is_told_was_demanded(gaps):
    incident, now = ended(), END
    incident = then(incident, crisis_cell.add_action(incident, "paul", END, "x", "", END + 5 * DAY))
    sent: set[NoticeKey] = set()
    for days in gaps:
        now += days * DAY
        planned = [plan for plan in due(PROTOCOL, incident, sent, now) if plan.key.step in CHASED]
        assert not sent & {plan.key for plan in planned}
        assert len({plan.key.step for plan in planned}) == len(planned)
        sent |= {plan.key for plan in planned}
    assert sent <= {plan.key for plan in demanded(PROTOCOL, incident.timeline, now)}


@given(st.floats(0, 500), st.sampled_from([REVIEW_EVERY, ACTION_EVERY]))
def test_the_next_reminder_is_the_first_after_the_last_one(days, every):
    chase = Chase(Step.REVIEW_HOT, 1, END, every)
    now = END + (days - 20) * DAY
    last, following = chase.last(now), chase.following(now)
    if following is None:
        assert now - END >= FOR - every
        assert chase.last(now + 10 * every) == chase.last(now)
    else:
        assert following > now
        assert chase.last(following) != last
        assert chase.last(following - timedelta(microseconds=1)) == last
        assert chase.last(following)[1] == following  # type: ignore[index]


def test_the_numbers_of_two_things_never_meet():
    assert FOR // min(REVIEW_EVERY, ACTION_EVERY) < APART


def test_what_is_overdue_is_counted():
    incident = ended()
    incident = then(incident, crisis_cell.add_action(incident, "paul", END, "x", "", END + 5 * DAY))
    left = outstanding(incident, ZERO)
    assert left is not None
    assert left.next_at == END + 3 * DAY
    assert [left.overdue(END + days * DAY) for days in (3, 3.1, 6, 31)] == [(0, 0), (1, 0), (1, 1), (2, 1)]
