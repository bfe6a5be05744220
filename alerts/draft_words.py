"""How a person's words stand in an update, and how our own people are told that there is still time for some."""

from __future__ import annotations

from dataclasses import replace

from alerts.context import Context
from alerts.gsm import LIMIT, cut, septets
from alerts.notice import Audience, Planned, Step
from alerts.privacy import blanked
from alerts.sheet import Sheet
from monitor.core.draft import draft_for
from monitor.core.incident import Incident
from monitor.core.text import say

SHORTEST_WORDS = 20
"""Septets of a person's words below which an SMS is better off without them."""


def words_added(planned: Planned, incident: Incident | None, context: Context) -> tuple[str, ...]:
    """Return what a person has to say in this update or report, a paragraph each; to a client without our names.

    An update that stands for missed ones also carries what was meant for these; so the words say when they are from.
    """
    if incident is None or planned.key.step not in (Step.UPDATE, Step.CRISIS_REPORT):
        return ()
    draft = draft_for(incident.drafts, (planned.due_at, *planned.gap, *planned.reports))
    if draft is None:
        return ()
    private = context.private if planned.key.audience is Audience.CLIENT else ()
    lines = [blanked(line, private) for line in draft.words.splitlines()]
    first, *more = [line for line in lines if line] or [""]
    return (context.t(say("Situation at {at}: {words}", at=context.day_and_clock(draft.at), words=first)), *more)


def lengthened(short: str, added: tuple[str, ...]) -> str:
    """Return the SMS `short` with as much of what was `added` as it has room for."""
    room = LIMIT - (septets(short) or 0) - 1
    return f"{short} {cut(' '.join(added), room)}" if added and room >= SHORTEST_WORDS else short


def draft_sheet(sheet: Sheet, context: Context, reference: str) -> Sheet:
    """Return `sheet`, which is of the incident, with the draft in place of what happened, and the commands for it."""
    drafted = context.draft
    lines = () if drafted is None else drafted.lines
    at, clock = ("", "") if drafted is None else (context.at(drafted.at), context.day_and_clock(drafted.at))
    values = {"reference": reference, "title": sheet.title, "at": clock}
    return replace(
        sheet,
        subject=context.t(say("{reference} {title}: draft of the update of {at}", **values)),
        what=context.t(say("The update of {at} is drafted and leaves by itself: {title}.", at=at, title=sheet.title)),
        short=lambda shown: context.t(
            say(
                "{reference} {title}. The update of {at} is drafted; it leaves by itself.",
                **(values | {"title": shown}),
            )
        ),
        remarks=(context.t(say("What the client will read:")), *lines, *sheet.remarks),
        todo=(
            f"releve incident draft show {reference}",
            f"releve incident draft edit {reference}",
            f'releve incident cause {reference} "..."',
        ),
    )
