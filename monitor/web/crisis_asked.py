"""What people ask of a crisis cell, as they write it, for the commands and the API alike. Pure."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo

from monitor.core.crisis import ActionState, Role
from monitor.core.incident import Refused
from monitor.core.text import say
from monitor.core.units import BadUnit, parse_duration
from monitor.inventory.maintenance import BadWindow, end_after

_DAY = re.compile(r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2}\s*")
LONGEST = 40
"""Characters of what was written that a refusal repeats."""
MOST_DIGITS = 6
LAST_MINUTE = "23:59"
"""What is due on a day is due at its end."""


def due_asked(text: str, zone: tzinfo, now: datetime) -> datetime | None:
    """Return the moment (UTC) by which something is due that `text` writes, None for an empty one.

    `18:00` is the next such time at the site, `2h` counts from `now`, `2026-12-01` is the end of that day, and
    `2026-12-01 18:00` is the site's time unless it has an offset. Raises Refused for anything else.
    """
    if not text.strip():
        return None
    try:
        return end_after(f"{text.strip()} {LAST_MINUTE}" if _DAY.fullmatch(text) else text.strip(), zone, now)
    except BadWindow as no_moment:
        try:
            return now + parse_duration(text)
        except BadUnit:
            examples = "18:00, 2h, 2026-12-01, 2026-12-01 18:00"
            written = repr(text[:LONGEST])
            raise Refused(
                say("{written} is no time: write {examples}", written=written, examples=examples)
            ) from no_moment


def role_asked(text: str) -> Role:
    """Return the role that `text` names. Raises Refused, naming those that there are."""
    try:
        return Role(text.strip().lower())
    except ValueError as error:
        known = ", ".join(role.value for role in Role)
        raise Refused(say("no role {role}; there are: {known}", role=text[:LONGEST], known=known)) from error


def state_asked(text: str) -> ActionState:
    """Return how far an action is by `text`. Raises Refused, naming what can be said."""
    try:
        return ActionState(text.strip().lower())
    except ValueError as error:
        known = ", ".join(state.value for state in ActionState)
        raise Refused(say("no state {state}; there are: {known}", state=text[:LONGEST], known=known)) from error


def number(text: str) -> int:
    """Return the number of an action or a need that `text` writes. Raises Refused."""
    if not (text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS):
        raise Refused(say("{written} is no number", written=repr(text[:LONGEST])))
    return int(text)
