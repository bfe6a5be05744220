"""The figures that an action brought back, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from monitor.core.text import Quantity, Text, say
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
    "bytes": (say("size"), "By"),
    "copied_bytes": (say("copied"), "By"),
    "deleted_bytes": (say("freed"), "By"),
    "freed": (say("freed"), "By"),
    "freed_bytes": (say("freed"), "By"),
    "free": (say("free"), "By"),
    "used": (say("used"), "%"),
    "seconds": (say("time"), "s"),
    "rate": (say("rate"), "By/s"),
    "copied": (say("files copied"), ""),
    "proven": (say("files proven"), ""),
    "deleted": (say("files deleted"), ""),
    "kept": (say("files kept"), ""),
    "skipped": (say("files left out"), ""),
    "failed": (say("files failed"), ""),
    "files": (say("files"), ""),
    "pid": (say("process"), "id"),
    "state": (say("state"), ""),
    "started_at": (say("started at"), ""),
    "sha256": (say("SHA-256"), ""),
}
"""What the steps of the runbooks measure: what it is called, and its UCUM unit. A figure that is not here keeps the
name that the step gave it."""


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
    if value in (None, "", [], {}):
        return
    label, unit = LABELS.get(name, (say("{name}", name=name.replace("_", " ")), ""))
    match value:
        case bool():
            shown = pen.t(say("yes") if value else say("no"))
        case int() | float():
            shown = _number(pen, value, unit)
        case dict() if depth:
            for inner, each in value.items():
                yield from _figures(pen, f"{name} {inner}", each, depth - 1)
            return
        case list() | tuple():
            first = ", ".join(str(each)[:LONGEST] for each in value[:3])
            shown = (
                first if len(value) <= 3 else pen.t(say("{names} and {count} more", names=first, count=len(value) - 3))
            )
        case _:
            shown = str(value)[:LONGEST]
    yield pen.t(say("{label}: {value}", label=label, value=shown))


def _number(pen: Pen, value: float, unit: str) -> str:
    if abs(value) >= LARGEST:
        return f"{min(max(value, -FARTHEST), FARTHEST):.3g}"
    if unit == "id":
        return f"{value:g}" if isinstance(value, float) else str(value)
    if unit == "By/s":
        return pen.t(say("{size} a second", size=Quantity(value, "By")))
    return pen.quantity(value, unit, 2)
