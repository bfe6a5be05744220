"""Two Relèves, a record that voters keep, and what can happen to them, small enough to visit every state there is.

What decides is real: `next_role` for who stands by, `superseded_by` for who is active, `admission` for whose state is
taken. Time goes in ticks; whoever may act may also not. A state is the letters of who wrote it, so that what was lost
can be seen: a copy is what the other one has written so far, and from two that write at once come two different states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from failover.itself import Alone, Ground, Known, Lead, Role, StandBy, Why, next_role, superseded_by
from failover.lease import Record, Refused, Seen, Standing
from failover.lease import Why as Denied
from monitor.core.text import say
from monitor.store.feed import Standing as Whose
from monitor.store.replica import Admission, admission

TTL = 2
"""Ticks until a lease lapses (with one, none could ever be prolonged)."""
TOKENS = 4
"""The highest token: nobody takes the lease after that."""
SITES = (0, 1)
UNANSWERED = Refused(Denied.UNANSWERED, say("no voter answers"))


class Is(IntEnum):
    """What a process does."""

    GONE = 0
    PASSIVE = 1
    TAKING = 2
    """It has the lease, and the copy is becoming its state."""
    ACTIVE = 3
    ENDING = 4
    """It has named the other one, and ends."""


class State(NamedTuple):
    """What lies on a disk: who `wrote` it, a letter each time, and its standing."""

    wrote: str
    token: int = 0
    term: int = 1

    @property
    def rank(self) -> tuple[int, int]:
        return self.token, self.term


class Side(NamedTuple):
    """One site. `left`: ticks for which its lease may be believed in; `token`: of the lease that it had last.

    `silent`: ticks since the other was heard; `relieved`: it said that all has come. `alone`: it once began without the
    lease. `damaged`: the disk has damaged its copy.
    """

    does: Is = Is.GONE
    own: State | None = None
    copy: State | None = None
    left: int = 0
    token: int = 0
    silent: int = 0
    relieved: bool = False
    alone: bool = False
    damaged: bool = False


class World(NamedTuple):
    """`record`: whose the lease is and its token; `age`: ticks since it was written; `line`, `voters`: what works."""

    sides: tuple[Side, Side]
    record: tuple[int, int] | None = None
    age: int = 0
    line: bool = True
    voters: tuple[bool, bool] = (True, True)
    faults: int = 2
    writes: int = 2
    orders: int = 1


BEGIN = World((Side(own=State("")), Side()))
"""One has run for years, the other is new."""


@dataclass(frozen=True)
class Rules:
    """The real ones. A test exchanges one for a wrong one, to see that it would be found."""

    next_role: Callable[[Known], Role] = next_role
    superseded_by: Callable[[Seen | Refused, int], Record | None] = superseded_by
    admission: Callable[[Whose | None, Whose], Admission] = admission
    counts_the_lease: bool = True


class Broken(Exception):
    """Something that must never be."""


def successors(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """Yield every state that may come next, with what has happened. Raises Broken."""
    for x in SITES:
        for what, after in _moves(world, x, rules):
            yield f"{'AB'[x]} {what}", after
    yield "a tick", _older(world)
    yield from _faults(world)


def _moves(world: World, x: int, rules: Rules) -> Iterator[tuple[str, World]]:
    match world.sides[x].does:
        case Is.GONE:
            yield from _started(world, x, rules)
        case Is.PASSIVE:
            yield from _looked(world, x, rules)
        case Is.TAKING:
            yield from _taken_over(world, x)
        case Is.ACTIVE:
            yield from _leads(world, x, rules)
        case Is.ENDING:
            yield from _ends(world, x, rules)


def put(world: World, x: int, **changes: object) -> World:
    """Return the world with `changes` at x."""
    side = world.sides[x]._replace(**changes)
    return world._replace(sides=(side, world.sides[1]) if x == 0 else (world.sides[0], side))


def seen(world: World, x: int) -> Seen | Refused:
    """Return how x reads the lease."""
    if not world.voters[x]:
        return UNANSWERED
    if world.record is None:
        return Seen(Standing.FREE if world.age >= TTL else Standing.ABSENT, None, None)
    holder, token = world.record
    record = Record("AB"[holder], "AB"[holder], token, float(TTL))
    if holder == x:
        return Seen(Standing.OURS, record, 0.0)
    return Seen(Standing.FREE if world.age >= TTL else Standing.HELD, record, None)


def ground(side: Side) -> tuple[Ground, int]:
    """Return what there is to go on with, as `monitor.store.whose.footing` does, and the highest token of it."""
    token = max((one.token for one in (side.own, side.copy) if one is not None), default=0)
    if side.copy is not None and (side.own is None or side.copy.rank > side.own.rank):
        return (Ground.DAMAGED if side.damaged else Ground.COPY), token
    return (Ground.NOTHING if side.own is None else Ground.OWN), token


def judged(world: World, x: int, rules: Rules, *, starting: bool = False) -> Role:
    """Return what x does that is not active."""
    side = world.sides[x]
    found, token = ground(side)
    known = Known(found, seen(world, x), float(side.silent), float(TTL), token, side.relieved, starting)
    return rules.next_role(known)


def _started(world: World, x: int, rules: Rules) -> Iterator[tuple[str, World]]:
    fresh = put(world, x, does=Is.PASSIVE, silent=0, relieved=False)
    role = judged(put(world, x, silent=0, relieved=False), x, rules, starting=True)
    if isinstance(role, Lead):
        yield "starts and leads", _takes(fresh, x, role)
    elif isinstance(role, Alone) and not _told_that_the_other_leads(world, x):
        own = world.sides[x].own
        yield "starts alone", put(fresh, x, does=Is.ACTIVE, token=0 if own is None else own.token, alone=True)
    else:
        yield "starts", fresh


def _told_that_the_other_leads(world: World, x: int) -> bool:
    other = world.sides[1 - x]
    if not world.line or other.does not in (Is.ACTIVE, Is.ENDING):
        return False
    ours = offered(world.sides[x])
    return ours is None or offered(other).rank > ours.rank  # type: ignore[union-attr]


def _looked(world: World, x: int, rules: Rules) -> Iterator[tuple[str, World]]:
    role = judged(world, x, rules)
    if isinstance(role, Lead):
        if ground(world.sides[x])[0] is Ground.NOTHING and _runs(world, 1 - x):
            return
        if world.voters[x]:
            yield "takes the lease", _takes(world, x, role)
    elif isinstance(role, StandBy) and role.why is Why.COMING and world.voters[x] and world.age:
        yield "renews while it waits", world._replace(age=0)


def _runs(world: World, x: int) -> bool:
    return world.line and world.sides[x].does in (Is.ACTIVE, Is.ENDING)


def _takes(world: World, x: int, role: Lead) -> World:
    known = 0 if world.record is None else world.record[1]
    ours = world.record is not None and world.record[0] == x and known >= role.above
    token = known if ours else max(known, role.above) + 1
    if token > TOKENS:
        return world
    side, found, other = world.sides[x], ground(world.sides[x])[0], world.sides[1 - x]
    if found is Ground.COPY and side.silent < TTL and not (ours and side.relieved) and other.does >= Is.ACTIVE:
        raise Broken(f"{'AB'[x]} goes on while it hears the other")
    if found is Ground.DAMAGED:
        raise Broken(f"{'AB'[x]} goes on with what is older")
    taken = world._replace(record=(x, token), age=0)
    if found is Ground.COPY:
        # Taken back meanwhile, the other one may have written more.
        return put(taken, x, does=Is.TAKING, left=TTL, token=token, relieved=side.relieved and ours)
    own = side.own or State("", 0)
    return put(taken, x, does=Is.ACTIVE, left=TTL, token=token, own=own)


def _taken_over(world: World, x: int) -> Iterator[tuple[str, World]]:
    side, other = world.sides[x], world.sides[1 - x]
    copy = side.copy
    assert copy is not None
    leads = side.relieved and world.record == (x, side.token)
    if leads and other.own is not None and not other.alone and copy.wrote != other.own.wrote:
        raise Broken(f"{'AB'[x]} goes on with {copy.wrote!r}, and was told that {other.own.wrote!r} was all")
    own = State(copy.wrote, side.token, copy.term + 1)
    yield "has taken over", put(world, x, does=Is.ACTIVE, own=own, copy=None, relieved=False)


def offered(side: Side) -> State | None:
    """Return under which standing an active one sends."""
    return None if side.own is None else side.own._replace(token=max(side.own.token, side.token))


def _leads(world: World, x: int, rules: Rules) -> Iterator[tuple[str, World]]:
    side = world.sides[x]
    assert side.own is not None
    if world.voters[x]:
        yield from _renews(world, x, rules)
    if world.writes:
        longer = side.own._replace(wrote=side.own.wrote + "ab"[x])
        yield "writes", put(world, x, own=longer)._replace(writes=world.writes - 1)
    yield from _speaks(world, x, rules)
    other = world.sides[1 - x]
    ready = world.line and world.voters[x] and side.left > 0 and other.does is Is.PASSIVE and world.orders
    all_there = ground(other)[0] is Ground.COPY and other.copy == offered(side)
    if ready and all_there and world.record == (x, side.token) and side.token < TOKENS:
        named = world._replace(record=(1 - x, side.token + 1), age=0, orders=0)
        yield "hands over", put(named, x, does=Is.ENDING, left=0)


def _renews(world: World, x: int, rules: Rules) -> Iterator[tuple[str, World]]:
    side = world.sides[x]
    if world.record == (x, side.token):
        if side.left < TTL or world.age:
            yield "renews", put(world._replace(age=0), x, left=TTL)
        return
    found = seen(world, x)
    if rules.superseded_by(found, side.token) is not None:
        yield "gives way", put(world, x, does=Is.PASSIVE, left=0, silent=0, relieved=False)
    elif isinstance(found, Seen) and found.standing in (Standing.FREE, Standing.OURS):
        token = max(side.token, 0 if world.record is None else world.record[1]) + 1
        if token <= TOKENS:
            yield "takes the lease again", put(world._replace(record=(x, token), age=0), x, left=TTL, token=token)


def _speaks(world: World, x: int, rules: Rules) -> Iterator[tuple[str, World]]:
    """What x has written is sent, or that it is there."""
    side, other = world.sides[x], world.sides[1 - x]
    ours = offered(side)
    if not world.line or ours is None:
        return
    if other.does is Is.PASSIVE:
        if _admitted(other, ours, rules):
            yield "sends", put(world, 1 - x, copy=ours, silent=0, relieved=False, damaged=False)
    elif other.does in (Is.ACTIVE, Is.TAKING):
        theirs = offered(other)
        newer = other.does is Is.ACTIVE and theirs is not None and theirs.rank > ours.rank
        if newer and not (rules.counts_the_lease and side.left > 0):
            yield "is refused and gives way", put(world, x, does=Is.PASSIVE, left=0, silent=0, relieved=False)


def _admitted(other: Side, ours: State, rules: Rules) -> bool:
    known = [one for one in (other.own, other.copy) if one is not None and (one.term, one.token) != (1, 0)]
    newest = max(known, key=lambda one: one.rank, default=None)
    whose = None if newest is None else Whose(_epoch(newest), *newest.rank)
    return rules.admission(whose, Whose(_epoch(ours), *ours.rank)) is not Admission.STALE


def _epoch(state: State) -> str:
    """One unbroken sequence is that of a term: only who takes over begins another."""
    return f"term {state.term}"


def _ends(world: World, x: int, rules: Rules) -> Iterator[tuple[str, World]]:
    side, other = world.sides[x], world.sides[1 - x]
    assert side.own is not None
    if world.writes:
        longer = side.own._replace(wrote=side.own.wrote + "ab"[x])
        yield "writes its last", put(world, x, own=longer)._replace(writes=world.writes - 1)
    ended, ours = put(world, x, does=Is.PASSIVE, silent=0, relieved=False, left=0), offered(side)
    if world.line and ours is not None and other.does is Is.PASSIVE and _admitted(other, ours, rules):
        yield "has ended and says so", put(ended, 1 - x, copy=ours, silent=0, relieved=True, damaged=False)
    yield "has ended", ended


def _older(world: World) -> World:
    one, other = (_aged(side) for side in world.sides)
    return world._replace(sides=(one, other), age=min(world.age + 1, TTL))


def _aged(side: Side) -> Side:
    """A site a tick later; how long the other was silent counts only for who stands by, and only up to what matters."""
    most = 0 if side.does is not Is.PASSIVE else 2 * TTL if ground(side)[0] is Ground.NOTHING else TTL
    return side._replace(left=max(0, side.left - 1), silent=min(side.silent + 1, most))


def _faults(world: World) -> Iterator[tuple[str, World]]:
    if not world.line or world.voters != (True, True):
        yield "all is mended", world._replace(line=True, voters=(True, True))
    if not world.faults:
        return
    spent = world._replace(faults=world.faults - 1)
    for x in SITES:
        if world.sides[x].does is not Is.GONE:
            yield f"{'AB'[x]} is killed", put(spent, x, does=Is.GONE, left=0, silent=0, relieved=False)
        if ground(world.sides[x])[0] is Ground.COPY and world.sides[x].does in (Is.GONE, Is.PASSIVE):
            yield f"the copy of {'AB'[x]} is damaged", put(spent, x, damaged=True)
        if world.voters[x]:
            yield (
                f"{'AB'[x]} loses the voters",
                spent._replace(voters=(False, world.voters[1]) if x == 0 else (world.voters[0], False)),
            )
    if world.line:
        yield "the line is cut", spent._replace(line=False)
    if world.line and world.voters[0]:
        yield "A is cut off", spent._replace(line=False, voters=(False, world.voters[1]))


def wrong(world: World) -> str:
    """Return what must not be; empty where all is well."""
    a, b = world.sides
    if a.left > 0 and b.left > 0:
        return "both hold the lease"
    if a.does is Is.ACTIVE and b.does is Is.ACTIVE:
        one, other = offered(a), offered(b)
        if one is not None and other is not None and one.rank == other.rank:
            return "two states of one standing"
    return ""


def settled(world: World) -> bool:
    """Whether one leads under the lease, and the other follows it with everything."""
    for x in SITES:
        leads, follows = world.sides[x], world.sides[1 - x]
        if leads.does is Is.ACTIVE and follows.does is Is.PASSIVE:
            return leads.left > 0 and follows.copy == offered(leads)
    return False
