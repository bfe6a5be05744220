"""One round of archiving: a look at the folder, and files copied side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, field
from datetime import datetime

from monitor.core.text import Quantity, Text, say
from probes.cleaning import one_line
from runbooks.contract import Io, Progress, Recordings, StepFailed
from runbooks.ledger import Amount, Ledger, Proven, Seen
from runbooks.paths import shown_path
from runbooks.recordings import ArchiveReport, NotArchived, Want, in_ledger
from runbooks.recordings_copy import Copied, Fate, archive_file, same_name
from runbooks.recordings_look import LeftOut, Names, look
from runbooks.recordings_mirror import replaced
from runbooks.recordings_sftp import Folder, Pace, SftpTrouble, Trouble, full

AT_ONCE, LARGE_AT_ONCE = 32, 16
"""Files under way at once: a small one waits for some ten answers, one after the other, and what is asked at the same
time travels together; of those that take more than one block, fewer keep the line full, in half the memory."""
PAGE = 500
"""Files taken from the ledger at once."""
PROVEN_AT_ONCE, PROVEN_EVERY = 64, 1.0
"""Proofs are noted when there are so many, or when the first of them is so many seconds old: a commit each costs more
than copying a small file, and what a crash forgets is recognised by its hash."""
FAILED_IN_A_ROW = 10
"""Failures without a success between them after which the archive is given up: it is not about the files any more."""
NAMED = 5
"""Files that failed of which a report gives the names."""
TOLD_EVERY = 1.0
"""Seconds between two reports of progress."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the folder showed: how many files, and what is never archived. `at`: when it began."""

    seen: int
    left_out: Text | None
    at: datetime


@dataclass(slots=True)
class _Work:
    """What was done so far. `room`: bytes that the archive has left, None where it does not say."""

    want: Want
    ready: Amount
    room: int | None
    fates: dict[Fate, int] = field(default_factory=dict)
    failed: list[NotArchived] = field(default_factory=list)
    in_a_row: int = 0
    begun: int = 0
    begun_size: int = 0
    size: int = 0
    ended: Text | None = None
    names: set[str] = field(default_factory=set)
    proven: list[Proven] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    noted_at: float = 0.0
    told_at: float = 0.0
    large: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LARGE_AT_ONCE))

    def enough(self) -> bool:
        """Return whether no further file is to be begun."""
        files, size = self.want.files, self.want.size
        return (
            self.ended is not None
            or (files is not None and self.begun >= files)
            or (size is not None and self.begun_size >= size)
        )

    def clashes(self, name: str, seen: Seen) -> bool:
        """Return whether the copy may have the name of one under way, or there may be no room for all of them."""
        return name in self.names or (bool(self.names) and self.room is not None and self.room < seen.size)

    def begin(self, seen: Seen) -> None:
        self.begun, self.begun_size = self.begun + 1, self.begun_size + seen.size
        if self.room is not None:
            self.room -= seen.size

    def end(self, copied: Copied) -> None:
        """Count one attempt; what is not proven leaves its place to another file."""
        seen, fate = copied.seen, copied.fate
        self.fates[fate] = self.fates.get(fate, 0) + 1
        if fate is Fate.PROVEN and copied.proven is not None:
            self.size += seen.size
            self.in_a_row = 0
            self.proven.append(copied.proven)
            return
        self.take_back(seen)
        if fate is Fate.GONE:
            self.gone.append(seen.path)
        elif fate is Fate.FAILED:
            self.in_a_row += 1
            if len(self.failed) < NAMED:
                self.failed.append(NotArchived(one_line(seen.path), copied.why))

    def take_back(self, seen: Seen) -> None:
        self.begun, self.begun_size = self.begun - 1, self.begun_size - seen.size
        if self.room is not None:
            self.room += seen.size


@dataclass(frozen=True, slots=True)
class Round:
    """A folder of recordings and its archive, connected. `pace` is what comes from both hosts together."""

    recordings: Recordings
    io: Io
    ledger: Ledger
    source: Folder
    archive: Folder
    pace: Pace

    async def look(self) -> Look:
        """Note what lies in the folder. Raises StepFailed when it cannot be listed, or the ledger fails."""
        at, left_out, count = self.io.clock.now(), LeftOut(), 0
        try:
            names = Names(self.recordings.match, self.archive.path)
            async with aclosing(look(self.source, names, left_out)) as batches:
                async for batch in batches:
                    count += await in_ledger(self.ledger.look, self.recordings.id, batch, at)
        except SftpTrouble as trouble:
            raise StepFailed(
                say(
                    "cannot list {folder} on {device}: {why}",
                    folder=shown_path(self.source.path),
                    device=self.source.host,
                    why=trouble.why,
                ),
                remedy=say("Check the folder in recordings of the inventory, and that the user of SSH may read it"),
            ) from trouble
        return Look(count, left_out.text, at)

    async def copy(self, want: Want, look: Look) -> ArchiveReport:
        """Archive what was closed at `look`, oldest first. Raises StepFailed when the archive or the ledger fails."""
        try:
            room = await self._room(look)
        except SftpTrouble as trouble:
            raise StepFailed(trouble.why) from trouble
        seen_before = look.at - self.recordings.closed_after
        tally = await in_ledger(
            self.ledger.tally, self.recordings.id, seen_before=seen_before, written_before=want.written_before
        )
        work = _Work(want, tally.closed, room)
        try:
            await self._copy_pages(work, seen_before)
        finally:
            await self._note(work)
        return self._report(work, look)

    async def _room(self, look: Look) -> int | None:
        """Return the bytes that the archive has left, None where it does not say; its folder is made the first time.

        Once something was archived there, a folder that is missing is a disk that is not mounted: made anew, it would
        fill the wrong one.
        """
        if not await self.archive.is_there():
            used = await in_ledger(lambda: next(self.ledger.oldest(self.recordings.id, look.at), None) is not None)
            where = {"folder": shown_path(self.archive.path), "device": self.archive.host}
            if used:
                raise StepFailed(
                    say("the archive {folder} on {device} is gone", **where),
                    remedy=say("Mount its disk, or make the folder anew if the copies are really lost"),
                )
            await self.archive.make()
        return await self.archive.free()

    async def _copy_pages(self, work: _Work, seen_before: datetime) -> None:
        last: Seen | None = None
        while not work.enough() and not self.io.halted():
            page = await in_ledger(
                self.ledger.closed,
                self.recordings.id,
                seen_before,
                PAGE,
                after=last,
                written_before=work.want.written_before,
            )
            if not page:
                return
            last = page[-1]
            await self._copy_page(page, work)

    async def _copy_page(self, page: list[Seen], work: _Work) -> None:
        todo, later, broken = iter(page), list[Seen](), None
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(AT_ONCE, len(page))):
                    group.create_task(self._work_off(todo, later, work))
        except* StepFailed as failed:
            broken = failed.exceptions[0]
        if broken is not None:
            raise broken
        await self._work_off(iter(later), [], work)

    async def _work_off(self, todo: Iterator[Seen], later: list[Seen], work: _Work) -> None:
        """Archive what comes from `todo`, and put into `later` what must not be under way beside others."""
        while not work.enough() and not self.io.halted():
            seen = next(todo, None)
            if seen is None:
                return
            name = same_name(seen.path)
            if work.clashes(name, seen):
                later.append(seen)
                continue
            work.names.add(name)
            try:
                async with work.large if seen.size > self.source.block else nullcontext():
                    if not work.enough() and not self.io.halted():  # it may have waited for long
                        await self._attempt(seen, work)
            finally:
                work.names.discard(name)

    async def _attempt(self, seen: Seen, work: _Work) -> None:
        work.begin(seen)
        try:
            copied = await self._archive(seen, work)
        except SftpTrouble as trouble:
            work.take_back(seen)
            work.ended = full(self.archive, None) if trouble.kind is Trouble.FULL else trouble.why
            return
        if copied is None:
            work.take_back(seen)
            return
        work.end(copied)
        await self._note_when_due(work)
        self._tell(work)

    async def _archive(self, seen: Seen, work: _Work) -> Copied | None:
        """Return what became of the file, None if there is no room for it. Raises SftpTrouble."""
        if work.room is not None and work.room < 0:
            # What others deleted or wrote there meanwhile is not in our sum.
            free = await self.archive.free()
            work.room = None if free is None else free - seen.size
            if work.room is not None and work.room < 0:
                work.ended = full(self.archive, free)
                return None
        copied = await archive_file(
            seen, self.source, self.archive, self.pace, self.io.clock, replaced if self.recordings.mirror else None
        )
        if copied.fate is Fate.FAILED:
            await self._after_failure(seen, work)
        return copied

    async def _after_failure(self, seen: Seen, work: _Work) -> None:
        """A full disk is no more than a failure in version 3 of SFTP; the next files would fail as well."""
        free = await self.archive.free()
        if free is not None and free < seen.size:
            work.ended = full(self.archive, free)
        elif work.in_a_row + 1 >= FAILED_IN_A_ROW:
            work.ended = say("{n} files in a row could not be archived", n=work.in_a_row + 1)

    async def _note_when_due(self, work: _Work) -> None:
        now = asyncio.get_running_loop().time()
        if len(work.proven) >= PROVEN_AT_ONCE or now - work.noted_at >= PROVEN_EVERY:
            work.noted_at = now
            await self._note(work)

    async def _note(self, work: _Work) -> None:
        """Note in the ledger what was found out since the last time."""
        proven, gone = work.proven, work.gone
        work.proven, work.gone = [], []
        if proven:
            await in_ledger(self.ledger.prove, self.recordings.id, proven)
        if gone:
            await in_ledger(self.ledger.deleted, self.recordings.id, gone, self.io.clock.now())

    def _tell(self, work: _Work) -> None:
        now = asyncio.get_running_loop().time()
        if now - work.told_at < TOLD_EVERY:
            return
        work.told_at = now
        total = work.ready.size if work.want.size is None else min(work.ready.size, work.want.size)
        text = say(
            "recordings archived and read back: {files}, {size}",
            files=work.fates.get(Fate.PROVEN, 0),
            size=Quantity(work.size, "By"),
        )
        self.io.progress(Progress(work.size, total, "By", text))

    def _report(self, work: _Work, look: Look) -> ArchiveReport:
        fates = {fate: work.fates.get(fate, 0) for fate in Fate}
        return ArchiveReport(
            self.recordings.id,
            seen=look.seen,
            closed=work.ready.files,
            proven=fates[Fate.PROVEN],
            size=work.size,
            failures=fates[Fate.FAILED],
            failed=tuple(work.failed),
            in_use=fates[Fate.IN_USE],
            changed=fates[Fate.CHANGED],
            gone=fates[Fate.GONE],
            left=max(0, work.ready.files - sum(fates.values())),
            left_out=look.left_out,
            ended=work.ended,
            mirror=self.recordings.mirror,
        )
