"""The paths of the review of an incident, as the description of the API has them."""

from __future__ import annotations

from typing import Any

_POINT = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string"}, "n": {"type": "string", "description": "Which one to change."}},
}
PATHS: tuple[tuple[str, str, tuple[str, ...], dict[str, Any]], ...] = (
    ("review/points/{topic}", "Write a point of the review, or say one in other words.", ("topic",), _POINT),
    ("review/points/{topic}/{n}/drop", "Drop a point of the review.", ("topic", "n"), {"type": "object"}),
    ("review/close/{stage}", "Close the hot or the cold review: a version that never changes.", ("stage",), {}),
)
"""For the description of the API: path, what it does, parameters, body."""
SCHEMA: dict[str, Any] = {
    "review": {
        "type": "object",
        "properties": {name: {"type": "array", "items": {"type": "object"}} for name in ("points", "versions", "owed")},
    }
}
"""What an incident's JSON has of its review."""
