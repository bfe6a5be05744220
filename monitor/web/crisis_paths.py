"""The paths of a crisis cell, as the description of the API has them."""

from __future__ import annotations

from typing import Any

_WORDS = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
_ACTION_BODY = {
    "type": "object",
    "required": ["text"],
    "properties": {
        "text": {"type": "string"},
        "owner": {"type": "string", "description": "A contact of the inventory, or a name."},
        "due": {"type": "string", "description": "18:00, 2h, 2026-12-01 or 2026-12-01 18:00 (site time)."},
    },
}
_ROLE_BODY = {
    "type": "object",
    "required": ["role", "who"],
    "properties": {"role": {"enum": ["leader", "scribe", "liaison"]}, "who": {"type": "string"}},
}
PATHS: tuple[tuple[str, str, tuple[str, ...], dict[str, Any]], ...] = (
    ("actions", "Put an action on the plan.", (), _ACTION_BODY),
    (
        "actions/{n}/{state}",
        "Say that an action is done or dropped, or open again.",
        ("n", "state"),
        {"type": "object", "properties": {"text": {"type": "string"}}},
    ),
    ("decisions", "Write down a decision.", (), _WORDS),
    ("needs", "Write down what the crisis cell needs.", (), _WORDS),
    ("needs/{n}/met", "Say that the crisis cell has what it needed.", ("n",), {"type": "object"}),
    ("roles", "Say who leads, keeps the log, or speaks with the client.", (), _ROLE_BODY),
)
"""For the description of the API: path, what it does, parameters, body."""

TEXT, MOMENT, NUMBER = {"type": "string"}, {"type": ["string", "null"], "format": "date-time"}, {"type": "integer"}
_WRITTEN = {"n": NUMBER, "what": TEXT, "at": MOMENT, "by": TEXT}


def _list_of(**more: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "object", "properties": {**_WRITTEN, **more}}}


SCHEMA: dict[str, Any] = {
    "actions": _list_of(
        owner=TEXT, due_at=MOMENT, state={"enum": ["open", "done", "dropped"]}, ended_at=MOMENT, result=TEXT
    ),
    "decisions": _list_of(),
    "needs": _list_of(met_at=MOMENT),
    "attachments": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"n": NUMBER, "name": TEXT, "size": NUMBER, "sha256": TEXT, "at": MOMENT, "by": TEXT},
        },
    },
    "crisis_opened_at": MOMENT,
    "roles": {
        "type": "object",
        "properties": {role: {"type": ["string", "null"]} for role in ("leader", "scribe", "liaison")},
    },
}
"""What an incident's JSON has of a crisis cell."""
