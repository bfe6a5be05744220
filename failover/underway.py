"""What a planned move stops and starts, and how long that excuses what fails of it: read off its journal alone."""

from __future__ import annotations

from datetime import timedelta

from failover.model import Drill, Part, Plan
from failover.phases import Direction, Phase
from failover.run import Move
from monitor.core.ids import CheckId, NodeId
from monitor.core.maintenance import Span
from runbooks.contract import Effect

ANSWERED_WITHIN = timedelta(minutes=2)
"""How long a move that asks a person still counts as work: whoever sits before it answers by then. After that nothing
is being done, and what is stopped is an interruption like any other."""


def span_of(move: Move, plan: Plan) -> Span | None:
    """Return from when until when at the longest `move` is work in which its services are expected to fail.

    From its first phase behind the announcement, for as long as `plan` says that a move takes (`rto`), and no longer
    than ANSWERED_WITHIN after it asks. None for a forced move, whose incident is open, and before it touches anything.
    """
    if move.direction is Direction.FAILOVER:
        return None
    began = next((span.began for span in move.spans if span.phase is not Phase.ANNOUNCE), None)
    if began is None:
        return None
    end = began + plan.rto
    if move.question is not None:
        end = min(end, move.question.at + ANSWERED_WITHIN)
    return Span(began, max(began, end))


def named(move: Move, plan: Plan) -> frozenset[CheckId]:
    """Return the checks by which the plan itself sees what `move` stops and starts.

    Those that verify it, at both sites; those of steps that start, stop, or wait for the service of a check; and those
    of its data. A drill leaves the site that runs, and the data, as they are: of it, those of the drill alone.
    """
    parts = [plan.parts.get(site, Part()) for site in (move.source, move.target)]
    found: set[CheckId] = set()
    if move.direction is Direction.DRILL:
        drill = parts[1].drill
        found.update(() if drill is None else drill.verify)
    else:
        found.update(check for part in parts for check in part.verify)
        found.update(check for data in move.data for check in data.checks)
    params = (task.action.params.get("check") for task in move.tasks)
    return frozenset(found | {CheckId(name) for name in params if isinstance(name, str)})


def touched(move: Move) -> frozenset[NodeId]:
    """Return the devices on which `move` stops or starts something."""
    return frozenset(task.action.target for task in move.tasks if task.action.effect is not Effect.READS)


def seen_at(part: Part) -> frozenset[CheckId]:
    """Return the checks by which a plan sees whether its group runs at the site of `part`, also for a drill."""
    drill = part.drill or Drill((), (), ())
    steps = (*part.stop, *part.promote, *(one for group in part.start for one in group), *part.switch)
    params = (getattr(work.params, "check", None) for work in (*steps, *drill.up, *drill.down))
    return frozenset((*part.verify, *drill.verify, *(CheckId(name) for name in params if isinstance(name, str))))
