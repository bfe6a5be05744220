"""What people add to a review, out of the notes that they gave the incident.

A note that begins with one of these words and a colon belongs to that part of the review: `lesson: keep 200 GB free`.
The words are accepted in every language that Relève speaks, with or without accents. What follows `action:` is parted
by `;` into what is to be done, who does it, until when, and how far it is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache

from alerts.language import translation
from monitor.core import review
from monitor.core.crisis import ActionState
from monitor.core.events import Event, EventKind
from monitor.core.incident import Incident
from monitor.core.review import Part
from monitor.core.text import LANGUAGES, N_, Text

LONGEST_LABEL = 40
"""Characters before the colon that are looked at."""


class Topic(StrEnum):
    """The parts of a review that only people can write; the value is the word that marks a note in English."""

    WHY = N_("why")
    FACTOR = N_("factor")
    WENT_WELL = N_("went well")
    TO_IMPROVE = N_("to improve")
    LESSON = N_("lesson")
    ACTION = N_("action")


@dataclass(frozen=True, slots=True)
class Remark:
    """What `actor` wrote on one topic, without the word that marks it."""

    text: str
    actor: str


@dataclass(frozen=True, slots=True)
class Action:
    """A corrective action; empty where the note does not say it. `due_at`, `progress`: of one of the action plan."""

    what: str
    owner: str = ""
    until: str = ""
    state: str = ""
    due_at: datetime | None = None
    progress: ActionState | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """Everything that people wrote for the review, in the order in which they wrote it."""

    remarks: dict[Topic, tuple[Remark, ...]] = field(default_factory=dict)
    actions: tuple[Action, ...] = ()

    def on(self, topic: Topic) -> tuple[Remark, ...]:
        """Return what was written on one topic."""
        return self.remarks.get(topic, ())


def review_of(timeline: Iterable[Event]) -> Review:
    """Return what the notes in `timeline` say for the review; other notes are no part of it."""
    remarks: dict[Topic, list[Remark]] = {}
    for event in timeline:
        if event.kind is not EventKind.NOTE:
            continue
        label, colon, words = _words(event.text).partition(":")
        topic = topics().get(_letters(label)) if colon and len(label) <= LONGEST_LABEL else None
        if topic is not None and words.strip():
            remarks.setdefault(topic, []).append(Remark(words.strip(), event.actor))
    actions = tuple(_action(remark.text) for remark in remarks.pop(Topic.ACTION, []))
    return Review({topic: tuple(found) for topic, found in remarks.items()}, actions)


def whole_review(incident: Incident) -> Review:
    """Return what people wrote for the review: as points and in notes; the action plan before actions in notes."""
    noted = review_of(incident.timeline)
    remarks = {
        topic: tuple(Remark(point.what, point.by) for point in incident.review.on(of)) + noted.on(topic)
        for topic, of in POINTS.items()
    }
    plan = tuple(
        Action(one.what, one.owner, state=one.result, due_at=one.due_at, progress=one.state)
        for one in incident.crisis.actions
    )
    return Review({topic: found for topic, found in remarks.items() if found}, plan + noted.actions)


POINTS = {
    Topic.WHY: review.Topic.WHY,
    Topic.FACTOR: review.Topic.FACTOR,
    Topic.WENT_WELL: review.Topic.WELL,
    Topic.TO_IMPROVE: review.Topic.BADLY,
    Topic.LESSON: review.Topic.LESSON,
}
"""Which points of the review stand in which part of the document."""


def parts_in_notes(timeline: Iterable[Event]) -> tuple[Part, ...]:
    """Return what the notes say for the review, as parts of a version of it."""
    parts = []
    for event in timeline:
        label, colon, words = _words(event.text).partition(":")
        topic = topics().get(_letters(label)) if colon and len(label) <= LONGEST_LABEL else None
        if event.kind is EventKind.NOTE and topic is not None and words.strip():
            of = review.ACTION if topic is Topic.ACTION else POINTS[topic].value
            parts.append(Part(of, 0, words.strip(), event.actor))
    return tuple(parts)


@cache
def topics() -> dict[str, Topic]:
    """Return the words that mark a note, in every language, as `_letters` compares them."""
    return {_letters(translation(language)(topic.value)): topic for language in LANGUAGES for topic in Topic}


def _words(text: Text) -> str:
    """A note is kept as its writer's own words."""
    return str(dict(text.values).get("verbatim", ""))


def _letters(text: str) -> str:
    """Small letters without accents, one blank between two words."""
    parts = unicodedata.normalize("NFD", text.casefold())
    return " ".join("".join(part for part in parts if not unicodedata.combining(part)).split())


def _action(text: str) -> Action:
    what, owner, until, state, *_rest = [*(part.strip() for part in text.split(";", 3)), "", "", "", ""]
    return Action(what, owner, until, state)
