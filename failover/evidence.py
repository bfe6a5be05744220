"""What a move's own journal, and the looks since, say of the fences of the old site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from failover.fences import Evidence, Steps
from failover.model import Guarded, Plan
from failover.phases import Phase
from failover.run import Move, MoveEventKind
from failover.vantage import Look, View
from runbooks.run import NOTHING, ActionRecord, ActionState

TAKES_HOLD = timedelta(seconds=30)
"""How long an isolation may take to show: a router withdraws a route, or ends the sessions that it refuses by now."""


def gathered(
    move: Move, plan: Plan, looks: Iterable[Look], stopped: Mapping[int, int], now: datetime
) -> Mapping[int, Evidence]:
    """Return what is known of each fence of the old site, by its number among `plan.fences_of(move.source)`.

    `looks`: at the old site, by vantage points that do not stand there. `stopped`: by fence, the token up to which the
    guard's record says that all is stopped. A look counts when it was taken after the last step of the isolation; one
    that found the site up no longer does after a person's yes, who may have mended that.
    """
    answered = max((at for n, at in move.answers), default=move.started_at)
    taken = [look for look in looks if look.site == move.source and look.at <= now]
    found = dict[int, Evidence]()
    for n, fence in enumerate(plan.fences_of(move.source)):
        if isinstance(fence, Guarded):
            found[n] = Evidence(stopped=stopped.get(n))
            continue
        tasks = [i for i in move.of(Phase.FENCE) if move.tasks[i].fence == n]
        records = [move.records[i] for i in tasks]
        steps = _steps(records)
        done = max((one.ended_at for one in records if one.ended_at is not None), default=move.started_at)
        failed = next((one.text for one in records if one.state is ActionState.FAILED), NOTHING)
        after = [look for look in taken if look.at > done]
        seen = _seen(after, max(done, answered), now) if steps is Steps.DONE else View.UNKNOWN
        acknowledged = _acknowledged(move, tasks) if steps is Steps.DONE else None
        found[n] = Evidence(steps, failed, seen, bool(after), acknowledged)
    return found


def _steps(records: list[ActionRecord]) -> Steps:
    states = {record.state for record in records}
    if ActionState.FAILED in states:
        return Steps.FAILED
    if ActionState.UNKNOWN in states:
        return Steps.UNKNOWN
    return Steps.DONE if states == {ActionState.DONE} else Steps.TODO


def _seen(looks: list[Look], since: datetime, now: datetime) -> View:
    """What the looks at an isolated site say together: the latest of each, and one that sees it up outweighs all.

    `since`: when the isolation, or what a person mended of it, may begin to show.
    """
    latest: dict[str, Look] = {}
    for look in sorted(looks, key=lambda look: look.at):
        latest[look.by] = look
    views = {look.view for look in latest.values()}
    if View.UP in views:
        mended = all(look.at <= since for look in latest.values() if look.view is View.UP)
        return View.UNKNOWN if mended or now - since <= TAKES_HOLD else View.UP
    return View.DOWN if View.DOWN in views else View.UNKNOWN


def _acknowledged(move: Move, tasks: list[int]) -> int | None:
    """The lowest token that a step of the fence carried when it was done: a fence is as old as its oldest part."""
    carried = dict[int, int]()
    for event in move.log:
        if event.kind is MoveEventKind.INTENT and event.task is not None:
            carried[event.task] = event.data["token"]
    return min((carried[n] for n in tasks if n in carried), default=None)
