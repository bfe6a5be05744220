"""Telling people from a Relève that stands by and cannot go on, though the active one is gone: nobody else does it.

There is no state here to journal it in: who was told, and when, lies in a small file beside the copy, so that nobody is
told anew by each start, and everybody is who was not reached.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from alerts.canary import Fate, Sounding, sound_all
from alerts.compose import compose
from alerts.context import Context
from alerts.delivery import route
from alerts.language import speech
from alerts.notice import MAIL_DOMAIN, Audience, Notice, NoticeKey, Planned, Step
from alerts.parcel import Parcel
from alerts.unrelieved import NAMED, Told, Unrelieved, due
from monitor.clock import Clock
from monitor.core.text import ENGLISH, Text
from monitor.daemon.peering import ends
from monitor.inventory.model import Inventory
from monitor.store import StoreError
from monitor.store.errors import translated
from monitor.store.folder import PEER, prepare, written

FILE = "unrelieved"
"""In the folder of the copies: since when, and who was told."""
LOOK_EVERY, AGAIN, AT_LAST = 1.0, 30.0, 900.0
"""Seconds between two looks at whether somebody is to be told, after an attempt that did not reach everybody, and at
most after several: a server that takes a message and does not say so in time hands each one over."""
PATIENCE = timedelta(seconds=60)
"""For one attempt."""
_MOST_BYTES = 256 * 1024
log = logging.getLogger(__name__)


class Alarm:
    """Tells the operations of `inventory` while `why` is set: why nobody is the active Relève, with what to do."""

    def __init__(self, data: Path, inventory: Inventory, clock: Clock) -> None:
        self._folder, self._inventory, self._clock = data / PEER, inventory, clock
        self._since: datetime | None = None
        self._told: dict[str, Told] = {}
        self.why: Text | None = None
        with suppress(OSError, KeyError, TypeError, ValueError):
            with (self._folder / FILE).open("rb") as file:
                data_in = json.loads(file.read(_MOST_BYTES))
            told = {str(who): Told(_moment(one["at"]), int(one["times"])) for who, one in data_in["told"].items()}
            self._since, self._told = _moment(data_in["since"]), told

    async def run(self) -> None:
        """Tell whoever is to be told, until cancelled."""
        failures = 0
        while True:
            reached = True
            try:
                if self.why is not None:
                    reached = await self._tell(self.why)
            except Exception:  # the edge of the task: who stands by goes on receiving
                log.exception("nobody could be told", extra={"event": "unrelieved_bug"})
                reached = False
            failures = 0 if reached else failures + 1
            await asyncio.sleep(pause(failures))

    def over(self) -> None:
        """Take it that somebody is the active Relève."""
        self.why = None
        if self._since is not None:
            self._since, self._told = None, {}
            self._forget()

    def _forget(self) -> None:
        with suppress(OSError):
            (self._folder / FILE).unlink(missing_ok=True)

    async def _tell(self, why: Text) -> bool:
        """Tell everybody who is to be told now, by each of their channels in turn; return whether all were reached."""
        now, both = self._clock.now(), ends(self._inventory)
        if both is None:
            return True
        if self._since is None:
            self._since = now
            log.error("nobody watches any more", extra={"event": "unrelieved", "why": ENGLISH.render(why)})
            # Before the first message, whose name it is in: killed before that is noted, it is sent again under it.
            await asyncio.to_thread(self._keep, _body(now, self._told))
            if self._since is None:
                self._forget()
                return True  # over meanwhile
        about = Unrelieved(self._since, why, other=both[1].title, here=both[0].title)
        people = self._inventory.roster().people(self._inventory.protocol.operations, now)
        known = [one for one in people if one in self._inventory.contacts]
        left, tried = set(due(known, self._told, now)), dict[str, set[str]]()
        while left:
            parcels = [made for who in left if (made := self._parcel(about, who, tried.get(who, set()), now))]
            if not parcels:
                break
            came = await asyncio.to_thread(self._handed_over, parcels)
            if self._since is None:
                return True  # over meanwhile
            for end in came:
                key = end.parcel.notice.key
                tried.setdefault(key.recipient, set()).add(end.parcel.notice.channel)
                extra = {"event": "unrelieved_told", "to": key.recipient, "fate": end.fate.value}
                log.warning("told that nobody watches", extra=extra | {"answer": ENGLISH.render(end.answer)})
                if end.fate is Fate.ACCEPTED:
                    left.discard(key.recipient)
                    self._told[key.recipient] = Told(now, key.n)
            await asyncio.to_thread(self._keep, _body(self._since, self._told))
            if self._since is None:
                self._forget()
                return True
        return not left

    def _handed_over(self, parcels: Sequence[Parcel]) -> list[Sounding]:
        return list(sound_all(parcels, PATIENCE, self._clock.now))

    def _parcel(self, about: Unrelieved, who: str, tried: set[str], now: datetime) -> Parcel | None:
        """The message to `who` by the first channel not `tried`. Every attempt has the same Message-ID."""
        site, contact = self._inventory.site, self._inventory.contacts[who]
        way = route(contact, self._inventory.channels, (), tried)
        if way is None:
            return None
        channel, address = way
        times = self._told[who].times if who in self._told else 0
        key = NoticeKey(NAMED, Audience.INTERNAL, Step.PERSON_CALLED, times + 1, who)
        language = contact.language or site.language
        context = Context(site.name, speech(language, site.timezone), now, channel=channel, unrelieved=about)
        message = compose(Planned(key, now), None, context)
        domain = urlsplit(site.url).hostname or MAIL_DOMAIN
        name = key.message_id(f"{site.name}|{about.here}|{about.since.isoformat()}", domain)
        notice = Notice(key, now, now, name, message, channel, address, language)
        return Parcel(notice, self._inventory.channels[channel], contact.name, site.name)

    def _keep(self, body: bytes) -> None:
        """Write down who was told. Where that fails, they are told once more after a restart, and not before."""
        try:
            prepare(self._folder)
            with translated(self._folder):
                written(self._folder / FILE, body)
        except StoreError as error:
            log.warning("who was told is not written down", extra={"event": "unrelieved_disk", "why": str(error)})


def pause(failures: int) -> float:
    """Return how many seconds to wait after so many attempts in a row that did not reach everybody."""
    return min(AGAIN * float(1 << min(failures - 1, 12)), AT_LAST) if failures else LOOK_EVERY


def _body(since: datetime, told: Mapping[str, Told]) -> bytes:
    people = {who: {"at": one.at.isoformat(), "times": one.times} for who, one in told.items()}
    return json.dumps({"since": since.isoformat(), "told": people}).encode()


def _moment(said: str) -> datetime:
    found = datetime.fromisoformat(said)
    if found.tzinfo is None:
        raise ValueError("no zone")
    return found
