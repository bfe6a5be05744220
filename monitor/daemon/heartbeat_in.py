"""Jobs that report themselves: what each said last is on disk before it is told that it was heard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from monitor.clock import Clock
from monitor.core.ids import CheckId
from monitor.daemon.journal import Journal
from monitor.inventory.model import Check
from monitor.store import StoreError
from probes.beat import Beat, Job, not_later
from probes.heartbeat import Heartbeat

log = logging.getLogger(__name__)
WRITTEN_EVERY = 1.0
"""Seconds between two writings of one job: what comes in between is written together, and its last word counts."""


class Jobs:
    """The jobs of the checks of kind `heartbeat`, as the last run left them (`kept`) and as they report themselves.

    A job is known since its check was first in force, and forgotten with it. What the disk does not take is kept in
    memory until it does, though whoever said it is told that it may be lost. `look_again` is called with the checks
    that should be looked at again at once. `heard` and `refused` count calls since the start.
    """

    def __init__(self, journal: Journal, clock: Clock, kept: Mapping[CheckId, Job]) -> None:
        self._journal, self._clock = journal, clock
        self.look_again: Callable[[tuple[CheckId, ...]], None] = lambda checks: None
        self._jobs = dict(kept)
        self._unwritten: set[CheckId] = set()
        self._gone: set[CheckId] = set()
        self._coming: dict[CheckId, asyncio.Task[None]] = {}
        """The next writing of a job, as long as it has not begun."""
        self._at_work: set[asyncio.Task[None]] = set()
        self._written_at: dict[CheckId, float] = {}
        self.heard = 0
        self.refused = 0

    def job(self, check: CheckId) -> Job | None:
        """Return what is known of the job that `check` is about; None when it is about none."""
        return self._jobs.get(check)

    def all(self) -> Mapping[CheckId, Job]:
        """Return every job."""
        return self._jobs

    async def swap(self, checks: Iterable[Check]) -> None:
        """Know the jobs of `checks` from now on, and no others."""
        now = self._clock.now()
        names = {check.id for check in checks if check.probe == Heartbeat.kind}
        self._gone |= set(self._jobs) - names
        fresh = names - set(self._jobs)
        self._jobs = {name: not_later(self._jobs.get(name, Job(now)), now) for name in names}
        self._gone -= fresh
        self._unwritten = (self._unwritten | fresh) & names
        await self.flush()

    def clock_was_set(self) -> None:
        """Take it that the clock may have been set back: no call comes from the future."""
        now = self._clock.now()
        self._jobs = {name: not_later(job, now) for name, job in self._jobs.items()}

    async def hear(self, check: CheckId, text: str = "", *, ok: bool) -> Beat:
        """Take the word of the job that `check` is about; return it once it is on disk.

        Raises KeyError when there is no such job, StoreError when the disk does not take it: it is kept in memory then.
        """
        beat = Beat(self._clock.now(), ok, text)
        self._jobs[check] = replace(self._jobs[check], last=beat)
        self._unwritten.add(check)
        self.heard += 1
        coming = self._coming.get(check)
        if coming is None:
            coming = self._coming[check] = asyncio.create_task(self._write_soon(check), name=f"job {check}")
            self._at_work.add(coming)
            coming.add_done_callback(self._at_work.discard)
        await asyncio.shield(coming)  # others may wait for the same writing
        return beat

    async def _write_soon(self, check: CheckId) -> None:
        loop = asyncio.get_running_loop()
        try:
            await asyncio.sleep(self._written_at.get(check, loop.time()) - loop.time())
        finally:
            del self._coming[check]  # what comes from here on is written the next time
        self._written_at[check] = loop.time() + WRITTEN_EVERY
        try:
            await self._write({check}, set())
        finally:
            self.look_again((check,))

    async def flush(self) -> None:
        """Write what the disk has not taken so far, if it takes it now."""
        if self._journal.trouble is not None or not (self._unwritten or self._gone):
            return
        try:
            await self._write(set(self._unwritten), set(self._gone))
        except StoreError as error:
            log.warning("jobs are kept in memory", extra={"event": "jobs_not_written", "why": str(error)})

    async def _write(self, names: Collection[CheckId], gone: set[CheckId]) -> None:
        """Write those of `names` that there are. Raises StoreError; a disk known to be in trouble is not asked."""
        if self._journal.trouble is not None:
            raise StoreError(self._journal.trouble)
        changed = {name: self._jobs[name] for name in names if name in self._jobs}
        await self._journal.ask(self._journal.store.put_jobs, changed, gone)
        self._gone -= gone
        for name, job in changed.items():
            if self._jobs.get(name) is job:
                self._unwritten.discard(name)

    async def close(self) -> None:
        """Write what is left."""
        for task in self._at_work:
            task.cancel()
        await asyncio.gather(*self._at_work, return_exceptions=True)
        await self.flush()
        if self._unwritten:
            names = sorted(self._unwritten)
            log.error("what jobs said is lost", extra={"event": "jobs_lost", "jobs": names})
