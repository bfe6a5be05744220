"""What people write for the review of an incident, and the versions of it that they have closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from monitor.core.events import Event, EventKind

REVIEW_KINDS = frozenset({EventKind.REVIEW_POINT, EventKind.REVIEW_CLOSED})
"""What is folded here."""


class Topic(StrEnum):
    """What a point of the review is about. The names are stored: add, do not rename."""

    WHY = "why"
    """One of the five whys: each answers the question that the one before it leaves."""
    FACTOR = "factor"
    WELL = "well"
    BADLY = "badly"
    LESSON = "lesson"


class Stage(StrEnum):
    """Which review: soon after the end, or with some distance. The names are stored: add, do not rename."""

    HOT = "hot"
    COLD = "cold"


@dataclass(frozen=True, slots=True)
class Point:
    """One sentence by the actor `by`; `n`: its number in its topic, from 1, never given twice. Empty: dropped."""

    topic: Topic
    n: int
    what: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Part:
    """One part of what a version says: `of` is a topic, `cause` or `action`; `n` 0 for what has no number."""

    of: str
    n: int
    what: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """The review as `by` closed it, in words that never change; of the `episode` that had ended then."""

    stage: Stage
    episode: int
    at: datetime
    by: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Review:
    """Every point that was ever written, dropped ones with no words, and every closed version, oldest first."""

    points: tuple[Point, ...] = ()
    versions: tuple[Version, ...] = ()

    def on(self, topic: Topic) -> tuple[Point, ...]:
        """Return what stands on one topic, in the order of the numbers."""
        return tuple(point for point in self.points if point.topic is topic and point.what)

    def next_number(self, topic: Topic) -> int:
        """Return the number of the next point on `topic`."""
        return max((point.n for point in self.points if point.topic is topic), default=0) + 1

    def closed(self, stage: Stage, episode: int) -> Version | None:
        """Return the version of that stage of the review after that episode; None while it is not closed."""
        found = (one for one in self.versions if (one.stage, one.episode) == (stage, episode))
        return next(found, None)


NOT_REVIEWED = Review()


def fold(review: Review, event: Event) -> Review:
    """Return `review` after `event`; what makes no sense of it is left out."""
    if event.kind is EventKind.REVIEW_POINT:
        point = _point(event)
        return review if point is None else replace(review, points=_with(review.points, point))
    if event.kind is EventKind.REVIEW_CLOSED:
        version = _version(event)
        if version is None or review.closed(version.stage, version.episode) is not None:
            return review
        return replace(review, versions=(*review.versions, version))
    return review


def _point(event: Event) -> Point | None:
    data = event.data
    topic, n = next((one for one in Topic if one.value == data.get("topic")), None), data.get("n")
    if topic is None or not isinstance(n, int) or n < 1:
        return None
    return Point(topic, n, str(data.get("what", "")), event.actor, event.at)


def _with(points: tuple[Point, ...], point: Point) -> tuple[Point, ...]:
    """With `point` in the place of the one of its number, else after the others."""
    if any((one.topic, one.n) == (point.topic, point.n) for one in points):
        return tuple(point if (one.topic, one.n) == (point.topic, point.n) else one for one in points)
    return (*points, point)


def _version(event: Event) -> Version | None:
    data = event.data
    stage, episode = next((one for one in Stage if one.value == data.get("stage")), None), data.get("episode")
    parts = data.get("parts")
    if stage is None or not isinstance(episode, int) or not isinstance(parts, list):
        return None
    return Version(stage, episode, event.at, event.actor, tuple(_parts(parts)))


def _parts(written: list[Any]) -> Iterable[Part]:
    for one in written:
        if isinstance(one, Mapping) and isinstance(one.get("n"), int):
            yield Part(str(one.get("of", "")), one["n"], str(one.get("what", "")), str(one.get("by", "")))


def part_to_json(part: Part) -> dict[str, Any]:
    """Return one part of a version as JSON-ready data, as the event that closes it holds it."""
    return {"of": part.of, "n": part.n, "what": part.what} | ({"by": part.by} if part.by else {})


class Change(StrEnum):
    """What became of a part from one version to the next."""

    ADDED = "added"
    CHANGED = "changed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Difference:
    """One part that differs: what it said `before` (empty: not there yet) and `after` (empty: not there any more)."""

    change: Change
    of: str
    n: int
    before: str
    after: str


def differences(before: Iterable[Part], after: Iterable[Part]) -> tuple[Difference, ...]:
    """Return what was added, changed or dropped: in the order of `after`, then what is gone.

    Parts are the same by what they are of and their number; those without a number by their words as well.
    """
    old, new = _by_name(before), _by_name(after)
    found = [
        Difference(Change.CHANGED if name in old else Change.ADDED, part.of, part.n, _said(old.get(name)), part.what)
        for name, part in new.items()
        if name not in old or old[name].what != part.what
    ]
    gone = [Difference(Change.DROPPED, part.of, part.n, part.what, "") for name, part in old.items() if name not in new]
    return (*found, *gone)


def _by_name(parts: Iterable[Part]) -> dict[tuple[str, int, str], Part]:
    return {(part.of, part.n, "" if part.n or part.of == CAUSE else part.what): part for part in parts}


def _said(part: Part | None) -> str:
    return "" if part is None else part.what


CAUSE, ACTION = "cause", "action"
"""What a part is of that is no point of the review: the cause, of which there is one, and an action of the plan."""
