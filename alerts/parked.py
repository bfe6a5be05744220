"""An answer that changed nothing, or less than its writer meant: kept until a person has read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from monitor.core.answer import Way
from monitor.core.text import Text, say

MOST_PARKED = 200
"""Kept in the state; what came before is still in the mailbox, or in the modem's folder."""


class Why(StrEnum):
    """Why an answer is for a person to read. The names are stored: add, do not rename."""

    OTHER_WORDS = "other words"
    """Somebody whom we told says something that is no acknowledgement; a client's is none."""
    OUTDATED = "outdated"
    """It acknowledges what has come back since: nobody is on it."""
    NOT_RECIPIENT = "not recipient"
    """It knows our message, and comes from another address or number than that went to."""
    NO_REFERENCE = "no reference"
    """A contact of ours wrote, and not in answer to a message."""
    WRONG_CODE = "wrong code"
    """An SMS with a code that is not, or no longer, the number's."""
    BOUNCED = "bounced"
    """A message of ours did not arrive."""


WHY_PARKED: dict[Why, Text] = {
    Why.OTHER_WORDS: say("it says something else"),
    Why.OUTDATED: say("it answers an older message, and nobody is on it"),
    Why.NOT_RECIPIENT: say("it comes from an address or number that was not told"),
    Why.NO_REFERENCE: say("it answers no message"),
    Why.WRONG_CODE: say("its code is wrong or has expired"),
    Why.BOUNCED: say("a message of ours came back"),
}
"""Why an answer is for a person to read."""


@dataclass(frozen=True, slots=True)
class Parked:
    """An answer: `id` is that of the mail or SMS, `sender` what it says of itself, `line` its first line.

    `contact` and `incident`: whom and what it is about, as far as that is known; empty else.
    """

    id: str
    at: datetime
    way: Way
    why: Why
    sender: str = ""
    contact: str = ""
    incident: str = ""
    line: str = ""


def parked_to_json(one: Parked) -> dict[str, Any]:
    """Return `one` JSON-ready; `parked_from_json` gives it back equal."""
    return {
        "id": one.id,
        "at": one.at.isoformat(),
        "way": one.way.value,
        "why": one.why.value,
        "sender": one.sender,
        "contact": one.contact,
        "incident": one.incident,
        "line": one.line,
    }


def parked_from_json(data: Mapping[str, Any]) -> Parked:
    """Return what `parked_to_json` wrote."""
    return Parked(
        id=data["id"],
        at=datetime.fromisoformat(data["at"]),
        way=Way(data["way"]),
        why=Why(data["why"]),
        sender=data["sender"],
        contact=data["contact"],
        incident=data["incident"],
        line=data["line"],
    )
