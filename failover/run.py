"""A move of a group is the fold of its events, so that a crash loses nothing that was journaled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NewType

from failover.model import DataSetId, Plan, PlanId, SiteId
from failover.phases import Direction, Phase
from failover.plan_json import plan_from_json
from failover.promise_json import promised_from_json
from failover.task import Task, task_from_json
from monitor.core.ids import CheckId, IncidentId
from monitor.core.text import Text, text_from_json
from runbooks.contract import Promised
from runbooks.run import NOTHING, ActionRecord, ActionState

MoveId = NewType("MoveId", str)
"""Short enough to dictate: `F26-0003`."""
STARTING = (Phase.PROMOTE, Phase.START)
"""Phases that start what a guard of the new site stops again when the lease lapses."""


class MoveEventKind(StrEnum):
    """What an event of a move says. The names are stored: add, do not rename."""

    STARTED = "started"
    """With the plan, frozen, the reason, and the loss that a person accepted."""
    PHASE = "phase"
    """The phase in `data` begins, and the one before it is over; with a new token where one was taken for it. `again`:
    all that was started at the new site is to be started anew."""
    INTENT = "intent"
    """The next action is about to be carried out; its before-image and the token that it carries are in `data`."""
    OUTCOME = "outcome"
    VOID = "void"
    """The intent provably came to nothing: the action may be carried out again."""
    ASKED = "asked"
    ANSWERED = "answered"
    PROOF = "proof"
    """What a check, seen now and from here, said in the present phase."""
    ENDED = "ended"


class MoveState(StrEnum):
    """Where a move stands. The names are stored: add, do not rename."""

    RUNNING = "running"
    WAITING = "waiting"
    """For a person's answer."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUSED = "refused"
    """A person said no to what it asked."""
    STOPPED = "stopped"
    LEASE_LOST = "lease lost"
    """Relève may not act for the group any more: whoever holds the lease now decides."""

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it."""
        return self not in (MoveState.RUNNING, MoveState.WAITING)


@dataclass(frozen=True, slots=True)
class MoveEvent:
    """One line of a move's journal. `task`: number of the task in the move, from 0; `data` is JSON-ready."""

    move: MoveId
    at: datetime
    kind: MoveEventKind
    actor: str
    text: Text
    task: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DataProof:
    """A data set of the plan as the move keeps it: how much may be lost, and the checks that measure its copy.

    `promised`: that nothing of it is lost with the old site, as the voters had it once the lease was ours.
    """

    id: DataSetId
    rpo: timedelta
    checks: tuple[CheckId, ...]
    promised: Promised | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a check said in `phase`. `lag`: how far the copy was behind, for a check of a data set that measures it."""

    check: CheckId
    phase: Phase
    ok: bool
    severity: str
    text: Text
    at: datetime
    lag: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """When a phase began, and when it was over; None while it goes on."""

    phase: Phase
    began: datetime
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked, of one task or of the move as a whole (`task` None)."""

    text: Text
    task: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Move:
    """The present state of one move.

    `source`: where the group ran, `target`: where it is to run; of a drill, where the standby is brought up. `frozen`:
    the plan as it was at the beginning (JSON-ready). `since`: from when the service counts as lost. `loss`: what may be
    lost, as it was stated and accepted; None where nothing may be. `lost`: the old site was gone when that was stated.
    `failed_at`: when the present phase failed. `token`: that of the latest intent, or of the beginning; `before`: the
    highest that whoever ran the group before may hold, None if nobody knows.
    `spans`: the phases so far, in order. `rto`, `rpo`: reached, once it has ended well.
    `answers`: every yes of a person, with the task that it was about.
    """

    id: MoveId
    plan: PlanId
    direction: Direction
    source: SiteId
    target: SiteId
    frozen: Mapping[str, Any]
    tasks: tuple[Task, ...]
    data: tuple[DataProof, ...]
    started_by: str
    started_at: datetime
    since: datetime
    reason: Text
    loss: timedelta | None = None
    lost: bool = False
    incident: IncidentId | None = None
    state: MoveState = MoveState.RUNNING
    records: tuple[ActionRecord, ...] = ()
    spans: tuple[Span, ...] = ()
    seen: tuple[Seen, ...] = ()
    question: Question | None = None
    answers: tuple[tuple[int | None, datetime], ...] = ()
    failed_at: datetime | None = None
    token: int | None = None
    before: int | None = None
    ended_at: datetime | None = None
    text: Text = NOTHING
    rto: timedelta | None = None
    rpo: timedelta | None = None
    log: tuple[MoveEvent, ...] = ()

    @property
    def phase(self) -> Phase | None:
        """The present phase, or the last; None before the first."""
        return self.spans[-1].phase if self.spans else None

    def thawed(self) -> Plan:
        """Return the plan as it was at the beginning. Raises like `plan_from_json`."""
        return plan_from_json(self.frozen)

    def of(self, phase: Phase) -> tuple[int, ...]:
        """Return the numbers of the tasks of `phase`, in order."""
        return tuple(n for n, task in enumerate(self.tasks) if task.phase is phase)

    def span(self, phase: Phase) -> Span | None:
        """Return when `phase` began and ended the last time; None where it has not begun."""
        return next((span for span in reversed(self.spans) if span.phase is phase), None)

    def touched(self, phase: Phase) -> bool:
        """Return whether an action of `phase` was begun, and did not provably come to nothing."""
        return any(self.records[n].state is not ActionState.PENDING for n in self.of(phase))

    def done(self, phase: Phase) -> bool:
        """Return whether every action of `phase` was carried out."""
        return all(self.records[n].state is ActionState.DONE for n in self.of(phase))

    @property
    def title(self) -> str:
        """What people called the group when the move began."""
        return str(self.frozen.get("title") or self.plan)

    def called(self, site: SiteId) -> str:
        """Return what people called `site` when the move began."""
        return str(self.frozen.get("titles", {}).get(site, site))

    @property
    def had_effect(self) -> bool:
        """Whether anything was done or asked of a site: an action was begun that did not provably come to nothing, or
        the old site was to be isolated, which its guard hears."""
        kinds = [event.kind for event in self.log]
        begun = kinds.count(MoveEventKind.INTENT) > kinds.count(MoveEventKind.VOID)
        return begun or self.span(Phase.FENCE) is not None

    @property
    def runs_at(self) -> SiteId | None:
        """Where the group runs now as far as this move knows; None for nowhere, or nobody can tell."""
        if not self.direction.moves:
            return self.source
        if self.state is MoveState.SUCCEEDED:
            return self.target
        if self.phase in (Phase.VERIFY, Phase.REPORT) and self.state is not MoveState.LEASE_LOST:
            return self.target  # all of it was started and switched, whatever its checks say
        back = self.span(Phase.BACK)
        if back is not None:
            return self.source if self.done(Phase.BACK) else None
        left = self.touched(Phase.STOP) or self.span(Phase.FENCE) is not None
        return None if left else self.source


def fold(move: Move | None, event: MoveEvent) -> Move | None:
    """Return `move` after `event`. Only STARTED makes a move out of None; anything else is left out.

    A move that is over is moved by nothing any more.
    """
    if move is None:
        return _started(event) if event.kind is MoveEventKind.STARTED else None
    return replace(move if move.state.over else _applied(move, event), log=(*move.log, event))


def replay(events: Iterable[MoveEvent]) -> dict[MoveId, Move]:
    """Return every move that `events` (oldest first) tell of, by id."""
    moves: dict[MoveId, Move] = {}
    for event in events:
        after = fold(moves.get(event.move), event)
        if after is not None:
            moves[event.move] = after
    return moves


def _started(event: MoveEvent) -> Move:
    data = event.data
    incident = data["incident"]
    tasks = tuple(task_from_json(task) for task in data["tasks"])
    return Move(
        id=event.move,
        plan=PlanId(data["plan"]["id"]),
        direction=Direction(data["direction"]),
        source=SiteId(data["source"]),
        target=SiteId(data["target"]),
        frozen=data["plan"],
        tasks=tasks,
        data=tuple(
            DataProof(
                DataSetId(one["id"]),
                timedelta(seconds=one["rpo"]),
                tuple(CheckId(c) for c in one["checks"]),
                promised_from_json(one.get("promised")),
            )
            for one in data["data"]
        ),
        started_by=event.actor,
        started_at=event.at,
        since=datetime.fromisoformat(data["since"]),
        reason=text_from_json(data["reason"]),
        loss=_span_of(data["loss"]),
        lost=data.get("lost", False),
        incident=None if incident is None else IncidentId(incident),
        token=data.get("token"),
        before=data.get("before"),
        records=tuple(ActionRecord() for _ in tasks),
        log=(event,),
    )


def _applied(move: Move, event: MoveEvent) -> Move:
    kind, data = event.kind, event.data
    match kind:
        case MoveEventKind.PHASE:
            over = tuple(replace(span, ended=span.ended or event.at) for span in move.spans)
            spans = (*over, Span(Phase(data["phase"]), event.at))
            records = _again(move) if data.get("again") else move.records
            return replace(move, spans=spans, records=records, failed_at=None, token=data.get("token", move.token))
        case MoveEventKind.PROOF:
            phase = Phase(data["phase"])
            lag = _span_of(data["lag"])
            seen = Seen(CheckId(data["check"]), phase, data["ok"], data["severity"], event.text, event.at, lag)
            return replace(
                move, seen=(*move.seen, seen), failed_at=move.failed_at if seen.ok else move.failed_at or event.at
            )
        case MoveEventKind.ASKED:
            return replace(move, state=MoveState.WAITING, question=Question(event.text, event.task, event.at))
        case MoveEventKind.ANSWERED if move.question is not None:
            return _answered(move, event)
        case MoveEventKind.ENDED:
            return _ended(move, event)
    if event.task is not None and event.task < len(move.records):
        return _task_moved(move, event, event.task)
    return move


def _again(move: Move) -> tuple[ActionRecord, ...]:
    """The records once all that was started is to be started anew."""
    pairs = zip(move.tasks, move.records, strict=True)
    return tuple(ActionRecord() if task.phase in STARTING else record for task, record in pairs)


def _answered(move: Move, event: MoveEvent) -> Move:
    assert move.question is not None
    n = move.question.task
    after = replace(
        move, question=None, state=MoveState.RUNNING, answers=(*move.answers, (n, event.at)), failed_at=None
    )
    if n is None:
        return after
    return _with(after, n, replace(move.records[n], state=ActionState.PENDING, approved_at=event.at, tries=0))


def _ended(move: Move, event: MoveEvent) -> Move:
    data = event.data
    over = tuple(replace(span, ended=span.ended or event.at) for span in move.spans)
    return replace(
        move,
        spans=over,
        state=MoveState(data["state"]),
        ended_at=event.at,
        text=event.text,
        question=None,
        rto=_span_of(data["rto"]),
        rpo=_span_of(data["rpo"]),
    )


def _task_moved(move: Move, event: MoveEvent, n: int) -> Move:
    record, data = move.records[n], event.data
    if event.kind is MoveEventKind.INTENT:
        begun = replace(
            record, state=ActionState.UNKNOWN, intent_at=event.at, before=data["before"], tries=record.tries + 1
        )
        return replace(_with(move, n, begun), token=data["token"])
    if event.kind is MoveEventKind.VOID:
        return _with(move, n, replace(record, state=ActionState.PENDING))
    if event.kind is MoveEventKind.OUTCOME:
        return _with_outcome(move, event, n)
    return move


def _with_outcome(move: Move, event: MoveEvent, n: int) -> Move:
    ok, data = event.data["ok"], event.data
    after = replace(
        move.records[n],
        state=ActionState.DONE if ok else ActionState.FAILED,
        ended_at=event.at,
        text=event.text,
        evidence=data.get("evidence", {}),
        output=data.get("output", ""),
        changed=data.get("changed", False),
        approved_at=None,
    )
    return replace(_with(move, n, after), failed_at=move.failed_at if ok else event.at)


def _with(move: Move, n: int, record: ActionRecord) -> Move:
    return replace(move, records=(*move.records[:n], record, *move.records[n + 1 :]))


def _span_of(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
