"""Two sites, a witness and what can happen to them, small enough to visit every state there is.

The functions that decide are the real ones; what they decide about is a model: a lease that three voters keep, beliefs
that lapse, guards, and resources that know the token of every effect. Time goes in ticks. A step of a move is three
transitions - intent, effect, outcome - and anything may come between two of them.

What is worse than the world never is better here: a taker takes a lease as early as it may, a guard stops as late as it
may, and what was once sent has its effect however long its sender stood still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import NamedTuple

from failover.advance import Grip

TTL, STOPS = 2, 1
"""Ticks until a lease lapses (with one, none could ever be prolonged), and until a guard has stopped its site then."""
TOKENS = 4
"""The highest token: nobody takes the lease after that."""
A, B, NOWHERE = 0, 1, 2


class Fence(IntEnum):
    """Which fence the plan has."""

    GUARD = 0
    TOKEN = 1
    ISOLATION = 2


class Kind(IntEnum):
    """What a task does."""

    STOP = 0
    FENCE = 1
    PROMOTE = 2
    START = 3
    BACK = 4


class Daemon(IntEnum):
    """How Relève's own process is."""

    GONE = 0
    RUNS = 1
    FROZEN = 2


class Moving(NamedTuple):
    """A move as its journal has it, conducted by the site that the group moves to.

    `states`: of its tasks (0 to be done, 1 nobody knows, 2 done, 3 failed); `tokens`: that each task carried;
    `applied`: bits of those that had their effect; `seen`: bits of the phases it was in; `looked`: 0 not, 1 the old
    site was seen down, 2 up; `asked`: the task it asks about, -1 the whole, None nothing; `allowed`: a person said yes
    to the whole; `flight`: the task whose intent is journaled and whose outcome is not, its token, and whether it was
    sent; `lost`: another site has had the lease.
    """

    planned: bool
    token: int
    states: tuple[int, ...]
    tokens: tuple[int, ...]
    applied: int = 0
    phase: int = -1
    seen: int = 0
    looked: int = 0
    asked: int | None = None
    allowed: bool = False
    flight: tuple[int, int, bool] | None = None
    lost: bool = False


class Side(NamedTuple):
    """One site.

    `token`, `left`: what its Relève believes of the lease, and for how many ticks; `since`: ticks since it took it.
    `held`, `holds`: what its guard was handed, likewise; `spent`: the token up to which the guard stops everything;
    `stops`: ticks within which it will have, -1 while it need not. `dialler`, `writer`: the token under which they run,
    0 when they do not. `home`: where its Relève believes that the group runs, and since which token; `alone`: whether
    it knows of a move by itself within the day. `lapsed`: the token under which it took the lease from the other one,
    who had not given it back, until a move has begun; 0 for none. `wants`: what a person has commanded here.
    """

    up: bool = True
    daemon: Daemon = Daemon.RUNS
    token: int = 0
    left: int = 0
    since: int = STOPS + 1
    held: int = 0
    holds: int = 0
    spent: int = 0
    stops: int = -1
    dialler: int = 0
    writer: int = 0
    isolated: bool = False
    home: tuple[int, int] = (0, A)
    alone: bool = False
    lapsed: int = 0
    wants: str = ""
    move: Moving | None = None


class Record(NamedTuple):
    """What the voters hold: whose lease, its token, whether it is held, and the ticks since it changed."""

    holder: int = A
    token: int = 1
    held: bool = True
    age: int = 0


class World(NamedTuple):
    """A state of everything. `cut`: bits of the links that are cut; `raised`: the token below which the resource that
    both sites share refuses; `highest`: that of an effect so far; the rest is what may still happen. `vain`: how often
    a move is refused at the last moment, with the lease in hand."""

    sides: tuple[Side, Side]
    record: Record = Record()
    cut: int = 0
    raised: int = 1
    highest: int = 1
    faults: int = 2
    commands: int = 1
    answers: int = 1
    vain: int = 0


BEGIN = World(
    (Side(token=1, left=TTL, held=1, holds=TTL, dialler=1, writer=1), Side()),
)

LINKS = [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)]
"""Directed, between the voters of A, B and the witness (2). Two more bits: the client's links to A and to B."""
BIT = {link: 1 << n for n, link in enumerate(LINKS)}
CLIENT = (1 << 6, 1 << 7)
CUTS = {
    "cut A-B": BIT[0, 1] | BIT[1, 0],
    "cut A-W": BIT[0, 2] | BIT[2, 0],
    "cut B-W": BIT[1, 2] | BIT[2, 1],
    **{f"cut {x}->{y}": bit for (x, y), bit in BIT.items()},
    "witness alone": BIT[0, 2] | BIT[2, 0] | BIT[1, 2] | BIT[2, 1],
    "A alone": BIT[0, 1] | BIT[1, 0] | BIT[0, 2] | BIT[2, 0] | CLIENT[A],
    "B alone": BIT[0, 1] | BIT[1, 0] | BIT[1, 2] | BIT[2, 1] | CLIENT[B],
}


class Broken(Exception):
    """Something that must never be."""


def linked(world: World, x: int, y: int) -> bool:
    """Whether x and y can ask each other."""
    return x == y or not world.cut & (BIT[x, y] | BIT[y, x])


def voting(world: World, x: int) -> tuple[bool, bool]:
    """Whether what x asks of the voters is done, and whether it gets the answer."""
    up = (world.sides[A].up, world.sides[B].up, True)
    done = False
    for y in range(3):
        if y == x or not up[y]:
            continue
        if linked(world, x, y):
            return True, True
        third = 3 - x - y
        # The request arrives at a voter that has a majority without x, and the answer does not come back.
        done = done or (not world.cut & BIT[x, y] and up[third] and linked(world, y, third))
    return done, False


def runs(world: World, x: int, fence: Fence) -> bool:
    """Whether what runs at x has an effect on the client or on the data."""
    side = world.sides[x]
    token = max(side.dialler, side.writer)
    if not token or (fence is Fence.ISOLATION and side.isolated):
        return False
    return fence is not Fence.TOKEN or token >= world.raised


def put(world: World, x: int, side: Side) -> World:
    """Return the world with `side` at x."""
    if side.token and side.token != world.record.token and not side.left:
        side = side._replace(token=0)  # it knows nothing by it any more, and has to take the lease anew
    if not side.token and side.since <= STOPS:
        side = side._replace(since=STOPS + 1)
    return world._replace(sides=(side, world.sides[B]) if x == A else (world.sides[A], side))


class Brain(NamedTuple):
    """What decides: the real functions in the shape of this world; a test may put a wrong one in the place of each.

    `turn`: what the move of x does next (`next_move`), as a word and a number. `decides`: what x would begin, and why.
    `grip`: how x holds the lease. `ends`: where the group runs once the move of x has ended with a state. `gated`:
    whether a start at a guarded site asks the guard. `forgets`: whether a lapse is forgotten once a move has begun, and
    where the lease is held for the group that runs.
    """

    turn: Callable[[World, int, Fence, Grip], tuple[str, int]]
    decides: Callable[[World, int], tuple[str, str]]
    grip: Callable[[World, int], Grip]
    ends: Callable[[Moving, int, str], int]
    tasks: Callable[[bool, Fence], tuple[Kind, ...]]
    gated: bool = True
    forgets: bool = True


def successors(world: World, fence: Fence, brain: Brain) -> Iterator[tuple[str, World]]:
    """Yield every state that may come next, with what has happened. Raises Broken."""
    for x in (A, B):
        name = "AB"[x]
        for what, after in _site(world, x, fence, brain):
            yield f"{name} {what}", heard(after)
    yield from _network(world)
    if all(side.stops != 0 or not (side.dialler or side.writer) for side in world.sides):
        yield "tick", tick(world, fence)


def _site(world: World, x: int, fence: Fence, brain: Brain) -> Iterator[tuple[str, World]]:
    side = world.sides[x]
    if side.up and side.daemon is Daemon.RUNS:
        yield from _leasing(world, x, fence, brain)
        yield from _carrying(world, x, fence, brain)
    if side.up and side.stops >= 0 and (side.dialler or side.writer):
        yield "guard stops", put(world, x, side._replace(dialler=0, writer=0))
    yield from _failing(world, x)
    if side.up and side.move is not None and side.move.asked is not None and side.daemon is Daemon.RUNS:
        yield from _answered(world, x, brain)
    if world.commands and side.up and side.daemon is Daemon.RUNS and side.move is None and not side.wants:
        for want in ("failover", "switchover") if side.home[1] != x else ():
            yield f"a person wants a {want}", put(world, x, side._replace(wants=want))._replace(commands=0)


# Faults, and their ends.


def _network(world: World) -> Iterator[tuple[str, World]]:
    if world.cut:
        yield "heal", heard(world._replace(cut=0))
    elif world.faults:
        # The witness alone out of reach changes nothing, as long as nothing else can fail or has failed.
        whole = world.faults == 1 and world.sides[A].up and world.sides[B].up
        for name, bits in CUTS.items():
            if whole and not bits & (BIT[A, B] | BIT[B, A]):
                continue
            yield name, world._replace(cut=bits, faults=world.faults - 1)


def _failing(world: World, x: int) -> Iterator[tuple[str, World]]:
    side = world.sides[x]
    if not side.up:
        # Passive: nothing runs, nothing is believed; the guard knows what it had stopped for, and holds for nothing.
        yield "comes back", put(world, x, side._replace(up=True, daemon=Daemon.RUNS))
        return
    if side.daemon is Daemon.GONE:
        yield "daemon starts", put(world, x, side._replace(daemon=Daemon.RUNS))
    if side.daemon is Daemon.FROZEN:
        yield "thaw", put(world, x, side._replace(daemon=Daemon.RUNS))
    if not world.faults:
        return
    spent = world._replace(faults=world.faults - 1)
    fewer = _forgets(side)
    if side.daemon is not Daemon.GONE:
        yield "kill -9", put(spent, x, fewer._replace(daemon=Daemon.GONE))
    if side.daemon is Daemon.RUNS:
        yield "freeze", put(spent, x, side._replace(daemon=Daemon.FROZEN))
    dark = fewer._replace(
        up=False, daemon=Daemon.GONE, dialler=0, writer=0, spent=max(side.spent, side.held), held=0, holds=0, stops=-1
    )
    yield "crash", put(spent, x, dark)


def _forgets(side: Side) -> Side:
    """What is left when the process is gone: its journal. What it had intended, it may have done or not."""
    move = side.move
    if move is not None and move.flight is not None:
        move = move._replace(flight=None)
    return side._replace(token=0, left=0, move=move, wants="")


# The lease.


def _leasing(world: World, x: int, fence: Fence, brain: Brain) -> Iterator[tuple[str, World]]:
    side, record = world.sides[x], world.record
    done, answered = voting(world, x)
    if not done:
        return
    mine = record.holder == x and record.held and side.token == record.token
    if mine and (side.left < TTL or record.age):
        renewed = world._replace(record=record._replace(age=0))
        if answered:
            yield "renews", put(renewed, x, _handed(side._replace(left=TTL), fence))
        elif record.age:
            yield "renews, unanswered", renewed
    if mine:
        yield from _raising(world, x, fence, brain, answered=answered)
    free = not record.held or record.age >= TTL
    if free and not mine and record.token < TOKENS and _would_take(world, x, brain):
        token = record.token + 1
        taken = world._replace(record=Record(x, token))
        other = taken.sides[1 - x]
        if other.move is not None and record.holder != x:
            taken = put(taken, 1 - x, other._replace(move=other.move._replace(lost=True)))
        if answered:
            lapsed = _lapsed(side, record, x, brain)
            held = _handed(side._replace(token=token, left=TTL, since=0, lapsed=lapsed), fence)
            yield "takes the lease", put(taken, x, held)
        else:
            yield "takes the lease, unanswered", put(taken, x, side._replace(lapsed=_lapsed(side, record, x, brain)))
    if mine:
        yield from _handing(world, x, fence)


def _raising(world: World, x: int, fence: Fence, brain: Brain, *, answered: bool) -> Iterator[tuple[str, World]]:
    """Who begins a move does so under a token that nothing was done with yet, also where the lease is his already."""
    side, token = world.sides[x], world.record.token + 1
    if side.move is not None or not _spent(side) or token > TOKENS or not _would_begin(world, x, brain):
        return
    raised = world._replace(record=Record(x, token))
    if answered:
        yield "raises its token", put(raised, x, _handed(side._replace(token=token, left=TTL, since=0), fence))
    else:
        yield "raises its token, unanswered", raised


def _handing(world: World, x: int, fence: Fence) -> Iterator[tuple[str, World]]:
    side, other = world.sides[x], world.sides[1 - x]
    if other.wants == "switchover" and other.daemon is Daemon.RUNS and linked(world, A, B):
        # Its belief is dropped before the lease is given back, and the guard is told first of all.
        given = side._replace(token=0, left=0)
        if fence is Fence.GUARD and side.holds:
            given = given._replace(holds=0, spent=max(side.spent, side.held), stops=STOPS)
        yield "hands over", put(world, x, given)._replace(record=world.record._replace(held=False))


def _highest(move: Moving) -> int:
    """The highest token under which something of it was begun."""
    return max(move.token, *move.tokens)


def _spent(side: Side) -> bool:
    """Whether a move that is over was done under the token that is held."""
    return bool(side.token) and side.token <= side.home[0]


def _would_begin(world: World, x: int, brain: Brain) -> bool:
    return brain.decides(world, x)[0] in ("failover", "switchover")


def _lapsed(side: Side, record: Record, x: int, brain: Brain) -> int:
    """The token that x is about to take, where the other one has lost the lease; 0 where it has not.

    It goes on from a taking in vain to the next, also over a kill, and to nothing else.
    """
    if brain.forgets and side.move is None and side.home[1] == x:
        return 0
    lost = record.held if record.holder != x else side.lapsed == record.token
    return record.token + 1 if lost else 0


def _handed(side: Side, fence: Fence) -> Side:
    """The guard is handed what Relève believes, and does not hold again under a token that it has stopped for."""
    if fence is not Fence.GUARD or side.token <= side.spent:
        return side
    return side._replace(held=side.token, holds=side.left, stops=-1)


def _would_take(world: World, x: int, brain: Brain) -> bool:
    side = world.sides[x]
    if side.move is not None:
        return True
    if side.home[1] == x and world.sides[1 - x].wants != "switchover":  # what it hands over it does not take back
        return True
    return brain.decides(world, x)[0] == "lease"


# A move.


def _carrying(world: World, x: int, fence: Fence, brain: Brain) -> Iterator[tuple[str, World]]:
    side = world.sides[x]
    if side.move is None:
        what, _ = brain.decides(world, x)
        if what in ("failover", "switchover") and not _spent(side):
            tasks = brain.tasks(what == "switchover", fence)
            nothing = (0,) * len(tasks)
            move = Moving(what == "switchover", side.token, nothing, nothing)
            alone = side.alone or not side.wants
            if world.vain:
                yield f"is refused a {what}", _in_vain(world, x, fence)
            side = side._replace(lapsed=0) if brain.forgets else side
            yield f"begins a {what}", put(world, x, side._replace(move=move, wants="", alone=alone))
        return
    if side.move.flight is not None:
        yield from _flying(world, x, fence, brain, side.move.flight)
        return
    what, n = brain.turn(world, x, fence, brain.grip(world, x))
    yield from _turned(world, x, fence, brain, what, n)


def _turned(world: World, x: int, fence: Fence, brain: Brain, what: str, n: int) -> Iterator[tuple[str, World]]:
    side = world.sides[x]
    move = side.move
    assert move is not None
    match what:
        case "enter" | "again":
            # It changes nothing but the journal, so that nothing has to be seen between two of them.
            while what in ("enter", "again"):
                move = move._replace(phase=n, seen=move.seen | 1 << n, asked=None, allowed=False)
                if what == "again":
                    kinds = brain.tasks(move.planned, fence)
                    states = (
                        0 if kind in (Kind.PROMOTE, Kind.START) else one
                        for kind, one in zip(kinds, move.states, strict=True)
                    )
                    move = move._replace(states=tuple(states))
                world = put(world, x, side._replace(move=move))
                what, n = brain.turn(world, x, fence, brain.grip(world, x))
            yield f"enters phase {move.phase}", world
        case "carry":
            if not side.left:
                raise Broken(f"{'AB'[x]} begins an effect with a lapsed belief")
            states, tokens = list(move.states), list(move.tokens)
            states[n], tokens[n] = 1, side.token
            begun = move._replace(states=tuple(states), tokens=tuple(tokens), flight=(n, side.token, False))
            kind = brain.tasks(move.planned, fence)[n]
            yield f"intends {kind.name}", put(world, x, side._replace(move=begun))
        case "settle":
            yield from _settled(world, x, n)
        case "ask":
            yield "asks", put(world, x, side._replace(move=move._replace(asked=n)))
        case "look":
            old = world.sides[1 - x]
            yield "looks back", put(world, x, side._replace(move=move._replace(looked=1 if old.isolated else 2)))
        case "pause" | "wait":
            return
        case _:
            at = brain.ends(move, x, what)
            ended = side._replace(move=None, home=(_highest(move), at), lapsed=0 if brain.forgets else side.lapsed)
            yield f"ends: {what}", put(world, x, ended)


def _in_vain(world: World, x: int, fence: Fence) -> World:
    """The lease is given back, once the guard knows; nothing has begun."""
    side, record = world.sides[x], world.record
    given = side._replace(token=0, left=0)
    if fence is Fence.GUARD and side.holds:
        given = given._replace(holds=0, spent=max(side.spent, side.held), stops=STOPS)
    if record.holder == x and record.token == side.token:
        record = record._replace(held=False)
    return put(world._replace(record=record, vain=world.vain - 1), x, given)


def _settled(world: World, x: int, n: int) -> Iterator[tuple[str, World]]:
    """What became of an intent without outcome: its step can tell, or else a person is asked."""
    side = world.sides[x]
    move = side.move
    assert move is not None
    found = 2 if move.applied & 1 << n else 0
    known = move._replace(states=_with(move.states, n, found))
    yield "finds out", put(world, x, side._replace(move=known))
    yield "cannot tell, asks", put(world, x, side._replace(move=move._replace(asked=n)))


def _with(states: tuple[int, ...], n: int, state: int) -> tuple[int, ...]:
    return (*states[:n], state, *states[n + 1 :])


def _flying(
    world: World, x: int, fence: Fence, brain: Brain, flight: tuple[int, int, bool]
) -> Iterator[tuple[str, World]]:
    n, token, sent = flight
    side = world.sides[x]
    move = side.move
    assert move is not None
    kind = brain.tasks(move.planned, fence)[n]
    if sent:
        done = 2 if move.applied & 1 << n else 3
        noted = move._replace(states=_with(move.states, n, done), flight=None)
        yield f"notes {kind.name}", put(world, x, side._replace(move=noted))
        return
    # However long ago the belief was looked at: whoever stood still between that and this does not know.
    after, ok = affected(world, x, kind, token, fence, gated=brain.gated)
    applied = move.applied | 1 << n if ok else move.applied & ~(1 << n)
    flown = move._replace(applied=applied, flight=(n, token, True))
    if not world.faults:
        # Nothing can come between the effect and its outcome any more but time.
        flown = flown._replace(states=_with(move.states, n, 2 if ok else 3), flight=None)
    yield f"does {kind.name}{'' if ok else ' in vain'}", put(after, x, after.sides[x]._replace(move=flown))


def affected(world: World, x: int, kind: Kind, token: int, fence: Fence, *, gated: bool) -> tuple[World, bool]:
    """Return the world after an effect that x sends with `token`, and whether it was accepted. Raises Broken."""
    at = 1 - x if kind in (Kind.STOP, Kind.FENCE, Kind.BACK) else x
    if kind is Kind.FENCE:
        return _fencing(world, x, at, token, fence)
    there = world.sides[at]
    if not there.up or not linked(world, x, at):
        return world, False
    if kind is Kind.STOP:
        return put(world, at, there._replace(dialler=0, writer=0)), True
    if fence is Fence.TOKEN and token < world.raised:
        return world, False
    if fence is Fence.GUARD and gated and (token <= there.spent or there.held != token or not there.holds):
        return world, False
    started = there._replace(writer=token) if kind is Kind.PROMOTE else there._replace(dialler=token)
    if kind is Kind.BACK:
        started = started._replace(writer=token)
    after = put(world, at, started)
    if runs(after, at, fence) and token < world.highest:
        raise Broken(f"{kind.name} accepted with token {token}, after {world.highest}")
    return after._replace(highest=max(token, world.highest)), True


def _fencing(world: World, x: int, at: int, token: int, fence: Fence) -> tuple[World, bool]:
    if world.cut & CLIENT[x]:
        return world, False
    if fence is Fence.ISOLATION:
        return put(world, at, world.sides[at]._replace(isolated=True)), True
    if token < world.raised:
        return world, False
    return world._replace(raised=token, highest=max(token, world.highest)), True


def _answered(world: World, x: int, brain: Brain) -> Iterator[tuple[str, World]]:
    side = world.sides[x]
    move = side.move
    assert move is not None
    assert move.asked is not None
    home = (_highest(move), brain.ends(move, x, "refused"))
    ended = side._replace(move=None, home=home, lapsed=0 if brain.forgets else side.lapsed)
    yield "a person says no", put(world, x, ended)
    if not world.answers:
        return
    states = move.states if move.asked < 0 else _with(move.states, move.asked, 0)
    looked = 0 if move.looked == 2 else move.looked
    said = move._replace(asked=None, states=states, allowed=move.asked < 0, looked=looked)
    yield "a person says yes", put(world, x, side._replace(move=said))._replace(answers=0)


# Time, and what the two tell each other.


def tick(world: World, fence: Fence) -> World:
    """Return the world a tick later."""
    sides = tuple(_older(side, fence) for side in world.sides)
    record = world.record._replace(age=min(world.record.age + 1, TTL))
    return world._replace(sides=(sides[A], sides[B]), record=record)


def _older(side: Side, fence: Fence) -> Side:
    older = side._replace(left=max(0, side.left - 1), since=min(side.since + 1, STOPS + 1))
    if older.stops > 0:
        older = older._replace(stops=older.stops - 1)
    if fence is Fence.GUARD and side.holds:
        older = older._replace(holds=side.holds - 1)
        if not older.holds:
            older = older._replace(stops=STOPS, spent=max(side.spent, side.held))
    return older


def heard(world: World) -> World:
    """Return the world after the two Relèves have told each other what they know, where they can."""
    a, b = world.sides
    if a.home == b.home and a.alone == b.alone:
        return world
    if not (a.daemon is Daemon.RUNS and b.daemon is Daemon.RUNS and a.up and b.up and linked(world, A, B)):
        return world
    home, alone = max(a.home, b.home), a.alone or b.alone
    return world._replace(sides=(a._replace(home=home, alone=alone), b._replace(home=home, alone=alone)))


def both_run(world: World, fence: Fence) -> bool:
    """Whether there are two active sites."""
    return runs(world, A, fence) and runs(world, B, fence)
