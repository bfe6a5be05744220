"""Relève's own health, told like any other: as checks that open incidents for operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.parked import WHY_PARKED, Parked
from failover.preflight import Preflight
from monitor.core.health import ConfirmPolicy
from monitor.core.ids import CheckId
from monitor.core.plan import Watched, silence_limit
from monitor.core.text import Quantity, Text, say, verbatim
from monitor.core.verdict import Metric, Severity, Verdict
from runbooks.recordings import ArchiveReport

STORE = CheckId("releve-store")
CLOCK = CheckId("releve-clock")
OUTBOX = CheckId("releve-outbox")
LAG = CheckId("releve-lag")
QUEUE = CheckId("releve-queue")
CHECKS = CheckId("releve-checks")
HEARTBEAT = CheckId("releve-heartbeat")
PUBLIC = CheckId("releve-public")
MAILBOX = CheckId("releve-mailbox")
ANSWERS = CheckId("releve-answers")
SMS_IN = CheckId("releve-sms-in")
PEER = CheckId("releve-peer")
VOTERS = CheckId("releve-voters")
SELF = CheckId("releve-self")
OWN = {name: Watched(ConfirmPolicy(confirm=1)) for name in (STORE, CLOCK, OUTBOX, CHECKS)}
"""Our own checks; believed at once, since nothing lies between us and what they look at."""
LOAD = {name: Watched(ConfirmPolicy(confirm=3)) for name in (LAG, QUEUE)}
"""Those about how busy we are: a moment in which all is late is no trouble, a quarter of a minute of it is."""
HEARTBEAT_POLICY = ConfirmPolicy(confirm=3)
"""Between us and our watcher, or a mailbox, lie networks that are not ours."""
PUBLIC_POLICY = ConfirmPolicy(confirm=3)
"""Nor are those between us and the hosts that show the public status."""
ARCHIVE_POLICY = ConfirmPolicy(confirm=2)
"""Between us and an archive lies a network: one round that fails is no news yet."""


def archive_check(recordings: str) -> CheckId:
    """Return the name of the check that says whether a folder of recordings is archived."""
    return CheckId(f"releve-archive-{recordings}")


def failover_check(plan: str) -> CheckId:
    """Return the name of the check that says whether the group of a plan could move."""
    return CheckId(f"releve-failover-{plan}")


def lease_check(plan: str) -> CheckId:
    """Return the name of the check that says how the lease of the group of a plan stands at this site."""
    return CheckId(f"releve-lease-{plan}")


def promise_check(data: str) -> CheckId:
    """Return the name of the check that says whether commits of a data set wait for its copy, and the voters know."""
    return CheckId(f"releve-promise-{data}")


def failover_verdict(title: str, found: Preflight) -> Verdict:
    """Return what one judgement of a group means; `title`: what people call it."""
    return Verdict(found.severity, say("{plan}: {text}", plan=title, text=found.alarm))


def own_checks(
    recordings: Iterable[str],
    *,
    plans: Iterable[str] = (),
    heartbeat: bool = False,
    public: bool = False,
    mailbox: bool = False,
    sms_in: bool = False,
    peer: bool = False,
    voters: bool = False,
    leases: Iterable[str] = (),
    itself: bool = False,
    promises: Iterable[str] = (),
) -> dict[CheckId, Watched]:
    """Return every check that Relève makes of itself where those folders are archived.

    `heartbeat`: it gives a sign of life to a watcher. `public`: it sends the public status to other hosts. `mailbox`:
    it reads one. `sms_in`: it reads a modem. `plans`: of the groups that can move to another site. `peer`: its state
    goes to the Relève at the other site. `voters`: its leases are kept by three of them. `leases`: of the plans
    whose lease this site holds while their group runs here. `itself`: a lease says which of two Relèves is active.
    `promises`: of the data sets whose commits are to wait for their copy.
    """
    watcher = {HEARTBEAT: Watched(HEARTBEAT_POLICY)} if heartbeat else {}
    watcher |= {PUBLIC: Watched(PUBLIC_POLICY)} if public else {}
    watcher |= {MAILBOX: Watched(HEARTBEAT_POLICY)} if mailbox else {}
    watcher |= {SMS_IN: Watched(ARCHIVE_POLICY)} if sms_in else {}
    watcher |= {PEER: Watched(ConfirmPolicy(confirm=1))} if peer else {}
    watcher |= {VOTERS: Watched(HEARTBEAT_POLICY)} if voters else {}
    watcher |= {SELF: Watched(HEARTBEAT_POLICY)} if itself else {}
    watcher |= {ANSWERS: Watched(ConfirmPolicy(confirm=1))} if mailbox or sms_in else {}
    watcher |= {lease_check(name): Watched(ARCHIVE_POLICY) for name in leases}
    watcher |= {promise_check(name): Watched(HEARTBEAT_POLICY) for name in promises}
    watcher |= {failover_check(name): Watched(ConfirmPolicy(confirm=1)) for name in plans}
    return OWN | LOAD | watcher | {archive_check(name): Watched(ARCHIVE_POLICY) for name in recordings}


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


def answers_verdict(parked: Sequence[Parked], now: datetime) -> Verdict:
    """Return whether answers wait for a reader. What came more than an hour ago was told, and is only listed."""
    fresh = [one for one in parked if now - one.at < MOURNED]
    if not fresh:
        return Verdict(Severity.OK, say("No new answer waits for a reader"))
    last = fresh[-1]
    text = say(
        "Answers that changed nothing and are for you to read: {count}. The last one, from {sender}: {why}. "
        "`releve notify replies` lists them",
        count=len(fresh),
        sender=last.contact or last.sender or "?",
        why=WHY_PARKED[last.why],
    )
    return Verdict(Severity.WARNING, text)


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


def archive_verdict(report: ArchiveReport, now: datetime) -> Verdict:
    """Return what one round of archiving that ended `now` (UTC) means, and how far the archive is behind.

    Nothing is deleted that it did not prove, so nothing is CRITICAL.
    """
    severity, text = _of_round(report)
    return Verdict(severity, text, _archive_metrics(report, now))


def _archive_metrics(report: ArchiveReport, now: datetime) -> tuple[Metric, ...]:
    """Return `lag`, the age of the oldest recording that would be lost with the folder, and `age` of the last proof.

    What was written since the folder was listed is not in the list: where all that is has a proof, the lag is the age
    of the list.
    """
    if report.standing is None or report.looked_at is None:
        return ()
    since = report.standing.unproven or report.looked_at
    metrics = [Metric("lag", _age(min(since, report.looked_at), now), "s", minimum=0)]
    if report.standing.proven_at is not None:
        metrics.append(Metric("age", _age(report.standing.proven_at, now), "s", minimum=0))
    return tuple(metrics)


def _age(at: datetime, now: datetime) -> float:
    return max(0.0, (now - at).total_seconds())


def _of_round(report: ArchiveReport) -> tuple[Severity, Text]:
    counts = {"seen": report.seen, "proven": report.proven, "left": report.left}
    if report.failed:
        first = report.failed[0]
        what: dict[str, Text | str | int] = {"count": report.failures, "path": first.path, "why": first.why}
        if report.mirror:
            text = say("Files that could not be mirrored: {count}, among them {path}: {why}", **what)
            return Severity.WARNING, text
        text = say(
            "Recordings that could not be archived: {count}, among them {path}: {why}. Nothing was deleted", **what
        )
        return Severity.WARNING, text
    if report.ended is not None:
        text = say("Archiving ended early: {why}. Archived: {proven}; to come: {left}", why=report.ended, **counts)
        return Severity.WARNING, text
    if report.mirror:
        return Severity.OK, say("Files there: {seen}; mirrored in the last round: {proven}; to come: {left}", **counts)
    return Severity.OK, say("Recordings there: {seen}; archived in the last round: {proven}; to come: {left}", **counts)


def not_archived(why: Text) -> Verdict:
    """Return the verdict of a round that could not begin."""
    return Verdict(Severity.WARNING, say("Recordings are not archived: {why}. Nothing is deleted meanwhile", why=why))


LAG_WARNING, LAG_CRITICAL = 10.0, 60.0
"""Seconds. A third of the half minute that a first notice has; and a whole interval of a check that says nothing else,
from where on observations are left out."""


def lag_verdict(lag: float) -> Verdict:
    """Return whether observations start when they should. `lag`: seconds by which the latest one was late."""
    metric = Metric("lag", lag, "s")
    if lag < LAG_WARNING:
        return Verdict(Severity.OK, say("Observations start on time"), (metric,))
    severity = Severity.WARNING if lag < LAG_CRITICAL else Severity.CRITICAL
    text = say(
        "Observations start up to {lag} late, and so does every alarm. The machine is too busy: see what runs on it "
        "(top), or give checks a longer every",
        lag=Quantity(lag, "s"),
    )
    return Verdict(severity, text, (metric,))


@dataclass(frozen=True, slots=True)
class Queue:
    """What is under way: of so many `checks` those `in_flight`, and those among them that are `overlong`.

    `waiting`: results that waited to be taken at once, at most since the last look. `hung`: threads of `threads` that
    never come to an end.
    """

    checks: int
    in_flight: int = 0
    overlong: int = 0
    waiting: int = 0
    hung: int = 0
    threads: int = 1


@dataclass(frozen=True, slots=True)
class _Limits:
    """From which share of a whole on a number is too large, and the least that is ever too many."""

    warning: float
    warning_least: int
    critical: float
    critical_least: int

    def of(self, number: int, whole: int) -> Severity:
        if number >= max(self.critical_least, self.critical * whole):
            return Severity.CRITICAL
        return Severity.WARNING if number >= max(self.warning_least, self.warning * whole) else Severity.OK


OVERLONG = _Limits(0.1, 10, 0.5, 20)
"""Of all checks. A dead device with thirty checks holds up some of its own; that is its trouble and not ours."""
WAITING = _Limits(0.25, 20, 0.75, 60)
"""Of all checks. Each waits with one result at most; a start brings the results of a fifth of them in a second."""
HUNG = _Limits(0.5, 1, 1.0, 1)
"""Of all threads; what needs one waits for those that are left."""


def queue_verdict(queue: Queue) -> Verdict:
    """Return whether what is under way comes to an end. What is worst is told, the first of those that are alike."""
    findings = (
        (
            HUNG.of(queue.hung, queue.threads),
            say(
                "Threads that hang in the system: {hung} of {threads}. Often it is a mount that does not answer (df); "
                "only a restart of Relève gives them back",
                hung=queue.hung,
                threads=queue.threads,
            ),
        ),
        (
            WAITING.of(queue.waiting, queue.checks),
            say(
                "Results wait to be taken: {waiting}. The disk or the machine is too slow: see what else uses it",
                waiting=queue.waiting,
            ),
        ),
        (
            OVERLONG.of(queue.overlong, queue.checks),
            say(
                "Observations do not end: {overlong} of {checks} checks wait for theirs for more than an interval. "
                "Shorten timeouts, or observe less often what does not answer",
                overlong=queue.overlong,
                checks=queue.checks,
            ),
        ),
    )
    metrics = (
        Metric("in_flight", queue.in_flight, "{check}"),
        Metric("overlong", queue.overlong, "{check}"),
        Metric("waiting", queue.waiting, "{result}"),
        Metric("hung", queue.hung, "{thread}"),
    )
    severity, text = max(findings, key=lambda finding: finding[0])
    if severity is Severity.OK:
        text = say("Observations going on: {count}; results are taken as they come", count=queue.in_flight)
    return Verdict(severity, text, metrics)


def silent(
    stale: Iterable[CheckId], checks: Mapping[CheckId, Watched], watched_for: Callable[[CheckId], float]
) -> tuple[CheckId, ...]:
    """Return those of `stale` that have given no result for three intervals, and had them.

    `watched_for`: for how many seconds a check has been watched as it is. After a start, or once its interval was
    shortened, it was seen last when nobody was to look at it yet.
    """
    return tuple(
        name
        for name in stale
        if name in checks
        and (limit := silence_limit(checks[name])) is not None
        and watched_for(name) > limit.total_seconds()
    )


NAMED = 5
"""Checks that a message names; beyond that nobody reads."""


def checks_verdict(stale: Iterable[CheckId]) -> Verdict:
    """Return whether every check gives results. `stale`: those that have given none for three intervals."""
    names = sorted(stale)
    metrics = (Metric("stale", len(names), "{check}"),)
    if not names:
        return Verdict(Severity.OK, say("Every check gives results"), metrics)
    listed = verbatim(", ".join(names[:NAMED]))
    if len(names) > NAMED:
        listed = say("{names} and {count} more", names=listed, count=len(names) - NAMED)
    text = say(
        "Checks without a result for three intervals: {names}. What they watch is not seen. `releve check NAME` looks "
        "now; if that answers, restart Relève",
        names=listed,
    )
    return Verdict(Severity.UNKNOWN, text, metrics)
