"""From what a person asks for to the move that is begun: whether it may, what was stated, what is written down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from failover.ground import Act, Hold, Word
from failover.model import Continuity, DataSet, Plan, PlanId, SiteId
from failover.phases import Direction
from failover.run import Move, MoveId
from failover.words import Order
from monitor.core.incident import Incident, Refused
from monitor.core.text import Text, say, verbatim
from monitor.daemon.moving import Prepared
from monitor.store import AuditEntry


@dataclass(frozen=True, slots=True)
class Said:
    """The yes of `actor`, with its `words`.

    `loss`: what may be lost, as it was stated before; None for nobody knows. `stated_at`: when that was (UTC), for what
    is lost grows with the time that a person takes to answer; None: just now. `because`: why Relève says so by itself.
    """

    actor: str
    words: str = ""
    loss: timedelta | None = None
    stated_at: datetime | None = None
    because: Text | None = None


def plan_of(continuity: Continuity, name: PlanId) -> Plan:
    """Return the plan of that name. Raises Refused, with those that there are."""
    if name not in continuity.plans:
        names = ", ".join(sorted(continuity.plans)) or "-"
        raise Refused(say("there is no plan {name}; there are: {names}", name=name, names=names))
    return continuity.plans[name]


def data_of(continuity: Continuity, plan: Plan, source: SiteId | None) -> tuple[DataSet, ...]:
    """Return the data sets of `plan`, each with the checks that measure what leaves `source`, where its group runs."""
    return tuple(continuity.data[name].lost_with(source) for name in plan.data if name in continuity.data)


def highest(moves: Iterable[Move], plan: PlanId) -> int:
    """Return the highest token of the group that `moves` know of."""
    tokens = [token for move in moves if move.plan == plan for token in (move.token, move.before)]
    return max((token for token in tokens if token is not None), default=0)


def allowed(prepared: Prepared) -> Act:
    """Return what may begin. Raises Refused, with what would lift it."""
    if isinstance(prepared.answer, Hold):
        hold = prepared.answer
        raise Refused(say("{why}. What would lift it: {what}", why=hold.text, what=hold.lifted_by))
    return prepared.answer


def order_of(plan: Plan, act: Act, said: Said, incident: Incident | None, now: datetime) -> Order:
    """Return what is to be done, as a person said yes to.

    Raises Refused when a forced move would lose more by now than was stated, and the time since does not explain it.
    """
    stated = None
    if act.direction is Direction.FAILOVER:
        stated = said.loss
        word = Word(said.actor, said.stated_at or now, act.direction, act.target, said.loss)
        if not word.covers(act.direction, act.target, act.loss, now):
            raise Refused(say("more would be lost by now than was stated: {loss}", loss=act.loss.text))
    return Order(
        plan,
        act.direction,
        act.source,
        act.target,
        said.because or verbatim(said.words),
        now if incident is None else incident.began_at,
        stated,
        None if incident is None else incident.id,
    )


def entry_of(name: MoveId, order: Order, actor: str) -> AuditEntry:
    """Return the line of the audit about the beginning of a move."""
    data = {
        "move": name,
        "plan": order.plan.id,
        "direction": order.direction.value,
        "from": order.source,
        "to": order.target,
        "loss": None if order.loss is None else order.loss.total_seconds(),
    }
    return AuditEntry(actor, "failover", data)


def the_one(moves: Sequence[Move], name: str, none: Text) -> Move:
    """Return the one of `moves` that `name` means, itself or its plan; "" means the only one there is.

    Raises Refused, with `none` where there is no move at all.
    """
    chosen = [move for move in moves if not name or name in (move.id, move.plan)]
    if len(chosen) == 1:
        return chosen[0]
    if moves:
        raise Refused(say("name one of these moves: {names}", names=", ".join(move.id for move in moves)))
    raise Refused(none)
