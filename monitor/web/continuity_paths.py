"""The paths of groups that can move to another site, as the description of the API has them."""

from __future__ import annotations

from typing import Any

_TIME = {"type": ["string", "null"], "format": "date-time"}
_SITE = {
    "type": ["object", "null"],
    "properties": {"site": {"type": "string"}, "title": {"type": "string"}},
}
_SECONDS = {"type": ["number", "null"], "description": "Seconds."}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_REFUSED = {
    "401": {"description": "Not logged in."},
    "404": {"description": "There is no such plan; the error names those that there are."},
}
SCHEMAS: dict[str, Any] = {
    "Group": {
        "type": "object",
        "description": "What moves as one: where it runs, and whether it could move now.",
        "properties": {
            "plan": {"type": "string"},
            "title": {"type": "string"},
            "at": _TIME,
            "severity": {"enum": ["ok", "warning", "critical"]},
            "ready": {"type": "boolean"},
            "text": {"type": "string", "description": "Ready or not, and why, in one line."},
            "reasons": {**_TEXTS, "description": "Why it is not ready; what to mend first comes first."},
            "remarks": {**_TEXTS, "description": "What to know although nothing stands against it."},
            "runs_at": {**_SITE, "description": "Null: nobody knows."},
            "to": _SITE,
            "normally_at": _SITE,
            "moving": {"type": ["string", "null"], "description": "The move that is under way."},
            "move": {
                "type": ["object", "null"],
                "description": "What it does and asks.",
                "properties": {
                    "id": {"type": "string"},
                    "direction": {"type": "string"},
                    "to": {"type": "string"},
                    "titles": {
                        "type": "object",
                        "description": "What people call the two sites, by name.",
                        "additionalProperties": {"type": "string"},
                    },
                    "state": {"enum": ["running", "waiting"]},
                    "started_at": _TIME,
                    "phase": {"type": ["string", "null"]},
                    "text": {"type": "string"},
                    "phase_at": _TIME,
                    "question": {"type": ["string", "null"]},
                    "work": {
                        "type": ["object", "null"],
                        "description": "Of a planned move: whose failures are told to nobody meanwhile.",
                        "properties": {
                            "checks": _TEXTS,
                            "until": {**_TIME, "description": "At the longest; then they are told like any other."},
                        },
                    },
                },
            },
            "held": {
                "type": ["object", "null"],
                "description": "Why it does not move by itself, where something speaks for it.",
                "properties": {
                    "why": {"type": "string"},
                    "text": {"type": "string"},
                    "lifted_by": {"type": "string", "description": "What would lift it."},
                    "since": _TIME,
                    "until": {**_TIME, "description": "When it passes by itself; null where it does not."},
                },
            },
            "mode": {"enum": ["single", "pair", "quorum"]},
            "start": {"enum": ["on_loss", "person", "by"]},
            "by_s": _SECONDS,
            "rto_s": _SECONDS,
            "exercised_at": {**_TIME, "description": "When it was last seen to run at `to`."},
            "loss": {
                "type": "object",
                "description": "What would be lost if the copies had to do now.",
                "properties": {
                    "text": {"type": "string"},
                    "known": {"type": "boolean", "description": "Whether fresh figures say so."},
                    "at_most_s": _SECONDS,
                    "of": _TEXTS,
                    "measured_at": _TIME,
                },
            },
            "data": {"type": "array", "items": {"type": "object"}},
        },
    },
    "Course": {
        "type": "object",
        "description": "What a move would do, phase by phase; nothing was asked of any host for it.",
        "properties": {
            "plan": {"type": "string"},
            "title": {"type": "string"},
            "direction": {"enum": ["switchover", "failover", "failback", "drill"]},
            "from": _SITE,
            "to": _SITE,
            "runs_at": _SITE,
            "phases": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "phase": {"type": "string"},
                        "text": {"type": "string"},
                        "only_if_not_fenced": {"type": "boolean"},
                        "actions": {"type": "array", "items": {"type": "object"}},
                        "fences": {"type": "array", "items": {"type": "object"}},
                        "checks": _TEXTS,
                        "told": _TEXTS,
                        "names": {
                            "type": "object",
                            "description": "What the contacts among `told` are called.",
                            "additionalProperties": {"type": "string"},
                        },
                    },
                },
            },
        },
    },
}


def _reads(text: str, schema: dict[str, Any], *parameters: tuple[str, str]) -> dict[str, Any]:
    return {
        "get": {
            "summary": text,
            "parameters": [
                {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}
                for name, place in parameters
            ],
            "responses": {
                "200": {"description": "Done.", "content": {"application/json": {"schema": schema}}},
                **_REFUSED,
            },
        }
    }


PATHS: dict[str, Any] = {
    "/api/v1/plans": _reads(
        "Every group that can move to another site.", {"type": "array", "items": {"$ref": "#/components/schemas/Group"}}
    ),
    "/api/v1/plans/{name}/course": _reads(
        "What a move of the group would do.",
        {"$ref": "#/components/schemas/Course"},
        ("name", "path"),
        ("to", "query"),
        ("direction", "query"),
    ),
}
