"""Whether a group moves by itself now: what `decide` finds, and under the same checks as a move by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from failover.by_hand import NOBODY, may_start
from failover.decide import decide
from failover.ground import Act, History, Hold, LeaseSeen, Seen, Why
from failover.lease import free_in
from failover.model import Plan, SiteId
from failover.vantage import NO_TITLES, Asking, Kept
from monitor.core.text import Quantity, Text, say, verbatim


def by_itself(
    plan: Plan,
    seen: Seen,
    lease: LeaseSeen,
    history: History,
    now: datetime,
    *,
    untold: Mapping[SiteId, Text] = NOBODY,
) -> Hold | Act:
    """Return whether the group of `plan` moves at `now` without anybody's word: Act never needs one.

    `untold`: as `may_start` takes it. Hold(WORD): nothing but a person's word is missing.
    """
    found = decide(plan, seen, lease, history, now)
    if isinstance(found, Hold):
        return found
    if found.needs_word is not None:
        lift = say("a person who says so: `releve failover run {plan} --forced`", plan=plan.id)
        return Hold(Why.WORD, found.needs_word, lift, found.at)
    checked = may_start(plan, found.direction, seen, lease, history, now, target=found.target, untold=untold)
    return checked if isinstance(checked, Hold) else found


def untakeable(kept: Kept, by: Asking, titles: Mapping[SiteId, str] = NO_TITLES) -> Text | None:
    """Return why the lease could not be taken by whoever asks, as its record is known; None where it could.

    `titles`: what people call the sites.
    """
    if kept.heard is None or by.now - kept.heard > by.fresh or kept.seen is None:
        return say("no majority of the voters says how the lease stands")
    record = kept.record
    if record is not None and record.held and record.holder == by.here:
        return None
    left = free_in(record, kept.seen, by.ttl, by.now)
    if left <= 0:
        return None
    if record is None:
        return say("nobody holds the lease, but somebody may have until just now; free in {time}", time=_span(left))
    return say(
        "{holder} holds the lease; free in {time} if it is not renewed",
        holder=verbatim(titles.get(SiteId(record.holder), record.holder)),
        time=_span(left),
    )


def _span(seconds: float) -> Quantity:
    return Quantity(seconds, "s")
