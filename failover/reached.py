"""What a move reached: how long nobody was served, and how much was lost, beside what was promised."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from failover.phases import Direction, Phase
from failover.run import DataProof, Move, MoveEvent, MoveEventKind
from runbooks.contract import Promised

ZERO = timedelta(0)
COMPARES = "pg-promote"
"""The step that says whether what it promoted is what was promised of."""


@dataclass(frozen=True, slots=True)
class Reached:
    """`rto`: from the loss of the service until the checks of the new site were OK. `rpo`: the data that was lost, as
    time. None where nobody can say, or it did not come to that."""

    rto: timedelta | None
    rpo: timedelta | None


def reached(move: Move) -> Reached:
    """Return what `move` reached by its own journal.

    The service is lost: of a failover, `since`; of a planned move, when the old site began to be stopped; of a drill,
    where nobody loses anything, when the standby began to be brought up.
    """
    verified, began = verified_at(move), _lost_at(move)
    rto = None if verified is None or began is None else max(ZERO, verified - began)
    return Reached(rto, _lost(move))


def verified_at(move: Move) -> datetime | None:
    """Return when the last check of the last look was OK; None where one was not, or nobody looked."""
    span = move.span(Phase.VERIFY)
    if span is None:
        return None
    latest = {seen.check: seen for seen in move.seen if seen.phase is Phase.VERIFY and seen.at >= span.began}
    if not latest or not all(seen.ok for seen in latest.values()):
        return None
    return max(seen.at for seen in latest.values())


def _lost_at(move: Move) -> datetime | None:
    if move.direction is Direction.FAILOVER:
        return move.since
    span = move.span(Phase.UP if move.direction is Direction.DRILL else Phase.STOP)
    return None if span is None else span.began


def _lost(move: Move) -> timedelta | None:
    """What was missing of the worst copy when nothing could be written any more; of a drill, what would have been.

    A site that was gone when the loss was stated has written nothing since: what was stated holds where the copy cannot
    be measured, and also where it can, for the figure of a copy to which nothing comes any more grows with the clock.
    Of one that stood it is no bound, for it wrote on until its fence; nor is it where it may rest on a promise that did
    not hold.
    """
    forced = move.direction is Direction.FAILOVER
    broken = any(data.promised is not None and not is_kept(move, data) for data in move.data)
    stated = move.loss if (move.lost and not broken) or not forced else None
    if not move.data:
        return ZERO if move.direction.planned else stated
    measured = [ZERO if is_kept(move, data) else _latest_lag(move, data.checks) for data in move.data]
    known = [lag for lag in measured if lag is not None]
    if len(known) < len(measured):
        return stated
    worst = max(known)
    return min(worst, stated) if forced and stated is not None else worst


def is_kept(move: Move, data: DataProof) -> bool:
    """Return whether nothing of `data` was lost with the old site, because every commit had waited for its copy.

    What was promised of another database, or of another life of it, than the one that was promoted is no promise: where
    a step compares the two, nothing is claimed from its phase on before it has, nor where it found a primary already or
    was cut off.
    """
    if move.direction is not Direction.FAILOVER or data.promised is None:
        return False
    told = [
        event.data.get("evidence", {}).get("promised") for event in move.log if _promotes(move, event, data.promised)
    ]
    to_compare = move.span(Phase.PROMOTE) is not None and any(
        task.action.step == COMPARES and task.action.target == data.promised.standby for task in move.tasks
    )
    return False not in told and (True in told or not to_compare)


def _promotes(move: Move, event: MoveEvent, promised: Promised) -> bool:
    """Return whether `event` tells what came of the promotion of the copy that is promised of."""
    if event.kind is not MoveEventKind.OUTCOME or event.task is None:
        return False
    action = move.tasks[event.task].action
    return action.step == COMPARES and action.target == promised.standby


def _latest_lag(move: Move, checks: tuple[str, ...]) -> timedelta | None:
    return next((seen.lag for seen in reversed(move.seen) if seen.check in checks and seen.lag is not None), None)
