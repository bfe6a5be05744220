"""What proves that the old site has no further effect, by which evidence, and what has to be true for that.

One proven fence suffices. One that was tried and failed is told all the same: it was meant to hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from failover.model import Fence, Guarded, Isolation, Token
from failover.vantage import View
from monitor.core.text import Text, say
from runbooks.run import NOTHING

DRIFT = 0.01
"""How much faster our clock may run than the old site's while we wait: far above what quartz and NTP allow."""


class Steps(StrEnum):
    """How far the steps of a fence are. UNKNOWN: one was begun, and nobody knows yet what became of it."""

    TODO = "todo"
    UNKNOWN = "unknown"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one fence in one move.

    `failed`: why its steps failed. `seen`: how the old site looks to the surviving side since they were done; `looked`:
    whether anybody has looked since.
    `acknowledged`: the highest token that the resource has confirmed to hold against older ones. `stopped`: the token
    up to which the guard's own record says that everything is stopped, None while there is no such record.
    """

    steps: Steps = Steps.TODO
    failed: Text = NOTHING
    seen: View = View.UNKNOWN
    looked: bool = False
    acknowledged: int | None = None
    stopped: int | None = None


NONE = Evidence()


@dataclass(frozen=True, slots=True)
class Reign:
    """Under which lease the old site is fenced.

    `token`: ours. `before`: the highest that the old site may hold or have been let run under, None where nobody knows.
    `lapsed_at`: seconds of
    CLOCK_BOOTTIME, of this boot, by which the old holder's belief is over at the latest (when the answer to our taking
    of the lease had arrived); None while the lease is not ours, or that was in another boot.
    """

    token: int
    before: int | None
    lapsed_at: float | None


@dataclass(frozen=True, slots=True)
class Proof:
    """The fence number `n` of the old site is proven. `text`: by what; `assumption`: what has to be true for that."""

    n: int
    text: Text
    assumption: Text


@dataclass(frozen=True, slots=True)
class Fenced:
    """What is proven of the old site.

    `proof`: the first fence that is. Without: `look` when its isolation is done and has to be seen, `blind` when who
    looked could not tell, `wait` when the time alone will prove one (seconds from now), `text` why none is. `failed`:
    every fence that was tried in vain.
    """

    proof: Proof | None
    text: Text
    look: bool = False
    blind: bool = False
    wait: float | None = None
    failed: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class _Open:
    """A fence that is not proven: why, and what would prove it."""

    text: Text
    look: bool = False
    blind: bool = False
    wait: float | None = None
    failed: bool = False


ASSUMED_OF_ISOLATION = say("nobody at the site has another way out, and what was isolated stays isolated")
ASSUMED_OF_TOKEN = say("every writer goes through the resource that refuses old tokens")
ASSUMED_OF_GUARD = say("the guard ran at the old site, and stops everything within the time that it was drilled for")


def judge(fences: Sequence[Fence], evidence: Mapping[int, Evidence], reign: Reign, now: float) -> Fenced:
    """Return what is proven of the old site, whose `fences` these are, at `now` (CLOCK_BOOTTIME)."""
    open_ones = list[_Open]()
    first: Proof | None = None
    for n, fence in enumerate(fences):
        found = _proven(n, fence, evidence.get(n, NONE), reign, now)
        if isinstance(found, _Open):
            open_ones.append(found)
        elif first is None:
            first = found
    failed = tuple(one.text for one in open_ones if one.failed)
    if first is not None:
        return Fenced(first, first.text, failed=failed)
    if not open_ones:
        return Fenced(None, say("the plan names no fence of the old site"))
    waits = [one.wait for one in open_ones if one.wait is not None]
    told = next((one for one in open_ones if one.failed), open_ones[0])
    return Fenced(
        None,
        told.text,
        look=any(one.look for one in open_ones),
        blind=all(one.blind for one in open_ones if one.look),
        wait=min(waits) if waits else None,
        failed=failed,
    )


def _proven(n: int, fence: Fence, evidence: Evidence, reign: Reign, now: float) -> Proof | _Open:
    match fence:
        case Isolation():
            return _isolated(n, evidence)
        case Token():
            return _refused(n, evidence, reign)
        case Guarded():
            return _guarded(n, fence, evidence, reign, now)


def _isolated(n: int, evidence: Evidence) -> Proof | _Open:
    unfinished = _unfinished(evidence, say("the isolation"))
    if unfinished is not None:
        return unfinished
    match evidence.seen:
        case View.DOWN:
            text = say("the old site is isolated, and was seen unreachable from the surviving side afterwards")
            return Proof(n, text, ASSUMED_OF_ISOLATION)
        case View.UP:
            return _Open(say("the isolation was done, but the old site still answers"), failed=True)
        case View.UNKNOWN:
            if evidence.looked:
                return _Open(say("the isolation was done, but nobody can see whether it holds"), look=True, blind=True)
            return _Open(say("the isolation was done, but nobody has looked since whether it holds"), look=True)


def _refused(n: int, evidence: Evidence, reign: Reign) -> Proof | _Open:
    # Whoever goes on under a newer token of his own need not raise it again: the old site's are refused already.
    enough = reign.token if reign.before is None else min(reign.token, reign.before + 1)
    if evidence.acknowledged is not None and evidence.acknowledged >= enough:
        text = say("the resource refuses every token before {token}", token=evidence.acknowledged)
        return Proof(n, text, ASSUMED_OF_TOKEN)
    unfinished = _unfinished(evidence, say("raising the token"))
    if unfinished is not None:
        return unfinished
    return _Open(say("the resource did not confirm that it holds token {token}", token=reign.token), failed=True)


def _guarded(n: int, fence: Guarded, evidence: Evidence, reign: Reign, now: float) -> Proof | _Open:
    # Also for our own token: the guard of the old site may have let it run under that one until its fence began.
    if evidence.stopped is not None and reign.before is not None and reign.before <= evidence.stopped <= reign.token:
        text = say("the guard's record says that everything is stopped at the old site")
        return Proof(n, text, ASSUMED_OF_GUARD)
    if reign.lapsed_at is None:
        return _Open(say("the lease of the old site is not known to be over, so its guard need not have stopped it"))
    left = reign.lapsed_at + fence.stops_within.total_seconds() * (1 + DRIFT) - now
    if left > 0:
        return _Open(
            say("the guard of the old site has {span} left to stop everything", span=fence.stops_within), wait=left
        )
    text = say(
        "the lease of the old site is over, and so is the time its guard takes ({span})", span=fence.stops_within
    )
    return Proof(n, text, ASSUMED_OF_GUARD)


def _unfinished(evidence: Evidence, what: Text) -> _Open | None:
    match evidence.steps:
        case Steps.TODO:
            return _Open(say("{what} was not tried yet", what=what))
        case Steps.UNKNOWN:
            return _Open(say("nobody knows yet whether {what} was done", what=what))
        case Steps.FAILED:
            return _Open(say("{what} failed: {why}", what=what, why=evidence.failed), failed=True)
        case Steps.DONE:
            return None


def prospect(fences: Sequence[Fence], hindered: Mapping[int, Text]) -> Text | None:
    """Return why none of `fences` could be proven now; None when one could.

    `hindered`: by number, what stands against each one that the last look at it found useless: a router that does not
    answer, a guard that was not heard of.
    """
    if not fences:
        return say("the plan names no fence of the old site")
    if any(n not in hindered for n in range(len(fences))):
        return None
    return hindered[0]
