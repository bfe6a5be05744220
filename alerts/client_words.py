"""What a client reads: the service, the impact, the times and a stated cause; no machine, no address, no raw output."""

from __future__ import annotations

from datetime import datetime

from alerts.context import Context
from alerts.notice import Planned, Step
from alerts.privacy import blanked
from alerts.sheet import GREEN, ORANGE, RED, Facts, Sheet, cause_of, episode_began, subject_of, title_of, told_over_at
from alerts.wording import wording
from monitor.core.incident import Incident
from monitor.core.text import Text, say
from monitor.core.verdict import Severity


def client_sheet(planned: Planned, incident: Incident, context: Context) -> Sheet:
    """Return the parts of a client's message."""
    title, step = title_of(incident, context), planned.key.step
    over = incident.resolved_at is not None
    return Sheet(
        subject=subject_of(incident, context, title, step),
        title=title,
        what=_what(step, incident, context, title),
        impact=_impact(incident, context),
        following=_following(incident, context),
        short=lambda shown: _short(incident, context, shown),
        facts=_facts(incident, context),
        colour=GREEN if over else ORANGE if _easing(incident) else RED,
        remarks=_remarks(incident, context),
    )


def _easing(incident: Incident) -> bool:
    return incident.recovered_at is not None or incident.severity is not Severity.CRITICAL


def _what(step: Step, incident: Incident, context: Context, title: str) -> str:
    began = context.at(interruption_began(incident))
    if incident.resolved_at is not None:
        ended = context.at(incident.resolved_at)
        if step is Step.RESOLVED:
            return context.t(say("Service restored: {title}, over since {ended}.", title=title, ended=ended))
        return context.t(
            say(
                "Service interruption, already over: {title}, from {began} to {ended}.",
                title=title,
                began=began,
                ended=ended,
            )
        )
    if incident.recovered_at is None and context.work is not None:
        return _announced(incident, context, title, began)
    if step is Step.FIRST_NOTICE:
        if incident.episode > 1:
            return context.t(say("Service interrupted again: {title}, since {began}.", title=title, began=began))
        return context.t(say("Service interruption: {title}, since {began}.", title=title, began=began))
    if incident.recovered_at is not None:
        return context.t(say("Recovery being verified: {title}, interruption since {began}.", title=title, began=began))
    if _easing(incident):
        return context.t(say("Improving, not yet over: {title}, since {began}.", title=title, began=began))
    if incident.flapping_at is not None:
        return context.t(say("Service unstable: {title}, it comes and goes since {began}.", title=title, began=began))
    return context.t(say("Service still interrupted: {title}, since {began}.", title=title, began=began))


def _announced(incident: Incident, context: Context, title: str, began: str) -> str:
    """That it is announced maintenance, and until when; nothing of what was written about it, which is ours."""
    until = None if context.work is None else context.work.until
    if until is None:
        return context.t(
            say("Announced maintenance: {title}, service interrupted since {began}.", title=title, began=began)
        )
    values = {"title": title, "began": began, "until": context.at(until)}
    if until <= context.now:
        return context.t(
            say(
                "Announced maintenance, longer than planned ({until}): {title}, service interrupted since {began}.",
                **values,
            )
        )
    return context.t(
        say("Announced maintenance, planned end {until}: {title}, service interrupted since {began}.", **values)
    )


def interruption_began(incident: Incident) -> datetime:
    """Return when the interruption of this episode began, as far as the client is concerned."""
    if incident.episode > 1:
        return episode_began(incident)
    return incident.disrupted_at or incident.began_at


def _impact(incident: Incident, context: Context) -> str:
    if incident.resolved_at is not None:
        length = context.span(incident.resolved_at - interruption_began(incident))
        return context.t(say("Impact: the service works again; it was interrupted for {length}.", length=length))
    if _easing(incident):
        return context.t(say("Impact: lessening; it is not yet certain that the service is fully restored."))
    if incident.flapping_at is not None:
        return context.t(say("Impact: it comes and goes: {impact}.", impact=wording(incident.kind).impact))
    return context.t(say("Impact: {impact}.", impact=wording(incident.kind).impact))


def _following(incident: Incident, context: Context) -> str:
    if incident.resolved_at is not None:
        return context.t(say("Next message: none, unless the interruption comes back."))
    if context.next_at is not None:
        at = context.at(context.next_at)
        return context.t(say("Next update: {at}, or as soon as the service is restored.", at=at))
    return context.t(say("Next message: as soon as the service is restored."))


def _facts(incident: Incident, context: Context) -> Facts:
    began, end = interruption_began(incident), incident.resolved_at or context.now
    rows = [
        (say("Cause:"), cause_of(incident, context, context.line(blanked(incident.cause, context.private)))),
        (say("What is being done:"), doing(incident, context)),
        (say("Reference:"), str(incident.id)),
        (say("Began:"), context.at(began)),
    ]
    if incident.resolved_at is not None:
        rows.append((say("Over:"), context.at(incident.resolved_at)))
    rows.append((say("Duration:"), context.span(end - began)))
    return tuple((context.t(label), value) for label, value in rows if value)


def doing(incident: Incident, context: Context) -> str:
    """Return what is being done about it, as the client reads it; empty once it is over."""
    if incident.resolved_at is not None:
        return ""
    if incident.recovered_at is not None:
        at = context.at(incident.recovered_at)
        return context.t(say("the repair is being verified since {at}", at=at))
    if incident.repair is not None and incident.being_repaired and not incident.awaits_answer:
        at = context.at(incident.repair.began_at)
        return context.t(say("an automatic repair has been under way since {at}", at=at))
    if context.work is not None:
        return context.t(say("the announced maintenance is being carried out"))
    if incident.acknowledged_at is not None:
        at = context.at(incident.acknowledged_at)
        return context.t(say("an administrator has been working on it since {at}", at=at))
    if context.alerted:
        at = context.at(incident.episode_at or incident.opened_at)
        return context.t(say("the technical team was alerted at {at}", at=at))
    return context.t(say("the incident is being looked into"))


def _remarks(incident: Incident, context: Context) -> tuple[str, ...]:
    ended = told_over_at(incident)
    if ended is None:
        return ()
    return (context.t(say("This interruption had been reported as over at {at}.", at=context.at(ended))),)


def _short(incident: Incident, context: Context, title: str) -> str:
    reference, began = str(incident.id), context.day_and_clock(interruption_began(incident))
    if incident.resolved_at is not None:
        ended = context.day_and_clock(incident.resolved_at)
        return context.t(
            say("{reference} {title}. Service restored: {ended}.", reference=reference, title=title, ended=ended)
        )
    if context.work is not None:
        return context.t(_short_announced(reference, title, began, context))
    if context.next_at is None:
        return context.t(
            say(
                "{reference} {title}. Service interrupted since {began}. Next message when it is restored.",
                reference=reference,
                title=title,
                began=began,
            )
        )
    return context.t(
        say(
            "{reference} {title}. Service interrupted since {began}. Next update {following}.",
            reference=reference,
            title=title,
            began=began,
            following=context.day_and_clock(context.next_at),
        )
    )


def _short_announced(reference: str, title: str, began: str, context: Context) -> Text:
    values = {"reference": reference, "title": title, "began": began}
    until = None if context.work is None else context.work.until
    if until is None or until <= context.now:
        return say("{reference} {title}. Announced maintenance, service interrupted since {began}.", **values)
    return say(
        "{reference} {title}. Announced maintenance, service interrupted since {began}, planned end {until}.",
        **values,
        until=context.day_and_clock(until),
    )
