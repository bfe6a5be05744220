"""That the active Relève is gone and the one that stood by cannot go on: what of it is told, and to whom again when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.core.ids import IncidentId
from monitor.core.text import Text

NAMED = IncidentId("peer")
"""Stands in the keys of these messages, which are about no incident."""
REMIND = timedelta(hours=1)
"""Between two messages to the same person, as long as it lasts."""


@dataclass(frozen=True, slots=True)
class Told:
    """When somebody was told last (UTC), and how often so far."""

    at: datetime
    times: int


@dataclass(frozen=True, slots=True)
class Unrelieved:
    """That nobody is the active Relève, `since` when (UTC), and `why` not the one here (`here`, `other`: sites)."""

    since: datetime
    why: Text
    other: str
    here: str


def due(people: Iterable[str], told: Mapping[str, Told], now: datetime) -> tuple[str, ...]:
    """Return who of `people` is to be told at `now`; by a clock that was set back, once more."""
    return tuple(one for one in people if one not in told or abs(now - told[one].at) >= REMIND)
