"""The lease: who may make its site the active one, until when, and what its holder may still do.

A lease is a record that everybody reads and that changes only by comparison, whole or not at all. Time never comes
from whoever keeps the record, only from the two machines that use it:

1. A holder believes in its lease until `ttl`, less a margin, after it SENT the last renewal that was answered. An
   answer that is lost adds nothing, whatever became of the renewal.
2. A taker takes a record only when it has seen the very same one unchanged for `ttl`, counted from when the answer
   that first showed it had ARRIVED; and it takes it by "if still unchanged". A record that is not there is waited for
   likewise: somebody may just have deleted what a holder believes in.

So the old belief ends before the new one begins, if the two clocks run at rates no more than `DRIFT` apart. Both are
CLOCK_BOOTTIME, which goes on during suspend and which no time server steps. It stands still in a virtual machine that
its host pauses, and no check of a clock covers a stop between the check and the effect. Against these two there are
fences: every effect carries the token, which rises with every holder and never comes twice.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

from monitor.core.text import Text, say

DRIFT = 0.01
"""How far apart two clocks may run. Quartz is within 0.01 %, and NTP slews by 0.05 % at most (RFC 5905: 500 ppm)."""
LARGEST_TOKEN = 2**53
"""What every JSON reader still holds exactly (RFC 8259, section 6)."""
LONGEST_TTL = 3600.0
"""Seconds; a record that claims more is none of ours."""
LARGEST_RECORD = 1024
"""Bytes."""
LONGEST_NAME = 64
"""Characters of a holder or a session in a record."""


@dataclass(frozen=True, slots=True)
class Belief:
    """What a holder believes: its `token`, and until when, in seconds of CLOCK_BOOTTIME of this machine's boot."""

    token: int
    valid_until: float


class May(StrEnum):
    """Whether an effect may begin, or why not."""

    ACT = "act"
    NOT_HELD = "not held"
    LAPSED = "lapsed"
    TOO_SHORT = "too short"

    @property
    def text(self) -> Text:
        """The same in words."""
        return _MAY[self]


_MAY = {
    May.ACT: say("the lease is held"),
    May.NOT_HELD: say("this site does not hold the lease"),
    May.LAPSED: say("the lease has lapsed"),
    May.TOO_SHORT: say("the lease ends before this would be done"),
}


def extended(token: int, sent: float, ttl: float) -> Belief:
    """Return what a write with `token` that was SENT at `sent` and answered lets its holder believe.

    `sent`: CLOCK_BOOTTIME just before the request left. `ttl`: seconds that a taker waits. The margin is what a slower
    clock of ours would take for less time than it was.
    """
    return Belief(token, sent + ttl * (1 - DRIFT))


def may_act(belief: Belief | None, now: float, needs: float = 0.0) -> May:
    """Return whether an effect that takes `needs` seconds may begin at `now`, read just before it (CLOCK_BOOTTIME)."""
    if belief is None:
        return May.NOT_HELD
    if now >= belief.valid_until:
        return May.LAPSED
    return May.ACT if now + needs < belief.valid_until else May.TOO_SHORT


@dataclass(frozen=True, slots=True)
class Record:
    """What is written of a lease.

    `session`: which life of `holder` holds it; no two processes share one. `ttl`: seconds that whoever wants to take it
    waits. `held`: False once it was given back, and then it is free at once.
    """

    holder: str
    session: str
    token: int
    ttl: float
    held: bool = True


class Illegible(Exception):
    """What stands in the place of the record was not written by us; nobody takes it."""


def encode(record: Record) -> bytes:
    """Return `record` as it is written: equal records are equal bytes, so that they can be compared there."""
    data = {
        "held": record.held,
        "holder": record.holder,
        "session": record.session,
        "token": record.token,
        "ttl": float(record.ttl),
    }
    return json.dumps(data, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode("ascii")


def decode(raw: bytes) -> Record:
    """Return the record that `encode` wrote. Raises Illegible for anything else."""
    if len(raw) > LARGEST_RECORD:
        raise Illegible
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Illegible from error
    if not isinstance(data, dict) or data.keys() != {"held", "holder", "session", "token", "ttl"}:
        raise Illegible
    if not (_is_name(data["holder"]) and _is_name(data["session"]) and isinstance(data["held"], bool)):
        raise Illegible
    if type(data["token"]) is not int or not 1 <= data["token"] <= LARGEST_TOKEN:
        raise Illegible
    if type(data["ttl"]) is not float or not math.isfinite(data["ttl"]) or not 0 < data["ttl"] <= LONGEST_TTL:
        raise Illegible
    return Record(data["holder"], data["session"], data["token"], data["ttl"], data["held"])


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()


@dataclass(frozen=True, slots=True)
class Watched:
    """A version of the record, by the `mark` that every write changes, and since when it is known (CLOCK_BOOTTIME)."""

    mark: int
    since: float


def watched(before: Watched | None, mark: int, arrived: float) -> Watched:
    """Return what is known after an answer that had arrived at `arrived` showed `mark`."""
    return before if before is not None and before.mark == mark else Watched(mark, arrived)


def free_in(record: Record | None, seen: Watched, ttl: float, now: float) -> float:
    """Return the seconds after which the record may be taken if it stays as it is, 0 when at once.

    `ttl`: the taker's own, in case that the record has a shorter one or is not there.
    """
    if record is not None and not record.held:
        return 0.0
    wait = ttl if record is None else max(ttl, record.ttl)
    return max(0.0, seen.since + wait - now)


def next_token(known: int, sites: int = 1, rank: int = 0) -> int:
    """Return the lowest token above `known` that leaves `rank` when divided by `sites`.

    Sites that cannot ask each other never come to the same one so. Raises OverflowError past LARGEST_TOKEN.
    """
    token = known + 1 + (rank - known - 1) % sites
    if token > LARGEST_TOKEN:
        raise OverflowError(token)
    return token


def taken(record: Record | None, by: Record, above: int) -> Record:
    """Return `by` as it follows `record`: with the next token that is also higher than `above`."""
    return replace(by, token=next_token(max(above, 0 if record is None else record.token)))


class Why(StrEnum):
    """Why something about a lease was not done."""

    HELD = "held"
    """Somebody else holds it, or may still believe so."""
    LOST = "lost"
    """It was ours and is not any more: nothing may be done under it, whatever time is left."""
    UNANSWERED = "unanswered"
    """Nobody knows whether it was done. A belief stays as it is, until its end."""
    ILLEGIBLE = "illegible"
    """Something that is no record of ours stands in its place; a person has to look."""
    EXHAUSTED = "exhausted"
    """No token is left."""


@dataclass(frozen=True, slots=True)
class Held:
    """The lease is ours, as far as `belief` goes."""

    belief: Belief


@dataclass(frozen=True, slots=True)
class Released:
    """The lease was given back, and whoever wants it has it at once."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It was not done, or nobody knows (UNANSWERED). `free_in`: seconds until it may be, where that is known."""

    why: Why
    text: Text
    free_in: float | None = None


class Standing(StrEnum):
    """How the lease stands, for who asks."""

    OURS = "ours"
    HELD = "held"
    ABSENT = "absent"
    """There is no record, and has not been for too short a time to be sure that nobody believes in one."""
    FREE = "free"


@dataclass(frozen=True, slots=True)
class Seen:
    """The lease as it was read. `free_in`: seconds after which it may be taken if nothing happens, None: not known."""

    standing: Standing
    record: Record | None
    free_in: float | None


class Lease(Protocol):
    """A lease, as one site sees it. Nothing here raises for a network, a disk or a voter: the result says so.

    Results come within the retry time of the inventory. One process asks at a time.
    """

    async def acquire(self, above: int = 0) -> Held | Refused:
        """Take the lease if it is free, with a token higher than any before and than `above`; again: renew it.

        `above`: the highest token that this site has ever heard of, from its journal or its peer, so that none comes
        twice even when the place where it was kept was restored from a copy. The token is raised before anything that
        it protects is read.
        """
        ...

    async def renew(self, belief: Belief) -> Held | Refused:
        """Extend `belief`. UNANSWERED leaves it as it is; LOST ends it at once."""
        ...

    async def raise_token(self, belief: Belief, above: int) -> Held | Refused:
        """Extend `belief` under the next token, above its own and `above`: the lease is nobody else's meanwhile."""
        ...

    async def release(self, belief: Belief) -> Released | Refused:
        """Give the lease back. Who calls this has dropped its belief before."""
        ...

    async def look(self) -> Seen | Refused:
        """Return how the lease stands. A site that may have to take it looks every second or two, so as to know."""
        ...

    async def close(self) -> None:
        """Let go of connections and files. The lease itself is not given back, except a local one."""
        ...
