"""Every hour: could each group move now? Told as a check of Relève's own; it touches nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from failover.model import DataSetId, PlanId
from failover.preflight import Preflight, Standing
from failover.run import Move
from monitor.clock import Clock
from monitor.core.verdict import Severity
from monitor.daemon.desk import Desk
from monitor.daemon.figures import measured as figures_of
from monitor.daemon.figures import newest
from monitor.daemon.selfcheck import failover_check, failover_verdict
from monitor.daemon.standing import asked_of_nobody, figures, judged

FIRST_AFTER = 180.0
"""Seconds after the start until the first judgement: every check of a minute has been seen by then."""
EVERY = 3600.0
"""Seconds between two judgements while all is well."""
AGAIN = 60.0
"""Seconds until the next one while something is not: whoever mends it sees that it is."""


class Readiness:
    """Judges each group when it is due. A plan that is new is judged at once, with what is known."""

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
        self._due: dict[PlanId, float] | None = None
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
        if self._due is None:
            self._due = dict.fromkeys(plans, now + FIRST_AFTER)
        asking = frozenset(move.plan for move in self._moves() if asked_of_nobody(move) is not None)
        changed, self._asking = asking ^ self._asking, asking
        self._due = {name: now if name in changed else self._due.get(name, now) for name in plans}
        if not any(at <= now for at in self._due.values()):
            return
        found = await self.judged()
        for name, (_seen, result) in found.items():
            if self._due.get(name, now) > now:
                continue
            self._due[name] = now + (EVERY if result.severity is Severity.OK else AGAIN)
            verdict = failover_verdict(plans[name].title if name in plans else name, result)
            await self._desk.take(failover_check(name), verdict, self._clock.now(), 0.0)
