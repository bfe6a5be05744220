"""What our own people read: everything that is known, and the commands that come next."""

from __future__ import annotations

from datetime import datetime

from alerts.conference_words import CONFERENCE
from alerts.context import Context, person
from alerts.crisis_words import CRISIS
from alerts.escalation_words import ladder_remarks, waited
from alerts.in_charge import Void, lost
from alerts.internal_facts import internal_facts
from alerts.notice import Planned, Step
from alerts.sheet import (
    GREEN,
    GREY,
    ORANGE,
    RED,
    Facts,
    Sheet,
    episode_began,
    subject_of,
    title_of,
    told_over_at,
)
from alerts.wording import GENERAL, SEVERITIES, wording
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.incident import BLIND, OTHER, Call, Incident
from monitor.core.text import Text, say
from monitor.core.verdict import Severity

MOST_EVENTS = 8
MOST_COMMANDS = 3
DETAIL = frozenset({EventKind.COVERED, EventKind.UNCOVERED})
"""Too many to be read one by one: they are counted instead."""
COLOURS = {Severity.CRITICAL: RED, Severity.WARNING: ORANGE, Severity.UNKNOWN: GREY, Severity.OK: GREEN}


def internal_sheet(planned: Planned, incident: Incident, context: Context) -> Sheet:
    """Return the parts of a message to our own people."""
    title = title_of(incident, context)
    where = _where(incident, context)
    named = f"{title} ({where})" if where else title
    return Sheet(
        subject=subject_of(incident, context, named, planned.key.step),
        title=_title_of_sms(planned, incident, context, named),
        what=_what(planned, incident, context, named),
        impact=_impact(incident, context),
        following=_following(incident, context),
        short=lambda shown: _short(planned, incident, context, shown),
        facts=internal_facts(incident, context),
        colour=GREEN if incident.resolved_at is not None else COLOURS[incident.severity],
        remarks=(*ladder_remarks(planned, incident, context), *_remarks(incident, context)),
        events=_events(incident, context),
        todo=commands(incident, _call(planned, incident), work=_work_going_on(incident, context)),
    )


def _where(incident: Incident, context: Context) -> str:
    """Where it is: the node, and for a kind whose name says nothing of what failed, the check."""
    return str(incident.check) if incident.check is not None and incident.kind in (OTHER, BLIND) else context.node


def _title_of_sms(planned: Planned, incident: Incident, context: Context, named: str) -> str:
    """What an SMS calls it: while it goes on also what the check says, of which as much is kept as there is room."""
    if (
        incident.resolved_at is not None
        or planned.key.step in CONFERENCE | CRISIS
        or _call(planned, incident) is not None
    ):
        return named
    return context.t(say("{title}: {what}", title=named, what=context.line(incident.title)))


def trial_sheet(context: Context) -> Sheet:
    """Return the parts of a message that only shows that a contact can be reached."""
    at = context.at(context.now)
    title = context.t(say("Test message"))
    return Sheet(
        subject=title,
        title=title,
        what=context.t(say("Test message of Relève, asked for at {at}.", at=at)),
        impact=context.t(say("Impact: none, nothing has happened.")),
        following=context.t(say("Next message: none. Whoever reads this can be reached.")),
        short=lambda shown: context.t(
            say("{title} of Relève for {site}: nothing has happened.", title=shown, site=context.site)
        ),
        facts=tuple(
            (context.t(label), value)
            for label, value in ((say("Site:"), context.site), (say("Channel:"), context.channel))
            if value
        ),
    )


def commands(incident: Incident, call: Call | None = None, *, work: str = "") -> tuple[str, ...]:
    """Return what a person can do next, as complete commands, the most urgent first; at most three.

    `work`: the announced work that goes on and that the incident belongs to; of such an incident the cause is known.
    """
    found = []
    if call is not None and call.asks:
        found += [f"releve runbook approve {call.run}", f"releve runbook refuse {call.run}"]
    if incident.open and incident.acknowledged_at is None:
        found.append(f"releve incident ack {incident.id}")
    found.append(f"releve incident show {incident.id}")
    if work:
        found.append(f"releve maintenance end {work}")
    elif not incident.window and not incident.cause:
        found.append(f'releve incident cause {incident.id} "..."')
    return tuple(found[:MOST_COMMANDS])


def _work_going_on(incident: Incident, context: Context) -> str:
    """The announced work that can still be ended, which the incident belongs to; empty for none."""
    until = None if context.work is None else context.work.until
    return incident.window if incident.open and until is not None and until > context.now else ""


def _call(planned: Planned, incident: Incident) -> Call | None:
    """Return what a run had to say and this message hands on; None for any other message."""
    step = planned.key.step
    if step is Step.REMINDER:
        return incident.calls[-1] if incident.calls else None
    if step not in (Step.PERSON_CALLED, Step.RUNBOOK):
        return None
    person = step is Step.PERSON_CALLED
    return next((call for call in incident.calls if call.person is person and call.n == planned.key.n), None)


def _what(planned: Planned, incident: Incident, context: Context, title: str) -> str:
    step, call = planned.key.step, _call(planned, incident)
    if call is not None and step is Step.REMINDER:
        text = say("A person is still needed, since {at}: {what}", at=context.at(call.at), what=context.line(call.text))
        return context.t(text)
    if call is not None:
        said = context.line(call.text)
        return context.t(
            say("A person is needed: {what}", what=said)
            if call.person
            else say("{title}: {what}", title=title, what=said)
        )
    text = _opening(step, incident)
    severity, summary = context.t(SEVERITIES[incident.severity]), context.line(incident.title)
    began, ended = context.at(_began(step, incident)), ""
    if incident.resolved_at is not None:
        ended = context.at(incident.resolved_at)
    values = {"severity": severity, "title": title, "summary": summary, "began": began, "ended": ended}
    if step is Step.ESCALATED:
        values["waited"] = waited(incident, context)
    if incident.resolved_at is None and incident.suppressed:
        values["title"] = context.t(covering(title, len(incident.suppressed)))
    return context.t(Text(text.template, tuple(values.items())))


def covering(title: str, count: int) -> Text:
    """Return what a cause is called, with how many failures it explains: both in one glance."""
    if count == 1:
        return say("{title}, 1 check suppressed", title=title)
    return say("{title}, {count} checks suppressed", title=title, count=count)


def _began(step: Step, incident: Incident) -> datetime:
    if step is Step.WORSENED and incident.changed_at is not None:
        return incident.changed_at
    if step is Step.FLAPPING and incident.flapping_at is not None:
        return incident.flapping_at
    if step in (Step.LONG_SOON, Step.LONG) and incident.disrupted_at is not None:
        return incident.disrupted_at
    if step is Step.DISRUPTED and incident.episode == 1 and incident.disrupted_at is not None:
        return incident.disrupted_at
    return episode_began(incident)


def _opening(step: Step, incident: Incident) -> Text:
    """The first sentence, before it is filled in."""
    if step is Step.RESOLVED:
        return say("Resolved: {title}, over since {ended}.")
    if incident.resolved_at is not None:
        return say("Already over: {title}: {summary}, from {began} to {ended}.")
    if step is Step.ESCALATED:
        return say("Not acknowledged for {waited}, {severity}: {title}: {summary}, since {began}.")
    if step is Step.UNACKNOWLEDGED:
        return say("Nobody is on it any more: {title}: {summary}, since {began}.")
    if step is Step.FLAPPING:
        return say("It comes and goes: {title}: {summary}, since {began}.")
    if step is Step.OVERRUN:
        return say("The announced maintenance is over, and it still fails: {title}: {summary}, since {began}.")
    return _worse(step) or _opened(incident)


def _worse(step: Step) -> Text | None:
    if step is Step.WORSENED:
        return say("Worse, {severity}: {title}: {summary}, since {began}.")
    if step is Step.DISRUPTED:
        return say("The client's service is now interrupted: {title}: {summary}, since {began}.")
    if step is Step.LONG_SOON:
        return say("Soon a long interruption: {title}: {summary}, service interrupted since {began}.")
    if step is Step.LONG:
        return say("Long interruption from now on: {title}: {summary}, service interrupted since {began}.")
    return None


def _opened(incident: Incident) -> Text:
    if incident.window:
        return say("Announced maintenance, {severity}: {title}: {summary}, since {began}.")
    if incident.episode > 1:
        return say("{severity} again: {title}: {summary}, since {began}.")
    return say("{severity}: {title}: {summary}, since {began}.")


def _impact(incident: Incident, context: Context) -> str:
    interrupted = incident.disruption_seen_at is not None
    if incident.resolved_at is not None:
        if not interrupted:
            return context.t(say("Impact: over; the client's service was not interrupted."))
        length = context.span(incident.resolved_at - _interruption_began(incident))
        return context.t(say("Impact: over; the client's service was interrupted for {length}.", length=length))
    if interrupted:
        known = wording(incident.kind)
        if known is GENERAL:  # its words say no more than the sentence itself
            return context.t(say("Impact: the client's service is interrupted."))
        impact = known.impact
        return context.t(say("Impact: the client's service is interrupted ({impact}).", impact=impact))
    if incident.kind == BLIND:
        return context.t(say("Impact: not known, because this cannot be seen at the moment; the client is not told."))
    return context.t(say("Impact: the client's service is not interrupted; the client is not told."))


def _interruption_began(incident: Incident) -> datetime:
    if incident.episode == 1 and incident.disrupted_at is not None:
        return incident.disrupted_at
    return episode_began(incident)


def _following(incident: Incident, context: Context) -> str:
    if incident.resolved_at is not None:
        return context.t(say("Next message: none, unless it comes back."))
    if context.next_at is None:
        if incident.flapping_at is not None:
            return context.t(say("Next message: when it is over for good, or becomes worse."))
        return context.t(say("Next message: as soon as something changes."))
    at, names = context.at(context.next_at), context.names(context.next_to)
    if not context.live:
        return context.t(
            say("Next update: {at}, to operations in the place of {names} (rehearsal).", at=at, names=names)
        )
    if not names:
        return context.t(say("Next update to the client: {at}.", at=at))
    return context.t(say("Next update to the client: {at} ({names}).", at=at, names=names))


VOID = {
    Void.LAPSED: say("The acknowledgement by {who} ended at {at}."),
    Void.WORSE: say("The acknowledgement by {who} is void: it has become worse since."),
    Void.DISRUPTED: say("The acknowledgement by {who} is void: the client's service is interrupted since."),
    Void.RELAPSED: say("The acknowledgement by {who} is void: it was over and has come back."),
}
"""Why nobody is on it any more, to be filled in with `who` and `at`."""


def _remarks(incident: Incident, context: Context) -> tuple[str, ...]:
    """What must not be overlooked: that nobody is on it any more, why it is quiet, that it had been told as over."""
    remarks = []
    gone = lost(incident)
    if gone is not None:
        values = (("who", person(gone.actor, context.people)), ("at", context.at(gone.at)))
        why = context.t(Text(VOID[gone.why].template, values))
        remarks.append(context.t(say("{why} Whoever takes over acknowledges it anew.", why=why)))
    if incident.open and incident.flapping_at is not None:
        at = context.at(incident.flapping_at)
        remarks.append(
            context.t(
                say(
                    "It has come and gone since {at}: until it is steady, each change is held back; that it is over "
                    "for good, or worse, is told.",
                    at=at,
                )
            )
        )
    ended = told_over_at(incident)
    if ended is not None:
        at = context.at(ended)
        remarks.append(
            context.t(say("Reopened: episode {n}, the one before ended at {at}.", n=incident.episode, at=at))
        )
    return tuple(remarks)


def _events(incident: Incident, context: Context) -> Facts:
    told = [event for event in incident.timeline if event.kind not in DETAIL][-MOST_EVENTS:]
    return tuple(
        (
            context.day_and_clock(event.at),
            context.line(_told(event, incident))
            + ("" if event.actor == RELEVE else f" ({person(event.actor, context.people)})"),
        )
        for event in told
    )


def _told(event: Event, incident: Incident) -> Text:
    """What an event says, with what it is about where that is not the root cause or its words do not say so."""
    if event.kind is EventKind.CAUSE:
        return say("Cause: {cause}", cause=event.text)
    if event.check is None or event.check == incident.check:
        return event_text(event)
    return say("{check}: {summary}", check=event.check, summary=event_text(event))


SAID_OF_ROOT = {
    EventKind.FLAPPING: say("It comes and goes: {summary}"),
    EventKind.STEADY: say("It is steady again: {summary}"),
}
"""Events whose own words are what the check said, which does not say what happened."""


def event_text(event: Event) -> Text:
    """Return what one event says: also what happened, where its own words are the check's alone, and until when."""
    if event.until is not None:
        return say("{text} (until {until})", text=event.text, until=event.until)
    frame = SAID_OF_ROOT.get(event.kind)
    return event.text if frame is None else Text(frame.template, (("summary", event.text),))


SHORT = {
    Step.ESCALATED: say("{reference} {severity}: {title}. NOT ACKNOWLEDGED for {waited}."),
    Step.UNACKNOWLEDGED: say("{reference} {severity}: {title}. NOBODY IS ON IT any more."),
    Step.FLAPPING: say("{reference} {severity}: {title}. It comes and goes; its end is told."),
    Step.OVERRUN: say("{reference} {severity}: {title}. MAINTENANCE IS OVER and it still fails."),
    Step.LONG_SOON: say("{reference} {title}. SOON A LONG INTERRUPTION: prepare the redundant site."),
    Step.LONG: say("{reference} {title}. LONG INTERRUPTION: decide on the redundant site."),
}
"""What an SMS says of a step that has words of its own, to be filled in."""


def _short(planned: Planned, incident: Incident, context: Context, title: str) -> str:
    call = _call(planned, incident)
    if call is not None and call.person:
        text = say(
            "{reference} {title}. A PERSON IS NEEDED: {what}", reference=incident.id, title=title, what=call.text
        )
        return context.t(text)
    values = {"reference": str(incident.id), "title": title}
    if incident.resolved_at is not None:
        ended = context.day_and_clock(incident.resolved_at)
        return context.t(say("{reference} {title}. Resolved: {ended}.", **values, ended=ended))
    values["severity"] = context.t(SEVERITIES[incident.severity])
    own = SHORT.get(planned.key.step)
    if own is not None:
        values["waited"] = waited(incident, context)
        return context.t(Text(own.template, tuple(values.items())))
    if incident.disruption_seen_at is None:
        return context.t(say("{reference} {severity}: {title}. Client's service not interrupted.", **values))
    if context.next_at is None or not context.live:
        return context.t(say("{reference} {severity}: {title}. Client's service INTERRUPTED.", **values))
    following = context.day_and_clock(context.next_at)
    text = say(
        "{reference} {severity}: {title}. Client's service INTERRUPTED. Next update to the client {following}.",
        **values,
        following=following,
    )
    return context.t(text)
