"""The lease of Relève itself, which makes this one the active of the two: taken, renewed, lost to the other one.

It outlives the daemon: a Relève that stands by watches it, takes it, and holds it while the daemon is still to begin.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from failover.etcd import Voters
from failover.itself import RECORD, superseded_by
from failover.keeping import holds
from failover.lease import Belief, Held, Record, Refused, Seen, Standing, Why
from failover.lease_etcd import EtcdLease, Watching
from failover.model import Continuity, Etcd, Leases, Mode, PlanId
from monitor.clock import Clock
from monitor.core.text import ENGLISH, Quantity, Text, say, verbatim
from monitor.core.verdict import Metric, Severity, Verdict
from monitor.daemon.peering import ends
from monitor.daemon.tenure import AGAIN, session_in
from monitor.inventory.model import Inventory

log = logging.getLogger(__name__)


def is_led(inventory: Inventory) -> bool:
    """Return whether three voters decide which of two Relèves is the active one."""
    return ends(inventory) is not None and inventory.continuity.mode is Mode.QUORUM


@dataclass(frozen=True, slots=True)
class _Kept:
    """How the lease is kept by the inventory in force."""

    etcd: Etcd
    leases: Leases
    holder: str


class OwnLease:
    """The lease as the Relève in `folder` has it.

    `belief`: what may be believed of it; `token`: the highest that was ever ours, or that our state was written under.
    `trouble`: why the last renewal was not answered. `superseded`: set once another one leads. `since`: since when this
    Relève is the active one (UTC). `watching`: what is known of the records of the groups' leases, from before.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._kept: _Kept | None = None
        self._lease: EtcdLease | None = None
        self._seen = Watching()
        self._keeping: asyncio.Task[None] | None = None
        self._asking = asyncio.Lock()
        self._renewed = 0.0
        self.watching: dict[PlanId, Watching] = {}
        self.belief: Belief | None = None
        self.token = 0
        self.trouble: Text | None = None
        self.leader: Record | None = None
        """Who leads in our place, once `superseded` is set."""
        self.superseded = asyncio.Event()
        self.since: datetime | None = None

    async def swap(self, inventory: Inventory) -> None:
        """Keep the lease as `inventory` says from now on; what is believed of it stays. Raises OSError."""
        async with self._asking:
            kept = _kept(inventory)
            if kept == self._kept:
                return
            if self._lease is not None:
                await self._lease.close()
            self._kept, self._lease = kept, None
            if kept is not None:
                ttl, retry = kept.leases.ttl.total_seconds(), kept.leases.retry.total_seconds()
                voters = Voters(kept.etcd, retry, self._clock)
                session = session_in(self._folder)
                self._lease = EtcdLease(voters, RECORD, kept.holder, session, ttl, self._clock, self._seen)

    @property
    def kept(self) -> bool:
        """Whether there is such a lease: two Relèves, and three voters."""
        return self._lease is not None

    @property
    def session(self) -> str:
        """The name of the life of the state here, to which a lease can be given. Raises OSError."""
        return session_in(self._folder)

    def holds(self) -> bool:
        """Return whether the lease is ours now, as far as may be believed."""
        return holds(self.belief, self._clock.boot())

    def leads(self) -> bool:
        """Whether this Relève is the active one for certain: it holds its lease, or is the only one."""
        return not self.kept or self.holds()

    async def look(self) -> Seen | Refused:
        """Return how the lease stands. Only where it is `kept`."""
        async with self._asking:
            assert self._lease is not None
            return await self._lease.look()

    async def take(self, above: int) -> Text | None:
        """Take the lease, or go on with it, under a token of at least `above`; return why not, None once it is ours."""
        async with self._asking:
            assert self._lease is not None
            answer = await self._lease.acquire(above)
            if isinstance(answer, Refused):
                return answer.text
            self._believe(answer.belief)
            return None

    async def hand_to(self, holder: str, session: str) -> Refused | None:
        """Give the lease to the life `session` of the Relève at `holder`; return why not, None where that is done.

        `give_way` ends what is done here then. UNANSWERED: nobody knows, and the next renewal finds out.
        """
        async with self._asking:
            if self._lease is None or self.belief is None:
                return Refused(Why.LOST, self.trouble or say("this Relève does not hold its lease now"))
            answer = await self._lease.hand_to(self.belief, holder, session)
            if isinstance(answer, Refused):
                return answer
            self.belief, self.leader = None, answer
            return None

    def give_way(self) -> None:
        """Let everybody here know that another one leads."""
        self.superseded.set()

    def lead(self, token: int, now: datetime) -> None:
        """Be the active one from `now` on (UTC): renew the lease, or try to get it. The state here is of `token`."""
        self.token, self.since = max(token, self.token), now
        if self._keeping is None:
            self.superseded.clear()
            self.leader = None
            self._keeping = asyncio.create_task(self._keep(), name="own lease")

    async def stand_down(self) -> None:
        """Be the active one no more: nothing is renewed, and nothing is given back."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
        self.belief = self.since = self.trouble = None

    async def give_back(self) -> None:
        """Let the lease go where nothing can be done under it here: the other one may be able to."""
        belief = self.belief
        await self.stand_down()
        async with self._asking:
            if self._lease is None or belief is None:
                return
            answer = await self._lease.release(belief)
        if isinstance(answer, Refused):
            extra = {"event": "own_lease_kept", "why": ENGLISH.render(answer.text)}
            log.warning("the own lease was not given back", extra=extra)

    async def close(self) -> None:
        """Let go of connections. The lease lapses, or is taken up by the next start."""
        await self.stand_down()
        if self._lease is not None:
            await self._lease.close()
            self._lease = self._kept = None

    def _believe(self, belief: Belief) -> None:
        self.belief, self.token, self.trouble = belief, max(self.token, belief.token), None
        self._renewed = self._clock.boot()

    async def _keep(self) -> None:
        while not self.superseded.is_set() and self.leader is None:
            answered = True
            try:
                answered = await self._turn()
            except Exception:
                log.exception("the own lease could not be renewed", extra={"event": "own_lease_bug"})
            every = 1.0 if self._kept is None else self._kept.leases.loop.total_seconds()
            await asyncio.sleep(every if answered else min(AGAIN, every))

    async def _turn(self) -> bool:
        """Renew the lease, or try to get it once more; return whether somebody answered."""
        async with self._asking:
            if self._lease is None:
                self.belief = self.trouble = None
                return True
            if self.belief is not None:
                answer = await self._lease.renew(self.belief)
                if isinstance(answer, Held):
                    self._believe(answer.belief)
                    return True
                self.trouble = answer.text
                if answer.why is not Why.LOST:
                    return answer.why is not Why.UNANSWERED
                self.belief = None
            return await self._regain(self._lease)

    async def _regain(self, lease: EtcdLease) -> bool:
        """Without the lease: take it once it is free, unless another one has led since."""
        seen = await lease.look()
        self.leader = superseded_by(seen, self.token)
        if self.leader is not None:
            self.superseded.set()
            return True
        if isinstance(seen, Refused):
            self.trouble = seen.text
            return False
        if seen.standing in (Standing.OURS, Standing.FREE):
            answer = await lease.acquire(self.token)
            if isinstance(answer, Held):
                self._believe(answer.belief)
                return True
            self.trouble = answer.text
            return answer.why is not Why.UNANSWERED
        self.trouble = say("its record is watched for a while before it is taken")
        return True

    def verdict(self) -> Verdict | None:
        """Return how it stands, for the people of operations; None where there is no such lease."""
        if self._kept is None:
            return None
        now = self._clock.boot()
        return own_verdict(self.belief, now, now - self._renewed, self._kept.leases, self.trouble)


def _kept(inventory: Inventory) -> _Kept | None:
    continuity: Continuity = inventory.continuity
    leases, here = continuity.leases, continuity.here
    if not is_led(inventory) or leases is None or leases.etcd is None or here is None:
        return None
    return _Kept(leases.etcd, leases, str(here.id))


def own_verdict(belief: Belief | None, now: float, age: float, leases: Leases, trouble: Text | None) -> Verdict:
    """Return what it means that an active Relève believes `belief` of its lease at `now` (CLOCK_BOOTTIME).

    `age`: seconds since it was renewed last; `trouble`: why it is not.
    """
    why = trouble if trouble is not None else say("it was not asked for in time")
    if belief is None or not holds(belief, now):
        text = say(
            "This Relève goes on without the lease that makes it the active one ({why}). If the other site is cut off "
            "from it as well, that one goes on too, and messages come twice until the voters answer",
            why=why,
        )
        return Verdict(Severity.WARNING, text)
    seconds = round(belief.valid_until - now, 1)
    left, metrics = Quantity(seconds, "s"), (Metric("left", seconds, "s", minimum=0),)
    if age > 2 * leases.loop.total_seconds():
        text = say("The renewal of the lease of Relève is late; it ends in {left}: {why}", left=left, why=why)
        return Verdict(Severity.WARNING, text, metrics)
    text = say("This Relève is the active one: token {token}, for {left}", token=belief.token, left=left)
    return Verdict(Severity.OK, text, metrics)


def holder_text(record: Record | None) -> Text:
    """Return who holds the lease of Relève by `record`, for people."""
    if record is None:
        return say("nobody has held the lease of Relève so far")
    return say("{holder} holds the lease of Relève: token {token}", holder=verbatim(record.holder), token=record.token)
