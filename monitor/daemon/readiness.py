"""Every hour: could each group move now? Told as a check of Relève's own; it touches nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from failover.model import DataSetId, PlanId
from failover.preflight import Preflight, Standing
from failover.run import Move
from monitor.clock import Clock
from monitor.core.health import Phase
from monitor.core.verdict import Severity
from monitor.daemon.desk import Desk
from monitor.daemon.figures import measured as figures_of
from monitor.daemon.figures import newest
from monitor.daemon.selfcheck import failover_check, failover_verdict
from monitor.daemon.standing import asked_of_nobody, figures, judged

FIRST_WITHIN = 180.0
"""Seconds until the first judgement where not all that matters was seen before: what is silent by then is a finding."""
EVERY = 3600.0
"""Seconds between two judgements while all is well."""
AGAIN = 60.0
"""Seconds until the next one while something is not: whoever mends it sees that it is."""


class Readiness:
    """Judges each group when it is due: first as soon as all that its judgement stands on was seen in this life."""

    def __init__(
        self,
        desk: Desk,
        moves: Callable[[], Iterable[Move]],
        clock: Clock,
        promised: Callable[[], Mapping[DataSetId, datetime]],
    ) -> None:
        """`moves`: gives those that go on, and the last of each kind. `promised`: since when the voters hold, of which
        data sets, that commits wait for the copy."""
        self._desk, self._moves, self._clock, self._promised = desk, moves, clock, promised
        self._due: dict[PlanId, float] = {}
        self._unjudged = set[PlanId]()
        self._asking = frozenset[PlanId]()

    async def judged(self) -> dict[PlanId, tuple[Standing, Preflight]]:
        """Return what is known of each group now, and whether it could move."""
        journal, inventory = self._desk.journal, self._desk.inventory
        if not inventory.continuity.plans:
            return {}
        measured = await journal.ask_history(figures, journal.store, inventory)
        # What was just seen is not written yet; what was seen elsewhere lies in no history of ours.
        known = figures_of(inventory.continuity.data, self._desk.seen, self._desk.figures)
        measured = newest(measured, known)
        return judged(inventory, self._desk.state, self._moves(), measured, self._clock.now(), self._promised())

    async def tick(self) -> None:
        """Judge the groups that are due, and tell what came of it."""
        plans, now = self._desk.inventory.continuity.plans, asyncio.get_running_loop().time()
        new = plans.keys() - self._due.keys()
        self._unjudged = (self._unjudged | new) & plans.keys()
        asking = frozenset(move.plan for move in self._moves() if asked_of_nobody(move) is not None)
        changed, self._asking = asking ^ self._asking, asking
        self._due = {name: now if name in changed else self._due.get(name, now + FIRST_WITHIN) for name in plans}
        if not self._unjudged and not any(at <= now for at in self._due.values()):
            return
        found = await self.judged()
        for name, (seen, result) in found.items():
            # What only a drill mends is no news of this start: who has just installed Relève has had none yet.
            first = name in self._unjudged and not result.untried and self._all_seen(seen)
            if self._due.get(name, now) > now and not first:
                continue
            self._unjudged.discard(name)
            self._due[name] = now + (EVERY if result.severity is Severity.OK else AGAIN)
            verdict = failover_verdict(plans[name].title if name in plans else name, result)
            await self._desk.take(failover_check(name), verdict, self._clock.now(), 0.0)

    def _all_seen(self, seen: Standing) -> bool:
        """Whether each check that matters was looked at in this life and is believed; a first failure may be none.

        What comes by no grid, such as a round of archiving, counts as it was last heard of, while that is fresh.
        """
        healths, grid = self._desk.state.healths, self._desk.inventory.checks
        return all(
            name in self._desk.seen and name in healths and healths[name].phase is Phase.HARD
            if name in grid
            else not believed.blind
            for name, believed in seen.checks.items()
        )
