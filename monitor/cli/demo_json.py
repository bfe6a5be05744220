"""What a demonstration answers in JSON, whichever story it told."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.proof import Received


def iso(at: datetime | None) -> str | None:
    """Return `at` (UTC) to the millisecond, with Z; None for None."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def received_json(received: Iterable[Received]) -> list[dict[str, Any]]:
    """Return what the servers outside received, in order."""
    return [
        {
            "at": iso(one.at),
            "channel": one.channel,
            "to": one.to,
            "incident": one.reference,
            "audience": one.audience,
            "step": one.step,
            "message_id": one.message_id,
            "subject": one.subject,
        }
        for one in received
    ]
