"""Ranges in the syntax of the Monitoring Plugins Development Guidelines, "Threshold and Ranges"."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from monitor.core.text import ENGLISH, Text, say

_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_SHAPE = re.compile(rf"(?P<inside>@)?(?:(?P<low>~|{_NUMBER})?(?P<colon>:))?(?P<high>{_NUMBER})?")


class BadRange(ValueError):
    """The text is no range; `text` says why."""

    def __init__(self, text: Text) -> None:
        super().__init__(ENGLISH.render(text))
        self.text = text


@dataclass(frozen=True, slots=True)
class Range:
    """The closed interval `low`..`high`; an alert is a value outside of it, or within it if `inside`."""

    low: float
    high: float
    inside: bool = False

    def alerts(self, value: float) -> bool:
        """Return whether `value` calls for an alert. A value that is no number always does."""
        if math.isnan(value):
            return True
        return (self.low <= value <= self.high) is self.inside

    def __str__(self) -> str:
        low = (
            "~:" if self.low == -math.inf else "" if self.low == 0 and self.high != math.inf else f"{_plain(self.low)}:"
        )
        high = "" if self.high == math.inf else _plain(self.high)
        return f"{'@' if self.inside else ''}{low}{high}"


def _plain(number: float) -> str:
    """Every digit that counts, so that a range written and read again is the same range."""
    return repr(number).removesuffix(".0")


def parse_range(text: str) -> Range:
    """Return the range that `text` writes: `10`, `10:`, `~:10`, `10:20`, `@10:20`.

    Raises BadRange when it writes none, or when its start lies above its end.
    """
    stripped = text.strip()
    match = _SHAPE.fullmatch(stripped)
    if match is None or (match["high"] is None and match["low"] is None):
        raise BadRange(say("{written} is not a range such as 10, 10:, ~:10, 10:20 or @10:20", written=repr(text)))
    low = -math.inf if match["low"] == "~" else float(match["low"] or 0)
    high = float(match["high"]) if match["high"] is not None else math.inf
    if low > high:
        raise BadRange(say("{written} starts above its end", written=repr(text)))
    return Range(low, high, match["inside"] is not None)
