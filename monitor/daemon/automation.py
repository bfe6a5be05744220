"""Which runbooks run now: started by an incident or a person, taken up after a restart, stopped by anybody who may."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial

from monitor.clock import Clock
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.health import Health
from monitor.core.ids import CheckId, NodeId
from monitor.core.incident import Incident, Refused
from monitor.core.text import Text, say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.beliefs import legible
from monitor.daemon.desk import KEEP, Desk
from monitor.daemon.planning import called_for, no_such_book, planned, targets_of, worked_on
from monitor.daemon.policy import Leave, Policy
from monitor.daemon.telling import simulated, told_of
from monitor.daemon.waiting import Waiting, asked_about
from monitor.daemon.whole import let_end, whole
from monitor.store import AuditEntry, Loaded, run_id, run_number
from probes.ssh import Hosts
from runbooks import decide
from runbooks.book import Book, book_from_json
from runbooks.contract import Action, Io, Progress, StepFailed, Subject
from runbooks.executor import Execution, NotJournaled, started
from runbooks.ledger import Ledger
from runbooks.run import Run, RunEvent, RunEventKind, RunId, RunState, fold, touched

log = logging.getLogger(__name__)

AGAIN = 5.0
"""Seconds before a run goes on whose journal could not be written, or which failed by itself."""
MOST_BUGS = 3
"""Times that a run is taken up again after a fault of our own."""
PATIENCE = 20.0
"""Seconds that a stop of Relève gives to the actions in hand; what is cut off then is taken up after the start."""
LOOK = 0.2
"""Seconds between two looks at whether a run is over."""
ACTIONS = 1000
"""More than any plan has: keeps the messages of two runs apart."""

Look = Callable[[CheckId], Awaitable[Verdict]]


class Automation:
    """All runs of one daemon. Nothing is begun that is not journaled first; one run at a time acts on a device."""

    def __init__(
        self, desk: Desk, clock: Clock, kept: Loaded, look: Look, ledger: Callable[[], Awaitable[Ledger]]
    ) -> None:
        """Take over what the last run of Relève left; `look` observes a check now."""
        self._desk, self._clock, self._look, self._ledger = desk, clock, look, ledger
        self.hosts = Hosts()
        self._leave = Leave(desk, clock, Policy.from_json(kept.automation))
        self.runs: dict[RunId, Run] = dict(kept.runs)
        self.progress: dict[RunId, Progress] = {}
        self._next, self._closing = kept.next_run, False
        self._waiting = Waiting()
        self.passive: Callable[[], Mapping[NodeId, str]] = dict
        self.moving: Callable[[], frozenset[NodeId]] = frozenset
        self.stands_by: Callable[[str], Text | None] = lambda recordings: None
        self._executions: dict[RunId, Execution] = {}
        self._tasks: dict[RunId, asyncio.Task[None]] = {}
        self._starting, self._recording, self._answering = asyncio.Lock(), asyncio.Lock(), asyncio.Lock()

    async def record(self, event: RunEvent) -> Run:
        """Return the run after `event`, which is on disk by then; one that is over as it is. Raises NotJournaled."""
        journal = self._desk.journal
        async with self._recording:
            before = self.runs[event.run]
            run = fold(before, event)
            if run is None or before.state.over:
                return before
            if event.kind is RunEventKind.INTENT and journal.trouble is not None:
                await journal.retry()
                if journal.trouble is not None:
                    raise NotJournaled(journal.trouble)
            await self._desk.note_run(event, told_of(event, run))
            self.runs[run.id] = run
        if event.kind is RunEventKind.OUTCOME:
            self.progress.pop(run.id, None)
        if event.kind is RunEventKind.INTENT and journal.trouble is not None:
            why = journal.trouble
            nothing = say("it could not be written down, so it was not begun")
            await self.record(replace(event, kind=RunEventKind.VOID, text=nothing, data={}))
            raise NotJournaled(why)
        words = self._desk.letters.own_words(event.text)
        log.info("run", extra={"event": f"run_{event.kind.value}", "run": run.id, "what": words})
        return run

    @property
    def policy(self) -> Policy:
        """What people allow the automation."""
        return self._leave.policy

    def armed(self, run: Run) -> bool:
        """Return whether `run` may interrupt what still works without asking."""
        return self.policy.armed_for(run.runbook, self._clock.now())

    def halted(self, run: Run | None = None) -> bool:
        """Return whether a person stopped the automation, or Relève may not act by itself any more, as in `run`."""
        by_itself = run is not None and run.started_by == RELEVE
        in_the_way = run is not None and bool(run.targets & self.moving())  # of a group that moves: its plan decides
        return self.policy.halted_by != "" or in_the_way or (by_itself and not self._desk.inventory.automation.live)

    def well(self, check: CheckId, since: datetime) -> bool:
        """Return whether `check` was seen OK, and is believed OK, after `since`.

        Of a clock that was set back, `since` lies ahead: then what is believed now counts.
        """
        health = self._healths.get(check)
        if health is None or {health.confirmed, health.latest} != {Severity.OK}:
            return False
        return health.seen_at > since or since > self._clock.now()

    def over(self, run: Run, book: Book) -> Text | None:
        """Return why the budgets allow `run` no further attempt; None while they do."""
        return decide.spent(book, run.node, run.targets, self._footing(), self._clock.now())

    def work(self, run: Run) -> Text | None:
        """Return the announced work that `run` must not disturb; None for what a person began, who knows of it."""
        return decide.work_on(run.targets, self._footing()) if run.started_by == RELEVE else None

    @property
    def _healths(self) -> Mapping[CheckId, Health]:
        return self._desk.state.healths

    def _footing(self) -> decide.Footing:
        return decide.Footing(
            topology=self._desk.plan.topology,
            healths=self._healths,
            tried=decide.attempts(self.runs.values()),
            busy=self.busy,
            per_device=self._desk.inventory.automation.per_device,
            halted=self.halted(),
            passive=self.passive(),
            worked_on=worked_on(self._desk.state.windows, self._desk.plan.topology, self._clock.now()),
        )

    @property
    def busy(self) -> frozenset[NodeId]:
        """The devices on which no other run may act now; what a move of a group acts on is among them."""
        return touched(run for run in self.runs.values() if not run.state.over) | self.moving()

    @property
    def acted_on(self) -> frozenset[NodeId]:
        """The devices on which a run acts now; one that waits for a person, perhaps for days, does not."""
        return touched(run for run in self.runs.values() if run.state is RunState.RUNNING)

    def resume(self) -> None:
        """Take up every run that the last run of Relève left unfinished."""
        for run in tuple(self.runs.values()):
            if not run.state.over:
                self._begin(run)

    async def tick(self) -> None:
        """Start what the incidents call for, and forget the runs that no budget counts any more."""
        for incident in tuple(self._desk.state.incidents.values()):
            book = called_for(incident, self._desk.inventory, self._healths, self.runs.values())
            if book is not None:
                await self._consider_or_call(incident, book)
        now, incidents = self._clock.now(), self._desk.state.incidents
        going = {name for name, incident in incidents.items() if incident.open}
        self._waiting.keep(going)
        # An incident that goes on has had its run, however long ago.
        self.runs = {
            name: run
            for name, run in self.runs.items()
            if run.ended_at is None or now - run.ended_at <= KEEP or run.incident in going
        }

    async def _consider_or_call(self, incident: Incident, book: Book) -> None:
        """A fault of our own about one incident keeps no other from being repaired, and the archive from being kept."""
        try:
            await self._consider(incident, book)
        except Exception:
            log.exception("a run cannot be begun", extra={"event": "run_not_begun", "incident": incident.id})
            await self._call(incident, say("Relève itself failed; its log has the details"))

    async def _consider(self, incident: Incident, book: Book) -> None:
        """Start `book` for `incident` if nothing stands against it; where only a person can help, call one."""
        assert incident.check is not None
        try:
            subject = self._subject(incident.check)
            plan = book.plan(subject)
        except (StepFailed, Refused) as error:
            await self._call(incident, say("{runbook} can do nothing here: {why}", runbook=book.name, why=error.text))
            return
        live = self._desk.inventory.automation.live
        if live:
            targets = targets_of(subject, plan)
            answer = decide.may_start(book, incident.check, targets, self._footing(), self._clock.now())
            if isinstance(answer, decide.Hold):
                if answer.why is decide.Why.SPENT:
                    await self._call(incident, answer.text)
                elif self._waiting.worth_saying(incident.id, answer, self._clock.now()):
                    text = say("{runbook} waits: {why}", runbook=book.name, why=answer.text)
                    await self._desk.note_run(
                        None, (Event(incident.id, self._clock.now(), EventKind.NOTE, RELEVE, text),)
                    )
                return
        with suppress(Refused):
            await whole(self._start(book, subject, plan, incident, RELEVE, live=live))

    async def _call(self, incident: Incident, text: Text) -> None:
        event = Event(incident.id, self._clock.now(), EventKind.CALLED, RELEVE, text)
        await self._desk.note_run(None, (event,))

    def planned(self, name: str, subject: str) -> tuple[Book, Subject, tuple[Action, ...]]:
        """Return the dry run of the runbook `name` about the check `subject`. Raises Refused."""
        return planned(self._desk.inventory.books, self._subject(CheckId(subject)), name)

    async def start(self, name: str, subject: str, actor: str) -> Run:
        """Start the runbook `name` about the check `subject` for a person. Raises Refused, with the reason."""
        book, about, plan = self.planned(name, subject)
        targets = targets_of(about, plan)
        answer = decide.may_start(book, about.check, targets, self._footing(), self._clock.now())
        if isinstance(answer, decide.Hold) and answer.why not in (decide.Why.SPENT, decide.Why.RESTING):
            raise Refused(say("{runbook} cannot start: {why}", runbook=name, why=answer.text))
        going = (one for one in self._desk.state.incidents.values() if one.open and one.check == about.check)
        incident = next(going, None)
        return await whole(self._start(book, about, plan, incident, actor, live=True))

    async def answer(self, name: str, actor: str, words: str, *, yes: bool) -> Run:
        """Take a person's answer to the run `name`, or to the only run of that runbook that waits. Raises Refused."""
        return await whole(self._answer(name, actor, words, yes=yes))

    async def _answer(self, name: str, actor: str, words: str, *, yes: bool) -> Run:
        async with self._answering:  # of two people who answer at once, the second is told that nothing waits any more
            return await self._answered(name, actor, words, yes=yes)

    async def _answered(self, name: str, actor: str, words: str, *, yes: bool) -> Run:
        execution = self._executions[asked_about(self.runs.values(), name, self._executions)]
        entry = AuditEntry(actor, "approve" if yes else "refuse", {"run": execution.run.id})
        await self._desk.note_run(None, (), (entry,))
        try:
            await execution.answer(yes=yes, actor=actor, words=legible(words))
        except LookupError as error:  # it ended meanwhile: the check is OK, or somebody stopped the automation
            raise Refused(say("no run waits for an answer")) from error
        return execution.run

    async def stop(self, actor: str) -> None:
        """Start nothing any more, and end what runs before its next action. Raises Refused if a restart forgets it."""
        await self._leave.stop(actor)

    async def arm(self, actor: str, runbook: str = "", until: datetime | None = None) -> None:
        """End the emergency stop; with `runbook`, let it interrupt what still works without asking, `until` then.

        Raises Refused when there is no such runbook, when that cannot be written down, and when somebody stops anew.
        """
        if runbook and runbook not in self._desk.inventory.books:
            raise Refused(no_such_book(runbook, self._desk.inventory.books))
        await self._leave.arm(actor, runbook, until)

    def _subject(self, check: CheckId) -> Subject:
        site = self._desk.inventory.actionable
        if check not in site.checks:
            raise Refused(say("the inventory has no check {check}", check=check))
        return Subject(check, site)

    async def _start(
        self,
        book: Book,
        subject: Subject,
        plan: tuple[Action, ...],
        incident: Incident | None,
        actor: str,
        *,
        live: bool,
    ) -> Run:
        async with self._starting:
            targets = targets_of(subject, plan)
            if live and self.busy & targets:  # what began since the question was asked
                raise Refused(say("another run acts on {device}", device=min(self.busy & targets)))
            now = self._clock.now()
            name, self._next = run_id(self._next, now), self._next + 1
            about = incident.id if incident else None
            event = started(name, book, subject, plan, incident=about, actor=actor, live=live, at=now)
            run = fold(None, event)
            assert run is not None
            entry = AuditEntry(
                actor, "run", {"run": name, "runbook": book.name, "subject": subject.check, "live": live}
            )
            await self._desk.note_run(event, told_of(event, run), (entry,))
            self.runs[name] = run
        if not live:
            text = simulated(book.name, subject.check, tuple(action.said for action in plan))
            data = {"state": RunState.SIMULATED.value}
            return await self.record(RunEvent(name, now, RunEventKind.ENDED, RELEVE, text, None, data))
        self._begin(run)
        return run

    def _begin(self, run: Run) -> None:
        if self._closing:
            return  # it is on disk, and is taken up after the start
        try:
            book, subject = book_from_json(run.book), self._subject(run.subject)
        except Refused as error:
            work = self._give_up(run, error.text)
        except Exception:
            log.exception("a run cannot be taken up", extra={"event": "run_lost", "run": run.id})
            work = self._give_up(run, say("this version of Relève cannot go on with it"))
        else:
            execution = Execution(run, book, subject, self, self.io, self._clock)
            self._executions[run.id] = execution
            work = self._to_its_end(execution)
        task = asyncio.create_task(work, name=f"run {run.id}")
        self._tasks[run.id] = task
        task.add_done_callback(lambda _: self._forget(run.id))

    def _forget(self, name: RunId) -> None:
        self._executions.pop(name, None)
        self._tasks.pop(name, None)
        self.progress.pop(name, None)

    async def _to_its_end(self, execution: Execution) -> None:
        bugs = 0
        while not execution.run.state.over and not execution.leaving:
            try:
                await execution.carry_out()
            except NotJournaled as error:
                execution.run = self.runs[execution.run.id]
                log.warning(
                    "a run waits for its journal",
                    extra={"event": "run_not_journaled", "run": execution.run.id, "why": str(error)},
                )
                await execution.pause(AGAIN)
            except Exception:
                bugs += 1
                execution.run = self.runs[execution.run.id]
                log.exception("a run failed by itself", extra={"event": "run_bug", "run": execution.run.id})
                if bugs >= MOST_BUGS:
                    await self._give_up(execution.run, say("Relève itself failed; its log has the details"))
                    return
                await execution.pause(AGAIN)

    async def _give_up(self, run: Run, why: Text) -> None:
        failed = {"state": RunState.FAILED.value}
        await self.record(RunEvent(run.id, self._clock.now(), RunEventKind.ENDED, RELEVE, why, None, failed))

    def io(self, run: Run | None = None, n: int = 0) -> Io:
        """Return what action `n` of `run` may touch; without a run, what the archiving on its schedule may."""

        def note(progress: Progress) -> None:
            if run is not None:
                self.progress[run.id] = progress

        return Io(
            clock=self._clock,
            hosts=self.hosts,
            look=self._look,
            tell=partial(self._tell, run, n),
            progress=note,
            halted=partial(self.halted, run),
            ledger=self._ledger,
            stands_by=self.stands_by,
            errand="" if run is None else f"{run.id} {run.started_at.isoformat()} {run.attempt} {n}",
        )

    async def _tell(self, run: Run | None, n: int, to: tuple[str, ...], text: Text) -> bool:
        """Put a message of a run into its incident's log, from which the outbox takes it; once, however often."""
        incident = self._desk.state.incidents.get(run.incident) if run and run.incident else None
        if run is None or incident is None:
            return False
        number = (run_number(run.id) or 0) * ACTIONS + n
        if not any(call.n == number and not call.person for call in incident.calls):
            event = Event(incident.id, self._clock.now(), EventKind.MESSAGE, RELEVE, text, run=run.id, to=to, n=number)
            await self._desk.note_run(None, (event,))
        return True

    def swap(self) -> None:
        """Let the runs in hand refer to the inventory as it is now."""
        for execution in self._executions.values():
            execution.subject = Subject(execution.run.subject, self._desk.inventory.actionable)

    async def finished_or_waiting(self, name: RunId) -> Run:
        """Return the run `name` once it is over, or waits for a person."""
        while self.runs[name].state is RunState.RUNNING:
            if (task := self._tasks.get(name)) is None:
                return self.runs[name]
            await asyncio.wait([task], timeout=LOOK)
        return self.runs[name]

    async def close(self) -> None:
        """Let actions in hand end, begin none, and let go of the hosts."""
        self._closing = True
        for execution in self._executions.values():
            execution.leave()
        await let_end(tuple(self._tasks.values()), PATIENCE)
        await self.hosts.close()
