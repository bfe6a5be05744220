"""Quiet hours: a warning that interrupts nothing wakes nobody; in the morning its reader has one message, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from alerts.notice import Step
from monitor.core.incident import Incident
from monitor.core.rota import instant

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Quiet:
    """From `start` to `end`, times of the day in `zone`; to the next day where `end` is not later."""

    start: time
    end: time
    zone: ZoneInfo

    def end_of(self, at: datetime) -> datetime | None:
        """Return when the quiet hours end in which `at` lies, UTC; None where it lies in none."""
        today = at.astimezone(self.zone).date()
        for day in (today - _DAY, today):
            ends = instant(day if self.end > self.start else day + _DAY, self.end, self.zone)
            if instant(day, self.start, self.zone) <= at < ends:
                return ends
        return None


def quiet_to_json(quiet: Quiet) -> dict[str, Any]:
    """Return `quiet` as JSON-ready data; `quiet_from_json` gives it back equal."""
    return {"start": quiet.start.isoformat(), "end": quiet.end.isoformat(), "zone": str(quiet.zone)}


def quiet_from_json(data: Mapping[str, Any]) -> Quiet:
    """Return the quiet hours that `quiet_to_json` wrote."""
    return Quiet(time.fromisoformat(data["start"]), time.fromisoformat(data["end"]), ZoneInfo(data["zone"]))


@dataclass(frozen=True, slots=True)
class Reason:
    """Something of which our own people `to` are to be told, which arose `at`."""

    step: Step
    at: datetime
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a reason now. `until`: it was kept back until then. `skipped`: nobody is told of it any more."""

    until: datetime | None = None
    skipped: bool = False


def fates(
    quiet: Quiet, incident: Incident, reasons: Sequence[Reason], now: datetime, *, first_told: bool
) -> list[Fate | None]:
    """Return what becomes of each of `reasons`, of which nobody has been told, at `now`; None: it waits.

    1. A reason that arises in the quiet hours waits for their end, as long as the incident is no worse than a warning
       and does not interrupt the client's service; once it is or does, nothing of it waits.
    2. Of what has waited, a reader gets the latest alone, and none where something newer is told them now. That a
       person is needed is told in any case.
    3. What is over before anybody was told of it (`first_told`) is told to nobody.

    The answer depends on nothing but what is kept: a late tick or a restart in the night changes nothing.
    """
    loud_at = incident.urgency.loud_at
    ends = [quiet.end_of(one.at) if loud_at is None or one.at < loud_at else None for one in reasons]
    waits = [end is not None and end > now and loud_at is None for end in ends]
    kept = [one.step for one, end in zip(reasons, ends, strict=True) if end is not None]
    if not incident.open and loud_at is None and not first_told and Step.FIRST_NOTICE in kept:
        return [Fate(skipped=True) for _ in reasons]
    told = [(one.at, n) for n, one in enumerate(reasons) if not waits[n]]
    found: list[Fate | None] = []
    for n, (one, end) in enumerate(zip(reasons, ends, strict=True)):
        newer = (reasons[m] for at, m in told if (at, m) > (one.at, n) or reasons[m].step is Step.PERSON_CALLED)
        stood_for = end is not None and any(set(one.to) <= set(other.to) for other in newer if other is not one)
        until = end if end is None or loud_at is None else min(end, loud_at)
        fate = Fate(until, skipped=stood_for and one.step is not Step.PERSON_CALLED)
        found.append(None if waits[n] else fate)
    return found
