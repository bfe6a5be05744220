"""What happened, line by line: every event with who did it; checks that a cause covered are counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from alerts.internal_words import event_text
from monitor.core.events import Event, EventKind
from monitor.core.text import Text, say
from monitor.reports.document import Section, Table, Tone, Words
from monitor.reports.moved import story
from monitor.reports.pen import Pen

MOST = 60
"""Rows: two pages. Of a longer story the beginning and the end are shown."""
COUNTED = frozenset({EventKind.COVERED, EventKind.UNCOVERED})
KINDS = {
    EventKind.OPENED: say("Opening"),
    EventKind.REOPENED: say("Relapse"),
    EventKind.SEVERITY: say("Severity"),
    EventKind.DISRUPTED: say("Interruption"),
    EventKind.COVERED: say("Consequence"),
    EventKind.UNCOVERED: say("Verification"),
    EventKind.RECOVERED: say("Recovery"),
    EventKind.RELAPSED: say("Setback"),
    EventKind.ACKNOWLEDGED: say("Acknowledgement"),
    EventKind.UNACKNOWLEDGED: say("End of the acknowledgement"),
    EventKind.FLAPPING: say("Instability"),
    EventKind.STEADY: say("Stability"),
    EventKind.OVERRUN: say("Overrun"),
    EventKind.MERGED: say("Merged"),
    EventKind.ABSORBED: say("Merged"),
    EventKind.SPLIT: say("Split"),
    EventKind.GATHERED: say("Message about many"),
    EventKind.NOTE: say("Note"),
    EventKind.CAUSE: say("Cause"),
    EventKind.RESOLVED: say("End"),
    EventKind.REPAIR: say("Repair"),
    EventKind.REPAIR_ENDED: say("Repair"),
    EventKind.CALLED: say("Call for a person"),
    EventKind.MESSAGE: say("Message"),
    EventKind.DRAFTED: say("Draft"),
    EventKind.CRISIS_OPENED: say("Crisis cell"),
    EventKind.ROLE: say("Crisis cell"),
    EventKind.ACTION: say("Action"),
    EventKind.ACTION_ENDED: say("Action"),
    EventKind.DECISION: say("Decision"),
    EventKind.NEED: say("Need"),
    EventKind.NEED_MET: say("Need"),
    EventKind.ATTACHED: say("File"),
    EventKind.REVIEW_POINT: say("Review"),
    EventKind.REVIEW_CLOSED: say("Review"),
}

MOVE = say("Move")
"""The step of a line that a move of a group wrote."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row: a single event, or several alike that followed one another."""

    events: tuple[Event, ...]

    @property
    def first(self) -> Event:
        """The event that it begins with."""
        return self.events[0]


def timeline(pen: Pen) -> Section:
    """Return the story as a table."""
    lines = gathered(story(pen.material.incident, pen.material.moves))
    left_out = max(0, len(lines) - MOST)
    shown = lines if not left_out else [*lines[: MOST // 2], *lines[-(MOST // 2) :]]
    rows = [_row(pen, line) for line in shown]
    note = ""
    if left_out:
        events = sum(len(line.events) for line in lines[MOST // 2 : -(MOST // 2)])
        text = pen.t(say("Events not shown here: {count}", count=events))
        note = pen.t(say("{text}; all of them: {command}", text=text, command=_command(pen)))
        rows.insert(MOST // 2, (Words("…"), Words("…"), Words("…"), pen.w(text, Tone.GAP)))
    head = (
        pen.zone_head,
        *(pen.t(text) for text in (say("Who"), say("Step"), say("What"))),
    )
    title = pen.t(say("Timeline"))
    return Section("timeline", title, (Table(title, head, tuple(rows), (3, 4, 5, 14), note),))


def _command(pen: Pen) -> str:
    return f"releve incident show {pen.material.incident.id}"


def gathered(events: Iterable[Event]) -> list[Line]:
    """Return the rows: events of one counted kind that follow one another are one row."""
    found: list[list[Event]] = []
    for event in events:
        if found and event.kind in COUNTED and found[-1][0].kind is event.kind:
            found[-1].append(event)
        else:
            found.append([event])
    return [Line(tuple(group)) for group in found]


def _row(pen: Pen, line: Line) -> tuple[Words, ...]:
    event = line.first
    kind = MOVE if _tells_of_move(pen, event) else KINDS.get(event.kind)
    step = pen.w(kind if kind is not None else event.kind.value)
    return pen.exact(event.at), pen.w(pen.who(event.actor)), step, pen.w(_told(pen, line))


def _tells_of_move(pen: Pen, event: Event) -> bool:
    return event.kind is EventKind.NOTE and any(event.run == move.id for move in pen.material.moves)


def _told(pen: Pen, line: Line) -> Text | str:
    event, count = line.first, len(line.events)
    if count > 1:
        names = pen.names(tuple(str(each.check) for each in line.events))
        if event.kind is EventKind.COVERED:
            return say("{count} checks fail because of it, not told by themselves: {names}", count=count, names=names)
        return say("{count} checks are looked at again: {names}", count=count, names=names)
    text = pen.t(event_text(event) if event.text else event.text)
    if event.check is None or event.kind is EventKind.DISRUPTED or not text:
        return text
    if event.kind is EventKind.COVERED:
        return say(
            "{check}: {summary} (because of this, not told by itself)", check=pen.name(event.check), summary=text
        )
    return say("{check}: {summary}", check=pen.name(event.check), summary=text)
