"""Carries a run out: journals each intent before it acts, and proves the effect by looking again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from monitor.clock import Clock
from monitor.core.events import RELEVE
from monitor.core.ids import CheckId
from monitor.core.text import Text, say
from monitor.core.verdict import Severity, Verdict
from runbooks import acting, decide, registry
from runbooks.acting import Became
from runbooks.book import Book
from runbooks.contract import Action, Answer, Io, Outcome, Step, StepFailed, StepParams, Subject
from runbooks.proof import until_ok
from runbooks.run import Run, RunEvent, RunEventKind, RunId, RunState, action_to_json

log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks at whether a run that waits may go on."""


class NotJournaled(Exception):
    """The journal cannot be written, so nothing is done: what is not written down cannot be taken up after a crash."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.template)
        self.text = text


class Ground(Protocol):
    """What a run stands on: its journal, and what is believed and allowed now."""

    async def record(self, event: RunEvent) -> Run:
        """Return the run after `event`, which is on disk by then. Raises NotJournaled.

        A run that is over is returned as it is: what comes too late is not written down.
        """
        ...

    def armed(self, run: Run) -> bool:
        """Return whether the run may interrupt what still works without asking."""
        ...

    def halted(self, run: Run) -> bool:
        """Return whether a person stopped the automation, or took from `run` the leave to act."""
        ...

    def well(self, check: CheckId, since: datetime) -> bool:
        """Return whether `check` was seen OK, and is believed OK, after `since`."""
        ...

    def over(self, run: Run, book: Book) -> Text | None:
        """Return why the budgets allow the run no further attempt; None while they do."""
        ...

    def work(self, run: Run) -> Text | None:
        """Return the announced work that the run must not disturb; None where there is none."""
        ...


@dataclass(slots=True)
class Execution:
    """One run in progress. `io_for` gives a step what it may touch; `answered` is set when a person has answered.

    `leaving`: Relève is about to stop, so that nothing more is begun.
    """

    run: Run
    book: Book
    subject: Subject
    ground: Ground
    io_for: Callable[[Run, int], Io]
    clock: Clock
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: bool = False

    async def carry_out(self) -> Run:
        """Go on until the run is over, or Relève leaves; return it. Raises NotJournaled.

        Cut off at any moment and begun again on what was journaled, it ends as if it had not been, or asks a person.
        """
        while not self.run.state.over and not self.leaving:
            await self._turn(self._next_move())
        return self.run

    def _next_move(self) -> decide.Move:
        run, ground = self.run, self.ground
        since = run.failed_at or (run.question.at if run.question is not None else run.started_at)
        return decide.next_move(
            run,
            self.book,
            self.clock.now(),
            armed=ground.armed(run),
            halted=ground.halted(run),
            well=ground.well(run.subject, since),
            over=ground.over(run, self.book),
            work=ground.work(run),
            gone=run.subject not in self.subject.site.checks,
        )

    async def _turn(self, move: decide.Move) -> None:
        match move:
            case decide.Attempt():
                text = say("attempt {n} of {most}", n=self.run.attempt + 1, most=self.book.keys.budget.attempts)
                await self._note(RunEventKind.ATTEMPT, text)
            case decide.Carry(n):
                await self._carry(n)
            case decide.Settle(n, at):
                await self._until_settled(at, self.run.plan[n].settle)
                if not self.leaving:
                    await self._settle(n)
            case decide.AskFirst(n, text):
                await self._note(RunEventKind.ASKED, text, n)
            case decide.Wait():
                await self.pause(LOOK)
            case decide.Prove():
                await self._prove()
            case decide.Rest(until):
                await self.pause(min(LOOK, max(0.0, (until - self.clock.now()).total_seconds())))
            case decide.End(state, text):
                await self._note(RunEventKind.ENDED, text, data={"state": state.value})

    async def _note(
        self, kind: RunEventKind, text: Text, n: int | None = None, data: Mapping[str, Any] | None = None
    ) -> None:
        event = RunEvent(self.run.id, self.clock.now(), kind, RELEVE, text, n, data or {})
        self.run = await self.ground.record(event)

    async def _carry(self, n: int) -> None:
        """Journal the intent with what is there before it, act, and journal the outcome."""
        action, io = self.run.plan[n], self.io_for(self.run, n)
        if self.run.actions[n].tries >= decide.MOST_TRIES:
            too_often = StepFailed(say("it came to nothing {count} times", count=decide.MOST_TRIES))
            await self._became(n, acting.failed(too_often))
            return
        try:
            step, params = self._step_of(action)
        except Exception as error:
            await self._became(n, acting.failed(error))
            return
        before = await acting.look_before(step, params, self.subject, io)
        if isinstance(before, Became):
            await self._became(n, before)
            return
        await self._note(RunEventKind.INTENT, action.said, n, {"before": dict(before)})
        became = await acting.act(step, params, before, self.subject, io, self.run.id)
        if became is not None:
            await self._became(n, became)

    async def _became(self, n: int, became: Became) -> None:
        await self._note(RunEventKind.OUTCOME, became.text, n, became.data)

    async def _settle(self, n: int) -> None:
        """Find out what became of an intent without outcome. Where nobody can tell, the check may; else a person."""
        action, io, record = self.run.plan[n], self.io_for(self.run, n), self.run.actions[n]
        try:
            step, params = self._step_of(action)
            run, before = self.run.id, record.before
            answer = await acting.ask_done(step, params, before, self.subject, io, run=run, n=n)
        except Exception as error:
            log.warning(
                "nobody can tell", exc_info=error, extra={"event": "run_cannot_tell", "run": self.run.id, "action": n}
            )
            answer = Answer.CANNOT_TELL
        match answer:
            case Answer.YES:
                await self._became(n, acting.done(Outcome(say("it was carried out before Relève was interrupted"))))
            case Answer.NO:
                await self._note(RunEventKind.VOID, say("it was not carried out, or may be repeated"), n)
            case Answer.CANNOT_TELL:
                await self._ask_what_became(n, action)

    async def _ask_what_became(self, n: int, action: Action) -> None:
        seen = await self._until_ok()
        if seen.severity is Severity.OK:
            await self._note(
                RunEventKind.ENDED,
                say("{check} is OK again", check=self.run.subject),
                data={"state": RunState.SUCCEEDED.value},
            )
            return
        text = say(
            "nobody can tell whether this was done: {what}. Look yourself; yes does it again, no ends the run",
            what=action.said,
        )
        await self._note(RunEventKind.ASKED, text, n)

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until a person answers, or Relève is about to stop."""
        self.answered.clear()
        try:
            async with asyncio.timeout(seconds):
                await self.answered.wait()
        except TimeoutError:
            return

    async def _prove(self) -> None:
        seen = await self._until_ok()
        data = {"ok": seen.severity is Severity.OK, "severity": seen.severity.word}
        await self._note(RunEventKind.PROOF, seen.summary, data=data)

    async def _until_ok(self) -> Verdict:
        keys, io = self.book.keys.proof, self.io_for(self.run, 0)
        try:
            return await until_ok(self.run.subject, keys.within, keys.stays, io)
        except KeyError:
            text = say("the inventory no longer has the check {check}", check=self.run.subject)
            return Verdict(Severity.UNKNOWN, text)

    async def _until_settled(self, at: datetime, most: timedelta) -> None:
        """Wait until `at`, no longer than `most` whatever the clock is set to, or until Relève is about to stop."""
        until = self.clock.boot() + min(most, at - self.clock.now()).total_seconds()
        while not self.leaving and (left := until - self.clock.boot()) > 0:
            await self.pause(min(LOOK, left))

    def _step_of(self, action: Action) -> tuple[Step[Any], StepParams]:
        """Return the step of `action` and its keys. Raises StepFailed where the plan would be another one by now.

        What was planned, and perhaps approved, for one device must not be done to another that took its name.
        """
        meant = (action.step, dict(action.params), action.target)
        if all(meant != (one.step, dict(one.params), one.target) for one in self.book.plan(self.subject)):
            raise StepFailed(
                say("the inventory has changed, and this is not in the plan any more: {what}", what=action.said)
            )
        step = registry.load(action.step)
        return step, step.Params.model_validate(dict(action.params))

    def leave(self) -> None:
        """Begin nothing more: Relève is about to stop."""
        self.leaving = True
        self.answered.set()

    async def answer(self, *, yes: bool, actor: str, words: str) -> None:
        """Take a person's answer to what the run asks. Raises LookupError when it asks nothing, or is over by now."""
        question = self.run.question
        if question is None:
            raise LookupError(self.run.id)
        if yes:
            event = RunEvent(
                self.run.id, self.clock.now(), RunEventKind.ANSWERED, actor, _said(say("yes"), words), question.action
            )
        else:
            text = _said(say("a person said no"), words)
            data = {"state": RunState.REFUSED.value}
            event = RunEvent(self.run.id, self.clock.now(), RunEventKind.ENDED, actor, text, None, data)
        self.run = await self.ground.record(event)
        if self.run.log[-1] is not event:
            raise LookupError(self.run.id)
        self.answered.set()


def _said(what: Text, words: str) -> Text:
    return say("{what}: {detail}", what=what, detail=words) if words else what


def started(
    name: RunId, book: Book, subject: Subject, plan: tuple[Action, ...], *, incident: str | None, actor: str,
    live: bool, at: datetime,
) -> RunEvent:  # fmt: skip
    """Return the event that begins a run, with the runbook and the plan as they are now."""
    starts = say("{runbook} starts (run {run})", runbook=book.name, run=name)
    text = starts if live else say("{runbook} is simulated (run {run})", runbook=book.name, run=name)
    data = {
        "runbook": book.name,
        "version": book.version,
        "book": book.as_json(),
        "subject": subject.check,
        "node": subject.own.node,
        "incident": incident,
        "plan": [action_to_json(action) for action in plan],
        "live": live,
    }
    return RunEvent(name, at, RunEventKind.STARTED, actor, text, None, data)
