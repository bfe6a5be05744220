"""The modem's inbox, to which people answer by SMS: looked into every few seconds, in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from alerts import sms_in
from alerts.gammu import spool_of
from alerts.mailbox import Filing
from alerts.parcel import TransportError
from monitor.core.text import Text, say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.answers import Answers
from monitor.daemon.desk import Desk
from monitor.secret import Unresolved

log = logging.getLogger(__name__)
EVERY = 2.0
"""Seconds between two looks; the modem itself takes some 5 s for a message."""
REPORTED_EVERY = 30.0
"""Seconds between two reports that all is well."""
LOOK_BACK = timedelta(days=2)
"""Older messages are not looked at: what they answer is over."""
GIVE_UP = 30.0
"""Seconds after which a file system that does not answer is given up."""
Report = Callable[[Verdict, datetime, float], Awaitable[None]]
R = TypeVar("R")


class SmsIn:
    """Looks into the inbox of the inventory's channel until stopped; `report` is told how that went."""

    def __init__(self, desk: Desk, answers: Answers, report: Report) -> None:
        self._desk, self._answers, self._report = desk, answers, report
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="sms in")
        self._working: Future[Any] | None = None
        self._seen: sms_in.Stamps = {}
        self._left: set[str] = set()
        """Messages that are none of ours; they stay where they are and are not read again."""
        self._judged: dict[str, Filing] = {}
        """Those that have yet to be moved where they belong."""
        self._reported: tuple[float, bool] | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            replies = self._desk.inventory.replies
            if replies is not None and replies.sms:
                try:
                    await self._turn(replies.sms)
                except Exception:
                    log.exception("a look into the inbox failed", extra={"event": "sms_in_bug"})
            await asyncio.sleep(EVERY)

    async def _turn(self, channel: str) -> None:
        loop, now = asyncio.get_running_loop(), self._desk.clock.now()
        began, trouble = loop.time(), None
        try:
            await self._look(channel, now)
        except TransportError as error:
            trouble = error.text
        except TimeoutError:
            trouble = say("no end within {span}", span=timedelta(seconds=GIVE_UP))
        reported = self._reported
        if reported is None or reported[1] is not (trouble is None) or began - reported[0] >= REPORTED_EVERY:
            self._reported = (began, trouble is None)
            await self._report(_verdict(trouble), now, loop.time() - began)

    async def _look(self, channel: str, now: datetime) -> None:
        """Take every message that is complete. Raises TransportError."""
        spool = self._spool(channel)
        found = await self._aside(sms_in.look, spool, f"{now - LOOK_BACK:%Y%m%d}")
        done = {*self._left, *self._judged}
        names = [name for name in sms_in.complete(self._seen, found) if name not in done]
        self._seen, self._left = found, self._left & set(found)
        for name in names[: sms_in.MOST_FILES]:
            sms = await self._aside(sms_in.read, spool, name)
            filing = Filing.LEFT if sms is None else await self._judge(sms)
            if filing is Filing.LEFT:
                self._left.add(name)
            else:
                self._judged[name] = filing
        await self._file(spool)

    async def _judge(self, sms: sms_in.Sms) -> Filing:
        try:
            return await self._answers.by_sms(sms)
        except Exception:  # a fault of ours with one message must not keep the next from being heard
            log.exception("a message was passed over", extra={"event": "sms_passed_over", "sms": sms.id})
            return Filing.LEFT

    async def _file(self, spool: Path) -> None:
        """Move what was judged where it belongs. Raises TransportError for the last that could not be moved."""
        trouble: TransportError | None = None
        for name, filing in tuple(self._judged.items()):
            try:
                await self._aside(sms_in.file_away, spool, name, filing)
                del self._judged[name]
            except TransportError as error:
                trouble = error
        if trouble is not None:
            raise trouble

    async def _aside(self, work: Callable[..., R], *arguments: Any) -> R:
        """Run what touches the file system in its thread; one that hangs is not given more."""
        if self._working is not None and not self._working.done():
            raise TransportError(say("the folder of the modem hangs"), ours=True)
        working = self._threads.submit(work, *arguments)
        self._working = working
        async with asyncio.timeout(GIVE_UP):
            return await asyncio.wrap_future(working)

    def _spool(self, channel: str) -> Path:
        known = self._desk.inventory.channels.get(channel)
        try:
            return spool_of("" if known is None else known.url.reveal())
        except Unresolved as error:
            raise TransportError(error.text, ours=True) from error

    def close(self) -> None:
        """Look no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _verdict(trouble: Text | None) -> Verdict:
    if trouble is None:
        return Verdict(Severity.OK, say("Answers by SMS are read"))
    text = say("Answers by SMS are not read: {why}. Acknowledge by the link or on the command line", why=trouble)
    return Verdict(Severity.WARNING, text)
