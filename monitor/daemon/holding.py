"""The leases of the groups that run here, held from move to move, and handed to the guard that stops them without.

Nothing is held without voters: a lease that is local to this machine would only say that this machine is there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from failover.guard import Validity
from failover.guard_files import hand_over
from failover.keeping import FOREIGN, StayPassive
from failover.keeping import Why as Kept
from failover.lease import Belief
from failover.model import Continuity, Guarded, Plan, PlanId
from monitor.clock import boot_id
from monitor.core.reasons import reason
from monitor.core.text import ENGLISH, Text
from monitor.daemon.tenure import Tenure

log = logging.getLogger(__name__)

BELIEFS = Path("/run/releve")
"""Where the guard looks for what we believe, one `PLAN.lease` a plan, unless its file says otherwise: memory."""


class Holding:
    """`continuity`: what the inventory says now; `wanted`: whether a group runs here and no move of it is under way.

    `make` returns the lease of a group, untaken; `highest`: the highest token of it that our journal knows. `beliefs`:
    the folder in which the guard looks.
    """

    def __init__(
        self,
        continuity: Callable[[], Continuity],
        wanted: Callable[[Plan], bool],
        make: Callable[[PlanId], Tenure],
        highest: Callable[[PlanId], int],
        beliefs: Path = BELIEFS,
    ) -> None:
        self._continuity, self._wanted, self._make, self._highest = continuity, wanted, make, highest
        self.beliefs = beliefs
        self.held: dict[PlanId, Tenure] = {}
        self.why: dict[PlanId, StayPassive] = {}
        """Why the lease of a group that runs here is not held."""
        self.untold: dict[PlanId, Text] = {}
        """Why the guard could not be told."""
        self._told: dict[PlanId, Validity] = {}
        self._boot = boot_id()

    def wants(self, plan: Plan) -> bool:
        """Return whether the lease of `plan` is to be held here now."""
        continuity = self._continuity()
        voters = continuity.leases is not None and continuity.leases.etcd is not None
        return voters and continuity.here is not None and plan.id in continuity.plans and self._wanted(plan)

    async def turn(self) -> None:
        """Take what is wanted and not held, and give back what is held and not wanted, once the guard knows."""
        plans = self._continuity().plans
        self.why = {name: why for name, why in self.why.items() if name in plans and self.wants(plans[name])}
        for name, plan in plans.items():
            if name not in self.held and self.wants(plan):
                await self._take(name)
        for name in tuple(self.held):
            tenure = self.held[name]
            if tenure.lost:
                self.held.pop(name)
                await tenure.leave()
            elif name not in plans or not self.wants(plans[name]):
                self.held.pop(name)
                await self.let_go(name, tenure)

    def tell(self, moving: dict[PlanId, Tenure]) -> None:
        """Tell the guard until when leases are held. `moving`: those of moves under which a group may run here.

        Nothing is waited for: whatever else is under way, a guard that is not told in time stops the site.
        """
        plans = self._continuity().plans
        for name, tenure in (self.held | moving).items():
            if name in plans and self._guarded(plans[name]):
                self._tell(name, tenure.belief)

    def told_until(self, name: PlanId) -> float:
        """Return until when the guard here was last told to let the group run (CLOCK_BOOTTIME); 0 where it was not."""
        told = self._told.get(name)
        return 0.0 if told is None else told.until

    async def let_go(self, name: PlanId, tenure: Tenure) -> None:
        """Have the guard stop what runs here, and then give the lease back.

        A guard that cannot be told goes on until its end, and nobody may have the lease before.
        """
        plan, belief = self._continuity().plans.get(name), tenure.belief
        if plan is not None and belief is not None and self._guarded(plan):
            # A life before this one may have told it.
            self._told.setdefault(name, Validity(belief.token, belief.valid_until))
        if self._tell(name, None):
            await tenure.give_back()
        else:
            await tenure.leave()

    async def _take(self, name: PlanId) -> None:
        tenure = self._make(name)
        why = await tenure.hold(name, self._highest(name))
        if why is None:
            self.held[name] = tenure
            self.why.pop(name, None)
            log.info("the lease is held", extra={"event": "lease_held", "plan": name})
            return
        await tenure.leave()
        if self.why.get(name) != why:
            log.warning(
                "the lease is not held",
                extra={"event": "lease_not_held", "plan": name, "why": ENGLISH.render(why.text)},
            )
        self.why[name] = why

    def foreign(self) -> frozenset[PlanId]:
        """Return the plans whose group may well run at another site by now, whatever our own journal says.

        Also those of which nobody could say since the start: a site boots passive.
        """
        return frozenset(name for name, why in self.why.items() if why.why in FOREIGN or why.why is Kept.SILENT)

    def _guarded(self, plan: Plan) -> bool:
        here = self._continuity().here
        return here is not None and any(isinstance(fence, Guarded) for fence in plan.fences_of(here.id))

    def _tell(self, name: PlanId, belief: Belief | None) -> bool:
        """Hand over until when the lease is held; None: not any more. Return whether the guard can know it."""
        before = self._told.get(name)
        if belief is None and before is None:
            return True
        token = belief.token if belief is not None else before.token if before is not None else 0
        validity = Validity(token, 0.0 if belief is None else belief.valid_until)
        if validity == before:
            return True
        try:
            hand_over(self.beliefs / f"{name}.lease", validity, self._boot)
        except OSError as error:
            log.error("the guard is not told", extra={"event": "guard_untold", "plan": name, "why": str(error)})
            self.untold[name] = reason(error)
            return False
        self.untold.pop(name, None)
        self._told[name] = validity
        return True

    async def close(self) -> None:
        """Let go of files and connections; what was held lapses by itself, or is taken up after the start."""
        for tenure in self.held.values():
            await tenure.leave()
        self.held.clear()
