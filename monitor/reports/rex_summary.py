"""The head of a review: what it is about at a glance, three sentences for a tired reader, and what it meant."""

from __future__ import annotations

from alerts.service_words import title_in
from alerts.wording import SEVERITIES, wording
from monitor.core.incident import BLIND
from monitor.core.text import Text, say
from monitor.reports.document import Block, Facts, Paragraph, Section, Table, Tone, Words
from monitor.reports.milestones import (
    Measure,
    Outcome,
    interrupted_for,
    interruptions,
    is_live,
    is_real,
    measures,
    milestones,
)
from monitor.reports.pen import Pen
from monitor.reports.rex_moves import ending
from runbooks.run import RunState


def glance(pen: Pen) -> Facts:
    """Return what everybody looks for first."""
    incident, site = pen.material.incident, pen.material.site
    rows = [
        (say("Site"), pen.w(pen.name(site))),
        (say("Incident kind"), pen.w(say("{title} ({kind})", title=pen.title, kind=incident.kind))),
        (say("Severity"), pen.w(SEVERITIES[incident.worst])),
        (say("Root cause"), root(pen)),
        *_announced(pen),
        (say("When"), pen.w(when(pen))),
        (say("Client's service"), service(pen)),
        (say("Target"), target(pen)),
        (say("Cause"), pen.w(incident.cause)),
    ]
    return Facts(pen.t(say("The incident at a glance")), tuple((pen.t(label), words) for label, words in rows))


def _announced(pen: Pen) -> list[tuple[Text, Words]]:
    """The announced work that each episode belongs to; no row where none does, which nobody could document either."""
    names = dict.fromkeys(event.window for event in pen.material.incident.timeline if event.window)
    language = pen.context.speech.language
    shown = tuple(title_in(pen.material.works.get(name, {}), language, name) for name in names)
    return [(say("Announced maintenance"), pen.w(pen.names(shown)))] if shown else []


def root(pen: Pen) -> Words:
    """Return which check the incident comes from, and on which device it stands."""
    check = pen.material.incident.check
    if check is None:
        return pen.w(say("none was measured: a person opened this incident"))
    node = pen.material.nodes.get(check)
    return pen.w(str(check) if node is None or str(node) == check else say("{check} on {node}", check=check, node=node))


def when(pen: Pen) -> Text:
    """Return from when to when the incident lasted."""
    incident, speech = pen.material.incident, pen.context.speech
    values = {"date": speech.date(incident.began_at), "began": speech.clock(incident.began_at), "zone": pen.zone}
    length = pen.span(pen.material.end - incident.began_at)
    if incident.resolved_at is None:
        return say("{date}, since {began}, {zone}: {length} so far, still going on", **values, length=length)
    ended = pen.context.day_and_clock(incident.resolved_at)
    if ended == values["began"]:
        return say("{date}, at {began}, {zone}: {length}", **values, length=length)
    return say("{date}, from {began} to {ended}, {zone}: {length}", **values, ended=ended, length=length)


def service(pen: Pen) -> Words:
    """Return whether the client's service was interrupted, and for how long."""
    incident = pen.material.incident
    found = interruptions(incident)
    if not found:
        if incident.kind == BLIND:
            return pen.w(say("not known: nothing could be seen"))
        return pen.w(say("not interrupted"), Tone.GOOD)
    length = pen.span(interrupted_for(incident, pen.material.now))
    if found[-1].ended is None:
        return pen.w(say("interrupted, for {length} so far", length=length), Tone.BAD)
    return pen.w(say("interrupted for {length}", length=length), Tone.BAD)


def target(pen: Pen) -> Words:
    """Return whether the incident was resolved within the target of its kind."""
    return judged(pen, next(one for one in measures(pen.material) if one.name == "resolution"))


def judged(pen: Pen, measure: Measure) -> Words:
    """Return how a length of time compares with its target."""
    if measure.target is None:
        return pen.w(say("no target set"))
    length, excess = pen.span(measure.target), pen.span(measure.excess)
    match measure.outcome:
        case Outcome.MET:
            return pen.w(say("{length}, met", length=length), Tone.GOOD)
        case Outcome.EXCEEDED if measure.over:
            return pen.w(say("{length}, exceeded by {excess}", length=length, excess=excess), Tone.BAD)
        case Outcome.EXCEEDED:
            return pen.w(say("{length}, exceeded by {excess} so far", length=length, excess=excess), Tone.BAD)
        case Outcome.RUNNING:
            return pen.w(say("{length}, still within it", length=length))
        case _:
            return pen.w(say("{length}, not reached: it did not happen", length=length), Tone.BAD)


def summary(pen: Pen) -> Section:
    """Return the three sentences: what happened, what it meant for the client, how it ended."""
    text = " ".join(pen.t(sentence) for sentence in (_what(pen), _meaning(pen), _ending(pen)))
    return Section("summary", pen.t(say("Summary")), (Paragraph(Words(text, Tone.STRONG)),))


def _what(pen: Pen) -> Text:
    incident, speech = pen.material.incident, pen.context.speech
    values = {
        "title": pen.title,
        "date": speech.date(incident.began_at),
        "began": speech.clock(incident.began_at),
        "zone": pen.zone,
    }
    if incident.resolved_at is None:
        return say("{title}: since {began}, {zone}, on {date}, and still going on.", **values)
    ended, length = pen.context.day_and_clock(incident.resolved_at), pen.span(incident.resolved_at - incident.began_at)
    if ended == values["began"]:
        return say("{title}: at {began}, {zone}, on {date}; it lasted {length}.", **values, length=length)
    return say(
        "{title}: from {began} to {ended}, {zone}, on {date}; it lasted {length}.", **values, ended=ended, length=length
    )


def _meaning(pen: Pen) -> Text:
    incident, at = pen.material.incident, milestones(pen.material)
    if not interruptions(incident):
        if incident.kind == BLIND:
            return say("Whether the client's service was interrupted is not known; the client was not told.")
        return say("The client's service was not interrupted, so the client was not told.")
    impact = wording(incident.kind).impact
    length: Text | str = pen.span(interrupted_for(incident, pen.material.now))
    if interruptions(incident)[-1].ended is None:
        length = say("{length} so far", length=length)
    if not is_live(pen.material):
        return say(
            "The client's service was interrupted for {length} ({impact}); this was a rehearsal: the client was not "
            "told.",
            length=length,
            impact=impact,
        )
    if at.told_client is None:
        return say(
            "The client's service was interrupted for {length} ({impact}); no message reached the client.",
            length=length,
            impact=impact,
        )
    told = next(one for one in measures(pen.material) if one.name == "told_client")
    return say(
        "The client's service was interrupted for {length} ({impact}); the client was told {delay} after it was "
        "confirmed.",
        length=length,
        impact=impact,
        delay=pen.span(told.span or told.excess),
    )


def _ending(pen: Pen) -> Text:
    return say("{repair}; {target}.", repair=_repair(pen), target=_kept(pen))


def _repair(pen: Pen) -> Text:
    """What the last run or move came to: after a relapse, what repaired it the time before is no news."""
    runs = sorted((run for run in pen.material.runs if is_real(run)), key=lambda run: run.started_at)
    move = max(pen.material.moves, key=lambda one: one.started_at, default=None)
    if move is not None and not any(run.started_at > move.started_at for run in runs):
        return ending(pen, move)
    if not runs:
        return (
            say("No runbook is at work") if pen.material.incident.open else say("It ended without a runbook of Relève")
        )
    last = runs[-1]
    if last.state is RunState.WAITING:
        return say("The runbook {runbook} waits for a person's answer", runbook=last.runbook)
    if not last.state.over:
        return say("The runbook {runbook} is at work", runbook=last.runbook)
    if last.state is not RunState.SUCCEEDED:
        return say("The runbook {runbook} did not repair it", runbook=last.runbook)
    if len(runs) > 1:
        return say("The last of {count} runs of runbooks repaired it: {runbook}", count=len(runs), runbook=last.runbook)
    if last.attempt > 1:
        return say("The runbook {runbook} repaired it at attempt {n}", runbook=last.runbook, n=last.attempt)
    return say("The runbook {runbook} repaired it at once", runbook=last.runbook)


def _kept(pen: Pen) -> Text:
    measure = next(one for one in measures(pen.material) if one.name == "resolution")
    if measure.target is None:
        return say("no target is set for this kind of incident")
    length, excess = pen.span(measure.target), pen.span(measure.excess)
    match measure.outcome:
        case Outcome.MET:
            return say("the target of {length} was met", length=length)
        case Outcome.EXCEEDED if measure.over:
            return say("the target of {length} was exceeded by {excess}", length=length, excess=excess)
        case Outcome.EXCEEDED:
            return say("the target of {length} is exceeded by {excess} so far", length=length, excess=excess)
        case _:
            until = pen.at(pen.material.incident.began_at + measure.target)
            return say("the target of {length} runs until {until}", length=length, until=until)


def impact(pen: Pen) -> Section:
    """Return what the incident meant: for the client's service, and what else failed because of it."""
    incident = pen.material.incident
    found = interruptions(incident)
    blocks: list[Block] = []
    if found:
        text = say("The client's service was interrupted: {impact}.", impact=wording(incident.kind).impact)
        blocks += [pen.paragraph(text), _episodes(pen)]
    elif incident.kind == BLIND:
        blocks.append(pen.paragraph(say("Not known, because nothing could be seen during this incident.")))
    else:
        blocks.append(pen.paragraph(say("The client's service was not interrupted.")))
    blocks.append(pen.paragraph(_covered(pen)))
    return Section("impact", pen.t(say("Impact")), tuple(blocks))


def _episodes(pen: Pen) -> Table:
    rows = []
    for n, one in enumerate(interruptions(pen.material.incident), 1):
        ended = pen.w(say("still going on"), Tone.BAD) if one.ended is None else pen.exact(one.ended)
        length = pen.span((one.ended or pen.material.now) - one.began)
        rows.append((Words(str(n)), pen.exact(one.began), ended, Words(length)))
    head = tuple(pen.t(text) for text in (say("Interruption"), say("From"), say("To"), say("Duration")))
    return Table(pen.t(say("Interruptions of the client's service")), head, tuple(rows), (2, 3, 3, 3))


def _covered(pen: Pen) -> Text:
    names = tuple(str(check) for check in pen.material.incident.suppressed)
    if not names:
        return say("No other check failed because of it.")
    if len(names) == 1:
        return say("One more check failed because of it and was not told by itself: {names}.", names=names[0])
    return say(
        "{count} more checks failed because of it and were not told by themselves: {names}.",
        count=len(names),
        names=pen.names(names),
    )
