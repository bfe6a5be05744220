"""Deleting recordings: oldest first, and only what is old enough and provably in the archive at that very moment.

Whatever happens, no recording is lost: before a batch is deleted the ledger must take down that it will be, before each
file its source and its copy are looked at again, and what was deleted but not noted is found absent the next time.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from monitor.core.text import Text, say
from runbooks.contract import Io, Recordings, StepFailed
from runbooks.ledger import Archived, Ledger
from runbooks.paths import shown_path
from runbooks.recordings import in_ledger
from runbooks.recordings_sftp import Folder, SftpTrouble, Stat, Trouble

SIDE_BY_SIDE = 16
"""Files looked at together, then deleted together, in order: so short is the time between looking and deleting."""
FIRST_BATCH = 8
"""Files of the first batch; each next one is twice as large, so that a mistake shows while it is small."""
NONE_FOUND = 8
"""Copies missing in a row, with none found before them, after which it is the archive's disk that is missing."""


class Fit(StrEnum):
    """Whether a file may be deleted, and why not."""

    YES = "yes"
    ABSENT = "absent"
    """It is not there any more."""
    YOUNG = "young"
    CHANGED = "changed"
    NO_COPY = "no copy"
    OTHER_COPY = "other copy"
    IN_USE = "in use"
    """The server refuses: another program holds it, or we may not."""
    UNSEEN = "unseen"
    """The server does not let us look at it or at its copy."""


DOUBTED = frozenset({Fit.CHANGED, Fit.NO_COPY, Fit.OTHER_COPY})
"""What is no longer proven."""


def fit(one: Archived, source: Stat | None, copy: Stat | None, horizon: int) -> Fit:
    """Return whether `one` may be deleted, given what lies at its source and in the archive now.

    `horizon`: seconds since 1970 UTC; what was written in that second or later is too young.
    """
    if source is None:
        return Fit.ABSENT
    if source != Stat(True, one.size, one.mtime):
        return Fit.CHANGED
    if source.mtime >= horizon:
        return Fit.YOUNG
    if copy is None:
        return Fit.NO_COPY
    if not copy.regular or copy.size != one.size:
        return Fit.OTHER_COPY
    return Fit.YES


def take(oldest: Iterator[Archived], size: int, most: int) -> list[Archived]:
    """Return the next files of `oldest`: as many as hold `size` bytes together, at most `most`."""
    taken: list[Archived] = []
    for one in oldest:
        taken.append(one)
        size -= one.size
        if size <= 0 or len(taken) >= most:
            break
    return taken


@dataclass(slots=True)
class Purged:
    """What was deleted so far: `oldest` and `newest` are times in seconds; `left` counts what was not, and why."""

    files: int = 0
    size: int = 0
    oldest: int | None = None
    newest: int | None = None
    left: dict[Fit, int] = field(default_factory=dict)
    batches: int = 0

    def add(self, one: Archived, fate: Fit) -> None:
        """Count one file."""
        if fate is not Fit.YES:
            self.left[fate] = self.left.get(fate, 0) + 1
            return
        self.files, self.size = self.files + 1, self.size + one.size
        self.oldest = one.mtime if self.oldest is None else min(self.oldest, one.mtime)
        self.newest = one.mtime if self.newest is None else max(self.newest, one.mtime)

    @property
    def evidence(self) -> dict[str, Any]:
        """The figures, for the review."""
        return {
            "files": self.files,
            "size": self.size,
            "oldest": _iso(self.oldest),
            "newest": _iso(self.newest),
            "left": {fate.value: count for fate, count in self.left.items()},
        }


def _iso(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


@dataclass(slots=True)
class Purge:
    """A folder of recordings and its archive, connected, and what was deleted from it so far.

    `horizon`: what was written before is old enough. `oldest`: the proven files that are left, oldest first.
    """

    recordings: Recordings
    io: Io
    ledger: Ledger
    source: Folder
    archive: Folder
    horizon: datetime
    oldest: Iterator[Archived]
    done: Purged = field(default_factory=Purged)
    missing: int | None = 0
    """Copies missing so far, None once one was found."""

    async def refuse_without_archive(self) -> None:
        """Raise StepFailed where the archive's folder is missing: then every copy would seem lost."""
        try:
            there = await self.archive.is_there()
        except SftpTrouble as trouble:
            raise StepFailed(trouble.why, evidence=self.done.evidence) from trouble
        if not there:
            raise self._archive_is_gone()

    async def delete(self, size: int, most: int) -> int | None:
        """Delete about `size` bytes, at most `most` files, oldest first; return the bytes freed, None if none is left.

        Raises StepFailed: the ledger fails, the link is cut, the archive is gone.
        """
        self.done.batches += 1
        most = min(most, FIRST_BATCH * 2 ** min(self.done.batches - 1, 20))
        batch = await in_ledger(take, self.oldest, size, most)
        if not batch:
            return None
        paths = [one.path for one in batch]
        await in_ledger(self.ledger.deleting, self.recordings.id, paths, self.io.clock.now())
        before = self.done.size
        fates, cut = await self._delete(batch)
        for one, fate in fates:
            self.done.add(one, fate)
        gone = [one.path for one, fate in fates if fate in (Fit.YES, Fit.ABSENT)]
        if gone:
            await in_ledger(self.ledger.deleted, self.recordings.id, gone, self.io.clock.now())
        self._refuse_if_none_is_found([fate for _, fate in fates])
        doubted = [one.path for one, fate in fates if fate in DOUBTED]
        if doubted:
            await in_ledger(self.ledger.doubt, self.recordings.id, doubted)
        if cut is not None:
            raise self._failed(cut)
        return self.done.size - before

    async def _delete(self, batch: list[Archived]) -> tuple[list[tuple[Archived, Fit]], Text | None]:
        """Delete what may be; return what became of each, and why that ended before its time.

        What is in neither list was not touched, or nobody knows: it is found absent the next time.
        """
        fates: list[tuple[Archived, Fit]] = []
        for start in range(0, len(batch), SIDE_BY_SIDE):
            group = batch[start : start + SIDE_BY_SIDE]
            if self.io.halted():
                break
            looks = await asyncio.gather(*(self._look_at(one) for one in group), return_exceptions=True)
            cut = _cut(looks)
            if cut is not None:
                return fates, cut
            seen = [(one, look) for one, look in zip(group, looks, strict=True) if isinstance(look, Fit)]
            fates += [(one, look) for one, look in seen if look is not Fit.YES]
            # Sent in this order, and a server answers in the order in which it was asked.
            fitting = [one for one, look in seen if look is Fit.YES]
            ends = await asyncio.gather(*(self._remove(one) for one in fitting), return_exceptions=True)
            fates += [(one, end) for one, end in zip(fitting, ends, strict=True) if isinstance(end, Fit)]
            cut = _cut(ends)
            if cut is not None:
                return fates, cut
        return fates, None

    async def _look_at(self, one: Archived) -> Fit:
        try:
            source, copy = await asyncio.gather(self.source.stat(one.path), self.archive.stat(one.copy))
        except SftpTrouble as trouble:
            if trouble.kind is Trouble.CUT:
                raise
            return Fit.UNSEEN
        return fit(one, source, copy, math.floor(self.horizon.timestamp()))

    async def _remove(self, one: Archived) -> Fit:
        try:
            await self.source.remove(one.path)
        except SftpTrouble as trouble:
            if trouble.kind is Trouble.CUT:
                raise
            return Fit.ABSENT if trouble.kind is Trouble.GONE else Fit.IN_USE
        return Fit.YES

    def _refuse_if_none_is_found(self, fates: list[Fit]) -> None:
        if self.missing is None:
            return
        if any(fate in (Fit.YES, Fit.IN_USE, Fit.OTHER_COPY) for fate in fates):
            self.missing = None
            return
        self.missing += fates.count(Fit.NO_COPY)
        if self.missing >= NONE_FOUND:
            raise self._archive_is_gone()

    def _archive_is_gone(self) -> StepFailed:
        where = {"folder": shown_path(self.archive.path), "device": self.archive.host}
        return StepFailed(
            say("the copies of the recordings are not in {folder} on {device}; nothing was deleted", **where),
            remedy=say("Mount the archive's disk"),
            evidence=self.done.evidence,
        )

    def _failed(self, why: Text) -> StepFailed:
        return StepFailed(
            say("{why}; archived recordings deleted until then: {files}", why=why, files=self.done.files),
            evidence=self.done.evidence,
        )


def _cut(answers: list[Fit | BaseException]) -> Text | None:
    """Return why the link was lost, None if it was not; what is no answer of a server is raised."""
    for answer in answers:
        if isinstance(answer, SftpTrouble):
            return answer.why
        if isinstance(answer, BaseException):
            raise answer
    return None
