"""Carries a move out: journals each intent before it acts, and acts only while it may believe in its lease."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from failover import advance
from failover.advance import Grip
from failover.again import LASTS
from failover.evidence import gathered
from failover.fences import Fenced, judge
from failover.footing import Ground
from failover.lag import lag_of
from failover.lease import May, may_act
from failover.model import Plan, SiteId
from failover.phases import Phase
from failover.reached import reached
from failover.run import Move, MoveEvent, MoveEventKind, MoveState
from failover.tasks import step_of, subject_of
from failover.words import PHASES
from monitor.clock import Clock
from monitor.core.events import RELEVE
from monitor.core.ids import CheckId
from monitor.core.text import Text, say
from monitor.core.verdict import Severity, Verdict
from runbooks import acting
from runbooks.acting import Became
from runbooks.contract import Answer, Io, Outcome, Site, StepFailed
from runbooks.proof import until_ok

LOOK = 1.0
"""Seconds between two looks at whether a move that waits may go on."""
GUARD_LOOK = 0.2
"""Seconds between two looks at what a guard says: it looks at its lease four times a second itself."""
GUARD_WITHIN = 15.0
"""Seconds within which a guard that runs has heard of the lease and says that it holds; then a person is asked."""
HELD = (*LASTS, Phase.BACK)
"""Phases in which the guard of the site has to hold for our token, or it stops what is started there."""


Seen = tuple[Verdict, timedelta | None]
"""What a check says, and how far the copy that it measures is behind."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a check has to become OK where a move looks for it, and for how long it must stay so."""

    within: timedelta = timedelta(minutes=2)
    stays: timedelta = timedelta(seconds=2)


@dataclass(slots=True)
class Execution:
    """One move in progress. `plan`: the one frozen with it; `site`: what the inventory has now.

    `io_for` gives task `n` what it may touch, with the token; `answered` is set when a person has answered. `leaving`:
    Relève is about to stop, so that nothing more is begun.
    """

    move: Move
    plan: Plan
    site: Site
    ground: Ground
    io_for: Callable[[Move, int, int | None], Io]
    clock: Clock
    patience: Patience = Patience()
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: bool = False
    unheld_since: float | None = None

    async def carry_out(self) -> Move:
        """Go on until the move is over, or Relève leaves; return it. Raises NotJournaled.

        Cut off at any moment and begun again on what was journaled, it ends as if it had not been, or asks a person.
        """
        while not self.move.state.over and not self.leaving:
            await self._turn(self._next())
        return self.move

    def _next(self) -> advance.Next:
        move, now = self.move, self.clock.now()
        return advance.next_move(
            move,
            self.plan,
            now,
            grip=self._grip(),
            fenced=self._fenced(now),
            token=self._token(),
            halted=self.ground.halted(move),
            gone=self._gone(),
        )

    def _grip(self) -> Grip:
        if self.ground.lost(self.move):
            return Grip.LOST
        if may_act(self.ground.belief(self.move), self.clock.boot()) is not May.ACT:
            return Grip.LAPSED
        return Grip.HELD

    def _fenced(self, now: datetime) -> Fenced:
        move, plan = self.move, self.plan
        known = gathered(move, plan, self.ground.looks(move), self.ground.records(move), now)
        return judge(plan.fences_of(move.source), known, self.ground.reign(move), self.clock.boot())

    def _gone(self) -> bool:
        try:
            subject_of(self.plan, self.move.target, self.site)
        except StepFailed:
            return True
        return False

    async def _turn(self, move: advance.Next) -> None:
        match move:
            case advance.Enter(phase, again):
                await self._enter(phase, again=again)
            case advance.Carry(n, also):
                task = self.move.tasks[n]
                if await self._is_held(task.phase, task.site):
                    await self._together(n, *also)
            case advance.Settle(n, at):
                await self._settle(n, at)
            case advance.Ask(n, text):
                await self._note(MoveEventKind.ASKED, text, n)
            case advance.Prove(checks):
                await self._prove(checks)
            case advance.End(state, text):
                await self._end(state, text)
            case advance.LookBack():
                await self._look_back()
            case advance.Pause(seconds):
                await self._wait(seconds)
            case _:
                await self.pause(LOOK)

    async def _enter(self, phase: Phase, *, again: bool) -> None:
        if again:
            text = say(
                "the lease lapsed, and the guard at {site} stopped what was started there: it is started again",
                site=self.move.called(self.move.target),
            )
            await self._note(MoveEventKind.PHASE, text, data={"phase": phase.value, "again": True})
        elif phase is not Phase.BACK:
            await self._note(MoveEventKind.PHASE, say(PHASES[phase]), data={"phase": phase.value})
        elif await self.ground.go_back(self.move) is not None:
            await self.pause(LOOK)
        else:
            data = {"phase": phase.value, "token": self._token()}
            await self._note(MoveEventKind.PHASE, say(PHASES[phase]), data=data)

    async def _wait(self, seconds: float) -> None:
        """Wait so long at most; while the guard of the old site has to have its time, look whether it has stopped."""
        if self.move.phase is Phase.FENCE:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):  # a site that is lost does not answer, and its time goes on
                    await self.ground.ask_guard(self.move)
            if self._fenced(self.clock.now()).proof is not None:
                return
            seconds = min(GUARD_LOOK, seconds)
        await self.pause(min(LOOK, seconds))

    async def _is_held(self, phase: Phase | None, site: SiteId) -> bool:
        """Return whether no guard would stop what runs at `site`; else wait a moment, later ask a person."""
        move, now = self.move, self.clock.boot()
        if not move.direction.moves or phase not in HELD or await self.ground.guard_holds(move, site):
            self.unheld_since = None
            return True
        self.unheld_since = now if self.unheld_since is None else self.unheld_since
        if now - self.unheld_since < GUARD_WITHIN:
            await self.pause(GUARD_LOOK)
            return False
        self.unheld_since = None
        text = say(
            "the guard at {site} does not say that it holds for this move, and would stop what is started there. See "
            "to it there (`releve guard status`). Yes looks again, no ends the move here. {where}",
            site=move.called(site),
            where=advance.whereabouts(move),
        )
        await self._note(MoveEventKind.ASKED, text)
        return False

    async def _look_back(self) -> None:
        """Look at the old site; where that proves nothing yet, it may take a moment for its isolation to show."""
        await self.ground.look_back(self.move)
        if self._fenced(self.clock.now()).proof is None:
            await self.pause(advance.PROBED)

    async def _note(
        self,
        kind: MoveEventKind,
        text: Text,
        n: int | None = None,
        data: Mapping[str, Any] | None = None,
        actor: str = RELEVE,
    ) -> None:
        event = MoveEvent(self.move.id, self.clock.now(), kind, actor, text, n, data or {})
        self.move = await self.ground.record(event)

    async def _end(self, state: MoveState, text: Text, actor: str = RELEVE) -> None:
        if state is MoveState.LEASE_LOST:
            text = say("{what}. {where}", what=text, where=advance.whereabouts(self.move))
        got = reached(self.move)
        data = {
            "state": state.value,
            "rto": None if got.rto is None else got.rto.total_seconds(),
            "rpo": None if got.rpo is None else got.rpo.total_seconds(),
        }
        await self._note(MoveEventKind.ENDED, text, data=data, actor=actor)

    def _token(self) -> int | None:
        """The token under which something may be begun at this very moment; None when nothing may.

        A drill leaves the group where it is and the lease with whoever has it: it may act without.
        """
        belief = self.ground.belief(self.move)
        if self.ground.lost(self.move) or may_act(belief, self.clock.boot()) is not May.ACT:
            return None
        return None if belief is None else belief.token

    def _may_begin(self, token: int | None) -> bool:
        return not self.move.direction.moves or (token is not None and token == self._token())

    async def _together(self, *tasks: int) -> None:
        """Carry `tasks` out at the same time. Where one fails by a fault of ours, the others come to their end."""
        for error in await asyncio.gather(*map(self._carry, tasks), return_exceptions=True):
            if error is not None:
                raise error

    async def _carry(self, n: int) -> None:
        """Journal the intent with what is there before it, act, and journal the outcome.

        Whether the lease is held is read right before each; what has lapsed meanwhile is not begun.
        """
        task, token = self.move.tasks[n], self._token()
        if not self._may_begin(token):
            return
        io = self.io_for(self.move, n, token)
        try:
            step, params, subject = step_of(self.move, self.plan, task, self.site)
        except Exception as error:
            await self._became(n, acting.failed(error))
            return
        before = await acting.look_before(step, params, subject, io)
        if isinstance(before, Became):
            await self._became(n, before)
            return
        if not self._may_begin(token):
            return
        await self._note(MoveEventKind.INTENT, task.action.said, n, {"before": dict(before), "token": token})
        if self.move.state.over:
            return
        if not self._may_begin(token):
            nothing = say("the lease lapsed before it was begun, so it was not")
            await self._note(MoveEventKind.VOID, nothing, n)
            return
        became = await acting.act(step, params, before, subject, io, self.move.id)
        if became is not None:
            await self._became(n, became)

    async def _became(self, n: int, became: Became) -> None:
        await self._note(MoveEventKind.OUTCOME, became.text, n, became.data)

    async def _settle(self, n: int, at: datetime) -> None:
        """Find out what became of an intent without outcome, once that shows; where nobody can tell, ask a person."""
        await self._until_settled(at, self.move.tasks[n].action.settle)
        if self.leaving:
            return
        task, before = self.move.tasks[n], self.move.records[n].before
        answer = Answer.CANNOT_TELL
        try:
            step, params, subject = step_of(self.move, self.plan, task, self.site)
        except StepFailed:
            pass  # what the inventory has no longer, nobody can be asked about
        else:
            io = self.io_for(self.move, n, self._token())
            answer = await acting.ask_done(step, params, before, subject, io, run=self.move.id, n=n)
        match answer:
            case Answer.YES:
                await self._became(n, acting.done(Outcome(say("it was carried out before Relève was interrupted"))))
            case Answer.NO:
                await self._note(MoveEventKind.VOID, say("it was not carried out, or may be repeated"), n)
            case Answer.CANNOT_TELL:
                text = say(
                    "nobody can tell whether this was done: {what}. Look yourself; yes does it again, no ends the move",
                    what=task.action.said,
                )
                await self._note(MoveEventKind.ASKED, text, n)

    async def _prove(self, checks: tuple[CheckId, ...]) -> None:
        """Look at `checks` now and from here, all at once, and journal what each says."""
        phase = self.move.phase
        if phase is None or not await self._is_held(phase, self.move.target):
            return
        found = await self._while_held(asyncio.gather(*map(self._seen, checks)))
        for check, (seen, lag) in zip(checks, found, strict=False):
            data = {
                "phase": phase.value,
                "check": check,
                "ok": seen.severity is Severity.OK,
                "severity": seen.severity.word,
                "lag": None if lag is None else lag.total_seconds(),
            }
            await self._note(MoveEventKind.PROOF, seen.summary, data=data)

    async def _while_held(self, looks: asyncio.Future[list[Seen]]) -> list[Seen]:
        """Return what `looks` find; nothing once a guard has stopped what they look at, for they would wait in vain."""
        move, watched = self.move, self.move.direction.moves and self.move.phase is Phase.VERIFY
        try:
            while not (await asyncio.wait([looks], timeout=LOOK if watched else None))[0]:
                if not await self.ground.guard_holds(move, move.target):
                    return []
            return looks.result()
        finally:
            looks.cancel()

    async def _seen(self, check: CheckId) -> Seen:
        """Return what a check says, and what the copy that it measures lacks."""
        io = self.io_for(self.move, 0, self._token())
        try:
            if self.move.phase is Phase.SYNC and not self.move.direction.planned:
                seen = await io.look(check)  # the old site is lost: what has not arrived does not come any more
                return seen, lag_of(seen)
            if self.move.phase is Phase.SYNC:
                return await self._until_in_sync(check, io)
            seen = await until_ok(check, self.patience.within, self.patience.stays, io)
            return seen, lag_of(seen)
        except KeyError:
            text = say("the inventory no longer has the check {check}", check=check)
            return Verdict(Severity.UNKNOWN, text), None

    async def _until_in_sync(self, check: CheckId, io: Io) -> tuple[Verdict, timedelta | None]:
        """Look until the copy lacks nothing of what the old site wrote, or patience is at its end.

        A copy that is as old as the stop of the old site is whole: nothing was written since.
        """
        until, stop = self.clock.boot() + self.patience.within.total_seconds(), self.move.span(Phase.STOP)
        while True:
            asked_at = self.clock.now()
            seen = await io.look(check)
            lag = lag_of(seen)
            if lag is not None and stop is not None and stop.ended is not None:
                lag = min(lag, max(timedelta(0), lag - (asked_at - stop.ended)))
            arrived = seen.severity is Severity.OK and lag == timedelta(0)
            if arrived or self.leaving or self.ground.halted(self.move) or self.clock.boot() >= until:
                return seen, lag
            await self.pause(LOOK)

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until a person answers, or Relève is about to stop."""
        self.answered.clear()
        try:
            async with asyncio.timeout(seconds):
                await self.answered.wait()
        except TimeoutError:
            return

    async def _until_settled(self, at: datetime, most: timedelta) -> None:
        """Wait until `at`, no longer than `most` whatever the clock is set to, or until Relève is about to stop."""
        until = self.clock.boot() + min(most, at - self.clock.now()).total_seconds()
        while not self.leaving and (left := until - self.clock.boot()) > 0:
            await self.pause(min(LOOK, left))

    def leave(self) -> None:
        """Begin nothing more: Relève is about to stop."""
        self.leaving = True
        self.answered.set()

    async def answer(self, *, yes: bool, actor: str, words: str) -> None:
        """Take a person's answer to what the move asks. Raises LookupError when it asks nothing, or is over by now."""
        question = self.move.question
        if question is None:
            raise LookupError(self.move.id)
        before = len(self.move.log)
        if yes:
            await self._note(MoveEventKind.ANSWERED, _said(say("yes"), words), question.task, actor=actor)
        else:
            text = say(
                "{what}. {where}", what=_said(say("a person said no"), words), where=advance.whereabouts(self.move)
            )
            await self._end(MoveState.REFUSED, text, actor)
        if len(self.move.log) == before:
            raise LookupError(self.move.id)
        self.answered.set()


def _said(what: Text, words: str) -> Text:
    return say("{what}: {detail}", what=what, detail=words) if words else what
