"""The draft of the next update: what it would say if it left on its minute as things stand, and who may change that.

Nothing that leaves by itself waits for a draft. A person's words are an event of the incident, which the message
carries if it was there when the message was written.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from alerts.notice import Audience, NoticeKey, Planned, Step
from alerts.privacy import LONGEST
from alerts.protocol import NOBODY_ON_DUTY, Protocol, draft_ready_at, due, next_update
from monitor.core.draft import Draft, draft_event
from monitor.core.events import Event
from monitor.core.incident import Incident, Refused
from monitor.core.rota import Roster
from monitor.core.text import say


@dataclass(frozen=True, slots=True)
class Slot:
    """The update to come: the `n`th of the grid, due at `due_at`; its draft is shown to people from `ready_at` on."""

    n: int
    due_at: datetime
    ready_at: datetime


def next_slot(protocol: Protocol, incident: Incident, now: datetime) -> Slot:
    """Return the next update to the client. Raises Refused when none is to come."""
    at, every, began = next_update(protocol, incident, now), protocol.update_every, incident.disrupted_at
    if at is None or every is None or began is None:
        raise Refused(say("No update to the client is to come of incident {id}: there is no draft.", id=incident.id))
    return Slot((at - began) // every, at, draft_ready_at(protocol, at))


def update_at(
    protocol: Protocol,
    incident: Incident,
    sent: Collection[NoticeKey],
    slot: Slot,
    roster: Roster = NOBODY_ON_DUTY,
) -> tuple[Planned, ...]:
    """Return what will be written for `slot` if nothing changes until then, for each of its readers."""
    planned = due(protocol, incident, sent, slot.due_at, roster)
    return tuple(plan for plan in planned if plan.key.step is Step.UPDATE and plan.key.n == slot.n)


def edited(
    protocol: Protocol,
    incident: Incident,
    sent: Collection[NoticeKey],
    draft: Draft,
) -> Event:
    """Return the event of `draft`, whose `n` is 0 for whichever update is next.

    Raises Refused when none is to come, when the one that is meant was written already, and for words that are too
    long. `draft.due_at` is replaced by the moment of the slot.
    """
    slot = _slot_meant(protocol, incident, sent, draft)
    if len(draft.words) > LONGEST:
        text = say(
            "The words are {length} characters long; at most {most} go out.", length=len(draft.words), most=LONGEST
        )
        raise Refused(text)
    return draft_event(incident.id, Draft(slot.n, slot.due_at, draft.words, draft.actor, draft.at))


def _slot_meant(protocol: Protocol, incident: Incident, sent: Collection[NoticeKey], draft: Draft) -> Slot:
    """The slot of `draft`: one that was reached counts as long as its message is not written."""
    following = next_slot(protocol, incident, draft.at)
    if draft.n in (0, following.n):
        return following
    every, began = protocol.update_every, incident.disrupted_at
    if every is None or began is None:
        return following
    meant = began + draft.n * every
    written = any(
        key.incident == incident.id and key.audience is Audience.CLIENT and key.step is Step.UPDATE and key.n >= draft.n
        for key in sent
    )
    if draft.n == following.n - 1 and not written:
        return Slot(draft.n, meant, draft_ready_at(protocol, meant))
    if draft.n < following.n:
        raise Refused(
            say(
                "The update of {at} has been written: your words would no longer reach anybody. The next one is that "
                "of {following}; `releve incident draft edit {id}` changes it.",
                at=meant,
                following=following.due_at,
                id=incident.id,
            )
        )
    raise Refused(
        say("The next update is that of {following}, no other can be changed yet.", following=following.due_at)
    )
