"""The events of moves as JSON: how they lie in the journal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from failover.run import MoveEvent, MoveEventKind, MoveId
from monitor.core.text import text_from_json, text_to_json


def event_to_json(event: MoveEvent) -> dict[str, Any]:
    """Return `event` as JSON-ready data; `event_from_json` gives it back equal."""
    return {
        "move": event.move,
        "at": event.at.isoformat(),
        "kind": event.kind.value,
        "actor": event.actor,
        "text": text_to_json(event.text),
        "task": event.task,
        "data": dict(event.data),
    }


def event_from_json(data: Mapping[str, Any]) -> MoveEvent:
    """Return the event that `event_to_json` wrote. Raises KeyError or ValueError if it did not."""
    return MoveEvent(
        MoveId(data["move"]),
        datetime.fromisoformat(data["at"]),
        MoveEventKind(data["kind"]),
        data["actor"],
        text_from_json(data["text"]),
        data["task"],
        data["data"],
    )
