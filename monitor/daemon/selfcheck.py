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
OUTBOX = CheckId("releve-outbox")
OWN = {name: Watched(ConfirmPolicy(confirm=1)) for name in (STORE, CLOCK, OUTBOX)}
"""Our own checks; believed at once, since nothing lies between us and what they look at."""


def store_verdict(trouble: Text | None, history: Text | None, waiting: int, *, room_kept: bool) -> Verdict:
    """Return whether what happens is written down.

    `waiting`: batches that wait in memory for room; `room_kept`: space is kept back for the worst case.
    """
    if trouble is not None:
        text = say(
            "The journal cannot be written ({why}); {waiting} entries wait in memory, notices leave from there, and "
            "both are lost if Relève stops before",
            why=trouble,
            waiting=waiting,
        )
        return Verdict(Severity.CRITICAL, text)
    if history is not None:
        return Verdict(Severity.WARNING, say("Measurements are not recorded: {why}", why=history))
    if not room_kept:
        return Verdict(
            Severity.WARNING, say("The disk has no room to keep in reserve for the journal: free some space")
        )
    return Verdict(Severity.OK, say("The journal and the history are written"))


LATE = timedelta(minutes=5)
"""A notice that waits longer than this is worth a word to whoever can still be reached."""
MOURNED = timedelta(hours=1)
"""For how long a notice that was given up keeps the check from being OK."""


def outbox_verdict(late: timedelta | None, since_death: timedelta | None) -> Verdict:
    """Return whether messages leave. `late`: for how long the oldest has been due; `since_death`: since one died."""
    if since_death is not None and since_death < MOURNED:
        text = say("A message was refused for good: `releve incident show` says which. Tell its reader by telephone")
        return Verdict(Severity.CRITICAL, text)
    if late is not None and late > LATE:
        text = say("Messages do not leave: the oldest has been due for {late}. Look at the mail server", late=late)
        return Verdict(Severity.WARNING, text)
    return Verdict(Severity.OK, say("Messages leave as they become due"))


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
            "The machine's clock jumped by {off}; deadlines go on unmoved. The new time is taken over when a time "
            "server confirms it and the client's service is not interrupted",
            off=stepped_by,
        )
        return Verdict(Severity.WARNING, text)
    return Verdict(Severity.OK, say("The machine's clock agrees with the time that passed"))
