"""The words of a conference call about an interruption that lasts: the same for the client and for our own people."""

from __future__ import annotations

from dataclasses import replace

from alerts.context import Context
from alerts.notice import Step
from alerts.sheet import Facts, Sheet
from monitor.core.text import say

CONFERENCE = frozenset({Step.CONFERENCE, Step.CONFERENCE_UPDATED, Step.CONFERENCE_CANCELLED})


def conference_sheet(sheet: Sheet, step: Step, context: Context, reference: str, into: str = "") -> Sheet:
    """Return `sheet`, which is of the incident, with what is said of the call in place of what happened.

    `into`: the incident that this one is followed under, whose call is the one to come to.
    """
    return replace(
        sheet,
        subject=_subject(step, context, reference, sheet.title),
        what=_what(step, context, sheet.title, into),
        short=lambda shown: _short(step, context, reference, shown, into),
        facts=(*_facts(step, context), *sheet.facts),
    )


def _what(step: Step, context: Context, title: str, into: str) -> str:
    """What happened: that people are called together, or need not come any more."""
    at = _at(context)
    if step is Step.CONFERENCE_CANCELLED and into:
        text = say(
            "The conference call of {at} is cancelled: {title} is followed under {into}.", at=at, title=title, into=into
        )
        return context.t(text)
    if step is Step.CONFERENCE_CANCELLED:
        return context.t(say("The conference call of {at} is cancelled: {title} is over.", at=at, title=title))
    if step is Step.CONFERENCE_UPDATED:
        return context.t(say("Conference call at {at}, what is known has changed: {title}.", at=at, title=title))
    return context.t(say("Conference call at {at} about: {title}.", at=at, title=title))


def _subject(step: Step, context: Context, reference: str, title: str) -> str:
    """The subject: who reads nothing else must know that he is expected, and when."""
    values = {"reference": reference, "title": title, "at": _clock(context)}
    if step is Step.CONFERENCE_CANCELLED:
        return context.t(say("{reference} {title}: conference call of {at} cancelled", **values))
    if step is Step.CONFERENCE_UPDATED:
        return context.t(say("{reference} {title}: conference call at {at}, updated", **values))
    return context.t(say("{reference} {title}: conference call at {at}", **values))


def _short(step: Step, context: Context, reference: str, title: str, into: str) -> str:
    """The SMS, with how one dials in."""
    values = {"reference": reference, "title": title, "at": _clock(context)}
    if step is Step.CONFERENCE_CANCELLED and into:
        text = say(
            "{reference} {title}. Conference call of {at} cancelled: followed under {into}.", **values, into=into
        )
        return context.t(text)
    if step is Step.CONFERENCE_CANCELLED:
        return context.t(say("{reference} {title}. Conference call of {at} cancelled: it is over.", **values))
    bridge = "" if context.conference is None else context.conference.bridge
    if not bridge:
        return context.t(say("{reference} {title}. Conference call at {at}.", **values))
    return context.t(say("{reference} {title}. Conference call at {at}, dial in: {bridge}.", **values, bridge=bridge))


def _facts(step: Step, context: Context) -> Facts:
    """When, how one dials in, who is to come and what is talked about; nothing of a call that is cancelled."""
    call = context.conference
    if call is None or step is Step.CONFERENCE_CANCELLED:
        return ()
    agenda = say("where it stands; what is being done; what each side needs; who does what, by when")
    rows = (
        (say("Conference call:"), _at(context)),
        (say("Dial-in:"), call.bridge or context.t(say("not in the inventory: ask whoever sent this"))),
        (say("Expected:"), ", ".join(call.people)),
        (say("Agenda:"), context.t(agenda)),
    )
    return tuple((context.t(label), value) for label, value in rows if value)


def _at(context: Context) -> str:
    return "" if context.conference is None else context.at(context.conference.at)


def _clock(context: Context) -> str:
    return "" if context.conference is None else context.day_and_clock(context.conference.at)
