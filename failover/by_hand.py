"""Whether a person may begin a move: what protects from two active sites holds for everybody, the rest is remarked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from failover.decide import HALTED, moving, nowhere, too_much, unfenced, unleased, unready
from failover.ground import Act, History, Hold, LeaseSeen, Seen, Why, runs_at
from failover.loss import NOTHING, Loss
from failover.model import Part, Plan, SiteId
from failover.phases import Direction
from failover.vantage import Sight, called
from monitor.core.text import Text, say

NOBODY: Mapping[SiteId, Text] = MappingProxyType({})
NO_LOSS = Loss(NOTHING, (), known=True)
"""Of a drill: nothing is switched, so that nothing can be lost."""


def may_start(
    plan: Plan,
    direction: Direction,
    seen: Seen,
    lease: LeaseSeen,
    history: History,
    now: datetime,
    *,
    target: SiteId | None = None,
    untold: Mapping[SiteId, Text] = NOBODY,
) -> Hold | Act:
    """Return whether a person may begin a move of the group of `plan` in `direction`, to `target` if one is named.

    `untold`: why the guard of a site could not be told of it now, or does not run there.

    A planned move needs both sites up and a copy whose lag is known; a failover only the fence, the lease, and a site
    to run at. A person may do it in the hold-down, in announced work and more often than `most`: that is remarked, and
    so is what will be lost. Act says to what the person has to give a word (`Word`) before it begins.
    """
    group = seen.group(plan.id)
    if group.moving is not None:
        return moving(group.moving)
    if seen.halted:
        return HALTED
    source = runs_at(plan, history)
    if direction is Direction.DRILL:
        return _drill(plan, seen, source, target)
    if source is None and direction is not Direction.FAILOVER:
        return nowhere(plan)
    to = target_of(plan, direction, source, target)
    if to == source or to not in (plan.active, plan.standby):
        return _already(plan, to, source)
    old = source if source is not None else plan.other(to)
    hold = (_planned(plan, seen, old, to) if direction.planned else _forced(plan, seen, to)) or (
        _untold(plan, to, untold) or unfenced(plan, old, group.unfenced) or unleased(lease)
    )
    if hold is not None:
        return hold
    remarks = _remarks(plan, direction, seen, old, history, now)
    return Act(direction, old, to, group.loss, _question(plan, direction, to, group.loss), remarks=remarks)


def _untold(plan: Plan, target: SiteId, untold: Mapping[SiteId, Text]) -> Hold | None:
    """A guard that hears nothing of a move stops what that starts, and one that does not run stops nothing later."""
    if target not in untold:
        return None
    return Hold(
        Why.GUARD,
        say("nothing is started at {site} of which the guard there cannot be told: {why}",
            site=plan.called(target), why=untold[target]),
        say("the line to {site} and the guard there; or carry it out at {site}", site=plan.called(target)),
    )  # fmt: skip


def target_of(plan: Plan, direction: Direction, source: SiteId | None, target: SiteId | None) -> SiteId:
    """Return where a move in `direction` goes to while the group runs at `source`; `target`: the site that is named."""
    if direction is Direction.FAILBACK:
        return plan.active
    if target is not None:
        return target
    return plan.standby if source is None else plan.other(source)


def _already(plan: Plan, target: SiteId, source: SiteId | None) -> Hold:
    if target == source:
        text = say("{plan} runs at {site} already", plan=plan.title, site=plan.called(target))
    else:
        text = say("{site} is none of the two sites of {plan}", plan=plan.title, site=plan.called(target))
    lift = say("the other site: `--to {active}` or `--to {standby}`", active=plan.active, standby=plan.standby)
    return Hold(Why.ALREADY, text, lift)


def _planned(plan: Plan, seen: Seen, source: SiteId, target: SiteId) -> Hold | None:
    """What a planned move needs besides: both sites, and a copy that can be seen."""
    sighted, loss = seen.site(source), seen.group(plan.id).loss
    if not sighted.up:
        names, site = called(sighted.down or sighted.silent, plan.titles), plan.called(source)
        return Hold(
            Why.SOURCE,
            say("{site}, where it runs, is not seen up (by {names}), so that it cannot stop in order", site=site,
                names=names),
            say("{site} itself; or a failover, which does without it: `releve failover run {plan} --forced`",
                site=site, plan=plan.id),
        )  # fmt: skip
    hold = unready(plan, target, seen.site(target))
    if hold is not None:
        return hold
    if not loss.known:
        return Hold(
            Why.LAG,
            say("a planned move loses nothing, but {why}", why=loss.text),
            say("a fresh figure of every copy: look at its check"),
        )
    return None


def _forced(plan: Plan, seen: Seen, target: SiteId) -> Hold | None:
    """A failover goes where it can: only to a site that everybody sees down it does not."""
    sighted = seen.site(target)
    return unready(plan, target, sighted) if sighted.sight in (Sight.LOST, Sight.LONE) else None


def _drill(plan: Plan, seen: Seen, source: SiteId | None, target: SiteId | None) -> Hold | Act:
    if source is None:
        return nowhere(plan)
    at = plan.other(source) if target is None else target
    if at == source:
        return _already(plan, at, source)
    if plan.parts.get(at, Part()).drill is None:
        return Hold(
            Why.NO_DRILL,
            say("the plan {plan} does not say how to drill {site}", plan=plan.id, site=plan.called(at)),
            say("`drill:` under this site in the inventory"),
        )
    sighted, group = seen.site(source), seen.group(plan.id)
    if group.incident is not None or sighted.sight in (Sight.LOST, Sight.LONE, Sight.SPLIT):
        return Hold(
            Why.INCIDENT,
            say("{site} is in trouble, and what takes over has to be free for that", site=plan.called(source)),
            say("the end of the incident"),
        )
    hold = unready(plan, at, seen.site(at))
    if hold is not None:
        return hold
    text = say(
        "{plan} is brought up beside at {site}, verified and torn down; nobody is switched",
        plan=plan.title,
        site=plan.called(at),
    )
    remarks = _announced(plan, seen)
    if plan.guard_of(at) is not None:
        remarks += (
            say(
                "the guard at {site} stops what it guards there, also when a drill has brought it up",
                site=plan.called(at),
            ),
        )
    return Act(Direction.DRILL, source, at, NO_LOSS, text, remarks=remarks)


def _question(plan: Plan, direction: Direction, target: SiteId, loss: Loss) -> Text:
    """What the person says yes to: the loss stands in it, before anything is done."""
    if direction.planned:
        return say("{plan} stops, and goes on at {site}; nothing is lost", plan=plan.title, site=plan.called(target))
    return say("{plan} starts at {site} by force: {loss}", plan=plan.title, site=plan.called(target), loss=loss.text)


def _remarks(
    plan: Plan, direction: Direction, seen: Seen, source: SiteId, history: History, now: datetime
) -> tuple[Text, ...]:
    found = list(_announced(plan, seen))
    if not seen.clock:
        found.append(say("it is not certain what time it is, so the times in the report may be wrong"))
    sighted = seen.site(source)
    if direction.planned and sighted.down:
        names = called(sighted.down, plan.titles)
        found.append(say("{site} is seen down by {names}", site=plan.called(source), names=names))
    if not direction.planned and sighted.sight in (Sight.UP, Sight.SPLIT):
        names = called(sighted.up, plan.titles)
        found.append(
            say("{site} is seen up by {names}: a switchover would lose nothing", site=plan.called(source), names=names)
        )
    if not direction.planned:
        over = too_much(plan, seen.group(plan.id).loss)
        found += [over] if over is not None else []
    last = max((move.ended_at for move in history if move.direction.moves and not move.vain), default=None)
    if last is not None and now < last + plan.hold_down:
        found.append(say("the last move was less than {span} ago", span=plan.hold_down))
    return tuple(found)


def _announced(plan: Plan, seen: Seen) -> tuple[Text, ...]:
    work = seen.group(plan.id).work
    return () if work is None else (say("work is announced: {name}", name=work),)
