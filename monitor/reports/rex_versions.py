"""Which version of the review this is, and what the cold one says otherwise than the hot one."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.core.events import EventKind
from monitor.core.incident import Incident, replay
from monitor.core.review import ACTION, CAUSE, Change, Difference, Part, Stage, Topic, Version, differences
from monitor.core.reviewing import owed, parts_of
from monitor.core.text import Text, say
from monitor.reports.document import Block, Section, Table, Tone, Words
from monitor.reports.pen import Pen
from monitor.reports.review import parts_in_notes

MOST = 100
"""Differences that are shown."""
STAGES: Mapping[Stage, Text] = {Stage.HOT: say("hot review"), Stage.COLD: say("cold review")}
CHANGES: Mapping[Change, Text] = {
    Change.ADDED: say("added"),
    Change.CHANGED: say("changed"),
    Change.DROPPED: say("dropped"),
}
PARTS: Mapping[str, Text] = {
    CAUSE: say("Established cause"),
    ACTION: say("Action"),
    Topic.WHY.value: say("Why no."),
    Topic.FACTOR.value: say("Contributing factor"),
    Topic.WELL.value: say("Went well"),
    Topic.BADLY.value: say("Went badly"),
    Topic.LESSON.value: say("Lesson"),
}


def as_closed(incident: Incident, stage: Stage) -> Incident | None:
    """Return the incident as it stood when the latest review of `stage` was closed; None while there is none."""
    closings = [
        n
        for n, event in enumerate(incident.timeline)
        if event.kind is EventKind.REVIEW_CLOSED and event.data.get("stage") == stage.value
    ]
    if not closings:
        return None
    return replay(incident.timeline[: closings[-1] + 1])[incident.id]


def present(incident: Incident) -> tuple[Part, ...]:
    """Return what the review says now."""
    return parts_of(incident, parts_in_notes(incident.timeline))


def versions(pen: Pen) -> Section:
    """Return which version the document is, which are owed, and what differs from the version before."""
    incident = pen.material.incident
    blocks: list[Block] = [pen.paragraph(which(pen), Tone.STRONG)]
    latest = incident.review.versions[-1] if incident.review.versions else None
    if latest is not None and present(incident) != latest.parts:
        blocks.append(pen.paragraph(say("It has been worked on since that version was closed."), Tone.BAD))
    blocks += [
        pen.paragraph(
            say("The {review} is due on {date}.", review=STAGES[one.stage], date=pen.context.speech.date(one.due_at)),
            Tone.BAD if one.due_at < pen.material.now else Tone.PLAIN,
        )
        for one in owed(incident)
    ]
    hot = _before(incident, latest)
    if latest is not None and hot is not None:
        blocks.append(_compared(pen, hot, latest))
    return Section("versions", pen.t(say("Version of this review")), tuple(blocks))


def which(pen: Pen) -> Text:
    """Return which version the document is: the last that was closed, else one that people still work on."""
    closed = pen.material.incident.review.versions
    if not closed:
        return say("Working version: no review is closed yet.")
    last = closed[-1]
    values = {"date": pen.context.speech.date(last.at), "who": pen.who(last.by)}
    if last.stage is Stage.HOT:
        return say("Hot review, closed on {date} by {who}.", **values)
    return say("Cold review, closed on {date} by {who}.", **values)


def _before(incident: Incident, latest: Version | None) -> Version | None:
    """The hot version of the same end, where `latest` is a cold one."""
    if latest is None or latest.stage is not Stage.COLD:
        return None
    return incident.review.closed(Stage.HOT, latest.episode)


def _compared(pen: Pen, hot: Version, cold: Version) -> Block:
    found = differences(hot.parts, cold.parts)
    if not found:
        return pen.paragraph(say("The cold review says what the hot one said."))
    head = (say("Change"), say("Part"), say("In the hot review"), say("In the cold review"))
    rows = tuple(_row(pen, one) for one in found[:MOST])
    more = len(found) - MOST
    note = pen.t(say("Changes not shown: {count}.", count=more)) if more > 0 else ""
    title = pen.t(say("What the cold review says otherwise than the hot one"))
    return Table(title, tuple(pen.t(text) for text in head), rows, (3, 4, 8, 8), note)


def _row(pen: Pen, one: Difference) -> tuple[Words, ...]:
    part = PARTS.get(one.of, say("{name}", name=one.of))
    named = say("{part} {n}", part=part, n=one.n) if one.n else part
    before, after = (pen.w(words) if words else Words("–") for words in (one.before, one.after))
    return pen.w(CHANGES[one.change], Tone.STRONG), pen.w(named), before, after
