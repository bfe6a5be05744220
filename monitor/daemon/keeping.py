"""How the lease of each group stands at this site, as a check of Relève's own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from types import MappingProxyType

from failover.ground import past, runs_at
from failover.keeping import Keep, Known, StayPassive, keep_verdict, next_step
from failover.lease import DRIFT
from failover.model import Continuity, Leases, PlanId
from failover.run import Move, MoveId
from monitor.core.health import Health
from monitor.core.ids import CheckId
from monitor.core.text import Text
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.holding import Holding

NOTHING: Mapping[PlanId, Text] = MappingProxyType({})


def lease_verdicts(
    continuity: Continuity,
    moves: Mapping[MoveId, Move],
    holding: Holding,
    now: float,
    there: Mapping[PlanId, Text] = NOTHING,
    stopped: Collection[PlanId] = (),
) -> dict[PlanId, Verdict]:
    """Return how the lease of each group stands at this site at `now` (CLOCK_BOOTTIME), where voters keep it.

    `there`: why the guard of the other site could not be told of what runs there. `stopped`: see `left_stopped`.
    """
    leases = continuity.leases
    if continuity.here is None or leases is None or leases.etcd is None:
        return {}
    return {
        name: _verdict(continuity, leases, name, moves, holding, now, there, stopped=name in stopped)
        for name in continuity.plans
    }


def left_stopped(
    continuity: Continuity,
    moves: Mapping[MoveId, Move],
    lapsed_at: Mapping[PlanId, datetime],
    healths: Mapping[CheckId, Health],
) -> frozenset[PlanId]:
    """Return the groups that a guard has stopped where they run, and that were not seen to work there since.

    `lapsed_at`: when a guard was last seen to stop one, or to have stopped it (UTC). It shows by what verifies the
    group there: a check that was OK before, and fails since.
    """
    found = set[PlanId]()
    for name, at in lapsed_at.items():
        plan = continuity.plans.get(name)
        source = None if plan is None else runs_at(plan, past(move for move in moves.values() if move.plan == name))
        part = None if plan is None or source is None else plan.parts.get(source)
        known = [healths[check] for check in (() if part is None else part.verify) if check in healths]
        if any(one.confirmed is Severity.CRITICAL and one.ok_at is not None and one.ok_at <= at for one in known):
            found.add(name)
    return frozenset(found)


def _verdict(
    continuity: Continuity,
    leases: Leases,
    name: PlanId,
    moves: Mapping[MoveId, Move],
    holding: Holding,
    now: float,
    there: Mapping[PlanId, Text],
    *,
    stopped: bool,
) -> Verdict:
    plan, tenure = continuity.plans[name], holding.held.get(name)
    assert continuity.here is not None
    called = plan.title or str(name)
    own = [move for move in moves.values() if move.plan == name]
    runs = runs_at(plan, past(own))
    if tenure is None:
        moving = any(move.direction.moves and not move.state.over for move in own)
        known = Known(name, continuity.here.id, runs, moving, called="" if runs is None else plan.called(runs))
        passive = holding.why.get(name) or next_step(known)
        assert isinstance(passive, StayPassive)  # nobody takes what nobody has looked at
        return keep_verdict(Keep(called, passive), now)
    belief, sent = tenure.belief, leases.ttl.total_seconds() * (1 - DRIFT)
    age = 0.0 if belief is None else now - (belief.valid_until - sent)
    untold = holding.untold.get(name) if runs in (None, continuity.here.id) else there.get(name)
    site = plan.called(runs or continuity.here.id)
    keep = Keep(called, None, belief, age, leases.loop, tenure.trouble, untold, site, stopped, str(name))
    return keep_verdict(keep, now)
