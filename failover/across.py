"""What the guard on another machine is told of a lease, and what it says of itself: whose clock counts. Pure.

A belief ends at a second of our own CLOCK_BOOTTIME; the guard over there has another clock, that runs from another
boot. So its machine says what its clock shows, and we count on from there, more slowly than it can run:

    asked           read there           arrived                      the end, by our clock
    --|----------------|--------------------|-----------------------------|------------> our clock
                    `there`                                    later there than `until_there`

Between `arrived` and the end that clock goes on by (end - arrived) x (1 - DRIFT) at least, and it was read before the
answer had arrived. So it shows more at the end than what we tell it to go by, however long the question and the answer
were under way: the guard begins to stop no later than we cease to believe.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from failover.guard import Phase, Validity
from failover.lease import DRIFT, Belief

FRESH = 10.0
"""Seconds for which a reading of the other clock is gone by: after a second boot over there it is worth nothing, and
each second since it was read costs DRIFT of one."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What another machine's clock showed. `boot`: the name of its boot; `there`: seconds of its CLOCK_BOOTTIME, read
    while we waited for the answer, which had `arrived` at that second of ours."""

    boot: str
    there: float
    arrived: float

    def is_fresh(self, now: float) -> bool:
        """Return whether it may still be gone by at `now` (our CLOCK_BOOTTIME)."""
        return now - self.arrived <= FRESH


def until_there(reading: Reading, valid_until: float) -> float:
    """Return the second of the other machine's clock until which it may go by a belief that ends at `valid_until`.

    `valid_until`: of our clock, after `reading.arrived`; the other clock shows more by then, whatever the delays.
    """
    return reading.there + (valid_until - reading.arrived) * (1 - DRIFT)


class Refusal(StrEnum):
    """Why a guard is not told what it was to be told. The names go over the line: add, do not rename."""

    UNKNOWN = "unknown"
    """No guard of that plan stands there."""
    BOOT = "boot"
    """That machine was started anew since, and its clock with it."""
    OLDER = "older"
    """It was told of a later token."""
    OVER = "over"
    """It was told that this token is over, and may have stopped everything for it."""
    LONG = "long"
    """No lease lasts for so long."""
    DISK = "disk"
    """It could not be written down for the guard."""


def refused(told: Validity | None, offered: Validity, ttl: float, now: float) -> Refusal | None:
    """Return why the guard of this machine, which was last `told` that, is not told what is `offered`; None: it is.

    `ttl`: seconds that a lease lasts; `now`: this machine's CLOCK_BOOTTIME. A token that is over stays so: the word of
    it may have come first, and what was sent before it may still be under way.
    """
    if told is not None and offered.token < told.token:
        return Refusal.OLDER
    if told is not None and offered.token == told.token and told.until <= 0 < offered.until:
        return Refusal.OVER
    return Refusal.LONG if offered.until > now + ttl else None


def latest(told: Validity | None, offered: Validity, ttl: float, now: float) -> Validity:
    """Return what the guard of this machine goes by once it is told what is `offered`, which was not refused.

    What it was told of the same token before is true until its end, or it would not have been told so. So what was held
    up on the way takes nothing from what came before it: else a line that delivers late what was given up long ago
    would stop a site that holds its lease. Only the word that a token is over does.
    """
    if told is None or told.token != offered.token or not 0 < offered.until < told.until <= now + ttl:
        return offered
    return told


@dataclass(frozen=True, slots=True)
class Heard:
    """What a guard may have heard of a lease from us.

    `token`: the highest. `until`: the second of our clock until which it goes on at the latest, by all that was ever
    sent. `over_at`: the second of our clock by which it had been told that `token` is over; None while it was not.
    """

    token: int
    until: float
    over_at: float | None = None


def after_telling(heard: Heard | None, belief: Belief) -> Heard:
    """Return what a guard may have heard once `belief` is on its way to it."""
    before = 0.0 if heard is None else heard.until
    token = belief.token if heard is None else max(heard.token, belief.token)
    return Heard(token, max(before, belief.valid_until))


def after_ending(heard: Heard | None, token: int, at: float) -> Heard:
    """Return what a guard has heard after it was told, by the second `at`, that `token` is over.

    Whatever was sent of that token before, or of an older one, counts for nothing there from then on.
    """
    if heard is not None and heard.token > token:
        return heard
    return Heard(token, 0.0 if heard is None else min(heard.until, at), at)


def may_tell(heard: Heard | None, belief: Belief | None, now: float) -> bool:
    """Return whether a guard may be told of `belief` at `now`: one that has lapsed or is over is none."""
    if belief is None or now >= belief.valid_until:
        return False
    return heard is None or belief.token > heard.token or (belief.token == heard.token and heard.over_at is None)


@dataclass(frozen=True, slots=True)
class GuardSeen:
    """What the guard of one plan leaves behind, as the machine it stands on reads it.

    `told`: what it was last told. `stopped`: the token up to which its record says that all is seen stopped. `phase`,
    `token`: of its sign of life, None while it gives none.
    """

    told: Validity | None = None
    stopped: int | None = None
    phase: Phase | None = None
    token: int | None = None

    @property
    def holds(self) -> int | None:
        """The token for which it holds now, as it says itself."""
        return self.token if self.phase is Phase.HOLDING else None

    @property
    def spent(self) -> int | None:
        """The token that it stops for, or has, as it says itself: it never holds for that one again."""
        return None if self.phase is Phase.HOLDING else self.token
