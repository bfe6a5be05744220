"""The next update as it would leave on its minute: written by the same hand as the update itself, and not sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from alerts.drafts import edited, messages_at, slot_to_come
from alerts.notice import Notice
from alerts.slots import Slot
from monitor.core.draft import Draft, draft_for
from monitor.core.events import Event
from monitor.core.ids import IncidentId
from monitor.core.incident import Incident, Refused
from monitor.core.text import say
from monitor.daemon.beliefs import legible
from monitor.daemon.desk import Desk


@dataclass(frozen=True, slots=True)
class Preview:
    """The update of `slot` as it stands, for each reader, and the words that a person gave for it."""

    incident: Incident
    slot: Slot
    draft: Draft | None
    notices: tuple[Notice, ...]


def draft_of(desk: Desk, name: IncidentId) -> Preview:
    """Return the next update about an incident, as it will be written on its minute if nothing changes.

    Raises Refused when none is to come.
    """
    incident, now = desk.state.incidents.get(name), desk.clock.now()
    if incident is None:
        raise Refused(say("No update to the client is to come of incident {id}: there is no draft.", id=name))
    protocol = desk.protocols.get(name, desk.inventory.protocol)
    slot = slot_to_come(protocol, incident, now)
    then = replace(desk.moment(desk.state, now), now=slot.due_at)
    planned = messages_at(protocol, incident, desk.sent.get(name, ()), slot, desk.roster)
    notices = tuple(desk.letters.write(plan, incident, protocol, then) for plan in planned)
    return Preview(incident, slot, draft_for(incident.drafts, (slot.due_at,)), notices)


async def give_words(desk: Desk, name: IncidentId, actor: str, words: str, meant: datetime | None = None) -> Preview:
    """Record what `actor` adds to what is due at the moment `meant`, else to the next, and return what is next then.

    Empty `words` take back those given before. Raises Refused for words that come too late, and for too many.
    """

    def give(incident: Incident, now: datetime) -> Event:
        protocol = desk.protocols.get(name, desk.inventory.protocol)
        draft = Draft(now, legible(words).strip(), actor, now)
        return edited(protocol, incident, desk.sent.get(name, ()), draft, meant=meant)

    await desk.act(name, actor, "draft", give)
    return draft_of(desk, name)
