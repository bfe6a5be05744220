"""In which order several workers take tests, so that none of them is left with long ones when the others are done.

pytest-xdist gives each worker one stretch of the collected order, and lets who has nothing left take from the end of
another's stretch, but never the last two. So long ones belong into every stretch, and not to its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

WHOLE = ("tests/real/", "tests/scenarios/")
"""Where tests are long, for they wait for real components and daemons. A module stays together: it shares those."""
FEW = {"tests/real/test_sites.py": 3, "tests/scenarios/test_demo.py": 1, "tests/scenarios/test_cut_runs.py": 1}
"""The modules of the longest tests, and how many of those stay together: one worker has no time for all of them."""
FREE_OF_LONG = 0.6
"""Which part of a stretch, its end, has no long tests: so much is needed for those of a minute to be over in time."""


class Part(NamedTuple):
    """Tests that stay together: their places in the collected order."""

    long: bool
    members: tuple[int, ...]


def parts(paths: Sequence[str]) -> list[Part]:
    """Return what stays together of tests in the modules `paths`, one for each test, in the order given."""
    made = []
    for path, run in groupby(range(len(paths)), key=paths.__getitem__):
        members = tuple(run)
        size = FEW.get(path, len(members))
        made += [Part(path.startswith(WHOLE), members[n : n + size]) for n in range(0, len(members), size)]
    return made


def spread(paths: Sequence[str], workers: int) -> list[int]:
    """Return the order in which `workers` take tests: long ones in every stretch, evenly, and none at its end.

    The same for the same `paths`, as each worker works it out by itself. Each place occurs once.
    """
    everything = parts(paths)
    short = [n for part in everything if not part.long for n in part.members]
    dealt: list[list[Part]] = [[] for _ in range(workers)]
    for part in sorted((part for part in everything if part.long), key=lambda part: -len(part.members)):
        min(dealt, key=lambda hand: sum(len(own.members) for own in hand)).append(part)
    order: list[int] = []
    for worker, hand in enumerate(dealt):
        begin, end = (len(short) * n // workers for n in (worker, worker + 1))
        order += _stretch(hand, short[begin:end])
    return order


def _stretch(long: Sequence[Part], short: Sequence[int]) -> Iterator[int]:
    """Return what one worker begins with: the parts of `long` between those of `short`, at even distances."""
    gap = len(short) * (1 - FREE_OF_LONG) / max(len(long), 1)
    begins = [*(int(gap * n) for n in range(len(long))), len(short)]
    for n, part in enumerate(long):
        yield from part.members
        yield from short[begins[n] : begins[n + 1]]
    if not long:
        yield from short
