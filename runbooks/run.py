"""A run is the fold of its events, so that a crash loses nothing that was journaled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NewType

from monitor.core.ids import CheckId, IncidentId, NodeId
from monitor.core.text import Text, text_from_json, text_to_json
from runbooks.contract import Action, Effect

NOTHING = Text("")
RunId = NewType("RunId", str)
"""Short enough to dictate: `R26-0012`."""


class RunEventKind(StrEnum):
    """What an event of a run says. The names are stored: add, do not rename."""

    STARTED = "started"
    ATTEMPT = "attempt"
    """From here on the actions of the plan are carried out from the first one."""
    INTENT = "intent"
    """The next action is about to be carried out; its before-image is in `data`."""
    OUTCOME = "outcome"
    VOID = "void"
    """The intent provably came to nothing: the action may be carried out again."""
    ASKED = "asked"
    ANSWERED = "answered"
    PROOF = "proof"
    """What the re-probe said after the actions."""
    ENDED = "ended"


class RunState(StrEnum):
    """Where a run stands. SIMULATED is a dry run; STOPPED: by a person, or for announced work."""

    RUNNING = "running"
    WAITING = "waiting"
    """For a person's answer."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUSED = "refused"
    STOPPED = "stopped"
    SIMULATED = "simulated"

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it."""
        return self not in (RunState.RUNNING, RunState.WAITING)


class ActionState(StrEnum):
    """Where one action of the present attempt stands. UNKNOWN: its intent is journaled, its outcome is not."""

    PENDING = "pending"
    UNKNOWN = "unknown"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One line of a run's journal. `action`: number of the action in the plan, from 0; `data` is JSON-ready."""

    run: RunId
    at: datetime
    kind: RunEventKind
    actor: str
    text: Text
    action: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """What is known of one action in the present attempt; `before` and `settle` are those of its intent."""

    state: ActionState = ActionState.PENDING
    intent_at: datetime | None = None
    ended_at: datetime | None = None
    before: Mapping[str, Any] = field(default_factory=dict)
    text: Text = NOTHING
    evidence: Mapping[str, Any] = field(default_factory=dict)
    output: str = ""
    changed: bool = False
    tries: int = 0
    approved_at: datetime | None = None
    """When a person said yes to it; None once it was carried out."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked: whether `action` may be carried out."""

    text: Text
    action: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Proof:
    """What the subject's check said after the actions."""

    ok: bool
    severity: str
    text: Text
    at: datetime


@dataclass(frozen=True, slots=True)
class Run:
    """The present state of one run. `book` is the runbook as it was at the beginning (JSON-ready), `plan` its actions.

    `attempt` counts from 1, 0 before the first. `failed_at`: when the present attempt failed, None while it goes on.
    """

    id: RunId
    runbook: str
    version: str
    book: Mapping[str, Any]
    subject: CheckId
    node: NodeId
    incident: IncidentId | None
    started_by: str
    started_at: datetime
    plan: tuple[Action, ...]
    live: bool = True
    state: RunState = RunState.RUNNING
    attempt: int = 0
    actions: tuple[ActionRecord, ...] = ()
    failed_at: datetime | None = None
    question: Question | None = None
    proof: Proof | None = None
    ended_at: datetime | None = None
    text: Text = NOTHING
    log: tuple[RunEvent, ...] = ()

    @property
    def targets(self) -> frozenset[NodeId]:
        """The devices that it acts on: while it runs, no other run touches them."""
        return frozenset({self.node, *(action.target for action in self.plan)})


def touched(runs: Iterable[Run]) -> frozenset[NodeId]:
    """Return every device that one of `runs` acts on."""
    return frozenset[NodeId]().union(*(run.targets for run in runs))


def fold(run: Run | None, event: RunEvent) -> Run | None:
    """Return `run` after `event`. Only STARTED makes a run out of None; anything else is left out.

    A run that is over is moved by nothing any more.
    """
    if run is None:
        return _started(event) if event.kind is RunEventKind.STARTED else None
    return replace(run if run.state.over else _applied(run, event), log=(*run.log, event))


def replay(events: Iterable[RunEvent]) -> dict[RunId, Run]:
    """Return every run that `events` (oldest first) tell of, by id."""
    runs: dict[RunId, Run] = {}
    for event in events:
        after = fold(runs.get(event.run), event)
        if after is not None:
            runs[event.run] = after
    return runs


def _started(event: RunEvent) -> Run:
    data = event.data
    incident = data["incident"]
    return Run(
        id=event.run,
        runbook=data["runbook"],
        version=data["version"],
        book=data["book"],
        subject=CheckId(data["subject"]),
        node=NodeId(data["node"]),
        incident=None if incident is None else IncidentId(incident),
        started_by=event.actor,
        started_at=event.at,
        plan=tuple(action_from_json(action) for action in data["plan"]),
        live=data["live"],
        log=(event,),
    )


def _applied(run: Run, event: RunEvent) -> Run:
    kind, data = event.kind, event.data
    if kind is RunEventKind.ATTEMPT:
        fresh = tuple(ActionRecord() for _ in run.plan)
        return replace(
            run,
            attempt=run.attempt + 1,
            actions=fresh,
            failed_at=None,
            question=None,
            state=RunState.RUNNING,
            proof=None,
        )
    if kind is RunEventKind.PROOF:
        proof = Proof(data["ok"], data["severity"], event.text, event.at)
        # A second look that fails as well does not put the next attempt off.
        return replace(run, proof=proof, failed_at=None if proof.ok else run.failed_at or event.at)
    if kind is RunEventKind.ENDED:
        return replace(run, state=RunState(data["state"]), ended_at=event.at, text=event.text, question=None)
    if event.action is not None and event.action < len(run.actions):
        return _action_moved(run, event, event.action)
    return run


def _action_moved(run: Run, event: RunEvent, n: int) -> Run:
    record, kind, data = run.actions[n], event.kind, event.data
    if kind is RunEventKind.INTENT:
        after = replace(
            record, state=ActionState.UNKNOWN, intent_at=event.at, before=data["before"], tries=record.tries + 1
        )
        return _with(run, n, after)
    if kind is RunEventKind.VOID:
        return _with(run, n, replace(record, state=ActionState.PENDING))
    if kind is RunEventKind.OUTCOME:
        return _with_outcome(run, event, n)
    if kind is RunEventKind.ASKED:
        return replace(run, state=RunState.WAITING, question=Question(event.text, n, event.at))
    if kind is RunEventKind.ANSWERED and run.question is not None:
        answered = replace(run, question=None, state=RunState.RUNNING)
        return _with(answered, n, replace(record, state=ActionState.PENDING, approved_at=event.at))
    return run


def _with_outcome(run: Run, event: RunEvent, n: int) -> Run:
    ok, data = event.data["ok"], event.data
    after = replace(
        run.actions[n],
        state=ActionState.DONE if ok else ActionState.FAILED,
        ended_at=event.at,
        text=event.text,
        evidence=data.get("evidence", {}),
        output=data.get("output", ""),
        changed=data.get("changed", False),
        approved_at=None,
    )
    return replace(_with(run, n, after), failed_at=run.failed_at if ok else event.at)


def _with(run: Run, n: int, record: ActionRecord) -> Run:
    return replace(run, actions=(*run.actions[:n], record, *run.actions[n + 1 :]))


def action_to_json(action: Action) -> dict[str, Any]:
    """Return `action` as JSON-ready data; `action_from_json` gives it back equal."""
    return {
        "step": action.step,
        "params": dict(action.params),
        "target": action.target,
        "effect": action.effect.value,
        "said": text_to_json(action.said),
        "settle": action.settle.total_seconds(),
        "asks": action.asks,
    }


def action_from_json(data: Mapping[str, Any]) -> Action:
    """Return the action that `action_to_json` wrote."""
    return Action(
        data["step"],
        data["params"],
        NodeId(data["target"]),
        Effect(data["effect"]),
        text_from_json(data["said"]),
        timedelta(seconds=data["settle"]),
        data["asks"],
    )


def event_to_json(event: RunEvent) -> dict[str, Any]:
    """Return `event` as JSON-ready data; `event_from_json` gives it back equal."""
    return {
        "run": event.run,
        "at": event.at.isoformat(),
        "kind": event.kind.value,
        "actor": event.actor,
        "text": text_to_json(event.text),
        "action": event.action,
        "data": dict(event.data),
    }


def event_from_json(data: Mapping[str, Any]) -> RunEvent:
    """Return the event that `event_to_json` wrote. Raises KeyError or ValueError if it did not."""
    return RunEvent(
        RunId(data["run"]),
        datetime.fromisoformat(data["at"]),
        RunEventKind(data["kind"]),
        data["actor"],
        text_from_json(data["text"]),
        data["action"],
        data["data"],
    )
