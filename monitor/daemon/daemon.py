"""The daemon put together: who watches, who decides, who sends, and how it starts, reloads and stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from alerts.language import speech
from monitor.core.events import RELEVE
from monitor.core.ids import CheckId
from monitor.core.timekeeping import Guard
from monitor.core.verdict import Verdict
from monitor.daemon import systemd
from monitor.daemon.answers import Answers
from monitor.daemon.archiving import Archiving
from monitor.daemon.automation import Automation
from monitor.daemon.clock import GuardedClock
from monitor.daemon.copies import Copies
from monitor.daemon.deciding import EVERY as DECIDE
from monitor.daemon.deciding import Deciding
from monitor.daemon.desk import KEEP, Desk
from monitor.daemon.handing import Handing
from monitor.daemon.heartbeat_in import Jobs
from monitor.daemon.heartbeat_out import Ailment, SignOfLife
from monitor.daemon.journal import Journal
from monitor.daemon.mail_in import MailIn
from monitor.daemon.moves import Moves
from monitor.daemon.noticeboard import Noticeboard
from monitor.daemon.ourselves import Ourselves
from monitor.daemon.own_lease import OwnLease
from monitor.daemon.peer_sender import PeerSender
from monitor.daemon.peering import destination, inventory_file
from monitor.daemon.post import Post
from monitor.daemon.promising import Promising, grip_of
from monitor.daemon.publishing import Publishing
from monitor.daemon.readiness import Readiness
from monitor.daemon.reported import Reported
from monitor.daemon.rereading import plan_of, read_again
from monitor.daemon.scheduler import Scheduler
from monitor.daemon.sms_in import SmsIn
from monitor.daemon.starting import link_key_of
from monitor.daemon.voting import Voting
from monitor.inventory.load import Loaded as Reading
from monitor.inventory.model import Check, Inventory
from monitor.inventory.report import problem_json, problem_line
from monitor.store import Sample, Store
from monitor.store.feed import Standing
from monitor.store.recordings import RecordingsLedger
from probes.runner import Result
from probes.sessions import Sessions

log = logging.getLogger(__name__)

TICK = 0.5
"""Seconds between two looks at what is due."""
HOLD = 1.0
"""Seconds between two looks at which leases are to be held here, and two words to the guard."""
FLUSH = 5.0
"""Seconds between two writings of samples and of healths that only moved on."""
PRUNE = 3600.0
"""Seconds between two deletions of samples that are older than the history is kept."""
STALLED = 30.0
"""Seconds without a turn of the scheduler after which we are not ready and feed no watchdog."""
PATIENCE = 5.0
"""Seconds that a stop gives to messages that are being handed over."""


@dataclass(slots=True)
class Daemon:
    """One running Relève; `start` makes it, `run` keeps it going until `stop`."""

    path: Path
    clock: GuardedClock
    journal: Journal
    desk: Desk
    post: Post
    sessions: Sessions
    scheduler: Scheduler
    automation: Automation
    moves: Moves
    archiving: Archiving
    ledger: RecordingsLedger
    jobs: Jobs
    sign_of_life: SignOfLife
    board: Noticeboard
    publishing: Publishing
    answers: Answers
    mail_in: MailIn
    sms_in: SmsIn
    readiness: Readiness
    peer: PeerSender
    voting: Voting
    promising: Promising
    own: OwnLease
    handing: Handing
    deciding: Deciding
    ourselves: Ourselves
    stopping: asyncio.Event
    reloading: asyncio.Lock
    ticked_at: float = 0.0
    superseded: bool = False
    sending: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls,
        inventory: Inventory,
        store: Store,
        clock_from: Callable[[Guard | None], GuardedClock] = GuardedClock,
        own: OwnLease | None = None,
    ) -> Daemon:
        """Return the daemon of `inventory` on `store`, which `close` closes. Raises StoreError.

        `clock_from`: makes the clock out of what the last run left of it. `own`: the lease that makes this Relève the
        active one of two; it is kept by whoever made it.
        """
        journal = Journal(store)
        await journal.recover()
        # By the machine's own clock, which may have been stepped meanwhile, what ended just now might be forgotten.
        clock = clock_from(await journal.ask(store.guard))
        # However long that takes: to load a large state is no sign of a disk that hangs.
        kept = await asyncio.to_thread(store.load, clock.now(), KEEP)
        plan = plan_of(inventory)
        desk = Desk.resume(journal, clock, inventory, plan, kept)
        desk.guard, desk.trusted = lambda: clock.guard, lambda: clock.trusted
        desk.link_key = await link_key_of(journal)
        sessions = Sessions()
        daemon = cls(
            path=inventory.path,
            clock=clock,
            journal=journal,
            desk=desk,
            post=Post(desk, journal),
            sessions=sessions,
            scheduler=None,  # type: ignore[arg-type]
            automation=None,  # type: ignore[arg-type]
            moves=None,  # type: ignore[arg-type]
            archiving=None,  # type: ignore[arg-type]
            jobs=Jobs(journal, clock, kept.jobs),
            sign_of_life=None,  # type: ignore[arg-type]
            board=None,  # type: ignore[arg-type]
            publishing=None,  # type: ignore[arg-type]
            answers=Answers(desk, kept.parked),
            mail_in=None,  # type: ignore[arg-type]
            sms_in=None,  # type: ignore[arg-type]
            readiness=None,  # type: ignore[arg-type]
            peer=None,  # type: ignore[arg-type]
            voting=None,  # type: ignore[arg-type]
            handing=None,  # type: ignore[arg-type]
            promising=None,  # type: ignore[arg-type]
            own=own if own is not None else OwnLease(store.folder, clock),
            deciding=None,  # type: ignore[arg-type]
            ourselves=None,  # type: ignore[arg-type]
            ledger=RecordingsLedger(store.folder),
            stopping=asyncio.Event(),
            reloading=asyncio.Lock(),
        )
        reported = Reported(desk, clock)
        daemon.scheduler = Scheduler(sessions, clock, daemon.report, desk.settling, daemon.jobs.job)
        daemon.jobs.look_again = daemon.scheduler.reprobe
        daemon.sign_of_life = SignOfLife(lambda: desk.inventory.heartbeat, daemon.ailing, clock, reported.heartbeat)
        daemon.board = Noticeboard(desk, daemon.watches, clock)
        daemon.publishing = Publishing(daemon.board, clock, reported.public)
        daemon.mail_in = MailIn(desk, daemon.answers, reported.mailbox)
        daemon.sms_in = SmsIn(desk, daemon.answers, reported.sms_in)
        daemon.peer = PeerSender(
            lambda: destination(desk.inventory),
            journal,
            clock,
            lambda: inventory_file(desk.inventory),
            lambda: daemon.own.token,
            superseded=daemon.is_refused,
        )
        desk.look_again = daemon.scheduler.reprobe
        daemon.automation = Automation(desk, clock, kept, daemon.scheduler.look, daemon.open_ledger)
        daemon.moves = Moves(desk, clock, kept, daemon.automation, daemon.look, daemon.own.watching)
        daemon.moves.book.copied = daemon.peer.has_all
        daemon.handing = Handing(desk, daemon.moves, daemon.own, daemon.peer)
        daemon.voting = Voting(lambda: desk.inventory.continuity, daemon.moves.watching, reported.voters, clock)
        daemon.deciding = Deciding(desk, clock, daemon.moves, daemon.glance, daemon.moves.speaks, daemon.own.leads)
        daemon.promising = Promising(
            lambda: desk.inventory.continuity,
            lambda: desk.inventory.actionable.devices,
            lambda plan: grip_of(plan, daemon.moves.book, daemon.moves.holding),
            reported.promise,
            clock,
        )
        daemon.readiness = Readiness(desk, daemon.moves.moves.values, clock, daemon.promising.standing)
        daemon.automation.passive, daemon.automation.moving = daemon.moves.passive, daemon.moves.acted_on
        daemon.archiving = Archiving(desk, daemon.automation, clock, daemon.moves)
        watching, peers = (daemon.scheduler, sessions), (daemon.peer, daemon.handing)
        daemon.ourselves = Ourselves(desk, journal, clock, watching, daemon.answers, peers, daemon.moves)
        await desk.clock_was_set()
        await desk.swap(inventory, plan, RELEVE)
        await daemon.jobs.swap(inventory.checks.values())
        daemon.scheduler.swap(inventory.checks)
        return daemon

    async def look(self, check: CheckId) -> Verdict:
        """Return what `check` says now, one of the inventory or that of an archive. Raises KeyError for any other."""
        known = check in self.desk.inventory.checks
        return await (self.scheduler.look if known else self.archiving.look)(check)

    async def glance(self, check: CheckId) -> Verdict:
        """Return what `check` says now; an observation that goes on already counts. Raises KeyError as `look`."""
        known = check in self.desk.inventory.checks
        return await (self.scheduler.glance if known else self.archiving.look)(check)

    async def report(self, check: Check, result: Result) -> None:
        """Take a result of the scheduler: samples to the history, the verdict to the desk."""
        at, metrics = result.started_at, result.verdict.metrics
        self.journal.keep_samples([Sample(check.id, one.name, one.unit, at, one.value) for one in metrics])
        self.ourselves.most_waiting = max(self.ourselves.most_waiting, self.desk.waiting)
        known_at = result.started_at + timedelta(seconds=result.elapsed)  # nobody knew before the look was over
        await self.desk.take(check.id, result.verdict, known_at, result.elapsed)

    async def run(self) -> None:
        """Watch until `stop` is called, and let messages in hand be delivered; `close` then."""
        log.info("watching", extra={"event": "started", "checks": len(self.desk.inventory.checks)})
        systemd.notify("READY=1", f"STATUS=watching {len(self.desk.inventory.checks)} checks")
        work = [
            asyncio.create_task(self.scheduler.run(), name="scheduler"),
            asyncio.create_task(self.post.run(), name="post"),
            asyncio.create_task(Copies(self.desk, self.journal, self.post).run(), name="copies"),
            asyncio.create_task(self.sign_of_life.run(), name="heartbeat"),
            asyncio.create_task(self.publishing.run(), name="public"),
            asyncio.create_task(self.mail_in.run(), name="mailbox"),
            asyncio.create_task(self.sms_in.run(), name="sms in"),
            asyncio.create_task(self.voting.run(), name="voting"),
            asyncio.create_task(self.promising.run(), name="promises"),
            asyncio.create_task(self._until_superseded(), name="own lease lost"),
        ]
        self.sending = asyncio.create_task(self.peer.run(), name="peer")
        self.automation.resume()
        self.moves.resume()
        turns: tuple[tuple[float, Callable[[], Awaitable[None]]], ...] = (
            (TICK, self._tick), (FLUSH, self._housekeeping), (PRUNE, self.journal.prune_samples),
            (FLUSH, self.readiness.tick), (HOLD, self.moves.hold), (HOLD, self.handing.turn),
            (HOLD, self.moves.guards.turn_here), (HOLD, self.moves.guards.tell_there), (DECIDE, self.deciding.turn),
        )  # fmt: skip
        work += [asyncio.create_task(self._every(seconds, turn), name=turn.__name__) for seconds, turn in turns]
        watchdog = systemd.watchdog_interval()
        if watchdog is not None:
            work.append(asyncio.create_task(self._every(watchdog, self._sign_of_life), name="watchdog"))
        stop = asyncio.create_task(self.stopping.wait(), name="stop")
        ended, _ = await asyncio.wait({*work, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not self.superseded:  # the process goes on then, and a manager that waits for its end would kill it
            systemd.notify("STOPPING=1")
        for task in (*work, stop):
            task.cancel()
        await asyncio.gather(*work, stop, return_exceptions=True)
        await self.post.drain(PATIENCE)
        for task in ended - {stop}:
            task.result()

    async def open_ledger(self) -> RecordingsLedger:
        """Return the ledger of recordings; its file is made with the first use."""
        return self.ledger

    async def _tick(self) -> None:
        await self.desk.tick()
        self.ticked_at = asyncio.get_running_loop().time()
        await self.automation.tick()
        await self.archiving.tick()

    async def close(self) -> None:
        """Write what is known and let go of everything."""
        await self.publishing.close()
        self.mail_in.close()
        self.sms_in.close()
        await self.archiving.close()
        await self.moves.close()
        await self.automation.close()
        self.ledger.close()
        await self.jobs.close()
        await self.desk.flush()
        if self.sending is not None:
            self.sending.cancel()  # up to here the other one hears that we are there
            await asyncio.gather(self.sending, return_exceptions=True)
        await self.handing.finish()
        await self.sessions.close()
        await self.journal.close()
        log.info("stopped", extra={"event": "stopped"})

    def stop(self) -> None:
        """Ask for a graceful end."""
        self.stopping.set()

    def give_way(self) -> None:
        """End, because the Relève at the other site goes on with our state."""
        log.warning("the other site has taken over", extra={"event": "superseded"})
        self.superseded = True
        self.stop()

    def is_refused(self) -> None:
        """Hear from the other Relève that it goes on with a newer state; where voters decide, their word counts."""
        if not self.own.holds():
            self.give_way()

    async def standing(self) -> Standing | None:
        """Return whose state this is, under the lease that is held now; None where it was never sent anywhere."""
        found = await self.journal.ask(self.journal.store.feed.standing)
        return None if found is None else replace(found, token=max(found.token, self.own.token))

    async def _until_superseded(self) -> None:
        await self.own.superseded.wait()
        self.give_way()

    async def round(self) -> None:
        """Observe every check once and send what comes of it: a turn without a daemon, for a timer."""
        checks = self.desk.inventory.checks.values()
        for error in await asyncio.gather(*(self.scheduler.once(check) for check in checks), return_exceptions=True):
            if error is not None:
                log.error("a result was lost", exc_info=error, extra={"event": "result_lost"})
        await self._housekeeping()
        self.desk.patient = False
        await self.desk.tick()
        await self.post.once()
        await Copies(self.desk, self.journal, self.post).once()
        await self.publishing.once()

    async def _every(self, seconds: float, work: Callable[[], Any]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except Exception:
                log.exception("a turn failed", extra={"event": "turn_failed", "turn": work.__name__})

    async def _housekeeping(self) -> None:
        await self.journal.retry()
        await self.journal.flush_samples()
        running = self.desk.state.incidents.values()
        # Our own people's incidents have no grid to be moved, and the one about the clock must not keep it wrong.
        quiet = not any(incident.open and incident.disruption_seen_at is not None for incident in running)
        if self.clock.settle(quiet=quiet and self.moves.book.all_over):
            log.warning("the machine's clock is taken over", extra={"event": "clock_adopted"})
            await self.desk.clock_was_set()
            self.jobs.clock_was_set()
        await self.jobs.flush()
        await self.ourselves.look()
        await self.desk.flush()

    def ailing(self) -> Ailment | None:
        """Return what keeps us from being really well; None when nothing does."""
        lately = asyncio.get_running_loop().time() - STALLED
        if not self.turning:
            return Ailment.SCHEDULER
        if self.ticked_at < lately or not self.ticked_at:
            return Ailment.DESK
        if self.post.turned_at < lately or not self.post.turned_at:
            return Ailment.POST
        return None if self.journal.trouble is None else Ailment.JOURNAL

    def watches(self) -> bool:
        """Return whether results come and are taken: else nothing may be said of the service."""
        return self.ailing() not in (Ailment.SCHEDULER, Ailment.DESK)

    async def _sign_of_life(self) -> None:
        if self.turning:
            systemd.notify("WATCHDOG=1")

    @property
    def turning(self) -> bool:
        """Whether the scheduler still turns: what `/readyz` and the watchdog ask."""
        turned = self.scheduler.turned_at
        return turned > 0 and asyncio.get_running_loop().time() - turned < STALLED

    async def reload(self, actor: str) -> Reading:
        """Read the inventory again and, if it is right, exchange the whole graph; else keep the old one.

        Returns what was read, with its problems.
        """
        async with self.reloading:
            folder = self.journal.store.folder
            reading = await read_again(self.path, folder, self.promising.lost_by)
            if reading.inventory is None:
                words = speech(reading.language)
                problems = [problem_line(problem_json(problem, words)) for problem in reading.problems]
                log.error(
                    "the inventory is wrong and was not taken", extra={"event": "reload_refused", "problems": problems}
                )
                return reading
            await self.desk.swap(reading.inventory, plan_of(reading.inventory), actor)
            await self.jobs.swap(reading.inventory.checks.values())
            self.scheduler.swap(reading.inventory.checks)
            self.automation.swap()
            await self.moves.swap()
            self.sign_of_life.swap()
            self.publishing.swap()
            self.mail_in.swap()
            self.peer.swap()
            await self.own.swap(reading.inventory)
            log.info("inventory taken", extra={"event": "reloaded", "version": reading.inventory.version})
            return reading
