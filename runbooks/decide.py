"""Whether a run may start, and what it does next: pure functions that give a reason, not a bool."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.core.health import Health
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import Text, say
from monitor.core.topology import Place, Topology, standing
from monitor.core.verdict import Severity
from runbooks.book import Book, Budget
from runbooks.contract import Effect
from runbooks.run import ActionState, Run, RunEventKind, RunState

MOST_TRIES = 3
"""Times that one action is begun in one attempt when each try provably came to nothing."""
YES_LASTS = timedelta(minutes=15)
"""For how long a person's yes counts: who said it at night does not mean the service at ten in the morning."""


class Why(StrEnum):
    """Why a run does not start; all but SPENT may pass by themselves."""

    HALTED = "halted"
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    COVERED = "covered"
    RESTING = "resting"
    MAINTENANCE = "maintenance"
    SPENT = "spent"
    PASSIVE = "passive"


@dataclass(frozen=True, slots=True)
class Hold:
    """No: `why`, and the same in words."""

    why: Why
    text: Text


@dataclass(frozen=True, slots=True)
class Start:
    """Nothing stands against it."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt of a runbook about something on `node`, in the present or an earlier run, and all that it acts on."""

    runbook: str
    node: NodeId
    targets: frozenset[NodeId]
    at: datetime


@dataclass(frozen=True, slots=True)
class Footing:
    """What is believed of the site, and what has been tried: what the question "may it start" is asked of.

    `worked_on`: devices on which announced work goes on, with its name. `passive`: devices of a site that a group has
    left, with the plan of that group.
    """

    topology: Topology
    healths: Mapping[CheckId, Health]
    tried: tuple[Tried, ...]
    busy: frozenset[NodeId]
    per_device: Budget
    halted: bool = False
    worked_on: Mapping[NodeId, str] = field(default_factory=dict)
    passive: Mapping[NodeId, str] = field(default_factory=dict)


def attempts(runs: Iterable[Run]) -> tuple[Tried, ...]:
    """Return every attempt that `runs` made."""
    return tuple(
        Tried(run.runbook, run.node, run.targets, event.at)
        for run in runs
        for event in run.log
        if event.kind is RunEventKind.ATTEMPT
    )


def may_start(
    book: Book, subject: CheckId, targets: Collection[NodeId], footing: Footing, now: datetime
) -> Start | Hold:
    """Return whether a run of `book` about `subject`, which acts on `targets`, may start at `now`.

    Never while a person has stopped the automation, another run or announced work is at the same device, or the device
    is out of reach or explained by a cause upstream: what cannot be seen cannot be repaired. Attempts are counted for
    each device.
    """
    if footing.halted:
        return Hold(Why.HALTED, say("a person has stopped the automation; `releve automation arm` lets it go on"))
    left = min((device for device in targets if device in footing.passive), default=None)
    if left is not None:
        text = say(
            "{plan} runs at another site, and must not be started on {device} as well; `releve failover back {plan}` "
            "brings it back",
            plan=footing.passive[left],
            device=left,
        )
        return Hold(Why.PASSIVE, text)
    taken = sorted(footing.busy & set(targets))
    if taken:
        return Hold(Why.BUSY, say("another run acts on {device}", device=taken[0]))
    work = work_on(targets, footing)
    if work is not None:
        return Hold(Why.MAINTENANCE, work)
    health = footing.healths.get(subject)
    since = now if health is None or health.confirmed is Severity.OK else health.began_at
    covered = standing(footing.topology, footing.healths, subject, since)
    if covered.place is Place.COVERED:
        return Hold(Why.COVERED, say("the cause lies elsewhere: {check} is down", check=covered.by[0]))
    for device in sorted(targets):
        silent = _silent_gate(device, subject, footing)
        if silent is not None:
            return Hold(Why.UNREACHABLE, say("{device} cannot be reached: {check} fails", device=device, check=silent))
    node = footing.topology.where.get(subject, NodeId(""))
    over = spent(book, node, targets, footing, now)
    if over is not None:
        return Hold(Why.SPENT, over)
    last = max((one.at for one in _of(book, node, footing.tried)), default=None)
    if last is not None and now - last < book.keys.cooldown:
        wait = book.keys.cooldown - (now - last)
        return Hold(Why.RESTING, say("the last attempt was less than {span} ago", span=wait))
    return Start()


def work_on(targets: Collection[NodeId], footing: Footing) -> Text | None:
    """Return which work is announced on one of `targets`, and what ends it; None where none goes on."""
    device = min((device for device in targets if device in footing.worked_on), default=None)
    if device is None:
        return None
    return say(
        "work is announced on {device} ({name}); `releve maintenance end {name}` ends it",
        device=device,
        name=footing.worked_on[device],
    )


def _silent_gate(device: NodeId, subject: CheckId, footing: Footing) -> CheckId | None:
    """The gate of `device` that is not OK now or was never seen, the subject itself apart."""
    node = footing.topology.nodes.get(device)
    for gate in node.gates if node is not None else ():
        health = footing.healths.get(gate)
        if gate != subject and (health is None or health.latest is not Severity.OK):
            return gate
    return None


def spent(book: Book, node: NodeId, targets: Collection[NodeId], footing: Footing, now: datetime) -> Text | None:
    """Return why no further attempt about something on `node` is due, None while the budgets allow one.

    The runbook's own budget is that of `node`: two recorders that share an archive do not use up each other's.
    """
    own = _count(_of(book, node, footing.tried), book.keys.budget.within, now)
    if own >= book.keys.budget.attempts:
        return say("without lasting effect (attempts within {span}: {count})", count=own, span=book.keys.budget.within)
    for device in sorted(targets):
        all_of_them = [one for one in footing.tried if device in one.targets]
        count = _count(all_of_them, footing.per_device.within, now)
        if count >= footing.per_device.attempts:
            return say(
                "too many repairs of {device} within {span}: {count}",
                count=count,
                device=device,
                span=footing.per_device.within,
            )
    return None


def _of(book: Book, node: NodeId, tried: Iterable[Tried]) -> list[Tried]:
    return [one for one in tried if one.runbook == book.name and one.node == node]


def _count(tried: Iterable[Tried], within: timedelta, now: datetime) -> int:
    return sum(now - one.at < within for one in tried)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Begin the plan from its first action."""


@dataclass(frozen=True, slots=True)
class Carry:
    """Journal the intent of action `n`, and carry it out."""

    n: int


@dataclass(frozen=True, slots=True)
class Settle:
    """Nobody knows whether action `n` was carried out: wait until `at`, then ask the step."""

    n: int
    at: datetime


@dataclass(frozen=True, slots=True)
class AskFirst:
    """Ask a person whether action `n` may be carried out."""

    n: int
    text: Text


@dataclass(frozen=True, slots=True)
class Wait:
    """For a person's answer."""


@dataclass(frozen=True, slots=True)
class Prove:
    """Look at the subject's check: the only thing that counts as success."""


@dataclass(frozen=True, slots=True)
class Rest:
    """The attempt failed; the next one begins at `until`."""

    until: datetime


@dataclass(frozen=True, slots=True)
class End:
    """Nothing more comes of it."""

    state: RunState
    text: Text


Move = Attempt | Carry | Settle | AskFirst | Wait | Prove | Rest | End


def next_move(
    run: Run,
    book: Book,
    now: datetime,
    *,
    armed: bool,
    halted: bool,
    well: bool,
    over: Text | None,
    work: Text | None = None,
    gone: bool = False,
) -> Move:
    """Return what `run` does next; asked again after a crash, it gives the same answer.

    `armed`: what disrupts may be done without asking. `halted`: a person stopped the automation. `well`: the subject's
    check is OK by now, which ends what an incident began, and not what a person wants done all the same. `over`: why
    the budgets allow no further attempt, None while they do. `work`: the announced work that whoever is at it now is
    not to be disturbed in; it stops the run between two attempts, so that nothing is left half done. `gone`: the
    inventory no longer has the subject's check, so that nothing can prove anything any more.
    """
    well = well and run.incident is not None
    if not run.live:
        return End(RunState.SIMULATED, say("a simulation: nothing was done"))
    if gone:
        return End(RunState.FAILED, say("the inventory no longer has the check {check}", check=run.subject))
    unknown = next((n for n, one in enumerate(run.actions) if one.state is ActionState.UNKNOWN), None)
    if run.state is RunState.WAITING:
        return _waiting(halted=halted, well=well)
    if unknown is not None:
        return Settle(unknown, (run.actions[unknown].intent_at or now) + run.plan[unknown].settle)
    if halted:
        return End(RunState.STOPPED, say("a person stopped the automation"))
    if run.attempt == 0:
        return Attempt()
    if run.proof is not None and run.proof.ok:
        return End(RunState.SUCCEEDED, say("{check} is OK again", check=run.subject))
    if run.failed_at is not None:
        return _after_failure(run, book, now, run.failed_at, well=well, over=over, work=work)
    pending = next((n for n, one in enumerate(run.actions) if one.state is ActionState.PENDING), None)
    if pending is not None:
        return _carry(run, pending, now, armed=armed)
    return Prove()


def _waiting(*, halted: bool, well: bool) -> Move:
    if halted:
        return End(RunState.STOPPED, say("a person stopped the automation"))
    if well:
        return End(RunState.SUCCEEDED, say("the check is OK again, so that nobody has to answer any more"))
    return Wait()


def _carry(run: Run, n: int, now: datetime, *, armed: bool) -> Move:
    action, record = run.plan[n], run.actions[n]
    if record.approved_at is not None:
        if now - record.approved_at <= YES_LASTS:
            return Carry(n)
        return AskFirst(n, say("it was allowed, but too long ago. May it be done now: {what}?", what=action.said))
    if action.asks:
        return AskFirst(n, action.said)
    if action.effect is Effect.DISRUPTS and not armed:
        return AskFirst(n, say("may Relève do this, which interrupts what still works: {what}?", what=action.said))
    return Carry(n)


def _after_failure(
    run: Run, book: Book, now: datetime, failed_at: datetime, *, well: bool, over: Text | None, work: Text | None
) -> Move:
    if well and (run.proof is None or run.proof.at <= failed_at):
        return Prove()  # once between two attempts: what starts and dies is OK for a moment, again and again
    if run.attempt >= book.keys.budget.attempts:
        text = say("without lasting effect (attempts: {count})", count=run.attempt)
        return End(RunState.FAILED, _failed(run, text))
    if over is not None:
        return End(RunState.FAILED, _failed(run, over))
    if work is not None:
        return End(RunState.STOPPED, work)
    until = failed_at + book.keys.cooldown
    # Of a clock that was set back, the failure lies ahead: nobody waits until it is reached.
    return Rest(until) if failed_at <= now < until else Attempt()


def _failed(run: Run, text: Text) -> Text:
    """Why it ends, and what the last attempt failed for: the action that failed, else the check."""
    failed = next((one.text for one in run.actions if one.state is ActionState.FAILED), None)
    why = failed if failed is not None or run.proof is None else run.proof.text
    return say("{text}; the last failure: {why}", text=text, why=why) if why else text
