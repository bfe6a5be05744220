"""When files are mirrored from one site to the other: while their group runs where they come from. Pure.

Mirrored the other way, stale files would be offered to the folder that is written by now. A mirror whose source was
left brings nothing over any more, not even what it had no time for before the loss: the new site may have renamed or
deleted that file since, and a list of calls that appears anew is called a second time. Nothing is lost by that. Neither
direction ever deletes, and the way back replaces at the old site only what is older there: a file that lies there alone
stays, and is mirrored again once the group is back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from failover.ground import past, runs_at
from failover.model import Continuity, Plan, PlanId, SiteId
from failover.phases import Phase
from failover.run import Move
from monitor.core.ids import CheckId
from monitor.core.text import Text, say

STILL_WRITTEN_FROM = frozenset({None, Phase.ANNOUNCE, Phase.STOP, Phase.FENCE, Phase.SYNC})
"""Phases of a planned move in which the new site has not begun to write: its last look at the copy waits for that."""


@dataclass(frozen=True, slots=True)
class Stance:
    """Whether files may be copied now. `stands_by`: why what is mirrored says nothing of a loss, None where it does."""

    copies: bool = True
    stands_by: Text | None = None


FREE = Stance()
"""Of an archive, and of a mirror that no plan has anything to do with."""


def stance(
    continuity: Continuity, check: CheckId, moves: Iterable[Move], foreign: Collection[PlanId] = frozenset()
) -> Stance:
    """Return how the mirror stands of which `check` says how far it is behind.

    `moves`: all that are known. `foreign`: plans whose group may run anywhere by now, whatever they say. Of several
    groups that need the data each has to run where the mirror begins.
    """
    known, copies = tuple(moves), True
    for plan, source in _needed_by(continuity, check):
        mine = [move for move in known if move.plan == plan.id]
        runs = None if plan.id in foreign else runs_at(plan, past(mine))
        if runs is None:
            return Stance(copies=False, stands_by=say("stands by: nobody knows where {plan} runs", plan=plan.title))
        if runs != source:
            there = continuity.sites[runs].title
            return Stance(copies=False, stands_by=say("stands by: {plan} runs at {site}", plan=plan.title, site=there))
        copies = copies and not any(map(_ends_it, mine))
    return Stance(copies)


def _needed_by(continuity: Continuity, check: CheckId) -> Iterator[tuple[Plan, SiteId]]:
    for data in continuity.data.values():
        source = data.mirrors.get(check)
        for plan in continuity.plans.values():
            if source in plan.parts and source is not None and data.id in plan.data:
                yield plan, source


def _ends_it(move: Move) -> bool:
    """Whether a move is under way in which the other site may write already, or is about to.

    A planned one has yet to bring the last change over once the old site stands still.
    """
    if move.state.over or not move.direction.moves:
        return False
    return not (move.direction.planned and move.phase in STILL_WRITTEN_FROM)
