"""Relève's own sign of life: given to a watcher as long as all is really well, so that its absence is the alarm."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import socket
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.clock import Clock
from monitor.core.text import Text, say
from monitor.core.verdict import Severity, Verdict
from monitor.inventory.model import HeartbeatOut
from monitor.secret import Unresolved
from probes.unconnected import network_reason, unconnected

log = logging.getLogger(__name__)
PATIENCE = 10.0
"""Seconds that one attempt may take: a satellite link with a slow handshake needs some; a watcher waits a minute."""
TRIES_IN_EVERY = 4
"""One that was not taken is given again after this part of `every`, as a check that fails is looked at again."""
LOOK_EVERY = 1.0
"""Seconds between two looks while there is nobody to tell, or nothing good to tell."""
_URL = re.compile(r"https?://\S+", re.IGNORECASE)


class Ailment(StrEnum):
    """What keeps Relève from calling itself well; the value is for the log."""

    SCHEDULER = "the scheduler does not turn"
    DESK = "results are not taken"
    POST = "the post does not turn"
    JOURNAL = "the journal cannot be written"


Report = Callable[[Verdict, datetime, float], Awaitable[None]]


class SignOfLife:
    """Gives the sign of life that `wanted` says, as long as `ailing` returns nothing, until cancelled.

    `report` is told of every attempt: what it means, when it was made (UTC), how long it took (seconds). Nothing of the
    address is ever logged or told: who knows it can give the sign in Relève's place. `sent_at`: the last one that was
    taken; `sent` and `failed` count since the start.
    """

    def __init__(
        self,
        wanted: Callable[[], HeartbeatOut | None],
        ailing: Callable[[], Ailment | None],
        clock: Clock,
        report: Report,
        patience: float = PATIENCE,
    ) -> None:
        self._wanted, self._ailing, self._clock, self._report = wanted, ailing, clock, report
        self._patience = patience
        self._changed = asyncio.Event()
        self._said: str | None = None
        self.sent_at: datetime | None = None
        self.sent = 0
        self.failed = 0

    def swap(self) -> None:
        """Take it that what is wanted may be another thing now."""
        self._changed.set()

    async def run(self) -> None:
        """Give it until cancelled."""
        while True:
            self._changed.clear()
            wait = await self._turn()
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _turn(self) -> float:
        """Give one sign, if there is one to give; return the seconds until the next turn."""
        wanted = self._wanted()
        if wanted is None:
            return LOOK_EVERY
        every = wanted.every.total_seconds()
        ailing = self._ailing()
        if ailing is not None:
            self._say_once("heartbeat_withheld", ailing.value)
            return min(LOOK_EVERY, every)
        try:
            taken = await self._give(wanted)
        except Exception:  # the edge of the task: what the desk raises ends no daemon
            log.exception("what became of a sign of life was lost", extra={"event": "heartbeat_bug"})
            return every
        return every if taken else every / TRIES_IN_EVERY

    async def _give(self, wanted: HeartbeatOut) -> bool:
        loop, at = asyncio.get_running_loop(), self._clock.now()
        begun = loop.time()
        trouble = await self._delivered(wanted)
        if trouble is None:
            self.sent_at, self.sent = at, self.sent + 1
            self._said = None
        else:
            self.failed += 1
            self._say_once("heartbeat_not_taken", trouble.template)
        await self._report(verdict(trouble), at, loop.time() - begun)
        return trouble is None

    async def _delivered(self, wanted: HeartbeatOut) -> Text | None:
        try:
            return await deliver(wanted, self._patience)
        except Exception as error:  # not logged with its traceback, for its words may hold the address
            return say("giving it failed in itself ({error})", error=type(error).__name__)

    def _say_once(self, event: str, why: str) -> None:
        """Log what keeps the sign back, once until it is given again or something else does."""
        if self._said != event + why:
            self._said = event + why
            log.warning("no sign of life is given", extra={"event": event, "why": why})


def verdict(trouble: Text | None) -> Verdict:
    """Return what it means that the watcher took the sign of life (`trouble` is None), or why it did not."""
    if trouble is None:
        return Verdict(Severity.OK, say("The watcher takes Relève's sign of life"))
    text = say("The watcher does not get Relève's sign of life and will take it for dead: {why}", why=trouble)
    return Verdict(Severity.WARNING, text)


async def deliver(wanted: HeartbeatOut, patience: float) -> Text | None:
    """Give one sign of life within `patience` seconds; return why it was not taken, None when it was.

    It is a GET without redirects that a status of 200 to 299 answers. Certificates are verified.
    """
    import aiohttp  # noqa: PLC0415 - most sites have no watcher, and it is among the largest of what we import

    try:
        url = wanted.url.reveal().strip()
    except Unresolved as error:
        return say("a secret is missing: {why}", why=error.text)
    if not _URL.fullmatch(url):
        return say("the address of a watcher starts with https:// or http://")
    try:
        if _are_unlike(url, wanted.source):
            return say("of its address and the source, one is IPv4 and the other IPv6")
        async with asyncio.timeout(patience):
            return await _ask(url, wanted.source)
    except TimeoutError:
        return say("no answer within {time}", time=timedelta(seconds=patience))
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return _why(error)


async def _ask(url: str, source: str) -> Text | None:
    import aiohttp  # noqa: PLC0415 - as above

    connector = aiohttp.TCPConnector(
        force_close=True,
        use_dns_cache=False,
        family=_family(source),
        local_addr=(source, 0) if source else None,
    )
    async with (
        aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"User-Agent": "releve"},
        ) as session,
        session.get(url, allow_redirects=False) as response,
    ):
        if 200 <= response.status < 300:
            return None
        return say("it answers HTTP {status}", status=response.status)


def _why(error: Exception) -> Text:
    """Return what a failed request means, without the address, which is a secret."""
    import aiohttp  # noqa: PLC0415 - as above

    why = unconnected(error)
    if why is not None:
        return why
    match error:
        case aiohttp.ClientError() | ValueError():
            return say("it does not answer in HTTP, or its address is none")
        case OSError():
            return say("no connection: {why}", why=network_reason(error))
        case _:
            return say("{why}", why=type(error).__name__)


def _family(source: str) -> socket.AddressFamily:
    """Return what kind of address the watcher must have to be reached from `source`."""
    if not source:
        return socket.AF_UNSPEC
    return socket.AF_INET6 if ipaddress.ip_address(source).version == 6 else socket.AF_INET


def _are_unlike(url: str, source: str) -> bool:
    """Whether `url` holds an IP address of the other kind than `source`, which cannot be reached from there."""
    from yarl import URL  # noqa: PLC0415 - comes with aiohttp

    host = URL(url).host or ""
    try:
        return bool(source) and ipaddress.ip_address(host).version != ipaddress.ip_address(source).version
    except ValueError:  # a name
        return False
