"""Moves of groups as JSON: what the commands and the API share."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from failover.ground import Act
from failover.run import Move, MoveEvent, Span
from failover.task import Task
from monitor.core.text import Speech
from monitor.daemon.moving import Prepared
from monitor.web.runs_json import planned_json, progress_json
from monitor.web.views import when
from runbooks.contract import Progress
from runbooks.run import ActionRecord


def move_json(move: Move, speech: Speech, progress: Progress | None = None) -> dict[str, Any]:
    """Return one move: its plan as tasks, what became of each, its phases with their times, and its journal.

    `titles`: what people call its two sites, by the names under which they are asked for.
    """
    question = move.question
    return {
        "id": move.id,
        "plan": move.plan,
        "title": move.title,
        "direction": move.direction.value,
        "from": move.source,
        "to": move.target,
        "titles": {site: move.called(site) for site in (move.source, move.target)},
        "incident": move.incident,
        "started_by": move.started_by,
        "started_at": when(move.started_at),
        "since": when(move.since),
        "ended_at": when(move.ended_at),
        "state": move.state.value,
        "phase": None if move.phase is None else move.phase.value,
        "text": speech.render(move.text),
        "reason": speech.render(move.reason),
        "runs_at": move.runs_at,
        "loss_s": _seconds(move.loss),
        "rto_s": _seconds(move.rto),
        "rpo_s": _seconds(move.rpo),
        "promised": {"rto_s": move.frozen.get("rto"), "rpo_s": _seconds(min((d.rpo for d in move.data), default=None))},
        "question": None
        if question is None
        else {
            "text": speech.render(question.text),
            "task": None if question.task is None else question.task + 1,
            "at": when(question.at),
        },
        "tasks": [
            _task_json(n, task, record, speech)
            for n, (task, record) in enumerate(zip(move.tasks, move.records, strict=True))
        ],
        "phases": [_span_json(span) for span in move.spans],
        "checks": [
            {
                "check": seen.check,
                "phase": seen.phase.value,
                "severity": seen.severity,
                "text": speech.render(seen.text),
                "lag_s": _seconds(seen.lag),
                "at": when(seen.at),
            }
            for seen in move.seen
        ],
        "progress": None if progress is None else progress_json(progress, speech),
        "log": [_event_json(event, speech) for event in move.log],
    }


def _task_json(n: int, task: Task, record: ActionRecord, speech: Speech) -> dict[str, Any]:
    return {
        **planned_task_json(n, task, speech),
        "state": record.state.value,
        "intent_at": when(record.intent_at),
        "ended_at": when(record.ended_at),
        "text": speech.render(record.text),
        "output": record.output,
    }


def planned_task_json(n: int, task: Task, speech: Speech) -> dict[str, Any]:
    """Return one task of a plan; `n` counts from 0, people count from 1."""
    return {**planned_json(n, task.action, speech), "phase": task.phase.value, "group": task.group, "site": task.site}


def _span_json(span: Span) -> dict[str, Any]:
    elapsed = None if span.ended is None else (span.ended - span.began).total_seconds()
    return {
        "phase": span.phase.value,
        "began_at": when(span.began),
        "ended_at": when(span.ended),
        "elapsed_ms": None if elapsed is None else round(1000 * elapsed),
    }


def _event_json(event: MoveEvent, speech: Speech) -> dict[str, Any]:
    return {
        "at": when(event.at),
        "kind": event.kind.value,
        "actor": event.actor,
        "text": speech.render(event.text),
        "action": None if event.task is None else event.task + 1,
    }


def prepared_json(prepared: Prepared, speech: Speech) -> dict[str, Any]:
    """Return the dry run of a move: whether it may begin, what may be lost, and every task in order."""
    answer, plan = prepared.answer, prepared.plan
    if not isinstance(answer, Act):
        return {
            "plan": plan.id,
            "title": plan.title,
            "may": False,
            "why": speech.render(answer.text),
            "lifted_by": speech.render(answer.lifted_by),
            "tasks": [],
        }
    loss = answer.loss
    return {
        "plan": plan.id,
        "title": plan.title,
        "may": True,
        "direction": answer.direction.value,
        "from": answer.source,
        "to": answer.target,
        "titles": {site: plan.called(site) for site in (answer.source, answer.target)},
        "at": prepared.at.isoformat(),
        "loss": {"text": speech.render(loss.text), "at_most_s": _seconds(loss.at_most), "known": loss.known},
        "remarks": [speech.render(one) for one in answer.remarks],
        "tasks": [planned_task_json(n, task, speech) for n, task in enumerate(prepared.tasks)],
    }


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
