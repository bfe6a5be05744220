"""How the lease of each group stands at this site, as a check of Relève's own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from failover.ground import past, runs_at
from failover.keeping import Keep, Known, StayPassive, keep_verdict, next_step
from failover.lease import DRIFT
from failover.model import Continuity, Leases, PlanId
from failover.run import Move, MoveId
from monitor.core.text import Text
from monitor.core.verdict import Verdict
from monitor.daemon.holding import Holding

NOTHING: Mapping[PlanId, Text] = MappingProxyType({})


def lease_verdicts(
    continuity: Continuity,
    moves: Mapping[MoveId, Move],
    holding: Holding,
    now: float,
    there: Mapping[PlanId, Text] = NOTHING,
) -> dict[PlanId, Verdict]:
    """Return how the lease of each group stands at this site at `now` (CLOCK_BOOTTIME), where voters keep it.

    `there`: why the guard of the other site could not be told of what runs there.
    """
    leases = continuity.leases
    if continuity.here is None or leases is None or leases.etcd is None:
        return {}
    return {name: _verdict(continuity, leases, name, moves, holding, now, there) for name in continuity.plans}


def _verdict(
    continuity: Continuity,
    leases: Leases,
    name: PlanId,
    moves: Mapping[MoveId, Move],
    holding: Holding,
    now: float,
    there: Mapping[PlanId, Text],
) -> Verdict:
    plan, tenure = continuity.plans[name], holding.held.get(name)
    assert continuity.here is not None
    called = plan.title or str(name)
    if tenure is None:
        own = [move for move in moves.values() if move.plan == name]
        moving = any(move.direction.moves and not move.state.over for move in own)
        passive = holding.why.get(name) or next_step(Known(name, continuity.here.id, runs_at(plan, past(own)), moving))
        assert isinstance(passive, StayPassive)  # nobody takes what nobody has looked at
        return keep_verdict(Keep(called, passive), now)
    belief, sent = tenure.belief, leases.ttl.total_seconds() * (1 - DRIFT)
    age = 0.0 if belief is None else now - (belief.valid_until - sent)
    runs = runs_at(plan, past(move for move in moves.values() if move.plan == name))
    untold = holding.untold.get(name) if runs in (None, continuity.here.id) else there.get(name)
    keep = Keep(called, None, belief, age, leases.loop, tenure.trouble, untold, str(runs or continuity.here.id))
    return keep_verdict(keep, now)
