"""Soft and hard state of one check, as a pure function of what was seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from monitor.core.flapping import FlappingPolicy, pushed, wavers
from monitor.core.ids import CheckId
from monitor.core.text import Text
from monitor.core.verdict import Severity

NOTHING = Text("")


class Phase(StrEnum):
    """Whether the last result agrees with what we believe."""

    SOFT = "soft"
    HARD = "hard"


@dataclass(frozen=True, slots=True)
class ConfirmPolicy:
    """How many consecutive results it takes to believe a change for the worse, and for the better."""

    confirm: int = 3
    recover: int = 1


@dataclass(frozen=True, slots=True)
class Health:
    """What we believe of a check (`confirmed`) beside what it last said (`latest`).

    `run` counts the consecutive results of the class of `latest` (good, bad, blind), `fails` those that were not
    OK. `began_at` is the first result of the confirmed state, so that an incident lasts from its first failure and
    not from when we could not see; `turned_at` the first result of the present run; `ok_at` when the look began that
    last showed OK. `down`: the last bad result said that the thing itself is off or out of reach; an OK that is not
    yet believed takes nothing of that back. `summary`: the last result's own words. `changes`: which of the last
    results differed from the one before (`flapping.pushed`), what we could not see left out, for which `known` is the
    last that we saw; `flapping`: it wavers. `levels`: the metrics that are held above OK by their margin.
    `graded_at`: the first of the consecutive results that are just as bad as the latest.
    """

    confirmed: Severity
    latest: Severity
    run: int
    fails: int
    began_at: datetime
    turned_at: datetime
    seen_at: datetime
    ok_at: datetime | None = None
    down: bool = False
    summary: Text = NOTHING
    changes: int = 0
    known: Severity | None = None
    flapping: bool = False
    levels: tuple[tuple[str, Severity], ...] = ()
    graded_at: datetime | None = None

    @property
    def phase(self) -> Phase:
        """SOFT while the last result is on another side than belief."""
        agree = self.latest is self.confirmed or _side(self.latest) is _side(self.confirmed)
        return Phase.HARD if agree else Phase.SOFT

    @property
    def confirmed_down(self) -> bool:
        """Whether we believe that the thing is off or out of reach."""
        return self.confirmed is Severity.CRITICAL and self.down

    @property
    def explains(self) -> bool:
        """Whether it explains what fails behind it: it is believed to be down, or is down time and again."""
        return self.down and (self.flapping or self.confirmed is Severity.CRITICAL)

    @property
    def well(self) -> bool:
        """Whether it is OK, in belief and as last seen, and does not waver."""
        return self.confirmed is Severity.OK and self.latest is Severity.OK and not self.flapping

    @property
    def failing_since(self) -> datetime:
        """Since when it fails; of one that only wavers, or is not believed yet, since it last turned."""
        return self.turned_at if self.confirmed is Severity.OK else self.began_at

    @property
    def as_bad_since(self) -> datetime:
        """Since when it is as bad as it is: what was slow and is off now may be off for another reason."""
        if self.latest is not Severity.CRITICAL:
            return self.failing_since
        return max(self.failing_since, self.graded_at or self.began_at)


@dataclass(frozen=True, slots=True)
class HealthChanged:
    """Belief went from `before` to `after` at `at`; the first result that said so was seen at `began_at`."""

    check: CheckId
    before: Severity
    after: Severity
    began_at: datetime
    at: datetime


class _Side(StrEnum):
    GOOD = "good"
    BAD = "bad"
    BLIND = "blind"


_SIDES = tuple(
    _Side.GOOD if one is Severity.OK else _Side.BLIND if one is Severity.UNKNOWN else _Side.BAD for one in Severity
)
"""By the number of the severity, since each result asks several times."""


def _side(severity: Severity) -> _Side:
    return _SIDES[severity]


def advance(
    check: CheckId,
    health: Health | None,
    seen: Severity,
    policy: ConfirmPolicy,
    now: datetime,
    *,
    down: bool = False,
    flapping: FlappingPolicy | None = None,
    summary: Text = NOTHING,
    levels: tuple[tuple[str, Severity], ...] = (),
    looked_at: datetime | None = None,
) -> tuple[Health, tuple[HealthChanged, ...]]:
    """Return the health of `check` after the result `seen` at `now`, and the change if belief changed.

    1. OK is believed after `recover` consecutive OKs.
    2. WARNING or CRITICAL is believed after `confirm` consecutive results of these two; between them belief moves
       at once, because nobody waits for a third CRITICAL once WARNING is believed.
    3. UNKNOWN is believed after `confirm` consecutive UNKNOWNs, and over OK also after `confirm` results that were
       not OK but did not agree: something is wrong, and we cannot say what.
    4. It flaps as the window of its last results says under the policy `flapping`; what we cannot see is no change.

    `summary`, `levels`: what the result says besides, kept as it is. `looked_at`: when the look began, if not `now`.
    """
    if health is None:
        health = Health(Severity.OK, Severity.OK, 0, 0, now, now, now)
    good, side = seen is Severity.OK, _side(seen)
    run = health.run + 1 if side is _side(health.latest) else 1
    changes, known, wavering = _window(health, seen, flapping)
    noted = Health(  # each result comes through here, and `replace` would take three times as long
        confirmed=health.confirmed,
        latest=seen,
        run=run,
        fails=0 if good else health.fails + 1,
        began_at=health.began_at,
        turned_at=now if run == 1 else health.turned_at,
        seen_at=now,
        ok_at=(looked_at or now) if good else health.ok_at,
        down=down and seen is Severity.CRITICAL if side is _Side.BAD else health.down,
        summary=summary,
        changes=changes,
        known=known,
        flapping=wavering,
        levels=levels,
        graded_at=health.graded_at if seen is health.latest and health.graded_at is not None else now,
    )
    after = _belief(noted, policy)
    if after is health.confirmed:
        return noted, ()
    crossed = _side(after) is not _side(health.confirmed)
    began_at = noted.turned_at if crossed else health.began_at
    believed = replace(noted, confirmed=after, began_at=began_at)
    return believed, (HealthChanged(check, health.confirmed, after, began_at, now),)


def _window(health: Health, seen: Severity, policy: FlappingPolicy | None) -> tuple[int, Severity | None, bool]:
    """Return the window of changes after the result `seen`, what was last seen, and whether that is flapping."""
    if policy is None or seen is Severity.UNKNOWN:
        return health.changes, health.known, health.flapping
    changes = pushed(health.changes, changed=health.known is not None and seen is not health.known)
    if changes == health.changes and seen is health.known:
        return changes, seen, health.flapping and policy.enabled
    return changes, seen, wavers(changes, policy, before=health.flapping)


def _belief(health: Health, policy: ConfirmPolicy) -> Severity:
    before, seen = health.confirmed, health.latest
    if seen is Severity.OK:
        return seen if health.run >= policy.recover else before
    if _side(seen) is _Side.BAD:
        if _side(before) is _Side.BAD or health.run >= policy.confirm:
            return seen
    elif health.run >= policy.confirm:
        return seen
    if before is Severity.OK and health.fails >= policy.confirm:
        return Severity.UNKNOWN
    return before


def not_after(health: Health, now: datetime) -> Health:
    """Return `health` with no moment later than `now`: for a clock that was set back."""
    if max(health.began_at, health.turned_at, health.seen_at) <= now:
        return health
    return replace(
        health,
        began_at=min(health.began_at, now),
        turned_at=min(health.turned_at, now),
        seen_at=min(health.seen_at, now),
        ok_at=None if health.ok_at is None else min(health.ok_at, now),
        graded_at=None if health.graded_at is None else min(health.graded_at, now),
    )


def released(health: Health, now: datetime) -> Health:
    """Return `health` with its bad belief withdrawn: what explained the failure is gone, so it must be seen anew."""
    return replace(health, confirmed=Severity.OK, run=0, fails=0, began_at=now, turned_at=now)
