"""Groups that can move as JSON: how they stand, and what a move would do. What the commands and the API share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from failover.ground import runs_at
from failover.loss import Loss, loss_of
from failover.model import Continuity, DataSet, Fence, Guarded, Isolation, Part, Plan, PlanId, SiteId, Token
from failover.phases import ORDER, Direction, Phase
from failover.preflight import Preflight, Standing
from failover.run import Move, MoveId
from failover.task import Task
from failover.tasks import tasks_of
from failover.words import PHASES
from monitor.core.ids import CheckId
from monitor.core.text import Speech, Text, say
from monitor.daemon.move_work import work_of
from monitor.inventory.model import Inventory
from monitor.web.runs_json import planned_json
from monitor.web.views import when

if TYPE_CHECKING:
    from monitor.daemon.deciding import Held

Judged = Mapping[PlanId, tuple[Standing, Preflight]]


class NoPlan(Exception):
    """There is no plan of that name; `known` are those that there are."""

    def __init__(self, known: tuple[str, ...]) -> None:
        super().__init__(", ".join(known))
        self.known = known


class NoDrill(Exception):
    """The plan does not say how the group is drilled at `site`."""

    def __init__(self, site: SiteId) -> None:
        super().__init__(site)
        self.site = site


class NoSite(Exception):
    """The plan does not move the group to that site; `known` are the two that it knows."""

    def __init__(self, known: tuple[str, ...]) -> None:
        super().__init__(", ".join(known))
        self.known = known


def words_of(error: NoPlan | NoSite | NoDrill) -> Text:
    """Return what is wrong with what was asked for, and what there is."""
    match error:
        case NoPlan() if not error.known:
            return say("the inventory has no plan: nothing of it says how a group moves to another site")
        case NoPlan():
            return say("name one of the plans: {names}", names=", ".join(error.known))
        case NoSite():
            return say("the group can run at these sites: {names}", names=", ".join(error.known))
        case NoDrill():
            return say("the plan does not say how to drill {site}: write drill: under it", site=error.site)


def standing_json(
    inventory: Inventory,
    judged: Judged,
    moves: Mapping[MoveId, Move],
    held: Mapping[PlanId, Held],
    now: datetime,
    speech: Speech,
) -> list[dict[str, Any]]:
    """Return each group: where it runs as far as is known, whether it could move, and what would be lost now.

    `moves`: those that are known, for what the one that is under way does and asks. `held`: why those that something
    speaks for do not move by themselves.
    """
    plans = inventory.continuity.plans
    return [
        {
            **_group(inventory.continuity, plans[name], seen, found, now, speech),
            "move": None if found.moving is None else going_json(moves[MoveId(found.moving)], inventory, speech),
            "held": None if name not in held else _held(held[name], speech),
        }
        for name, (seen, found) in judged.items()
        if name in plans
    ]


def going_json(move: Move, inventory: Inventory, speech: Speech) -> dict[str, Any]:
    """Return where the move that is under way stands: its phase, since when, and what it asks.

    `runs_at`: where the group runs by now, None for nowhere, or nobody can tell. `work`: which checks alarm nobody
    while it goes on, and until when at the longest; None where all do.
    """
    phase, question, work, sites = move.phase, move.question, work_of(move, inventory), inventory.continuity.sites
    checks = () if work is None else sorted(work.scope & inventory.plan.checks.keys())
    return {
        "id": move.id,
        "plan": move.plan,
        "title": move.title,
        "direction": move.direction.value,
        "to": move.target,
        "titles": {
            site: sites[site].title if site in sites else move.called(site) for site in (move.source, move.target)
        },
        "runs_at": move.runs_at,
        "state": move.state.value,
        "started_at": when(move.started_at),
        "phase": None if phase is None else phase.value,
        "text": "" if phase is None else speech.translate(PHASES[phase]),
        "phase_at": None if phase is None else when(move.spans[-1].began),
        "question": None if question is None else speech.render(question.text),
        "work": None if work is None else {"checks": list(checks), "until": when(work.span.end)},
    }


def _held(held: Held, speech: Speech) -> dict[str, Any]:
    """Return why a group does not move by itself, since when for that reason, and what would lift it."""
    return {
        "why": held.hold.why.value,
        "text": speech.render(held.hold.text),
        "lifted_by": speech.render(held.hold.lifted_by),
        "since": when(held.since),
        "until": when(held.hold.until),
    }


def _group(
    sites: Continuity, plan: Plan, seen: Standing, found: Preflight, now: datetime, speech: Speech
) -> dict[str, Any]:
    return {
        "plan": plan.id,
        "title": plan.title,
        "at": when(now),
        "severity": found.severity.word,
        "ready": found.ready,
        "text": speech.render(found.text),
        "reasons": [speech.render(one) for one in found.reasons],
        "remarks": [speech.render(one) for one in found.remarks],
        "runs_at": _site(sites, found.runs_at),
        "to": _site(sites, found.to),
        "normally_at": _site(sites, plan.active),
        "moving": found.moving,
        "mode": sites.mode.value,
        "start": plan.start.value,
        "by_s": _seconds(plan.by),
        "rto_s": plan.rto.total_seconds(),
        "exercised_at": when(found.exercised_at),
        "loss": _loss(found.loss, speech),
        "data": [_data(sites.data[name].lost_with(found.runs_at), seen, now, speech) for name in plan.data],
    }


def _site(sites: Continuity, site: SiteId | None) -> dict[str, Any] | None:
    return None if site is None else {"site": site, "title": sites.sites[site].title}


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def _loss(loss: Loss, speech: Speech) -> dict[str, Any]:
    return {
        "text": speech.render(loss.text),
        "known": loss.known,
        "at_most_s": _seconds(loss.at_most),
        "of": list(loss.of),
        "measured_at": when(loss.measured_at),
    }


def _data(data: DataSet, seen: Standing, now: datetime, speech: Speech) -> dict[str, Any]:
    measured = [one for one in seen.measured if one.data == data.id]
    # Of several figures the one counts that promises least.
    worst = max(measured, key=lambda one: (not loss_of(one, now).known, loss_of(one, now).at_most or timedelta.max))
    bound = loss_of(worst, now)
    return {
        "data": data.id,
        "title": data.called,
        "how": data.how.value,
        "rpo_s": data.rpo.total_seconds(),
        "lag_s": _seconds(worst.lag),
        "measured_at": when(worst.at),
        "known": bound.known,
        "at_most_s": _seconds(bound.at_most),
        "checks": [
            {
                "check": name,
                "severity": None if (known := seen.check(name)).severity is None else known.severity.word,
                "stale": known.stale,
                "summary": speech.render(known.summary),
            }
            for name in data.checks
        ],
    }


def plan_of(inventory: Inventory, name: str) -> Plan:
    """Return the plan of that name, the only one if it is empty. Raises NoPlan."""
    plans = inventory.continuity.plans
    if not name and len(plans) == 1:
        return next(iter(plans.values()))
    found = plans.get(PlanId(name))
    if found is None:
        raise NoPlan(tuple(plans))
    return found


def course_json(
    inventory: Inventory, plan: Plan, seen: Standing, to: str, direction: Direction, speech: Speech
) -> dict[str, Any]:
    """Return what a move of `plan` in `direction` would do, phase by phase, to `to` or to where it does not run.

    Nothing is asked of any host for it. Where nobody knows where the group runs, it comes from the other site. A
    planned move to where the group runs normally is a move back. Raises NoSite, NoDrill, and StepFailed when a step
    cannot apply.
    """
    two = (plan.active, plan.standby)
    ran = runs_at(plan, seen.history)
    target = SiteId(to) if to else plan.standby if ran is None else plan.other(ran)
    if target not in two:
        raise NoSite(two)
    if direction is Direction.DRILL and plan.parts.get(target, Part()).drill is None:
        raise NoDrill(target)
    if direction.planned:
        direction = Direction.FAILBACK if target == plan.active else Direction.SWITCHOVER
    source = plan.other(target)
    tasks = tasks_of(plan, direction, source, target, inventory.actionable)
    order = (*ORDER[direction], Phase.BACK) if direction.planned else ORDER[direction]
    phases = [_phase(inventory, plan, phase, direction, (source, target), tasks, speech) for phase in order]
    numbered = 0
    for phase in phases:
        for action in phase["actions"]:
            numbered += 1
            action["n"] = numbered
    return {
        "plan": plan.id,
        "title": plan.title,
        "direction": direction.value,
        "from": _site(inventory.continuity, source),
        "to": _site(inventory.continuity, target),
        "runs_at": _site(inventory.continuity, ran),
        "phases": phases,
    }


def _phase(
    inventory: Inventory,
    plan: Plan,
    phase: Phase,
    direction: Direction,
    way: tuple[SiteId, SiteId],
    tasks: tuple[Task, ...],
    speech: Speech,
) -> dict[str, Any]:
    """One phase of the way from one site to another. BACK stands at the end: it is taken only instead of the rest."""
    told = {Phase.ANNOUNCE: plan.told.plan, Phase.REPORT: plan.told.report}.get(phase, ())
    people = inventory.contacts
    return {
        "phase": phase.value,
        "text": speech.translate(PHASES[phase]),
        "only_if_not_fenced": phase is Phase.BACK,
        "actions": [
            {**planned_json(0, task.action, speech), "group": task.group + 1, "fence": _number(task.fence)}
            for task in tasks
            if task.phase is phase
        ],
        "fences": [_fence(one, plan) for one in plan.fences_of(way[0])] if phase is Phase.FENCE else [],
        "checks": [str(name) for name in _checks(inventory, plan, phase, direction, way)],
        "told": list(told),
        "names": {name: people[name].name for name in told if name in people},
    }


def _checks(
    inventory: Inventory, plan: Plan, phase: Phase, direction: Direction, way: tuple[SiteId, SiteId]
) -> tuple[CheckId, ...]:
    """The checks that a phase asks: those of the copies, or those that verify the new site."""
    source, target = way
    part = plan.parts.get(target, Part())
    if phase is Phase.SYNC:
        sets = (inventory.continuity.data[name].lost_with(source) for name in plan.data)
        return tuple(check for data in sets for check in data.checks)
    if phase is not Phase.VERIFY:
        return ()
    if direction is Direction.DRILL:
        return () if part.drill is None else part.drill.verify
    return part.verify


def _number(fence: int | None) -> int | None:
    return None if fence is None else fence + 1


def _fence(fence: Fence, plan: Plan) -> dict[str, Any]:
    match fence:
        case Isolation(site, _):
            return {"kind": "isolation", "site": site, "title": plan.called(site), "stops_within_s": None}
        case Token(site, _):
            return {"kind": "token", "site": site, "title": plan.called(site), "stops_within_s": None}
        case Guarded(site, stops_within):
            return {
                "kind": "guard",
                "site": site,
                "title": plan.called(site),
                "stops_within_s": stops_within.total_seconds(),
            }
