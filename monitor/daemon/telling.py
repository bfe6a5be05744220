"""What an incident is told of a run: its milestones in the timeline, and when a person is needed."""

from __future__ import annotations

from monitor.core.events import Event, EventKind
from monitor.core.text import Text, say
from runbooks.run import Run, RunEvent, RunEventKind, RunState

ACTIONS_NAMED = 5
"""Of a plan that is only simulated, in one message."""


def told_of(event: RunEvent, run: Run) -> tuple[Event, ...]:
    """Return the events of the incident of `run`, which `event` has just moved; none for a run without incident."""
    if run.incident is None:
        return ()
    match event.kind:
        case RunEventKind.STARTED if run.live:
            return (_repair(event, run, event.text),)
        case RunEventKind.ATTEMPT if run.attempt > 1:
            return (_repair(event, run, event.text),)
        case RunEventKind.INTENT:
            step, count = (event.action or 0) + 1, len(run.plan)
            return (_repair(event, run, say("step {n} of {count}: {what}", n=step, count=count, what=event.text)),)
        case RunEventKind.OUTCOME:
            return _outcome(event, run)
        case RunEventKind.ASKED:
            text = say("{runbook} asks: {question}", runbook=run.runbook, question=event.text)
            return (_event(event, run, EventKind.CALLED, text, asks=True),)
        case RunEventKind.ANSWERED:
            return (_repair(event, run, event.text),)
        case RunEventKind.PROOF if not event.data["ok"]:
            text = say("{check} still fails: {why}", check=run.subject, why=event.text)
            return (_repair(event, run, text),)
        case RunEventKind.ENDED:
            return _ended(event, run)
    return ()


def _outcome(event: RunEvent, run: Run) -> tuple[Event, ...]:
    if not event.data["ok"]:
        return (_repair(event, run, say("it did not work: {why}", why=event.text)),)
    return (_repair(event, run, event.text),) if event.data.get("changed") else ()


def _ended(event: RunEvent, run: Run) -> tuple[Event, ...]:
    if run.state is RunState.SIMULATED:
        return (_event(event, run, EventKind.CALLED, event.text),)
    text = say("{runbook} is over: {how}", runbook=run.runbook, how=event.text)
    ended = _event(event, run, EventKind.REPAIR_ENDED, text)
    if run.state is not RunState.FAILED:
        return (ended,)
    text = say("Relève could not repair it with {runbook}: {why}", runbook=run.runbook, why=event.text)
    return (ended, _event(event, run, EventKind.CALLED, text))


def simulated(run_book: str, subject: str, actions: tuple[Text, ...]) -> Text:
    """Return what a dry run says: what would be done, and how to have it done."""
    text = actions[0] if actions else say("nothing")
    for action in actions[1:ACTIONS_NAMED]:
        text = say("{first}; {then}", first=text, then=action)
    more = len(actions) - ACTIONS_NAMED
    if more > 0:
        text = say("{first}; and {count} more", first=text, count=more)
    return say(
        "simulation, nothing was done. {runbook} would: {actions}. "
        "To do it: `releve runbook run {runbook} --subject {subject}`",
        runbook=run_book,
        actions=text,
        subject=subject,
    )


def _repair(event: RunEvent, run: Run, text: Text) -> Event:
    return _event(event, run, EventKind.REPAIR, text)


def _event(event: RunEvent, run: Run, kind: EventKind, text: Text, *, asks: bool = False) -> Event:
    assert run.incident is not None
    return Event(run.incident, event.at, kind, event.actor, text, run=run.id, asks=asks)
