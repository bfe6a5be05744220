"""The parts of a message before they are laid out as text, HTML or SMS: sentences in the reader's language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from alerts.context import Context
from alerts.notice import Step
from alerts.wording import wording
from monitor.core.events import EventKind
from monitor.core.incident import Incident
from monitor.core.text import say

RED, ORANGE, GREEN, GREY = "#c62828", "#ef6c00", "#2e7d32", "#757575"
"""Readable on white as on black; the colour never says anything that the words do not."""

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """`what`, `impact` and `following` (when the next message comes) are what the first three lines are made of.

    `subject` begins with the reference. `facts`: label and value. `events`: time and words. `todo`: complete commands.
    `short`: the SMS, given the `title`, which is cut where it is too long.
    """

    subject: str
    title: str
    what: str
    impact: str
    following: str
    short: Callable[[str], str]
    facts: Facts
    colour: str = GREY
    remarks: tuple[str, ...] = ()
    events: Facts = ()
    todo: tuple[str, ...] = ()


def title_of(incident: Incident, context: Context) -> str:
    """Return what the incident's kind is called: by the inventory, else by us."""
    return context.title or context.t(wording(incident.kind).title)


def subject_of(incident: Incident, context: Context, title: str, step: Step) -> str:
    """Return the subject after `[Relève]`: the same for the whole incident, so that mail programs make a thread of it.

    Only the end differs, and what needs a person: whoever reads nothing but subjects must see it.
    """
    if step in (Step.PERSON_CALLED, Step.REMINDER):
        return context.t(say("{reference} {title}: a person is needed", reference=incident.id, title=title))
    if step is Step.UNACKNOWLEDGED:
        return context.t(say("{reference} {title}: nobody is on it any more", reference=incident.id, title=title))
    if step is Step.ESCALATED:
        return context.t(say("{reference} {title}: not acknowledged", reference=incident.id, title=title))
    if step is Step.OVERRUN:
        return context.t(say("{reference} {title}: maintenance overruns", reference=incident.id, title=title))
    if step is Step.RESOLVED:
        return context.t(say("{reference} {title}: resolved", reference=incident.id, title=title))
    return f"{incident.id} {title}"


def cause_of(incident: Incident, context: Context, stated: str) -> str:
    """Return the cause as somebody `stated` it, or that it is not known, with what it usually is."""
    if stated:
        return stated
    if context.work is not None:
        return context.t(say("announced maintenance"))
    usual = context.usual_cause or context.t(wording(incident.kind).cause)
    if usual:
        return context.t(say("not yet known (usual cause: {usual})", usual=usual))
    return context.t(say("not yet known"))


def episode_began(incident: Incident) -> datetime:
    """Return when the present episode began: the incident's first failure, or that of its last relapse."""
    for event in reversed(incident.timeline):
        if event.kind is EventKind.REOPENED:
            return event.began_at or event.at
    return incident.began_at


def told_over_at(incident: Incident) -> datetime | None:
    """Return when the episode before the present one ended; None in the first episode."""
    if incident.episode == 1:
        return None
    ends: datetime | None = None
    for event in incident.timeline:
        if event.kind is EventKind.RESOLVED:
            ends = event.at if event.at != incident.resolved_at else ends
    return ends
