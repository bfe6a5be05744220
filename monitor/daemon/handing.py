"""Handing over to the Relève at the other site: everything has come there, and then the voters are told, at once.

The lease never lies free: one transaction names the other site. Who is named waits until it hears that this one has
ended, and goes on with what it has if it hears nothing more. If it does not come up, the lease lapses, and this one,
which stands by from then on, takes it back.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta

from failover.ground import past, runs_at
from failover.model import Site
from failover.run import MoveId
from monitor.core.events import RELEVE
from monitor.core.incident import Refused
from monitor.core.text import ENGLISH, Text, say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon import peer_wire as wire
from monitor.daemon.desk import Desk
from monitor.daemon.moves import Moves
from monitor.daemon.own_lease import OwnLease
from monitor.daemon.peer_line import Destination, NotTaken, line_to, request
from monitor.daemon.peer_sender import PeerSender
from monitor.daemon.peering import destination, ends
from monitor.daemon.whole import whole
from monitor.store import AuditEntry, StoreError

log = logging.getLogger(__name__)

WITHIN = 10.0
"""Seconds that the other may take to get what it lacks before it is not handed over to it."""
AGAIN = 0.2
"""Seconds between two questions whether it has it."""
LAST_WITHIN = 20.0
"""Seconds that the last of the state may take; the other goes on without it then, as if we had been killed."""
READ_WITHIN = timedelta(seconds=3)
"""For so long after the end of a move the Relève that made it stays: its commands and pages ask how it ended."""
REFUSED_FOR = 10.0
"""Seconds after which what begins by itself is tried again."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """To which site, and under which token it leads."""

    to: Site
    token: int


class Handing:
    """Hands over what the daemon of `desk` does, once; `finish` ends it."""

    def __init__(self, desk: Desk, moves: Moves, own: OwnLease, sender: PeerSender) -> None:
        self._desk, self._moves, self._own, self._sender = desk, moves, own, sender
        self._to: Destination | None = None
        self._alone = asyncio.Lock()
        self._seen = self._ended()
        self._not_before = 0.0
        self._stuck: Text | None = None

    async def hand_over(self, actor: str) -> HandedOver:
        """Name the other site in the voters' record; this Relève is to be ended then. Raises Refused."""
        return await whole(self._hand_over(actor))

    async def _hand_over(self, actor: str) -> HandedOver:
        async with self._alone:
            there, to = self._other()
            if not self._own.holds():
                why = self._own.trouble or say("its record is another one's")
                raise Refused(say("this Relève does not hold its lease just now: {why}", why=why))
            self._nothing_moves()
            # Nothing is written down, or held up, for somebody who is not there: this is tried again and again.
            await self._ready(to)
            # Whatever becomes of it, from here on no move begins and no lease is taken.
            async with self._moves.beginning.changing:
                self._nothing_moves()  # one may have begun while the other site was asked
                await self._hold_what_was_taken_in_vain(str(there.id))
                return await self._handed(actor, there, to)

    async def _hold_what_was_taken_in_vain(self, there: str) -> None:
        """A lease that is nobody's cannot be handed over, and the other site would not know what was done under it.

        Raises Refused where it cannot be held now and the site `there` has not got it: without its token in our
        journal that site would wait for a person for ever.
        """
        moves, plans = self._moves, self._desk.inventory.continuity.plans.values()
        standing = [plan.id for plan in plans if moves.lapses.stands(plan)]
        for name in standing:
            moves.lapses.end(name)
        if standing:
            await moves.holding.turn()
        records = (moves.watching(name).kept.record for name in standing if name not in moves.holding.held)
        if any(record is None or record.holder != there for record in records):
            why = say("this site does not hold the lease")
            raise Refused(say("the lease of Relève was not handed over: {why}", why=why))

    def _nothing_moves(self) -> None:
        """Raise Refused while a move goes on here, which would be cut off."""
        going = next((move.id for move in self._moves.moves.values() if not move.state.over), None)
        if going is not None:
            raise Refused(say("the move {move} is under way", move=going))

    async def _handed(self, actor: str, there: Site, to: Destination) -> HandedOver:
        held = {name: one for name, one in self._moves.holding.held.items() if one.belief is not None}
        tokens = {name: one.belief.token + 1 for name, one in held.items() if one.belief is not None}
        await self._moves.book.note_leases(tokens)
        await self._desk.note_run(None, (), (AuditEntry(actor, "peer hand-over", {"to": there.id}),))
        session = await self._ready(to)
        refused = await self._own.hand_to(str(there.id), session)
        if refused is not None:
            raise Refused(say("the lease of Relève was not handed over: {why}", why=refused.text))
        self._to, leader = to, self._own.leader
        self._moves.beginning.closing = True  # whoever waits for the lock begins nothing behind our back
        try:
            for name, tenure in held.items():
                self._moves.holding.held.pop(name, None)
                why = await tenure.hand_to(str(there.id), session)
                if why is not None:
                    extra = {"event": "lease_not_handed", "plan": name, "why": ENGLISH.render(why)}
                    log.warning("a lease has to lapse before the other site has it", extra=extra)
        finally:
            self._own.give_way()
        log.warning("handed over", extra={"event": "handed_over", "to": there.id, "actor": actor})
        return HandedOver(there, 0 if leader is None else leader.token)

    async def _ready(self, to: Destination) -> str:
        """Return the name of the life that goes on, once it has everything. Raises Refused."""
        journal = self._desk.journal
        try:
            if journal.trouble is not None:
                raise NotTaken(journal.trouble)
            standing = await journal.ask(journal.store.feed.start, self._own.token)
            async with line_to(to, standing) as line:
                until = asyncio.get_running_loop().time() + WITHIN
                while True:
                    last = (await journal.ask(journal.store.feed.extent)).last
                    try:
                        asked = wire.relief_bytes(wire.Relief(last))
                        return wire.session_of(await request(line, "POST", "relief", asked))
                    except NotTaken as error:
                        if error.why is not wire.Why.GAP or asyncio.get_running_loop().time() > until:
                            raise
                    await asyncio.sleep(AGAIN)
        except (NotTaken, StoreError) as error:
            raise Refused(say("the Relève at the other site cannot go on: {why}", why=error.text)) from error
        except wire.Nonsense as error:
            why = say("it does not answer as a Relève does")
            raise Refused(say("the Relève at the other site cannot go on: {why}", why=why)) from error

    def _other(self) -> tuple[Site, Destination]:
        both, to = ends(self._desk.inventory), destination(self._desk.inventory)
        if both is None or to is None or not self._own.kept:
            text = say("nothing can be handed over: there is no other Relève, or no voters say which one is active")
            raise Refused(text)
        return both[1], to

    async def finish(self) -> None:
        """Send the last of the state to whom it was handed over; nothing is written any more by now."""
        if self._to is None:
            return
        try:
            await self._sender.finish(self._to, LAST_WITHIN)
        except (NotTaken, StoreError) as error:
            log.warning("the last of the state was not taken", extra={"event": "last_not_sent", "why": str(error)})

    async def turn(self) -> None:
        """Hand over by itself where a move has ended since this Relève began, and no group runs at this site now."""
        ended, now = self._ended(), asyncio.get_running_loop().time()
        if ended == self._seen or not self._own.holds() or now < self._not_before or self._just_ended():
            return
        if not self._all_elsewhere():
            self._stuck = None
            if not any(not move.state.over for move in self._moves.moves.values()):
                self._seen = ended
            return
        self._not_before = now + REFUSED_FOR
        try:
            await self.hand_over(RELEVE)
        except Refused as error:
            if self._stuck is None or self._stuck.template != error.text.template:
                why = ENGLISH.render(error.text)
                log.warning("not handed over by itself", extra={"event": "not_handed_over", "why": why})
            self._stuck = error.text

    def verdict(self) -> Verdict | None:
        """Return how the lease of Relève stands, and whether it could not go along with what moved; None without it."""
        found = self._own.verdict()
        if found is None or self._stuck is None or not self._own.holds():
            return found
        text = say(
            "No group runs at this site any more, and Relève could not go along to the other one: {why}",
            why=self._stuck,
        )
        return Verdict(Severity.WARNING, text, found.metrics)

    def _all_elsewhere(self) -> bool:
        both = ends(self._desk.inventory)
        plans = self._desk.inventory.continuity.plans.values()
        if both is None or not plans:
            return False
        return all(runs_at(plan, past(self._moves.book.of(plan.id))) == both[1].id for plan in plans)

    def _just_ended(self) -> bool:
        """Whether somebody may still be reading here how a move ended."""
        since = self._desk.clock.now() - READ_WITHIN
        return any(move.ended_at is not None and move.ended_at > since for move in self._moves.moves.values())

    def _ended(self) -> frozenset[MoveId]:
        return frozenset(move.id for move in self._moves.moves.values() if move.direction.moves and move.state.over)
