"""Whether a group moves by itself: pure, total, and with a reason that a person understands.

`decide` is asked again and again, and `Act` means: now. Nothing of what it is given is repaired or guessed; what is not
known counts as what stands against it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from failover.ground import Act, Group, History, Hold, LeaseSeen, Seen, Why, due_at, runs_at
from failover.loss import Loss
from failover.model import Mode, Plan, SiteId, Start
from failover.phases import Direction
from failover.unled import known_idle, stands_unled
from failover.vantage import Sight, Sighted, called
from monitor.core.events import RELEVE
from monitor.core.text import Text, say

DAY = timedelta(days=1)
AGAIN = timedelta(seconds=10)
"""From a first try that ended before anything was done to the next, twice as long each time: about a dozen a day."""
DOUBLED = 13
"""Times: from ten seconds to 23 h, which is as good as a day."""
DRILL = Direction.DRILL
RUNS = Hold(
    Why.RUNS,
    say("its site is seen up, and nothing has to move"),
    say("the loss of the site, seen from two vantage points; or a person: `releve failover run`"),
)


class _Case(NamedTuple):
    """All that one decision is about; the group runs at `source`. A tuple, because it is made for every group anew."""

    plan: Plan
    seen: Seen
    group: Group
    lease: LeaseSeen
    history: History
    now: datetime
    source: SiteId
    target: SiteId
    due: datetime | None


def decide(plan: Plan, seen: Seen, lease: LeaseSeen, history: History, now: datetime) -> Hold | Act:
    """Return whether the group of `plan` moves at `now`, away from a site that is lost or does not work for too long.

    Hold(LEASE) is the last reason: whoever gets it may take the lease, and asks again. What a person may do
    beyond that, `by_hand.may_start` says.
    """
    group = seen.group(plan.id)
    source = runs_at(plan, history)
    waits = group.incident is not None and plan.start is Start.BY
    if source is not None and not waits and group.moving is None and seen.site(source).sight is Sight.UP:
        return HALTED if seen.halted else RUNS
    if group.moving is not None:
        return moving(group.moving)
    if seen.halted:
        return HALTED
    if source is None:
        return nowhere(plan)
    due = due_at(plan, group.incident, history) if waits and group.incident is not None else None
    case = _Case(plan, seen, group, lease, history, now, source, plan.other(source), due)
    return _not_now(case) or _not_there(case) or _not_again(case) or unleased(lease) or _act(case)


def moving(move: str) -> Hold:
    """Return why nothing begins while `move` is under way."""
    return Hold(
        Why.MOVING,
        say("the move {move} is under way", move=move),
        say("its end; `releve failover status` shows what it does, and what it asks"),
    )


HALTED = Hold(
    Why.HALTED, say("a person has stopped the automation"), say("`releve automation arm`, which lets it go on")
)


def nowhere(plan: Plan) -> Hold:
    """Return why a group that runs nowhere, as far as anybody knows, is not moved."""
    return Hold(
        Why.NOWHERE,
        say("the last move did not end well: nobody knows where {plan} runs", plan=plan.title),
        say("a person who looks, and says where it is to run: `releve failover run {plan}`", plan=plan.id),
    )


def _not_now(case: _Case) -> Hold | None:
    """What stands against it in what is seen of the site, and of the time."""
    group, source = case.group, case.source
    if group.work is not None:
        return Hold(
            Why.MAINTENANCE,
            say("work is announced: {name}", name=group.work),
            say("its end: `releve maintenance end {name}`", name=group.work),
            group.work_until,
        )
    if not case.seen.clock:
        return Hold(
            Why.CLOCK,
            say("it is not certain what time it is: the clock of this machine was set, or cannot be trusted"),
            say("a time server, or a person who says that the clock is right"),
        )
    sighted = case.seen.site(source)
    unled = stands_unled(sighted)
    if sighted.sight is Sight.UP or (case.due is not None and unled):
        return _until_due(case)
    if unled:
        return None if known_idle(group) else _unled(case.plan, source)
    if sighted.sight is not Sight.LOST:
        return unsure(case.plan, source, sighted)
    if case.plan.kinds and group.incident is None:
        return Hold(
            Why.NO_INCIDENT,
            say("{site} is seen down, but no incident is open that this plan answers", site=case.plan.called(source)),
            say("an incident of the kind {kinds}, once it is confirmed", kinds=", ".join(case.plan.kinds)),
        )
    return None


def _unled(plan: Plan, site: SiteId) -> Hold:
    """Why a site stays where it is that nobody leads any more, but where the group may well work."""
    return Hold(
        Why.SPLIT,
        say(
            "the lease of {plan} at {site} has lapsed, but {site} is seen up, and nobody knows that {plan} does not "
            "work there",
            plan=plan.id,
            site=plan.called(site),
        ),
        say(
            "the Relève there; a check that sees its guard run; what verifies it there, once that fails in an incident "
            "which the plan answers; or a person: `releve failover run {plan} --forced`",
            plan=plan.id,
        ),
    )


def _until_due(case: _Case) -> Hold | None:
    """The site stands, but the service does not work: it moves when the incident is as old as the plan says."""
    if case.due is None:
        return RUNS
    if case.now >= case.due:
        return None
    return Hold(
        Why.RUNS,
        say(
            "{site} is seen up; it moves by itself when the incident lasts too long", site=case.plan.called(case.source)
        ),
        say("the age of the incident, or a person: `releve failover run {plan}`", plan=case.plan.id),
        case.due,
    )


def unsure(plan: Plan, source: SiteId, seen: Sighted) -> Hold:
    """Return why the site of `plan` is not believed to be lost, when it is not seen up either."""
    site, titles = plan.called(source), plan.titles
    if seen.sight is Sight.UNSEEN:
        return Hold(
            Why.UNSEEN,
            say("nobody can tell whether {site} is up", site=site),
            say("a vantage point that sees it; look why none does: {names}", names=called(seen.silent, titles)),
        )
    if seen.sight is Sight.LONE:
        return Hold(
            Why.LONE,
            say(
                "{site} is seen down by {names} only, which does not suffice",
                names=called(seen.down, titles),
                site=site,
            ),
            say("another vantage point that sees the same; silent: {names}", names=called(seen.silent, titles)),
        )
    return Hold(
        Why.SPLIT,
        say(
            "{site} is seen down by {down}, but up by {up}",
            down=called(seen.down, titles),
            up=called(seen.up, titles),
            site=site,
        ),
        say("the link between them, or the end of what still answers there"),
    )


def _not_there(case: _Case) -> Hold | None:
    """What stands against it where the group would run, and where it ran."""
    plan, target = case.plan, case.target
    return unready(plan, target, case.seen.site(target)) or unfenced(plan, case.source, case.group.unfenced)


def unready(plan: Plan, target: SiteId, seen: Sighted) -> Hold | None:
    """Return why nothing moves to `target`; None when it is seen up by all who see it."""
    if seen.sight is Sight.UP:
        return None
    site, by = plan.called(target), called(seen.down or seen.silent, plan.titles)
    return Hold(
        Why.TARGET,
        say("{site}, where it would run, is not seen up (by {names})", site=site, names=by),
        say("{site} itself, once it is seen up", site=site),
    )


def unfenced(plan: Plan, source: SiteId, why: Text | None) -> Hold | None:
    """Return why nothing moves away from `source` that could still have an effect; None when a fence can be proven."""
    if why is None:
        return None
    return Hold(
        Why.NOT_FENCED,
        say("{site} could not be proven isolated: {why}", site=plan.called(source), why=why),
        say("one fence of the plan that works"),
    )


def _not_again(case: _Case) -> Hold | None:
    """What stands against it in what was done before: flapping between two sites costs more than waiting.

    A move that ended before anything was done neither rests the group nor counts; the next try only waits a moment.
    """
    moves = [move for move in case.history if move.direction is not DRILL and not move.vain]
    if not moves:
        return _in_vain(case)
    rests = max([move.ended_at for move in moves]) + case.plan.hold_down
    if case.now < rests:
        return Hold(
            Why.HOLD_DOWN,
            say("the last move was less than {span} ago", span=case.plan.hold_down),
            say("the time, or a person: `releve failover run {plan}`", plan=case.plan.id),
            rests,
        )
    yesterday = case.now - DAY
    own = [move.began_at for move in moves if move.by == RELEVE and move.began_at > yesterday]
    if len(own) >= case.plan.most:
        frees = sorted(own)[-case.plan.most] + DAY if case.plan.most > 0 else None
        return Hold(
            Why.SPENT,
            say("it moved by itself within a day as often as it may ({count})", count=len(own)),
            say("the time, or a person: `releve failover run {plan}`", plan=case.plan.id),
            frees,
        )
    return _in_vain(case)


def _in_vain(case: _Case) -> Hold | None:
    """Each try that ended before anything was done doubles the wait for the next: each may have sent messages."""
    yesterday = case.now - DAY
    tries = [
        move.ended_at
        for move in case.history
        if move.vain and move.by == RELEVE and move.direction is not DRILL and move.ended_at > yesterday
    ]
    if not tries:
        return None
    again = max(tries) + AGAIN * 2 ** min(len(tries) - 1, DOUBLED)
    if case.now >= again:
        return None
    return Hold(
        Why.HOLD_DOWN,
        say("tries that ended before anything was done: {count}; the next one waits a while", count=len(tries)),
        say("the time, or a person: `releve failover run {plan}`", plan=case.plan.id),
        again,
    )


def unleased(lease: LeaseSeen) -> Hold | None:
    """Return why nothing begins without a valid belief in the lease; None while it holds for long enough."""
    if lease.suffices:
        return None
    if lease.left is not None and lease.left > timedelta(0):
        text = say("the lease ends before anything could be done")
    else:
        text = lease.why or say("this site does not hold the lease")
    return Hold(Why.LEASE, text, say("the lease, which is taken by itself once it is free and the voters agree"))


def _act(case: _Case) -> Act:
    group, target = case.group, case.target
    early = case.due is not None and case.now < case.due
    asks = _asks_for_good(case) or too_much(case.plan, group.loss)
    if asks is None and early:
        text = say("the incident is not yet as old as the plan says")
        return Act(Direction.FAILOVER, case.source, target, group.loss, text, case.due)
    return Act(Direction.FAILOVER, case.source, target, group.loss, asks)


def _asks_for_good(case: _Case) -> Text | None:
    """Why it never begins without a person, whatever the time."""
    if case.lease.mode is not Mode.QUORUM:
        return say("without three voters nobody but a person can tell a lost site from a cut link")
    if case.plan.start is Start.PERSON:
        return say("the plan says that a person decides")
    if case.plan.start is Start.BY and case.due is None:
        return say("the plan waits for an incident of a certain age, and none is open")
    return None


def too_much(plan: Plan, loss: Loss) -> Text | None:
    """Return why a person has to say yes to `loss`; None when the plan allows so much."""
    if not loss.known or loss.at_most is None:
        return say("nobody can say how much would be lost")
    if loss.at_most > plan.lag_ceiling:
        return say("more may be lost than the plan allows without a person ({span})", span=plan.lag_ceiling)
    return None
