"""What must never be among the effects of two sites, out of what the resources themselves took down. Pure.

A token is an epoch: whoever holds the lease has one that nobody had before. Nothing is judged by clocks where the
resource's own order says it; between two resources, which are two programs, a moment of theirs is allowed for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

BETWEEN = 1.0
"""Seconds by which two programs on a busy machine may take down late what arrived at once."""


class Resource(StrEnum):
    """What takes an effect of a site."""

    TRUNK = "trunk"
    """The client's trunk: it gets an INVITE."""
    PORTAL = "portal"
    """The client's portal: it is told that a result is written."""
    TABLE = "table"
    """The table of the primary that is in use in the end: the row of a result."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a resource took from `site` under `token`, at `at` (seconds of the wall clock); `n`: which result."""

    resource: Resource
    at: float
    site: str
    token: int
    n: int = 0

    def __str__(self) -> str:
        """Return it as in a report."""
        which = f" of result {self.n}" if self.n else ""
        return f"{self.resource}{which}: {self.site} under token {self.token} at {self.at:.3f}"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a course ended. `active`: the site from which calls and results come; `reasons`: why they come from none."""

    active: str | None
    reasons: tuple[str, ...] = ()


def violations(
    effects: Sequence[Effect],
    rows: Sequence[Effect],
    ending: Ending,
    *,
    lossy: Collection[str],
) -> tuple[str, ...]:
    """Return all that must not be, in words for whoever looks for the fault.

    `effects`: what trunk and portal took, each in its own order; `rows`: what stands in the primary in use, in order.
    `lossy`: the sites that a forced move left while no commit waited for the copy: their last results may be lost.
    """
    return (
        *_two_sites(effects),
        *_stale(effects),
        *_stale(rows),
        *_lost(effects, rows, lossy),
        *_twice(effects),
        *_unexplained(ending),
    )


def _two_sites(effects: Iterable[Effect]) -> Iterable[str]:
    first: dict[int, Effect] = {}
    told = set()
    for effect in effects:
        known = first.setdefault(effect.token, effect)
        if known.site != effect.site and effect.token not in told:
            told.add(effect.token)
            yield f"two sites in one epoch: {known}, and {effect}"


def _stale(effects: Iterable[Effect]) -> Iterable[str]:
    """An effect under an old token, taken after another site had one under a newer."""
    by_time = sorted(effects, key=lambda effect: effect.at)
    for resource in Resource:
        yield from _overtaken([one for one in effects if one.resource is resource], 0.0, by_order=True)
    yield from _overtaken(by_time, BETWEEN, by_order=False)


def _overtaken(effects: Iterable[Effect], slack: float, *, by_order: bool) -> Iterable[str]:
    newest: dict[str, Effect] = {}
    for effect in effects:
        for site, other in newest.items():
            late = by_order or effect.at - other.at > slack
            if site != effect.site and other.token > effect.token and late:
                yield f"stale: {effect}, after {other}"
                return
        known = newest.get(effect.site)
        if known is None or effect.token > known.token:
            newest[effect.site] = effect


def _lost(effects: Iterable[Effect], rows: Iterable[Effect], lossy: Collection[str]) -> Iterable[str]:
    kept = {row.n for row in rows}
    for effect in effects:
        if effect.resource is Resource.PORTAL and effect.n not in kept and effect.site not in lossy:
            yield f"lost although it was acknowledged: {effect}"


def _twice(effects: Iterable[Effect]) -> Iterable[str]:
    first: dict[int, Effect] = {}
    for effect in effects:
        if effect.resource is Resource.PORTAL and first.setdefault(effect.n, effect) is not effect:
            yield f"acknowledged twice: {first[effect.n]}, and {effect}"


def _unexplained(ending: Ending) -> Iterable[str]:
    if ending.active is None and not ending.reasons:
        yield "it runs nowhere, and nobody says why"
