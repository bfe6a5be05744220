"""The mailbox to which people answer: visited now and then, in a thread of its own that holds back nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta

from alerts.imap_url import MailServer, parse_imap_url
from alerts.mailbox import LONGEST_VISIT, Filing, Mark, visit
from alerts.parcel import TransportError
from alerts.reply import Reply
from monitor.core.text import Text, say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.answers import Answers
from monitor.daemon.desk import Desk
from monitor.secret import Unresolved
from monitor.store import StoreError

log = logging.getLogger(__name__)
LOOK_BACK = timedelta(days=2)
"""Older mails are not looked at: what they answer is over, and a mailbox may hold years of them."""
JUDGED_WITHIN = 30.0
"""Seconds that the journal may take over one answer."""
GIVE_UP = 2 * LONGEST_VISIT
"""Seconds after which a visit is given up by us, whatever its sockets say."""
Report = Callable[[Verdict, datetime, float], Awaitable[None]]


class Unjudged(Exception):
    """What an answer means was not found out in time; it is judged by the next visit."""


class MailIn:
    """Visits the mailbox of the inventory until stopped; `report` is told how that went."""

    def __init__(self, desk: Desk, answers: Answers, report: Report) -> None:
        self._desk, self._answers, self._report = desk, answers, report
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="mailbox")
        self._visiting: Future[Mark] | None = None
        self._marks: dict[MailServer, Mark] = {}
        self._swapped = asyncio.Event()

    def swap(self) -> None:
        """Take it that the inventory has changed."""
        self._swapped.set()

    async def run(self) -> None:
        """Visit until cancelled."""
        while True:
            replies = self._desk.inventory.replies
            url = None if replies is None else replies.imap
            if replies is not None and url is not None:
                try:
                    await self._turn()
                except Exception:
                    log.exception("a visit to the mailbox failed", extra={"event": "mailbox_bug"})
            self._swapped.clear()
            try:
                async with asyncio.timeout(None if replies is None else replies.every.total_seconds()):
                    await self._swapped.wait()
            except TimeoutError:
                continue

    async def _turn(self) -> None:
        loop, now = asyncio.get_running_loop(), self._desk.clock.now()
        began = loop.time()
        trouble = await self._visited(now, loop)
        if trouble is None:
            verdict = Verdict(Severity.OK, say("Answers by mail are read"))
        else:
            text = say(
                "Answers by mail are not read: {why}. Acknowledge by the link or on the command line", why=trouble
            )
            verdict = Verdict(Severity.WARNING, text)
        await self._report(verdict, now, loop.time() - began)

    async def _visited(self, now: datetime, loop: asyncio.AbstractEventLoop) -> Text | None:
        """Visit once; return what is wrong, if anything is."""
        if self._visiting is not None and not self._visiting.done():
            return say("a visit to the mailbox hangs")
        try:
            server = self._server()
            mark = self._marks.get(server, Mark())
            since = (now - LOOK_BACK).date()
            self._visiting = self._threads.submit(visit, server, since, mark, lambda reply: self._judge(reply, loop))
            async with asyncio.timeout(GIVE_UP):
                self._marks = {server: await asyncio.wrap_future(self._visiting)}
        except TransportError as error:
            return error.text
        except TimeoutError:
            return say("no end within {span}", span=timedelta(seconds=GIVE_UP))
        return None

    def _server(self) -> MailServer:
        replies = self._desk.inventory.replies
        assert replies is not None and replies.imap is not None
        try:
            return parse_imap_url(replies.imap.reveal())
        except Unresolved as error:
            raise TransportError(error.text, ours=True) from error

    def _judge(self, reply: Reply, loop: asyncio.AbstractEventLoop) -> Filing:
        """Let the daemon's loop judge; called in the thread of the mailbox."""
        judging = asyncio.run_coroutine_threadsafe(self._answers.by_mail(reply), loop)
        try:
            return judging.result(JUDGED_WITHIN)
        except TimeoutError as error:
            judging.cancel()
            raise Unjudged(reply.id) from error
        except StoreError:
            raise
        except Exception:  # a fault of ours with one mail must not keep the next from being heard
            log.exception("a mail was passed over", extra={"event": "mail_passed_over", "mail": reply.id})
            return Filing.LEFT

    def close(self) -> None:
        """Begin no other visit."""
        self._threads.shutdown(wait=False, cancel_futures=True)
