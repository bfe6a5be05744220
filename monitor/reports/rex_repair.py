"""What was done about it: each move of a group, each run of a runbook with all its attempts, evidence and proof."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alerts.wording import SEVERITIES
from monitor.core.events import RELEVE
from monitor.core.text import Text, say
from monitor.core.verdict import Severity
from monitor.reports.document import Block, Facts, Heading, Listing, Section, Table, Tone, Words
from monitor.reports.evidence import evidence_words
from monitor.reports.milestones import is_real
from monitor.reports.pen import Pen
from monitor.reports.rex_moves import moves
from runbooks.run import Run, RunEvent, RunEventKind, RunState

MOST_RUNS = 8
MOST_STEPS = 40
"""Rows of one run: a page."""
MOST_LISTINGS = 3
"""Excerpts of what targets said, for each run."""
MOST_LINES = 10
"""Lines of one excerpt; the last ones, for there the error stands."""
STATES = {
    RunState.RUNNING: say("still at work"),
    RunState.WAITING: say("waiting for a person's answer"),
    RunState.SUCCEEDED: say("the run succeeded"),
    RunState.FAILED: say("the run failed"),
    RunState.REFUSED: say("a person refused the run"),
    RunState.STOPPED: say("the run was stopped"),
    RunState.SIMULATED: say("simulated: nothing was changed"),
}
TONES = {
    RunState.SUCCEEDED: Tone.GOOD,
    RunState.FAILED: Tone.BAD,
    RunState.REFUSED: Tone.BAD,
    RunState.STOPPED: Tone.BAD,
}
SHOWN = frozenset({RunEventKind.PROOF, RunEventKind.ASKED, RunEventKind.ANSWERED})
"""Events of a run that are a row of their own."""
ENDS = frozenset({RunEventKind.OUTCOME, RunEventKind.VOID})
"""What becomes of an intent, beside which it stands; what failed before it was begun has none."""


@dataclass(frozen=True, slots=True)
class Act:
    """One row: an `event` within an attempt, and of an action what became of it (None: nobody knows)."""

    attempt: int
    event: RunEvent
    outcome: RunEvent | None = None


def repair(pen: Pen) -> Section:
    """Return every move, then every run, the real ones before those that were only simulated."""
    runs = sorted(pen.material.runs, key=lambda run: (not is_real(run), run.started_at))
    blocks: list[Block] = [*moves(pen)]
    if not runs and blocks:
        several = len(pen.material.moves) > 1
        blocks.insert(
            0,
            pen.paragraph(
                say("What was done are the moves below; no runbook was started.")
                if several
                else say("What was done is the move below; no runbook was started.")
            ),
        )
    elif not runs:
        blocks.append(
            pen.paragraph(say("No runbook was started for this incident. What people did stands in the timeline."))
        )
    for run in runs[:MOST_RUNS]:
        blocks += _run(pen, run)
    if len(runs) > MOST_RUNS:
        more = say(
            "Runs not shown: {count}; all of them: {command}",
            count=len(runs) - MOST_RUNS,
            command="releve runbook list",
        )
        blocks.append(pen.paragraph(more))
    return Section("repair", pen.t(say("Repair")), tuple(blocks))


def _run(pen: Pen, run: Run) -> Iterator[Block]:
    yield Heading(pen.t(say("{run}: {title}", run=run.id, title=title(pen, run))))
    yield _facts(pen, run)
    acts = list(acts_of(run))
    if acts:
        yield _table(pen, run, acts)
    else:
        yield pen.paragraph(say("None of its actions was begun."))
    yield from _listings(pen, run, acts)


def title(pen: Pen, run: Run) -> str:
    """Return what the runbook is called in the reader's language, as it was when the run began."""
    titles = run.book.get("title")
    named = titles.get(pen.context.speech.language) if isinstance(titles, Mapping) else None
    return str(named or run.runbook)


def _facts(pen: Pen, run: Run) -> Facts:
    ended = pen.gap(say("not yet")) if run.ended_at is None else pen.exact(run.ended_at)
    state = STATES[run.state]
    tone = TONES.get(run.state, Tone.PLAIN)
    how = say("{state}: {text}", state=state, text=run.text) if run.text else state
    subject = say("{check} on {node}", check=run.subject, node=run.node)
    rows = (
        (say("Runbook"), pen.w(say("{runbook}, version {version}", runbook=run.runbook, version=run.version))),
        (say("About"), pen.w(subject)),
        (say("Started by"), pen.w(_starter(pen, run))),
        (say("Began"), pen.exact(run.started_at)),
        (say("Ended"), ended),
        (say("Attempts"), pen.w(_attempts(run))),
        (say("How it ended"), pen.w(how, tone)),
        (say("Proof"), _proof(pen, run)),
    )
    return Facts(pen.t(say("Run {run}", run=run.id)), tuple((pen.t(label), words) for label, words in rows))


def _starter(pen: Pen, run: Run) -> Text | str:
    who = pen.who(run.started_by)
    return say("{who}, by itself", who=who) if run.started_by == RELEVE else who


def _attempts(run: Run) -> Text:
    budget = run.book.get("budget")
    most = budget.get("attempts") if isinstance(budget, Mapping) else None
    if isinstance(most, int):
        return say("{count} of at most {most}", count=run.attempt, most=most)
    return say("{count}", count=run.attempt)


def _proof(pen: Pen, run: Run) -> Words:
    proof = run.proof
    if proof is None and not run.state.over:
        return pen.gap(say("not yet"))
    if proof is None:
        return pen.gap(say("the check was not looked at again"))
    severity = SEVERITIES.get(_severity(proof.severity), say("Unknown"))
    text = say(
        "{check}: {severity}, {text} ({at})", check=run.subject, severity=severity, text=proof.text, at=pen.at(proof.at)
    )
    return pen.w(text, Tone.GOOD if proof.ok else Tone.BAD)


def _severity(word: str) -> Severity:
    return Severity.__members__.get(word.upper(), Severity.UNKNOWN)


def acts_of(run: Run) -> Iterator[Act]:
    """Return what a run did, in order, with the number of the attempt in which it did it."""
    attempt, told = 0, set[int]()
    for n, event in enumerate(run.log):
        if event.kind is RunEventKind.ATTEMPT:
            attempt += 1
        elif event.kind is RunEventKind.INTENT:
            found = _outcome(run.log, n)
            told.add(found)
            yield Act(attempt, event, run.log[found] if found >= 0 else None)
        elif event.kind in ENDS and n not in told:
            yield Act(attempt, event, event)
        elif event.kind in SHOWN or (event.kind is RunEventKind.ENDED and event.actor != RELEVE):
            yield Act(attempt, event)


def _outcome(log: tuple[RunEvent, ...], intent: int) -> int:
    """The place of what came of an intent: the end of the same action before its next intent; -1 for none."""
    for n in range(intent + 1, len(log)):
        if log[n].action != log[intent].action:
            continue
        if log[n].kind in ENDS:
            return n
        if log[n].kind is RunEventKind.INTENT:
            return -1
    return -1


def _table(pen: Pen, run: Run, acts: list[Act]) -> Table:
    left_out = max(0, len(acts) - MOST_STEPS)
    shown = acts if not left_out else [*acts[: MOST_STEPS // 2], *acts[-(MOST_STEPS // 2) :]]
    note = pen.t(say("Steps not shown: {count}.", count=left_out)) if left_out else ""
    head = (say("Attempt"), say("What was to be done"), say("At"), say("Took"), say("Result"), say("Evidence"))
    rows = tuple(_row(pen, run, act) for act in shown)
    return Table(
        pen.t(say("Steps of the run {run}", run=run.id)),
        tuple(pen.t(text) for text in head),
        rows,
        (2, 6, 3, 3, 6, 8),
        note,
    )


def _row(pen: Pen, run: Run, act: Act) -> tuple[Words, ...]:
    event = act.event
    took = Words("–") if act.outcome in (None, event) else Words(pen.span(act.outcome.at - event.at))
    return (
        Words(str(act.attempt)),
        _what(pen, run, event),
        pen.exact(event.at),
        took,
        _result(pen, act),
        _evidence(pen, act),
    )


def _what(pen: Pen, run: Run, event: RunEvent) -> Words:
    match event.kind:
        case RunEventKind.PROOF:
            return pen.w(say("Look at {check} again", check=run.subject))
        case RunEventKind.ASKED:
            return pen.w(say("Question to a person: {text}", text=event.text))
        case RunEventKind.ANSWERED | RunEventKind.ENDED:
            return pen.w(say("Answer of {who}", who=pen.who(event.actor)))
    if event.action is not None and event.action < len(run.plan):
        return pen.w(run.plan[event.action].said)
    return pen.w(event.text)


def _result(pen: Pen, act: Act) -> Words:
    event = act.event
    match event.kind:
        case RunEventKind.PROOF:
            return pen.w(event.text, Tone.GOOD if event.data.get("ok") else Tone.BAD)
        case RunEventKind.ASKED:
            return pen.w(say("the run waits for the answer"))
        case RunEventKind.ANSWERED | RunEventKind.ENDED:
            return pen.w(event.text)
    if act.outcome is None:
        return pen.w(say("outcome not on record"), Tone.BAD)
    if act.outcome.kind is RunEventKind.VOID:
        return pen.w(say("to be done again: {text}", text=act.outcome.text))
    data = act.outcome.data
    if not data.get("ok"):
        return pen.w(say("failed: {text}", text=act.outcome.text), Tone.BAD)
    if not data.get("changed", True):
        return pen.w(say("nothing to change: {text}", text=act.outcome.text))
    return pen.w(say("done: {text}", text=act.outcome.text), Tone.GOOD)


def _evidence(pen: Pen, act: Act) -> Words:
    figures: Any = (act.outcome or act.event).data.get("evidence")
    words = evidence_words(pen, figures) if isinstance(figures, Mapping) else ""
    return Words(words) if words else Words("–")


def _listings(pen: Pen, run: Run, acts: list[Act]) -> Iterator[Listing]:
    """The end of what the targets said: of what failed first, then of the rest."""
    spoken = [act for act in acts if act.outcome is not None and str(act.outcome.data.get("output", "")).strip()]
    spoken.sort(key=lambda act: bool(act.outcome is not None and act.outcome.data.get("ok")))
    for act in spoken[:MOST_LISTINGS]:
        assert act.outcome is not None
        lines = str(act.outcome.data["output"]).strip().splitlines()
        what = _what(pen, run, act.event).text
        text = "\n".join(lines[-MOST_LINES:])
        head = say("What the target said, attempt {n}: {what}", n=act.attempt, what=what)
        yield Listing(pen.t(head), text if len(lines) <= MOST_LINES else f"…\n{text}")
