"""A crisis cell is what its events say, in any order; what people cannot mean is refused with a reason."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core import crisis_cell as cell
from monitor.core.attachment import cleaned
from monitor.core.by_hand import open_by_hand
from monitor.core.crisis import CRISIS_KINDS, ActionState, Crisis, Role
from monitor.core.events import Event, EventKind, event_from_json, event_to_json
from monitor.core.ids import IncidentId
from monitor.core.incident import Incident, Refused, fold, replay
from monitor.core.merging import merged
from monitor.core.text import say
from monitor.core.verdict import Severity

ID = IncidentId("26-0001")
AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
OPENED = open_by_hand(ID, "other", Severity.CRITICAL, "uid:0", AT, "no calls")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 5) | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)


def at(minute: float) -> datetime:
    return AT + timedelta(minutes=minute)


def after(incident: Incident, event: Event) -> Incident:
    following = fold(incident, event)
    assert following is not None
    return following


def incident() -> Incident:
    one = fold(None, OPENED)
    assert one is not None
    return one


def planned(*whats: str) -> Incident:
    one = incident()
    for what in whats:
        one = after(one, cell.add_action(one, "uid:7", at(5), what, "Paul", at(60)))
    return one


def test_an_action_has_a_number_an_owner_and_a_deadline_and_is_late_after_it():
    first, second = planned("restart the dialler", "call the carrier").crisis.actions
    assert (first.n, first.what, first.owner, first.due_at) == (1, "restart the dialler", "Paul", at(60))
    assert (second.n, second.by, second.at, second.state) == (2, "uid:7", at(5), ActionState.OPEN)
    assert [first.late(at(minute)) for minute in (60, 60.1)] == [False, True]


@pytest.mark.parametrize("state", [ActionState.DONE, ActionState.DROPPED])
def test_an_action_ends_once_with_what_came_of_it_and_may_be_opened_again(state):
    one = planned("restart the dialler", "call the carrier")
    ended = after(one, cell.end_action(one, "uid:8", at(9), 1, state, " it  answers "))
    first, second = ended.crisis.actions
    assert (first.state, first.result, first.ended_at) == (state, "it answers", at(9))
    assert not first.late(at(500))
    assert ended.crisis.open_actions == (second,)
    with pytest.raises(Refused):
        cell.end_action(ended, "uid:8", at(10), 1, state)
    again = after(ended, cell.end_action(ended, "uid:8", at(11), 1, ActionState.OPEN))
    assert again.crisis.actions == one.crisis.actions


def test_decisions_and_needs_are_numbered_and_a_need_is_met_once():
    one = incident()
    one = after(one, cell.decide(one, "uid:7", at(1), "stay on this site"))
    one = after(one, cell.need(one, "uid:7", at(2), "the carrier's ticket"))
    one = after(one, cell.need(one, "uid:7", at(3), "a second technician"))
    one = after(one, cell.meet_need(one, "uid:7", at(4), 2))
    assert [(each.n, each.what, each.at) for each in one.crisis.decisions] == [(1, "stay on this site", at(1))]
    assert [(each.n, each.met_at) for each in one.crisis.needs] == [(1, None), (2, at(4))]
    with pytest.raises(Refused):
        cell.meet_need(one, "uid:7", at(5), 2)


def test_the_last_person_named_has_the_role():
    one = incident()
    for who in ("Paul", "admin"):
        one = after(one, cell.appoint(one, "uid:7", at(1), Role.LEADER, who))
    one = after(one, cell.appoint(one, "uid:7", at(1), Role.SCRIBE, "Paul"))
    assert {role: one.crisis.who(role) for role in Role} == {
        Role.LEADER: "admin",
        Role.SCRIBE: "Paul",
        Role.LIAISON: "",
    }


def test_all_of_it_is_taken_after_the_end_and_outlives_a_relapse_and_a_restart():
    one = planned("restart the dialler")
    one = after(one, Event(ID, at(20), EventKind.RESOLVED, "releve", say("Resolved")))
    one = after(one, cell.end_action(one, "uid:7", at(21), 1, ActionState.DONE))
    one = after(one, cell.add_action(one, "uid:7", at(22), "buy a second dialler", "", at(90000)))
    one = after(one, Event(ID, at(25), EventKind.REOPENED, "releve", say("Again"), severity=Severity.CRITICAL))
    assert [each.state for each in one.crisis.actions] == [ActionState.DONE, ActionState.OPEN]
    assert replay(event_from_json(event_to_json(event)) for event in one.timeline) == {ID: one}


def test_what_is_left_of_a_plan_goes_with_its_incident_into_another_and_is_done_there():
    source = planned("restart the dialler", "call the carrier")
    source = after(source, cell.end_action(source, "uid:7", at(6), 1, ActionState.DONE))
    source = after(source, cell.need(source, "uid:7", at(6), "the carrier's ticket"))
    for role, who in ((Role.LEADER, "Paul"), (Role.SCRIBE, "Awa")):
        source = after(source, cell.appoint(source, "uid:7", at(6), role, who))
    other = replace(OPENED, incident=IncidentId("26-0002"))
    target = fold(None, other)
    assert target is not None
    target = after(target, replace(cell.appoint(target, "uid:7", at(7), Role.LEADER, "admin"), incident=target.id))
    absorbed, left = merged(source, target, (), "uid:8", at(9))
    target, source = after(target, absorbed), after(source, left)
    (action,) = target.crisis.actions
    assert (action.n, action.what, action.owner, action.due_at) == (1, "call the carrier", "Paul", at(60))
    assert [need.what for need in target.crisis.needs] == ["the carrier's ticket"]
    assert (target.crisis.who(Role.LEADER), target.crisis.who(Role.SCRIBE)) == ("admin", "Awa")
    assert [(one.state, one.result) for one in source.crisis.actions] == [
        (ActionState.DONE, ""),
        (ActionState.DROPPED, "26-0002"),
    ]
    assert event_from_json(event_to_json(absorbed)) == absorbed


@given(json_values | st.lists(st.dictionaries(st.sampled_from(["kind", "what", "role"]), json_values)))
def test_whatever_a_plan_that_is_taken_over_says_it_folds(plan):
    absorbed = Event(ID, at(1), EventKind.ABSORBED, "uid:7", say("So it is"), data={"plan": plan})
    one = replay([OPENED, absorbed])[ID]
    assert [action.n for action in one.crisis.actions] == list(range(1, len(one.crisis.actions) + 1))


@pytest.mark.parametrize(
    "impossible",
    [
        lambda one: cell.add_action(one, "uid:7", AT, " … "),
        lambda one: cell.add_action(one, "uid:7", AT, ""),
        lambda one: cell.add_action(one, "uid:7", AT, "x" * (cell.LONGEST + 1)),
        lambda one: cell.add_action(one, "uid:7", AT, "call", "x" * (cell.LONGEST_NAME + 1)),
        lambda one: cell.add_action(one, "uid:7", AT, "call", "", AT),
        lambda one: cell.end_action(one, "uid:7", AT, 0, ActionState.DONE),
        lambda one: cell.end_action(one, "uid:7", AT, 2, ActionState.DONE),
        lambda one: cell.end_action(one, "uid:7", AT, 1, ActionState.OPEN),
        lambda one: cell.meet_need(one, "uid:7", AT, 1),
        lambda one: cell.appoint(one, "uid:7", AT, Role.LEADER, "  "),
    ],
)
def test_what_cannot_be_meant_is_refused(impossible):
    with pytest.raises(Refused):
        impossible(planned("restart the dialler"))


def test_a_plan_has_room_for_so_many_actions_and_no_more():
    one = planned(*(f"action {n}" for n in range(cell.MOST)))
    with pytest.raises(Refused):
        cell.add_action(one, "uid:7", at(6), "one more")


data = st.fixed_dictionaries(
    {},
    optional={
        "n": st.integers(-1, 4) | json_values,
        "what": st.text(max_size=8) | json_values,
        "owner": json_values,
        "due_at": st.datetimes().map(datetime.isoformat) | st.just("9999-12-31T23:59:59-14:00") | json_values,
        "state": st.sampled_from([*ActionState]).map(str) | json_values,
        "result": json_values,
        "role": st.sampled_from([*Role]).map(str) | json_values,
        "who": json_values,
        "name": st.sampled_from(["x.log", "../x.log"]) | json_values,
        "size": st.integers(-1, 9) | json_values,
        "sha256": st.just("a" * 64) | json_values,
    },
)
events = st.builds(
    lambda kind, minute, said: Event(ID, at(minute), kind, "uid:7", say("It is so"), data=said),
    st.sampled_from([*sorted(CRISIS_KINDS), EventKind.RESOLVED, EventKind.REOPENED, EventKind.NOTE]),
    st.integers(0, 500),
    data,
)


@given(st.lists(events, max_size=30))
def test_any_events_in_any_order_fold_and_are_read_back_as_they_were(happened):
    one = replay([OPENED, *happened])[ID]
    assert one.crisis == replay([event_from_json(event_to_json(event)) for event in one.timeline])[ID].crisis
    crisis = one.crisis
    for those in (crisis.actions, crisis.decisions, crisis.needs, crisis.attachments):
        assert [each.n for each in those] == list(range(1, len(those) + 1))
    assert all(action.due_at is None or action.due_at.tzinfo is not None for action in crisis.actions)
    assert all((action.ended_at is None) is (action.state is ActionState.OPEN) for action in crisis.actions)
    assert len(dict(crisis.roles)) == len(crisis.roles)
    assert all(file.name == cleaned(file.name) and file.size > 0 for file in crisis.attachments)


@given(st.sampled_from([kind for kind in EventKind if kind not in CRISIS_KINDS]), data)
def test_nothing_else_writes_into_it(kind, said):
    event = Event(ID, at(1), kind, "uid:7", say("It is so"), data=said)
    assert replay([OPENED, event])[ID].crisis == Crisis()
