"""Relève's own health, told like any other: as checks that open incidents for operations."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from monitor.core.health import ConfirmPolicy
from monitor.core.ids import CheckId
from monitor.core.plan import Watched
from monitor.core.text import Text, say
from monitor.core.verdict import Severity, Verdict
from runbooks.recordings import ArchiveReport

STORE = CheckId("releve-store")
CLOCK = CheckId("releve-clock")
OUTBOX = CheckId("releve-outbox")
OWN = {name: Watched(ConfirmPolicy(confirm=1)) for name in (STORE, CLOCK, OUTBOX)}
"""Our own checks; believed at once, since nothing lies between us and what they look at."""
ARCHIVE_POLICY = ConfirmPolicy(confirm=2)
"""Between us and an archive lies a network: one round that fails is no news yet."""


def archive_check(recordings: str) -> CheckId:
    """Return the name of the check that says whether a folder of recordings is archived."""
    return CheckId(f"releve-archive-{recordings}")


def own_checks(recordings: Iterable[str]) -> dict[CheckId, Watched]:
    """Return every check that Relève makes of itself where those folders are archived."""
    return OWN | {archive_check(name): Watched(ARCHIVE_POLICY) for name in recordings}


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


def archive_verdict(report: ArchiveReport) -> Verdict:
    """Return what one round of archiving means. Nothing is deleted that it did not prove, so nothing is CRITICAL."""
    counts = {"seen": report.seen, "proven": report.proven, "left": report.left}
    if report.failed:
        first = report.failed[0]
        text = say(
            "Recordings that could not be archived: {count}, among them {path}: {why}. Nothing was deleted",
            count=report.failures,
            path=first.path,
            why=first.why,
        )
        return Verdict(Severity.WARNING, text)
    if report.ended is not None:
        text = say("Archiving ended early: {why}. Archived: {proven}; to come: {left}", why=report.ended, **counts)
        return Verdict(Severity.WARNING, text)
    text = say("Recordings there: {seen}; archived in the last round: {proven}; to come: {left}", **counts)
    return Verdict(Severity.OK, text)


def not_archived(why: Text) -> Verdict:
    """Return the verdict of a round that could not begin."""
    return Verdict(Severity.WARNING, say("Recordings are not archived: {why}. Nothing is deleted meanwhile", why=why))
