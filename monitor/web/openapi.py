"""What the API is, for tools: an OpenAPI 3.1 description of its paths."""

from __future__ import annotations

from typing import Any

_TIME = {"type": ["string", "null"], "format": "date-time"}
_TEXT_BODY = {"type": "object", "properties": {"text": {"type": "string"}}}
_INCIDENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "kind": {"type": "string"},
        "severity": {"enum": ["ok", "warning", "unknown", "critical"]},
        "status": {"enum": ["open", "acknowledged", "resolved"]},
        "began_at": _TIME,
        "opened_at": _TIME,
        "acknowledged_at": _TIME,
        "resolved_at": _TIME,
        "root_cause": {"type": ["string", "null"]},
        "suppressed": {"type": "array", "items": {"type": "string"}},
        "cause": {"type": "string"},
        "timeline": {"type": "array", "items": {"type": "object"}},
        "notices": {"type": "array", "items": {"type": "object"}},
        "runs": {"type": "array"},
        "actions": {"type": "array"},
    },
}
_ACTIONS = {
    "ack": "Take charge of the incident.",
    "note": "Add a note to its log.",
    "cause": "State its cause; every later message tells it.",
    "resolve": "End it. Refused while its check still fails.",
}


def description() -> dict[str, Any]:
    """Return the description served at `/api/v1/openapi.json`."""
    one = {"$ref": "#/components/schemas/Incident"}
    paths: dict[str, Any] = {
        "/api/v1/status": {"get": _reads("The site now.", {"type": "object"})},
        "/api/v1/checks": {"get": _reads("Every check and what is believed of it.", {"type": "array"})},
        "/api/v1/history/{check}": {
            "get": _reads("The series of a check.", {"type": "array"}, ("check",), ("metric", "since"))
        },
        "/api/v1/incidents": {
            "get": _reads("Incidents, newest first.", {"type": "array", "items": one}, (), ("open",)),
            "post": _acts("Open an incident that no check has seen.", one),
        },
        "/api/v1/incidents/{id}": {"get": _reads("One incident with its log and its notices.", one, ("id",))},
        "/api/v1/reload": {"post": _acts("Take up the changed inventory.", {"type": "object"})},
    }
    for action, text in _ACTIONS.items():
        paths[f"/api/v1/incidents/{{id}}/{action}"] = {"post": _acts(text, one, ("id",))}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Relève", "version": "1", "description": "Served on the Unix socket of the data folder."},
        "paths": paths,
        "components": {"schemas": {"Incident": _INCIDENT}},
    }


def _reads(
    text: str, schema: dict[str, Any], path: tuple[str, ...] = (), query: tuple[str, ...] = ()
) -> dict[str, Any]:
    parameters = [_parameter(name, "path") for name in path] + [_parameter(name, "query") for name in query]
    return {"summary": text, "parameters": parameters, "responses": _responses(schema)}


def _acts(text: str, schema: dict[str, Any], path: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "summary": text,
        "parameters": [_parameter(name, "path") for name in path],
        "requestBody": {"content": {"application/json": {"schema": _TEXT_BODY}}},
        "responses": _responses(schema),
    }


def _parameter(name: str, place: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}


def _responses(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "200": {"description": "Done.", "content": {"application/json": {"schema": schema}}},
        "401": {"description": "Not logged in."},
        "409": {"description": "Refused; the error says why."},
    }
