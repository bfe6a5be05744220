"""A site that stands while nobody leads it: its Relève is gone, its lease lapsed, and its guard stops the group. Pure.

The voters alone see it down then, and everybody else up, which is no reason to leave a site: what runs there may work.
It is one once the group is known not to work there. That is known in two ways, and neither is the silence of a Relève:

- by the guard: its record says so, or it is seen to run and the lease is over for as long as it takes to stop all;
- by the service: all that verifies it there fails, seen by whoever sees the site itself up, and an incident that the
  plan answers says the same.

Nothing here makes a second active site impossible. The fences do, whatever is believed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from failover.fences import DRIFT
from failover.ground import Group
from failover.vantage import VOTERS, Sight, Sighted
from monitor.core.text import Text, say


def stands_unled(sighted: Sighted) -> bool:
    """Return whether its lease alone speaks against a site, which is seen up otherwise."""
    return sighted.sight is Sight.SPLIT and sighted.down == (VOTERS,)


def known_idle(group: Group) -> bool:
    """Return whether `group` is known not to work at the site that stands unled."""
    return group.stopped is not None or (group.failing and group.incident is not None)


@dataclass(frozen=True, slots=True)
class Guarding:
    """What is known of the guard of a site.

    `token`: of the lapsed lease, as the voters have it, or had it before we took it; `stopped`: up to which its record
    says that all is stopped, None where it does not say so or cannot be read. `runs`: whether the check of it has just
    seen it run; `within`: its `stops_within`. `still`: for how long the lease is not renewed, None where nobody knows;
    `ttl`: after which it ends.
    """

    token: int | None
    stopped: int | None
    runs: bool
    within: timedelta
    still: timedelta | None
    ttl: timedelta


def stopped_by(known: Guarding) -> Text | None:
    """Return by what the guard is known to have stopped the group, for people; None where that is not known."""
    if known.token is not None and known.stopped is not None and known.stopped >= known.token:
        return say("the record of its guard says that all is stopped there")
    if known.runs and known.still is not None and known.still >= known.ttl + known.within * (1 + DRIFT):
        return say("its guard runs, and has had the time to stop all there ({span})", span=known.within)
    return None
