"""Storms: what interrupts nothing is gathered where much happens at once; nothing is lost and nothing told twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.agreement import Protocol
from alerts.compose import compose
from alerts.context import Context
from alerts.demanded import demanded
from alerts.escalation import Rung
from alerts.language import speech
from alerts.notice import STORMS, Audience, NoticeKey, Planned, Step
from alerts.protocol import due
from alerts.storm import EVERY, MOST, WITHIN, gathered, moment_of, storms, told_in
from monitor.core.events import Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident, fold
from monitor.core.text import say
from monitor.core.verdict import Severity

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PROTOCOL = Protocol(operations=("admin", "boss"), first_to=("att",))
LADDER = (Rung(timedelta(minutes=10), ("chief",)), Rung(timedelta(minutes=20), ("boss", "owner")))


def opened(n: int, at: datetime = NOON, severity: Severity = Severity.CRITICAL) -> Incident:
    name = IncidentId(f"26-{n:04}")
    check, text = CheckId(f"c{n}"), say("no answer")
    incident = fold(None, Event(name, at, EventKind.OPENED, "releve", text, check, severity, "x", at))
    assert incident is not None
    return incident


def readers_of(n: int) -> tuple[str, ...]:
    """Who is told of incident `n`: not of all of them the same."""
    return ("admin", "boss") if n % 3 else ("admin", "eva")


def after(incident: Incident, kind: EventKind, at: datetime) -> Incident:
    found = fold(incident, Event(incident.id, at, kind, "releve", say("so"), began_at=at))
    assert found is not None
    return found


class Desk:
    """What is kept, and a tick that takes a storm for what it is."""

    def __init__(self, *incidents: Incident, protocol: Protocol = PROTOCOL) -> None:
        self.protocol, self.protocols = protocol, dict[IncidentId, Protocol]()
        self.incidents = {one.id: one for one in incidents}
        self.sent: dict[IncidentId, set[NoticeKey]] = {}
        self.told: list[tuple[str, frozenset[IncidentId]]] = []

    def tick(self, now: datetime, *, patient: bool = True) -> list[tuple[Step, str]]:
        planned: list[Planned] = []
        for name, one in self.incidents.items():
            protocol = self.protocols.get(name, self.protocol)
            planned += due(protocol, one, self.sent.get(name, set()), now)
        every = EVERY if patient else timedelta()
        protocols = {name: self.protocols.get(name, self.protocol) for name in self.incidents}
        alone, found = storms(planned, self.incidents, self.sent, now, every=every, protocols=protocols)
        for storm in found:
            for event in storm.events(now):
                changed = fold(self.incidents[event.incident], event)
                assert changed is not None
                self.incidents[event.incident] = changed
            self.told.append((storm.plan.key.recipient, frozenset(one.id for one in storm.incidents)))
        left = [*alone, *(storm.plan for storm in found)]
        for plan in left:
            self.sent.setdefault(plan.key.incident, set()).add(plan.key)
        return sorted((plan.key.step, plan.key.recipient) for plan in left)


def test_a_handful_is_told_one_by_one():
    desk = Desk(*(opened(n) for n in range(MOST)))
    assert desk.tick(NOON) == [(Step.FIRST_NOTICE, "admin")] * MOST + [(Step.FIRST_NOTICE, "boss")] * MOST
    assert desk.told == []


def test_more_at_once_is_one_message_a_reader_and_told_no_second_time():
    desk = Desk(*(opened(n) for n in range(MOST + 1)))
    assert desk.tick(NOON) == [(Step.STORM, "admin"), (Step.STORM, "boss")]
    everything = frozenset(desk.incidents)
    assert desk.told == [("admin", everything), ("boss", everything)]
    assert desk.tick(NOON + EVERY) == []
    assert all(len(gathered(one)) == 2 for one in desk.incidents.values())


def test_what_comes_after_the_handful_waits_for_one_message_every_twenty_seconds():
    desk = Desk(*(opened(n) for n in range(MOST)))
    desk.tick(NOON)
    told = {}
    for second in range(1, 70):
        now = NOON + second * SECOND
        if second <= 40:
            one = opened(100 + second, now)
            desk.incidents[one.id] = one
        if left := desk.tick(now):
            told[second] = left
    assert list(told) == [1, 21, 41]
    assert all(left == [(Step.STORM, "admin"), (Step.STORM, "boss")] for left in told.values())
    mine = [about for reader, about in desk.told if reader == "admin"]
    assert sum(map(len, mine)) == len(frozenset().union(*mine)) == 40


def test_what_waits_is_written_while_there_is_time_to_send_it():
    desk = Desk(*(opened(n) for n in range(20)))
    desk.tick(NOON)
    late = opened(50, NOON + SECOND / 2)
    desk.incidents[late.id] = late
    (due_at,) = {plan.due_at for plan in due(PROTOCOL, late, (), NOON + SECOND)}
    second = next(n for n in range(1, 60) if desk.tick(NOON + n * SECOND))
    assert NOON + second * SECOND + timedelta(seconds=5) < due_at


def test_what_interrupts_the_service_is_told_by_itself_and_at_once():
    worse = after(opened(99), EventKind.DISRUPTED, NOON)
    desk = Desk(*(opened(n) for n in range(20)), worse)
    assert desk.tick(NOON) == [
        (Step.FIRST_NOTICE, "admin"), (Step.FIRST_NOTICE, "att"), (Step.FIRST_NOTICE, "boss"),
        (Step.STORM, "admin"), (Step.STORM, "boss"),
    ]  # fmt: skip


def test_their_ends_come_in_one_message_too():
    desk = Desk(*(opened(n) for n in range(MOST + 1)))
    desk.tick(NOON)
    later = NOON + timedelta(hours=1)
    for name, one in desk.incidents.items():
        desk.incidents[name] = after(one, EventKind.RESOLVED, later)
    assert desk.tick(later) == [(Step.STORM, "admin"), (Step.STORM, "boss")]
    assert desk.tick(later + EVERY) == []


def test_what_gets_worse_while_its_first_message_waits_is_told_once_and_as_it_is_by_then():
    desk = Desk(*(opened(n, severity=Severity.WARNING) for n in range(MOST + 1)))
    desk.tick(NOON)
    late = opened(50, NOON + SECOND, Severity.WARNING)
    desk.incidents[late.id] = late
    assert desk.tick(NOON + 2 * SECOND) == []
    worse = Event(late.id, NOON + 3 * SECOND, EventKind.SEVERITY, "releve", say("worse"), severity=Severity.CRITICAL)
    found = fold(late, worse)
    assert found is not None
    desk.incidents[late.id] = found
    told = [desk.tick(NOON + second * SECOND) for second in range(3, 40)]
    assert [left for left in told if left] == [[(Step.STORM, "admin"), (Step.STORM, "boss")]]
    assert {(key.step, key.n) for key in gathered(desk.incidents[late.id])} == {
        (Step.FIRST_NOTICE, 1), (Step.WORSENED, 1),
    }  # fmt: skip
    worst = Event(late.id, NOON + WITHIN, EventKind.SEVERITY, "releve", say("worse"), severity=Severity.WARNING)
    for n, one in enumerate(tuple(desk.incidents.values())[:2]):
        again = fold(one, replace(worst, incident=one.id, severity=Severity.CRITICAL, at=NOON + EVERY + n * SECOND))
        assert again is not None
        desk.incidents[one.id] = again
    assert desk.tick(NOON + 2 * EVERY) == [(Step.WORSENED, "admin")] * 2 + [(Step.WORSENED, "boss")] * 2


def into(one: Incident, other: str, at: datetime) -> Incident:
    found = fold(one, Event(one.id, at, EventKind.MERGED, "awa", say("put together"), data={"into": other}))
    assert found is not None
    return found


def test_that_many_are_followed_under_one_comes_in_one_message():
    desk = Desk(*(opened(n) for n in range(MOST + 2)))
    desk.tick(NOON)
    later = NOON + timedelta(minutes=10)
    for name in tuple(desk.incidents)[1:]:
        desk.incidents[name] = into(desk.incidents[name], "26-0000", later)
    assert desk.tick(later) == [(Step.STORM, "admin"), (Step.STORM, "boss")]
    assert desk.tick(later + EVERY) == []
    assert desk.told[-2] == ("admin", frozenset(tuple(desk.incidents)[1:]))


@pytest.mark.parametrize(
    ("fresh", "moved", "title", "line"),
    [
        (0, 1, "1 more incident is followed under another one", "followed under 26-0099: "),
        (0, 6, "6 incidents are followed under another one", "followed under 26-0099: "),
        (2, 6, "Much at once: incidents new: 2, over: 0, followed under others: 6", "followed under 26-0099: "),
    ],
)
def test_what_goes_on_under_another_one_is_not_said_to_be_over(fresh, moved, title, line):
    incidents = [opened(n) for n in range(fresh)] + [into(opened(50 + n), "26-0099", NOON) for n in range(moved)]
    context = Context(site="Petit site", speech=speech("en", "Africa/Douala"), now=NOON)
    context = replace(context, handed=tuple((one, context) for one in incidents))
    key = NoticeKey(STORMS, Audience.INTERNAL, Step.STORM, int(NOON.timestamp()), "admin")
    message = compose(Planned(key, NOON), None, context)
    assert message.subject == f"[Relève] {title}"
    assert message.text.count(line) == moved
    assert "over: c" not in message.text


def test_a_storm_is_over_when_nothing_came_for_a_while():
    desk = Desk(*(opened(n) for n in range(20)))
    desk.tick(NOON)
    late = opened(50, NOON + WITHIN)
    desk.incidents[late.id] = late
    assert desk.tick(NOON + WITHIN) == [(Step.FIRST_NOTICE, "admin"), (Step.FIRST_NOTICE, "boss")]


def test_where_nobody_asks_again_soon_nothing_waits():
    desk = Desk(*(opened(n) for n in range(20)))
    desk.tick(NOON)
    desk.incidents |= {one.id: one for one in (opened(50, NOON + SECOND), opened(51, NOON + SECOND))}
    assert desk.tick(NOON + SECOND) == []
    assert desk.tick(NOON + 2 * SECOND, patient=False) == [(Step.STORM, "admin"), (Step.STORM, "boss")]


def test_a_clock_that_was_set_back_holds_no_message_back():
    desk = Desk(*(opened(n) for n in range(20)))
    desk.tick(NOON + timedelta(days=1))
    desk.incidents |= {one.id: one for one in (opened(n, NOON) for n in range(50, 60))}
    assert desk.tick(NOON) == [(Step.STORM, "admin"), (Step.STORM, "boss")]


def test_who_was_told_in_between_and_who_was_not_hear_of_the_same_thing():
    """What one of two was told is settled for both: so neither waits while the other reads it."""
    desk = Desk(*(opened(n) for n in range(20)))
    desk.tick(NOON)
    late = opened(50, NOON + SECOND)
    desk.incidents[late.id] = late
    desk.protocol = replace(PROTOCOL, operations=("admin", "eva"))  # eva has just come on duty
    assert desk.tick(NOON + SECOND) == [(Step.FIRST_NOTICE, "eva"), (Step.STORM, "admin")]
    assert desk.told[-1] == ("admin", frozenset({late.id}))


def test_two_messages_within_a_second_are_two():
    desk = Desk(*(opened(n) for n in range(20)))
    desk.tick(NOON)
    late = opened(50, NOON)
    desk.incidents[late.id] = late
    assert desk.tick(NOON, patient=False) == [(Step.STORM, "admin"), (Step.STORM, "boss")]
    first, second = sorted(key for key in desk.sent[STORMS] if key.recipient == "admin")
    assert (len(told_in(first, desk.incidents.values())), told_in(second, desk.incidents.values())) == (20, (late.id,))


def test_between_two_ticks_nothing_of_a_storm_is_written_for_anybody():
    many = {one.id: one for one in (opened(n) for n in range(20))}
    plans = [plan for one in many.values() for plan in due(PROTOCOL, one, (), NOON)]
    assert storms(plans, many, {}, NOON, every=None) == ([], ())
    few = plans[: 2 * MOST]
    assert storms(few, many, {}, NOON, every=None)[1] == ()
    assert sorted(storms(few, many, {}, NOON, every=None)[0], key=lambda plan: plan.key) == sorted(
        few, key=lambda plan: plan.key
    )
    aside = replace(plans[0], key=replace(plans[0].key, recipient="eva"))
    assert storms([*plans, aside], many, {}, NOON, every=None) == ([], ())


def again(incident: Incident, at: datetime) -> Incident:
    event = Event(incident.id, at, EventKind.REOPENED, "releve", say("so"), severity=Severity.CRITICAL, began_at=at)
    found = fold(incident, event)
    assert found is not None
    return found


def test_nobody_answers_what_was_told_with_many_and_whoever_is_told_then_hears_of_the_end():
    ladder = replace(PROTOCOL, escalation=(Rung(timedelta(minutes=10), ("chief",)),))
    desk = Desk(*(opened(n) for n in range(20)), protocol=ladder)
    desk.tick(NOON)
    later = NOON + timedelta(minutes=10)
    assert desk.tick(later) == [(Step.STORM, "chief")]
    assert desk.told[-1] == ("chief", frozenset(desk.incidents))
    assert desk.tick(later + EVERY) == []
    for n, one in enumerate(list(desk.incidents.values())):
        desk.incidents[one.id] = after(one, EventKind.RESOLVED, later + (n > 2) * SECOND)
    assert desk.tick(later + SECOND) == [(Step.STORM, "admin"), (Step.STORM, "boss"), (Step.STORM, "chief")]
    assert desk.tick(later + EVERY + SECOND) == []


def test_a_handful_that_nobody_answers_is_told_one_by_one():
    desk = Desk(*(opened(n) for n in range(MOST)), protocol=replace(PROTOCOL, escalation=LADDER))
    desk.tick(NOON)
    assert desk.tick(NOON + LADDER[0].after) == [(Step.ESCALATED, "chief")] * MOST
    assert desk.tick(NOON + LADDER[1].after) == [
        (Step.ESCALATED, who) for who in ("boss", "owner") for _ in range(MOST)
    ]


def test_what_nobody_answers_one_after_the_other_is_told_on_the_minute_and_in_few_messages():
    desk = Desk(*(opened(n, NOON + n * SECOND) for n in range(60)), protocol=replace(PROTOCOL, escalation=LADDER))
    due_at = {name: one.opened_at + LADDER[0].after for name, one in desk.incidents.items()}
    desk.tick(NOON + 60 * SECOND)
    messages = 0
    for second in range(600, 700):
        now, before = NOON + second * SECOND, {name: gathered(one) for name, one in desk.incidents.items()}
        messages += sum(who == "chief" for _, who in desk.tick(now))
        for name, one in desk.incidents.items():
            if any(key.step is Step.ESCALATED for key in gathered(one) - before[name]):
                assert now <= due_at[name] + EVERY
    told = {key.incident for keys in desk.sent.values() for key in keys if key.step is Step.ESCALATED}
    told |= {name for who, about in desk.told if who == "chief" for name in about}
    assert told == set(desk.incidents)
    assert messages <= MOST + 4


@pytest.mark.parametrize("recently", [True, False])
def test_who_is_on_two_rungs_that_are_reached_at_once_keeps_nobody_on_the_lower_one_from_being_told(recently: bool):
    ladder = (Rung(timedelta(minutes=10), ("chief", "boss")), Rung(timedelta(minutes=20), ("boss", "owner")))
    protocol = replace(PROTOCOL, operations=("admin",), escalation=ladder)
    now = NOON + ladder[1].after
    late = {one.id: one for one in (opened(n) for n in range(20))}
    desk = Desk(*(opened(n, now - 10 * SECOND - ladder[0].after) for n in range(50, 60)), protocol=protocol)
    if recently:
        desk.tick(now - 10 * SECOND)
        assert ("chief", frozenset(desk.incidents)) in desk.told
    desk.incidents |= late
    for second in range(60):
        plans = [plan for one in desk.incidents.values() for plan in due(protocol, one, desk.sent.get(one.id, ()), now)]
        for plan in storms(plans, desk.incidents, desk.sent, now, every=None)[0]:  # something happens between two ticks
            desk.sent.setdefault(plan.key.incident, set()).add(plan.key)
        desk.tick(now + second * SECOND)
    for who in ("chief", "boss", "owner"):
        heard = [name for reader, names in desk.told if reader == who for name in names]
        assert sorted(name for name in heard if name in late) == sorted(late), f"{who} is told of each, once"


def test_what_interrupts_the_service_and_nobody_answers_is_told_by_itself():
    worse = after(opened(99), EventKind.DISRUPTED, NOON)
    desk = Desk(*(opened(n) for n in range(20)), worse, protocol=replace(PROTOCOL, escalation=LADDER))
    desk.tick(NOON)
    assert desk.tick(NOON + LADDER[0].after) == [(Step.ESCALATED, "chief"), (Step.STORM, "chief")]


def test_a_storm_of_a_rung_names_who_was_told_before():
    desk = Desk(*(opened(n) for n in range(20)), protocol=replace(PROTOCOL, escalation=LADDER))
    desk.tick(NOON)
    now = NOON + LADDER[0].after
    planned = [
        plan for one in desk.incidents.values() for plan in due(desk.protocol, one, desk.sent.get(one.id, ()), now)
    ]
    (found,) = storms(planned, desk.incidents, desk.sent, now)[1]
    assert (found.plan.key.recipient, found.escalated) == ("chief", frozenset(desk.incidents))
    assert set(found.plan.unanswered) == {"admin", "boss"}


def test_what_came_and_went_and_came_again_before_anybody_was_told_is_missed_by_no_proof():
    desk = Desk(*(opened(n) for n in range(20)))
    desk.tick(NOON)
    one = opened(50, NOON + SECOND)
    for n, change in ((1, lambda i, _: i), (6, partial(after, kind=EventKind.RESOLVED)), (12, again)):
        one = desk.incidents[one.id] = change(one, at=NOON + n * SECOND) if n > 1 else one
        assert desk.tick(NOON + n * SECOND) == []
    assert desk.tick(NOON + EVERY) == [(Step.STORM, "admin"), (Step.STORM, "boss")]
    one = desk.incidents[one.id]
    assert demanded(PROTOCOL, one.timeline, NOON + timedelta(minutes=2)) == ()


def test_what_a_rehearsal_says_in_the_clients_place_is_never_gathered():
    rehearsal = replace(PROTOCOL, live=False)
    worse = [after(opened(n), EventKind.DISRUPTED, NOON) for n in range(20)]
    assert Step.STORM not in {step for step, _ in Desk(*worse, protocol=rehearsal).tick(NOON)}


def test_the_proof_of_a_month_demands_no_message_that_another_stood_for():
    desk = Desk(*(opened(n) for n in range(20)))
    desk.tick(NOON)
    for one in desk.incidents.values():
        wanted = {plan.key.step for plan in demanded(PROTOCOL, one.timeline, NOON + timedelta(hours=1))}
        assert Step.FIRST_NOTICE not in wanted


def test_who_answers_it_is_on_each_incident_that_it_told_of():
    desk = Desk(*(opened(n) for n in range(20)))
    desk.tick(NOON)
    told = {name for name in desk.incidents if name in desk.told[0][1]}
    (key,) = (key for key in desk.sent[STORMS] if key.recipient == "admin")
    assert moment_of(key) == NOON
    other = opened(99, NOON)
    assert set(told_in(key, [*desk.incidents.values(), other])) == told
    assert told_in(replace(key, recipient="eva"), desk.incidents.values()) == ()
    assert told_in(replace(key, n=key.n + 30), desk.incidents.values()) == ()


@given(
    st.lists(st.tuples(st.integers(0, 600), st.sampled_from(["bad", "worse"]), st.integers(1, 900)), max_size=40),
    st.lists(st.integers(0, 2000), max_size=30),
    st.booleans(),
)
def test_whatever_happens_each_reader_hears_of_each_opening_and_end_once(courses, ticks, impatient):
    happens = {*(begin for begin, _, _ in courses), *(begin + lasts for begin, _, lasts in courses)}
    moments = sorted({*ticks, *happens, 3000, 3031, 3062})
    desk, heard = Desk(), []
    for second in moments:
        now = NOON + second * SECOND
        for n, (begin, how, lasts) in enumerate(courses):
            if begin == second:
                one = opened(n, now)
                desk.protocols[one.id] = replace(PROTOCOL, operations=readers_of(n), escalation=LADDER)
                desk.incidents[one.id] = after(one, EventKind.DISRUPTED, now) if how == "worse" else one
            name = IncidentId(f"26-{n:04}")
            if begin + lasts == second and name in desk.incidents:
                desk.incidents[name] = after(desk.incidents[name], EventKind.RESOLVED, now)
        before = {name: gathered(one) for name, one in desk.incidents.items()}
        desk.tick(now, patient=not impatient)
        for name, one in desk.incidents.items():
            heard += list(gathered(one) - before[name])
    heard += [key for name, keys in desk.sent.items() if name != STORMS for key in keys]
    assert len(heard) == len(set(heard))
    for n in range(len(courses)):
        for step in (Step.FIRST_NOTICE, Step.RESOLVED):
            for reader in readers_of(n):
                key = NoticeKey(IncidentId(f"26-{n:04}"), Audience.INTERNAL, step, 1, reader)
                assert key in heard


@pytest.mark.parametrize(
    ("language", "what", "impact", "following"),
    [
        ("fr", "Beaucoup à la fois", "Impact", "Prochain message"),
        ("en", "Much at once: 12 new incidents, in one message instead of one each.", "Impact", "Next message"),
    ],
)
def test_its_first_three_lines_say_what_happened_the_impact_and_when_the_next_one_comes(
    language, what, impact, following
):
    incidents = [opened(n) for n in range(12)]
    context = Context(site="Petit site", speech=speech(language, "Africa/Douala"), now=NOON)
    context = replace(context, handed=tuple((one, context) for one in incidents))
    key = NoticeKey(STORMS, Audience.INTERNAL, Step.STORM, int(NOON.timestamp()), "admin")
    message = compose(Planned(key, NOON), None, context)
    first, second, third, *rest = message.text.splitlines()
    assert [first[: len(what)], second[: len(impact)], third[: len(following)]] == [what, impact, following]
    assert all(str(one.id) in "\n".join(rest) for one in incidents)
    assert "releve incident list --open" in message.text
    assert len(message.short) <= 160
    assert key.thread_id("site") == ""


@pytest.mark.parametrize(
    ("fresh", "over", "title"),
    [
        (1, 0, "Much at once: 1 more incident"),
        (0, 1, "1 more incident is over"),
        (0, 7, "7 incidents are over"),
        (3, 4, "Much at once: incidents new: 3, over: 4"),
    ],
)
def test_it_says_how_many_are_new_and_how_many_are_over(fresh, over, title):
    incidents = [opened(n) for n in range(fresh)]
    incidents += [after(opened(50 + n), EventKind.RESOLVED, NOON) for n in range(over)]
    context = Context(site="Petit site", speech=speech("en", "Africa/Douala"), now=NOON)
    context = replace(context, handed=tuple((one, context) for one in incidents))
    key = NoticeKey(STORMS, Audience.INTERNAL, Step.STORM, int(NOON.timestamp()), "admin")
    message = compose(Planned(key, NOON), None, context)
    assert message.subject == f"[Relève] {title}"
    assert message.short.startswith(title)


@pytest.mark.parametrize(
    ("fresh", "over", "unanswered", "title"),
    [
        (0, 0, 1, "Nobody has acknowledged 1 more incident"),
        (0, 0, 7, "Nobody has acknowledged 7 incidents"),
        (3, 0, 7, "Much at once: 3 new incidents; not acknowledged: 7"),
        (0, 2, 7, "2 incidents are over; not acknowledged: 7"),
    ],
)
def test_it_says_of_how_many_nobody_has_taken_charge_and_who_is_told_next(fresh, over, unanswered, title):
    incidents = [opened(n) for n in range(fresh + unanswered)]
    incidents += [after(opened(50 + n), EventKind.RESOLVED, NOON) for n in range(over)]
    now, next_at = NOON + timedelta(minutes=10), NOON + timedelta(minutes=20)
    context = Context(site="Petit site", speech=speech("en", "Africa/Douala"), now=now, people={"admin": "Awa"})
    one = replace(context, escalates_at=next_at, escalates_to=("owner",))
    escalated = frozenset(one.id for one in incidents[fresh : fresh + unanswered])
    context = replace(context, handed=tuple((each, one) for each in incidents), escalated=escalated)
    key = NoticeKey(STORMS, Audience.INTERNAL, Step.STORM, int(NOON.timestamp()), "chief")
    message = compose(Planned(key, now, unanswered=("admin",)), None, context)
    assert message.subject == f"[Relève] {title}"
    assert "Told before, and nobody has acknowledged it: Awa." in message.text
    assert "If nobody acknowledges it, the next message goes to owner: 13:20, Douala time." in message.text
    assert len(message.short) <= 160
