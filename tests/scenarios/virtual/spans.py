"""Sets of time: when something holds, as spans in seconds of virtual time that are in order and do not touch."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise

Span = tuple[float, float]
Spans = tuple[Span, ...]
FOREVER = float("inf")
NEVER: Spans = ()
ALWAYS: Spans = ((-FOREVER, FOREVER),)


def union(*sets: Iterable[Span]) -> Spans:
    """Return when at least one of `sets` holds."""
    merged: list[Span] = []
    for start, end in sorted(span for span in chain(*sets) if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)


def inverse(spans: Spans) -> Spans:
    """Return when `spans` does not hold."""
    edges = [-FOREVER, *chain(*spans), FOREVER]
    return tuple((a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b)


def intersection(*sets: Spans) -> Spans:
    """Return when each of `sets` holds."""
    return inverse(union(*map(inverse, sets)))


def without(spans: Spans, *others: Spans) -> Spans:
    """Return when `spans` holds and none of `others` does."""
    return intersection(spans, inverse(union(*others)))


def prolonged(spans: Spans, seconds: float) -> Spans:
    """Return `spans` with each of them ending `seconds` later: what takes time to come back."""
    return union((start, end + seconds) for start, end in spans)


def delayed(spans: Spans, seconds: float) -> Spans:
    """Return `spans` with each of them beginning `seconds` later: what takes time to set in."""
    return union((start + seconds, end) for start, end in spans)


def holds(spans: Spans, at: float) -> bool:
    """Return whether `spans` holds at `at`; a span holds from its start to before its end."""
    place = bisect_right(spans, (at, FOREVER)) - 1
    return place >= 0 and at < spans[place][1]


def overlaps(spans: Spans, start: float, end: float) -> bool:
    """Return whether `spans` holds at some moment from `start` to `end`, both included."""
    return any(a <= end and start < b for a, b in spans)


def longest(spans: Spans, start: float, end: float) -> float:
    """Return for how many seconds on end `spans` holds between `start` and `end`."""
    return max((min(b, end) - max(a, start) for a, b in spans), default=0.0)


def edges(*sets: Spans) -> list[float]:
    """Return every moment at which one of `sets` begins or ends, in order, from the beginning of time on."""
    return sorted({-FOREVER, *(moment for spans in sets for span in spans for moment in span)} - {FOREVER})


def in_order(spans: Spans) -> bool:
    """Return whether `spans` is what the functions here return: in order, none empty, none touching the next."""
    return all(a < b for a, b in spans) and all(one[1] < two[0] for one, two in pairwise(spans))


def fewer_than(sets: Sequence[Spans], least: int) -> Spans:
    """Return when fewer than `least` of `sets` hold."""
    moments = [*edges(*sets), FOREVER]
    counts = [sum(holds(spans, moment) for spans in sets) for moment in moments[:-1]]
    return union((a, b) for a, b, number in zip(moments, moments[1:], counts, strict=False) if number < least)
