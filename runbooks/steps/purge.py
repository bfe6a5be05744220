"""Step `purge`: delete the oldest archived recordings until the disk is no fuller than it should be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from monitor.core.text import N_, Quantity, Text, say
from probes.params import Duration
from runbooks.contract import Action, Answer, Effect, Image, Io, Outcome, Progress, Recordings, StepParams, Subject
from runbooks.ledger import Tally
from runbooks.paths import shown_path
from runbooks.recordings import in_ledger
from runbooks.recordings_room import Until, Usage, meant, needed, usage_of

if TYPE_CHECKING:
    from runbooks.recordings_purge import Purge as Purging

LOOK_AGAIN = 2.0
"""Seconds between two looks at a check that lags."""
SEEN_AT_LEAST = 0.5
"""Share of what was freed that must show before more is deleted than the first look asked for: a check that shows
nothing of it is late, and is not to have everything deleted meanwhile."""


class PurgeParams(StepParams):
    """Keys of the step."""

    until: Until = Field(default=75.0, description=N_("how full the disk may be afterwards"))
    batch: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=200, description=N_("files that are deleted at most before the disk is looked at again")
    )
    lag: Annotated[Duration, Field(ge=timedelta(0))] = Field(
        default=timedelta(seconds=30), description=N_("how long the check may take to show what was deleted")
    )
    recordings: str | None = Field(default=None, description=N_("only these; all of the device, if absent"))


class Purge:
    """Deletes only what is proven to be in the archive and older than `keep`."""

    kind: ClassVar[str] = "purge"
    Params: ClassVar[type[PurgeParams]] = PurgeParams

    def actions(self, params: PurgeParams, subject: Subject) -> tuple[Action, ...]:
        """Return one action for each folder of recordings of the device. Raises StepFailed when there is none."""
        return tuple(self._action(params, one) for one in meant(subject, params.recordings, of_disk=True))

    def _action(self, params: PurgeParams, recordings: Recordings) -> Action:
        data = params.model_copy(update={"recordings": recordings.id}).model_dump(mode="json")
        said = say(
            "delete the oldest recordings of {folder} on {device} until its disk is at most {until} full: only what is "
            "proven to be in the archive, and nothing younger than {keep}",
            folder=shown_path(recordings.folder),
            device=recordings.device.name,
            until=Quantity(params.until, "%"),
            keep=recordings.keep,
        )
        return Action(self.kind, data, recordings.device.name, Effect.CHANGES, said, timedelta(0))

    async def before(self, params: PurgeParams, subject: Subject, io: Io) -> Image:
        """Return how full the disk is. Raises StepFailed where nobody can tell."""
        usage = await needed(subject, io)
        return {"used": usage.used, "size": usage.size}

    async def apply(self, params: PurgeParams, before: Image, subject: Subject, io: Io) -> Outcome:
        """Delete until the disk is empty enough or nothing more may go; that it was not enough is for the proof to say.

        Raises StepFailed: nobody can tell how full the disk is, the ledger fails, the archive is gone, the link is cut.
        """
        (recordings,) = meant(subject, params.recordings, of_disk=True)
        usage = await needed(subject, io)
        if not usage.above(params.until):
            text = say("the disk is only {used} full: nothing to delete", used=Quantity(usage.used, "%"))
            return Outcome(text, changed=False, evidence={"used_before": usage.used, "used_after": usage.used})
        async with _opened(recordings, io) as purge:
            after = await _Descent(params, subject, io, purge).down_from(usage)
            return await _outcome(params, purge, usage, after)

    async def done(self, params: PurgeParams, before: Image, subject: Subject, io: Io) -> Answer:
        """Return NO: purging again is harmless. It begins with how full the disk is now, and each file is judged anew;
        one that was deleted and not noted is found absent.
        """
        return Answer.NO


@asynccontextmanager
async def _opened(recordings: Recordings, io: Io) -> AsyncIterator[Purging]:
    from runbooks.recordings_purge import Purge as Purging  # noqa: PLC0415 - with it comes asyncssh
    from runbooks.recordings_sftp import Folder  # noqa: PLC0415 - likewise

    ledger, horizon = await io.ledger(), io.clock.now() - recordings.keep
    async with io.hosts.sftp(recordings.device) as source, io.hosts.sftp(recordings.archive) as archive:
        purge = Purging(
            recordings,
            io,
            ledger,
            Folder(source, recordings.device.name, recordings.folder),
            Folder(archive, recordings.archive.name, recordings.archive_folder),
            horizon,
            ledger.oldest(recordings.id, horizon),
        )
        await purge.refuse_without_archive()
        yield purge


class _Descent:
    """Deletes batch by batch while the check is above `until`."""

    def __init__(self, params: PurgeParams, subject: Subject, io: Io, purge: Purging) -> None:
        self._params, self._subject, self._io, self._purge = params, subject, io, purge

    async def down_from(self, start: Usage) -> Usage:
        """Delete, and return how full the disk is then, as far as the check shows."""
        now = start
        while goal := now.above(self._params.until):
            freed, after = await self._freed(goal, now)
            if freed < goal or not after.above(self._params.until):
                return after
            after = await self._settled(after)
            if now.above(0) - after.above(0) < SEEN_AT_LEAST * freed:
                return after
            now = after
        return now

    async def _freed(self, goal: int, now: Usage) -> tuple[int, Usage]:
        """Delete `goal` bytes by our own count, less if the check is content before; return how many, and the check."""
        freed = 0
        while freed < goal and not self._io.halted():
            count = await self._purge.delete(goal - freed, self._params.batch)
            if count is None:
                break
            freed += count
            self._tell(freed, goal)
            now = await self._look(now)
            if not now.above(self._params.until):
                break
        return freed, now

    async def _settled(self, now: Usage) -> Usage:
        """Wait until the check shows that enough was deleted, for as long as it may lag."""
        clock, until = self._io.clock, self._io.clock.boot() + self._params.lag.total_seconds()
        while now.above(self._params.until) and (left := until - clock.boot()) > 0 and not self._io.halted():
            await asyncio.sleep(min(LOOK_AGAIN, left))
            now = await self._look(now)
        return now

    async def _look(self, last: Usage) -> Usage:
        """Return how full the disk is; what it was `last` where the check cannot look just now."""
        return usage_of(await self._io.look(self._subject.check)) or last

    def _tell(self, freed: int, goal: int) -> None:
        done = self._purge.done
        text = say("archived recordings deleted: {files}, {size}", files=done.files, size=Quantity(done.size, "By"))
        self._io.progress(Progress(freed, goal, "By", text))


async def _outcome(params: PurgeParams, purge: Purging, before: Usage, after: Usage) -> Outcome:
    done, of = purge.done, purge.recordings
    evidence: dict[str, Any] = {**done.evidence, "used_before": before.used, "used_after": after.used}
    text = say(
        "archived recordings deleted: {files}, {size}; the disk is {used} full",
        files=done.files,
        size=Quantity(done.size, "By"),
        used=Quantity(after.used, "%"),
    )
    missing = after.above(params.until)
    if missing:
        tally = await in_ledger(
            purge.ledger.tally, of.id, seen_before=purge.io.clock.now(), written_before=purge.horizon
        )
        evidence |= {"missing": missing, "young": tally.young.files, "unproven": _unproven(tally)}
        text = say("{text}. {more}", text=text, more=_why_not_enough(params, purge, tally, missing))
    return Outcome(text, changed=done.files > 0, evidence=evidence)


def _unproven(tally: Tally) -> int:
    return tally.closed.files + tally.open.files


def _why_not_enough(params: PurgeParams, purge: Purging, tally: Tally, missing: int) -> Text:
    return say(
        "To come down to {until}, {missing} more would have to go. Recordings kept because they are younger than "
        "{keep}: {young}; not archived yet: {unproven}; could not be deleted: {left}",
        until=Quantity(params.until, "%"),
        missing=Quantity(missing, "By"),
        young=tally.young.files,
        keep=purge.recordings.keep,
        unproven=_unproven(tally),
        left=sum(purge.done.left.values()),
    )
