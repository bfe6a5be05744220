"""For how long a group has rested since a move, whatever its clock was set to meanwhile. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from failover.ground import Move


def at_least_ago(move: Move, now: datetime, known: timedelta) -> Move:
    """Return `move` put back to where it ended `known` before `now`, as a whole; one that did so anyway as it is.

    `known`: for how long it has been known to be over, by a clock that nobody sets (CLOCK_BOOTTIME). It cannot have
    ended later than when that began, so that a group never moves again sooner than the plan says. Where the clock was
    set back since, its end may be in the future, and the group would rest longer by the step.
    """
    back = move.ended_at - (now - known)
    if back <= timedelta(0):
        return move
    return replace(move, began_at=move.began_at - back, ended_at=move.ended_at - back)
