"""What the API is, for tools: an OpenAPI 3.1 description of its paths."""

from __future__ import annotations

from typing import Any

from monitor.web import continuity_paths, crisis_paths, moves_paths, openapi_public, peer_paths, review_paths

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
        "acknowledged_until": _TIME,
        "resolved_at": _TIME,
        "flapping_since": _TIME,
        "recovered_at": _TIME,
        "merged_into": {"type": ["string", "null"], "description": "The incident that it is followed under."},
        "flaps": {"type": "integer"},
        "maintenance": {"type": ["string", "null"], "description": "The announced work that it belongs to."},
        "root_cause": {"type": ["string", "null"]},
        "suppressed": {"type": "array", "items": {"type": "string"}},
        "cause": {"type": "string"},
        "timeline": {"type": "array", "items": {"type": "object"}},
        "notices": {"type": "array", "items": {"type": "object"}},
        "runs": {"type": "array"},
        **crisis_paths.SCHEMA,
        **review_paths.SCHEMA,
        "breaches": {"type": "array", "items": {"type": "object"}, "description": "Each missed deadline."},
    },
}
_STATUS = {
    "type": "object",
    "properties": {
        "site": {"type": "string"},
        "at": _TIME,
        "severity": {"enum": ["ok", "warning", "unknown", "critical"]},
        "services": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "title": {"type": "string"},
                    "able": {"type": "number"},
                    "unsure": {"type": "number"},
                    "total": {"type": "number"},
                    "interrupted": {"type": "boolean"},
                },
            },
        },
        "incidents": {"type": "array", "items": {"$ref": "#/components/schemas/Incident"}},
        "runs": {"type": "array"},
        "moves": {"type": "array", "items": {"type": "object"}, "description": "Moves of groups that are not over."},
        "maintenance": {"type": "array", "items": {"$ref": "#/components/schemas/Maintenance"}},
        "on_call": {"type": "array", "items": {"$ref": "#/components/schemas/Duty"}},
        "overdue": {
            "type": "object",
            "description": "How many reviews and actions should have been done by now.",
            "properties": {"reviews": {"type": "integer"}, "actions": {"type": "integer"}},
        },
        "checks": {"type": "array", "items": {"$ref": "#/components/schemas/Check"}},
    },
}
_CHECK = {
    "type": "object",
    "properties": {
        "check": {"type": "string"},
        "severity": {"enum": ["ok", "warning", "unknown", "critical", None]},
        "stale": {"type": "boolean", "description": "It has given no result for too long."},
        "flapping": {"type": "boolean", "description": "It comes and goes."},
        "stands_by": {"type": "boolean", "description": "It fails because its group runs at the other site."},
        "summary": {"type": ["string", "null"]},
    },
}
_MAINTENANCE = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "title": {"type": "string"},
        "kind": {"type": "string", "description": "As which incident kind failures are told; empty: not at all."},
        "reason": {"type": "string"},
        "nodes": {"type": "array", "items": {"type": "string"}},
        "checks": {"type": "array", "items": {"type": "string"}},
        "concerned": {"type": "integer", "description": "How many checks."},
        "by": {"type": "string", "description": "Who announced it; empty: the inventory."},
        "from": _TIME,
        "until": _TIME,
        "active": {"type": "boolean"},
        "coming": {"type": "boolean"},
        "recurring": {"type": "boolean"},
    },
}
_NAMES = {"type": "array", "items": {"type": "string"}}
_ANNOUNCED = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "devices": _NAMES,
        "checks": _NAMES,
        "from": {"type": "string", "description": "Site time (2026-12-01 22:00), or with an offset; now if absent."},
        "until": {"type": "string", "description": "Like from; this or for."},
        "for": {"type": "string", "description": "How long: 4h."},
        "incident": {"type": "string", "description": "As which kind failures are told; not at all if absent."},
        "reason": {"type": "string"},
    },
}
_SPELL = {
    "contact": {"type": "string"},
    "name": {"type": "string"},
    "from": {**_TIME, "description": "Null: for longer than anybody looks back."},
    "until": {**_TIME, "description": "Null: nobody else comes within a year."},
}
_DUTY = {
    "type": "object",
    "description": "One rota: who is on duty, who comes next.",
    "properties": {
        "rota": {"type": "string"},
        **_SPELL,
        "next": {"anyOf": [{"type": "object", "properties": _SPELL}, {"type": "null"}]},
        "spells": {"type": "array", "items": {"type": "object", "properties": _SPELL}},
    },
}
_TAKEN_OVER = {
    "type": "object",
    "required": ["contact"],
    "properties": {
        "contact": {"type": "string"},
        "rota": {"type": "string", "description": "May be left out where there is only one."},
        "from": {"type": "string", "description": "ISO 8601, or site time: 2026-12-01 22:00; now if absent."},
        "to": {"type": "string", "description": "Like from; this or for."},
        "for": {"type": "string", "description": "How long: 4h."},
    },
}
_ACK_BODY = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "for": {"type": "string", "description": "How long: 2h."}},
}
_DRAFT = {
    "type": "object",
    "properties": {
        "incident": {"type": "string"},
        "step": {"enum": ["update", "crisis_report"]},
        "ready_at": _TIME,
        "due_at": _TIME,
        "words": {"type": "string", "description": "What a person added."},
        "by": {"type": "string"},
        "at": _TIME,
        "messages": {"type": "array", "items": {"type": "object"}},
    },
}
_DRAFT_BODY = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "due_at": {"type": "string", "description": "Which update is meant; refused once its message is written."},
    },
}
_JOINING: tuple[tuple[str, str, tuple[str, ...], dict[str, Any]], ...] = (
    (
        "merge",
        "Follow it under another incident from now on; that one is answered.",
        (),
        {"type": "object", "required": ["into"], "properties": {"into": {"type": "string"}}},
    ),
    (
        "split",
        "Tell the failure of a check by itself; its own incident is answered.",
        (),
        {"type": "object", "required": ["check"], "properties": {"check": {"type": "string"}}},
    ),
)
_ACTIONS = {
    "ack": "Take charge of the incident.",
    "note": "Add a note to its log.",
    "cause": "State its cause; every later message tells it.",
    "resolve": "End it. Refused while its check still fails.",
}


def description() -> dict[str, Any]:
    """Return the description served at `/api/v1/openapi.json`."""
    one, check, work, duty = (
        {"$ref": f"#/components/schemas/{name}"} for name in ("Incident", "Check", "Maintenance", "Duty")
    )
    paths: dict[str, Any] = {
        "/api/v1/status": {"get": _reads("The site now.", _STATUS)},
        "/api/v1/checks": {"get": _reads("Every check and what is believed of it.", {"type": "array", "items": check})},
        "/api/v1/history/{check}": {
            "get": _reads("The series of a check.", {"type": "array"}, ("check",), ("metric", "since"))
        },
        "/api/v1/incidents": {
            "get": _reads("Incidents, newest first.", {"type": "array", "items": one}, (), ("open",)),
            "post": _acts("Open an incident that no check has seen.", one),
        },
        "/api/v1/incidents/{id}": {"get": _reads("One incident with its log and its notices.", one, ("id",))},
        "/api/v1/incidents/{id}/draft": {
            "get": _reads("The next update to the client, as it would leave.", _DRAFT, ("id",)),
            "post": _acts("Give words for it.", _DRAFT, ("id",), _DRAFT_BODY),
        },
        "/api/v1/incidents/{id}/draft/drop": {"post": _acts("Take the words back.", _DRAFT, ("id",), _DRAFT_BODY)},
        "/api/v1/maintenance": {
            "get": _reads("Announced work, what goes on first.", {"type": "array", "items": work}),
            "post": _acts("Announce work.", work, body=_ANNOUNCED),
        },
        "/api/v1/maintenance/{id}/end": {"post": _acts("End announced work, or call it off.", work, ("id",))},
        "/api/v1/oncall": {"get": _reads("Who is on duty.", {"type": "array", "items": duty}, (), ("at", "days"))},
        "/api/v1/oncall/override": {"post": _acts("Take over somebody's duty.", duty, body=_TAKEN_OVER)},
        "/api/v1/replies": {"get": _reads("Answers that wait for a reader.", {"type": "array"})},
        "/api/v1/replies/read": {"post": _acts("Say that they were read.", {"type": "object"})},
        **continuity_paths.PATHS,
        "/api/v1/reload": {"post": _acts("Take up the changed inventory.", {"type": "object"})},
    }
    for action, text in _ACTIONS.items():
        paths[f"/api/v1/incidents/{{id}}/{action}"] = {
            "post": _acts(text, one, ("id",), _ACK_BODY if action == "ack" else _TEXT_BODY)
        }
    for path, text, names, body in (*crisis_paths.PATHS, *review_paths.PATHS, *_JOINING):
        paths[f"/api/v1/incidents/{{id}}/{path}"] = {"post": _acts(text, one, ("id", *names), body)}
    for path, (text, names) in moves_paths.READS.items():
        paths[path] = {"get": _reads(text, {"type": "object"} if names else {"type": "array"}, names)}
    for path, (text, names, body) in moves_paths.ACTS.items():
        paths[path] = {"post": _acts(text, {"type": "object"}, names, body)}
    paths |= {path: {"get": _reads(text, {"type": "object"})} for path, text in peer_paths.READS.items()}
    paths |= {path: {"post": _acts(text, {"type": "object"})} for path, text in peer_paths.ACTS.items()}
    paths["/api/v1/incidents/{id}/attachments"] = {"post": _takes_file("Attach a file; `name` is its name.", one)}
    paths["/api/v1/incidents/{id}/attachments/{n}"] = {"get": _GIVES_FILE}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Relève", "version": "1", "description": "Served on the Unix socket of the data folder."},
        "paths": paths | openapi_public.PATHS,
        "components": {
            "schemas": {
                "Incident": _INCIDENT,
                "Check": _CHECK,
                "Maintenance": _MAINTENANCE,
                "Duty": _DUTY,
                "PublicStatus": openapi_public.PUBLIC_STATUS,
                **continuity_paths.SCHEMAS,
            }
        },
    }


def _reads(
    text: str, schema: dict[str, Any], path: tuple[str, ...] = (), query: tuple[str, ...] = ()
) -> dict[str, Any]:
    parameters = [_parameter(name, "path") for name in path] + [_parameter(name, "query") for name in query]
    return {"summary": text, "parameters": parameters, "responses": _responses(schema)}


def _acts(
    text: str, schema: dict[str, Any], path: tuple[str, ...] = (), body: dict[str, Any] = _TEXT_BODY
) -> dict[str, Any]:
    return {
        "summary": text,
        "parameters": [_parameter(name, "path") for name in path],
        "requestBody": {"content": {"application/json": {"schema": body}}},
        "responses": _responses(schema),
    }


def _takes_file(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        **_acts(text, schema),
        "parameters": [_parameter("id", "path"), _parameter("name", "query")],
        "requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
    }


def _parameter(name: str, place: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}


_GIVES_FILE: dict[str, Any] = {
    "summary": "Read an attached file back, with the hash that it was attached with.",
    "parameters": [_parameter("id", "path"), _parameter("n", "path")],
    "responses": {
        "200": {
            "description": "The file.",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        },
        "401": {"description": "Not logged in."},
        "409": {"description": "Refused; the error says why."},
    },
}


def _responses(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "200": {"description": "Done.", "content": {"application/json": {"schema": schema}}},
        "401": {"description": "Not logged in."},
        "409": {"description": "Refused; the error says why."},
    }
