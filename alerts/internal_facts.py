"""The facts of a message to our own people: each a label and a value, in the order in which they are looked for."""

from __future__ import annotations

from alerts.context import Context, person
from alerts.in_charge import lost
from alerts.sheet import Facts, cause_of
from alerts.wording import SEVERITIES
from monitor.core.incident import Incident
from monitor.core.text import say

MOST_NAMES = 10
"""Suppressed checks that are named; the others are counted."""


def internal_facts(incident: Incident, context: Context) -> Facts:
    """Return label and value of everything that is known of the incident, what is unknown left out."""
    end = incident.resolved_at or context.now
    rows = [
        (say("Cause:"), cause_of(incident, context, context.line(incident.cause))),
        (say("What is being done:"), doing(incident, context)),
        (say("Repair:"), _repaired(incident, context)),
        (say("Reference:"), str(incident.id)),
        (say("Root cause:"), _root(incident, context)),
        (say("Incident kind:"), incident.kind),
        (say("Severity:"), context.t(SEVERITIES[incident.severity])),
        (say("Announced maintenance:"), _announced_work(incident, context)),
        (say("Suppressed checks:"), _suppressed(incident, context)),
        (say("Began:"), context.at(incident.began_at)),
        (say("Confirmed:"), context.at(incident.opened_at)),
        (say("Over:"), "" if incident.resolved_at is None else context.at(incident.resolved_at)),
        (say("Duration:"), context.span(end - incident.began_at)),
        (say("Target:"), _target(incident, context)),
        (say("Details:"), context.url),
    ]
    return tuple((context.t(label), value) for label, value in rows if value)


def doing(incident: Incident, context: Context) -> str:
    """Return what is being done about the incident, or that nobody is on it; empty once it is over."""
    if incident.resolved_at is not None:
        return ""
    if incident.awaits_answer:
        asked_at = context.at(incident.calls[-1].at)
        return context.t(say("the automatic repair has waited for a person's answer since {at}", at=asked_at))
    if incident.repair is not None and incident.being_repaired:
        at, what = context.at(incident.repair.at), context.line(incident.repair.text)
        return context.t(say("automatic repair: {what} ({at})", what=what, at=at))
    if incident.recovered_at is not None:
        at = context.at(incident.recovered_at)
        return context.t(say("the root cause is gone, what lay behind it is being verified since {at}", at=at))
    if incident.acknowledged_at is not None:
        return _in_charge(incident, context)
    if lost(incident) is not None:
        return context.t(say("nobody is on it any more"))
    if context.runbook and incident.repair is None and incident.check is not None:
        return context.t(
            say("the runbook {runbook} is there for this; nobody has acknowledged it yet", runbook=context.runbook)
        )
    return context.t(say("nobody has acknowledged it yet"))


def _in_charge(incident: Incident, context: Context) -> str:
    """Who is on it, since when, and until when where that was said."""
    who, until = person(incident.acknowledged_by, context.people), incident.acknowledged_until
    at = context.at(incident.acknowledged_at or incident.opened_at)
    if until is None:
        return context.t(say("{who} has been working on it since {at}", who=who, at=at))
    end = context.day_and_clock(until)
    return context.t(say("{who} is on it until {until} (since {at})", who=who, until=end, at=at))


def _announced_work(incident: Incident, context: Context) -> str:
    """What the incident was announced as and when that is to end; empty for no announced work."""
    work = context.work
    if work is None:
        return ""
    if work.until is None or not incident.open:
        return work.title
    until = context.at(work.until)
    if work.until <= context.now:
        return context.t(say("{title}; its planned end, {until}, has passed", title=work.title, until=until))
    return context.t(say("{title}, planned end: {until}", title=work.title, until=until))


def _repaired(incident: Incident, context: Context) -> str:
    """How the last repair ended, once all is over."""
    if incident.resolved_at is None or incident.repair is None or incident.being_repaired:
        return ""
    return context.t(
        say("{what} ({detail})", what=context.line(incident.repair.text), detail=context.at(incident.repair.at))
    )


def _root(incident: Incident, context: Context) -> str:
    if incident.check is None:
        return context.t(say("none was measured: a person opened this incident"))
    if context.node and context.node != incident.check:
        return context.t(say("{check} on {node}", check=incident.check, node=context.node))
    return str(incident.check)


def _suppressed(incident: Incident, context: Context) -> str:
    count = len(incident.suppressed)
    if not count:
        return ""
    names = ", ".join(incident.suppressed[:MOST_NAMES]) + (", ..." if count > MOST_NAMES else "")
    return f"{count} ({names})"


def _target(incident: Incident, context: Context) -> str:
    if context.target is None:
        return ""
    until = incident.began_at + context.target
    length, at = context.span(context.target), context.at(until)
    if (incident.resolved_at or context.now) > until:
        return context.t(say("{length}, exceeded since {at}", length=length, at=at))
    if incident.resolved_at is not None:
        return context.t(say("{length}, met", length=length))
    return context.t(say("{length}, until {at}", length=length, at=at))
