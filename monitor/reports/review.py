"""What people add to a review, out of the notes that they gave the incident.

A note that begins with one of these words and a colon belongs to that part of the review: `lesson: keep 200 GB free`.
The words are accepted in every language that Relève speaks, with or without accents. What follows `action:` is parted
by `;` into what is to be done, who does it, until when, and how far it is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from alerts.language import translation
from monitor.core.events import Event, EventKind
from monitor.core.text import LANGUAGES, N_, Text

LONGEST_LABEL = 40
"""Characters before the colon that are looked at."""


class Topic(StrEnum):
    """The parts of a review that only people can write; the value is the word that marks a note in English."""

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
    """A corrective action; empty where the note does not say it."""

    what: str
    owner: str = ""
    until: str = ""
    state: str = ""


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
