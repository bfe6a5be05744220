"""Recordings are archived on their own schedule, so that an incident finds what it may delete."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from monitor.clock import Clock
from monitor.core.ids import CheckId
from monitor.core.text import Text, say
from monitor.core.verdict import Metric, Severity, Verdict
from monitor.daemon import selfcheck
from monitor.daemon.automation import Automation
from monitor.daemon.desk import Desk
from monitor.daemon.figures import grown
from monitor.daemon.mirroring import Stance, stance
from monitor.daemon.moves import Moves
from monitor.secret import Unresolved
from monitor.store import Sample
from probes.ssh import HostFault
from runbooks.contract import Io, Recordings, StepFailed
from runbooks.recordings import AlreadyArchiving, ArchiveReport, archive_once

log = logging.getLogger(__name__)

FIRST_AFTER = 5.0
"""Seconds after the start until the first round; the site itself is looked at before."""


class Archiving:
    """A round for each folder of recordings every `every`; what it says of itself is a check of its own.

    By `moves` a mirror between two sites knows where its group runs, and stands by at the wrong one.
    """

    def __init__(self, desk: Desk, automation: Automation, clock: Clock, moves: Moves) -> None:
        self._desk, self._automation, self._clock, self._moves = desk, automation, clock, moves
        self._due: dict[str, float] = {}
        self._rounds: dict[str, asyncio.Task[None]] = {}
        self._reports: dict[str, ArchiveReport] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._standing_by: dict[str, Text] = {}
        self._copying: set[str] = set()
        automation.stands_by = self.stands_by

    async def tick(self) -> None:
        """Begin every round that is due, unless a person or a run stands against it."""
        inventory, now = self._desk.inventory, asyncio.get_running_loop().time()
        folders = inventory.actionable.recordings if inventory.automation.live else {}
        self._due = {name: self._due.get(name, now + FIRST_AFTER) for name in folders}
        for name, recordings in folders.items():
            if await self._stands_by(recordings, now):
                continue
            if name not in self._rounds and self._due[name] <= now and not self._held(recordings):
                task = asyncio.create_task(self._round(recordings), name=f"archive {name}")
                self._rounds[name] = task

    async def look(self, check: CheckId) -> Verdict:
        """Return what is known of the archive that `check` is about, as of now, and begin a round with the next tick.

        Raises KeyError where it is about none. How far the archive is behind grows until a round has shown otherwise.
        """
        # By the inventory: a move that is taken up after a start asks before the first tick, and asks all the same
        # where nothing is archived because the automation is not live.
        known = self._desk.inventory.actionable.recordings
        name = {selfcheck.archive_check(one): one for one in known}[check]
        stands_by = self._stance(check).stands_by
        if stands_by is not None:
            return Verdict(Severity.OK, stands_by)
        if name in self._due:
            self._due[name] = asyncio.get_running_loop().time()
        report = self._reports.get(name)
        verdict = self._verdicts.get(name, Verdict(Severity.UNKNOWN, say("nothing was archived since Relève started")))
        if report is None:
            # What the last run knew, or the Relève at the other site: a restart makes no copy older than it is.
            figure = self._desk.figures.get(check)
            lag = () if figure is None else (Metric("lag", grown(figure, self._clock.now()), "s", minimum=0),)
            return replace(verdict, metrics=lag)
        return replace(verdict, metrics=selfcheck.archive_verdict(report, self._clock.now()).metrics)

    def stands_by(self, recordings: str) -> Text | None:
        """Return why that folder is not to be copied, by whatever step; None where it may be."""
        return self._stance(selfcheck.archive_check(recordings)).stands_by

    def _stance(self, check: CheckId) -> Stance:
        moves, holding = self._moves.moves.values(), self._moves.holding
        return stance(self._desk.inventory.continuity, check, moves, holding.foreign())

    def _held(self, recordings: Recordings) -> bool:
        """Whether nothing may be archived now; a run that acts on the same device goes before."""
        if self._automation.halted() or not self._desk.inventory.automation.live:
            return True
        if not self._stance(selfcheck.archive_check(recordings.id)).copies:
            return True
        return recordings.device.name in self._automation.acted_on

    async def _stands_by(self, recordings: Recordings, now: float) -> bool:
        """Return whether this mirror has nothing to do where it is; if so, nothing is under way and its check says why.

        What it has copied until then is no figure of what would be lost: the day it goes on, it begins anew.
        """
        name, check = recordings.id, selfcheck.archive_check(recordings.id)
        stance = self._stance(check)
        if not stance.copies and name in self._copying:
            self._copying.discard(name)
            self._rounds[name].cancel()  # in the middle of a file: the other site is about to write into that folder
        text, before = stance.stands_by, self._standing_by.get(name)
        if text is None:
            if before is not None:
                del self._standing_by[name]
                self._due[name] = now
            return False
        self._reports.pop(name, None)
        if text != before or self._due[name] <= now:
            self._standing_by[name], self._due[name] = text, now + recordings.every.total_seconds()
            await self._tell(recordings, Verdict(Severity.OK, text))
        self._verdicts.pop(name, None)
        return True

    async def _round(self, recordings: Recordings) -> None:
        loop = asyncio.get_running_loop()
        again = recordings.every.total_seconds()
        io = replace(self._automation.io(), halted=lambda: self._held(recordings))
        try:
            report = await self._archived(recordings, io)
        except AlreadyArchiving:
            again = min(again, FIRST_AFTER)
        except (HostFault, StepFailed, Unresolved) as error:
            await self._tell_of_round(recordings, selfcheck.not_archived(error.text))
        except Exception:
            log.exception("archiving failed", extra={"event": "archive_bug", "recordings": recordings.id})
            text = say("Relève itself failed; its log has the details")
            await self._tell_of_round(recordings, selfcheck.not_archived(text))
        else:
            log.info("archived", extra={"event": "archived", "recordings": recordings.id, **report.evidence})
            self._reports[recordings.id] = report
            await self._tell_of_round(recordings, selfcheck.archive_verdict(report, self._clock.now()))
            again = 0.0 if report.left and report.ended is None and not report.failures else again
        finally:
            self._due[recordings.id] = loop.time() + again
            self._rounds.pop(recordings.id, None)

    async def _archived(self, recordings: Recordings, io: Io) -> ArchiveReport:
        """Only this is ever cut short while Relève runs: what is told is told whole."""
        self._copying.add(recordings.id)
        try:
            return await archive_once(recordings, io)
        finally:
            self._copying.discard(recordings.id)

    async def _tell_of_round(self, recordings: Recordings, verdict: Verdict) -> None:
        if self.stands_by(recordings.id) is None:
            await self._tell(recordings, verdict)

    async def _tell(self, recordings: Recordings, verdict: Verdict) -> None:
        check, now = selfcheck.archive_check(recordings.id), self._clock.now()
        self._verdicts[recordings.id] = verdict
        self._desk.journal.keep_samples([Sample(check, one.name, one.unit, now, one.value) for one in verdict.metrics])
        await self._desk.take(check, verdict, now, 0.0)

    async def close(self) -> None:
        """End what is under way; whatever is half copied is copied anew."""
        rounds = tuple(self._rounds.values())
        for task in rounds:
            task.cancel()
        await asyncio.gather(*rounds, return_exceptions=True)
