"""Standing by for the Relève at the other site: receive its state, watch the leases, and go on with it when it is lost.

By itself only where three voters keep a lease of Relève: a lost site and a cut link look alike from here.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from pathlib import Path

from failover.itself import Alone, Ground, Known, Lead, Role, StandBy, Why, led_by, next_role
from failover.lease import Refused, Seen, Standing
from failover.lease_etcd import Watching
from failover.model import PlanId
from monitor.clock import Clock
from monitor.core.events import RELEVE
from monitor.core.text import ENGLISH, Text, say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon import systemd
from monitor.daemon.guard_post import GuardPost
from monitor.daemon.own_lease import OwnLease
from monitor.daemon.peer_guard import GuardDesk
from monitor.daemon.peer_line import runs_there, superseded_there
from monitor.daemon.peer_receiver import Receiver
from monitor.daemon.peering import destination, listening
from monitor.daemon.unrelieved import Alarm
from monitor.daemon.voting import Voting
from monitor.inventory.model import Inventory
from monitor.store import Corrupt, StoreError, open_store
from monitor.store.taking_over import go_on_after, in_kept_room, take_over
from monitor.store.whose import Footing, footing, own_standing

log = logging.getLogger(__name__)

LOOK = 0.5
"""Seconds between two looks at the lease: by so much a take-over may come late."""


class Standby:
    """One Relève that is not active, in the folder of the state `data`. `role`: what it was to do at the last look."""

    def __init__(self, data: Path, inventory: Inventory, own: OwnLease, clock: Clock) -> None:
        self._data, self._inventory, self._own, self._clock = data, inventory, own, clock
        leases = inventory.continuity.leases
        assert leases is not None
        self._ttl = leases.ttl.total_seconds()
        self._began = clock.boot()
        self._not_before, self._complete = 0.0, False
        self._voters = Severity.OK
        self._alarm = Alarm(data, inventory, clock)
        self._failed: Text | None = None
        self.role: Role | None = None

    @property
    def why(self) -> Text:
        """Why this Relève is not the active one, as of the last look."""
        if isinstance(self.role, StandBy | Alone):
            return self.role.text
        if self._own.leader is not None:
            return led_by(self._own.leader)
        return say("nobody has looked yet who is the active one")

    async def begins_active(self) -> bool:
        """Return whether this Relève is to be the active one at once, as it was before it was started again.

        Where nobody can be asked, and the other one does not say that it is, it goes on with what it has.
        """
        try:
            found = await self._footing()
        except Corrupt as error:  # whoever stands by tells people of it; ended and started again, nobody would
            log.warning("what is here cannot be read", extra={"event": "standby_blind", "why": str(error)})
            return False
        role = self._judged(found, await self._own.look(), silent=0.0, starting=True)
        if isinstance(role, Lead):
            return await self._led(role, found)
        if isinstance(role, Alone):
            # What lies there beside a copy that was being taken over is older, and perhaps no longer whole.
            taken = found.ground is not Ground.TAKEN or await self._has_taken_over()
            return taken and not await self._is_superseded()
        return False

    async def until_active(self, stop: asyncio.Event) -> bool:
        """Receive and watch; return True once this Relève is the active one, its state in place; False for `stop`.

        Raises StoreError and CannotReceive where it cannot even receive.
        """
        wanted = listening(self._inventory)
        assert wanted is not None
        guard = GuardDesk(lambda: self._inventory.continuity, lambda: GuardPost(self._clock))
        beside = [
            asyncio.create_task(self._look_at_groups(), name="voting"),
            asyncio.create_task(self._alarm.run(), name="alarm"),
        ]
        try:
            while not stop.is_set():
                made = partial(Receiver, self._data, wanted, self._clock, guard.answer)
                receiver = await asyncio.to_thread(in_kept_room, self._data, made)
                async with receiver.receiving():
                    systemd.notify("READY=1", "STATUS=passive: receiving the state of the other site")
                    self._began, receiver.session = self._clock.boot(), self._own.session
                    chosen = await self._chosen(receiver, stop)
                if chosen is not None and await self._led(*chosen):
                    return True
            return False
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def _look_at_groups(self) -> None:
        """Look at the leases of the groups, so that nobody need wait for them again who becomes active."""

        def watching(plan: PlanId) -> Watching:
            return self._own.watching.setdefault(plan, Watching())

        await Voting(lambda: self._inventory.continuity, watching, self._log_voters, self._clock).run()

    async def _log_voters(self, verdict: Verdict, _elapsed: float) -> None:
        """Who stands by tells nobody how the voters are; the active one does."""
        if verdict.severity is not self._voters and verdict.severity is not Severity.OK:
            text = ENGLISH.render(verdict.summary)
            log.warning("the voters are not all well", extra={"event": "standby_voters", "why": text})
        self._voters = verdict.severity

    async def _chosen(self, receiver: Receiver, stop: asyncio.Event) -> tuple[Lead, Footing] | None:
        """Return what there is to go on with once the lease is ours; None for `stop`."""
        while not stop.is_set():
            try:
                chosen = await self._turn(receiver)
            except StoreError as error:  # a copy takes the place of another at this moment, or the disk is full
                log.warning("the copy is not looked at", extra={"event": "standby_blind", "why": str(error)})
                await self._blind(receiver, error.text)
            else:
                if chosen is not None:
                    return chosen
            await _waited(stop, LOOK)
        return None

    async def _turn(self, receiver: Receiver) -> tuple[Lead, Footing] | None:
        found, seen, now = await self._footing(), await self._own.look(), self._clock.boot()
        heard = self._heard(receiver)
        if self._doubts(found, receiver, heard, now):
            # Found out only while it is taken over, the lease would be ours, and nobody's.
            await receiver.look()
            found = await self._footing()
        role = self._judged(found, seen, silent=now - heard, relieved=receiver.relieved)
        self._alarmed(role, now - heard)
        if now < self._not_before:
            return None
        if isinstance(role, StandBy) and role.why is Why.COMING:
            await self._own.take(found.token)  # it is ours, and would be taken back
        if not isinstance(role, Lead):
            return None
        if found.ground is Ground.NOTHING:
            if not await self._runs_there():  # it may know nothing of voters yet, and has a state that counts
                # The state comes before the lease: a record and no state anywhere would leave both standing by.
                await asyncio.to_thread(self._begin_state)
            return None
        missed = self._missed(found, seen)
        if missed is not None:
            await asyncio.to_thread(go_on_after, self._data, missed)
        why = await self._own.take(role.above)
        if why is not None:
            log.info("the lease is not ours", extra={"event": "own_lease_refused", "why": ENGLISH.render(why)})
            return None
        # Taken back meanwhile, the other one may have written more.
        self._complete = receiver.relieved and isinstance(seen, Seen) and seen.standing is Standing.OURS
        return role, found

    def _heard(self, receiver: Receiver) -> float:
        return self._began if receiver.heard_at is None else max(self._began, receiver.heard_at)

    async def _blind(self, receiver: Receiver, why: Text) -> None:
        """Let people be told while nobody is the active one, and what lies here cannot even be looked at."""
        seen, silent = await self._own.look(), self._clock.boot() - self._heard(receiver)
        role = next_role(Known(Ground.DAMAGED, seen, silent, self._ttl))
        if isinstance(role, StandBy):
            self._alarmed(replace(role, text=why), silent)

    def _doubts(self, found: Footing, receiver: Receiver, heard: float, now: float) -> bool:
        """Return whether all of the copy is to be read: it is about to count, or what was seen of it is damaged."""
        if found.ground is Ground.DAMAGED:
            return receiver.replica.damaged is None
        return found.ground is Ground.COPY and now - heard >= self._ttl / 2 and receiver.looked_at < heard

    def _alarmed(self, role: Role, silent: float) -> None:
        """Let people be told while nobody is the active one, and this one cannot be."""
        match role:
            case StandBy(why=Why.HELD):
                self._failed = None
                self._alarm.over()
            case StandBy() if silent < self._ttl:
                self._alarm.why = None  # it speaks: whether it leads is soon known, and that it is gone is not true
            case StandBy(why=Why.BROKEN | Why.DAMAGED | Why.NOTHING) if silent >= self._ttl:
                self._alarm.why = role.text
            case Lead() if self._failed is not None:
                self._alarm.why = self._failed

    def _missed(self, found: Footing, seen: Seen | Refused) -> int | None:
        """Return the token under which the other led after all that lies here was written; None where it did not."""
        record, here = seen.record if isinstance(seen, Seen) else None, self._inventory.continuity.here
        if found.ground is not Ground.OWN or record is None or here is None or record.holder == here.id:
            return None
        return record.token if record.token > found.token else None

    async def _led(self, role: Lead, found: Footing) -> bool:
        """Be the active one: the lease is kept from here on, and the copy becomes the state. Return whether it did."""
        why = await self._own.take(role.above)
        if why is not None:
            return False
        self._own.lead(found.token, self._clock.now())
        if found.ground in (Ground.COPY, Ground.TAKEN) and not await self._has_taken_over():
            return False
        self._alarm.over()
        return True

    async def _has_taken_over(self) -> bool:
        """Return whether the copy is our state by now."""
        try:
            await asyncio.to_thread(self._take_over)
        except StoreError as error:
            log.exception("the copy cannot be taken over", extra={"event": "take_over_failed", "why": str(error)})
            self._failed = error.text
            await self._own.stand_down()
            # Who cannot go on lets the lease lapse first: the other one may be able to.
            self._not_before = self._clock.boot() + 2 * self._ttl
            return False
        return True

    def _begin_state(self) -> None:
        open_store(self._data, write=True).close()

    def _take_over(self) -> None:
        now, token = self._clock.now(), self._own.token
        done = take_over(self._data, now, actor=RELEVE, token=token, by_itself=True, complete=self._complete)
        log.warning(
            "this Relève goes on in the place of the other", extra={"event": "taken_over", "token": done.standing.token}
        )

    def _judged(
        self, found: Footing, seen: Seen | Refused, *, silent: float, relieved: bool = False, starting: bool = False
    ) -> Role:
        known = Known(found.ground, seen, silent, self._ttl, found.token, relieved=relieved, starting=starting)
        role = next_role(known)
        if isinstance(role, StandBy) and (not isinstance(self.role, StandBy) or self.role.why is not role.why):
            text = ENGLISH.render(role.text)
            log.info("standing by", extra={"event": "standing_by", "why": role.why.value, "text": text})
        self.role = role
        return role

    async def _footing(self) -> Footing:
        return await asyncio.to_thread(in_kept_room, self._data, partial(footing, self._data))

    async def _is_superseded(self) -> bool:
        other, own = destination(self._inventory), await asyncio.to_thread(own_standing, self._data)
        return other is not None and own is not None and await superseded_there(other, own)

    async def _runs_there(self) -> bool:
        other = destination(self._inventory)
        return other is not None and await runs_there(other)


async def _waited(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
