"""The store as the daemon sees it: one thread, and a memory that takes over while the disk is full."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from alerts.notice import Notice, NoticeKey, NoticeState
from monitor.clock import Clock, SystemClock
from monitor.core.text import Text
from monitor.store import Batch, HistoryUnavailable, Sample, Store, StoreError

log = logging.getLogger(__name__)
R = TypeVar("R")
MOST_SAMPLES = 200_000
"""Samples kept in memory while the history cannot be written; older ones are given up first."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an attempt to send ended; `channel` and `address` are those of the next attempt, if there is one."""

    state: NoticeState
    at: datetime
    answer: str
    attempts: int
    channel: str
    address: str
    tried: tuple[str, ...] = ()
    next_try_at: datetime | None = None


class Journal:
    """All access to the store, from one thread; nothing handed in is lost while the process lives.

    When the disk is full, batches wait in memory in their order and are written first when there is room again;
    their notices leave from memory meanwhile. `trouble` and `history_trouble` say what is wrong, for people;
    `room_kept`: whether space is kept back for the state.
    """

    def __init__(self, store: Store, clock: Clock | None = None) -> None:
        self.store = store
        self._clock = clock or SystemClock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._backlog: list[Batch] = []
        self._held: dict[NoticeKey, Notice] = {}
        self._samples: list[Sample] = []
        self._lock = asyncio.Lock()
        self.trouble: Text | None = None
        self.history_trouble: Text | None = None
        self.room_kept = True

    async def ask(self, work: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """Run `work` in the store's thread and return what it returns."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(*args, **kwargs))

    async def commit(self, batch: Batch) -> None:
        """Write `batch`, after all that waits; if the disk is full, keep it and carry on."""
        async with self._lock:
            self._backlog.append(batch)
            await self._write_backlog()
            if self._backlog:
                self._held.update({notice.key: notice for notice in batch.notices if notice.key not in self._held})

    async def retry(self) -> None:
        """Try again to write what waits, and keep room back on the disk again; called now and then."""
        async with self._lock:
            if self._backlog:
                await self._write_backlog()
            if self.trouble is None:
                self.room_kept = await self.ask(self.store.restore_ballast)

    async def _write_backlog(self) -> None:
        while self._backlog:
            try:
                await self.ask(self.store.commit, self._current(self._backlog[0]))
            except StoreError as error:
                if self.trouble is None:
                    log.error("the journal cannot be written", extra={"event": "store_trouble", "why": str(error)})
                self.trouble = error.text
                return
            except Exception:
                # A batch that is wrong in itself will never be written, and must not keep back those behind it.
                wrong = self._backlog.pop(0)
                log.exception("a batch was refused", extra={"event": "batch_refused", "batch": wrong.id})
                raise
            for notice in self._backlog.pop(0).notices:
                self._held.pop(notice.key, None)
        if self.trouble is not None:
            log.warning("the journal is written again", extra={"event": "store_recovered"})
            self.trouble = None

    def _current(self, batch: Batch) -> Batch:
        """The batch with its notices as they stand now: some have left from memory meanwhile."""
        return replace(batch, notices=tuple(self._held.get(notice.key, notice) for notice in batch.notices))

    async def claim(self, now: datetime, limit: int) -> list[Notice]:
        """Return notices that are due for an attempt, marked as being sent."""
        held = [n for n in self._held.values() if n.state is NoticeState.PENDING and (n.next_try_at or now) <= now]
        for notice in held[:limit]:
            self._held[notice.key] = replace(notice, state=NoticeState.SENDING)
        try:
            stored = await self.ask(self.store.claim, now, limit)
        except StoreError as error:
            self.trouble = error.text
            stored = []
        return [*held[:limit], *stored]

    async def settle(self, key: NoticeKey, end: Settlement) -> None:
        """Record how the attempt ended, on disk or, for a notice that is not there yet, in memory."""
        async with self._lock:
            held = self._held.get(key)
            if held is not None:
                self._held[key] = _settled(held, end)
                return
        while True:
            try:
                await self.ask(
                    self.store.settle,
                    key,
                    state=end.state,
                    at=end.at,
                    answer=end.answer,
                    attempts=end.attempts,
                    next_try_at=end.next_try_at,
                    channel=end.channel,
                    address=end.address,
                    tried=end.tried,
                )
                return
            except StoreError as error:
                self.trouble = error.text
                await asyncio.sleep(1)

    def keep_samples(self, samples: list[Sample]) -> None:
        """Take samples for the next `flush_samples`."""
        self._samples += samples
        del self._samples[: max(0, len(self._samples) - MOST_SAMPLES)]

    async def flush_samples(self) -> None:
        """Write the samples taken so far; the history may fail without harm to anything else."""
        samples, self._samples = self._samples, []
        if not samples:
            return
        try:
            await self.ask(self.store.write_samples, samples)
        except HistoryUnavailable as error:
            self._samples = samples + self._samples
            self.keep_samples([])
            if self.history_trouble is None:
                log.warning("the history cannot be written", extra={"event": "history_trouble", "why": str(error)})
            self.history_trouble = error.text
        else:
            self.history_trouble = None

    async def prune_samples(self) -> None:
        """Delete the samples that are older than the history is kept."""
        try:
            await self.ask(self.store.prune_samples, self._clock.now())
        except HistoryUnavailable as error:
            self.history_trouble = error.text

    @property
    def waiting(self) -> int:
        """How many batches wait for room on the disk."""
        return len(self._backlog)

    async def close(self) -> None:
        """Write what can be written and close the store."""
        await self.retry()
        await self.flush_samples()
        await self.ask(self.store.close)
        self._thread.shutdown(wait=True)


def _settled(notice: Notice, end: Settlement) -> Notice:
    return replace(
        notice,
        state=end.state,
        answer=end.answer,
        attempts=end.attempts,
        channel=end.channel,
        address=end.address,
        tried=end.tried,
        next_try_at=end.next_try_at,
        sent_at=end.at if end.state is NoticeState.SENT else None,
    )
