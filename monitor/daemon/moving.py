"""What one move stands on: its journal, its lease, and what is seen and said while it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from failover.across import GuardSeen, Heard
from failover.fences import Reign
from failover.ground import Act, Hold
from failover.lease import LARGEST_TOKEN, Belief
from failover.model import Guarded, Plan, PlanId, SiteId
from failover.phases import Direction, Phase
from failover.run import Move, MoveEvent, MoveEventKind
from failover.task import Task
from failover.vantage import Look
from monitor.core.events import Event, EventKind
from monitor.core.text import Text, say
from monitor.daemon.tenure import Tenure


class Held(Protocol):
    """What all moves of a daemon share."""

    async def record(self, event: MoveEvent) -> Move:
        """Return the move after `event`, which is on disk by then. Raises NotJournaled."""
        ...

    async def look_for_service(self, plan: Plan, site: SiteId) -> Look:
        """Look now whether the service of `plan` still answers at `site`."""
        ...

    def heard(self, move: Move) -> Heard | None:
        """Return what the guard of the old site of `move` may have heard from us; None for nothing."""
        ...

    async def fenced(self, move: Move, token: int) -> int | None:
        """Tell the guard of the old site that `token` is over; return the token up to which all is stopped there."""
        ...

    async def guard_at(self, site: SiteId, move: Move) -> GuardSeen | None:
        """Return what the guard at `site` says of the group of `move`, after it was told; None where nobody can ask."""
        ...

    def halted_since(self, move: Move) -> bool:
        """Return whether a person stopped everything after `move` began."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asks for: `direction` of the group of `plan`, to `target` if one is named."""

    plan: PlanId
    direction: Direction
    target: SiteId | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """The dry run: what `may_start` says at `at` (UTC), and every task in order; no task where it says no.

    `gone`: the site that is left is seen down, and up by nobody.
    """

    plan: Plan
    answer: Act | Hold
    at: datetime
    tasks: tuple[Task, ...] = ()
    gone: bool = False


@dataclass(slots=True)
class Footing:
    """What one move stands on. `tenure` is None where no lease is needed: a drill leaves the group where it is.

    `stopped`: a person stopped it. `taken_up`: a life before this one began it, and may have told the guard of the old
    site of any token up to the one that we had first.
    """

    moves: Held
    tenure: Tenure | None
    stopped: bool = False
    taken_up: bool = False
    seen: list[Look] = field(default_factory=list)
    proven: dict[int, int] = field(default_factory=dict)
    first: int | None = None

    async def record(self, event: MoveEvent) -> Move:
        """Return the move after `event`, which is on disk by then. Raises NotJournaled."""
        return await self.moves.record(event)

    def belief(self, move: Move) -> Belief | None:
        """Return what may be believed of the lease."""
        return None if self.tenure is None else self.tenure.belief

    def lost(self, move: Move) -> bool:
        """Return whether the lease is somebody else's."""
        return self.tenure is not None and self.tenure.lost

    def reign(self, move: Move) -> Reign:
        """Return under which lease the old site is fenced, and since when what its guard heard of one is over."""
        belief = self.belief(move)
        token = move.token or 0 if belief is None else belief.token
        return Reign(token, self._before(move), self._lapsed_at(move, token))

    def _before(self, move: Move) -> int | None:
        """The highest token under which the old site may have been let run: also ours, until its fence began."""
        belief = self.belief(move)
        if self.taken_up and self.first is None and belief is not None:
            self.first = belief.token
        heard = self.moves.heard(move)
        known = [0 if heard is None else heard.token]
        known += [LARGEST_TOKEN if self.first is None else self.first] if self.taken_up else []
        return None if move.before is None else max(move.before, *known)

    def _lapsed_at(self, move: Move, token: int) -> float | None:
        lapsed_at, heard = None if self.tenure is None else self.tenure.lapsed_at, self.moves.heard(move)
        if lapsed_at is None or heard is None:
            return lapsed_at
        if heard.over_at is not None and heard.token >= token:
            lapsed_at = min(lapsed_at, heard.over_at)
        return max(lapsed_at, heard.until)

    def records(self, move: Move) -> Mapping[int, int]:
        """Return, by fence of the old site, the token up to which its guard's record said that all is stopped."""
        return self.proven

    async def ask_guard(self, move: Move) -> None:
        """Tell the guard of the old site that our token is over there, and read its record."""
        belief = self.belief(move)
        guarded = [n for n, one in enumerate(move.thawed().fences_of(move.source)) if isinstance(one, Guarded)]
        if not guarded or belief is None or move.before is None:
            return
        token = await self.moves.fenced(move, belief.token)
        if token is not None:
            # A token that is stopped for stays so.
            self.proven.update({n: max(token, self.proven.get(n, 0)) for n in guarded})

    async def guard_holds(self, move: Move, site: SiteId) -> bool:
        """Return whether the guard of `site` says that it holds for our token; True where none stands there."""
        if move.thawed().guard_of(site) is None:
            return True
        belief = self.belief(move)
        if self.tenure is None or belief is None:
            return False
        seen = await self.moves.guard_at(site, move)
        if seen is not None and seen.spent is not None and seen.spent >= belief.token:
            await self.tenure.anew(seen.spent)  # it was not told in time, and never holds for this one again
        return seen is not None and seen.holds == belief.token

    async def go_back(self, move: Move) -> Text | None:
        """Take a new token for what goes back where a guard may have stopped for this one; return why not."""
        if self.tenure is None or move.thawed().guard_of(move.source) is None:
            return None
        return await self.tenure.anew()

    def halted(self, move: Move) -> bool:
        """Return whether a person stopped this move, or everything since it began."""
        return self.stopped or self.moves.halted_since(move)

    def looks(self, move: Move) -> Sequence[Look]:
        """Return the looks at the old site."""
        return self.seen

    async def look_back(self, move: Move) -> None:
        """Look at the old site now."""
        self.seen.append(await self.moves.look_for_service(move.thawed(), move.source))


BEFORE_FENCE = (None, Phase.ANNOUNCE, Phase.STOP, Phase.BACK)
"""Phases of a planned move in which the old site may run: it stops by its own steps, in its own time, or goes back."""


def may_run_at(move: Move, site: SiteId) -> bool:
    """Return whether the guard at `site` has to let the group run there under the lease of `move`."""
    leaving = move.direction.planned and move.source == site and move.phase in BEFORE_FENCE
    return leaving or move.target == site


def fences(move: Move, site: SiteId) -> bool:
    """Return whether the fence of `site` has begun in `move`, so that its guard hears that our token is over there."""
    return move.direction.moves and move.source == site and move.span(Phase.FENCE) is not None


def told_of(event: MoveEvent, move: Move) -> tuple[Event, ...]:
    """Return what the incident of `move` is told of `event`: that it begins, what it asks, how it ended."""
    if move.incident is None:
        return ()
    match event.kind:
        case MoveEventKind.STARTED | MoveEventKind.PHASE | MoveEventKind.ANSWERED:
            return (Event(move.incident, event.at, EventKind.NOTE, event.actor, event.text, run=move.id),)
        case MoveEventKind.ASKED:
            text = say("the move {move} asks: {question}", move=move.id, question=event.text)
            return (Event(move.incident, event.at, EventKind.CALLED, event.actor, text, run=move.id, asks=True),)
        case MoveEventKind.ENDED:
            text = say("the move {move} is over: {how}", move=move.id, how=event.text)
            return (Event(move.incident, event.at, EventKind.NOTE, event.actor, text, run=move.id),)
    return ()
