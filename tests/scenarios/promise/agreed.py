"""What the parties agreed, and what becomes of one incident under it: the nouns of the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

OK, WARNING, CRITICAL = "ok", "warning", "critical"
RANK = {OK: 0, WARNING: 1, CRITICAL: 2}
ALL = "all"

Owed = tuple[str, str, int, datetime, tuple[str, ...]]
"""Audience, step, number, due moment and readers of a message."""


class Fate(StrEnum):
    """What becomes of a message."""

    TOLD = "told"
    MISSED = "missed"
    """Its time passed; a later one names it."""
    UNDELIVERABLE = "undeliverable"
    """The inventory no longer has its reader."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What `protocol:` and `operations:` say, and who stands under `contacts:`."""

    first_to: tuple[str, ...] = ("att",)
    within: timedelta = timedelta(seconds=30)
    every: timedelta | None = timedelta(minutes=60)
    update_to: tuple[str, ...] = ("att",)
    call_after: timedelta | None = timedelta(minutes=60)
    call_to: tuple[str, ...] = ("ocm", "att")
    reports_every: timedelta | None = timedelta(minutes=60)
    reports_to: tuple[str, ...] = ("ocm", "att")
    resolved_to: tuple[str, ...] = (ALL,)
    live: bool = True
    long_after: timedelta = timedelta(hours=6)
    operations: tuple[str, ...] = ("admin",)
    contacts: tuple[str, ...] = ("admin", "chief", "att", "ocm", "crisis")


@dataclass(frozen=True, slots=True)
class Row:
    """One message. `gap`, `reports`: the minutes of the updates and of the crisis cell's reports that it stands for;
    `at`: when it was written."""

    fate: Fate
    due: datetime
    gap: tuple[datetime, ...]
    reports: tuple[datetime, ...]
    at: datetime


@dataclass(slots=True)
class Story:
    """One incident. `since`: the minute from which the client's grid counts; `told_from`: when this episode was seen to
    interrupt the client, None while it does not."""

    name: str
    check: str
    client: bool
    rules: Rules
    severity: str
    worst: str
    episode_at: datetime
    episode: int = 1
    worsened_at: datetime | None = None
    worsenings: int = 0
    since: datetime | None = None
    told_from: datetime | None = None
    slot: int = 0
    """The last slot of the grid about which something was written."""
    reported: int = 0
    """The last slot of the crisis cell's reports."""
    in_charge_until: datetime | None = None
    in_charge_for: str = ""
    """Of which severity somebody took charge; empty while nobody is on it."""
    lapses: int = 0
    cause: str = ""
    news: list[datetime] = field(default_factory=list)
    """When what an invitation says changed: another cause, or worse than ever."""
    ended: datetime | None = None
    owed: list[Owed] = field(default_factory=list)
    """What was missed when it ended while the hour was not certain: it is entered once it is."""


@dataclass(slots=True)
class Soft:
    """What was seen of a check and is not believed: how many bad looks in a row, and when the first was."""

    bad: int = 0
    first: datetime | None = None
    believed: bool = False
