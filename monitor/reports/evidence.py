"""The figures that an action brought back, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from monitor.core.text import Text, say
from monitor.reports.pen import Pen

MOST = 12
"""Figures of one action that are shown."""
LARGEST = 1e15
"""A larger number is written with its power of ten: nobody counts the digits."""
DEEPEST = 3
"""Tables within one another whose figures are told apart."""
FARTHEST = 1e300
"""JSON has whole numbers that no float holds."""
LONGEST = 120
"""Characters of one value; a SHA-256 has 64."""
LABELS = {
    "seen": (say("files seen"), ""),
    "closed": (say("files ready to be archived"), ""),
    "proven": (say("files copied and read back"), ""),
    "size": (say("size"), "By"),
    "failures": (say("files that failed"), ""),
    "failed": (say("among them"), ""),
    "in_use": (say("files in use"), ""),
    "changed": (say("files changed meanwhile"), ""),
    "gone": (say("files gone meanwhile"), ""),
    "left": (say("files not tried"), ""),
    "left absent": (say("not there any more"), ""),
    "left young": (say("kept because they are recent"), ""),
    "left changed": (say("kept because they changed"), ""),
    "left no copy": (say("kept because their copy is missing"), ""),
    "left other copy": (say("kept because their copy differs"), ""),
    "left in use": (say("kept because they are in use"), ""),
    "left unseen": (say("kept because they could not be looked at"), ""),
    "files": (say("files"), ""),
    "oldest": (say("the oldest of"), ""),
    "newest": (say("the newest of"), ""),
    "used_before": (say("in use before"), "%"),
    "used_after": (say("in use after"), "%"),
    "missing": (say("still to be freed"), "By"),
    "young": (say("files too recent"), ""),
    "unproven": (say("files not archived yet"), ""),
    "service": (say("service"), ""),
    "state_before": (say("state before"), ""),
    "state_after": (say("state after"), ""),
    "pid_before": (say("process before"), "id"),
    "pid_after": (say("process after"), "id"),
    "seconds": (say("took"), "s"),
    "lived": (say("ran for"), "s"),
    "check": (say("check"), ""),
    "severity": (say("severity"), ""),
}
"""What the steps of the runbooks bring back: what it is called, and its UCUM unit. A figure that is not here keeps the
name that the step gave it."""
TROUBLES = frozenset({"failures", "in_use", "changed", "gone", "left", "missing", "young", "unproven"})
"""Figures of which none is nothing to tell."""
VALUES = {
    "running": say("in operation"),
    "stopped": say("not running"),
    "starting": say("starting"),
    "stopping": say("stopping"),
    "paused": say("paused"),
    "absent": say("absent"),
    "failed": say("ended by a failure"),
    "unknown": say("unknown"),
    "ok": say("OK"),
    "warning": say("Warning"),
    "critical": say("Critical"),
}
"""States and severities in words."""


def evidence_words(pen: Pen, evidence: Mapping[str, Any]) -> str:
    """Return the figures of `evidence` (JSON-ready) as `freed: 12.4 GB; files: 118`; empty where there are none."""
    figures = [figure for name, value in evidence.items() for figure in _figures(pen, str(name), value)]
    more = len(figures) - MOST
    return _joined(pen, [*figures[:MOST], *([pen.t(say("{count} more", count=more))] if more > 0 else [])])


def _joined(pen: Pen, figures: Iterable[str]) -> str:
    text: Text | None = None
    for figure in figures:
        text = say("{text}", text=figure) if text is None else say("{first}; {rest}", first=text, rest=figure)
    return "" if text is None else pen.t(text)


def _figures(pen: Pen, name: str, value: Any, depth: int = DEEPEST) -> Iterator[str]:
    if value in (None, "", [], {}) or (name in TROUBLES and value in (0, {})):
        return
    if isinstance(value, dict) and depth:
        for inner, each in value.items():
            yield from _figures(pen, f"{name} {inner}", each, depth - 1)
        return
    label, unit = LABELS.get(name, (say("{name}", name=name.replace("_", " ")), ""))
    yield pen.t(say("{label}: {value}", label=label, value=_shown(pen, value, unit)))


def _shown(pen: Pen, value: Any, unit: str) -> str:
    match value:
        case bool():
            return pen.t(say("yes") if value else say("no"))
        case int() | float():
            return _number(pen, value, unit)
        case list() | tuple():
            first, more = ", ".join(str(each)[:LONGEST] for each in value[:3]), len(value) - 3
            return first if more <= 0 else pen.t(say("{names} and {count} more", names=first, count=more))
        case str():
            return _word(pen, value)
    return str(value)[:LONGEST]


def _word(pen: Pen, value: str) -> str:
    """A state in words, a moment of the site, or the word as it stands."""
    if value in VALUES:
        return pen.t(VALUES[value])
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return value[:LONGEST]
    if at.tzinfo is None:
        return value[:LONGEST]
    speech = pen.context.speech
    return pen.t(say("{date} at {at}", date=speech.date(at), at=speech.clock(at)))


def _number(pen: Pen, value: float, unit: str) -> str:
    if abs(value) >= LARGEST:
        return f"{min(max(value, -FARTHEST), FARTHEST):.3g}"
    if unit == "id":
        return f"{value:g}" if isinstance(value, float) else str(value)
    return pen.quantity(value, unit, 2)
