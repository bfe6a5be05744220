"""The port at which the other Relève is let in, and nobody else.

Whoever connects shows a certificate of the authority of the two, made for the name that the inventory gives the other
one; nobody else gets as far as a request.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.core.reasons import reason
from monitor.core.text import Text, say
from monitor.daemon import peer_wire as wire
from monitor.daemon.peer_tls import BadIdentity, Identity, is_for, server_context, take_up
from monitor.store.feed import Standing

if TYPE_CHECKING:
    from aiohttp import web

RENEWED_EVERY = 3600.0
"""Seconds between two looks at whether our certificate was renewed."""
SHOWN_WITHIN = 10.0
"""Seconds in which whoever connects has to show a certificate: each one that waits has one of our open files, of which
there is an end. Two answers over a satellite and a busy line take three."""
Answer = Callable[["web.Request"], Awaitable["web.StreamResponse"]]
Aside = Callable[["web.Request"], Awaitable["web.StreamResponse | None"]]
"""Answers what it knows about, and with None what it does not."""
log = logging.getLogger(__name__)


class CannotReceive(Exception):
    """It cannot be listened for the other Relève; `text` says why."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.template)
        self.text = text


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen (`host`, `port`), who we are, and for which name (`peer`) the other's certificate is made."""

    host: str
    port: int
    identity: Identity
    peer: str


@asynccontextmanager
async def door(wanted: Listening, answer: Answer) -> AsyncIterator[int]:
    """Let the other Relève in as long as the context lasts, `answer` its requests; yield the port.

    Raises CannotReceive.
    """
    from aiohttp import web  # noqa: PLC0415 - only where there is another site

    async def guarded(request: web.Request) -> web.StreamResponse:
        transport = request.transport
        if not is_for(None if transport is None else transport.get_extra_info("peercert"), wanted.peer):
            log.warning("a stranger with a certificate of ours", extra={"event": "peer_stranger"})
            return refusal(403, wire.Why.STRANGER)
        return await answer(request)

    try:
        context = server_context(wanted.identity)
    except BadIdentity as error:
        raise CannotReceive(error.text) from error
    app = web.Application(client_max_size=wire.MOST_BODY)
    app.router.add_route("*", "/{path:.*}", guarded)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    renewing = asyncio.create_task(_renew(context, wanted.identity), name="peer certificate")
    try:
        try:
            # Not aiohttp's own site, which leaves a stranger a minute.
            server = await asyncio.get_running_loop().create_server(
                runner.server,  # type: ignore[arg-type]
                wanted.host,
                wanted.port,
                ssl=context,
                backlog=16,
                ssl_handshake_timeout=SHOWN_WITHIN,
            )
        except OSError as error:
            address = f"{wanted.host}:{wanted.port}"
            text = say("cannot listen on {address}: {why}", address=address, why=reason(error))
            raise CannotReceive(text) from error
        try:
            port: int = server.sockets[0].getsockname()[1]
            log.info("the other Relève is let in", extra={"event": "peer_door", "port": port})
            yield port
        finally:
            server.close()
    finally:
        renewing.cancel()
        await runner.cleanup()


async def _renew(context: ssl.SSLContext, identity: Identity) -> None:
    while True:
        await asyncio.sleep(RENEWED_EVERY)
        try:
            take_up(context, identity)
        except BadIdentity as error:
            log.warning("our certificate is not read again", extra={"event": "peer_cert", "why": str(error)})


def taken(body: bytes, status: int = 200) -> web.Response:
    """Return the answer `body` (JSON)."""
    from aiohttp import web  # noqa: PLC0415 - as above

    return web.Response(body=body, status=status, content_type="application/json")


def refusal(status: int, why: wire.Why) -> web.Response:
    """Return the answer that says why something is not taken."""
    return taken(json.dumps({"why": why.value}).encode(), status)


@asynccontextmanager
async def holding(
    wanted: Listening | None, own: Callable[[], Awaitable[Standing | None]], guard: Aside | None = None
) -> AsyncIterator[None]:
    """Tell the other Relève as long as the context lasts that this one runs by itself, with the standing `own`.

    Whose state is older learns by that to be the passive one. `guard` answers for the guard of this site. Raises
    CannotReceive.
    """
    if wanted is None:
        yield
        return

    async def answer(request: Any) -> Any:
        if request.path == wire.PING:
            return taken(b"{}")
        if guard is not None and (answered := await guard(request)) is not None:
            return answered
        try:
            offered = wire.standing_of(request.headers.get(wire.STANDING))
        except wire.Nonsense:
            return refusal(400, wire.Why.NONSENSE)
        ours = await own()
        newer = ours is not None and ours.rank > offered.rank
        return refusal(409, wire.Why.ACTIVE if newer else wire.Why.BUSY)

    async with door(wanted, answer):
        yield
