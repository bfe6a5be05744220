"""The promises of all data sets, kept by the Relève that holds the leases of their groups: a look every two seconds.

What is done, and in which order, says failover/promise.py. A turn that is cut off anywhere leaves a state from which
the next one goes on, in this process or in another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from failover.etcd import Unanswered, Voters
from failover.ground import past, runs_at
from failover.lease import Belief, May, may_act
from failover.model import Continuity, DataSet, DataSetId, Plan, SiteId
from failover.promise import (
    MakeWait,
    Memory,
    Nothing,
    Relax,
    Step,
    TakeBack,
    Why,
    WriteKey,
    counted,
    let_go,
    next_step,
    promised,
    remembered,
    taken_back,
    waiting,
)
from failover.promise_etcd import ILLEGIBLE, EtcdPromise, Illegible
from failover.promise_record import Record, TakenBack
from failover.promise_seen import Copy, Looked, Primary, Wanted
from failover.promise_sql import look_at_copy, look_at_primary, make_wait, relax
from failover.promise_words import BY_HAND, View, unheld, unread, verdict_of
from monitor.clock import Clock
from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH, Text, say
from monitor.core.verdict import Verdict
from monitor.daemon.asking import Asking
from monitor.daemon.holding import Holding
from monitor.daemon.move_book import MoveBook
from monitor.daemon.promised import last_change
from monitor.daemon.tenure import record_name
from monitor.secret import Unresolved
from probes.contract import Target
from runbooks.commits_wait import waited_for
from runbooks.contract import StepFailed, StepUncertain

log = logging.getLogger(__name__)

EVERY = 2.0
"""Seconds between two turns."""
WITHIN = 2.0
"""Seconds that a database has to answer: one that hangs must not hold up the others."""
AT_LEAST = 1.0
"""Seconds of a lease that have to be left before anything is begun under it."""
TOLD_EVERY = 10.0
"""Seconds after which the same is told again, so that whoever looks sees that it is looked after."""


@dataclass(frozen=True, slots=True)
class Grip:
    """What a turn may do: where the group of `plan` runs, and our belief in its lease; None while it is not ours.

    `after`: the token of the last move that changed where it runs. `moves`: it is being moved now.
    """

    plan: Plan
    site: SiteId | None
    belief: Belief | None
    after: int = 0
    moves: bool = False


def grip_of(plan: Plan, book: MoveBook, holding: Holding) -> Grip:
    """Return what may be done for the group of `plan`: nothing while it moves."""
    going, tenure = book.going(plan.id), holding.held.get(plan.id)
    moving = going is not None and going.direction.moves
    belief = None if tenure is None or moving else tenure.belief
    mine = book.of(plan.id)
    return Grip(plan, runs_at(plan, past(mine)), belief, last_change(mine), moving)


@dataclass(frozen=True, slots=True)
class Lost:
    """A data set whose commits may wait, and which nobody could let go any more: `why`, and what to do first."""

    data: DataSetId
    why: Text
    hint: Text


@dataclass(slots=True)
class _Case:
    """One data set in one turn."""

    wanted: Wanted
    primary: Target
    promise: EtcdPromise
    belief: Belief


class Promising:
    """`run` goes on for as long as Relève runs; `turn` looks once at each data set and does what comes next."""

    def __init__(
        self,
        continuity: Callable[[], Continuity],
        targets: Callable[[], Mapping[NodeId, Target]],
        grip: Callable[[Plan], Grip],
        report: Callable[[DataSetId, Verdict, float], Awaitable[None]],
        clock: Clock,
        within: float = WITHIN,
    ) -> None:
        """`grip`: where a group runs and whether its lease is ours. `report` takes how a promise stands, and the
        seconds that it took to know."""
        self._continuity, self._targets, self._grip = continuity, targets, grip
        self._report, self._clock, self._within = report, clock, within
        self._asking = Asking(clock)
        self._memory: dict[DataSetId, Memory] = {}
        self._told: dict[DataSetId, tuple[str, float]] = {}
        self._standing: dict[DataSetId, Record] = {}
        self._let_go: set[DataSetId] = set()
        """Those of which the voters said that their commits wait no more, or never did."""

    async def run(self) -> None:
        """Look until cancelled, and end the connections then."""
        try:
            while True:
                try:
                    await self.turn()
                except Exception:
                    log.exception("the promises were not looked at", extra={"event": "promising_bug"})
                await asyncio.sleep(EVERY)
        finally:
            await self.close()

    def standing(self) -> Mapping[DataSetId, datetime]:
        """Return since when (UTC) the promises stand, as a majority had them at the last turn."""
        return {name: record.at for name, record in self._standing.items()}

    async def lost_by(self, after: Continuity) -> tuple[Lost, ...]:
        """Return the data sets whose commits may wait, and which could not be let go under the inventory of `after`.

        That asks for two readings: one in which nothing is to wait any more, and one without what was needed for it.
        """
        before = self._continuity()
        plans = {name: plan for plan in before.plans.values() for name in plan.data}
        found = [await self._lost(one, plans[one.id], after) for one in before.data.values() if one.id in plans]
        return tuple(one for one in found if one is not None)

    async def _lost(self, data: DataSet, plan: Plan, after: Continuity) -> Lost | None:
        kept = after.data.get(data.id)
        if data.waits is None or (kept is not None and kept.waits and kept.waits.devices == data.waits.devices):
            return None
        site = self._grip(plan).site or plan.active
        if site not in data.waits.devices:
            return None
        primary, copy = data.waits.devices[site], data.waits.devices[plan.other(site)]
        if data.waits.wanted:
            why = say(
                "commits on {primary} are made to wait for {copy}, and without this nobody could let them go",
                primary=primary,
                copy=copy,
            )
            hint = say("write synchronous: false there and reload; once commits wait no more, this is taken")
            return Lost(data.id, why, hint)
        if data.id in self._let_go:
            return None
        looked = await look_at_primary(self._targets()[primary], self._within)
        if not isinstance(looked, Primary) or looked.standby or waited_for(looked.names) is None:
            return None
        why = say(
            "commits on {primary} still wait for {copy}, and without this nobody could let them go",
            primary=primary,
            copy=copy,
        )
        return Lost(data.id, why, say("reload once they wait no more; by hand: {command}", command=BY_HAND))

    async def close(self) -> None:
        """End the connections to the voters."""
        await self._asking.close()

    async def turn(self) -> None:
        """Look once at each data set whose commits are to wait, or were made to, and take the next step."""
        continuity = self._continuity()
        voters = await self._asking.voters(continuity.leases)
        if voters is None:
            return
        plans = {name: plan for plan in continuity.plans.values() for name in plan.data}
        due = [one for one in continuity.data.values() if one.waits is not None and one.id in plans]
        known = {one.id for one in due}
        self._standing = {name: record for name, record in self._standing.items() if name in known}
        await asyncio.gather(*(self._look_or_say(one, plans[one.id], continuity, voters) for one in due))

    async def _look_or_say(self, data: DataSet, plan: Plan, continuity: Continuity, voters: Voters) -> None:
        """A fault of our own about one data set keeps no other from being looked at, and counts as no promise."""
        try:
            await self._look(data, plan, continuity, voters)
        except Exception:
            log.exception("a promise was not looked at", extra={"event": "promising_bug", "data": data.id})
            self._standing.pop(data.id, None)
            self._doubt(data.id)

    async def _look(self, data: DataSet, plan: Plan, continuity: Continuity, voters: Voters) -> None:
        assert data.waits is not None
        began, grip, here = self._clock.boot(), self._grip(plan), continuity.here
        if grip.site is None or here is None or grip.site not in data.waits.devices:
            return
        wanted = Wanted(
            data.waits.wanted,
            grip.site,
            data.waits.devices[grip.site],
            data.waits.devices[plan.other(grip.site)],
            data.waits.degrade_after.total_seconds(),
            grip.after,
            plan.called(grip.site),
        )
        promise = EtcdPromise(voters, data.id, record_name(plan.id), str(here.id))
        primary, copy = self._targets()[wanted.primary], self._targets()[wanted.standby]
        try:
            record, revision = await promise.read()
        except (Unanswered, Illegible) as error:
            self._standing.pop(data.id, None)
            self._doubt(data.id)
            if wanted.synchronous:
                why = error.text if isinstance(error, Unanswered) else ILLEGIBLE
                verdict = unread(why, wanted, await look_at_primary(primary, self._within))
                await self._tell(data.id, verdict, self._clock.boot() - began)
            return
        self._note(data, grip, plan, record)
        if not wanted.synchronous and (record is None or record.why is TakenBack.RELAXED):
            self._let_go.add(data.id)
            return
        self._let_go.discard(data.id)
        if grip.belief is None or may_act(grip.belief, self._clock.boot(), AT_LEAST) is not May.ACT:
            self._memory.pop(data.id, None)
            if not grip.moves:
                verdict = unheld(record, wanted, await look_at_primary(primary, self._within))
                await self._tell(data.id, verdict, self._clock.boot() - began)
                return
            view = View(wanted, record, Nothing(Why.NOT_OURS))
        else:
            looked = Looked(record, revision, *await self._looks(primary, copy))
            grip = self._grip(plan)  # its lease was renewed meanwhile, or is not ours any more
            if grip.belief is None or (grip.site, grip.after) != (wanted.site, wanted.after):
                return
            view = await self._next(data.id, _Case(wanted, primary, promise, grip.belief), looked)
        await self._tell(data.id, verdict_of(view), self._clock.boot() - began)

    async def _looks(self, primary: Target, copy: Target) -> tuple[Primary | Text, Copy | Text]:
        return await asyncio.gather(look_at_primary(primary, self._within), look_at_copy(copy, self._within))

    async def _next(self, name: DataSetId, case: _Case, looked: Looked) -> View:
        now = self._clock.boot()
        memory = self._memory.get(name, Memory())
        may = may_act(case.belief, now, AT_LEAST)
        step = next_step(case.wanted, looked, memory, may, now)
        self._memory[name] = memory = remembered(looked, memory, now)
        away = timedelta(seconds=0.0 if memory.gone_since is None else now - memory.gone_since)
        trouble: Text | None = None
        if not isinstance(step, Nothing):
            trouble = await self._carry_out(name, case, step, looked.revision)
        return View(case.wanted, looked.record, step, looked, away, trouble)

    async def _carry_out(self, name: DataSetId, case: _Case, step: Step, revision: int) -> Text | None:
        """Take one step; return why it did not work. Whatever its end is not known of is begun anew."""
        memory = self._memory[name]
        self._doubt(name)
        try:
            done = await self._done(case, step, revision)
        except Unanswered as error:
            done, why = False, error.text
        except (StepFailed, StepUncertain, Unresolved) as error:
            done, why = False, error.text
        else:
            why = say("the lease or the promise was written by somebody else meanwhile")
        words = {"data": name, "step": type(step).__name__, "done": done}
        log.info("a promise", extra={"event": "promise_step", **words, "why": "" if done else ENGLISH.render(why)})
        if done and isinstance(step, MakeWait):
            self._memory[name] = waiting(memory, revision, step.of)
        return None if done else why

    async def _done(self, case: _Case, step: Step, revision: int) -> bool:
        """Return whether `step` was taken. Raises Unanswered, StepFailed, StepUncertain or Unresolved."""
        token, wanted = case.belief.token, case.wanted
        if may_act(case.belief, self._clock.boot()) is not May.ACT:
            return False
        match step:
            case MakeWait(called):
                await make_wait(case.primary, called, self._within)
                return True
            case WriteKey():
                return await case.promise.write(promised(wanted, step, token, self._clock.now()), step.base)
            case TakeBack(record, why):
                return await case.promise.write(taken_back(record, why, token, self._clock.now()), revision)
            case Relax():

                async def seal() -> bool:
                    if may_act(case.belief, self._clock.boot()) is not May.ACT:
                        return False
                    return await case.promise.write(let_go(wanted, step, token, self._clock.now()), revision)

                return await relax(case.primary, self._within, seal)
            case _:
                return True

    def _doubt(self, name: DataSetId) -> None:
        self._memory[name] = self._memory.get(name, Memory()).doubting()

    def _note(self, data: DataSet, grip: Grip, plan: Plan, record: Record | None) -> None:
        assert grip.site is not None
        if record is not None and counted(record, data, grip.site, plan.other(grip.site), grip.after) is not None:
            self._standing[data.id] = record
        else:
            self._standing.pop(data.id, None)

    async def _tell(self, name: DataSetId, verdict: Verdict, elapsed: float) -> None:
        """Report what is new, and the same again every ten seconds."""
        now, said = self._clock.boot(), f"{verdict.severity.word} {_sentences(verdict.summary)}"
        before, at = self._told.get(name, ("", 0.0))
        if said != before or now - at >= TOLD_EVERY:
            self._told[name] = said, now
            await self._report(name, verdict, elapsed)


def _sentences(text: Text) -> str:
    """Return what `text` says but for numbers and names: with the sentences within it."""
    within = (_sentences(value) for _, value in text.values if isinstance(value, Text))
    return " ".join((text.template, *within))
