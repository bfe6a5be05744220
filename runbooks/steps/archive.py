"""Step `archive`: copy closed recordings into the archive, read each copy back, and note what is proven."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field

from monitor.core.text import N_, Quantity, Text, say, verbatim
from runbooks.contract import (
    Action,
    Answer,
    Effect,
    Image,
    Io,
    Outcome,
    Progress,
    Recordings,
    StepFailed,
    StepParams,
    Subject,
)
from runbooks.paths import shown_path
from runbooks.recordings import ArchiveReport, Want, in_ledger, opened
from runbooks.recordings_room import Until, meant, needed

HALT_SEEN_WITHIN = 1.0
"""Seconds within which the emergency stop ends a wait."""


class ArchiveParams(StepParams):
    """Keys of the step."""

    until: Until | None = Field(
        default=None, description=N_("archive only as many as must be deleted for the disk to be no fuller than this")
    )
    limit: Annotated[int, Field(ge=1)] | None = Field(default=None, description=N_("files at most"))
    recordings: str | None = Field(default=None, description=N_("only these; all of the device, if absent"))


class Archive:
    """Copies oldest first. What is proven stays proven, whatever happens to the run."""

    kind: ClassVar[str] = "archive"
    Params: ClassVar[type[ArchiveParams]] = ArchiveParams

    def actions(self, params: ArchiveParams, subject: Subject) -> tuple[Action, ...]:
        """Return one action for each folder of recordings of the device. Raises StepFailed when there is none."""
        return tuple(
            self._action(params, one) for one in meant(subject, params.recordings, of_disk=params.until is not None)
        )

    def _action(self, params: ArchiveParams, recordings: Recordings) -> Action:
        data = params.model_copy(update={"recordings": recordings.id}).model_dump(mode="json", exclude_none=True)
        where = {
            "folder": shown_path(recordings.folder),
            "device": str(recordings.device.name),
            "archive_folder": shown_path(recordings.archive_folder),
            "archive": str(recordings.archive.name),
        }
        said = say(
            "archive the closed recordings of {folder} on {device} into {archive_folder} on {archive}, and read each "
            "copy back",
            **where,
        )
        if recordings.mirror:
            said = say(
                "copy the changed files of {folder} on {device} to {archive_folder} on {archive}, and read each copy "
                "back",
                **where,
            )
        return Action(self.kind, data, recordings.archive.name, Effect.CHANGES, said, timedelta(0))

    async def before(self, params: ArchiveParams, subject: Subject, io: Io) -> Image:
        """Return nothing: whatever lies in the archive stays there as it is."""
        return {}

    async def apply(self, params: ArchiveParams, before: Image, subject: Subject, io: Io) -> Outcome:
        """Archive. Raises StepFailed where files failed and what was wanted is not there; what is proven stays so."""
        (recordings,) = meant(subject, params.recordings, of_disk=params.until is not None)
        stands_by = io.stands_by(recordings.id)
        if stands_by is not None:
            raise StepFailed(
                say("{recordings}: {why}", recordings=recordings.id, why=stands_by),
                remedy=say("Copy what comes from there, by the mirror that begins there"),
            )
        horizon = io.clock.now() - recordings.keep
        lacking = None if params.until is None else await _lacking(params.until, subject, io, horizon)
        if lacking == 0:
            return Outcome(say("enough recordings are archived already"), changed=False)
        want = Want(params.limit, lacking, None if lacking is None else horizon)
        report = await _archived(recordings, io, want)
        reached = lacking is not None and report.size >= lacking
        if (report.failures or report.ended is not None) and not reached:
            raise _failure(report)
        return Outcome(_said(report), changed=report.proven > 0, evidence=evidence(report))

    async def done(self, params: ArchiveParams, before: Image, subject: Subject, io: Io) -> Answer:
        """Return NO: archiving again is harmless. A copy that is there is recognised by its hash, and written once."""
        return Answer.NO


async def _lacking(until: float, subject: Subject, io: Io, horizon: datetime) -> int:
    """Return how many bytes must be archived before so many can be deleted, above what is archived already."""
    ledger, now = await io.ledger(), io.clock.now()
    lacking = (await needed(subject, io)).above(until)
    for one in meant(subject, None, of_disk=True):
        tally = await in_ledger(ledger.tally, one.id, seen_before=now, written_before=min(horizon, now - one.keep))
        lacking -= tally.proven.size
    return max(0, lacking)


async def _archived(recordings: Recordings, io: Io, want: Want) -> ArchiveReport:
    """Archive what two looks show to be closed. The second is taken only where it can show more."""
    async with opened(recordings, io, patient=True) as round_:
        look = await round_.look()
        report = await round_.copy(want, look)
        rest = _rest(want, report)
        if rest is None or report.ended is not None:
            return report
        # What was written to a moment ago will not be closed by then either.
        settled = want.written_before or look.at - recordings.closed_after
        tally = await in_ledger(
            round_.ledger.tally, recordings.id, seen_before=look.at - recordings.closed_after, written_before=settled
        )
        if not tally.open.files or not await _waited(recordings, io, tally.open.files):
            return report
        again = await round_.look()
        return report.then(await round_.copy(rest, again))


def _rest(want: Want, report: ArchiveReport) -> Want | None:
    """Return what is still wanted, None if nothing is."""
    files = None if want.files is None else want.files - report.proven
    size = None if want.size is None else want.size - report.size
    if (files is not None and files <= 0) or (size is not None and size <= 0):
        return None
    return Want(files, size, want.written_before)


async def _waited(recordings: Recordings, io: Io, files: int) -> bool:
    """Wait until files that were just seen for the first time may be closed; return False if a person stopped it."""
    text = say(
        "recordings seen for the first time: {files}; they are looked at again in {span}",
        files=files,
        span=recordings.closed_after,
    )
    io.progress(Progress(0, None, "By", text))
    until = io.clock.boot() + recordings.closed_after.total_seconds()
    while (left := until - io.clock.boot()) > 0:
        if io.halted():
            return False
        await asyncio.sleep(min(HALT_SEEN_WITHIN, left))
    return True


def evidence(report: ArchiveReport) -> Mapping[str, Any]:
    """Return the figures of `report`, JSON-ready, with the names of files that failed."""
    return {**report.evidence, "failed": [one.path for one in report.failed]}


def _said(report: ArchiveReport) -> Text:
    text = say(
        "recordings archived and read back: {files}, {size}", files=report.proven, size=Quantity(report.size, "By")
    )
    if report.in_use:
        text = say("{text}; could not be opened, most likely because they are in use: {n}", text=text, n=report.in_use)
    if report.left_out is not None:
        text = say("{text}; {more}", text=text, more=report.left_out)
    return text


def _failure(report: ArchiveReport) -> StepFailed:
    proven = say(
        "recordings archived and safe: {files}, {size}; nothing was deleted",
        files=report.proven,
        size=Quantity(report.size, "By"),
    )
    if report.failed:
        first = report.failed[0]
        why = say("{name} could not be archived: {why}", name=verbatim(first.path), why=first.why)
        if report.failures > 1:
            why = say("{text} (and {n} more)", text=why, n=report.failures - 1)
        if report.ended is not None:
            why = say("{text}; {more}", text=why, more=report.ended)
    else:
        why = report.ended or Text("")
    return StepFailed(say("{text}; {more}", text=why, more=proven), evidence=evidence(report))
