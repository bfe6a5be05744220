"""When a check is due: spread over its interval by its name, so that a hundred checks never start together."""

from __future__ import annotations

import math
from functools import lru_cache
from hashlib import blake2b

from monitor.core.ids import CheckId


def phase(check: CheckId, every: float) -> float:
    """Return where in its interval of `every` seconds `check` starts: 0 <= phase < every, the same on every run."""
    return _share(check) * every


@lru_cache(maxsize=4096)  # asked after each result, and always the same
def _share(check: CheckId) -> float:
    return int.from_bytes(blake2b(check.encode(), digest_size=6).digest()) / 2**48


def next_due(check: CheckId, every: float, after: float) -> float:
    """Return the first moment later than `after` on the grid of `check`.

    All in seconds of one monotonic clock. Missed moments are skipped, never caught up: a check that was late, or a
    machine that slept, does not fire a burst.
    """
    start = phase(check, every)
    turns = math.floor((after - start) / every) + 1
    due = start + turns * every
    return due if due > after else due + every


FIRST_WITHIN = 5.0
"""Seconds over which the first round after a start is spread, so that the site is known soon but not stormed."""


def first_look(check: CheckId, every: float, now: float) -> float:
    """Return when `check` is looked at first if it is watched from `now` on: soon, whatever its interval."""
    return min(next_due(check, every, now), next_due(check, min(every, FIRST_WITHIN), now))


def next_look(check: CheckId, every: float, retry: float, now: float, *, again: bool, settling: bool) -> float:
    """Return when `check`, whose result came in at `now`, is looked at next.

    At once if that was asked for meanwhile (`again`); `retry` seconds later while its result is not believed yet or
    not placed yet (`settling`), if its turn does not come before; else on its grid.
    """
    if again:
        return now
    due = next_due(check, every, now)
    return min(due, now + retry) if settling else due
