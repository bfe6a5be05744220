"""When the client is told something next by the clock, and from when on people may read what that will be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts import crisis
from alerts.agreement import Protocol
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


def next_slot(protocol: Protocol, incident: Incident, update_at: datetime | None, now: datetime) -> Slot | None:
    """Return what the client is told next by the clock, an update before a report of the same moment; None for nothing.

    `update_at`: when its next update is due.
    """
    report_at = crisis.next_report(protocol, incident, now)
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
