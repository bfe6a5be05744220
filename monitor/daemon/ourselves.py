"""How Relève itself is, looked at by itself: its store, its clock, its queues, its leases."""

from __future__ import annotations

import asyncio

from monitor.core.ids import CheckId
from monitor.core.verdict import Verdict
from monitor.daemon import selfcheck
from monitor.daemon.answers import Answers
from monitor.daemon.clock import GuardedClock
from monitor.daemon.desk import Desk
from monitor.daemon.handing import Handing
from monitor.daemon.journal import Journal
from monitor.daemon.keeping import lease_verdicts, left_stopped
from monitor.daemon.moves import Moves
from monitor.daemon.peer_sender import PeerSender
from monitor.daemon.peering import peer_verdict
from monitor.daemon.scheduler import Scheduler
from probes.sessions import Sessions


class Ourselves:
    """`most_waiting`: how many results waited for the desk at most since the last look."""

    def __init__(
        self,
        desk: Desk,
        journal: Journal,
        clock: GuardedClock,
        watching: tuple[Scheduler, Sessions],
        answers: Answers,
        peers: tuple[PeerSender, Handing],
        moves: Moves,
    ) -> None:
        self._desk, self._journal, self._clock, self._answers, self._moves = desk, journal, clock, answers, moves
        self._scheduler, self._sessions = watching
        self._peer, self._handing = peers
        self.most_waiting = 0

    async def look(self) -> None:
        """Take how Relève itself is."""
        journal, now = self._journal, self._clock.now()
        late = await journal.overdue(now)
        since_death = None if self._desk.died_at is None else now - self._desk.died_at
        verdicts: tuple[tuple[CheckId, Verdict], ...] = (
            (
                selfcheck.STORE,
                selfcheck.store_verdict(
                    journal.trouble, journal.history_trouble, journal.waiting, room_kept=journal.room_kept
                ),
            ),
            (selfcheck.OUTBOX, selfcheck.outbox_verdict(late, since_death)),
            (selfcheck.CLOCK, selfcheck.clock_verdict(self._clock.stepped_by, trusted=self._clock.trusted)),
            (selfcheck.LAG, selfcheck.lag_verdict(self._scheduler.look_back())),
            (selfcheck.QUEUE, selfcheck.queue_verdict(self._queue())),
            (selfcheck.CHECKS, selfcheck.checks_verdict(self.stale())),
        )
        if self._desk.inventory.replies is not None:
            verdicts += ((selfcheck.ANSWERS, selfcheck.answers_verdict(self._answers.parked, now)),)
        other = self._desk.inventory.peer
        if other is not None and selfcheck.PEER in self._desk.plan.checks:
            verdicts += ((selfcheck.PEER, peer_verdict(self._peer.lag, self._peer.trouble, other)),)
        itself = self._handing.verdict()
        if itself is not None and selfcheck.SELF in self._desk.plan.checks:
            verdicts += ((selfcheck.SELF, itself),)
        moves, now_boot = self._moves, self._clock.boot()
        untold, continuity = moves.guards.untold_there(), self._desk.inventory.continuity
        stopped = left_stopped(continuity, moves.moves, moves.guards.lapsed_at, self._desk.state.healths)
        leases = lease_verdicts(continuity, moves.moves, moves.holding, now_boot, untold, stopped)
        verdicts += tuple((selfcheck.lease_check(plan), verdict) for plan, verdict in leases.items())
        for name, verdict in verdicts:
            await self._desk.take(name, verdict, now, 0.0)

    def stale(self) -> tuple[CheckId, ...]:
        """Return the checks that have given no result for three intervals, and had them."""
        now = asyncio.get_running_loop().time()
        return selfcheck.silent(
            self._desk.state.stale, self._desk.plan.checks, lambda name: self._scheduler.watched_for(name, now)
        )

    def _queue(self) -> selfcheck.Queue:
        now, scheduler = asyncio.get_running_loop().time(), self._scheduler
        most, self.most_waiting = self.most_waiting, 0
        return selfcheck.Queue(
            checks=len(self._desk.inventory.checks),
            in_flight=scheduler.in_flight,
            overlong=scheduler.overlong(now),
            waiting=most,
            hung=self._sessions.hung(now),
            threads=self._sessions.workers,
        )
