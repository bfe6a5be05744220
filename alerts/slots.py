"""When the client is told something next by the clock, and from when on people may read what that will be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts import crisis
from alerts.agreement import Protocol
from alerts.grid import next_moment
from alerts.notice import Step
from monitor.core.incident import Incident

DRAFT_BEFORE = timedelta(minutes=10)
"""From when on an update counts as drafted: time to read it and to add a sentence."""
DRAFT_SHARE = 6
"""A draft is shown no earlier than this part of the time between two updates."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A message by the clock: which, the `n`th of its grid, due at `due_at`, shown to people from `ready_at` on."""

    step: Step
    n: int
    due_at: datetime
    ready_at: datetime


def next_update(protocol: Protocol, incident: Incident, now: datetime) -> datetime | None:
    """Return when the client is told next if nothing changes; None when no update is to come."""
    began, every = incident.disrupted_at, protocol.update_every
    if not incident.open or incident.disruption_seen_at is None or began is None:
        return None
    if every is None or not protocol.update_to:
        return None
    return next_moment(began, every, now)


def next_slot(protocol: Protocol, incident: Incident, now: datetime) -> Slot | None:
    """Return what the client is told next by the clock, an update before a report of the same moment; None for none."""
    update_at, report_at = next_update(protocol, incident, now), crisis.next_report(protocol, incident, now)
    slots = [
        _slot(protocol, incident, step, at)
        for step, at in ((Step.UPDATE, update_at), (Step.CRISIS_REPORT, report_at))
        if at is not None
    ]
    return min((slot for slot in slots if slot is not None), key=lambda slot: slot.due_at, default=None)


def reached(protocol: Protocol, incident: Incident, now: datetime) -> tuple[Slot, ...]:
    """Return the last slot of each grid that was reached by `now`, whether its message is written or not."""
    began, found = incident.disrupted_at, []
    for step in (Step.UPDATE, Step.CRISIS_REPORT):
        every = _every(protocol, step)
        if began is not None and every is not None and now - began >= every:
            found.append(_slot(protocol, incident, step, began + (now - began) // every * every))
    return tuple(slot for slot in found if slot is not None)


def _slot(protocol: Protocol, incident: Incident, step: Step, at: datetime) -> Slot | None:
    began, every = incident.disrupted_at, _every(protocol, step)
    if began is None or every is None:
        return None
    lead = min(protocol.draft_before or DRAFT_BEFORE, every / DRAFT_SHARE)
    return Slot(step, (at - began) // every, at, at - lead)


def _every(protocol: Protocol, step: Step) -> timedelta | None:
    return protocol.update_every if step is Step.UPDATE else protocol.crisis_every
