"""A promise as the journal of a move keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from monitor.core.ids import NodeId
from runbooks.contract import Promised


def promised_to_json(promised: Promised | None) -> dict[str, Any] | None:
    """Return `promised` as JSON-ready data; `promised_from_json` gives it back equal."""
    if promised is None:
        return None
    return {
        "standby": promised.standby,
        "system": promised.system,
        "timeline": promised.timeline,
        "at": promised.at.isoformat(),
    }


def promised_from_json(data: Mapping[str, Any] | None) -> Promised | None:
    """Return what `promised_to_json` wrote."""
    if data is None:
        return None
    return Promised(NodeId(data["standby"]), data["system"], data["timeline"], datetime.fromisoformat(data["at"]))
