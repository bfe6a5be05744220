"""A message in the site's own words: the sheet, with these around the sentences that every message has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from alerts.context import Context
from alerts.notice import Audience
from alerts.own_words import IMPACT, NEXT, OURS, REFERENCE, VARIABLES, WHAT, Template
from alerts.privacy import blanked
from alerts.sheet import Sheet, cause_of, episode_began
from monitor.core.incident import Incident


@dataclass(frozen=True, slots=True)
class Worded:
    """A sheet in the site's words, and the lines that it adds below everything and above our own footer."""

    sheet: Sheet
    closing: tuple[str, ...] = ()
    signature: tuple[str, ...] = ()


def worded(sheet: Sheet, incident: Incident | None, audience: Audience, context: Context) -> Worded:
    """Return `sheet` with the site's words: its subject, and lines around what happened, the impact and the next.

    Each of these stays one line, whatever stands around it.
    """
    words = context.own
    if words == OURS:
        return Worded(sheet)
    values = _values(sheet, incident, audience, context)
    if words.subject is not None:
        sheet = replace(sheet, subject=_line(words.subject, values))
    if words.opening:
        what, impact, following, *more = [_line(template, values) for template in words.opening]
        remarks = (*(line for line in more if line), *sheet.remarks)
        sheet = replace(sheet, what=what, impact=impact, following=following, remarks=remarks)
    closing, signature = (tuple(_line(one, values) for one in lines) for lines in (words.closing, words.signature))
    return Worded(sheet, tuple(line for line in closing if line), tuple(line for line in signature if line))


def _line(template: Template, values: Mapping[str, str]) -> str:
    return " ".join(template.filled(values).split())


def _values(sheet: Sheet, incident: Incident | None, audience: Audience, context: Context) -> dict[str, str]:
    """What the names stand for: sentences of the sheet, and facts as its reader may know them."""
    values = dict.fromkeys(VARIABLES, "")
    values |= {WHAT: sheet.what, IMPACT: sheet.impact, NEXT: sheet.following, "title": sheet.title}
    values["site"] = context.site
    if incident is None:
        return values
    client = audience is Audience.CLIENT
    began = episode_began(incident)
    if client and incident.episode == 1 and incident.disrupted_at is not None:
        began = incident.disrupted_at
    stated = blanked(incident.cause, context.private) if client else incident.cause
    return values | {
        REFERENCE: str(incident.id),
        "cause": cause_of(incident, context, context.line(stated)),
        "began": context.at(began),
        "duration": context.span((incident.resolved_at or context.now) - began),
    }
