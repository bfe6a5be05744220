"""A verdict made harmless: what devices say goes into terminals, mails, logs, metrics and the journal from here on.

A device is hostile until its words are parsed: escape sequences for the terminal, direction marks, line breaks, halves
of characters that no database takes, megabytes. And a probe of a third party may return whatever it likes. What leaves
here is of the right types, of bounded size, and printable.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.core.text import ENGLISH, Quantity, Text, Value
from monitor.core.verdict import Metric, Severity, Verdict

LONGEST = 1000
"""Characters of one value or fact that are kept; a DisplayString has 255 (RFC 2579), a list of names some hundreds."""
LONGEST_NAME = 200
"""Characters of the name of a metric or fact."""
LONGEST_UNIT = 32
MOST_METRICS, MOST_FACTS = 1000, 200
DEEPEST = 150
"""Texts inside one another: findings are chained, and rendering a chain takes some calls a link."""
LARGEST = 2**63
"""Whole numbers of more than 64 bits are none that a device counts, and some databases have none."""


def cleaned(verdict: Verdict) -> Verdict:
    """Return `verdict` fit to be stored, sent and shown. Raises TypeError or ValueError for what is no verdict.

    Control and format characters and line breaks become one blank, what is too long is cut, numbers are floats.
    """
    if not isinstance(verdict, Verdict):
        raise TypeError(f"a verdict was expected, not {type(verdict).__name__}")
    summary = _text(verdict.summary, DEEPEST)
    ENGLISH.render(summary)  # a template that cannot be filled in is a bug of the probe, found here and not in a mail
    return Verdict(
        Severity(verdict.severity),
        summary,
        tuple(_metrics(verdict.metrics)),
        _facts(verdict.facts),
        down=bool(verdict.down),
    )


def one_line(words: object, most: int = LONGEST) -> str:
    """Return `words` as one printable line of `most` characters at most; what is cut off shows as an ellipsis."""
    text = words if isinstance(words, str) else str(words)
    if len(text) > 2 * most:
        text = text[: 2 * most]
    if not text.isprintable():
        text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _text(text: Text, depth: int) -> Text:
    if not isinstance(text, Text):
        return Text("{verbatim}", (("verbatim", one_line(text)),))
    if depth == 0:
        return Text("…")
    return Text(text.template, tuple((str(name), _value(value, depth - 1)) for name, value in text.values))


def _value(value: Value | Any, depth: int) -> Value:
    match value:
        case Text():
            return _text(value, depth)
        case Quantity():
            return Quantity(_number(value.value), one_line(value.unit, LONGEST_UNIT), min(6, max(0, int(value.digits))))
        case datetime():
            return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        case timedelta():
            return value
        case bool():
            return str(value)
        case int():
            return value if abs(value) < LARGEST else one_line(f"{_number(value):g}")
        case _:
            return one_line(value)


def _number(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _metrics(metrics: Iterable[Metric]) -> Iterable[Metric]:
    for metric, _ in zip(metrics, range(MOST_METRICS), strict=False):
        yield Metric(
            one_line(metric.name, LONGEST_NAME),
            _number(metric.value),
            one_line(metric.unit, LONGEST_UNIT),
            metric.warning,
            metric.critical,
            None if metric.minimum is None else _number(metric.minimum),
            None if metric.maximum is None else _number(metric.maximum),
            max(0.0, _number(metric.margin)),
        )


def _facts(facts: Mapping[str, str]) -> dict[str, str]:
    first = zip(facts.items(), range(MOST_FACTS), strict=False)
    return {one_line(name, LONGEST_NAME): one_line(value) for (name, value), _ in first}
