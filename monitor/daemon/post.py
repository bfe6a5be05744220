"""The post: takes notices out of the outbox, hands them to their channel, records how that ended."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

from alerts.agreement import Channel, Contact
from alerts.delivery import Again, Dead, Other, Parcel, Receipt, TransportError, after_failure, deliver
from alerts.notice import Notice, NoticeState
from monitor.core.text import say
from monitor.daemon.beliefs import legible
from monitor.daemon.desk import Desk
from monitor.daemon.journal import Journal
from monitor.daemon.settlement import Settlement

log = logging.getLogger(__name__)

SENDERS = 8
"""Messages handed over at once by one channel; each channel has its own, so that none waits for another that stalls."""
LOOK_EVERY = 1.0
"""Seconds between two looks into the outbox when nothing wakes the post."""
HURRY_EVERY = timedelta(minutes=1)
"""Between two times that all who wait for a channel are tried because one message left by it."""
GIVE_UP = 120.0
"""Seconds after which one attempt is given up by us, whatever its sockets say."""


class Post:
    """Sends what the journal holds, until stopped.

    `sent` and `failed` count attempts since the start; `turned_at` is when it last looked into the outbox (loop time).
    """

    def __init__(self, desk: Desk, journal: Journal) -> None:
        self._desk, self._journal = desk, journal
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._hanging: dict[str, list[Future[Receipt]]] = {}
        self._sending: dict[asyncio.Task[None], str] = {}
        self._failing: set[str] = set()
        self._hurried: dict[str, datetime] = {}
        self.sent = 0
        self.failed = 0
        self.turned_at = 0.0

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            try:
                await self._start_sending(self._desk.clock.now())
                self.turned_at = asyncio.get_running_loop().time()
            except Exception:
                log.exception("the outbox could not be read", extra={"event": "outbox_trouble"})
            await self._wait()

    async def _start_sending(self, now: datetime) -> None:
        """Begin with every notice that is due at `now`, as long as its channel has a sender to spare."""
        while True:
            at_work = Counter(self._sending.values())
            full = [channel for channel, senders in at_work.items() if senders >= SENDERS]
            room = SENDERS - max((senders for senders in at_work.values() if senders < SENDERS), default=0)
            notices = await self._journal.claim(now, room, full)
            for notice in notices:
                task = asyncio.create_task(self._send(notice), name=f"send {notice.key}")
                self._sending[task] = notice.channel
                task.add_done_callback(self._sending.pop)
            if not notices:
                return

    async def _wait(self) -> None:
        woken = asyncio.create_task(self._desk.mail_waiting.wait())
        await asyncio.wait({woken, *self._sending}, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
        woken.cancel()
        self._desk.mail_waiting.clear()

    async def once(self) -> None:
        """Make one attempt at everything that is due now, and wait for its end."""
        now = self._desk.clock.now()
        await self._start_sending(now)
        while self._sending:
            await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)
            await self._start_sending(now)

    async def drain(self, patience: float) -> None:
        """Let what is being sent come to its end, for `patience` seconds at most."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=patience)
        for task in self._sending:
            task.cancel()
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)

    async def _send(self, notice: Notice) -> None:
        desk, handed_at = self._desk, self._desk.clock.now()
        channel = desk.inventory.channels.get(notice.channel)
        contact = desk.inventory.contacts.get(notice.key.recipient)
        try:
            if channel is None:
                text = say("the inventory no longer has the channel {channel}", channel=notice.channel)
                raise TransportError(text, permanent=True)
            answer = await self.hand_over(notice, channel)
        except TransportError as error:
            await self._failed(notice, error, contact, handed_at)
        except Exception as error:
            log.exception("sending failed", extra={"event": "send_bug", "notice": str(notice.key)})
            text = say("sending itself failed: {error}", error=type(error).__name__)
            await self._failed(notice, TransportError(text), contact, handed_at)
        else:
            self.sent += 1
            end = Settlement(
                NoticeState.SENT,
                desk.clock.now(),
                legible(answer),
                notice.attempts + 1,
                notice.channel,
                notice.address,
                notice.tried,
                handed_at=handed_at,
            )
            await self._journal.settle(notice, end)
            await self._hurry(notice.channel)
            log.info("notice sent", extra={"event": "notice_sent", "notice": str(notice.key), "answer": answer})

    async def _hurry(self, channel: str) -> None:
        """Let nothing wait for its turn to be tried again once a channel that failed works.

        Now and then only: it may work for one address and put another off.
        """
        now = self._desk.clock.now()
        if channel in self._failing and now - self._hurried.get(channel, now - HURRY_EVERY) >= HURRY_EVERY:
            self._failing.discard(channel)
            self._hurried[channel] = now
            await self._journal.hurry(channel, now)
            self._desk.mail_waiting.set()

    async def hand_over(self, notice: Notice, channel: Channel) -> str:
        """Hand `notice` over to `channel` and return the server's answer. Raises TransportError."""
        parcel = Parcel(
            notice=notice,
            channel=channel,
            recipient_name=self._name_of(notice),
            site_name=self._desk.inventory.site.name,
            audit_head=await self._journal.audit_head(),
            unwritten=self._journal.trouble is not None,
        )
        work = self._threads_of(channel).submit(deliver, parcel)
        try:
            async with asyncio.timeout(GIVE_UP):
                receipt = await asyncio.wrap_future(work)
        except TimeoutError as error:
            self._hanging.setdefault(channel.id, []).append(work)
            raise TransportError(say("no end within {span}", span=timedelta(seconds=GIVE_UP))) from error
        return receipt.answer

    def _threads_of(self, channel: Channel) -> ThreadPoolExecutor:
        """The threads of `channel`; as many as its senders may hang for ever without harm to the others."""
        hanging = [work for work in self._hanging.get(channel.id, ()) if not work.done()]
        self._hanging[channel.id] = hanging
        if len(hanging) >= SENDERS:
            raise TransportError(say("the channel {channel} hangs: no attempt comes to an end", channel=channel.id))
        if channel.id not in self._threads:
            self._threads[channel.id] = ThreadPoolExecutor(2 * SENDERS, thread_name_prefix=f"notice {channel.id}")
        return self._threads[channel.id]

    def _name_of(self, notice: Notice) -> str:
        contact = self._desk.inventory.contacts.get(notice.key.recipient)
        return contact.name if contact is not None else notice.key.recipient

    async def _failed(
        self, notice: Notice, error: TransportError, contact: Contact | None, handed_at: datetime
    ) -> None:
        desk, now = self._desk, self._desk.clock.now()
        self.failed += 1
        self._failing.add(notice.channel)
        step = after_failure(notice, error, contact, desk.inventory.channels, desk.links_down(), now)
        answer = legible(desk.letters.own_words(error.text))
        end = Settlement(
            NoticeState.PENDING, now, answer, notice.attempts + 1, notice.channel, notice.address, notice.tried
        )
        end = replace(end, handed_at=handed_at)
        match step:
            case Again(at):
                end = replace(end, next_try_at=at)
            case Other(channel, address, at, tried):
                end = replace(end, channel=channel, address=address, tried=tried, next_try_at=at)
            case Dead():
                desk.died_at = now
                end = replace(end, state=NoticeState.DEAD, next_try_at=now)
        log.warning(
            "notice not sent",
            extra={"event": "notice_failed", "notice": str(notice.key), "why": answer, "next": type(step).__name__},
        )
        await self._journal.settle(notice, end)
