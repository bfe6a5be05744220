"""The store as the daemon sees it: threads that wait for the disk, and a memory that takes over while it fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from alerts.notice import Notice, NoticeKey, NoticeState
from monitor.clock import Clock, SystemClock
from monitor.core.events import EventKind
from monitor.core.ids import IncidentId
from monitor.core.incident import Incident
from monitor.core.text import Text
from monitor.daemon.settlement import Settlement
from monitor.daemon.worker import Hangs, Worker
from monitor.store import Batch, Sample, Store, StoreError, disk_hangs

log = logging.getLogger(__name__)
R = TypeVar("R")
HANGS_AFTER = 15.0
"""Seconds without an answer after which a disk hangs: longer than another program's lock is waited for, and short
enough for the first notice, which is due within half a minute, to leave from memory."""
MOST_SAMPLES = 200_000
"""Samples kept in memory while the history cannot be written; older ones are given up first."""
KEPT_WITHIN = 2.0
"""Seconds that a message waits at most for the number of its incident to be kept on a disk that is in trouble."""
COUNTED_EVERY = 5.0
"""Seconds between two countings of the outbox (some 5 ms for 100 000 notices), which anybody on the network can ask for
as often as they like, of the one thread that also writes."""


class Journal:
    """All access to the store; nothing handed in is lost while the process lives.

    The state has one thread and the samples another, so that a long look at them holds up no notice. When the disk
    cannot be written (full, locked, failing, silent for `patience` seconds), batches wait in memory in their order, and
    only `retry` asks it again, for each answer may take seconds. Notices leave from memory meanwhile: those of the
    batches, and those on disk whose row cannot be changed.
    `trouble` and `history_trouble` say what is wrong, for people; `room_kept`: space is kept back for the state.
    """

    def __init__(self, store: Store, clock: Clock | None = None, patience: float = HANGS_AFTER) -> None:
        self.store = store
        self._clock = clock or SystemClock()
        self._patience = patience
        self._state, self._history, self._numbers = Worker("store"), Worker("history"), Worker("numbers")
        self._backlog: list[Batch] = []
        self._held: dict[NoticeKey, Notice] = {}
        """Notices that are in memory only, or further on there than on disk."""
        self._owed: set[NoticeKey] = set()
        """Those among them that have a row on disk, which has yet to be told."""
        self._refused: dict[str, Exception] = {}
        self._samples: list[Sample] = []
        self._lock = asyncio.Lock()
        self._counting = asyncio.Lock()
        self._counts: dict[NoticeState, int] = {}
        self._counted_at = -COUNTED_EVERY
        self.trouble: Text | None = None
        self.history_trouble: Text | None = None
        self.room_kept = True

    async def ask(self, work: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """Run `work` in the state's thread and return what it returns. Raises StoreError also when the disk hangs."""
        return await self._do(self._state, partial(work, *args, **kwargs), self._patience)

    async def ask_history(self, work: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """Run `work`, which asks for samples and nothing else, in their thread, however long it takes."""
        return await self._do(self._history, partial(work, *args, **kwargs), None)

    async def _do(
        self,
        worker: Worker,
        work: Callable[[], R],
        patience: float | None,
        late: Callable[[R], None] = lambda result: None,
    ) -> R:
        try:
            return await worker.do(work, patience, late)
        except Hangs as error:
            raise disk_hangs(self.store.folder, timedelta(seconds=self._patience)) from error

    async def recover(self) -> None:
        """Let what the last run was sending be sent again; where the disk cannot be written, from memory.

        For the start, before any `claim`. Raises StoreError when the disk cannot even be read.
        """
        try:
            await self.ask(self.store.recover_sending)
        except StoreError as error:
            self._in_trouble(error)
            for notice in await self.ask(self.store.being_sent):
                self._held[notice.key] = replace(notice, state=NoticeState.PENDING)
                self._owed.add(notice.key)

    async def commit(self, batch: Batch) -> None:
        """Write `batch`; if the disk cannot be written, keep it and carry on.

        What is wrong with the batch itself is raised; it is not kept then.
        """
        self._wait_for_room(batch)
        if self.trouble is None:
            await self._catch_up()
        error = self._refused.pop(batch.id, None)
        if error is not None:
            raise error
        if self._waits(batch):
            await self._keep_numbers(batch)
        if self._waits(batch):
            self._held.update({notice.key: notice for notice in batch.notices})

    def _waits(self, batch: Batch) -> bool:
        return any(waiting is batch for waiting in self._backlog)

    async def _keep_numbers(self, batch: Batch) -> None:
        """Before anybody is told of an incident that is in memory only: after a kill its number must stay its own."""
        if all(event.kind is not EventKind.OPENED for event in batch.events):
            return
        try:
            await self._do(self._numbers, partial(self.store.keep_numbers, batch.events), KEPT_WITHIN)
        except StoreError:
            log.exception("a number may be given twice", extra={"event": "number_not_kept", "batch": batch.id})

    def _wait_for_room(self, batch: Batch) -> None:
        """Put `batch` behind those that wait; healths that merely moved on take the place of the same ones before.

        The first one that waits may be on its way to the disk, so it stays as it is.
        """
        if len(self._backlog) > 1 and _moves_on(self._backlog[-1]) and _moves_on(batch):
            last = self._backlog.pop()
            figures = last.figures if batch.figures is None else batch.figures
            batch = replace(batch, healths={**last.healths, **batch.healths}, figures=figures)
        self._backlog.append(batch)

    async def retry(self) -> None:
        """Try again to write what waits, and keep room back on the disk again; called now and then."""
        await self._catch_up()
        kept = await self._unless_in_trouble(self.store.restore_ballast)
        self.room_kept = self.room_kept if kept is None else kept

    async def _catch_up(self) -> None:
        """Write all that waits, in its order, as far as the disk lets us.

        What is in memory may go on meanwhile: an entry is done with when the disk has it as it stands then.
        """
        async with self._lock:
            wrote = bool(self.waiting)
            try:
                while self._backlog:
                    await self._write(self._backlog[0])
                while self._owed:
                    await self._tell_disk(next(iter(self._owed)))
            except StoreError as error:
                self._in_trouble(error)
                return
            if wrote and self.trouble is not None:
                log.warning("the journal is written again", extra={"event": "store_recovered"})
                self.trouble = None

    async def _write(self, batch: Batch) -> None:
        """Write the first batch that waits, with its notices as they stand: some have left from memory meanwhile.

        A disk that answered too late may have the batch already, with the notices as they stood at first.
        """
        notices = tuple(self._held.get(notice.key, notice) for notice in batch.notices)
        try:
            await self.ask(self.store.commit, replace(batch, notices=notices))
        except StoreError:
            raise
        except Exception as error:
            # A batch that is wrong in itself will never be written, and must not keep back those behind it.
            log.exception("a batch was refused", extra={"event": "batch_refused", "batch": batch.id})
            self._refused[batch.id] = error
        else:
            for first, notice in zip(batch.notices, notices, strict=True):
                if notice is first:
                    self._is_on_disk(notice)
                else:
                    self._owed.add(notice.key)
        self._backlog.pop(0)

    async def _tell_disk(self, key: NoticeKey) -> None:
        notice = self._held[key]
        try:
            await self.ask(
                self.store.settle,
                key,
                state=notice.state,
                at=notice.sent_at or self._clock.now(),
                answer=notice.answer,
                attempts=notice.attempts,
                next_try_at=notice.next_try_at,
                channel=notice.channel,
                address=notice.address,
                tried=notice.tried,
                handed_at=notice.handed_at,
            )
        except StoreError:
            raise
        except Exception:
            # Like a batch that is wrong in itself; memory goes on knowing it, so that it is not sent again.
            log.exception("the end of a notice was refused", extra={"event": "end_refused", "notice": str(key)})
            self._owed.discard(key)
        else:
            self._is_on_disk(notice)

    def _is_on_disk(self, notice: Notice) -> None:
        held = self._held.get(notice.key, notice)
        if held is notice:
            self._held.pop(notice.key, None)
            self._owed.discard(notice.key)
        else:
            self._owed.add(notice.key)

    async def notices(self, incident: IncidentId) -> list[Notice]:
        """Return the notices of `incident`, on disk and in memory, as they stand now."""
        found = {notice.key: notice for notice in await self.ask(self.store.notices, incident)}
        found |= {key: notice for key, notice in self._held.items() if key.incident == incident}
        return list(found.values())

    async def sent_as(self, message_ids: Collection[str]) -> list[Notice]:
        """Return the notices, on disk and in memory, whose Message-ID is one of `message_ids`."""
        found = {notice.key: notice for notice in await self.ask(self.store.sent_as, message_ids)}
        found |= {key: notice for key, notice in self._held.items() if notice.message_id in message_ids}
        return list(found.values())

    async def headlines(self, incidents: Collection[IncidentId]) -> dict[IncidentId, list[Notice]]:
        """Return the notices of each of `incidents`, on disk and in memory; on disk, of a message only the subject."""
        stored = await self.ask(self.store.headlines, incidents)
        found = {name: {notice.key: notice for notice in notices} for name, notices in stored.items()}
        for key, notice in self._held.items():
            if key.incident in found:
                found[key.incident][key] = notice
        return {name: list(notices.values()) for name, notices in found.items()}

    async def overdue(self, now: datetime) -> timedelta | None:
        """Return for how long the oldest notice on disk that has not left has been due; None when none is late.

        None also when the disk does not say.
        """
        return await self._unless_in_trouble(self.store.oldest_pending, now)

    async def audit_head(self) -> str:
        """Return the head of the audit trail; empty when the disk does not say, for no message waits for it."""
        return await self._unless_in_trouble(self.store.audit_head) or ""

    async def interruptions(
        self, since: datetime, limit: int
    ) -> list[tuple[Incident, Mapping[str, Any] | None]] | None:
        """Return what interrupted the client's service and ended since then; None when the disk does not say."""
        return await self._unless_in_trouble(self.store.interruptions, since, limit)

    async def notice_counts(self) -> dict[NoticeState, int]:
        """Return how many notices on disk were in each state some seconds ago; nothing when the disk does not say."""
        async with self._counting:
            now = self._clock.boot()
            if now - self._counted_at >= COUNTED_EVERY:
                self._counts = await self._unless_in_trouble(self.store.notice_counts) or {}
                self._counted_at = now
        return self._counts

    async def _unless_in_trouble(self, work: Callable[..., R], *args: Any) -> R | None:
        if self.trouble is not None:
            return None
        try:
            return await self.ask(work, *args)
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
        held = [notice for notice in self._held.values() if _ready(notice, now, but)]
        ready = sorted(held, key=lambda notice: notice.attempts)[:limit]
        self._being_sent(ready)
        if ready:
            return ready
        try:
            if self.trouble is None:
                work = partial(self.store.claim, now, limit, but)
                return await self._do(self._state, work, self._patience, self._take_back)
        except StoreError as error:
            self._in_trouble(error)
        return await self._take_off_disk(now, limit, but)

    def _take_back(self, claimed: list[Notice]) -> None:
        """Take over what the disk gave out when nobody waited for it any more; it is marked as being sent there."""
        for notice in claimed:
            self._held.setdefault(notice.key, replace(notice, state=NoticeState.PENDING))
            self._owed.add(notice.key)

    async def _take_off_disk(self, now: datetime, limit: int, but: Collection[str]) -> list[Notice]:
        """While their rows cannot be changed, take notices into memory."""
        try:
            lying = await self.ask(self.store.ready, now, limit + len(self._owed), but)
        except StoreError as error:
            self._in_trouble(error)
            return []
        fresh = [notice for notice in lying if notice.key not in self._held][:limit]
        self._being_sent(fresh)
        self._owed.update(notice.key for notice in fresh)
        return fresh

    def _being_sent(self, notices: list[Notice]) -> None:
        self._held.update({notice.key: replace(notice, state=NoticeState.SENDING) for notice in notices})

    async def hurry(self, channel: str | None, now: datetime) -> None:
        """Let no notice wait any longer for its next attempt by `channel` (None: by any)."""
        for notice in tuple(self._held.values()):
            if notice.state is NoticeState.PENDING and channel in (None, notice.channel):
                self._held[notice.key] = replace(notice, next_try_at=now)
        await self._unless_in_trouble(self.store.hurry, channel, now)

    async def settle(self, notice: Notice, end: Settlement) -> None:
        """Record how the attempt at `notice` ended, on disk or, as long as that cannot be, in memory."""
        if notice.key not in self._held:
            self._owed.add(notice.key)
        self._held[notice.key] = end.of(notice)
        if self.trouble is None:
            await self._catch_up()

    def keep_samples(self, samples: list[Sample]) -> None:
        """Take samples for the next `flush_samples`."""
        self._samples += samples
        del self._samples[: max(0, len(self._samples) - MOST_SAMPLES)]

    async def flush_samples(self, *, at_last: bool = False) -> None:
        """Write the samples taken so far, the next time if somebody looks at them now and it is not the last one.

        The history may fail without harm to anything else.
        """
        if not self._samples or (self._history.busy and not at_last):
            return
        samples, self._samples = self._samples, []
        try:
            await self._do(self._history, partial(self.store.write_samples, samples), self._patience)
        except StoreError as error:
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
            await self.ask_history(self.store.prune_samples, self._clock.now())
        except StoreError as error:
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
        await self.flush_samples(at_last=True)
        try:
            await self.ask(self.store.close)
        except StoreError as error:
            log.error("the store stays open", extra={"event": "store_hangs", "why": str(error)})
        for worker in (self._state, self._history, self._numbers):
            worker.end()


def _moves_on(batch: Batch) -> bool:
    """Whether `batch` brings nothing but healths, figures of copies and the clock's anchor."""
    said = (
        batch.events,
        batch.removed,
        batch.notices,
        batch.protocols,
        batch.audit,
        batch.run_events,
        batch.move_events,
    )
    return not any(said) and batch.automation is None and batch.leases is None


def _ready(notice: Notice, now: datetime, but: Collection[str]) -> bool:
    due = notice.next_try_at is None or notice.next_try_at <= now
    return notice.state is NoticeState.PENDING and due and notice.channel not in but
