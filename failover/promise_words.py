"""How it is told whether commits wait for a copy, and what a person may do about it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from failover.promise import MakeWait, Nothing, Relax, Step, TakeBack, Why, WriteKey
from failover.promise_record import Record
from failover.promise_seen import MENDED, UNNAMED, Copy, Looked, Primary, Wanted, is_there
from monitor.core.text import Text, say
from monitor.core.verdict import Severity, Verdict
from runbooks.commits_wait import spelled, waited_for

BY_HAND = "ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf();"
"""With which a person lets commits go on, and answers for what may be lost."""


@dataclass(frozen=True, slots=True)
class View:
    """What one turn saw and did. `looked`: None where the lease is not ours. `away`: for how long the copy has been.

    `trouble`: why what it wanted to do did not work, or is not known to have.
    """

    wanted: Wanted
    record: Record | None
    step: Step
    looked: Looked | None = None
    away: timedelta = timedelta(0)
    trouble: Text | None = None


def verdict_of(view: View) -> Verdict:
    """Return how the promise stands: OK only while it does and nothing is amiss."""
    severity, text = _told(view)
    if view.trouble is not None:
        if isinstance(view.step, TakeBack | Relax) and view.looked is not None:
            stuck = _stuck(view.wanted, view.looked.primary, say("they could not be let go ({why})", why=view.trouble))
            if stuck is not None:
                return stuck
        text = say("{text}. It did not work: {why}", text=text, why=view.trouble)
        severity = max(severity, Severity.WARNING)
    stands = view.record is not None and view.record.stands
    facts = {"promise": "stands" if stands else "none"}
    return Verdict(severity, text, facts=facts)


def unread(why: Text, wanted: Wanted, primary: Primary | Text | None) -> Verdict:
    """Return what is told while no majority of the voters says how the promise stands."""
    stuck = _stuck(wanted, primary, say("nothing is let go without the voters ({why})", why=why))
    if stuck is not None:
        return stuck
    return Verdict(Severity.UNKNOWN, say("nobody can say whether the promise stands: {why}", why=why))


def unheld(record: Record | None, wanted: Wanted, primary: Primary | Text) -> Verdict:
    """Return what is told while the lease of the group is not ours, and nothing of it moves."""
    why = say("nothing is let go without the lease of the group, which this Relève does not hold")
    return _stuck(wanted, primary, why) or verdict_of(View(wanted, record, Nothing(Why.NOT_OURS)))


def _stuck(wanted: Wanted, primary: Primary | Text | None, why: Text) -> Verdict | None:
    """Return that commits hang until somebody acts, and `why` that is not us; None where none do.

    The voters do not hear of what a person then does by hand: who takes over goes by what they hold.
    """
    ours = None if primary is None or isinstance(primary, Text) else waited_for(primary.names)
    if ours is None or not isinstance(primary, Primary) or is_there(primary, ours):
        return None
    text = say(
        "commits on {primary} wait for {copy}, which is away, and {why}. Mend that, or bring back the copy; who "
        "accepts that data may be lost with the site, even where a takeover then reports that nothing was: {command}",
        primary=wanted.primary,
        copy=wanted.standby,
        why=why,
        command=BY_HAND,
    )
    return Verdict(Severity.CRITICAL, text)


def _told(view: View) -> tuple[Severity, Text]:
    wanted, step = view.wanted, view.step
    where = {"primary": wanted.primary, "copy": wanted.standby}
    match step:
        case Nothing(why):
            return _waiting(view, why)
        case TakeBack(_, why):
            return Severity.WARNING, say("the promise is taken back: {why}", why=why.text)
        case Relax(_, _, why):
            return Severity.WARNING, say("commits on {primary} no longer wait for {copy}: {why}", why=why.text, **where)
        case MakeWait():
            return Severity.WARNING, say("commits on {primary} are made to wait for {copy}", **where)
        case WriteKey():
            return Severity.OK, say("every commit on {primary} waits for {copy}: it is promised now", **where)


def _waiting(view: View, why: Why) -> tuple[Severity, Text]:
    wanted, record = view.wanted, view.record
    where = {"primary": wanted.primary, "copy": wanted.standby}
    if why is Why.KEPT:
        text = say(
            "every commit on {primary} waits for {copy}, and the voters know it: the loss of {site} loses no data",
            site=wanted.called or wanted.site,
            **where,
        )
        return Severity.OK, text
    if why is Why.NOT_WANTED:
        return Severity.OK, say("commits on {primary} do not wait for {copy}", **where)
    if why is Why.WAITS:
        text = say(
            "commits on {primary} wait for {copy}, which has been away for {span}; they go on without it after {most}",
            span=view.away,
            most=timedelta(seconds=wanted.degrade_after),
            **where,
        )
        return Severity.WARNING, text
    reason = _reason(view, why)
    if record is not None and record.stands:
        # What was seen does not say that it is not true; only that nobody can look just now.
        severity = Severity.OK if why is Why.NOT_OURS else Severity.WARNING
        return severity, say("the promise stands since {time}; {reason}", time=record.at, reason=reason)
    return Severity.WARNING, say("what is committed on {primary} may be lost with it: {reason}", reason=reason, **where)


def _reason(view: View, why: Why) -> Text:
    """Return why there is no promise, and what to do."""
    told = _SIMPLE.get(why)
    if told is not None:
        return told
    wanted, looked = view.wanted, view.looked
    primary = looked.primary if looked is not None else None
    copy = looked.copy if looked is not None else None
    match why:
        case Why.PRIMARY_SILENT:
            silent = primary if isinstance(primary, Text) else say("no answer in time")
            return say("{device} does not say how it stands: {why}", device=wanted.primary, why=silent)
        case Why.COPY_SILENT:
            silent = copy if isinstance(copy, Text) else say("no answer in time")
            return say("{device} does not say how it stands: {why}", device=wanted.standby, why=silent)
        case Why.NO_PRIMARY:
            return say("{device} takes no commits: it is a standby", device=wanted.primary)
        case Why.PROMOTED:
            return say("{device} is no standby: it takes commits itself", device=wanted.standby)
        case Why.AWAY:
            return say("{device} is not connected to {primary}", device=wanted.standby, primary=wanted.primary)
        case Why.WEAK:
            weak = primary.weak if isinstance(primary, Primary) else ""
            return say(
                "commits do not wait until the copy has them on its disk ({setting}): set synchronous_commit = on for "
                "the server alone, in postgresql.conf, and reset it for roles and databases",
                setting=weak,
            )
        case Why.FOREIGN:
            names = primary.names if isinstance(primary, Primary) else ""
            return say(
                "synchronous_standby_names is {names}, which Relève has not set and leaves alone. Let Relève set it: "
                "{command}",
                names=names,
                command=BY_HAND,
            )
        case Why.BY_HAND:
            name = copy.name if isinstance(copy, Copy) else ""
            return say(
                "somebody else cleared synchronous_standby_names, and Relève leaves it so. To have commits wait again: "
                "{command}",
                command=f"ALTER SYSTEM SET synchronous_standby_names = '{spelled(name)}'; SELECT pg_reload_conf();",
            )
        case _:
            return say("another server connects under the name of {device}: give each its own", device=wanted.standby)


_SIMPLE = {
    Why.NOT_OURS: say("this Relève does not hold the lease of the group, and leaves it as it is"),
    Why.ANOTHER: say("the two are different databases, neither a copy of the other"),
    Why.OLD: say(
        "this version of PostgreSQL lets commits go by right after its start; these do not: {versions}, or later",
        versions=", ".join(f"{major}.{minor}" for major, minor in MENDED.items()),
    ),
    Why.UNNAMED: say(
        "the copy has no name of its own ({name}): write application_name=NAME into its primary_conninfo, or set "
        "cluster_name on it, with letters, digits, - _ and . only",
        name=UNNAMED,
    ),
    Why.STEADYING: say("the copy is back, and has to stay for a while before commits wait for it again"),
    Why.CATCHING_UP: say("commits wait for the copy, which does not have yet all that was committed before"),
}
