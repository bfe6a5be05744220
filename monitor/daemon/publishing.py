"""The public status on hosts elsewhere: sent as files when it changes, and now and then so that its age shows.

Whatever becomes of one place holds nothing else back. What a place shows says itself until when it is valid.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitor.clock import Clock
from monitor.core.text import ENGLISH, LANGUAGES, Text, say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.bucket import BucketTrouble, put_objects
from monitor.daemon.noticeboard import Noticeboard
from monitor.inventory.model import PublicBucket, PublicFolder, PublicPlace
from monitor.reports.public import PublicStatus
from monitor.reports.public_pages import AS_FILES, LONG_AGO, Form, Links, rendered
from probes.ssh import HostFault, Hosts
from runbooks.paths import shown_path
from runbooks.recordings_sftp import Folder, SftpTrouble, Trouble

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. From `first` after the start, every `look` it is seen whether anything changed for the public.

    Before that nothing was looked at yet, and a restart is no news for anybody.

    A place is left alone for `quiet` after it was written to: figures of a hundred positions move all the time. One
    that could not be reached is tried again after `retry`, then after twice as long each time, up to `every` of the
    inventory. Sending to one may take `patience`; its server is given up after `silent` without an answer.
    """

    first: float = 5.0
    look: float = 2.0
    quiet: float = 10.0
    retry: float = 10.0
    patience: float = 60.0
    silent: float = 15.0


Report = Callable[[Verdict, datetime, float], Awaitable[None]]
Files = Mapping[str, bytes]


@dataclass(slots=True)
class _Place:
    """One place: what `lies` there (None: not known), when it was written to last, and how often it failed since."""

    to: PublicPlace
    lies: PublicStatus | None = None
    sent_at: float = 0.0
    try_at: float = 0.0
    failures: int = 0
    trouble: Text | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class Publishing:
    """Sends what `board` says to every place of the inventory, until cancelled; `close` then.

    `report` is told of every attempt: what it means for all places, when it was made (UTC), how long it took (seconds).
    `sent_at`: the last one that was taken; `sent` and `failed` count since the start.
    """

    def __init__(self, board: Noticeboard, clock: Clock, report: Report, timing: Timing | None = None) -> None:
        self._board, self._clock, self._report, self._timing = board, clock, report, timing or Timing()
        self._hosts = Hosts()
        self._places: dict[str, _Place] = {}
        self._changed = asyncio.Event()
        self.sent_at: datetime | None = None
        self.sent = 0
        self.failed = 0

    def swap(self) -> None:
        """Take it that what is wanted may be another thing now."""
        self._changed.set()

    async def run(self) -> None:
        """Send until cancelled."""
        await asyncio.sleep(self._timing.first)
        try:
            while True:
                self._changed.clear()
                try:
                    await self._turn()
                except Exception:  # the edge of the task: a status that cannot be put together ends no daemon
                    log.exception("the public status was not sent", extra={"event": "public_bug"})
                try:
                    async with asyncio.timeout(self._timing.look):
                        await self._changed.wait()
                except TimeoutError:
                    pass
        finally:
            await self._let_go()

    async def once(self) -> None:
        """Send it to every place now, once: for who has just looked at everything."""
        if not self._keep_up():
            return
        status = await self._board.status(self._board.speech(), looked=True)
        await asyncio.gather(*(self._send(place, status) for place in self._places.values()))

    async def close(self) -> None:
        """End what is under way and every connection."""
        await self._let_go()
        await self._hosts.close()

    async def _turn(self) -> None:
        if not self._keep_up():
            return
        status = await self._board.status(self._board.speech())
        now = asyncio.get_running_loop().time()
        for place in self._places.values():
            if place.task is None and self._is_due(place, status, now):
                place.task = asyncio.create_task(self._send(place, status), name=f"public {place.to.name}")

    def _is_due(self, place: _Place, status: PublicStatus, now: float) -> bool:
        since, every = now - place.sent_at, self._board.inventory.public.every.total_seconds()
        if now < place.try_at:
            return False
        if place.lies is None or since >= every:
            return True
        return since >= self._timing.quiet and _timeless(place.lies) != _timeless(status)

    def _keep_up(self) -> bool:
        """Have a place for each that the inventory wants, and no other; return whether there is any."""
        wanted = self._board.inventory.public.push
        for where, place in list(self._places.items()):
            if place.to not in wanted:
                del self._places[where]
                if place.task is not None:
                    place.task.cancel()
        for to in wanted:
            self._places.setdefault(to.where, _Place(to))
        return bool(wanted)

    async def _send(self, place: _Place, status: PublicStatus) -> None:
        loop, at = asyncio.get_running_loop(), self._clock.now()
        begun = loop.time()
        try:
            place.trouble = await self._delivered(place.to, status)
            if place.trouble is None:
                place.lies, place.sent_at, place.failures, place.try_at = status, loop.time(), 0, 0.0
                self.sent_at, self.sent = at, self.sent + 1
            else:
                self._note_failure(place)
            await self._report(self._verdict(), at, loop.time() - begun)
        except Exception:  # the edge of the task: what the desk raises ends no daemon
            log.exception("what became of the public status was lost", extra={"event": "public_bug"})
        finally:
            place.task = None

    def _note_failure(self, place: _Place) -> None:
        every = self._board.inventory.public.every.total_seconds()
        wait = min(every, self._timing.retry * 2 ** min(place.failures, 16))
        place.try_at, place.failures = asyncio.get_running_loop().time() + wait, place.failures + 1
        self.failed += 1
        if place.failures == 1:
            why = ENGLISH.render(place.trouble or Text(""))
            extra = {"event": "public_not_sent", "place": place.to.name, "why": why}
            log.warning("the public status does not get to a host", extra=extra)

    async def _delivered(self, to: PublicPlace, status: PublicStatus) -> Text | None:
        """Send it; return why it did not get there, None if it did."""
        try:
            async with asyncio.timeout(self._timing.patience):
                files = await self._files(status)
                if isinstance(to, PublicBucket):
                    await put_objects(to, files, self._timing.silent)
                else:
                    await put_files(self._hosts, to, files, self._timing.silent)
        except TimeoutError:
            longest = timedelta(seconds=self._timing.patience)
            return say("{device} takes longer than {time}", device=to.name, time=longest)
        except HostFault as fault:
            return fault.text
        except (SftpTrouble, BucketTrouble) as trouble:
            return trouble.why
        except Exception as error:
            log.exception("sending the public status failed in itself", extra={"event": "public_bug"})
            return say("sending it failed in itself ({error})", error=type(error).__name__)
        return None

    async def _files(self, status: PublicStatus) -> Files:
        """The page in every language, the site's own under the name that servers look for, and the two feeds."""
        board, own = self._board, status.language
        names = {language: "index.html" if language == own else f"index.{language}.html" for language in LANGUAGES}
        links = replace(AS_FILES, pages=names)
        files = {}
        for language, name in names.items():
            words = board.speech(language)
            told = status if language == own else await board.status(words)
            files[name] = rendered(told, words, Form.HTML, links)
        words = board.speech(own)
        return files | {form: rendered(status, words, made, links) for form, made in _named(links).items()}

    def _verdict(self) -> Verdict:
        """What it means that some places have it, or some do not."""
        troubled = [place for place in self._places.values() if place.trouble is not None]
        if not troubled:
            return Verdict(Severity.OK, say("The public status is where it is shown"))
        first = troubled[0]
        text = say(
            "The public status does not get to {device}, and is out of date there before long: {why}",
            device=first.to.name,
            why=first.trouble or Text(""),
        )
        if len(troubled) > 1:
            text = say("{text}; nor to {count} more", text=text, count=len(troubled) - 1)
        return Verdict(Severity.WARNING, text)

    async def _let_go(self) -> None:
        tasks = [place.task for place in self._places.values() if place.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _named(links: Links) -> dict[str, Form]:
    return {links.status: Form.JSON, links.feed: Form.ATOM}


def _timeless(status: PublicStatus) -> PublicStatus:
    """What of a status is more than that time has passed."""
    return replace(status, written_at=LONG_AGO, seen_at=None, next_at=LONG_AGO)


async def put_files(hosts: Hosts, to: PublicFolder, files: Files, silent_for: float) -> None:
    """Write `files` into the folder, each whole or not at all. Raises HostFault or SftpTrouble."""
    async with hosts.sftp(to.device) as client:
        folder = Folder(client, to.device.name, to.folder, silent_for=silent_for)
        if not await folder.is_there():
            path = shown_path(to.folder)
            raise SftpTrouble(Trouble.GONE, say("there is no folder {path} on {device}", path=path, device=folder.host))
        for name, content in files.items():
            await _put(folder, name, content)


async def _put(folder: Folder, name: str, content: bytes) -> None:
    part = f".{name}.part"
    file = await folder.open_new(part)
    try:
        for offset in range(0, len(content), folder.block):
            await folder.write(file, offset, content[offset : offset + folder.block])
        await folder.flush(file)
    finally:
        await folder.ask(file.close())
    await folder.replace(part, name)
