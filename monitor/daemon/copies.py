"""The first channel is told later what another one took in its place, once it works again."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from alerts.copies import WITHIN, Owed, copy_of, owed
from alerts.language import speech
from alerts.notice import Copy, NoticeKey
from alerts.parcel import TransportError
from monitor.daemon.beliefs import legible
from monitor.daemon.desk import Desk
from monitor.daemon.journal import Journal
from monitor.daemon.post import Post

log = logging.getLogger(__name__)

LOOK_EVERY = 20.0
"""Seconds between two looks at what is owed."""
AGAIN_AFTER = timedelta(minutes=1)
"""Between two attempts by a channel that does not work."""


class Copies:
    """Gives what is owed to the channels that were passed over, until stopped. No notice ever waits for a copy."""

    def __init__(self, desk: Desk, journal: Journal, post: Post) -> None:
        self._desk, self._journal, self._post = desk, journal, post
        self._resting: dict[str, datetime] = {}
        self._unwritten: dict[NoticeKey, Copy] = {}
        """Those that the disk does not know of yet: nothing is given twice because it cannot be written."""

    async def run(self) -> None:
        """Look now and then until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await self.once()
            except Exception:
                log.exception("copies could not be given", extra={"event": "copies_trouble"})

    async def once(self) -> None:
        """Give each channel what it is owed; one that fails is left alone for a while after its first attempt."""
        journal, desk = self._journal, self._desk
        if journal.trouble is not None:
            return
        await self._write()
        now = desk.clock.now()
        for incident in await journal.ask(journal.store.passed_over, now - WITHIN):
            notices = await journal.notices(incident)
            contacts, channels = desk.inventory.contacts, desk.inventory.channels
            for one in owed(notices, contacts, channels, desk.links_down(), now):
                resting = self._resting.get(one.channel)
                if one.notice.key not in self._unwritten and (resting is None or resting <= now):
                    await self._give(one, now)

    async def _give(self, one: Owed, now: datetime) -> None:
        desk, notice = self._desk, one.notice
        given = copy_of(one, speech(notice.language, desk.inventory.site.timezone), now)
        extra = {"notice": str(notice.key), "channel": one.channel}
        try:
            answer = await self._post.hand_over(given, desk.inventory.channels[one.channel])
        except TransportError as error:
            said = legible(desk.letters.own_words(error.text))
            log.warning("copy not given", extra={"event": "copy_failed", "why": said, **extra})
            if not error.permanent:
                self._resting[one.channel] = now + AGAIN_AFTER
                return
            copy = Copy(one.channel, one.address, None, said)
        else:
            log.info("copy given", extra={"event": "copy_sent", **extra})
            copy = Copy(one.channel, one.address, desk.clock.now(), legible(answer))
        self._unwritten[notice.key] = copy
        await self._write()

    async def _write(self) -> None:
        """Record what became of the copies, as soon as the disk takes it."""
        for key, copy in tuple(self._unwritten.items()):
            await self._journal.ask(self._journal.store.note_copy, key, copy)
            del self._unwritten[key]
