"""What is known of a site from several vantage points: who is cut off himself sees everybody else lost."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from failover.lease import Record, Watched, free_in
from failover.model import Site, SiteId
from monitor.core.text import Text, say

MISSED = 2
"""Looks in a row that may be lacking before a vantage point counts as silent: one lost answer is no news."""
AHEAD = timedelta(seconds=5)
"""How far the clock of a vantage point may be ahead of ours; what is dated later tells nothing about now."""
LEAST = 2
"""Vantage points that must see a site down, however few there are: a lone view never suffices."""


HERE = "releve"
"""The name of our own vantage point where the inventory does not say at which site it stands."""
VOTERS = "voters"
"""The name of a vantage point: the record of the group's lease, as a majority of the voters has it."""
PEER = "peer"
"""The name of another: the Relève that stands at a site speaks for it, and counts only while it does."""
RESERVED = frozenset({HERE, VOTERS, PEER})
"""Names that no other vantage point has; nor has one that of a site, for that is the Relève which stands there."""


_WORDS: Mapping[str, Text] = {VOTERS: say("the voters"), PEER: say("the Relève that stands there")}
NO_TITLES: Mapping[SiteId, str] = MappingProxyType({})
"""Where nobody says what people call the sites: they are called by their names."""


def called(names: Iterable[str], titles: Mapping[SiteId, str] = NO_TITLES) -> Text | str:
    """Return what people read of the vantage points `names`; a dash for none. HERE and those of the inventory stay.

    `titles`: what people call the sites, of which our own is one that looks.
    """
    found: Text | str = ""
    for name in names:
        word = _WORDS.get(name) or titles.get(SiteId(name), name)
        found = say("{one}, {other}", one=found, other=word) if found else word
    return found or "-"


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

    @property
    def gone(self) -> bool:
        """Whether it is seen down, and up by nobody. Where too few see it, only a person can say that it is lost."""
        return self.sight in (Sight.LOST, Sight.LONE)


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


def vantages(site: Site, here: str, *, voters: bool) -> tuple[str, ...]:
    """Return the names of all who see `site`: the Relève at `here`, those that the inventory names, and the voters.

    `voters`: a group runs at `site` whose lease they keep; of any other site they know nothing. The Relève that stands
    at `site` is not among them: its silence says no more than the others see.
    """
    return (here, *((VOTERS,) if voters else ()), *site.seen_by)


@dataclass(frozen=True, slots=True)
class Lapsed:
    """The lease of `holder` had not been renewed since `still`, and another site took it at `at` (CLOCK_BOOTTIME).

    `left`: the token under which it was taken for a move that has not begun yet; `then`: the one under which it is
    being taken once more for that, which may be in the record before anybody knows; `token`: the one that `holder`
    had; each 0 where that is not known.
    """

    holder: str
    still: float
    at: float
    left: int = 0
    token: int = 0
    then: int = 0


LAPSE_LASTS = 60.0
"""Seconds for which the end of a lease says that its holder's site is lost, once somebody else has it: as long as a
decision takes which needed that lease to be made. Longer only while the record is the one of that taking."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of the record of a lease.

    `record`: as it was read last, in the version `seen`; `heard`: when that answer had arrived (CLOCK_BOOTTIME), None
    where nobody has answered yet. `lapsed`: how the holder before us lost it, where it was we who took it from him.
    """

    record: Record | None = None
    seen: Watched | None = None
    heard: float | None = None
    lapsed: Lapsed | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks about a record at `now` (CLOCK_BOOTTIME): the Relève at `here`.

    `ttl`: of its own leases; `fresh`: for how long an answer of the voters counts (seconds).
    """

    here: str
    ttl: float
    fresh: float
    now: float


def kept_view(kept: Kept, site: SiteId, by: Asking) -> View:
    """Return what the voters say of `site`, where the group runs, to whoever asks.

    UP while it holds the group's lease and renews it; DOWN once the record has stood still for so long that it may be
    taken, and after we took it for that: for a while, and while nobody has had it since. UNKNOWN where no majority has
    answered lately, and where the record is not the site's for any other reason: whoever gave it back, or never had
    it, need not be lost.
    """
    record = kept.record
    if kept.heard is None or by.now - kept.heard > by.fresh or kept.seen is None:
        return View.UNKNOWN
    if record is not None and record.holder == site and record.held:
        return View.UP if free_in(record, kept.seen, by.ttl, by.now) > 0 else View.DOWN
    return View.UNKNOWN if _lapsed(kept, site, by.now) is None else View.DOWN


def still_since(kept: Kept, site: SiteId, now: float) -> float | None:
    """Return since when the lease of `site` is not renewed as far as is known at `now`; None for not known.

    Both are seconds of CLOCK_BOOTTIME. A lapse of long ago says nothing: the group may have gone back since.
    """
    if kept.record is not None and kept.record.holder == site and kept.record.held and kept.seen is not None:
        return kept.seen.since
    lapsed = _lapsed(kept, site, now)
    return None if lapsed is None else lapsed.still


def token_of(kept: Kept, site: SiteId, now: float) -> int | None:
    """Return the token of the lease that `site` has, or has lost as far as that counts at `now`; None: not known."""
    if kept.record is not None and kept.record.holder == site:
        return kept.record.token
    lapsed = _lapsed(kept, site, now)
    return None if lapsed is None else lapsed.token or None


def _lapsed(kept: Kept, site: SiteId, now: float) -> Lapsed | None:
    """How `site` lost the lease to us, as long as that counts."""
    one = kept.lapsed
    if one is None or one.holder != site:
        return None
    return one if in_vain(kept) or now - one.at <= LAPSE_LASTS else None


def in_vain(kept: Kept) -> bool:
    """Return whether a lapsed lease was taken for a move that never began, and nobody has had it since.

    The record says so itself, for no token comes twice: whoever holds the lease for a group that runs writes another.
    """
    one, record = kept.lapsed, kept.record
    if one is None or record is None or record.holder == one.holder:
        return False
    return record.token in (one.left, one.then)


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
    lost = len(down) >= enough(len(vantages))
    return Sighted(Sight.LOST if lost else Sight.LONE, up, down, silent)


def enough(count: int) -> int:
    """Return how many of `count` vantage points have to see a site down so that it is lost."""
    return max(LEAST, count // 2 + 1)
