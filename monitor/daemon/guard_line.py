"""Telling the guard of the other site until when its site holds a lease that is kept from here, and hearing of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from failover.across import (
    GuardSeen,
    Heard,
    Reading,
    Refusal,
    after_ending,
    after_telling,
    may_tell,
    until_there,
)
from failover.guard import Validity
from failover.lease import Belief
from failover.model import PlanId
from monitor.clock import Clock
from monitor.core.text import ENGLISH, Text, say
from monitor.daemon import peer_guard
from monitor.daemon import peer_wire as wire
from monitor.daemon.peer_line import Destination, Line, NotTaken, line_to, request

PATIENCE = 2.0
"""Seconds that one question may take: two of them, and the guard is told again before a lease of 15 s is half over."""
log = logging.getLogger(__name__)

WORDS = {
    Refusal.UNKNOWN: say("the Relève there knows no guard of this plan; both need the same inventory"),
    Refusal.BOOT: say("its machine was started anew"),
    Refusal.OLDER: say("it was told of a later token"),
    Refusal.OVER: say("it was told that this token is over"),
    Refusal.LONG: say("its lease is shorter; both need the same `ttl`"),
    Refusal.DISK: say("it could not be written down there"),
}


@dataclass(frozen=True, slots=True)
class Due:
    """What the guard of a site is to be told now: until when it may let groups run, and which tokens are over."""

    runs: Mapping[PlanId, Belief] = field(default_factory=dict)
    over: Mapping[PlanId, int] = field(default_factory=dict)


class Telling:
    """`wanted`: the other Relève; None where there is none. `due`: what its guard is to be told, asked right before.

    `heard`: what that guard may have heard from us; `told_at`: when it was told last for certain; `seen`: what it said
    last; `untold`: why it could not be told.
    """

    def __init__(self, wanted: Callable[[], Destination | None], due: Callable[[], Due], clock: Clock) -> None:
        self._wanted, self._due, self._clock = wanted, due, clock
        self._alone, self._stack = asyncio.Lock(), AsyncExitStack()
        self._line: Line | None = None
        self._asks: asyncio.Task[Text | None] | None = None
        self._to: Destination | None = None
        self._reading: Reading | None = None
        self.heard: dict[PlanId, Heard] = {}
        self.told_at: dict[PlanId, float] = {}
        self.seen: dict[PlanId, GuardSeen] = {}
        self.untold: dict[PlanId, Text] = {}

    async def turn(self) -> None:
        """Tell what is due; nothing is sent where nothing is."""
        due = self._due()
        self.untold = {name: why for name, why in self.untold.items() if name in due.runs or name in due.over}
        if self._wanted() is None or not self._offers(due):
            return
        try:
            await self._talk(self._due)
        except NotTaken as error:
            self._not_told({*due.runs, *due.over}, error.text)

    async def ask(self) -> Text | None:
        """Hear what that guard says now; return why not, None when `seen` is of now."""
        if self._wanted() is None:
            return say("the inventory names no Relève there")
        # Each group asks by itself, and who hangs there is waited for once: what was not sent yet is asked for all.
        if self._asks is None or self._asks.done():
            self._asks = asyncio.create_task(self._asked(), name="guard line")
        return await asyncio.shield(self._asks)

    async def _asked(self) -> Text | None:
        try:
            await self._talk(None)
        except NotTaken as error:
            return error.text
        return None

    async def end(self, plan: PlanId, token: int) -> bool:
        """Tell that guard that `token` of the lease of `plan` is over; return whether it was told, by us or before."""
        if self._wanted() is None:
            return plan not in self.heard  # nobody there was told by us
        due = Due(over={plan: token})
        if not self._offers(due):
            return True
        try:
            await self._talk(lambda: due)
        except NotTaken as error:
            self._not_told({plan}, error.text)
        return not self._offers(due)

    async def close(self) -> None:
        """Let go of the connection; what was told lapses by itself, or is told again after the start."""
        if self._asks is not None:
            self._asks.cancel()
            await asyncio.gather(self._asks, return_exceptions=True)
        async with self._alone:
            await self._hang_up()

    def _offers(self, due: Due) -> dict[PlanId, Validity]:
        """What is to be told now, `until` by our clock."""
        now, heard = self._clock.boot(), self.heard
        found = {
            name: Validity(belief.token, belief.valid_until)
            for name, belief in due.runs.items()
            if may_tell(heard.get(name), belief, now)
        }
        for name, token in due.over.items():
            before = heard.get(name)
            if before is None or before.over_at is None or before.token < token:
                found[name] = Validity(token if before is None else max(token, before.token), 0.0)
        return found

    async def _talk(self, due: Callable[[], Due] | None) -> None:
        """Tell what is due, or None: only ask. Raises NotTaken."""
        async with self._alone:
            self._asks = None if due is None else self._asks
            try:
                line = await self._open()
                now = self._clock.boot()
                if due is None or self._reading is None or not self._reading.is_fresh(now):
                    self._hear(await request(line, "GET", peer_guard.GUARD, b"", PATIENCE))
                if due is not None and self._reading is not None:
                    await self._tell(line, due, self._reading)
            except wire.Nonsense:
                await self._hang_up()
                raise NotTaken(say("it does not answer as a Relève does")) from None
            except BaseException:
                await self._hang_up()
                raise

    async def _tell(self, line: Line, due: Callable[[], Due], reading: Reading) -> None:
        offers = self._offers(due())
        if not offers:
            return
        leases = dict[PlanId, Validity]()
        for name, one in offers.items():
            if one.until:
                # From here on it may have heard this, whatever becomes of the answer.
                self.heard[name] = after_telling(self.heard.get(name), Belief(one.token, one.until))
                leases[name] = Validity(one.token, until_there(reading, one.until))
            else:
                leases[name] = one
        body = peer_guard.offer_bytes(peer_guard.Offer(reading.boot, leases))
        answer = self._hear(await request(line, "POST", peer_guard.LEASE, body, PATIENCE))
        for name, one in offers.items():
            why = answer.refused.get(name)
            if why is not None:
                self._not_told({name}, WORDS[why])
                continue
            self.untold.pop(name, None)
            self.told_at[name] = self._clock.boot()
            if not one.until:
                self.heard[name] = after_ending(self.heard.get(name), one.token, self._clock.boot())

    def _hear(self, body: bytes) -> peer_guard.Answer:
        answer = peer_guard.answer_of(body)
        self._reading = Reading(answer.boot, answer.there, self._clock.boot())
        self.seen = dict(answer.guards)
        return answer

    def _not_told(self, names: set[PlanId], why: Text) -> None:
        for name in names:
            if self.untold.get(name) != why:
                extra = {"event": "guard_untold_there", "plan": name, "why": ENGLISH.render(why)}
                log.warning("the guard of the other site is not told", extra=extra)
            self.untold[name] = why

    async def _open(self) -> Line:
        """Return the connection, a new one where the old is gone or leads elsewhere. Raises NotTaken."""
        wanted = self._wanted()
        if wanted is None:
            raise NotTaken(say("the inventory names no Relève there"))
        if self._line is None or self._to != wanted:
            await self._hang_up()
            self._line, self._to = await self._stack.enter_async_context(line_to(wanted)), wanted
        return self._line

    async def _hang_up(self) -> None:
        self._line = self._reading = None
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()
