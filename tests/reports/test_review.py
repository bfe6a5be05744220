"""What people write for the review, in notes that begin with a word and a colon."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from alerts.language import translation
from monitor.core.events import Event, EventKind
from monitor.core.ids import IncidentId
from monitor.core.text import say, verbatim
from monitor.reports.review import Action, Remark, Topic, review_of, topics

AT = datetime(2026, 11, 23, tzinfo=UTC)


def note(words: str, kind: EventKind = EventKind.NOTE) -> Event:
    return Event(IncidentId("26-0001"), AT, kind, "paul", verbatim(words))


@pytest.mark.parametrize(
    ("words", "topic", "text"),
    [
        ("lesson: two ways", Topic.LESSON, "two ways"),
        ("LESSON : two ways", Topic.LESSON, "two ways"),
        ("  Went   Well: told in time: twice", Topic.WENT_WELL, "told in time: twice"),
        ("went well\u00a0: told", Topic.WENT_WELL, "told"),
        ("to improve:the FH", Topic.TO_IMPROVE, "the FH"),
        ("factor: one fibre", Topic.FACTOR, "one fibre"),
    ],
)
def test_a_note_that_names_its_topic_belongs_to_it(words: str, topic: Topic, text: str) -> None:
    assert review_of([note(words)]).on(topic) == (Remark(text, "paul"),)


@pytest.mark.parametrize("words", ["", "lesson", "lesson:", "lessons: x", "a lesson: x", ": x", "x" * 200 + ": y"])
def test_any_other_note_is_no_part_of_the_review(words: str) -> None:
    assert review_of([note(words)]) == review_of([])


def test_only_notes_are_read() -> None:
    assert review_of([note("lesson: x", EventKind.CAUSE)]) == review_of([])
    assert review_of([Event(IncidentId("1"), AT, EventKind.NOTE, "paul", say("OK again"))]) == review_of([])


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("topic", Topic)
def test_the_words_are_those_of_every_language_with_or_without_accents(language: str, topic: Topic) -> None:
    word = translation(language)(topic.value)
    plain = word.translate(str.maketrans("éèêàâçîïôùûÉÀÇ", "eeeaaciiouuEAC"))
    for typed in (word, word.upper(), plain):
        found = review_of([note(f"{typed} : quelque chose")])
        assert found.actions if topic is Topic.ACTION else found.on(topic)
    assert topic in topics().values()


@pytest.mark.parametrize(
    ("words", "action"),
    [
        ("action: add a disk", Action("add a disk")),
        ("action: add a disk; Paul", Action("add a disk", "Paul")),
        ("action: add a disk ; Paul ; 2026-12-15 ; open", Action("add a disk", "Paul", "2026-12-15", "open")),
        ("action: a;b;c;d;e", Action("a", "b", "c", "d;e")),
        ("action: a;;c", Action("a", "", "c")),
    ],
)
def test_an_action_has_up_to_four_parts(words: str, action: Action) -> None:
    assert review_of([note(words)]).actions == (action,)
