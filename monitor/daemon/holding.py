"""The leases of the groups that run here, held from move to move, and handed to the guard that stops them without.

Nothing is held without voters: a lease that is local to this machine would only say that this machine is there.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from failover.across import Heard, after_ending, after_telling, may_tell
from failover.guard import Validity
from failover.guard_files import USUAL, Places
from failover.keeping import FOREIGN, StayPassive
from failover.keeping import Why as Kept
from failover.lease import Belief
from failover.model import Continuity, Leases, Plan, PlanId, SiteId
from monitor.clock import Clock, SystemClock
from monitor.core.reasons import reason
from monitor.core.text import ENGLISH, Text
from monitor.daemon.guard_line import WORDS, Due
from monitor.daemon.guard_post import GuardPost
from monitor.daemon.tenure import Tenure

log = logging.getLogger(__name__)


async def _nobody_there(_plan: PlanId, _token: int) -> bool:
    return True


def _nothing(_plan: PlanId) -> None:
    return None


class Holding:
    """`continuity`: what the inventory says now; `wanted`: whether a group runs here and no move of it is under way.

    `make` returns the lease of a group, untaken; `highest`: the highest token of it that our journal knows. `places`:
    where the guard of this machine looks. `there`: the other site, if a group runs there under a lease that is kept
    from here; `end_there` tells the guard there that a token is over, and returns whether that knows.
    """

    def __init__(
        self,
        continuity: Callable[[], Continuity],
        wanted: Callable[[Plan], bool],
        make: Callable[[PlanId], Tenure],
        highest: Callable[[PlanId], int],
        places: Places = USUAL,
        clock: Clock | None = None,
        there: Callable[[Plan], SiteId | None] = lambda _plan: None,
    ) -> None:
        self._continuity, self._wanted, self._make, self._highest = continuity, wanted, make, highest
        self._clock, self._at_the_other = clock or SystemClock(), there
        self.end_there: Callable[[PlanId, int], Awaitable[bool]] = _nobody_there
        self.over: Callable[[PlanId], None] = _nothing
        """Told of a group whose lease is held from now on as that of one that runs: no lapse of it counts any more."""
        self.in_vain: Callable[[Plan], bool] = lambda _plan: False
        """Whether the lease of a group was taken from a lost site for a move that could not begin yet."""
        self.places = places
        self.held: dict[PlanId, Tenure] = {}
        self.why: dict[PlanId, StayPassive] = {}
        """Why the lease of a group that runs here is not held."""
        self.untold: dict[PlanId, Text] = {}
        """Why the guard could not be told."""
        self.heard: dict[PlanId, Heard] = {}
        """What the guard here may have heard from us."""

    @property
    def post(self) -> GuardPost:
        """Where the guard of this machine is reached."""
        return GuardPost(self._clock, self.places)

    def wants(self, plan: Plan) -> bool:
        """Return whether the lease of `plan` is to be held here now."""
        continuity = self._continuity()
        voters = continuity.leases is not None and continuity.leases.etcd is not None
        if not voters or continuity.here is None or plan.id not in continuity.plans:
            return False
        # What nobody there can be told of is not kept for them, while a move from there is tried again and again.
        return self._wanted(plan) or (self._at_the_other(plan) is not None and not self.in_vain(plan))

    async def turn(self) -> None:
        """Take what is wanted and not held, and give back what is held and not wanted, once the guard knows.

        What is held as an inventory before this one said is taken anew, under the next token: its voters may be gone.
        """
        plans, leases = self._continuity().plans, self._continuity().leases
        self.why = {name: why for name, why in self.why.items() if name in plans and self.wants(plans[name])}
        for name, plan in plans.items():
            if name not in self.held and self.wants(plan):
                await self._take(plan)
        for name in tuple(self.held):
            tenure = self.held[name]
            if tenure.lost:
                self.held.pop(name)
                await tenure.leave()
            elif name not in plans or not self.wants(plans[name]):
                self.held.pop(name)
                await self.let_go(name, tenure)
            elif tenure.leases not in (None, leases):
                self.held.pop(name)
                await tenure.leave()
                await self._take(plans[name])

    def tell(self, due: Due) -> None:
        """Tell the guard here what is `due`.

        Nothing is waited for: whatever else is under way, a guard that is not told in time stops the site.
        """
        for name, belief in due.runs.items():
            self._tell(name, belief)
        for name, token in due.over.items():
            self.end_here(name, token)

    async def let_go(self, name: PlanId, tenure: Tenure) -> None:
        """Have the guard stop what runs under the lease, here and there, and then give it back.

        A guard that cannot be told goes on until its end, and nobody may have the lease before.
        """
        plan, belief = self._continuity().plans.get(name), tenure.belief
        try:
            ended = belief is None or await self._ended(name, plan, belief)
        except BaseException:  # cut off by a stop, it would be renewed for as long as this process lives
            await tenure.leave()
            raise
        if ended:
            await tenure.give_back()
        else:
            await tenure.leave()

    async def _ended(self, name: PlanId, plan: Plan | None, belief: Belief) -> bool:
        here = self._continuity().here
        # A life before this one may have told it, and an inventory before this one had it guarded.
        guarded = plan is not None and here is not None and plan.guard_of(here.id) is not None
        told = not (guarded or name in self.heard) or self.end_here(name, belief.token)
        return await self.end_there(name, belief.token) and told

    async def _take(self, plan: Plan) -> None:
        name, tenure = plan.id, self._make(plan.id)
        try:
            why = await tenure.hold(name, self._highest(name), None if self._wanted(plan) else self._at_the_other(plan))
        except BaseException:  # cut off by a stop while the voters take their time
            await tenure.leave()
            raise
        if why is None:
            self.over(name)
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

    def end_here(self, name: PlanId, token: int) -> bool:
        """Tell the guard here that `token` of the lease of a group is over; return whether it can know that."""
        heard = self.heard.get(name)
        if heard is not None and heard.over_at is not None and heard.token >= token:
            return True
        token = token if heard is None else max(heard.token, token)
        if not self._hand(name, Validity(token, 0.0)):
            return False
        self.heard[name] = after_ending(heard, token, self._clock.boot())
        return True

    def _tell(self, name: PlanId, belief: Belief) -> None:
        before = self.heard.get(name)
        if not may_tell(before, belief, self._clock.boot()):
            return
        self.heard[name] = after_telling(before, belief)
        if self.heard[name] != before or name in self.untold:
            self._hand(name, Validity(belief.token, belief.valid_until))

    def _hand(self, name: PlanId, validity: Validity) -> bool:
        """Hand over until when the lease is held; return whether the guard can know it."""
        ttl = (self._continuity().leases or Leases()).ttl.total_seconds()
        try:
            refused = self.post.tell(name, validity, ttl)
            why = None if refused is None else WORDS[refused]
        except OSError as error:
            why = reason(error)
        if why is None:
            self.untold.pop(name, None)
            return True
        if self.untold.get(name) != why:
            extra = {"event": "guard_untold", "plan": name, "why": ENGLISH.render(why)}
            log.error("the guard is not told", extra=extra)
        self.untold[name] = why
        return False

    async def close(self) -> None:
        """Let go of files and connections; what was held lapses by itself, or is taken up after the start."""
        for tenure in self.held.values():
            await tenure.leave()
        self.held.clear()
