"""Archiving recordings: look at the folder, copy what is closed, oldest first, and note what is proven.

A file counts as closed when two looks, `closed_after` apart, show it with the same size and time; the ledger remembers
the first of them over calls and restarts. Everything can end at any moment: what is not noted as proven is archived
again, and a copy that lies there already is recognised by its hash.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from monitor.core.text import Text, say
from runbooks.contract import Io, Recordings, StepFailed
from runbooks.ledger import Ledger, LedgerFailed, Standing

if TYPE_CHECKING:
    from runbooks.recordings_round import Round

MOST_AT_ONCE = 1000
"""Files that one call archives unless told otherwise; so long does a runbook wait that wants the archive for itself."""
LOOK_AGAIN = 1.0
"""Seconds between two looks at whether the archive is free."""
P = ParamSpec("P")
T = TypeVar("T")


class AlreadyArchiving(StepFailed):
    """Somebody is archiving into this folder just now; his temporary copies and ours would be in each other's way."""


@dataclass(frozen=True, slots=True)
class NotArchived:
    """A file that could not be archived, its name fit to be shown, and why."""

    path: str
    why: Text


@dataclass(frozen=True, slots=True)
class ArchiveReport:
    """What archiving did.

    `seen`: files in the folder; `closed`: of those, how many were ready to be archived. `proven` of them, with `size`
    bytes, were copied and read back. `failures` counts those of which `failed` names some; `in_use` could not be opened
    for reading, `changed` were written to meanwhile, `gone` had vanished; `left` were not even tried.
    `left_out`: what the folder holds and is never archived. `ended`: why it ended before its time, None if it did not.
    `looked_at`: when the folder was listed (UTC), and `standing`: how far its archive was behind afterwards, where that
    was asked for. `mirror`: the files are mirrored, and no recordings.
    """

    recordings: str
    seen: int = 0
    closed: int = 0
    proven: int = 0
    size: int = 0
    failures: int = 0
    failed: tuple[NotArchived, ...] = ()
    in_use: int = 0
    changed: int = 0
    gone: int = 0
    left: int = 0
    left_out: Text | None = None
    ended: Text | None = None
    looked_at: datetime | None = None
    standing: Standing | None = None
    mirror: bool = False

    @property
    def evidence(self) -> Mapping[str, int]:
        """The figures, for the review."""
        names = ("seen", "closed", "proven", "size", "failures", "in_use", "changed", "gone", "left")
        return {name: getattr(self, name) for name in names}

    def then(self, later: ArchiveReport) -> ArchiveReport:
        """Return both as one; what a later look showed counts for the folder."""
        return replace(
            later,
            closed=self.proven + later.closed,
            proven=self.proven + later.proven,
            size=self.size + later.size,
            failures=self.failures + later.failures,
            failed=self.failed + later.failed,
            gone=self.gone + later.gone,
        )


@dataclass(frozen=True, slots=True)
class Want:
    """How much is to be archived: at most `files`, at most about `size` bytes, only what was written before a time."""

    files: int | None = None
    size: int | None = None
    written_before: datetime | None = None


async def archive_once(recordings: Recordings, io: Io, *, most: int = MOST_AT_ONCE) -> ArchiveReport:
    """Look at the folder, archive at most `most` closed files, oldest first, and return what was done.

    Called every `recordings.every`: a file that is new at one call is closed at the next. Raises HostFault when a host
    cannot be reached, AlreadyArchiving, and StepFailed when the folder cannot be listed, the archive is not there or
    the ledger fails. What goes wrong with single files, or later on, is in the report.
    """
    async with opened(recordings, io) as round_:
        look = await round_.look()
        report = await round_.copy(Want(files=most), look)
        standing = await in_ledger(round_.ledger.standing, recordings.id)
        return replace(report, looked_at=look.at, standing=standing)


@asynccontextmanager
async def opened(recordings: Recordings, io: Io, *, patient: bool = False) -> AsyncIterator[Round]:
    """Connect to both hosts, and hold the archive meanwhile; `patient`: wait until it is free."""
    from runbooks.recordings_round import Round  # noqa: PLC0415 - with it comes asyncssh
    from runbooks.recordings_sftp import Folder, Pace  # noqa: PLC0415 - likewise

    ledger = await io.ledger()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_holding(ledger, recordings, io, patient=patient))
        source = await stack.enter_async_context(io.hosts.sftp(recordings.device))
        archive = await stack.enter_async_context(io.hosts.sftp(recordings.archive))
        rate = recordings.rate
        yield Round(
            recordings,
            io,
            ledger,
            Folder(source, recordings.device.name, recordings.folder, rate),
            Folder(archive, recordings.archive.name, recordings.archive_folder, rate),
            Pace(rate),
        )


@asynccontextmanager
async def _holding(ledger: Ledger, recordings: Recordings, io: Io, *, patient: bool) -> AsyncIterator[None]:
    name = f"{recordings.archive.name}:{recordings.archive_folder}"
    while True:
        with ledger.holding(name) as free:
            if free:
                yield
                return
        if not patient or io.halted():
            raise AlreadyArchiving(
                say("{recordings} is being archived already", recordings=recordings.id),
                remedy=say("Wait until that is done"),
            )
        await asyncio.sleep(LOOK_AGAIN)


async def in_ledger(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `work` returns, a method of the ledger, which blocks. Raises StepFailed when the ledger fails."""
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except LedgerFailed as failed:
        raise StepFailed(
            say("the list of recordings cannot be kept: {why}", why=failed.text),
            remedy=say("Until it can, nothing is deleted"),
        ) from failed
