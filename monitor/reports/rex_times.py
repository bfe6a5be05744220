"""When what happened, and how long it took against what was promised."""

from __future__ import annotations

from datetime import datetime

from monitor.core.text import Text, say
from monitor.reports.document import Section, Table, Tone, Words
from monitor.reports.milestones import Measure, Outcome, is_live, measures, milestones
from monitor.reports.pen import Pen

MEASURES = {
    "detection": say("Detection: from the first failing observation to the confirmation"),
    "told_client": say("First message to the client, after the interruption was confirmed"),
    "told_own": say("First message to operations, after the confirmation"),
    "acknowledged": say("Acknowledgement, after the confirmation"),
    "repair": say("Repair: from the beginning to the proof that it works again"),
    "resolution": say("Resolution: from the beginning to the end"),
    "interruption": say("Interruption of the client's service, all episodes together"),
}


def times(pen: Pen) -> Section:
    """Return the key moments and the lengths of time between them, judged."""
    return Section("times", pen.t(say("Key times")), (_moments(pen), _measures(pen)))


def _moments(pen: Pen) -> Table:
    rows = [_moment(pen, label, at, missing) for label, at, missing in in_order(_known(pen))]
    head = (pen.t(say("Moment")), pen.zone_head, pen.t(say("After the beginning")))
    return Table(pen.t(say("Key moments")), head, tuple(rows), (5, 4, 3))


_Moment = tuple[Text, datetime | None, Text]
"""What it is, when it was, and what stands there where it was not."""


def _known(pen: Pen) -> list[_Moment]:
    at, none = milestones(pen.material), say("not documented")
    found: list[_Moment] = [(say("Began: first failing observation"), at.began, none)]
    if at.disrupted is not None:
        found.append((say("Client's service interrupted"), at.disrupted, none))
    found.append((say("Detected and confirmed"), at.detected, none))
    found.append((say("First message to operations"), at.told_own, say("no message left")))
    if at.disrupted is not None:
        no_client = say("no message reached the client") if is_live(pen.material) else say("a rehearsal: not told")
        found.append((say("First message to the client"), at.told_client, no_client))
    not_yet = say("not yet") if pen.material.incident.open else none
    return [
        *found,
        (say("Acknowledged"), at.acknowledged, say("nobody acknowledged it")),
        (say("Repair started"), at.repair_started, say("no runbook was started")),
        (say("Repaired"), at.repaired, not_yet),
        (say("Resolved"), at.resolved, not_yet),
    ]


def in_order(moments: list[_Moment]) -> list[_Moment]:
    """Return the moments as they followed one another; what did not happen keeps its usual place."""
    happened = iter(sorted((one for one in moments if one[1] is not None), key=_time))
    return [one if one[1] is None else next(happened) for one in moments]


def _time(moment: _Moment) -> datetime:
    assert moment[1] is not None
    return moment[1]


def _moment(pen: Pen, label: Text, at: datetime | None, missing: Text) -> tuple[Words, ...]:
    if at is None:
        return pen.w(label), pen.gap(missing), Words("–")
    return pen.w(label), pen.exact(at), Words(pen.span(at - pen.material.incident.began_at))


def _measures(pen: Pen) -> Table:
    rows = tuple(_measure(pen, one) for one in measures(pen.material))
    head = tuple(pen.t(text) for text in (say("Duration of"), say("Measured"), say("Target"), say("Result")))
    return Table(pen.t(say("Durations against their targets")), head, rows, (6, 3, 3, 4))


def _measure(pen: Pen, one: Measure) -> tuple[Words, ...]:
    wanted = pen.w(say("no target set")) if one.target is None else Words(pen.span(one.target))
    return pen.w(MEASURES[one.name]), _measured(pen, one), wanted, result(pen, one)


def _measured(pen: Pen, one: Measure) -> Words:
    if one.span is None:
        return pen.gap(say("did not happen"))
    length = pen.span(one.span)
    return Words(length) if one.over else pen.w(say("{length} so far", length=length))


def result(pen: Pen, one: Measure) -> Words:
    """Return in a word or two how a length of time compares with its target."""
    match one.outcome:
        case Outcome.MET:
            return pen.w(say("met"), Tone.GOOD)
        case Outcome.EXCEEDED:
            return pen.w(say("exceeded by {excess}", excess=pen.span(one.excess)), Tone.BAD)
        case Outcome.RUNNING:
            return pen.w(say("still within it"))
        case Outcome.NO_TARGET:
            return pen.w(say("not judged"))
        case Outcome.NEVER:
            return pen.w(say("did not happen"), Tone.GAP if one.target is None else Tone.BAD)
