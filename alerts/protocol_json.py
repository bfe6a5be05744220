"""A protocol as data: frozen with an incident when it opens, and stored beside its events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from alerts.agreement import Protocol
from alerts.escalation import Rung
from alerts.quiet import quiet_from_json, quiet_to_json


def protocol_to_json(protocol: Protocol) -> dict[str, Any]:
    """Return `protocol` as JSON-ready data, durations in seconds; `protocol_from_json` gives it back equal."""
    every, conference = protocol.update_every, protocol.conference_after
    return {
        "live": protocol.live,
        "first_to": list(protocol.first_to),
        "first_within": protocol.first_within.total_seconds(),
        "update_to": list(protocol.update_to),
        "update_every": None if every is None else every.total_seconds(),
        "resolved_to": list(protocol.resolved_to),
        "operations": list(protocol.operations),
        "long_after": protocol.long_after.total_seconds(),
        "conference_to": list(protocol.conference_to),
        "conference_after": None if conference is None else conference.total_seconds(),
        "bridge": protocol.bridge,
        "rotas": list(protocol.rotas),
        "quiet": None if protocol.quiet is None else quiet_to_json(protocol.quiet),
        "crisis_to": list(protocol.crisis_to),
        "crisis_every": None if protocol.crisis_every is None else protocol.crisis_every.total_seconds(),
        "escalation": [{"after": rung.after.total_seconds(), "to": list(rung.to)} for rung in protocol.escalation],
        "draft_before": None if protocol.draft_before is None else protocol.draft_before.total_seconds(),
        "chase": protocol.chase,
    }


def protocol_from_json(data: Mapping[str, Any]) -> Protocol:
    """Return the protocol that `protocol_to_json` wrote. Raises KeyError when a part of it is missing.

    One that was frozen before there were conferences, drafts or crisis reports has none.
    """
    every, conference, draft = data["update_every"], data.get("conference_after"), data.get("draft_before")
    return Protocol(
        live=data["live"],
        first_to=tuple(data["first_to"]),
        first_within=timedelta(seconds=data["first_within"]),
        update_to=tuple(data["update_to"]),
        update_every=None if every is None else timedelta(seconds=every),
        resolved_to=tuple(data["resolved_to"]),
        operations=tuple(data["operations"]),
        long_after=timedelta(seconds=data["long_after"]),
        conference_to=tuple(data.get("conference_to", ())),
        conference_after=None if conference is None else timedelta(seconds=conference),
        bridge=data.get("bridge", ""),
        rotas=tuple(data.get("rotas", ())),
        quiet=None if data.get("quiet") is None else quiet_from_json(data["quiet"]),
        crisis_to=tuple(data.get("crisis_to", ())),
        crisis_every=None if data.get("crisis_every") is None else timedelta(seconds=data["crisis_every"]),
        escalation=tuple(
            Rung(timedelta(seconds=rung["after"]), tuple(rung["to"])) for rung in data.get("escalation", ())
        ),
        draft_before=None if draft is None else timedelta(seconds=draft),
        chase=data.get("chase", False),
    )
