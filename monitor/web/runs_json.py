"""Runs of runbooks, and runbooks, as JSON: what the commands and the API share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitor.core.text import Speech
from monitor.daemon.policy import Policy
from monitor.web.views import when
from runbooks.book import Book
from runbooks.contract import Action, Progress
from runbooks.run import ActionRecord, Run, RunEvent


def run_json(run: Run, speech: Speech, progress: Progress | None = None) -> dict[str, Any]:
    """Return one run with its plan, what became of each action, and its journal."""
    title = run.book.get("title", {})
    question, proof = run.question, run.proof
    return {
        "id": run.id,
        "runbook": run.runbook,
        "title": title.get(speech.language) or run.runbook,
        "version": run.version,
        "subject": run.subject,
        "device": run.node,
        "incident": run.incident,
        "started_by": run.started_by,
        "started_at": when(run.started_at),
        "ended_at": when(run.ended_at),
        "state": run.state.value,
        "attempt": run.attempt,
        "text": speech.render(run.text),
        "actions": [
            _action_json(n, action, run.actions[n] if run.actions else ActionRecord(), speech)
            for n, action in enumerate(run.plan)
        ],
        "proof": None
        if proof is None
        else {"ok": proof.ok, "severity": proof.severity, "text": speech.render(proof.text), "at": when(proof.at)},
        "question": None
        if question is None
        else {"text": speech.render(question.text), "action": question.action + 1, "at": when(question.at)},
        "progress": None if progress is None else progress_json(progress, speech),
        "log": [_event_json(event, speech) for event in run.log],
    }


def _action_json(n: int, action: Action, record: ActionRecord, speech: Speech) -> dict[str, Any]:
    return {
        **planned_json(n, action, speech),
        "state": record.state.value,
        "intent_at": when(record.intent_at),
        "ended_at": when(record.ended_at),
        "text": speech.render(record.text),
        "changed": record.changed,
        "evidence": dict(record.evidence),
        "output": record.output,
        "tries": record.tries,
    }


def planned_json(n: int, action: Action, speech: Speech) -> dict[str, Any]:
    """Return one action of a plan; `n` counts from 0, people count from 1."""
    return {
        "n": n + 1,
        "step": action.step,
        "said": speech.render(action.said),
        "target": action.target,
        "effect": action.effect.value,
        "asks": action.asks,
    }


def progress_json(progress: Progress, speech: Speech) -> dict[str, Any]:
    """Return how far a long action is."""
    return {
        "done": progress.done,
        "total": progress.total,
        "unit": progress.unit,
        "text": speech.render(progress.text),
    }


def _event_json(event: RunEvent, speech: Speech) -> dict[str, Any]:
    return {
        "at": when(event.at),
        "kind": event.kind.value,
        "actor": event.actor,
        "text": speech.render(event.text),
        "action": None if event.action is None else event.action + 1,
    }


def book_json(book: Book, speech: Speech, kinds: Mapping[str, str]) -> dict[str, Any]:
    """Return a runbook; `kinds`: incident kind -> name of its runbook."""
    return {
        "runbook": book.name,
        "title": book.title(speech.language),
        "version": book.version,
        "kinds": sorted(kind for kind, name in kinds.items() if name == book.name),
        "body": book.as_json(),
    }


def plan_json(book: Book, subject: str, plan: tuple[Action, ...], speech: Speech) -> dict[str, Any]:
    """Return the dry run of `book` about `subject`."""
    return {
        "runbook": book.name,
        "title": book.title(speech.language),
        "version": book.version,
        "subject": subject,
        "actions": [planned_json(n, action, speech) for n, action in enumerate(plan)],
    }


def policy_json(policy: Policy, *, live: bool) -> dict[str, Any]:
    """Return what people allow the automation; `live`: the inventory lets runbooks act."""
    return {
        "live": live,
        "halted_by": policy.halted_by or None,
        "halted_at": when(policy.halted_at),
        "armed": {name: when(until) for name, until in policy.armed.items()},
    }
