"""What a decision about a group stands on, and how it is told: frozen data, put together once for all groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from failover.loss import NOTHING, Loss
from failover.model import Mode, Plan, PlanId, SiteId
from failover.phases import Direction
from failover.run import Move as Moved
from failover.run import MoveState
from failover.vantage import Sight, Sighted
from monitor.core.events import RELEVE
from monitor.core.text import Text, say
from runbooks.decide import YES_LASTS

LATEST = timedelta(hours=6)
"""Age of an interruption at which the service runs at the redundant site: the contract calls it long from here on."""
A_LOOK = timedelta(seconds=2)
"""How long a look at a copy may take whose primary does not answer any more."""
UNMEASURED = Loss(None, (), known=False)
UNSEEN = Sighted(Sight.UNSEEN)
_DRILL = Direction.DRILL
NOT_LOOKED = say("nobody has looked yet whether a fence of the old site could be proven")


@dataclass(frozen=True, slots=True)
class Group:
    """What is known of one group.

    `loss`: what would be lost, as of when its site was lost if it is. `incident`: since when an incident that its plan
    answers is open (UTC). `unfenced`: why no fence of the site where it runs could be proven now (`fences.prospect`);
    None when one could. `moving`: the move that is under way. `work`: announced work on it or on one of its sites, with
    its end where that is known. `stopped`: by what its guard is known to have stopped it where it runs, None where that
    is not known; `failing`: whether all that verifies it there was seen to fail. Both are looked for only where nothing
    but its lease speaks against a site (`unled`).
    """

    loss: Loss = UNMEASURED
    incident: datetime | None = None
    unfenced: Text | None = NOT_LOOKED
    moving: str | None = None
    work: str | None = None
    work_until: datetime | None = None
    stopped: Text | None = None
    failing: bool = False


UNKNOWN = Group()


@dataclass(frozen=True, slots=True)
class Seen:
    """What is believed now. `halted`: a person stopped the automation. `clock`: whether our own can be trusted."""

    sites: Mapping[SiteId, Sighted] = field(default_factory=dict)
    groups: Mapping[PlanId, Group] = field(default_factory=dict)
    clock: bool = True
    halted: bool = False

    def site(self, site: SiteId) -> Sighted:
        """Return how `site` is seen."""
        return self.sites.get(site, UNSEEN)

    def group(self, plan: PlanId) -> Group:
        """Return what is known of the group of `plan`."""
        return self.groups.get(plan, UNKNOWN)


@dataclass(frozen=True, slots=True)
class LeaseSeen:
    """Who may decide, and how long our own belief in the lease of the group still holds; `left` None: it is not ours.

    `needs`: what the first phase takes at least, so that nothing is begun that could not go on. `why`: why it is not
    ours, where that is known.
    """

    mode: Mode
    left: timedelta | None = None
    needs: timedelta = timedelta(seconds=1)
    why: Text | None = None

    @property
    def suffices(self) -> bool:
        """Whether the belief holds for long enough to begin."""
        return self.left is not None and self.left > self.needs


@dataclass(frozen=True, slots=True)
class Move:
    """A move of the past. `by`: who began it. `runs_at`: where the group ran afterwards, None for nobody knows.

    `vain`: it ended before anything was done or asked of a site, but not because a person stopped what Relève began.
    """

    direction: Direction
    target: SiteId
    began_at: datetime
    ended_at: datetime
    by: str
    ok: bool
    runs_at: SiteId | None
    vain: bool = False


History = tuple[Move, ...]
"""The moves of one group that are over, oldest first."""


@dataclass(frozen=True, slots=True)
class Word:
    """A person's yes to one move, given at `at`. `loss`: what was stated then; None: that nobody knows."""

    by: str
    at: datetime
    direction: Direction
    target: SiteId
    loss: timedelta | None

    def covers(self, direction: Direction, target: SiteId, loss: Loss, now: datetime) -> bool:
        """Return whether it is still the yes to this move, with this loss.

        What is stated is an upper bound that goes up with the clock, so that much more is covered. It was measured anew
        since, and two figures of one copy differ by as long as a look takes.
        """
        age = now - self.at
        if (self.direction, self.target) != (direction, target) or not timedelta(0) <= age <= YES_LASTS:
            return False
        if self.loss is None:
            return True
        slack = A_LOOK if self.loss else NOTHING  # who was told that nothing is lost has accepted no second
        return loss.known and loss.at_most is not None and loss.at_most <= self.loss + age + slack


class Why(StrEnum):
    """Why a move does not begin, in the order in which it is told: what a person should mend first comes first."""

    MOVING = "moving"
    HALTED = "halted"
    NOWHERE = "nowhere"
    RUNS = "runs"
    ALREADY = "already"
    NO_DRILL = "no drill"
    INCIDENT = "incident"
    MAINTENANCE = "maintenance"
    CLOCK = "clock"
    UNSEEN = "unseen"
    LONE = "lone"
    SPLIT = "split"
    NO_INCIDENT = "no incident"
    SOURCE = "source"
    TARGET = "target"
    GUARD = "guard"
    NOT_FENCED = "not fenced"
    LAG = "lag"
    HOLD_DOWN = "hold-down"
    SPENT = "spent"
    LEASE = "lease"
    """The last of all: nothing else stands against it, so that the lease may be taken."""
    WORD = "word"
    """It does not begin by itself: a person has to say so."""


@dataclass(frozen=True, slots=True)
class Hold:
    """No: `why`, the same in words, and what would lift it; `until`: when that passes by itself, where it does."""

    why: Why
    text: Text
    lifted_by: Text
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """Nothing stands against it, except perhaps that a person has to say yes first: `needs_word` says why.

    `loss`: what may be lost, to be stated before the word. `at`: when it begins without one, where it would.
    `remarks`: what a person should know who says yes.
    """

    direction: Direction
    source: SiteId
    target: SiteId
    loss: Loss
    needs_word: Text | None = None
    at: datetime | None = None
    remarks: tuple[Text, ...] = ()


def past(moves: Iterable[Moved]) -> History:
    """Return those of `moves`, oldest first, that are over as history, in their order.

    Not by the time at which they ended: a clock that was set back in between would let the older one count.
    """
    return tuple(
        Move(
            move.direction,
            move.target,
            move.started_at,
            move.ended_at,
            move.started_by,
            move.state is MoveState.SUCCEEDED,
            move.runs_at,
            vain=not move.had_effect and not (move.started_by == RELEVE and move.state is MoveState.STOPPED),
        )
        for move in moves
        if move.ended_at is not None
    )


def runs_at(plan: Plan, history: History) -> SiteId | None:
    """Return where the group runs after `history`; None where nobody knows, or it runs nowhere."""
    for move in reversed(history):
        if move.direction is not _DRILL:
            return move.runs_at
    return plan.active


def takes(plan: Plan, history: History) -> timedelta:
    """Return how long a move takes: the latest drill or move that went well, else what the plan promises."""
    return next((move.ended_at - move.began_at for move in reversed(history) if move.ok), plan.rto)


def due_at(plan: Plan, incident: datetime, history: History) -> datetime | None:
    """Return when a move begins by itself for the age of `incident`; None where the plan does not say so.

    However late the plan would have it, there has to be time for the move itself before the interruption is long.
    """
    if plan.by is None:
        return None
    return incident + max(timedelta(0), min(plan.by, LATEST - takes(plan, history)))
