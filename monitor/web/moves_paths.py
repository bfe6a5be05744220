"""The paths of moves of groups, as the description of the API has them."""

from __future__ import annotations

from typing import Any

_TEXT, _OBJECT = {"type": "string"}, {"type": "object"}
_SECONDS = {"type": ["number", "null"]}
_WANTED = {
    "direction": {"enum": ["switchover", "failover", "failback", "drill"]},
    "to": {"type": "string", "description": "A site of the plan; absent: the other one."},
}
_STARTED = {
    **_WANTED,
    "word": {"type": "string", "description": "Of a forced move: the name of the plan, typed by a person."},
    "loss_s": {
        **_SECONDS,
        "description": "The loss that was stated to that person; null: nobody knows. A forced move needs it.",
    },
    "stated_at": {"type": "string", "description": "When it was stated: the `at` of the dry run. Absent: just now."},
    "text": {"type": "string", "description": "Why; it stands in the report."},
}
READS: dict[str, tuple[str, tuple[str, ...]]] = {
    "/api/v1/moves": ("Moves of groups, newest first.", ()),
    "/api/v1/moves/{id}": ("One move with its tasks, its times and its journal.", ("id",)),
}
ACTS: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "/api/v1/moves/{id}/answer": (
        "Answer what a move asks; `-` is the only one that does.",
        ("id",),
        {
            "type": "object",
            "required": ["yes"],
            "properties": {
                "yes": {"type": "boolean"},
                "text": _TEXT,
                "asked_at": {"type": "string", "description": "The `at` of the question that was read."},
            },
        },
    ),
    "/api/v1/moves/{id}/stop": ("Stop a move before its next action.", ("id",), _OBJECT),
    "/api/v1/plans/{name}/plan": (
        "Say what a move would do, and do nothing.",
        ("name",),
        {"type": "object", "required": ["direction"], "properties": _WANTED},
    ),
    "/api/v1/plans/{name}/run": (
        "Begin a move.",
        ("name",),
        {"type": "object", "required": ["direction"], "properties": _STARTED},
    ),
}
