"""What a person adds to the next update before it leaves: free words for one moment of the grid, kept as an event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from monitor.core.events import Event, EventKind
from monitor.core.ids import IncidentId
from monitor.core.text import say


@dataclass(frozen=True, slots=True)
class Draft:
    """The words that `actor` gave at `at` for what the client is told at `due_at`; empty: taken back."""

    due_at: datetime
    words: str
    actor: str
    at: datetime


def drafted(drafts: tuple[Draft, ...], event: Event) -> tuple[Draft, ...]:
    """Return `drafts` after `event`, which is of the kind DRAFTED: of each moment the latest.

    One that names no moment says nothing.
    """
    data = event.data
    if not {"update_at", "words"} <= set(data):
        return drafts
    draft = Draft(datetime.fromisoformat(data["update_at"]), data["words"], event.actor, event.at)
    return (*(one for one in drafts if one.due_at != draft.due_at), draft)


def draft_event(incident: IncidentId, draft: Draft) -> Event:
    """Return the event that `draft` was written, or taken back."""
    text = say("Words for the update of {at}: {words}", at=draft.due_at, words=draft.words)
    if not draft.words:
        text = say("Words for the update of {at} taken back", at=draft.due_at)
    data = {"update_at": draft.due_at.isoformat(), "words": draft.words}
    return Event(incident, draft.at, EventKind.DRAFTED, draft.actor, text, data=data)


def draft_for(drafts: Iterable[Draft], moments: Iterable[datetime]) -> Draft | None:
    """Return the latest of `drafts` that is for what is due at one of `moments` and was not taken back."""
    due = set(moments)
    found = [one for one in drafts if one.due_at in due and one.words]
    return max(found, key=lambda one: one.due_at, default=None)
