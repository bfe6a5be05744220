"""A move of a group as messages tell it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from alerts.notice import Step
from monitor.core.text import Text

MOVES = frozenset({Step.DEPLOYMENT_PLAN, Step.FAILOVER_REPORT})
"""Messages about a move of a group."""


class Manner(StrEnum):
    """How a group moves: planned, forced because its site is lost, or as an exercise in which nobody is switched."""

    PLANNED = "planned"
    FORCED = "forced"
    DRILL = "drill"


@dataclass(frozen=True, slots=True)
class Part:
    """One phase: what goes on in it, its actions (not for the client), and how long it took; None before that."""

    what: Text
    actions: tuple[Text, ...] = ()
    took: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """A move as messages tell it. `title`: what the group is called; `source`, `target`: what the sites are called.

    `loss`: what may be lost, stated before the word of whoever began it. `due_at`: when it should be over as promised.
    `ok`: how it ended, None before; `how` says it in words, `runs_at` where the group runs then, empty for nowhere.
    `rto`, `rpo`: reached, beside those promised; None where nobody knows. `by`, `reason`: who began it, and why.
    `kept`: every change had waited for its copy, so that nothing is lost with the old site.
    """

    name: str
    title: str
    manner: Manner
    source: str
    target: str
    began_at: datetime
    due_at: datetime
    parts: tuple[Part, ...]
    by: str
    reason: Text | None = None
    loss: timedelta | None = None
    ok: bool | None = None
    how: Text | None = None
    runs_at: str = ""
    ended_at: datetime | None = None
    rto: timedelta | None = None
    rpo: timedelta | None = None
    rto_promised: timedelta | None = None
    rpo_promised: timedelta | None = None
    kept: bool = False
