"""Could we lose data now, and how much: out of the measured lags of what a group needs. Pure.

A lag says how far behind a copy was when somebody looked. Since then the primary may have gone on by as much again as
the figure is old, so what may be lost is the lag and the age of the figure together. That bound holds however old the
figure is, as long as the copy is intact; but a figure that should have been renewed says that nobody can see, and then
nothing is promised.

"None" is said of a copy for which every commit waits, and only where the voters were told so: what a primary that
nobody reaches any more says of itself may have changed a moment before it was lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from failover.model import DataSetId
from monitor.core.text import Text, say

MISSED = 2
"""Observations in a row that may be lacking before a figure counts as stale: one lost answer is no news."""
NOTHING = timedelta(0)
LEAST = timedelta(seconds=1)
"""What may be lost of a copy for which no commit waits, however fresh its figure: it was taken before it was read."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of the copy of one data set.

    `lag`, measured at `at` (UTC): the last figure that anybody had, None if there never was one; an observation that
    could not tell leaves it as it was and makes `blind` True. `every`: how often it is measured. `synchronous`: whether
    every commit waited for the copy when it was last measured. `promised_at`: when the voters were told that it does
    (UTC); None if they were not, or it was taken back, which must come before it is no longer so. `title`: what people
    call the data set; empty for its name.
    """

    data: DataSetId
    every: timedelta
    lag: timedelta | None = None
    at: datetime | None = None
    blind: bool = False
    synchronous: bool | None = None
    promised_at: datetime | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class Loss:
    """What would be lost if the copies had to do now.

    `at_most`: the time whose changes may be lacking, None where there is no bound. `of`: the data sets that make it so.
    `known`: whether fresh figures say so; if not, `at_most` is only what an old one allows. `measured_at`: when the
    oldest figure of `of` was taken (UTC), None if one of them never was. `titles`: what people call those of `of`.
    """

    at_most: timedelta | None
    of: tuple[DataSetId, ...]
    known: bool
    measured_at: datetime | None = None
    titles: tuple[str, ...] = field(default=(), compare=False)

    @property
    def none(self) -> bool:
        """Whether it is certain that nothing would be lost."""
        return self.known and self.at_most == NOTHING

    @property
    def text(self) -> Text:
        """The one line for people."""
        names = ", ".join(dict.fromkeys(self.titles or self.of))
        if not self.of:
            return say("nobody can say what would be lost: there is no data set")
        if self.none:
            return say("no data would be lost: every change of {names} waits for its copy", names=names)
        if self.known and self.at_most is not None:
            return say("at most the last {span} of {names} would be lost", span=self.at_most, names=names)
        if self.at_most is None or self.measured_at is None:
            return say("nobody can say what would be lost: there is no figure of {names}", names=names)
        return say(
            "nobody can say what would be lost: {names} was last measured at {time}. If the copy is intact, at most "
            "the last {span}",
            names=names,
            time=self.measured_at,
            span=self.at_most,
        )


def loss(measured: Iterable[Measured], now: datetime) -> Loss:
    """Return what a group with these data sets would lose at `now` (UTC): the worst of them, not known if one is not.

    A group without data sets is not known either: whoever writes none has not thought of them.
    """
    each = [loss_of(one, now) for one in measured]
    worst = [one for one in each if not one.known] or each
    if not worst:
        return Loss(None, (), known=False)
    spans = [one.at_most for one in each if one.at_most is not None]
    at_most = max(spans) if len(spans) == len(each) else None
    if worst[0].known:
        worst = [one for one in worst if one.at_most == at_most]
    elif at_most is None:
        worst = [one for one in worst if one.at_most is None]
    times = [one.measured_at for one in worst if one.measured_at is not None]
    return Loss(
        at_most,
        tuple(name for one in worst for name in one.of),
        known=worst[0].known,
        measured_at=min(times) if len(times) == len(worst) else None,
        titles=tuple(title for one in worst for title in one.titles),
    )


def loss_of(measured: Measured, now: datetime) -> Loss:
    """Return what would be lost of one data set at `now` (UTC)."""
    names, titles = (measured.data,), (measured.title or str(measured.data),)
    if _is_promised(measured):
        return Loss(NOTHING, names, known=True, measured_at=measured.at, titles=titles)
    if measured.lag is None or measured.at is None or measured.at > now:
        # A figure from the future is one from before the clock was set back: nobody can say how old it is.
        return Loss(None, names, known=False, titles=titles)
    age = now - measured.at
    at_most = max(max(measured.lag, NOTHING) + age, LEAST)
    fresh = not measured.blind and age <= MISSED * measured.every
    return Loss(at_most, names, known=fresh, measured_at=measured.at, titles=titles)


def _is_promised(measured: Measured) -> bool:
    """Whether the voters hold that every commit waits, and nothing that was seen since contradicts them."""
    if measured.promised_at is None:
        return False
    contradicted = measured.synchronous is False and measured.at is not None and measured.at >= measured.promised_at
    return not contradicted
