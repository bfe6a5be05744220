"""What is known of all moves: each the fold of what is on disk, and nothing counts that is not written there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from alerts.notice import Notice
from failover.ground import History, past
from failover.model import PlanId
from failover.resting import at_least_ago
from failover.run import Move, MoveEvent, MoveEventKind, MoveId, MoveState, fold
from monitor.clock import Clock
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import IncidentId
from monitor.core.incident import Refused
from monitor.core.maintenance import Expected
from monitor.core.text import Text, say
from monitor.core.watch import expecting
from monitor.daemon.desk import Desk
from monitor.daemon.move_letters import notices_of
from monitor.daemon.move_orders import highest
from monitor.daemon.move_work import Meanwhile, expected
from monitor.daemon.moving import told_of
from monitor.store import AuditEntry, Batch, Loaded, move_id, run_number
from runbooks.contract import Progress
from runbooks.executor import NotJournaled

log = logging.getLogger(__name__)

APART = 1_000_000
"""Keeps the messages of moves apart from those of runs, in the log of one incident."""
COPIED = 0.5
"""Seconds that an action waits until the other Relève knows that it was begun: who goes on with a move that was cut off
has to know it, and one that does not answer holds up nothing for long."""
ACTIONS = 1000
"""More than any plan has: keeps the messages of two moves apart."""


class MoveBook:
    """All moves of one daemon. `moves`: by name, oldest first; `progress`: how far the action in hand of each is.

    `copied`: waits until the other Relève has what is written by now, for so many seconds at most.
    """

    def __init__(self, desk: Desk, clock: Clock, kept: Loaded) -> None:
        """Take over what the last run of Relève left."""
        self._desk, self._clock = desk, clock
        self.moves: dict[MoveId, Move] = dict(kept.moves)
        self.progress: dict[MoveId, Progress] = {}
        self._over_since = {name: clock.boot() for name, move in self.moves.items() if move.state.over}
        self.copied: Callable[[float], Awaitable[object]] | None = None
        self._leases: dict[PlanId, int] = dict(kept.leases)
        self._next, self._recording = kept.next_move, asyncio.Lock()
        desk.state = expecting(desk.state, self._expected())  # nothing else has the desk yet

    def going(self, plan: PlanId) -> Move | None:
        """Return the move of `plan` that is under way."""
        return next((move for move in self.moves.values() if move.plan == plan and not move.state.over), None)

    @property
    def all_over(self) -> bool:
        """Whether no move is under way."""
        return all(move.state.over for move in self.moves.values())

    def of(self, plan: PlanId) -> list[Move]:
        """Return the moves of `plan`, oldest first."""
        return [move for move in self.moves.values() if move.plan == plan]

    def history(self, plan: PlanId) -> History:
        """Return the moves of `plan` that are over, oldest first, by how long ago that is at least.

        Where the clock was set back since, that is not what it says, and is known since this Relève began to run.
        """
        now, boot = self._clock.now(), self._clock.boot()
        known = {name: timedelta(seconds=boot - since) for name, since in self._over_since.items()}
        return tuple(
            at_least_ago(one, now, known.get(move.id, timedelta(0))) for move in self.of(plan) for one in past([move])
        )

    def highest(self, plan: PlanId) -> int:
        """Return the highest token of the group that is known here."""
        return max(highest(self.moves.values(), plan), self._leases.get(plan, 0))

    async def note_leases(self, tokens: Mapping[PlanId, int]) -> None:
        """Write down under which token the lease of each group is held, or is about to be, where that is new.

        Whoever goes on with this state knows by that what was held under it, and that nobody else held it since.
        """
        known = self._leases
        after = known | {plan: token for plan, token in tokens.items() if token > known.get(plan, 0)}
        if after != known:
            self._leases = after
            await self._desk.journal.commit(Batch(leases=after))

    def new_name(self, now: datetime) -> MoveId:
        """Return a name that no move has had."""
        name, self._next = move_id(self._next, now), self._next + 1
        return name

    async def record(self, event: MoveEvent, audit: tuple[AuditEntry, ...] = ()) -> Move:
        """Return the move after `event`, which is on disk by then; one that is over as it is. Raises NotJournaled."""
        journal = self._desk.journal
        async with self._recording:
            before = self.moves.get(event.move)
            move = fold(before, event)
            if move is None or (before is not None and before.state.over):
                assert before is not None
                return before
            if event.kind is MoveEventKind.INTENT and journal.trouble is not None:
                await journal.retry()
                if journal.trouble is not None:
                    raise NotJournaled(journal.trouble)
            meanwhile = Meanwhile(told_of(event, move), self._expected(move))
            await self._desk.note_move(event, audit, meanwhile, self._notices(event, move))
            self.moves[move.id] = move
            if move.state.over:
                self._over_since[move.id] = self._clock.boot()
        if event.kind is MoveEventKind.OUTCOME:
            self.progress.pop(move.id, None)
        if event.kind is MoveEventKind.INTENT and journal.trouble is not None:
            why = journal.trouble
            nothing = say("it could not be written down, so it was not begun")
            await self.record(replace(event, kind=MoveEventKind.VOID, text=nothing, data={}))
            raise NotJournaled(why)
        if event.kind is MoveEventKind.INTENT and self.copied is not None:
            await self.copied(COPIED)
        words = self._desk.letters.own_words(event.text)
        log.info("move", extra={"event": f"move_{event.kind.value}", "move": move.id, "what": words})
        return self.moves[move.id]  # while it was being copied, what is done beside it may have been written down

    def _expected(self, move: Move | None = None) -> Expected:
        after = self.moves if move is None else {**self.moves, move.id: move}
        return expected(after.values(), self._desk.inventory, self._clock.now())

    async def swap(self) -> None:
        """Let the desk expect what the plans of the inventory say, as it is now."""
        # A move is known here a moment after the desk has its event: in between, that would be taken back.
        async with self._recording, self._desk.lock:
            self._desk.state = expecting(self._desk.state, self._expected())

    def _notices(self, event: MoveEvent, move: Move) -> tuple[Notice, ...]:
        desk = self._desk
        try:
            heard = () if move.incident is None else desk.sent.get(IncidentId(move.incident), ())
            at = desk.moment(desk.state, self._clock.now())
            return notices_of(event, move, desk.inventory, desk.letters, at, heard)
        except Exception:
            # Whatever is wrong with a message, the service has to move.
            log.exception("a message about a move was not written", extra={"event": "move_untold", "move": move.id})
            return ()

    async def give_up(self, move: Move, why: Text) -> None:
        """End `move`, with which Relève itself cannot go on."""
        data = {"state": MoveState.FAILED.value, "rto": None, "rpo": None}
        await self.record(MoveEvent(move.id, self._clock.now(), MoveEventKind.ENDED, RELEVE, why, None, data))

    async def must_be_journaled(self) -> None:
        """Raise Refused while nothing can be written down."""
        journal = self._desk.journal
        if journal.trouble is not None:
            await journal.retry()
        if journal.trouble is not None:
            raise Refused(say("nothing is begun that cannot be written down: {why}", why=journal.trouble))

    async def tell(self, move: Move, n: int, to: tuple[str, ...], text: Text) -> bool:
        """Put a message of a move into its incident's log, from which the outbox takes it; once, however often."""
        incident = self._desk.state.incidents.get(move.incident) if move.incident else None
        if incident is None:
            return False
        number = APART + (run_number(move.id) or 0) * ACTIONS + n
        if not any(call.n == number and not call.person for call in incident.calls):
            event = Event(incident.id, self._clock.now(), EventKind.MESSAGE, RELEVE, text, run=move.id, to=to, n=number)
            await self._desk.note_run(None, (event,))
        return True
