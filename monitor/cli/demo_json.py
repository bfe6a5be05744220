"""What a demonstration answers in JSON, whichever story it told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.proof import Received


def received_json(received: Iterable[Received]) -> list[dict[str, Any]]:
    """Return what the servers outside received, in order."""
    from monitor.web.views import when

    return [
        {
            "at": when(one.at),
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
