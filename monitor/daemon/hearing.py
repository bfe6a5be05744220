"""What a person may say of an incident, by the word that the command and the API have for it."""

from __future__ import annotations

from monitor.core.ids import IncidentId
from monitor.core.incident import Incident
from monitor.daemon.desk import Desk

ACTIONS = ("ack", "note", "cause", "resolve")
"""What a person may do to an incident."""
NEED_WORDS = ("note", "cause")
"""Of these, what is nothing without words."""


async def hear(desk: Desk, action: str, name: IncidentId, actor: str, words: str) -> Incident:
    """Do what a person says of an incident; `action` is one of ACTIONS but `ack`, which may be for a time."""
    if action == "note":
        return await desk.note(name, actor, words)
    if action == "cause":
        return await desk.state_cause(name, actor, words)
    return await desk.resolve(name, actor, words)
