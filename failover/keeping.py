"""What the Relève of a site does about the lease of a group between moves: hold it where the group runs, nowhere else.

A site boots passive. It takes the lease of a group again only where its own journal says that the group runs here, and
nobody has held the lease since: the token in the record rises with every holder. Whoever comes back after another site
took over finds that token, and stays passive, whatever its own journal says and even when the lease is free by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from failover.lease import Belief, May, Record, Refused, Seen, Standing, may_act
from failover.lease import Why as Denied
from failover.model import SiteId
from monitor.core.text import Quantity, Text, say, verbatim
from monitor.core.verdict import Metric, Severity, Verdict


class Why(StrEnum):
    """Why a site does not hold the lease of a group."""

    ELSEWHERE = "elsewhere"
    """The group runs at the other site."""
    NOWHERE = "nowhere"
    """It runs nowhere, or nobody can tell where."""
    MOVING = "moving"
    """A move goes on, and the lease is its own."""
    HELD = "held"
    """Somebody else holds it."""
    TAKEN = "taken"
    """Somebody else held it since, and the journal does not know what was done under it."""
    WAITING = "waiting"
    """Its record has to stand still for a while before it may be taken."""
    SILENT = "silent"
    """Nobody could say how it stands."""
    ILLEGIBLE = "illegible"
    """A person has to look at what stands in its place."""


FOREIGN = frozenset({Why.HELD, Why.TAKEN, Why.ILLEGIBLE})
"""Where the group may well run at another site by now, so that nothing of it is started here."""


@dataclass(frozen=True, slots=True)
class Take:
    """Take the lease, under a token above `above` even where it still stands in our name.

    What was started under the token before may have been stopped for good: the guard never holds for that one again.
    """

    above: int


@dataclass(frozen=True, slots=True)
class StayPassive:
    """Do nothing about it, and start nothing."""

    why: Why
    text: Text


Step = Take | StayPassive


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the lease of `plan` at the site `here`.

    `runs_at`: where the group runs by the journal of moves. `moving`: a move of it goes on here. `seen`: the lease as
    it was read just now, None where nobody has looked. `token`: the highest that the journal knows. `from_here`: this
    is the Relève that works for both sites, so that it keeps on the lease of what it moved to the other one.
    `called`: what people call `runs_at`.
    """

    plan: str
    here: SiteId
    runs_at: SiteId | None
    moving: bool = False
    seen: Seen | Refused | None = None
    token: int = 0
    from_here: bool = False
    called: str = ""


def holds(belief: Belief | None, now: float) -> bool:
    """Return whether `belief` is one, and has not lapsed at `now` (CLOCK_BOOTTIME)."""
    return may_act(belief, now) is May.ACT


def next_step(known: Known) -> Step:
    """Return what to do about a lease that is not held: it is held from then on for as long as the group runs here."""
    if known.moving:
        return StayPassive(Why.MOVING, say("a move of {plan} goes on, and keeps its lease", plan=known.plan))
    if known.runs_at != known.here:
        ours = isinstance(known.seen, Seen) and known.seen.record is not None and known.seen.record.holder == known.here
        if known.runs_at is None or not (known.from_here and ours and isinstance(known.seen, Seen)):
            return _away(known)
        return _free(known, known.seen)
    if known.seen is None:
        return StayPassive(Why.SILENT, say("nobody has looked yet who holds the lease of {plan}", plan=known.plan))
    if isinstance(known.seen, Refused):
        why = Why.ILLEGIBLE if known.seen.why in (Denied.ILLEGIBLE, Denied.EXHAUSTED) else Why.SILENT
        return StayPassive(why, known.seen.text)
    return _free(known, known.seen)


def _away(known: Known) -> StayPassive:
    if known.runs_at is None:
        text = say("{plan} runs nowhere as far as is known: nobody keeps its lease", plan=known.plan)
        return StayPassive(Why.NOWHERE, text)
    text = say("{plan} runs at {site}: its lease is not kept here", plan=known.plan, site=known.called or known.runs_at)
    return StayPassive(Why.ELSEWHERE, text)


def _free(known: Known, seen: Seen) -> Step:
    record = seen.record
    if record is not None and seen.standing is not Standing.OURS and record.holder != known.here:
        foreign = _foreign(known, seen, record)
        if foreign is not None:
            return foreign
    if seen.standing in (Standing.HELD, Standing.ABSENT):
        text = say("the lease of {plan} was not given back by whoever had it last here: it is waited for until it has "
                   "lapsed", plan=known.plan)  # fmt: skip
        return StayPassive(Why.WAITING, text)
    return Take(max(known.token, 0 if record is None else record.token))


def _foreign(known: Known, seen: Seen, record: Record) -> StayPassive | None:
    names: dict[str, str | Text] = {"plan": known.plan, "holder": verbatim(record.holder)}
    if seen.standing is Standing.HELD:
        text = say("another site holds the lease of {plan} ({holder}); this one stays passive", **names)
        return StayPassive(Why.HELD, text)
    if record.token > known.token:
        text = say(
            "another site has held the lease of {plan} since ({holder}), and nothing is known here of what it did; "
            "this one stays passive. Only if {plan} runs here for certain, and nowhere else: delete the record of its "
            "lease",
            **names,
        )
        return StayPassive(Why.TAKEN, text)
    return None


@dataclass(frozen=True, slots=True)
class Keep:
    """How the lease of a group stands at a site. `plan`: what people call the group; `name`: its name in commands.

    `passive`: why it is not held, None where it is; `belief`: what is believed of one that is. `age`: seconds since the
    renewal that was answered last was sent; `loop`: how often one is sent. `trouble`: why one was not answered;
    `unguarded`: why the guard where the group runs, at `runs_at`, could not be told. `stopped`: that guard has stopped
    the group, and nothing has started it since.
    """

    plan: str
    passive: StayPassive | None = None
    belief: Belief | None = None
    age: float = 0.0
    loop: timedelta = timedelta(seconds=5)
    trouble: Text | None = None
    unguarded: Text | None = None
    runs_at: str = ""
    stopped: bool = False
    name: str = ""


def keep_verdict(keep: Keep, now: float) -> Verdict:
    """Return what that means for the people of operations at `now` (CLOCK_BOOTTIME)."""
    if keep.passive is not None:
        return Verdict(_SEVERITIES.get(keep.passive.why, Severity.OK), keep.passive.text)
    late = say("it was not asked for in time") if keep.trouble is None else keep.trouble
    if keep.belief is None or not holds(keep.belief, now):
        text = say("this site does not hold the lease of {plan} any more: {why}", plan=keep.plan, why=late)
        return Verdict(Severity.UNKNOWN, text)
    seconds = round(keep.belief.valid_until - now, 1)
    left, metrics = Quantity(seconds, "s"), (Metric("left", seconds, "s", minimum=0),)
    if keep.unguarded is not None:
        text = say(
            "the guard at {site} is not told that the lease of {plan} is held, and will stop it: {why}",
            site=keep.runs_at,
            plan=keep.plan,
            why=keep.unguarded,
        )
        return Verdict(Severity.CRITICAL, text, metrics)
    if keep.stopped:
        text = say(
            "the guard at {site} has stopped {plan}, for its lease had lapsed; the lease is held again, and nothing "
            "has started it since: start it there (its runbook, or by hand), or move it: `releve failover run {name}`",
            site=keep.runs_at,
            plan=keep.plan,
            name=keep.name,
        )
        return Verdict(Severity.CRITICAL, text, metrics)
    if keep.age > 2 * keep.loop.total_seconds():
        text = say(
            "the renewal of the lease of {plan} is late; it ends in {left}: {why}", plan=keep.plan, left=left, why=late
        )
        return Verdict(Severity.WARNING, text, metrics)
    text = say(
        "this site holds the lease of {plan}: token {token}, for {left}",
        plan=keep.plan,
        token=keep.belief.token,
        left=left,
    )
    return Verdict(Severity.OK, text, metrics)


_SEVERITIES = {
    **dict.fromkeys(FOREIGN, Severity.CRITICAL),
    Why.SILENT: Severity.UNKNOWN,
    Why.WAITING: Severity.WARNING,
}
