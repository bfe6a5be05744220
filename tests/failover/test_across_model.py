"""Every interleaving of a planned move between two guarded sites, conducted by a Relève that reaches both by a line.

What it tells a guard comes late, out of order, twice or never, and is answered or not; it stands still whenever it
likes; its lease is taken by another as early as that may be, who moves the group to either site. What decides is real:
what a guard is told and refuses (`across`), what a move counts on (`Footing.reign`), and what proves a fence. Nobody
has to do anything but time, and guards, which stop as late as they may: no instant has two active sites.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple

import pytest

from failover import across
from failover.across import Heard
from failover.fences import Evidence, Reign, judge
from failover.guard import Validity
from failover.lease import Belief
from failover.model import Guarded, SiteId
from monitor.daemon.moving import Footing
from tests.failover.hosts import NAME

TTL, STOPS, END = 2, 1, 4
"""Ticks that a lease lasts, that a guard takes to stop, and after which a story is long enough."""
OLD, OURS, THEIRS = 1, 2, 3
"""Tokens: under which the group ran, of the move, of whoever takes the lease from it."""
SOURCE, TARGET = 0, 1
STOP, FENCE, START, DONE = range(4)
FENCES = (Guarded(SiteId("source"), timedelta(seconds=STOPS)),)


class Site(NamedTuple):
    """One site. `told`: what stands in its guard's file, `known`: what the guard read of it last.

    `spent`: the token it stops for; `due`: the tick by which all is stopped then; `runs`: the token under which the
    service runs, 0 when it does not; `record`: the highest token that a record ever said is stopped.
    """

    told: Validity
    known: Validity
    spent: int = 0
    due: int | None = None
    runs: int = 0
    record: int = 0

    def valid(self, now: int) -> bool:
        return self.known.token > self.spent and now < self.known.until


class World(NamedTuple):
    """`believed`: the tick until which we believe in the lease; `renewed`: when it was last. `sent`: to the old site's
    guard, to come now or later, once or twice. `heard`: what that may have heard, as we know it. `taken`: when another
    took the lease.
    """

    now: int
    sites: tuple[Site, Site]
    believed: int = TTL
    renewed: int = 0
    renewals: int = 1
    restarts: int = 1
    phase: int = STOP
    sent: frozenset[Validity] = frozenset()
    heard: Heard | None = None
    taken: int | None = None


NOTHING, OVER = Validity(0, 0.0), Validity(OURS, 0.0)
BEGIN = World(0, (Site(Validity(OLD, TTL), Validity(OLD, TTL), runs=OLD), Site(NOTHING, NOTHING)))


@dataclass(frozen=True)
class Rules:
    """What decides; a test may put a wrong one in the place of each."""

    refused: Callable[..., Any] = across.refused
    may_tell: Callable[..., bool] = across.may_tell
    reign: Callable[[Heard | None, int], Reign] = None  # type: ignore[assignment]
    gated: bool = True


def reign(heard: Heard | None, believed: int) -> Reign:
    """What the real footing of the move says."""
    return _footing(heard, believed).reign(_MOVE)


@dataclass
class _Line:
    told: Heard | None

    def heard(self, _move: Any) -> Heard | None:
        return self.told


@dataclass
class _Lease:
    belief: Belief
    lapsed_at: float = TTL


@dataclass
class _Move:
    id: str = NAME
    before: int = OLD
    token: int = OURS


_MOVE: Any = _Move()


def _footing(heard: Heard | None, believed: int) -> Footing:
    line: Any = _Line(heard)
    lease: Any = _Lease(Belief(OURS, believed))
    return Footing(line, lease)


REAL = Rules(reign=reign)


def successors(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    if world.now < world.believed:
        yield from _conducted(world, rules)
    yield from _carried(world, rules)
    for x in (SOURCE, TARGET):
        yield from _guarded(world, x)
    yield from _rival(world)
    if all(_has_looked(site, world.now) and not (site.runs and site.due == world.now) for site in world.sites):
        yield "tick", world._replace(now=world.now + 1)


def put(world: World, x: int, site: Site) -> World:
    return world._replace(sites=(site, world.sites[1]) if x == SOURCE else (world.sites[0], site))


def _conducted(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """What we may do as long as we believe in the lease."""
    now, (source, target) = world.now, world.sites
    if world.renewals and world.taken is None:
        yield "renews", world._replace(believed=now + TTL, renewed=now, renewals=world.renewals - 1)
    belief, ours, heard = Belief(OURS, world.believed), Validity(OURS, world.believed), world.heard
    if world.phase == STOP and ours not in world.sent and rules.may_tell(heard, belief, now):
        yield "tells the old site", world._replace(sent=world.sent | {ours}, heard=across.after_telling(heard, belief))
    if target.told != ours and rules.refused(target.told, ours, TTL, now) is None:
        yield "tells the new site", put(world, TARGET, target._replace(told=ours))
    if world.phase == FENCE and OVER not in world.sent:
        yield "tells that it is over", world._replace(sent=world.sent | {OVER})
    if world.phase == STOP:
        yield "stops", put(world, SOURCE, source._replace(runs=0))._replace(phase=FENCE)
        yield "stops all but one", world._replace(phase=FENCE)
    if world.phase == FENCE and _proven(rules.reign, heard, world.believed, source.record, now):
        yield "fenced", world._replace(phase=START)
    held = target.known.token == OURS and target.valid(now)
    if world.phase == START and (held or not rules.gated):
        yield "starts", put(world, TARGET, target._replace(runs=OURS))._replace(phase=DONE)


@cache
def _proven(
    reign: Callable[[Heard | None, int], Reign], heard: Heard | None, believed: int, record: int, now: int
) -> bool:
    evidence = {0: Evidence(stopped=record or None)}
    return judge(FENCES, evidence, reign(heard, believed), float(now)).proof is not None


def _carried(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """What was sent arrives in any order, once, again or never, and is answered or not."""
    site = world.sites[SOURCE]
    for offered in world.sent:
        if rules.refused(site.told, offered, TTL, world.now) is not None:
            continue
        there = put(world, SOURCE, site._replace(told=across.latest(site.told, offered, TTL, world.now)))
        yield f"the old site hears {offered}", there
        if not offered.until:
            heard = across.after_ending(world.heard, offered.token, float(world.now))
            yield f"the old site hears {offered}, and answers", there._replace(heard=heard)


def _has_looked(site: Site, now: int) -> bool:
    return site.known == site.told and (site.valid(now) or site.known.token <= site.spent)


def _guarded(world: World, x: int) -> Iterator[tuple[str, World]]:
    """The guard looks once a tick at the latest, stops as late as it may, and what it lets run may be started again."""
    site, now = world.sites[x], world.now
    if not _has_looked(site, now):
        known = site.told if site.told.token >= site.known.token else site.known
        looked = site._replace(known=known)
        if looked.valid(now):
            yield f"guard {x} holds", put(world, x, looked._replace(due=None))
        else:
            spent = max(site.spent, known.token)
            due = now + STOPS if site.runs and site.due is None else site.due
            yield f"guard {x} begins to stop", put(world, x, looked._replace(spent=spent, due=due))
    elif not site.valid(now) and site.record < site.spent:
        stopped = site._replace(runs=0, due=None, record=site.spent)
        yield f"guard {x} has stopped all", put(world, x, stopped)
    if x == SOURCE and world.restarts and not site.runs and site.valid(now):
        yield "its manager starts it again", put(world, x, site._replace(runs=site.known.token))._replace(restarts=0)


def _rival(world: World) -> Iterator[tuple[str, World]]:
    now = world.now
    if world.taken is None:
        if now >= world.renewed + TTL:
            yield "another takes the lease", world._replace(taken=now)
        return
    for x in (SOURCE, TARGET):
        old = world.sites[1 - x]
        reign = Reign(THEIRS, OURS, float(world.taken))
        evidence = {0: Evidence(stopped=old.record or None)}
        proven = judge(FENCES, evidence, reign, float(now)).proof is not None
        if proven and all(site.runs != THEIRS for site in world.sites):
            told = Validity(THEIRS, float(now + END))
            yield f"another starts at {x}", put(world, x, Site(told, told, runs=THEIRS, record=world.sites[x].record))


def explore(rules: Rules, begin: World = BEGIN) -> tuple[str, set[int], int]:
    """Return the story of two active sites, empty if there is none; the phases that were reached; how many worlds."""
    gc.disable()  # a hundred thousand tuples, and not one circle
    try:
        return _explored(rules, begin)
    finally:
        gc.enable()


def _explored(rules: Rules, begin: World) -> tuple[str, set[int], int]:
    came: dict[World, tuple[World | None, str]] = {begin: (None, "begin")}
    todo, phases = deque([begin]), set[int]()
    while todo:
        world = todo.popleft()
        phases.add(world.phase)
        for what, after in successors(world, rules):
            if after in came or after.now > END:
                continue
            came[after] = (world, what)
            if after.sites[SOURCE].runs and after.sites[TARGET].runs:
                told: list[str] = []
                at: World | None = after
                while at is not None:
                    at, said = came[at]
                    told.append(said)
                return "; ".join(reversed(told)), phases, len(came)
            todo.append(after)
    return "", phases, len(came)


def test_there_are_never_two_active_sites_whatever_is_told_late_twice_or_never() -> None:
    found, phases, worlds = explore(REAL)
    assert found == ""
    assert phases == {STOP, FENCE, START, DONE}
    assert worlds > 10_000


def believes_what_was_answered(heard: Heard | None, believed: int) -> Reign:
    """Count from the taking of the lease, as if nothing had been told since."""
    return replace(reign(heard, believed), lapsed_at=0.0)


def counts_any_record(heard: Heard | None, believed: int) -> Reign:
    """Go by a record of the token before, although the guard was told of ours since."""
    return replace(reign(heard, believed), before=OLD)


def revives(told: Validity | None, offered: Validity, ttl: float, now: float) -> Any:
    """Let a token hold again that was over."""
    why = across.refused(told, offered, ttl, now)
    return None if why is across.Refusal.OVER else why


def tells_on(heard: Heard | None, belief: Belief | None, now: float) -> bool:
    return belief is not None and now < belief.valid_until


MISTAKES = {
    "a fence that counts from the taking": replace(REAL, reign=believes_what_was_answered),
    "a record of the token before": replace(REAL, reign=counts_any_record),
    "a token that holds again": replace(REAL, refused=revives),
    "a start that no guard holds for": replace(REAL, gated=False),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(mistake: str) -> None:
    found, _phases, _worlds = explore(MISTAKES[mistake])
    assert found
