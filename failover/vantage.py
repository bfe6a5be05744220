"""What is known of a site from several vantage points: who is cut off himself sees everybody else lost."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from failover.model import SiteId

MISSED = 2
"""Looks in a row that may be lacking before a vantage point counts as silent: one lost answer is no news."""
AHEAD = timedelta(seconds=5)
"""How far the clock of a vantage point may be ahead of ours; what is dated later tells nothing about now."""
LEAST = 2
"""Vantage points that must see a site down, however few there are: a lone view never suffices."""


class View(StrEnum):
    """What one vantage point says of a site. UNKNOWN: it could not look, or has not for too long."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Look:
    """One look of a vantage point (`by`: its name) at `site`, at `at` (UTC); it looks once `every`."""

    by: str
    site: SiteId
    view: View
    at: datetime
    every: timedelta


class Sight(StrEnum):
    """What all vantage points together say of a site."""

    UP = "up"
    """One sees it up at least, and none sees it down."""
    LOST = "lost"
    """A majority of all vantage points, of two at least, sees it down, and none sees it up."""
    LONE = "lone"
    """It is seen down by too few, and up by none."""
    SPLIT = "split"
    """Some see it up, others down."""
    UNSEEN = "unseen"
    """Nobody can tell."""


@dataclass(frozen=True, slots=True)
class Sighted:
    """A site as it is seen: by whom it is seen `up` or `down`, and who is `silent` (names, sorted)."""

    sight: Sight
    up: tuple[str, ...] = ()
    down: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()


def sighted(
    looks: Iterable[Look], vantages: Collection[str], sites: Iterable[SiteId], now: datetime
) -> Mapping[SiteId, Sighted]:
    """Return every one of `sites` as its `vantages` see it at `now`; the latest look of each counts, if it is fresh.

    A vantage point that is not among `vantages` is not heard: the majority is one of those that the inventory names.
    """
    latest: dict[tuple[SiteId, str], Look] = {}
    for look in looks:
        known = latest.get((look.site, look.by))
        if known is None or look.at > known.at:
            latest[look.site, look.by] = look
    return {site: _sighted(site, latest, vantages, now) for site in sites}


def view_of(look: Look | None, now: datetime) -> View:
    """Return what `look` still says at `now`: UNKNOWN where it is too old, or of a time to come."""
    if look is None or look.at - now > AHEAD or now - look.at > MISSED * look.every:
        return View.UNKNOWN
    return look.view


def _sighted(
    site: SiteId, latest: Mapping[tuple[SiteId, str], Look], vantages: Collection[str], now: datetime
) -> Sighted:
    by: dict[View, list[str]] = {view: [] for view in View}
    for name in sorted(vantages):
        by[view_of(latest.get((site, name)), now)].append(name)
    up, down, silent = (tuple(by[view]) for view in View)
    if up:
        return Sighted(Sight.SPLIT if down else Sight.UP, up, down, silent)
    if not down:
        return Sighted(Sight.UNSEEN, up, down, silent)
    enough = max(LEAST, len(vantages) // 2 + 1)
    return Sighted(Sight.LOST if len(down) >= enough else Sight.LONE, up, down, silent)
