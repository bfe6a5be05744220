"""The review as people complete and close it: whys, points, the plan, versions and what differs between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alerts.language import speech
from monitor.core import crisis_cell, reviewing
from monitor.core.by_hand import note
from monitor.core.crisis import ActionState
from monitor.core.events import Event
from monitor.core.incident import Incident, fold
from monitor.core.review import Stage, Topic
from monitor.core.text import Speech
from monitor.reports.document import Document, Paragraph, Points, Table, Tone
from monitor.reports.formats import Format, rendered
from monitor.reports.material import Material
from monitor.reports.review import parts_in_notes
from monitor.reports.rex import rex
from monitor.reports.rex_versions import as_closed

ENGLISH = speech("en", "Africa/Douala")
Stories = dict[str, Callable[[], Material]]
Step = Callable[[Incident, datetime], Event]


def done(material: Material, *steps: Step) -> Material:
    incident = material.incident
    for step in steps:
        incident = fold(incident, step(incident, material.now)) or incident
    return replace(material, incident=incident)


def point(topic: Topic, what: str, n: int | None = None) -> Step:
    return lambda incident, now: reviewing.write_point(incident, "paul", now, topic, what, n)


def close(stage: Stage) -> Step:
    return lambda incident, now: reviewing.close(incident, "awa", now, stage, parts_in_notes(incident.timeline))


def section(document: Document, name: str) -> list[object]:
    return list(next(one for one in document.sections if one.name == name).blocks)


def text_of(document: Document, name: str) -> str:
    parts = section(document, name)
    words = [part.words.text for part in parts if isinstance(part, Paragraph)]
    words += [item.text for part in parts if isinstance(part, Points) for item in part.items]
    return "\n".join(words)


def test_the_five_whys_are_read_one_after_the_other_each_with_its_author(stories: Stories) -> None:
    material = done(stories["link"](), point(Topic.WHY, "the fibre broke"), point(Topic.WHY, "roadworks"))
    found = text_of(rex(material, ENGLISH), "causes")
    assert "1. the fibre broke (paul)\n2. roadworks (paul)" in found
    assert "why" not in rex(material, ENGLISH).data["gaps"]


def test_points_stand_beside_what_notes_say(stories: Stories) -> None:
    material = done(
        stories["link"](), point(Topic.LESSON, "ask for the map of works"), point(Topic.BADLY, "the update was late")
    )
    found = text_of(rex(material, ENGLISH), "lessons")
    assert "ask for the map of works (paul)" in found
    assert "keep the FH on standby" in found
    assert "the update was late (paul)" in found


def test_the_action_plan_stands_in_the_review_and_says_what_is_late(stories: Stories) -> None:
    soon = timedelta(hours=1)
    material = done(
        stories["link"](),
        lambda i, now: crisis_cell.add_action(i, "paul", now, "map of works", "admin", now + soon),
        lambda i, now: crisis_cell.add_action(i, "paul", now, "second fibre", "OCM"),
        lambda i, now: crisis_cell.end_action(i, "paul", now, 2, ActionState.DONE, "ordered"),
    )
    for later, state in ((timedelta(), "to be done"), (2 * soon, "LATE, to be done")):
        document = rex(replace(material, now=material.now + later), ENGLISH)
        (table,) = [block for block in section(document, "actions") if isinstance(block, Table)]
        rows = [[cell.text for cell in row] for row in table.rows]
        assert rows[0] == ["map of works", "Administrateur SI", "18:43", state]
        assert rows[1] == ["second fibre", "OCM", "not documented", "done: ordered"]
        assert rows[2][0] == "activer le secours FH"


def test_a_review_says_which_version_it_is_and_when_the_next_is_due(stories: Stories) -> None:
    material = stories["link"]()
    assert "Working version: no review is closed yet.\nThe hot review is due on 2026-11-26.\n" in text_of(
        rex(material, ENGLISH), "versions"
    )
    hot = done(material, point(Topic.WHY, "a"), close(Stage.HOT))
    found = rex(hot, ENGLISH)
    assert text_of(found, "versions") == (
        "Hot review, closed on 2026-11-23 by awa.\nThe cold review is due on 2026-12-23."
    )
    assert "Hot review, closed on 2026-11-23 by awa." in found.status.text
    assert found.data["versions"][0]["stage"] == "hot"
    worked_on = text_of(rex(done(hot, point(Topic.WHY, "b")), ENGLISH), "versions")
    assert "It has been worked on since that version was closed." in worked_on


def test_one_that_is_overdue_stands_out(stories: Stories) -> None:
    material = stories["link"]()
    late = replace(material, now=material.now + timedelta(days=4))
    tones = [one.words.tone for one in section(rex(late, ENGLISH), "versions") if isinstance(one, Paragraph)]
    assert tones == [Tone.STRONG, Tone.BAD, Tone.PLAIN]


def test_what_interrupted_nobody_owes_no_review(stories: Stories) -> None:
    assert text_of(rex(stories["disk"](), ENGLISH), "versions") == "Working version: no review is closed yet."


def test_the_cold_review_shows_what_it_says_otherwise_than_the_hot_one(stories: Stories) -> None:
    material = done(
        stories["link"](),
        *(point(Topic.WHY, "the fibre broke"), point(Topic.LESSON, "none")),
        close(Stage.HOT),
        point(Topic.WHY, "roadworks cut the fibre", 1),
        lambda i, now: reviewing.drop_point(i, "awa", now, Topic.LESSON, 1),
        lambda i, now: note(i, "awa", now, "lesson: ask for the map"),
        close(Stage.COLD),
    )
    document = rex(material, ENGLISH)
    assert text_of(document, "versions") == "Cold review, closed on 2026-11-23 by awa."
    (table,) = [block for block in section(document, "versions") if isinstance(block, Table)]
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["changed", "Why no. 1", "the fibre broke", "roadworks cut the fibre"],
        ["added", "Lesson", "–", "ask for the map"],
        ["dropped", "Lesson 1", "none", "–"],
    ]


def test_a_cold_review_that_says_the_same_says_so(stories: Stories) -> None:
    document = rex(done(stories["link"](), close(Stage.HOT), close(Stage.COLD)), ENGLISH)
    assert "The cold review says what the hot one said." in text_of(document, "versions")


def test_a_closed_version_can_be_written_again_whatever_was_changed_since(stories: Stories) -> None:
    hot = done(stories["link"](), point(Topic.WHY, "a"), close(Stage.HOT))
    later = done(hot, point(Topic.WHY, "b", 1), point(Topic.LESSON, "c"), close(Stage.COLD))
    again = as_closed(later.incident, Stage.HOT)
    assert again == hot.incident
    assert as_closed(hot.incident, Stage.COLD) is None


@pytest.mark.parametrize("form", [Format.PDF, Format.HTML])
def test_it_is_written_in_every_language(
    stories: Stories, reader: Speech, form: Format, nasty: tuple[str, ...]
) -> None:
    words = [" ".join(text.split())[:400] for text in nasty]
    steps = [point(Topic.LESSON, text) for text in words if text.strip(". …")]
    material = done(stories["link"](), *steps, close(Stage.HOT), point(Topic.LESSON, words[0], 2), close(Stage.COLD))
    made = rendered(rex(material, reader), form)
    assert made.startswith(b"%PDF-1." if form is Format.PDF else b"<!DOCTYPE")
    assert b"<script>alert" not in made
