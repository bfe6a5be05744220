"""What a job says of itself: a backup, an export, anything that runs where nobody looks and calls when it is done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Beat:
    """One call of a job: when it came (UTC), whether it says that it did its work, and its own words, may be empty."""

    at: datetime
    ok: bool = True
    text: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as Relève knows it: since when (UTC), and the last time that it called, None if it never has."""

    known_at: datetime
    last: Beat | None = None


def not_later(job: Job, now: datetime) -> Job:
    """Return `job` with nothing of it after `now`: the clock was set back, and no call comes from the future."""
    last = job.last if job.last is None or job.last.at <= now else replace(job.last, at=now)
    return Job(min(job.known_at, now), last)
