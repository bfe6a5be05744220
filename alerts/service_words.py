"""The service view in words: who is able to work, of how many. It leads every message, so it is written once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitor.core.impact import Outlook
from monitor.core.services import View
from monitor.core.text import Speech, Text, say

MOST_SERVICES = 4
"""Services that one line names; with more, those that are whole stay out of it, but for the first."""


def title_in(titles: Mapping[str, str], language: str, name: str) -> str:
    """Return the title in `language`, else in the other one, else the `name`."""
    return titles.get(language) or next((title for title in titles.values() if title), "") or name


def service_line(outlook: Sequence[Outlook], speech: Speech) -> str:
    """Return `Agents able to call: 62 of 100; channels: 18 of 30.`, empty where the inventory has no services."""
    parts = [
        say(
            "{title}: {view}",
            title=title_in(one.service.titles, speech.language, one.service.name),
            view=view_text(one.view, speech),
        )
        for one in _told(outlook)
    ]
    if not parts:
        return ""
    text = parts[0]
    for part in parts[1:]:
        text = say("{first}; {rest}", first=text, rest=part)
    line = speech.render(say("{text}.", text=text))
    return line[:1].upper() + line[1:]


def service_short(outlook: Sequence[Outlook], speech: Speech) -> str:
    """Return the first service in the fewest words, `62/100 agents able to call`, for an SMS; empty for none."""
    for one in _told(outlook)[:1]:
        seen, title = one.view, title_in(one.service.titles, speech.language, one.service.name)
        if seen.total == 1:
            line = speech.render(say("{title}: {view}", title=title, view=view_text(seen, speech)))
            return line[:1].upper() + line[1:]
        able, total = speech.number(seen.able), speech.number(seen.total)
        most = speech.number(seen.able + seen.unsure)
        return f"{able}/{total} {title}" if able == most else f"{able}-{most}/{total} {title}"
    return ""


def view_text(seen: View, speech: Speech) -> Text:
    """Return `62 of 100`, or `62 to 70 of 100 (8 not visible)` where nobody can see whether some of them work.

    Of a service that counts nothing, whether it works: `yes`, `no`, `not visible`.
    """
    if seen.total == 1:
        return say("not visible") if seen.unsure else say("yes") if seen.able else say("no")
    able, total = speech.number(seen.able), speech.number(seen.total)
    most, unsure = speech.number(seen.able + seen.unsure), speech.number(seen.unsure)
    if able == most:
        return say("{able} of {total}", able=able, total=total)
    if unsure == "1":
        return say("{able} to {most} of {total} (1 not visible)", able=able, most=most, total=total)
    return say("{able} to {most} of {total} ({unsure} not visible)", able=able, most=most, total=total, unsure=unsure)


def _told(outlook: Sequence[Outlook]) -> list[Outlook]:
    """The services that a line has room for: the first, which is the main one, then those that are not whole."""
    known = [one for one in outlook if one.view.total > 0]
    if len(known) <= MOST_SERVICES:
        return known
    less = [one for one in known[1:] if one.view.able < one.view.total]
    return [known[0], *less][:MOST_SERVICES]
