"""When a check is due: spread over its interval by its name, so that a hundred checks never start together."""

from __future__ import annotations

import math
from hashlib import blake2b

from monitor.core.ids import CheckId


def phase(check: CheckId, every: float) -> float:
    """Return where in its interval of `every` seconds `check` starts: 0 <= phase < every, the same on every run."""
    share = int.from_bytes(blake2b(check.encode(), digest_size=6).digest()) / 2**48
    return share * every


def next_due(check: CheckId, every: float, after: float) -> float:
    """Return the first moment later than `after` on the grid of `check`.

    All in seconds of one monotonic clock. Missed moments are skipped, never caught up: a check that was late, or a
    machine that slept, does not fire a burst.
    """
    start = phase(check, every)
    turns = math.floor((after - start) / every) + 1
    due = start + turns * every
    return due if due > after else due + every
