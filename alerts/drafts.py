"""The draft of the next update: what it would say if it left on its minute as things stand, and who may change that.

Nothing that leaves by itself waits for a draft. A person's words are an event of the incident, which the message
carries if it was there when the message was written.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from alerts.agreement import Protocol
from alerts.notice import Audience, NoticeKey, Planned, Step
from alerts.privacy import LONGEST
from alerts.protocol import NOBODY_ON_DUTY, due
from alerts.slots import Slot, next_slot, reached
from monitor.core.draft import Draft, draft_event
from monitor.core.events import Event
from monitor.core.incident import Incident, Refused
from monitor.core.rota import Roster
from monitor.core.text import say

AS_WRITTEN = timedelta(milliseconds=1)
"""Moments are told to people and programs to the millisecond."""
DRAFTED = frozenset({Step.UPDATE, Step.CRISIS_REPORT})
"""What leaves by the clock and may be given words."""


def slot_to_come(protocol: Protocol, incident: Incident, now: datetime) -> Slot:
    """Return what the client is told next by the clock. Raises Refused when nothing is to come."""
    slot = next_slot(protocol, incident, now)
    if slot is None:
        raise Refused(say("No update to the client is to come of incident {id}: there is no draft.", id=incident.id))
    return slot


def messages_at(
    protocol: Protocol,
    incident: Incident,
    sent: Collection[NoticeKey],
    slot: Slot,
    roster: Roster = NOBODY_ON_DUTY,
) -> tuple[Planned, ...]:
    """Return what will be written to the client for `slot` if nothing changes until then, for each of its readers."""
    planned = due(protocol, incident, sent, slot.due_at, roster)
    return tuple(
        plan
        for plan in planned
        if plan.key.audience is Audience.CLIENT and plan.key.step in DRAFTED and plan.due_at == slot.due_at
    )


def edited(
    protocol: Protocol,
    incident: Incident,
    sent: Collection[NoticeKey],
    draft: Draft,
    *,
    meant: datetime | None = None,
) -> Event:
    """Return the event of `draft`, whose moment is the one that is `meant`, the next one where none is.

    Raises Refused when none is to come, when what is meant was written already, and for words that are too long.
    """
    slot = _slot_meant(protocol, incident, sent, draft.at, meant)
    if len(draft.words) > LONGEST:
        length, most = len(draft.words), LONGEST
        raise Refused(say("The words are {length} characters long; at most {most} go out.", length=length, most=most))
    return draft_event(incident.id, Draft(slot.due_at, draft.words, draft.actor, draft.at))


def _slot_meant(
    protocol: Protocol, incident: Incident, sent: Collection[NoticeKey], now: datetime, meant: datetime | None
) -> Slot:
    """The slot of a draft: one that was reached counts as long as its message is not written."""
    following = slot_to_come(protocol, incident, now)
    if meant is None or abs(following.due_at - meant) < AS_WRITTEN:
        return following
    for slot in reached(protocol, incident, now):
        if abs(slot.due_at - meant) < AS_WRITTEN and not _written(incident, sent, slot):
            return slot
    if meant > following.due_at:
        text = say("The next update is that of {following}, no other can be changed yet.", following=following.due_at)
        raise Refused(text)
    raise Refused(
        say(
            "The update of {at} has been written: your words would no longer reach anybody. The next one is that "
            "of {following}; `releve incident draft edit {id}` changes it.",
            at=meant,
            following=following.due_at,
            id=incident.id,
        )
    )


def _written(incident: Incident, sent: Collection[NoticeKey], slot: Slot) -> bool:
    return any(key.incident == incident.id and key.step is slot.step and key.n >= slot.n for key in sent)
