"""Every interleaving of two Relèves, a primary, its copy and the voters, for small bounds, with the real rules.

A step is one of: something commits; the copy gets it, goes away, comes back; the checkpointer reads its settings;
somebody has all settings read again; the database restarts; the lease goes to the other Relève; a Relève does the next
part of its turn, dies in the middle of it, or loses an answer. What it had sent then is carried out later, or never.

Times are always up: whatever is waited for has been waited for, and a turn that waits is one that is not taken.
Positions of the log are told from where the copy is, revisions by their order alone, and what a Relève without the
lease remembers is forgotten where it does nothing with it any more. So there are finitely many states, and all of them
are visited.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

import pytest

from failover.lease import May
from failover.promise import (
    MakeWait,
    Memory,
    Nothing,
    Relax,
    Step,
    TakeBack,
    WriteKey,
    let_go,
    next_step,
    promised,
    remembered,
    taken_back,
    waiting,
)
from failover.promise_record import Record, TakenBack
from failover.promise_seen import Copy, Looked, Primary, Stream, Wanted
from monitor.core.ids import NodeId
from runbooks.commits_wait import spelled

NOW, AT = 100.0, datetime(2026, 6, 1, tzinfo=UTC)
WANTED = Wanted(True, "centre", NodeId("sql"), NodeId("sql-2"), -1.0)
NAME = "sql-2"
HERE = 10
"""Where the copy is in the log."""
MOST_LAG = 1
NOTHING = Memory()
Done = tuple[int, Record | Step | None]
"""The revision at which a turn found the record, and what it goes on with."""


class Write(NamedTuple):
    """To write `wanted` if the record is at `revision` and the lease is still that of the Relève `by`."""

    by: int
    revision: int
    wanted: Record


class Session(NamedTuple):
    """Who has the database to itself. `sent`: what the server was told and has yet to do; `orphan`: nobody listens."""

    by: int
    sent: bool | None = None
    orphan: bool = False


class Releve(NamedTuple):
    """`at`: which part of its turn comes next; `found`: what that goes on with."""

    memory: Memory = Memory()
    at: str = "read"
    found: Done = (0, None)


class State(NamedTuple):
    """`file`, `works`, `waits`: whether the file says that commits wait, servers have read it, the checkpointer has.

    `lag`: acknowledged commits that the copy lacks. `late`: a write of which nobody hears any more. `believed`: whoever
    took over has read a promise. `stray`: what a server has yet to do that was told by somebody not alone with it.
    """

    record: Record | None = None
    revision: int = 0
    holder: int = 0
    file: bool = False
    works: bool = False
    waits: bool = False
    life: int = 0
    up: bool = True
    lag: int = 0
    session: Session | None = None
    late: Write | None = None
    believed: bool = False
    stray: bool | None = None
    ours: tuple[Releve, Releve] = (Releve(), Releve())


@dataclass(frozen=True)
class Rules:
    """The real ones. A test exchanges one for a wrong one, to see that it would be found."""

    seals: bool = True
    alone: bool = True
    guarded: bool = True
    remembers_base: bool = True
    looks_at_rest: bool = True
    marks: bool = True


@dataclass(frozen=True)
class World:
    """What may happen: `restarts` of the database, `passes` of the lease to the other Relève (0 or 1).

    With `passes` only who has lost the lease breaks anything off: what comes of the rest is met without.
    """

    restarts: int = 0
    passes: int = 0
    takes_over: bool = False
    """Whether the lease passes for a takeover: whoever gets it reads the promise, and lets the primary be. The clock of
    the first stood still then: it goes on believing that the lease is its own."""


REAL = Rules()


def looked(state: State, found: Done, rules: Rules) -> Looked:
    revision, record = found
    stream = Stream(NAME, "10.0.0.2", True, state.works, HERE if rules.marks else HERE + state.lag)
    primary = Primary(
        standby=False,
        system="7",
        timeline=1,
        started=float(state.life),
        names=spelled(NAME) if state.works else "",
        weak="",
        at_rest=state.waits == state.works or not rules.looks_at_rest,
        flushed=HERE + state.lag,
        version=160_009,
        streams=(stream,) if state.up else (),
    )
    assert record is None or isinstance(record, Record)
    return Looked(record, revision, primary, Copy(True, "7", NAME if state.up else ""))


@cache
def judged(seen: Looked, memory: Memory) -> tuple[Step, Memory]:
    after = remembered(seen, memory, NOW)
    return next_step(WANTED, seen, memory, May.ACT, NOW), replace(after, gone_since=None, back_since=None)


def put(state: State, n: int, one: Releve) -> State:
    return state._replace(ours=(one, state.ours[1]) if n == 0 else (state.ours[0], one))


def told(state: State) -> State:
    """Return the state with revisions by their order alone, so that states which are alike are equal."""
    first = state.ours[0]
    if state.holder == 1 and first.at != "look" and not state.believed and first.memory != NOTHING:
        state = put(state, 0, first._replace(memory=NOTHING))
    known = {0, state.revision, *(one.found[0] for one in state.ours)}
    known |= {one.memory.base for one in state.ours if one.memory.base is not None}
    known |= {state.late.revision} if state.late is not None else set()
    names = {old: new for new, old in enumerate(sorted(known))}
    if all(old == new for old, new in names.items()):
        return state
    ours = []
    for one in state.ours:
        revision, what = one.found
        what = replace(what, base=names[what.base]) if isinstance(what, WriteKey) else what
        base = one.memory.base
        memory = replace(one.memory, base=None if base is None else names[base])
        ours.append(Releve(memory, one.at, (names[revision], what)))
    late = None if state.late is None else state.late._replace(revision=names[state.late.revision])
    return state._replace(revision=names[state.revision], late=late, ours=(ours[0], ours[1]))


def written(state: State, write: Write, rules: Rules) -> State | None:
    """Return the state once the voters have had `write`; None where it was refused."""
    if write.revision != state.revision or (rules.guarded and write.by != state.holder):
        return None
    return state._replace(record=write.wanted, revision=state.revision + 1)


def caught_up(state: State) -> State:
    """Return the state with the copy one commit further, from where everything is told."""
    ours = []
    for one in state.ours:
        mark = one.memory.mark
        ours.append(one._replace(memory=replace(one.memory, mark=None if mark is None else max(mark - 1, HERE))))
    return state._replace(lag=state.lag - 1, ours=(ours[0], ours[1]))


def of_the_world(state: State, world: World) -> Iterator[State]:
    """What happens without us."""
    if not state.waits and state.lag < MOST_LAG:
        yield state._replace(lag=state.lag + 1)
    if state.up and state.lag:
        yield caught_up(state)
    yield state._replace(up=not state.up)
    if state.waits != state.works:
        yield state._replace(waits=state.works)
    if state.works != state.file and not world.passes:
        yield state._replace(works=state.file)
    if state.holder < world.passes:
        promised = state.record is not None and state.record.stands
        yield state._replace(holder=1, believed=world.takes_over and promised)
    if state.life < world.restarts:
        yield state._replace(life=state.life + 1, works=state.file, waits=state.file, session=None)


def of_what_was_sent(state: State, rules: Rules) -> Iterator[State]:
    """What comes, late or never, of what nobody waits for any more."""
    if state.stray is not None:
        yield state._replace(file=state.stray, works=state.stray, stray=None)
    if state.late is not None:
        yield state._replace(late=None)
        after = written(state, state.late, rules)
        if after is not None:
            yield after._replace(late=None)
    if state.session is not None and state.session.orphan:
        yield state._replace(session=None)
        if state.session.sent is not None:
            yield state._replace(file=state.session.sent, session=None)


def broken_off(state: State, n: int, world: World, write: Write | None = None) -> Iterator[State]:
    """A Relève dies, or loses an answer. `write`: what it had just sent to the voters."""
    if world.passes and n == state.holder:
        return
    session = state.session
    if session is not None and session.by == n and not session.orphan:
        session = session._replace(orphan=True) if session.sent is not None else None
    after = put(state._replace(session=session), n, Releve())
    yield after
    if write is not None and after.late is None:
        yield after._replace(late=write)


def of_ours(state: State, n: int, world: World, rules: Rules) -> Iterator[State]:
    """The next part of the turn of the Relève `n`: as it should go, and broken off before its end is known."""
    idle = n == 1 if world.takes_over else n != state.holder
    if idle and state.ours[n].at == "read":
        return  # it sees that the lease is not its own, or has something else to do
    match state.ours[n].at:
        case "read":
            yield put(state, n, state.ours[n]._replace(at="look", found=(state.revision, state.record)))
        case "look":
            yield _looks(state, n, rules)
        case "write":
            yield from _writes(state, n, world, rules)
        case "lock":
            yield from _locks(state, n, rules)
        case "seal":
            yield from _seals(state, n, world, rules)
        case "set":
            yield from _sets(state, n, world)
        case _:
            yield from _loads(state, n, world)


def _looks(state: State, n: int, rules: Rules) -> State:
    one = state.ours[n]
    seen = looked(state, one.found, rules)
    step, memory = judged(seen, one.memory)
    if not rules.remembers_base and isinstance(step, MakeWait) and seen.primary.names == spelled(NAME):
        step, memory = judged(seen, replace(waiting(memory, seen.revision, step.of), mark=one.memory.mark))
    match step:
        case Nothing():
            return put(state, n, Releve(memory))
        case WriteKey() | TakeBack():
            return put(state, n, Releve(memory, "write", (one.found[0], step)))
        case _:
            return put(state, n, Releve(memory, "lock", (one.found[0], step)))


def _writes(state: State, n: int, world: World, rules: Rules) -> Iterator[State]:
    one = state.ours[n]
    revision, step = one.found
    if isinstance(step, WriteKey):
        write = Write(n, step.base, promised(WANTED, step, 1, AT))
    else:
        assert isinstance(step, TakeBack)
        write = Write(n, revision, taken_back(step.record, step.why, 1, AT))
    after = written(state, write, rules)
    yield put(state if after is None else after, n, Releve(one.memory.doubting()))
    yield from broken_off(state, n, world, write)


def _locks(state: State, n: int, rules: Rules) -> Iterator[State]:
    one = state.ours[n]
    if state.session is not None and rules.alone:
        yield put(state, n, Releve(one.memory.doubting()))
        return
    if state.session is not None:
        state = state._replace(stray=state.session.sent)
    seals = isinstance(one.found[1], Relax) and rules.seals
    sent = None if seals else isinstance(one.found[1], MakeWait)
    yield put(state._replace(session=Session(n, sent)), n, one._replace(at="seal" if seals else "set"))


def _seals(state: State, n: int, world: World, rules: Rules) -> Iterator[State]:
    one = state.ours[n]
    revision, step = one.found
    assert isinstance(step, Relax)
    write = Write(n, revision, let_go(WANTED, step, 1, AT))
    after = written(state, write, rules)
    if after is None:
        yield put(state._replace(session=None), n, Releve(one.memory.doubting()))
    elif state.session is not None and state.session.by == n:
        yield put(after._replace(session=Session(n, sent=False)), n, one._replace(at="set"))
    yield from broken_off(state, n, world, write)


def _sets(state: State, n: int, world: World) -> Iterator[State]:
    one, session = state.ours[n], state.session
    if session is None or session.by != n or session.orphan:
        yield from broken_off(state, n, world)  # the database restarted, and all connections ended
        return
    assert session.sent is not None
    yield put(state._replace(file=session.sent, session=Session(n)), n, one._replace(at="load"))
    yield from broken_off(state, n, world)


def _loads(state: State, n: int, world: World) -> Iterator[State]:
    one, session = state.ours[n], state.session
    yield from broken_off(state, n, world)
    if session is None or session.by != n or session.orphan:
        return
    revision, step = one.found
    after = state._replace(works=state.file, session=None)
    if not isinstance(step, MakeWait):
        yield put(after, n, Releve(one.memory.doubting()))
    elif after.works:
        yield put(after, n, Releve(waiting(one.memory, revision, step.of)))


def explored(world: World, rules: Rules) -> tuple[State | None, Counter[str]]:
    """Return the first state in which a promise stands that is not true, and how often each step was seen."""
    seen, waiting_room, met = {State()}, [State()], Counter[str]()
    while waiting_room:
        state = waiting_room.pop()
        stands = state.believed or (state.record is not None and state.record.stands)
        if stands and (not state.waits or state.lag):
            return state, met
        met["stands"] += stands
        met["let go"] += state.record is not None and state.record.why is TakenBack.LOST and not state.waits
        for n in (0, 1):
            met[f"written by {n}"] += stands and state.ours[n].at == "look" and state.holder == n
        others = (*of_the_world(state, world), *of_what_was_sent(state, rules))
        ours = (*of_ours(state, 0, world, rules), *of_ours(state, 1, world, rules))
        for after in map(told, (*others, *ours)):
            if after not in seen:
                seen.add(after)
                waiting_room.append(after)
    met["states"] = len(seen)
    return None, met


WORLDS = (World(passes=1, takes_over=True), World(restarts=1), World(passes=1))


@pytest.mark.parametrize("world", WORLDS)
def test_a_promise_that_stands_is_true_whatever_breaks_off_where(world):
    wrong, met = explored(world, REAL)
    assert wrong is None
    assert (met["stands"] > 10, met["let go"] > 100, met["written by 0"] > 0) == (True, True, True)
    assert (met["written by 1"] > 0) == (world.passes > 0 and not world.takes_over)


@pytest.mark.parametrize("rule", Rules.__dataclass_fields__)
def test_without_any_one_of_the_rules_a_promise_could_be_false(rule):
    assert any(explored(world, replace(REAL, **{rule: False}))[0] is not None for world in WORLDS)
