"""A connection to the other Relève: one request at a time, and in words why one was not taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.core.text import Text, say
from monitor.daemon import peer_wire as wire
from monitor.daemon.peer_tls import BadIdentity, Identity, client_context
from monitor.store.feed import Standing
from monitor.store.tables import STATE_REVISIONS
from probes.unconnected import unconnected

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

PATIENCE = 20.0
"""Seconds that one request may take: a part of 1 MiB over a busy line of 4 Mbit/s needs some."""
ASK_EVERY = 10.0
"""Seconds after which the other is asked where it stands, also when all is well: which files it lacks."""
SPEAK_EVERY = 1.0
"""Seconds of silence after which the other is told that we are there, though nothing has changed."""
SOON = 3.0
"""Seconds within which a Relève that starts is told by the other that it runs already."""
NOBODY = Standing("-", 0, 0)
"""Who asks before there is anything to send."""


@dataclass(frozen=True, slots=True)
class Destination:
    """The other Relève: `url` is `https://HOST:PORT`; who we are."""

    url: str
    identity: Identity


class NotTaken(Exception):
    """It did not go over; `text` says why."""

    def __init__(self, text: Text, why: wire.Why | None = None) -> None:
        super().__init__(text.template)
        self.text, self.why = text, why


WORDS = {
    wire.Why.GAP: say("it asked for what comes earlier"),
    wire.Why.STALE: say(
        "it refuses our state as out of date: the other site has taken over, or its copy is of a newer state. Only one "
        "of the two may run"
    ),
    wire.Why.SCHEMA: say("it is of another version; install the same on both sides"),
    wire.Why.DIVERGED: say("its copy could not follow, and all of the state is sent again"),
    wire.Why.DAMAGED: say("what came there was damaged, and is sent again"),
    wire.Why.DISK: say("its disk is full or fails"),
    wire.Why.STRANGER: say("our certificate is not made for the name by which it knows us"),
    wire.Why.ACTIVE: say("the other site has taken over, and its Relève runs with the newer state"),
    wire.Why.BUSY: say("it runs by itself, with an older state; it has to be the passive one"),
    wire.Why.UNABLE: say("it could not go on: start it with `releve run`, and wait until its copy is whole"),
    wire.Why.NONSENSE: say("it does not understand us; install the same version on both sides"),
}


@dataclass(slots=True)
class Line:
    """An open session, and what was learnt in it: the last row that the other `has`, since when it was not asked.

    Times are those of the event loop.
    """

    session: ClientSession
    url: str
    standing: Standing
    has: int = 0
    asked_at: float = float("-inf")
    forgot_at: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    spoke_at: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    @property
    def silent(self) -> bool:
        """Whether the other has to hear that we are there: who stands by for us goes on without us otherwise."""
        return asyncio.get_running_loop().time() - self.spoke_at >= SPEAK_EVERY

    @property
    def due(self) -> bool:
        """Whether the other is to be asked where it stands."""
        return asyncio.get_running_loop().time() - self.asked_at >= ASK_EVERY


@asynccontextmanager
async def line_to(wanted: Destination, standing: Standing = NOBODY) -> AsyncIterator[Line]:
    """Yield a connection to `wanted`, made with the first request. Raises NotTaken for a certificate that is none."""
    import aiohttp  # noqa: PLC0415 - only where there is another site

    try:
        context = client_context(wanted.identity)
    except BadIdentity as error:
        raise NotTaken(error.text) from error
    connector = aiohttp.TCPConnector(ssl=context, limit=1, use_dns_cache=False)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": "releve"}
    ) as session:
        yield Line(session, wanted.url, standing)


async def superseded_there(wanted: Destination, standing: Standing) -> bool:
    """Return whether the other Relève runs with a newer state than ours; False also where it does not answer soon."""
    hello = wire.hello_bytes(wire.Hello(STATE_REVISIONS[-1], {}))
    try:
        async with line_to(wanted, standing) as line:
            await request(line, "POST", "hello", hello, SOON)
    except NotTaken as error:
        return error.why is wire.Why.ACTIVE
    return False


async def runs_there(wanted: Destination) -> bool:
    """Return whether the other Relève says that it runs by itself; False also where it does not answer soon."""
    hello = wire.hello_bytes(wire.Hello(STATE_REVISIONS[-1], {}))
    try:
        async with line_to(wanted) as line:
            await request(line, "POST", "hello", hello, SOON)
    except NotTaken as error:
        return error.why in (wire.Why.ACTIVE, wire.Why.BUSY)
    return False


async def request(line: Line, method: str, path: str, body: bytes, patience: float = PATIENCE, **query: str) -> bytes:
    """Return the answer. Raises NotTaken."""
    import aiohttp  # noqa: PLC0415 - as above

    try:
        async with (
            asyncio.timeout(patience),
            line.session.request(
                method,
                f"{line.url.rstrip('/')}{wire.ROOT}{path}",
                params=query,
                data=body,
                headers={wire.STANDING: wire.standing_header(line.standing)},
                allow_redirects=False,
            ) as response,
        ):
            status, answer = response.status, await _read(response)
            line.spoke_at = asyncio.get_running_loop().time()
    except TimeoutError as error:
        raise NotTaken(say("no answer within {time}", time=timedelta(seconds=patience))) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise NotTaken(_unreached(error)) from error
    if status == 200:
        return answer
    try:
        why = wire.why_of(answer)
    except wire.Nonsense:
        raise NotTaken(say("it answers HTTP {status}", status=status)) from None
    raise NotTaken(WORDS[why], why)


async def _read(response: ClientResponse) -> bytes:
    """Return the answer's body, of which nothing larger than `MOST_ANSWER` is read. Raises ValueError."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        body += chunk
        if len(body) > wire.MOST_ANSWER:
            raise ValueError("too large")
    return bytes(body)


def _unreached(error: Exception) -> Text:
    """Return why there is no connection, or why it ended."""
    import aiohttp  # noqa: PLC0415 - as above

    why = unconnected(error)
    if why is not None:
        return why
    match error:
        case aiohttp.ClientOSError() | aiohttp.ServerDisconnectedError():
            return say("it ended the connection; perhaps our certificate is not of its authority, or has run out")
        case _:
            return say("it does not answer as a Relève does")
