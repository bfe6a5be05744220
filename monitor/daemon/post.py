"""The post: takes notices out of the outbox, hands them to their channel, records how that ended."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from alerts.delivery import Again, Dead, Other, Parcel, TransportError, after_failure, deliver
from alerts.notice import Notice, NoticeState
from alerts.protocol import Channel, Contact
from monitor.core.text import say
from monitor.daemon.desk import Desk
from monitor.daemon.journal import Journal, Settlement

log = logging.getLogger(__name__)

SENDERS = 8
"""Messages handed over at once; their own threads, so that no hung probe ever holds back an alarm."""
LOOK_EVERY = 1.0
"""Seconds between two looks into the outbox when nothing wakes the post."""
GIVE_UP = 120.0
"""Seconds after which one attempt is given up by us, whatever its sockets say."""


class Post:
    """Sends what the journal holds, until stopped.

    `sent` and `failed` count attempts since the start; `died_at` is when the last notice was given up.
    """

    def __init__(self, desk: Desk, journal: Journal) -> None:
        self._desk, self._journal = desk, journal
        self._threads = ThreadPoolExecutor(SENDERS, thread_name_prefix="notice")
        self._sending: set[asyncio.Task[None]] = set()
        self.sent = 0
        self.failed = 0
        self.died_at: datetime | None = None

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            try:
                room = SENDERS - len(self._sending)
                notices = await self._journal.claim(self._desk.clock.now(), room) if room else []
                for notice in notices:
                    task = asyncio.create_task(self._send(notice), name=f"send {notice.key}")
                    self._sending.add(task)
                    task.add_done_callback(self._sending.discard)
            except Exception:
                log.exception("the outbox could not be read", extra={"event": "outbox_trouble"})
            await self._wait()

    async def _wait(self) -> None:
        woken = asyncio.create_task(self._desk.mail_waiting.wait())
        await asyncio.wait({woken, *self._sending}, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
        woken.cancel()
        self._desk.mail_waiting.clear()

    async def once(self) -> None:
        """Make one attempt at everything that is due now, and wait for its end."""
        for notice in await self._journal.claim(self._desk.clock.now(), 10_000):
            await self._send(notice)

    async def drain(self, patience: float) -> None:
        """Let what is being sent come to its end, for `patience` seconds at most."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=patience)
        for task in self._sending:
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _send(self, notice: Notice) -> None:
        desk = self._desk
        channel = desk.inventory.channels.get(notice.channel)
        contact = desk.inventory.contacts.get(notice.key.recipient)
        try:
            if channel is None:
                text = say("the inventory no longer has the channel {channel}", channel=notice.channel)
                raise TransportError(text, permanent=True)
            answer = await self._hand_over(notice, channel)
        except TransportError as error:
            await self._failed(notice, error, contact)
        except Exception as error:
            log.exception("sending failed", extra={"event": "send_bug", "notice": str(notice.key)})
            text = say("sending itself failed: {error}", error=type(error).__name__)
            await self._failed(notice, TransportError(text), contact)
        else:
            self.sent += 1
            end = Settlement(
                NoticeState.SENT,
                desk.clock.now(),
                answer,
                notice.attempts + 1,
                notice.channel,
                notice.address,
                notice.tried,
            )
            await self._journal.settle(notice.key, end)
            log.info("notice sent", extra={"event": "notice_sent", "notice": str(notice.key), "answer": answer})

    async def _hand_over(self, notice: Notice, channel: Channel) -> str:
        parcel = Parcel(
            notice=notice,
            channel=channel,
            recipient_name=self._name_of(notice),
            site_name=self._desk.inventory.site.name,
            audit_head=await self._journal.ask(self._journal.store.audit_head),
            unwritten=self._journal.trouble is not None,
        )
        work = asyncio.get_running_loop().run_in_executor(self._threads, deliver, parcel)
        try:
            async with asyncio.timeout(GIVE_UP):
                receipt = await work
        except TimeoutError as error:
            raise TransportError(say("no end within {span}", span=timedelta(seconds=GIVE_UP))) from error
        return receipt.answer

    def _name_of(self, notice: Notice) -> str:
        contact = self._desk.inventory.contacts.get(notice.key.recipient)
        return contact.name if contact is not None else notice.key.recipient

    async def _failed(self, notice: Notice, error: TransportError, contact: Contact | None) -> None:
        desk, now = self._desk, self._desk.clock.now()
        self.failed += 1
        step = after_failure(notice, error, contact, desk.inventory.channels, desk.links_down(), now)
        answer = desk.letters.own_words(error.text)
        attempts = notice.attempts + 1
        match step:
            case Again(at):
                end = Settlement(
                    NoticeState.PENDING, now, answer, attempts, notice.channel, notice.address, notice.tried, at
                )
            case Other(channel, address, at, tried):
                end = Settlement(NoticeState.PENDING, now, answer, attempts, channel, address, tried, at)
            case Dead():
                self.died_at = now
                end = Settlement(NoticeState.DEAD, now, answer, attempts, notice.channel, notice.address, notice.tried)
        log.warning(
            "notice not sent",
            extra={"event": "notice_failed", "notice": str(notice.key), "why": answer, "next": type(step).__name__},
        )
        await self._journal.settle(notice.key, end)
