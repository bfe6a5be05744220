"""The store as the daemon sees it: one thread, and a memory that takes over while the disk is full."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from alerts.notice import Notice, NoticeKey, NoticeState
from monitor.clock import Clock, SystemClock
from monitor.core.ids import IncidentId
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
    notices leave from memory meanwhile: those of the batches, and those on disk whose row cannot be changed.
    `trouble` and `history_trouble` say what is wrong, for people; `room_kept`: space is kept back for the state.
    """

    def __init__(self, store: Store, clock: Clock | None = None) -> None:
        self.store = store
        self._clock = clock or SystemClock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._backlog: list[Batch] = []
        self._held: dict[NoticeKey, Notice] = {}
        """Notices that are in memory only, or further on there than on disk."""
        self._owed: set[NoticeKey] = set()
        """Those among them that have a row on disk, which has yet to be told."""
        self._samples: list[Sample] = []
        self._lock = asyncio.Lock()
        self.trouble: Text | None = None
        self.history_trouble: Text | None = None
        self.room_kept = True

    async def ask(self, work: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """Run `work` in the store's thread and return what it returns."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(*args, **kwargs))

    async def commit(self, batch: Batch) -> None:
        """Write `batch`, after all that waits; if the disk is full, keep it and carry on.

        What is wrong with the batch itself is raised; it is not kept then.
        """
        async with self._lock:
            self._backlog.append(batch)
            for wrong, error in await self._catch_up():
                if wrong is batch:
                    raise error
            if self._backlog:
                self._held.update({notice.key: notice for notice in batch.notices if notice.key not in self._held})

    async def retry(self) -> None:
        """Try again to write what waits, and keep room back on the disk again; called now and then."""
        async with self._lock:
            await self._catch_up()
            if self.trouble is None:
                self.room_kept = await self.ask(self.store.restore_ballast)

    async def _catch_up(self) -> list[tuple[Batch, Exception]]:
        """Write all that waits, in its order, as far as the disk lets us; return what it will never take, and why."""
        refused, wrote = list[tuple[Batch, Exception]](), False
        try:
            while self._backlog:
                error = await self._write(self._backlog[0])
                wrong = self._backlog.pop(0)
                wrote = True
                if error is not None:
                    refused.append((wrong, error))
            for key in tuple(self._owed):
                await self._tell_disk(self._held[key])
                self._owed.remove(key)
                del self._held[key]
                wrote = True
        except StoreError as error:
            self._in_trouble(error)
            return refused
        if wrote and self.trouble is not None:
            log.warning("the journal is written again", extra={"event": "store_recovered"})
            self.trouble = None
        return refused

    async def _write(self, batch: Batch) -> Exception | None:
        """Write `batch` with its notices as they stand now: some have left from memory meanwhile."""
        notices = tuple(self._held.get(notice.key, notice) for notice in batch.notices)
        try:
            await self.ask(self.store.commit, replace(batch, notices=notices))
        except StoreError:
            raise
        except Exception as error:
            # A batch that is wrong in itself will never be written, and must not keep back those behind it.
            log.exception("a batch was refused", extra={"event": "batch_refused", "batch": batch.id})
            return error
        for notice in notices:
            self._held.pop(notice.key, None)
        return None

    async def _tell_disk(self, notice: Notice) -> None:
        await self.ask(
            self.store.settle,
            notice.key,
            state=notice.state,
            at=notice.sent_at or self._clock.now(),
            answer=notice.answer,
            attempts=notice.attempts,
            next_try_at=notice.next_try_at,
            channel=notice.channel,
            address=notice.address,
            tried=notice.tried,
        )

    async def notices(self, incident: IncidentId) -> list[Notice]:
        """Return the notices of `incident`, on disk and in memory, as they stand now."""
        found = {notice.key: notice for notice in await self.ask(self.store.notices, incident)}
        found |= {key: notice for key, notice in self._held.items() if key.incident == incident}
        return list(found.values())

    async def overdue(self, now: datetime) -> timedelta | None:
        """Return for how long the oldest notice on disk that has not left has been due; None when none is late."""
        try:
            return await self.ask(self.store.oldest_pending, now)
        except StoreError as error:
            self._in_trouble(error)
            return None

    def _in_trouble(self, error: StoreError) -> None:
        if self.trouble is None:
            log.error("the journal cannot be written", extra={"event": "store_trouble", "why": str(error)})
        self.trouble = error.text

    async def claim(self, now: datetime, limit: int, but: Collection[str] = ()) -> list[Notice]:
        """Return at most `limit` notices that are due for an attempt, marked as being sent.

        `but`: channels whose notices are left where they are.
        """
        async with self._lock:
            if self.trouble is not None:
                await self._catch_up()
            ready = [notice for notice in self._held.values() if _ready(notice, now, but)][:limit]
            if len(ready) < limit:
                ready += await self._claim_on_disk(now, limit - len(ready), but)
            for notice in ready:
                if notice.key in self._held:
                    self._held[notice.key] = replace(notice, state=NoticeState.SENDING)
            return ready

    async def _claim_on_disk(self, now: datetime, limit: int, but: Collection[str]) -> list[Notice]:
        """Claim notices where they lie; while their rows cannot be changed, take them into memory."""
        try:
            if self.trouble is None:
                return await self.ask(self.store.claim, now, limit, but)
        except StoreError as error:
            self._in_trouble(error)
        try:
            lying = await self.ask(self.store.ready, now, limit + len(self._owed), but)
        except StoreError as error:
            self._in_trouble(error)
            return []
        fresh = [notice for notice in lying if notice.key not in self._held][:limit]
        self._held.update({notice.key: notice for notice in fresh})
        self._owed.update(notice.key for notice in fresh)
        return fresh

    async def hurry(self, channel: str, now: datetime) -> None:
        """Let no notice wait any longer for its next attempt by `channel`."""
        async with self._lock:
            for notice in self._held.values():
                if notice.state is NoticeState.PENDING and notice.channel == channel:
                    self._held[notice.key] = replace(notice, next_try_at=now)
            try:
                await self.ask(self.store.hurry, channel, now)
            except StoreError as error:
                self._in_trouble(error)

    async def settle(self, notice: Notice, end: Settlement) -> None:
        """Record how the attempt at `notice` ended, on disk or, as long as that cannot be, in memory."""
        async with self._lock:
            if notice.key not in self._held:
                self._owed.add(notice.key)
            self._held[notice.key] = _settled(notice, end)
            if notice.key in self._owed:
                await self._catch_up()

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
        """How many entries wait for room on the disk."""
        return len(self._backlog) + len(self._owed)

    async def close(self) -> None:
        """Write what can be written and close the store."""
        await self.retry()
        if self.waiting:
            log.error("entries are lost", extra={"event": "entries_lost", "waiting": self.waiting})
        await self.flush_samples()
        await self.ask(self.store.close)
        self._thread.shutdown(wait=True)


def _ready(notice: Notice, now: datetime, but: Collection[str]) -> bool:
    due = notice.next_try_at is None or notice.next_try_at <= now
    return notice.state is NoticeState.PENDING and due and notice.channel not in but


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
