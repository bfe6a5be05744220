"""The part of the API's description about the public status, which tools of the client read."""

from __future__ import annotations

from typing import Any

_MOMENT = {"type": "string", "format": "date-time"}
_MAYBE = {"type": ["string", "null"], "format": "date-time"}
_STATE = {"enum": ["normal", "degraded", "interrupted", "maintenance", "unknown"]}
_TEXT = {"type": "string"}


def _table(properties: dict[str, Any]) -> dict[str, Any]:
    """A table that has all of `properties`; later versions may add to them."""
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": _table(properties)}


PUBLIC_STATUS = _table(
    {
        "version": {"const": 1},
        "title": _TEXT,
        "language": {"enum": ["fr", "en"], "description": "Of every text in it."},
        "state": _STATE,
        "text": _TEXT,
        "blind": {"enum": ["rehearsal", "no_sight", None], "description": "Why nothing is said of the service."},
        "written_at": _MOMENT,
        "seen_at": _MAYBE | {"description": "When anything was seen last."},
        "stale_after": _MOMENT | {"description": "Whoever reads it later knows nothing of the service."},
        "time_is_certain": {"type": "boolean"},
        "services": _list(
            {
                "title": _TEXT,
                "state": _STATE,
                "able": {"type": "number"},
                "unsure": {"type": "number", "description": "May be able as well: nobody can see it."},
                "total": {"type": "number"},
                "text": _TEXT,
            }
        ),
        "incidents": _list(
            {
                "reference": _TEXT,
                "title": _TEXT,
                "state": _STATE | {"description": "normal: it is over."},
                "since": _MOMENT,
                "until": _MAYBE,
                "text": _TEXT,
                "impact": _TEXT,
                "cause": _TEXT,
                "doing": _TEXT,
                "next_update": _MAYBE,
                "following": _TEXT,
                "updates": _list({"at": _MOMENT, "text": _TEXT}),
            }
        ),
        "maintenance": _list({"title": _TEXT, "from": _MOMENT, "until": _MOMENT, "active": {"type": "boolean"}}),
    }
)
"""What `/public/status.json` answers, and what is sent as `status.json`."""


def _read(text: str, media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "get": {
            "summary": text,
            "description": "Served to everybody, where the inventory says public: {serve: true}; else 404.",
            "security": [],
            "parameters": [{"name": "lang", "in": "query", "required": False, "schema": {"enum": ["fr", "en"]}}],
            "responses": {
                "200": {"description": "How it is.", "content": {media_type: {"schema": schema}}},
                "304": {"description": "As it was read before."},
                "404": {"description": "Not served."},
            },
        }
    }


PATHS = {
    "/public": _read("How the service is, as a page.", "text/html", _TEXT),
    "/public/status.json": _read(
        "How the service is.", "application/json", {"$ref": "#/components/schemas/PublicStatus"}
    ),
    "/public/feed.atom": _read("What interrupted the service, as an Atom feed.", "application/atom+xml", _TEXT),
}
