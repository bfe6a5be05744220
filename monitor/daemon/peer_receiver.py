"""Receiving the state of the Relève at the other site: it is kept, and nothing is done about it.

Whoever connects shows a certificate of the authority of the two, made for the name that the inventory gives the other
one; nobody else gets as far as a request. What is answered with 200 is on the disk.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from monitor.clock import Clock, SystemClock
from monitor.core.text import Text, say
from monitor.daemon import peer_wire as wire
from monitor.daemon.peer_tls import BadIdentity, Identity, is_for, server_context, take_up
from monitor.daemon.worker import Worker
from monitor.store import Corrupt, StoreError
from monitor.store.ballast import SIZE
from monitor.store.errors import disk_full, free_bytes, translated
from monitor.store.feed import Standing
from monitor.store.feed_apply import Diverged
from monitor.store.folder import PEER, private_file
from monitor.store.replica import Admission, Gap, Replica, Stale, own_standing
from monitor.store.tables import STATE_REVISIONS

if TYPE_CHECKING:
    from aiohttp import web

RENEWED_EVERY = 3600.0
"""Seconds between two looks at whether our certificate was renewed."""
_INCOMING = "incoming-"
log = logging.getLogger(__name__)
R = TypeVar("R")


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


class Receiver:
    """Keeps the copy below the folder of the state `data`; `heard_at`: when the other was last heard (boot seconds)."""

    def __init__(self, data: Path, wanted: Listening, clock: Clock | None = None) -> None:
        """Open the copy. Raises WriterBusy while another process has it, and other StoreError."""
        self.replica = Replica(data / PEER, own_standing(data))
        self._wanted, self._clock = wanted, clock or SystemClock()
        self._worker, self._alone = Worker("peer"), asyncio.Lock()
        self._refused: tuple[wire.Why, Standing] | None = None
        self.heard_at: float | None = None
        self.port = wanted.port

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[None]:
        """Receive as long as the context lasts; the copy is closed with it. Raises CannotReceive."""
        from aiohttp import web  # noqa: PLC0415 - only where there is another site

        try:
            context = server_context(self._wanted.identity)
        except BadIdentity as error:
            self.replica.close()
            raise CannotReceive(error.text) from error
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        renewing = asyncio.create_task(self._renew(context), name="peer certificate")
        try:
            site = web.TCPSite(runner, self._wanted.host, self._wanted.port, ssl_context=context, backlog=16)
            try:
                await site.start()
            except OSError as error:
                text = say(
                    "cannot listen on {address}: {why}", address=self._address, why=os.strerror(error.errno or 0)
                )
                raise CannotReceive(text) from error
            self.port = runner.addresses[0][1]
            log.info("receiving", extra={"event": "peer_receiving", "port": self.port})
            yield
        finally:
            renewing.cancel()
            await runner.cleanup()
            async with self._alone:
                self._worker.end()
                self.replica.close()

    @property
    def _address(self) -> str:
        return f"{self._wanted.host}:{self._wanted.port}"

    async def _renew(self, context: ssl.SSLContext) -> None:
        while True:
            await asyncio.sleep(RENEWED_EVERY)
            try:
                take_up(context, self._wanted.identity)
            except BadIdentity as error:
                log.warning("our certificate is not read again", extra={"event": "peer_cert", "why": str(error)})

    def _application(self) -> web.Application:
        from aiohttp import web  # noqa: PLC0415 - as above

        @web.middleware
        async def guarded(request: web.Request, handler: Callable[[Any], Awaitable[Any]]) -> web.StreamResponse:
            return await self._guarded(request, handler)

        app = web.Application(client_max_size=wire.MOST_BODY, middlewares=[guarded])
        app.router.add_post("/peer/v1/ping", self._ping)
        app.router.add_post("/peer/v1/hello", self._hello)
        app.router.add_post("/peer/v1/rows", self._rows)
        app.router.add_put("/peer/v1/backup/{name}", self._part)
        app.router.add_post("/peer/v1/backup/{name}", self._install)
        app.router.add_put("/peer/v1/file/{name:.+}", self._file)
        return app

    async def _guarded(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Let only the other Relève in, and say in one word why something is not taken."""
        transport = request.transport
        certificate = None if transport is None else transport.get_extra_info("peercert")
        if not is_for(certificate, self._wanted.peer):
            log.warning("a stranger with a certificate of ours", extra={"event": "peer_stranger"})
            return _refusal(403, wire.Why.STRANGER)
        try:
            done = await handler(request)
        except wire.Nonsense:
            return _refusal(400, wire.Why.NONSENSE)
        except Stale:
            self._say_refused(request)
            return _refusal(409, wire.Why.STALE)
        except Gap:
            return _refusal(409, wire.Why.GAP)
        except Diverged:
            log.exception("the copy cannot follow", extra={"event": "peer_diverged"})
            return _refusal(409, wire.Why.DIVERGED)
        except Corrupt:
            log.exception("what came is damaged", extra={"event": "peer_damaged"})
            return _refusal(409, wire.Why.DAMAGED)
        except StoreError:
            log.exception("the copy cannot be written", extra={"event": "peer_disk"})
            return _refusal(507, wire.Why.DISK)
        self.heard_at = self._clock.boot()
        return done

    def _say_refused(self, request: web.Request) -> None:
        """Log a sender that is no longer heard, once and not with every try."""
        offered = wire.standing_of(request.headers.get(wire.STANDING))
        if self._refused != (wire.Why.STALE, offered):
            self._refused = (wire.Why.STALE, offered)
            log.warning("an older state is refused", extra={"event": "peer_stale", "epoch": offered.epoch})

    async def _do(self, work: Callable[..., R], *args: Any) -> R:
        async with self._alone:
            return await self._worker.do(partial(work, *args), None)

    async def _ping(self, request: web.Request) -> web.Response:
        return _answer(b"{}")

    async def _hello(self, request: web.Request) -> web.Response:
        standing = wire.standing_of(request.headers.get(wire.STANDING))
        body = await request.read()
        if len(body) > wire.MOST_HELLO:
            raise wire.Nonsense("too large")
        asked = wire.hello_of(body)
        if asked.schema != STATE_REVISIONS[-1]:
            return _refusal(409, wire.Why.SCHEMA)
        return _answer(wire.stand_bytes(await self._do(self._stand, standing, asked)))

    def _stand(self, standing: Standing, asked: wire.Hello) -> wire.Stand:
        admitted = self.replica.admit(standing)
        if admitted is Admission.STALE:
            raise Stale
        if admitted is Admission.ANEW:
            return wire.Stand(None, self._come())
        return wire.Stand(self.replica.reached().cursor, None, self.replica.lacks(asked.files))

    async def _rows(self, request: web.Request) -> web.Response:
        standing = wire.standing_of(request.headers.get(wire.STANDING))
        piece = wire.unpacked(await request.read())
        reached = await self._do(self.replica.take, standing, piece)
        return _answer(wire.stand_bytes(wire.Stand(reached.cursor)))

    async def _part(self, request: web.Request) -> web.Response:
        standing, name = self._named(request)
        offset = request.query.get("offset", "")
        if not offset.isdecimal() or len(offset) > 15:
            raise wire.Nonsense("offset")
        size = await self._do(self._add, standing, name, int(offset), await request.read())
        return _answer(wire.stand_bytes(wire.Stand(None, wire.Part(name, size))))

    async def _install(self, request: web.Request) -> web.Response:
        standing, name = self._named(request)
        return _answer(wire.stand_bytes(wire.Stand(await self._do(self._put_in_force, standing, name))))

    def _named(self, request: web.Request) -> tuple[Standing, str]:
        name = request.match_info["name"]
        if not wire.may_be_named(name):
            raise wire.Nonsense("name")
        return wire.standing_of(request.headers.get(wire.STANDING)), name

    async def _file(self, request: web.Request) -> web.Response:
        standing, name = wire.standing_of(request.headers.get(wire.STANDING)), request.match_info["name"]
        await self._do(self._keep, standing, name, await request.read())
        return _answer(b"{}")

    def _keep(self, standing: Standing, name: str, data: bytes) -> None:
        _look_for_room(self.replica.folder, len(data))
        self.replica.keep_file(standing, name, data)

    def _come(self) -> wire.Part | None:
        """What has come of all of the state so far."""
        with translated(self.replica.folder):
            for path in self.replica.folder.glob(f"{_INCOMING}*"):
                name = path.name.removeprefix(_INCOMING)
                if wire.may_be_named(name) and path.is_file() and not path.is_symlink():
                    return wire.Part(name, path.stat().st_size)
        return None

    def _add(self, standing: Standing, name: str, offset: int, data: bytes) -> int:
        """Add a part to what has come; return how many bytes are there. Another one that had begun is given up."""
        if self.replica.admit(standing) is Admission.STALE:
            raise Stale
        path = self.replica.folder / f"{_INCOMING}{name}"
        with translated(path):
            for other in self.replica.folder.glob(f"{_INCOMING}*"):
                if other != path:
                    other.unlink()
            _look_for_room(self.replica.folder, len(data))
            descriptor = private_file(path)
            with os.fdopen(descriptor, "r+b") as file:
                size = file.seek(0, os.SEEK_END)
                if offset > size:
                    raise Gap
                file.seek(offset)
                file.write(data)
                file.truncate()
                return file.tell()

    def _put_in_force(self, standing: Standing, name: str) -> int | None:
        path = self.replica.folder / f"{_INCOMING}{name}"
        if not path.is_file():
            raise Gap
        try:
            reached = self.replica.install(standing, path)
        except Corrupt:
            path.unlink(missing_ok=True)
            raise
        path.unlink(missing_ok=True)
        log.info("the copy is whole", extra={"event": "peer_copied", "epoch": standing.epoch})
        return reached.cursor


def _look_for_room(folder: Path, size: int) -> None:
    """The room that the state keeps in reserve is not for a copy."""
    with translated(folder):
        if free_bytes(folder) < size + SIZE:
            raise disk_full(folder)


def _answer(body: bytes, status: int = 200) -> web.Response:
    from aiohttp import web  # noqa: PLC0415 - as above

    return web.Response(body=body, status=status, content_type="application/json")


def _refusal(status: int, why: wire.Why) -> web.Response:
    return _answer(json.dumps({"why": why.value}).encode(), status)
