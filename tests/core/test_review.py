"""The review as events: points with numbers, versions that never change, what differs between two of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core import crisis_cell
from monitor.core.by_hand import state_cause
from monitor.core.events import RELEVE, Event, EventKind, event_from_json, event_to_json
from monitor.core.ids import IncidentId
from monitor.core.incident import Incident, Refused, fold, replay
from monitor.core.review import (
    NOT_REVIEWED,
    Change,
    Difference,
    Part,
    Stage,
    Topic,
    differences,
)
from monitor.core.review import fold as fold_review
from monitor.core.reviewing import MOST_WHYS, WITHIN, Owed, close, drop_point, owed, parts_of, write_point
from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Severity

ID = IncidentId("26-0007")
ZERO = datetime(2026, 11, 22, 3, 0, 17, tzinfo=UTC)
END = ZERO + timedelta(hours=2)
NEXT_DAY = END + timedelta(days=1)


def happened(at: datetime, kind: EventKind, **more: object) -> Event:
    return Event(ID, at, kind, RELEVE, say("So it is"), None, Severity.CRITICAL, "link", **more)  # type: ignore[arg-type]


def story(*, ended: bool = True, disrupted: bool = True) -> Incident:
    events = [happened(ZERO, EventKind.OPENED)]
    events += [happened(ZERO, EventKind.DISRUPTED)] if disrupted else []
    events += [happened(END, EventKind.RESOLVED)] if ended else []
    return replay(events)[ID]


def told(incident: Incident, event: Event) -> Incident:
    """The incident after an event that was written and read again."""
    after = fold(incident, event_from_json(event_to_json(event)))
    assert after is not None
    return after


def written(incident: Incident, topic: Topic, *words: str) -> Incident:
    for what in words:
        incident = told(incident, write_point(incident, "paul", END, topic, what))
    return incident


def test_points_are_numbered_within_their_topic_and_have_an_author():
    incident = written(written(story(), Topic.WHY, "the fibre broke", "roadworks"), Topic.WELL, "FH took over")
    assert [(one.n, one.what, one.by) for one in incident.review.on(Topic.WHY)] == [
        (1, "the fibre broke", "paul"),
        (2, "roadworks", "paul"),
    ]
    assert [one.n for one in incident.review.on(Topic.WELL)] == [1]
    assert ENGLISH.render(incident.timeline[-1].text) == "Went well 1: FH took over"


def test_a_point_is_changed_and_dropped_by_its_number_which_is_never_given_again():
    incident = written(story(), Topic.LESSON, "one", "two")
    incident = told(incident, write_point(incident, "awa", END, Topic.LESSON, "uno", 1))
    incident = told(incident, drop_point(incident, "awa", END, Topic.LESSON, 2))
    incident = written(incident, Topic.LESSON, "three")
    assert [(one.n, one.what, one.by) for one in incident.review.on(Topic.LESSON)] == [
        (1, "uno", "awa"),
        (3, "three", "paul"),
    ]
    assert ENGLISH.render(incident.timeline[-2].text) == "Dropped: Lesson 2: two"


def test_there_are_five_whys_and_a_dropped_one_makes_room():
    incident = written(story(), Topic.WHY, *"abcde")
    with pytest.raises(Refused, match="already"):
        write_point(incident, "paul", END, Topic.WHY, "f")
    incident = told(incident, drop_point(incident, "paul", END, Topic.WHY, 5))
    assert len(written(incident, Topic.WHY, "f").review.on(Topic.WHY)) == MOST_WHYS


@pytest.mark.parametrize(
    "wrong",
    [
        lambda i: write_point(i, "p", END, Topic.WHY, "  "),
        lambda i: write_point(i, "p", END, Topic.WHY, "..."),
        lambda i: write_point(i, "p", END, Topic.WHY, "w" * 501),
        lambda i: write_point(i, "p", END, Topic.WHY, "x", 1),
        lambda i: drop_point(i, "p", END, Topic.LESSON, 1),
        lambda i: close(i, "p", END, Stage.HOT),
        lambda i: close(i, "p", END, Stage.COLD, [Part("lesson", 0, "x")]),
    ],
)
def test_what_cannot_be_written_is_refused(wrong):
    with pytest.raises(Refused):
        wrong(story())


def test_a_review_is_closed_after_the_end_and_once_an_episode():
    incident = written(story(ended=False), Topic.WHY, "a")
    with pytest.raises(Refused, match="still goes on"):
        close(incident, "paul", END, Stage.HOT)
    incident = told(incident, happened(END, EventKind.RESOLVED))
    incident = told(incident, close(incident, "paul", END, Stage.HOT))
    with pytest.raises(Refused, match="closed already"):
        close(incident, "paul", END, Stage.HOT)
    incident = told(incident, happened(END, EventKind.REOPENED))
    incident = told(incident, happened(END + timedelta(hours=1), EventKind.RESOLVED))
    again = told(incident, close(incident, "awa", END, Stage.HOT))
    assert [(one.stage, one.episode, one.by) for one in again.review.versions] == [
        (Stage.HOT, 1, "paul"),
        (Stage.HOT, 2, "awa"),
    ]


def test_a_version_says_for_ever_what_it_said():
    incident = written(story(), Topic.WHY, "a")
    incident = told(incident, state_cause(incident, "paul", END, "the fibre"))
    incident = told(
        incident, crisis_cell.add_action(incident, "paul", END, "call OCM", "Paul", END + timedelta(days=1))
    )
    incident = told(incident, close(incident, "paul", END, Stage.HOT, [Part("lesson", 0, "from a note", "awa")]))
    (hot,) = incident.review.versions
    assert hot.parts == (
        Part("cause", 0, "the fibre"),
        Part("why", 1, "a", "paul"),
        Part("lesson", 0, "from a note", "awa"),
        Part("action", 1, "call OCM; Paul; 2026-11-23T05:00+00:00; open", "paul"),
    )
    later = told(incident, write_point(incident, "awa", END, Topic.WHY, "b", 1))
    later = told(later, drop_point(later, "awa", END, Topic.WHY, 1))
    assert later.review.versions == (hot,)
    assert replay(later.timeline)[ID] == later


def test_the_cold_review_differs_from_the_hot_one_by_what_was_added_changed_and_dropped():
    incident = written(written(story(), Topic.WHY, "a", "b"), Topic.LESSON, "l")
    incident = told(incident, close(incident, "paul", END, Stage.HOT))
    incident = told(incident, write_point(incident, "awa", END, Topic.WHY, "A", 1))
    incident = told(incident, drop_point(incident, "awa", END, Topic.WHY, 2))
    incident = told(incident, state_cause(incident, "awa", END, "known now"))
    incident = told(incident, close(incident, "awa", END, Stage.COLD))
    hot, cold = incident.review.versions
    assert differences(hot.parts, cold.parts) == (
        Difference(Change.ADDED, "cause", 0, "", "known now"),
        Difference(Change.CHANGED, "why", 1, "a", "A"),
        Difference(Change.DROPPED, "why", 2, "b", ""),
    )


def test_both_reviews_are_owed_of_what_interrupted_the_service_and_is_over():
    assert owed(story(ended=False)) == ()
    assert owed(story(disrupted=False)) == ()
    both = (Owed(Stage.HOT, END + WITHIN[Stage.HOT]), Owed(Stage.COLD, END + WITHIN[Stage.COLD]))
    incident = written(story(), Topic.WHY, "a")
    assert owed(incident) == both
    incident = told(incident, close(incident, "paul", END, Stage.HOT))
    assert owed(incident) == both[1:]
    incident = told(incident, close(incident, "paul", END, Stage.COLD))
    assert owed(incident) == ()
    incident = told(incident, happened(END, EventKind.REOPENED))
    assert owed(incident) == ()
    incident = told(incident, happened(END, EventKind.RESOLVED))
    assert owed(incident) == both


def test_what_went_into_another_incident_is_reviewed_with_that():
    merged = told(story(ended=False), happened(END, EventKind.MERGED, data={"into": "26-0006"}))
    assert not merged.open
    assert owed(merged) == ()


ANY = st.one_of(
    st.none(), st.integers(-2, 7), st.text(max_size=3), st.sampled_from(["why", "hot", "cold"]), st.just([])
)
DATA = st.fixed_dictionaries(
    {},
    optional={
        "topic": ANY,
        "n": ANY,
        "what": ANY,
        "stage": ANY,
        "episode": ANY,
        "parts": st.one_of(ANY, st.lists(st.one_of(ANY, st.fixed_dictionaries({"of": ANY, "n": ANY, "what": ANY})))),
    },
)


@given(st.lists(st.tuples(st.sampled_from([EventKind.REVIEW_POINT, EventKind.REVIEW_CLOSED]), DATA), max_size=6))
def test_whatever_stands_in_the_log_is_folded_without_a_fault(log):
    review = NOT_REVIEWED
    for kind, data in log:
        review = fold_review(review, Event(ID, END, kind, "x", say("x"), data=data))
    for topic in Topic:
        numbers = [one.n for one in review.on(topic)]
        assert len(numbers) == len(set(numbers))
        assert review.next_number(topic) > max(numbers, default=0)
    assert len({(one.stage, one.episode) for one in review.versions}) == len(review.versions)


PARTS = st.lists(
    st.builds(Part, st.sampled_from(["why", "lesson", "action"]), st.integers(0, 3), st.sampled_from("abc")),
    unique_by=lambda part: (part.of, part.n, part.what if part.n == 0 else ""),
)


@given(PARTS, PARTS)
def test_the_differences_turn_the_one_version_into_the_other(before, after):
    name = lambda of, n, what: (of, n, what if n == 0 else "")  # noqa: E731
    said = {name(part.of, part.n, part.what): part.what for part in before}
    for one in differences(before, after):
        if one.change is Change.ADDED:
            assert name(one.of, one.n, one.after) not in said
        else:
            assert said.pop(name(one.of, one.n, one.before)) == one.before
        if one.change is not Change.DROPPED:
            said[name(one.of, one.n, one.after)] = one.after
    assert said == {name(part.of, part.n, part.what): part.what for part in after}


def test_nothing_differs_between_a_version_and_itself():
    incident = written(story(), Topic.WHY, "a", "b")
    assert differences(parts_of(incident), parts_of(replace(incident))) == ()
