"""What became of a message, in words: a missed deadline is read, never only seen by its colour."""

from __future__ import annotations

from collections.abc import Mapping

from alerts.notice import Step
from monitor.core.text import Text, say
from monitor.reports.proof import Line, Standing, Why
from monitor.reports.rex_told import STEPS

STANDINGS: Mapping[Standing, Text] = {
    Standing.ON_TIME: say("on time"),
    Standing.LATE: say("late"),
    Standing.WAITING: say("not due to have left yet"),
    Standing.OVERDUE: say("overdue, not sent yet"),
    Standing.MISSED: say("missed, never sent"),
    Standing.REFUSED: say("refused, never sent"),
    Standing.ABSENT: say("missing: it never came into being"),
}
REASONS: Mapping[Why, Text] = {
    Why.OUT: say("Relève was not running"),
    Why.CLOCK: say("the machine's clock could not be trusted"),
    Why.NO_WAY: say("no way led to the recipient"),
    Why.OVER: say("it was over before it could be sent"),
    Why.UNKNOWN: say("no reason on record"),
}


def message_of(line: Line) -> Text:
    """Return which message it is: `update no. 2`."""
    step = STEPS.get(line.key.step, say("{name}", name=line.key.step.value))
    return say("{step} no. {n}", step=step, n=line.key.n) if line.key.step is Step.UPDATE else step


def fate_of(line: Line) -> Text:
    """Return what became of it, with how late it was."""
    if line.standing is Standing.LATE:
        return say("late by {span}", span=line.late)
    if line.standing is Standing.OVERDUE:
        return say("overdue by {span}, not sent yet", span=line.late)
    return STANDINGS[line.standing]


def reason_of(line: Line) -> Text:
    """Return why the deadline was missed; empty where none was."""
    if line.why is None:
        return Text("")
    if line.notice is not None and line.why is Why.TRIED:
        return say("accepted at attempt {n}", n=line.notice.attempts)
    if line.notice is not None and line.why in (Why.ANSWER, Why.NO_WAY) and line.notice.answer:
        return say("{answer}", answer=line.notice.answer)
    return REASONS.get(line.why, REASONS[Why.UNKNOWN])
