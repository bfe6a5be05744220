"""Durations, rates, sizes and shares as people write them in the inventory: `60s`, `5 min`, `4 Mbit/s`, `80%`."""

from __future__ import annotations

import re
from datetime import timedelta

from monitor.core.text import ENGLISH, Text, say

_WRITTEN = re.compile(r"\s*(?P<number>[-+]?\d+(?:[.,]\d+)?)\s*(?P<unit>[^\d\s].*?)?\s*")
_SECONDS = {
    "ms": 0.001, "s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "j": 86400, "day": 86400, "days": 86400,
    "jour": 86400, "jours": 86400, "week": 604800, "weeks": 604800, "semaine": 604800, "semaines": 604800,
}  # fmt: skip
_SPANS = "60s, 5 min, 1 h, 3 d"
_LONGEST = 100 * 366 * 86400
"""A century in seconds; beyond it sums of dates overflow."""
_BITS = {"bit/s": 1, "kbit/s": 1e3, "Mbit/s": 1e6, "Gbit/s": 1e9, "bps": 1, "kbps": 1e3, "Mbps": 1e6, "Gbps": 1e9}
_BYTES = {
    "B": 1, "By": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "ko": 1e3, "Mo": 1e6, "Go": 1e9, "To": 1e12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip


class BadUnit(ValueError):
    """The text has no number, no unit, or one that does not fit; `text` says which ones do."""

    def __init__(self, text: Text) -> None:
        super().__init__(ENGLISH.render(text))
        self.text = text


def parse_duration(text: str) -> timedelta:
    """Return the length of time that `text` writes (`60s`, `5 min`, `1h`, `3 d`, `500 ms`). Raises BadUnit."""
    seconds = _parse(text, _SECONDS, say("a duration"), _SPANS)
    if abs(seconds) > _LONGEST:
        raise BadUnit(say("{written} is longer than any watch: write {examples}", written=repr(text), examples=_SPANS))
    return timedelta(seconds=seconds)


def parse_rate(text: str) -> float:
    """Return bit/s out of `4 Mbit/s`, `512 kbit/s`. Raises BadUnit."""
    return _parse(text, _BITS, say("a rate"), "4 Mbit/s, 512 kbit/s")


def parse_size(text: str) -> float:
    """Return bytes out of `64 MB`, `2 Go`, `512 MiB`. Raises BadUnit."""
    return _parse(text, _BYTES, say("a size"), "64 MB, 2 GB, 512 MiB")


def parse_share(text: str) -> float:
    """Return per cent out of `80%`. Raises BadUnit."""
    return _parse(text, {"%": 1}, say("a share"), "80%")


def _parse(text: str, units: dict[str, float], what: Text, examples: str) -> float:
    match = _WRITTEN.fullmatch(text)
    written = repr(text)
    if match is None:
        raise BadUnit(say("{written} is not {what}: write {examples}", written=written, what=what, examples=examples))
    unit = match["unit"]
    if unit is None:
        raise BadUnit(say("{written} has no unit: write {examples}", written=written, examples=examples))
    if unit not in units:
        raise BadUnit(
            say("{unit} is no unit of {what}: write {examples}", unit=repr(unit), what=what, examples=examples)
        )
    return float(match["number"].replace(",", ".")) * units[unit]
