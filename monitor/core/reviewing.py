"""What people do to a review: each function returns the next event of the incident, or refuses with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.core.crisis import Action
from monitor.core.crisis_cell import own_words
from monitor.core.events import Event, EventKind
from monitor.core.incident import Incident, Refused
from monitor.core.review import ACTION, CAUSE, Part, Stage, Topic, part_to_json
from monitor.core.text import Text, say

MOST_WHYS = 5
"""The method of the five whys asks five times (Ohno, Toyota Production System, 1988)."""
MOST = 100
"""Points on any other topic: more than anybody reads."""
WITHIN = {Stage.HOT: timedelta(days=3), Stage.COLD: timedelta(days=30)}
"""How long after the end of an interruption each review is due."""

SAID = {
    Topic.WHY: say("Why {n}: {what}"),
    Topic.FACTOR: say("Contributing factor {n}: {what}"),
    Topic.WELL: say("Went well {n}: {what}"),
    Topic.BADLY: say("Went badly {n}: {what}"),
    Topic.LESSON: say("Lesson {n}: {what}"),
}
"""How a point stands in the log."""
CLOSED = {Stage.HOT: say("The hot review is closed"), Stage.COLD: say("The cold review is closed")}


@dataclass(frozen=True, slots=True)
class Owed:
    """A review that is not closed yet, and when it is due."""

    stage: Stage
    due_at: datetime


def owed(incident: Incident) -> tuple[Owed, ...]:
    """Return the reviews that are owed: of what is over and interrupted the client's service, until they are closed.

    A relapse begins anew: what was closed before it was the review of another end. What went into another incident is
    reviewed with that.
    """
    if incident.resolved_at is None or incident.disrupted_at is None or incident.joined.into is not None:
        return ()
    return tuple(
        Owed(stage, incident.resolved_at + within)
        for stage, within in WITHIN.items()
        if incident.review.closed(stage, incident.episode) is None
    )


def write_point(incident: Incident, actor: str, now: datetime, topic: Topic, what: str, n: int | None = None) -> Event:
    """Return the event that `actor` writes a point on `topic`, or says number `n` of it in other words.

    Raises Refused for no words or too many, for a sixth why, and for a number that there is not.
    """
    what, review = own_words(what), incident.review
    if n is None:
        most = MOST_WHYS if topic is Topic.WHY else MOST
        if len(review.on(topic)) >= most:
            raise Refused(say("there are {most} of them already: change one with --n N, or drop one", most=most))
        n = review.next_number(topic)
    else:
        _must_stand(incident, topic, n)
    text = Text(SAID[topic].template, (("n", n), ("what", what)))
    return _event(incident, actor, now, text, {"topic": topic.value, "n": n, "what": what})


def drop_point(incident: Incident, actor: str, now: datetime, topic: Topic, n: int) -> Event:
    """Return the event that a point is none any more; the log keeps it. Raises Refused for one that there is not."""
    before = _must_stand(incident, topic, n)
    text = say("Dropped: {point}", point=Text(SAID[topic].template, (("n", n), ("what", before))))
    return _event(incident, actor, now, text, {"topic": topic.value, "n": n, "what": ""})


def close(incident: Incident, actor: str, now: datetime, stage: Stage, remarks: Iterable[Part] = ()) -> Event:
    """Return the event that `actor` closes the review of `stage`: what it says now is its version from then on.

    `remarks`: what notes say for the review. Raises Refused while the incident goes on, for a version that is closed
    already, for the cold one before the hot one, and where nobody wrote anything.
    """
    if incident.open:
        raise Refused(say("Incident {id} still goes on: its review comes after the end.", id=incident.id))
    review, episode = incident.review, incident.episode
    if review.closed(stage, episode) is not None:
        raise Refused(say("this review is closed already"))
    if stage is Stage.COLD and review.closed(Stage.HOT, episode) is None:
        command = f"releve incident review close {incident.id} hot"
        raise Refused(say("the hot review comes first: `{command}`", command=command))
    parts = parts_of(incident, remarks)
    if not parts:
        command = f'releve incident cause {incident.id} "..."'
        raise Refused(say("nobody has written anything for this review yet: `{command}` begins it", command=command))
    data = {"stage": stage.value, "episode": episode, "parts": [part_to_json(part) for part in parts]}
    return Event(incident.id, now, EventKind.REVIEW_CLOSED, actor, CLOSED[stage], data=data)


def parts_of(incident: Incident, remarks: Iterable[Part] = ()) -> tuple[Part, ...]:
    """Return what the review says at present: the cause, each point, the notes for it, the plan's actions."""
    cause = (Part(CAUSE, 0, incident.cause),) if incident.cause else ()
    points = (
        Part(point.topic.value, point.n, point.what, point.by) for topic in Topic for point in incident.review.on(topic)
    )
    actions = (Part(ACTION, action.n, _told(action), action.by) for action in incident.crisis.actions)
    return (*cause, *points, *remarks, *actions)


def _told(action: Action) -> str:
    """An action in one line without any language: what, who, until when, how far."""
    due = "" if action.due_at is None else action.due_at.isoformat(timespec="minutes")
    return "; ".join(part for part in (action.what, action.owner, due, action.state.value, action.result) if part)


def _must_stand(incident: Incident, topic: Topic, n: int) -> str:
    """What point `n` says."""
    found = next((point.what for point in incident.review.on(topic) if point.n == n), "")
    if not found:
        numbers = ", ".join(str(point.n) for point in incident.review.on(topic)) or "-"
        raise Refused(say("there is no number {n} of these; there are: {numbers}", n=n, numbers=numbers))
    return found


def _event(incident: Incident, actor: str, now: datetime, text: Text, data: dict[str, object]) -> Event:
    return Event(incident.id, now, EventKind.REVIEW_POINT, actor, text, data=data)
