"""Which messages a move of a group makes due, and what they tell of it: the plan before its first step, the report."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from alerts.agreement import EVERYBODY_TOLD, Protocol
from alerts.context import person
from alerts.moved import Manner, Moved, Part
from alerts.notice import Audience, Notice, NoticeKey, Planned, Step
from failover.model import Continuity, SiteId
from failover.phases import ORDER, Direction, Phase
from failover.reached import is_kept
from failover.run import Move, MoveEvent, MoveEventKind, MoveState
from failover.words import PHASES
from monitor.core.ids import IncidentId
from monitor.core.rota import Roster
from monitor.core.text import say
from monitor.daemon.letters import Letters, Moment
from monitor.inventory.model import Inventory
from monitor.store import run_number
from runbooks.run import ActionState

MANNERS = {
    Direction.SWITCHOVER: Manner.PLANNED,
    Direction.FAILBACK: Manner.PLANNED,
    Direction.FAILOVER: Manner.FORCED,
    Direction.DRILL: Manner.DRILL,
}


def notices_of(
    event: MoveEvent,
    move: Move,
    inventory: Inventory,
    letters: Letters,
    at: Moment,
    heard: Iterable[NoticeKey] = (),
) -> tuple[Notice, ...]:
    """Return the rows of the outbox that `event` makes due: they are journaled with it, so that each exists once.

    The plan is told when its announcement begins, before anything is done; the report when the move has ended, whatever
    came of it, to those whom its plan names. A move that ended before it was announced is told to nobody. `heard`: the
    notices of the incident that it answers; whoever of the client was told of that is one of all who read the report.
    """
    step = _step(event, move)
    if step is None:
        return ()
    told = move.frozen.get("told", {})
    names = tuple(told.get("plan" if step is Step.DEPLOYMENT_PLAN else "report", ()))
    of_plan = tuple(told.get("plan", ()))
    clients = {key.recipient for key in heard if key.audience is Audience.CLIENT}
    of_incident = sorted(clients & inventory.contacts.keys())
    told_of = moved_of(move, inventory.continuity, people={n: c.name for n, c in inventory.contacts.items()})
    return tuple(
        letters.about_move(planned, told_of, inventory.protocol, at)
        for planned in _planned(move, event, step, names, (*of_plan, *of_incident), inventory.protocol, at.roster)
    )


def _step(event: MoveEvent, move: Move) -> Step | None:
    if event.kind is MoveEventKind.PHASE and event.data["phase"] == Phase.ANNOUNCE.value:
        return Step.DEPLOYMENT_PLAN
    announced = move.span(Phase.ANNOUNCE) is not None
    return Step.FAILOVER_REPORT if event.kind is MoveEventKind.ENDED and announced else None


def _planned(
    move: Move,
    event: MoveEvent,
    step: Step,
    names: tuple[str, ...],
    everybody: tuple[str, ...],
    protocol: Protocol,
    roster: Roster,
) -> Iterable[Planned]:
    """One for each reader; `all` are `everybody` and ours. Before the protocol is live, ours read what others would."""
    ours = dict.fromkeys(roster.people(protocol.operations, event.at))
    wanted = [
        name
        for one in names
        for name in ((*everybody, *ours) if one == EVERYBODY_TOLD else roster.people((one,), event.at))
    ]
    readers, instead = dict.fromkeys(wanted), tuple[str, ...]()
    if not protocol.live:
        instead = tuple(name for name in readers if name not in ours)
        readers = ours if readers else {}
    for name in readers:
        audience = Audience.INTERNAL if name in ours else Audience.CLIENT
        key = NoticeKey(IncidentId(move.id), audience, step, run_number(move.id) or 0, name)
        yield Planned(key, event.at, instead_of=instead)


def moved_of(move: Move, continuity: Continuity, people: dict[str, str]) -> Moved:
    """Return `move` as messages tell it, with what the inventory calls its sites."""
    rto = move.frozen.get("rto")
    promised = None if rto is None else timedelta(seconds=rto)

    def title(site: SiteId | None) -> str:
        return "" if site is None else continuity.sites[site].title if site in continuity.sites else str(site)

    return Moved(
        name=move.id,
        title=move.title,
        manner=MANNERS[move.direction],
        source=title(move.source),
        target=title(move.target),
        began_at=move.started_at,
        due_at=move.started_at + (promised or timedelta(0)),
        parts=_parts(move),
        by=person(move.started_by, people),
        reason=move.reason or None,
        loss=move.loss,
        ok=None if not move.state.over else move.state is MoveState.SUCCEEDED,
        how=move.text,
        runs_at=title(move.runs_at),
        ended_at=move.ended_at,
        rto=move.rto,
        rpo=move.rpo,
        rto_promised=promised,
        rpo_promised=min((one.rpo for one in move.data), default=None),
        kept=bool(move.data) and all(is_kept(move, one) for one in move.data),
    )


def _parts(move: Move) -> tuple[Part, ...]:
    """The phases: before the end those to come, afterwards those that there were, each with what was done."""
    if not move.state.over:
        return tuple(
            Part(say(PHASES[phase]), tuple(move.tasks[n].action.said for n in move.of(phase)))
            for phase in ORDER[move.direction]
            if phase not in (Phase.ANNOUNCE, Phase.REPORT)
        )
    begun = (ActionState.DONE, ActionState.FAILED, ActionState.UNKNOWN)
    return tuple(
        Part(
            say(PHASES[span.phase]),
            tuple(
                say("{what}: {how}", what=move.tasks[n].action.said, how=move.records[n].text)
                for n in move.of(span.phase)
                if move.records[n].state in begun
            ),
            None if span.ended is None else span.ended - span.began,
        )
        for span in move.spans
        if span.phase not in (Phase.ANNOUNCE, Phase.REPORT)
    )
