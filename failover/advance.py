"""What a move does next: pure, and asked again after a crash it gives the same answer.

Before the old site is fenced, a failure goes back: nothing was taken from it yet. From the fence on nothing goes back
by itself: the old site may have been refused by a resource, and after the promotion its data is the older one; so a
person is asked. A drill is torn down whatever came of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from failover import again
from failover.fences import Fenced
from failover.model import Part, Plan
from failover.phases import ORDER, Direction, Phase
from failover.run import Move, MoveEventKind, MoveState
from monitor.core.ids import CheckId
from monitor.core.text import Text, say
from runbooks.run import ActionState

SIDE_BY_SIDE = frozenset({Phase.START, Phase.BACK})
"""Phases whose groups are the inventory's: what stands in one of them begins together."""
MOST_TRIES = 3
"""Times that one action is begun when each try provably came to nothing."""
LOOKED_FOR = timedelta(minutes=2)
"""For how long an isolation is looked at when nobody can tell whether it holds; then a person is asked."""
PROBED = 1.0
"""Seconds between two looks at what ought to be isolated by now."""


class Grip(StrEnum):
    """How Relève holds the lease of the group while it moves it."""

    HELD = "held"
    """The belief is valid, and nobody else held the lease since the move began, even if it is a new one by now."""
    LAPSED = "lapsed"
    """The belief is not valid, but nobody is known to have taken the lease: nothing is begun until it is."""
    LOST = "lost"
    """Somebody else holds it, or did in between: this move is not ours to go on with."""


@dataclass(frozen=True, slots=True)
class Enter:
    """Journal that `phase` begins; `again`: with all that was started, which the guard of the new site has stopped."""

    phase: Phase
    again: bool = False


@dataclass(frozen=True, slots=True)
class Carry:
    """Journal the intent of task `n` with the token, and carry it out, if the belief in the lease is still valid.

    `also`: tasks of the same group, each for itself and at the same time.
    """

    n: int
    also: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Settle:
    """Nobody knows whether task `n` was carried out: wait until `at`, then ask its step, or else a person."""

    n: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask a person: whether task `n` may be done (again), or, `n` None, whether the move may go on."""

    n: int | None
    text: Text


@dataclass(frozen=True, slots=True)
class Wait:
    """For a person's answer."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing can be done now: ask again in so many seconds of CLOCK_BOOTTIME at most. `text`: what is waited for."""

    seconds: float
    text: Text


@dataclass(frozen=True, slots=True)
class Prove:
    """Look at these checks now, and journal a PROOF of the present phase for each."""

    checks: tuple[CheckId, ...]


@dataclass(frozen=True, slots=True)
class LookBack:
    """Look at the old site from the surviving side: its isolation is claimed, and has to be seen."""


@dataclass(frozen=True, slots=True)
class End:
    """Nothing more comes of it."""

    state: MoveState
    text: Text


Next = Enter | Carry | Settle | Ask | Wait | Pause | Prove | LookBack | End


def next_move(
    move: Move,
    plan: Plan,
    now: datetime,
    *,
    grip: Grip,
    fenced: Fenced,
    token: int | None = None,
    halted: bool = False,
    gone: bool = False,
) -> Next:
    """Return what `move` does next.

    `plan`: the one frozen with it. `fenced`: what is proven of the old site now (`fences.judge`); it is asked for again
    at every phase behind FENCE, never remembered. `token`: under which something may be begun now. `halted`: a person
    stopped the automation. `gone`: a check or a device that the plan needs is in the inventory no longer.
    """
    stopped = _stopped(move, grip, halted=halted, gone=gone)
    if stopped is not None:
        return stopped
    if move.state is MoveState.WAITING:
        return Wait()
    if grip is Grip.LAPSED and move.direction.moves:
        return Pause(PROBED, say("the lease is not confirmed: nothing is begun until it is"))
    unknown = _first(move, ActionState.UNKNOWN)
    if unknown is not None:
        record = move.records[unknown]
        return Settle(unknown, (record.intent_at or now) + move.tasks[unknown].action.settle)
    phase = move.phase
    if phase is None:
        return Enter(ORDER[move.direction][0])
    if _needs_fence(move, phase) and fenced.proof is None:
        # Whatever was proven before, it does not hold any more: nothing is begun on the new site until it does.
        return Enter(Phase.FENCE)
    if token is not None and again.stopped_since(move, plan, token):
        return _again(move)
    return _in_phase(move, plan, phase, fenced, now)


def _again(move: Move) -> Enter | Ask:
    count = again.times(move)
    if count < MOST_TRIES or _allowed(move):
        return Enter(Phase.PROMOTE, again=True)
    text = say(
        "the guard at {site} has stopped {count} times what was started there, for the lease lapsed. Yes starts it "
        "again, no ends the move here. {where}",
        site=move.called(move.target),
        count=count,
        where=whereabouts(move),
    )
    return Ask(None, text)


def _stopped(move: Move, grip: Grip, *, halted: bool, gone: bool) -> End | None:
    """Why nothing more may be begun, whatever the phase."""
    if grip is Grip.LOST and move.direction.moves:
        text = say("another Relève holds the lease of {plan} by now, and decides: this move ends here", plan=move.plan)
        return End(MoveState.LEASE_LOST, text)
    if halted:
        return End(MoveState.STOPPED, say("a person stopped the automation. {where}", where=whereabouts(move)))
    if gone:
        text = say("the inventory no longer has what this plan needs. {where}", where=whereabouts(move))
        return End(MoveState.FAILED, text)
    return None


def whereabouts(move: Move) -> Text:
    """Return where the group runs now as far as `move` knows, as a sentence: whoever ends a move has to say it."""
    at = move.runs_at
    if at is None:
        return say("{plan} runs nowhere now, as far as Relève knows", plan=move.title)
    if move.touched(Phase.UP) and not move.done(Phase.DOWN):
        return say(
            "{plan} runs at {site}; what the drill brought up at {standby} is still there, and is to be torn down",
            plan=move.title,
            site=move.called(at),
            standby=move.called(move.target),
        )
    return say("{plan} runs at {site}", plan=move.title, site=move.called(at))


def _in_phase(move: Move, plan: Plan, phase: Phase, fenced: Fenced, now: datetime) -> Next:
    match phase:
        case Phase.FENCE:
            return _fence(move, fenced, now)
        case Phase.SYNC:
            return _sync(move)
        case Phase.VERIFY:
            return _verify(move, plan)
        case Phase.REPORT:
            return _ended(move)
    failed = _first(move, ActionState.FAILED, phase)
    if failed is not None:
        return _after_failure(move, phase, failed)
    return _carry(move, phase) or _after(move, phase)


def _carry(move: Move, phase: Phase) -> Next | None:
    """The first task of `phase` that is still to be done, with what begins beside it; None where none is."""
    n = _first(move, ActionState.PENDING, phase)
    if n is None:
        return None
    if phase not in SIDE_BY_SIDE:
        return _begin(move, n)
    group = move.tasks[n].group
    due = [i for i in move.of(phase) if move.tasks[i].group == group and move.records[i].state is ActionState.PENDING]
    # A person is asked first: what begins together shall not wait for one of its own.
    asked = (step for step in (_begin(move, i) for i in due) if not isinstance(step, Carry))
    return next(asked, Carry(n, tuple(due[1:])))


def _begin(move: Move, n: int) -> Next:
    task, record = move.tasks[n], move.records[n]
    if record.tries >= MOST_TRIES:
        text = say("it came to nothing {count} times: {what}. Again?", count=record.tries, what=task.action.said)
        return Ask(n, text)
    if task.action.asks and record.approved_at is None:
        return Ask(n, task.action.said)
    return Carry(n)


def _after(move: Move, phase: Phase) -> Next:
    """What follows a phase that is done."""
    if phase is Phase.BACK:
        return End(MoveState.FAILED, say("it went back: {where}", where=whereabouts(move)))
    order = ORDER[move.direction]
    after = order[order.index(phase) + 1]
    if after is Phase.SYNC and _leads(move):
        after = Phase.PROMOTE  # fenced anew after a crash: the new site leads already, and is behind nobody
    return Enter(after)


def _leads(move: Move) -> bool:
    """Whether the data of the new site may be the one that is written by now, also where all is started again."""
    promoting = move.of(Phase.PROMOTE)
    promoted = any(one.kind is MoveEventKind.OUTCOME and one.task in promoting and one.data["ok"] for one in move.log)
    return promoted or move.touched(Phase.PROMOTE)


def _after_failure(move: Move, phase: Phase, n: int) -> Next:
    task, record = move.tasks[n], move.records[n]
    if phase is Phase.STOP:
        return Enter(Phase.BACK)
    if phase is Phase.UP:
        return Enter(Phase.DOWN)
    text = say(
        "this failed: {what} ({why}). Yes does it again, no ends the move here. {where}",
        what=task.action.said,
        why=record.text,
        where=whereabouts(move),
    )
    return Ask(n, text)


def _fence(move: Move, fenced: Fenced, now: datetime) -> Next:
    """Try the fences in the order of the plan, until one of them is proven."""
    if fenced.proof is not None:
        return _after(move, Phase.FENCE)
    failed = {move.tasks[n].fence for n in move.of(Phase.FENCE) if move.records[n].state is ActionState.FAILED}
    for n in move.of(Phase.FENCE):
        if move.records[n].state is ActionState.PENDING and move.tasks[n].fence not in failed:
            return _begin(move, n)
    if fenced.look and (not fenced.blind or now - _last_tried(move, now) <= LOOKED_FOR):
        return LookBack()
    if fenced.wait is not None:
        return Pause(fenced.wait, fenced.text)
    if move.direction.planned and not move.touched(Phase.FENCE):
        return Enter(Phase.BACK)
    last = _first(move, ActionState.FAILED, Phase.FENCE)
    text = say(
        "the old site is not proven isolated: {why}. Yes tries it again, no ends the move here. {where}",
        why=fenced.text,
        where=whereabouts(move),
    )
    return Ask(last, text)


def _last_tried(move: Move, now: datetime) -> datetime:
    """When the last fence was tried, or a person said to look again."""
    ended = [move.records[n].ended_at for n in move.of(Phase.FENCE)]
    tried = [at for at in ended if at is not None]
    return max([*tried, *(at for _, at in move.answers), _began(move, Phase.FENCE) or now])


def _sync(move: Move) -> Next:
    """A planned move waits for the last change; a forced one writes down what is missing, and has said so before."""
    due = _unseen(move, tuple(dict.fromkeys(check for data in move.data for check in data.checks)), ok=False)
    if due:
        return Prove(due)
    if not move.direction.planned or _allowed(move):
        return _after(move, Phase.SYNC)
    began = _began(move, Phase.SYNC)
    latest = {seen.check: seen for seen in move.seen if seen.phase is Phase.SYNC and began and seen.at >= began}
    behind = [one for one in latest.values() if not one.ok or one.lag is None or one.lag > timedelta(0)]
    if not behind:
        return _after(move, Phase.SYNC)
    worst = behind[0]
    text = say(
        "not everything has arrived at {site}: {check}: {why}. Yes goes on without it, no ends the move here. {where}",
        site=move.called(move.target),
        check=worst.check,
        why=worst.text,
        where=whereabouts(move),
    )
    return Ask(None, text)


def _verify(move: Move, plan: Plan) -> Next:
    part = plan.parts.get(move.target, Part())
    drill = move.direction is Direction.DRILL
    checks = (part.drill.verify if part.drill is not None else ()) if drill else part.verify
    due = _unseen(move, checks, ok=True)
    if not due or (drill and move.failed_at is not None):
        return _after(move, Phase.VERIFY)
    if move.failed_at is None:
        return Prove(due)
    seen = next((one for one in reversed(move.seen) if one.check == due[0]), None)
    text = say(
        "{check} is not OK at {site}: {why}. Yes looks again, no ends the move here",
        check=due[0],
        site=move.called(move.target),
        why=seen.text if seen is not None else Text("?"),
    )
    return Ask(None, text)


def _ended(move: Move) -> Next:
    if move.direction is not Direction.DRILL:
        text = say("{plan} runs at {site}, and was seen to work there", plan=move.title, site=move.called(move.target))
        return End(MoveState.SUCCEEDED, text)
    failed = _first(move, ActionState.FAILED, Phase.UP)
    if failed is not None:
        record = move.records[failed]
        return End(MoveState.FAILED, say("the drill failed: {why}", why=record.text))
    latest = {seen.check: seen for seen in move.seen if seen.phase is Phase.VERIFY}
    bad = next((seen for seen in latest.values() if not seen.ok), None)
    if bad is not None:
        return End(MoveState.FAILED, say("the drill failed: {check}: {why}", check=bad.check, why=bad.text))
    return End(MoveState.SUCCEEDED, say("the drill was done: {site} can take over", site=move.called(move.target)))


def _needs_fence(move: Move, phase: Phase) -> bool:
    """Whether `phase` does something at the new site that only the fence of the old one makes safe."""
    return move.direction.moves and phase in (Phase.SYNC, Phase.PROMOTE, Phase.START, Phase.SWITCH)


def _first(move: Move, state: ActionState, phase: Phase | None = None) -> int | None:
    """The first task of `phase` (None: of all) in `state`."""
    return next(
        (
            n
            for n, task in enumerate(move.tasks)
            if move.records[n].state is state and (phase is None or task.phase is phase)
        ),
        None,
    )


def _began(move: Move, phase: Phase) -> datetime | None:
    """When `phase` began the last time; None where it did not yet."""
    return next((span.began for span in reversed(move.spans) if span.phase is phase), None)


def _allowed(move: Move) -> bool:
    """Whether a person said yes to going on since the present phase began."""
    return any(n is None and at >= move.spans[-1].began for n, at in move.answers)


def _unseen(move: Move, checks: tuple[CheckId, ...], *, ok: bool) -> tuple[CheckId, ...]:
    """Those of `checks` that were not seen (with `ok`: not seen OK) since the present phase began."""
    since = move.spans[-1].began
    seen = {one.check for one in move.seen if one.phase is move.phase and one.at >= since and (one.ok or not ok)}
    return tuple(check for check in checks if check not in seen)
