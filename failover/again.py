"""Whether what a move has started at the new site was stopped there by its guard, so that it has to be started again.

A guard stops what runs under a token that has lapsed, and never holds for that one again. So what a move started under
an older token than it holds now does not run any more, or not for long: nothing else would start it again.
"""

from __future__ import annotations

from failover.model import Plan
from failover.phases import Phase
from failover.run import STARTING, Move, MoveEventKind
from runbooks.run import ActionState

LASTS = (*STARTING, Phase.SWITCH, Phase.VERIFY)
"""Phases in which what was started has to run."""


def stopped_since(move: Move, plan: Plan, token: int) -> bool:
    """Return whether the guard of the new site has stopped what `move` started there, which holds `token` now."""
    if plan.guard_of(move.target) is None or not move.direction.moves or move.phase not in LASTS:
        return False
    under = {event.task: event.data["token"] for event in move.log if event.kind is MoveEventKind.INTENT}
    return any(
        move.records[n].state is ActionState.DONE and under.get(n, token) < token
        for phase in STARTING
        for n in move.of(phase)
    )


def times(move: Move) -> int:
    """Return how often it was begun again."""
    return sum(event.kind is MoveEventKind.PHASE and event.data.get("again", False) for event in move.log)
