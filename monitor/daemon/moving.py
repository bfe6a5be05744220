"""What one move stands on: its journal, its lease, and what is seen and said while it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from failover.fences import Reign
from failover.ground import Act, Hold
from failover.lease import Belief
from failover.model import Plan, PlanId, SiteId
from failover.phases import Direction, Phase
from failover.run import Move, MoveEvent, MoveEventKind, Task
from failover.vantage import Look
from monitor.core.events import Event, EventKind
from monitor.core.text import say
from monitor.daemon.tenure import Tenure


class Held(Protocol):
    """What all moves of a daemon share."""

    async def record(self, event: MoveEvent) -> Move:
        """Return the move after `event`, which is on disk by then. Raises NotJournaled."""
        ...

    async def look_for_service(self, plan: Plan, site: SiteId) -> Look:
        """Look now whether the service of `plan` still answers at `site`."""
        ...

    def told_until(self, move: Move) -> float:
        """Return until when the guard of the old site of `move` was last told to let it run; 0 where not by us."""
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
    """The dry run: what `may_start` says at `at` (UTC), and every task in order; no task where it says no."""

    plan: Plan
    answer: Act | Hold
    at: datetime
    tasks: tuple[Task, ...] = ()


@dataclass(slots=True)
class Footing:
    """What one move stands on. `tenure` is None where no lease is needed: a drill leaves the group where it is."""

    moves: Held
    tenure: Tenure | None
    stopped: bool = False
    seen: list[Look] = field(default_factory=list)

    async def record(self, event: MoveEvent) -> Move:
        """Return the move after `event`, which is on disk by then. Raises NotJournaled."""
        after = await self.moves.record(event)
        lapsed_at = None if self.tenure is None else self.tenure.lapsed_at
        if self.tenure is not None and lapsed_at is not None and after.phase is Phase.FENCE:
            # From here on the guard of the old site hears nothing more: its time ends with what it heard last.
            self.tenure.lapsed_at = max(lapsed_at, self.moves.told_until(after))
        return after

    def belief(self, move: Move) -> Belief | None:
        """Return what may be believed of the lease."""
        return None if self.tenure is None else self.tenure.belief

    def lost(self, move: Move) -> bool:
        """Return whether the lease is somebody else's."""
        return self.tenure is not None and self.tenure.lost

    def reign(self, move: Move) -> Reign:
        """Return under which lease the old site is fenced."""
        belief = self.belief(move)
        lapsed_at = None if self.tenure is None else self.tenure.lapsed_at
        return Reign(move.token or 0 if belief is None else belief.token, move.before, lapsed_at)

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
