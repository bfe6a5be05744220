"""A grid of messages: one on every multiple of a length of time since something began."""

from __future__ import annotations

from datetime import datetime, timedelta

MOST_SLOTS = 500
"""Slots of a grid that are made good for after Relève itself was out: three weeks of hours. With a grid of seconds,
days of them would keep the daemon from starting, and no message could name them."""
AT_THE_END = timedelta(seconds=5)
"""An end that comes so soon after a slot of the grid is itself what the client is told then."""


def end_stands_for(every: timedelta | None) -> timedelta:
    """Return how long before the end a slot may have been due for which the end's message stands without a word."""
    return min(AT_THE_END, (every or AT_THE_END) / 10)


def next_moment(began: datetime, every: timedelta, now: datetime, first: int = 1) -> datetime:
    """Return the moment of the grid after `now`, of its slots from number `first` on."""
    return began + max(first, (now - began) // every + 1) * every


def slots(began: datetime, every: timedelta, first: int, until: datetime) -> list[tuple[int, datetime]]:
    """Return number and moment of the slots from number `first` on, up to `until`: the last MOST_SLOTS of them."""
    last = (until - began) // every
    return [(n, began + n * every) for n in range(max(first, last - MOST_SLOTS + 1), last + 1)]
