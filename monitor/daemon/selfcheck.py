"""Relève's own health, told like any other: as checks that open incidents for operations."""

from __future__ import annotations

from datetime import timedelta

from monitor.core.health import ConfirmPolicy
from monitor.core.ids import CheckId
from monitor.core.text import Text, say
from monitor.core.verdict import Severity, Verdict
from monitor.core.watch import Watched

STORE = CheckId("releve-store")
CLOCK = CheckId("releve-clock")
OWN = {STORE: Watched(ConfirmPolicy(confirm=1)), CLOCK: Watched(ConfirmPolicy(confirm=1))}
"""Our own checks; believed at once, since nothing lies between us and what they look at."""


def store_verdict(trouble: Text | None, history: Text | None, waiting: int) -> Verdict:
    """Return whether what happens is written down. `waiting`: batches that wait in memory for room."""
    if trouble is not None:
        text = say(
            "The journal cannot be written ({why}); {waiting} entries wait in memory and notices leave from there. "
            "Free disk space and do not stop Relève",
            why=trouble,
            waiting=waiting,
        )
        return Verdict(Severity.CRITICAL, text)
    if history is not None:
        return Verdict(Severity.WARNING, say("Measurements are not recorded: {why}", why=history))
    return Verdict(Severity.OK, say("The journal and the history are written"))


def clock_verdict(stepped_by: timedelta, *, trusted: bool) -> Verdict:
    """Return whether the machine's clock can be believed."""
    if not trusted:
        text = say(
            "The machine's clock is implausible since its start (off by {off}); updates wait until it is set by a "
            "time server. Start chrony or systemd-timesyncd",
            off=abs(stepped_by),
        )
        return Verdict(Severity.CRITICAL, text)
    if stepped_by:
        text = say(
            "The machine's clock jumped by {off}; deadlines go on unmoved. The new time is taken over when no "
            "incident is open and a time server confirms it",
            off=stepped_by,
        )
        return Verdict(Severity.WARNING, text)
    return Verdict(Severity.OK, say("The machine's clock agrees with the time that passed"))
