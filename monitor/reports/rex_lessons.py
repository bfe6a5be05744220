"""What is to be learnt: causes, what went well and what did not, actions, and who still has to write which part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from alerts.notice import Audience, NoticeState, Step
from monitor.core.crisis import ActionState
from monitor.core.events import EventKind
from monitor.core.text import Text, say
from monitor.reports.document import Block, Facts, Heading, Paragraph, Points, Section, Table, Tone, Words
from monitor.reports.milestones import Outcome, is_late, is_live, is_real, lateness, measures
from monitor.reports.pen import Pen
from monitor.reports.review import Action, Review, Topic
from monitor.reports.rex_summary import root
from runbooks.run import RunState

MOST_REMARKS = 20
MOST_PEOPLE = 30


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that only people can say and that nobody has said: `command` is what writes it down."""

    name: str
    what: Text
    command: str


def gaps(pen: Pen, review: Review) -> tuple[Gap, ...]:
    """Return what is still to be written, in the order of the document."""
    incident = pen.material.incident
    found = []
    if not incident.cause:
        found.append(Gap("cause", say("Established cause"), f'releve incident cause {incident.id} "…"'))
    for topic, what in TOPICS.items():
        written = review.actions if topic is Topic.ACTION else review.on(topic)
        if not written:
            found.append(Gap(topic.value, what, _written_by(pen, topic)))
    return tuple(found)


TOPICS = {
    Topic.WHY: say("The five whys"),
    Topic.FACTOR: say("Contributing factors"),
    Topic.WENT_WELL: say("What went well"),
    Topic.TO_IMPROVE: say("What is to be improved"),
    Topic.LESSON: say("Lessons"),
    Topic.ACTION: say("Corrective actions"),
}


COMMANDS = {
    Topic.WHY: "why",
    Topic.FACTOR: "factor",
    Topic.WENT_WELL: "well",
    Topic.TO_IMPROVE: "badly",
    Topic.LESSON: "lesson",
}
"""The command of `releve incident review` that writes it down."""


def _written_by(pen: Pen, topic: Topic) -> str:
    incident = pen.material.incident.id
    if topic is Topic.ACTION:
        return f'releve incident action add {incident} "…" --owner "…" --due "…"'
    return f'releve incident review {COMMANDS[topic]} {incident} "…"'


def causes(pen: Pen, review: Review) -> Section:
    """Return the cause as it was measured, as a person established it, and as it usually is."""
    incident = pen.material.incident
    first = incident.timeline[0].text if incident.timeline else incident.title
    rows = [
        (say("Root cause, as measured"), root(pen)),
        (say("What it said first"), pen.w(first)),
        (say("Established cause"), _established(pen)),
        (say("Usual cause of this kind"), pen.w(pen.usual_cause) if pen.usual_cause else pen.w(say("none known"))),
    ]
    facts = Facts(pen.t(say("Causes")), tuple((pen.t(label), words) for label, words in rows))
    factors = Heading(pen.t(TOPICS[Topic.FACTOR]))
    whys = (Heading(pen.t(TOPICS[Topic.WHY])), _whys(pen, review))
    return Section(
        "causes", pen.t(say("Root cause and causes")), (facts, *whys, factors, _remarks(pen, review, Topic.FACTOR))
    )


def _whys(pen: Pen, review: Review) -> Block:
    """Each why with its number: they are read one after the other."""
    items = [
        pen.w(say("{n}. {text} ({who})", n=n, text=one.text, who=pen.who(one.actor)))
        for n, one in enumerate(review.on(Topic.WHY)[:MOST_REMARKS], 1)
    ]
    return Points(tuple(items)) if items else Paragraph(pen.gap())


def _established(pen: Pen) -> Words:
    incident = pen.material.incident
    stated = [event for event in incident.timeline if event.kind is EventKind.CAUSE]
    if not incident.cause or not stated:
        return pen.w(incident.cause)
    last = stated[-1]
    return pen.w(say("{cause} ({who}, {at})", cause=incident.cause, who=pen.who(last.actor), at=pen.at(last.at)))


def _remarks(pen: Pen, review: Review, topic: Topic, found: tuple[Words, ...] = ()) -> Block:
    """What Relève `found` by itself and what people wrote; that nobody wrote anything is said."""
    written = review.on(topic)
    items = [pen.w(say("{text} ({who})", text=one.text, who=pen.who(one.actor))) for one in written[:MOST_REMARKS]]
    if len(written) > MOST_REMARKS:
        items.append(pen.w(say("and {count} more, in the timeline", count=len(written) - MOST_REMARKS)))
    if items:
        return Points((*found, *items))
    if found:
        return Points((*found, pen.gap(say("By people: not documented"))))
    return Paragraph(pen.gap())


def lessons(pen: Pen, review: Review) -> Section:
    """Return what went well, what did not, and what was learnt."""
    blocks: list[Block] = []
    for topic, found in ((Topic.WENT_WELL, tuple(_well(pen))), (Topic.TO_IMPROVE, tuple(_badly(pen)))):
        blocks += [Heading(pen.t(TOPICS[topic])), _remarks(pen, review, topic, tuple(pen.w(text) for text in found))]
    blocks += [Heading(pen.t(TOPICS[Topic.LESSON])), _remarks(pen, review, Topic.LESSON)]
    return Section("lessons", pen.t(say("What is to be learnt")), tuple(blocks))


def _well(pen: Pen) -> Iterator[Text]:
    """What Relève can say by itself: only what its own record proves."""
    material, incident = pen.material, pen.material.incident
    by_name = {one.name: one for one in measures(material)}
    yield say(
        "Seen by monitoring and confirmed after {length}", length=pen.span(incident.opened_at - incident.began_at)
    )
    resolution = by_name["resolution"]
    if resolution.outcome is Outcome.MET and resolution.target is not None:
        yield say("The target of {length} was met", length=pen.span(resolution.target))
    sent = [n for n in material.notices if n.state is NoticeState.SENT]
    if sent and len(sent) == len(material.notices) and not any(is_late(n, material.now) for n in sent):
        yield say("Every message left in time and was accepted: {count}", count=len(sent))
    for run in material.runs:
        if is_real(run) and run.state is RunState.SUCCEEDED:
            yield say("The runbook {runbook} repaired it, and a new look at the check proves it", runbook=run.runbook)


def _badly(pen: Pen) -> Iterator[Text]:
    material, now = pen.material, pen.material.now
    for one in measures(material):
        if one.name == "resolution" and one.target is not None and one.outcome in (Outcome.EXCEEDED, Outcome.NEVER):
            yield say(
                "The target of {length} was exceeded by {excess}",
                length=pen.span(one.target),
                excess=pen.span(one.excess),
            )
        if one.name == "acknowledged" and one.outcome is Outcome.NEVER:
            yield say("Nobody acknowledged the incident")
    lapses = sum(event.kind is EventKind.UNACKNOWLEDGED for event in material.incident.timeline)
    if lapses:
        yield say("Acknowledgements that ended before the incident did: {count}", count=lapses)
    late = [n for n in material.notices if is_late(n, now)]
    if late:
        worst = pen.span(max(lateness(n, now) for n in late))
        yield say("Messages late: {count}, by {worst} at most", count=len(late), worst=worst)
    lost = [n for n in material.notices if n.state in (NoticeState.DEAD, NoticeState.SKIPPED)]
    if lost:
        yield say("Messages never sent: {count}", count=len(lost))
    for run in material.runs:
        yield from _trouble(run.runbook, run.attempt, run.state, real=is_real(run))
    if not is_live(material):
        yield say("The protocol was not live: the client would not have been told")


def _trouble(runbook: str, attempts: int, state: RunState, *, real: bool) -> Iterator[Text]:
    if not real:
        return
    if state is RunState.SUCCEEDED and attempts > 1:
        yield say("The runbook {runbook} needed {count} attempts", runbook=runbook, count=attempts)
    if state in (RunState.FAILED, RunState.REFUSED, RunState.STOPPED):
        yield say("The runbook {runbook} did not repair it (attempts: {count})", runbook=runbook, count=attempts)


def actions(pen: Pen, review: Review) -> Section:
    """Return the corrective actions with who does them until when; one line of gaps where there are none."""
    head = (say("Action"), say("Owner"), say("Due date"), say("State"))
    rows = [_action(pen, one) for one in review.actions[:MOST_REMARKS]]
    left_out = len(review.actions) - MOST_REMARKS
    note = pen.t(say("and {count} more, in the timeline", count=left_out)) if left_out > 0 else ""
    title = pen.t(TOPICS[Topic.ACTION])
    table = Table(title, tuple(pen.t(text) for text in head), tuple(rows) or ((pen.gap(),) * 4,), (8, 4, 3, 3), note)
    return Section("actions", title, (table,))


STATES = {ActionState.OPEN: say("to be done"), ActionState.DONE: say("done"), ActionState.DROPPED: say("dropped")}
"""How far an action of the plan is."""


def _action(pen: Pen, one: Action) -> tuple[Words, ...]:
    if one.progress is None:
        return pen.w(one.what), pen.w(one.owner), pen.w(one.until), pen.w(one.state)
    due = pen.gap() if one.due_at is None else pen.w(pen.context.day_and_clock(one.due_at))
    late = one.progress is ActionState.OPEN and one.due_at is not None and one.due_at < pen.material.now
    state = say("LATE, to be done") if late else STATES[one.progress]
    state = say("{state}: {result}", state=state, result=one.state) if one.state else state
    owner = pen.w(pen.contact(one.owner)) if one.owner else pen.gap()
    return pen.w(one.what), owner, due, pen.w(state, Tone.BAD if late else Tone.PLAIN)


def people(pen: Pen, missing: tuple[Gap, ...]) -> Section:
    """Return who was told, and who still has to write what."""
    blocks: list[Block] = [Heading(pen.t(say("Who was told"))), _told(pen), Heading(pen.t(say("Still to be written")))]
    blocks.append(
        _to_complete(pen, missing) if missing else pen.paragraph(say("Nothing: every part is documented."), Tone.GOOD)
    )
    return Section("people", pen.t(say("People")), tuple(blocks))


def _told(pen: Pen) -> Block:
    accepted: dict[str, list[datetime]] = {}
    for notice in pen.material.notices:
        if notice.state is NoticeState.SENT and notice.sent_at is not None and notice.key.step is not Step.TEST:
            accepted.setdefault(notice.key.recipient, []).append(notice.sent_at)
    if not accepted:
        return pen.paragraph(say("Nobody: no message was accepted."), Tone.BAD)
    rows = [
        (pen.w(pen.contact(name)), Words(str(len(times))), pen.exact(min(times)), pen.exact(max(times)))
        for name, times in sorted(accepted.items(), key=lambda item: min(item[1]))
    ]
    head = (say("Person"), say("Messages accepted"), say("First"), say("Last"))
    left_out = len(rows) - MOST_PEOPLE
    note = pen.t(say("People not shown: {count}.", count=left_out)) if left_out > 0 else ""
    title = pen.t(say("Who was told"))
    return Table(title, tuple(pen.t(text) for text in head), tuple(rows[:MOST_PEOPLE]), (6, 3, 3, 3), note)


def _to_complete(pen: Pen, missing: tuple[Gap, ...]) -> Table:
    by = writers(pen)
    rows = tuple((pen.w(gap.what), by, pen.w(gap.command, Tone.CODE)) for gap in missing)
    head = (say("What"), say("By whom"), say("How"))
    return Table(pen.t(say("Still to be written")), tuple(pen.t(text) for text in head), rows, (4, 4, 9))


def writers(pen: Pen) -> Words:
    """Return who knows enough to write it: whoever acted on the incident, else whom operations' messages go to."""
    incident, material = pen.material.incident, pen.material
    acted = [event.actor for event in incident.timeline if pen.who(event.actor) != pen.who("")]
    names = tuple(dict.fromkeys(pen.who(actor) for actor in acted))
    if not names and material.protocol is not None:
        names = tuple(pen.contact(name) for name in material.protocol.operations)
    if not names:
        told = (n.key.recipient for n in material.notices if n.key.audience is Audience.INTERNAL)
        names = tuple(dict.fromkeys(pen.contact(name) for name in told))
    return pen.w(pen.names(names)) if names else pen.gap()
