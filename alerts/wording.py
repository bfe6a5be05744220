"""What each incident kind of S14 is called, what it means for the client's service, and what usually causes it.

These words are read by the client: no product of ours, no machine, nothing that a client cannot check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.core.incident import BLIND, OTHER
from monitor.core.text import Text, say
from monitor.core.verdict import Severity


@dataclass(frozen=True, slots=True)
class Wording:
    """`title` stands in subjects; `impact` is a sentence, true while the service is interrupted; `cause` the usual."""

    title: Text
    impact: Text
    cause: Text


UNKNOWN_CAUSE = Text("")
GENERAL = Wording(say("Technical incident"), say("the service is interrupted"), UNKNOWN_CAUSE)

KINDS: Mapping[str, Wording] = {
    "hermes-patch": Wording(
        say("CRM being updated by its vendor"),
        say("agents cannot use the CRM, so calls are not handled"),
        say("update of the CRM by its vendor"),
    ),
    "server-reboot": Wording(
        say("Server restart"),
        say("the applications that depend on it are unavailable"),
        say("slow services or memory overloaded"),
    ),
    "service-stopped": Wording(
        say("Application service stopped"),
        say("calls cannot be handled normally"),
        say("failure of the service"),
    ),
    "power": Wording(
        say("Power failure"),
        say("part of the equipment is without power, so calls are interrupted"),
        say("mains cut"),
    ),
    "link-unstable": Wording(
        say("Data link cut or unstable"),
        say("calls and exchanges of data over this link are interrupted or disturbed"),
        say("failure of the link"),
    ),
    "crm-disconnected": Wording(
        say("CRM disconnected"),
        say("agents are disconnected from the CRM, so calls are not handled"),
        say("network trouble or a service that stopped"),
    ),
    "hmp-disk-full": Wording(
        say("Storage of recordings full"),
        say("calls may no longer be recorded"),
        say("disk filled by audio files"),
    ),
    "data-loss": Wording(
        say("Data lost or corrupt"),
        say("part of the data is unavailable"),
        say("data deleted or overwritten"),
    ),
    OTHER: GENERAL,
    BLIND: Wording(say("Monitoring without sight"), say("nobody can see whether the service works"), UNKNOWN_CAUSE),
}

SEVERITIES: Mapping[Severity, Text] = {
    Severity.OK: say("OK"),
    Severity.WARNING: say("Warning"),
    Severity.UNKNOWN: say("Unknown"),
    Severity.CRITICAL: say("Critical"),
}


def wording(kind: str) -> Wording:
    """Return the words for an incident kind; a kind that only the site knows has general ones."""
    return KINDS.get(kind, GENERAL)
