"""Receiving the state of the Relève at the other site: it is kept, and nothing is done about it.

What is answered with 200 is on the disk.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from monitor.clock import Clock, SystemClock
from monitor.daemon import peer_wire as wire
from monitor.daemon.peer_door import Aside, Listening, door, refusal, taken
from monitor.daemon.whole import whole
from monitor.daemon.worker import Worker
from monitor.store import Corrupt, StoreError
from monitor.store.ballast import SIZE
from monitor.store.errors import disk_full, free_bytes, translated
from monitor.store.feed import Standing
from monitor.store.feed_apply import Diverged
from monitor.store.folder import PEER, prepare, private_file
from monitor.store.replica import Admission, Gap, Replica, Stale, inspected
from monitor.store.tables import STATE_REVISIONS
from monitor.store.whose import own_standing

if TYPE_CHECKING:
    from aiohttp import web

_INCOMING = "incoming-"
LOOK_EVERY, LOOK_SHARE = 60.0, 50
"""Seconds between two readings of all of the copy, and of how many such spans one reading may fill one: a large copy on
a slow disk is read less often."""
log = logging.getLogger(__name__)
R = TypeVar("R")


class Receiver:
    """Keeps the copy below the folder of the state `data`; `heard_at`: when the other was last heard (boot seconds).

    `session`: the name of our life, where this Relève goes on by itself; None where it only receives. `relieved`: the
    other one said that it has ended and that everything is here; nothing has come since. `looked_at`: when the copy was
    last found whole, or damaged, by reading all of it (boot seconds).
    """

    def __init__(
        self,
        data: Path,
        wanted: Listening,
        clock: Clock | None = None,
        guard: Aside | None = None,
        look_every: float = LOOK_EVERY,
    ) -> None:
        """Open the copy; `guard` answers for the guard of this site. All of it is read every `look_every` seconds.

        Raises WriterBusy while another process has it, and other StoreError.
        """
        prepare(data)
        self.replica = Replica(data / PEER, own_standing(data))
        self._wanted, self._clock, self._guard = wanted, clock or SystemClock(), guard
        self._worker, self._alone = Worker("peer"), asyncio.Lock()
        self._refused: tuple[wire.Why, Standing] | None = None
        self._looks: set[asyncio.Task[None]] = set()
        self._look_every = look_every
        self.looked_at = self._clock.boot()
        self.heard_at: float | None = None
        self.session: str | None = None
        self.relieved = False
        self.port = wanted.port

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[None]:
        """Receive as long as the context lasts; the copy is closed with it. Raises CannotReceive."""
        looking = asyncio.create_task(self._look_now_and_then(), name="copy")
        try:
            async with door(self._wanted, self._answer) as self.port:
                yield
        finally:
            looking.cancel()
            # Whoever takes the copy over wants its file for itself.
            await asyncio.gather(looking, *self._looks, return_exceptions=True)
            async with self._alone:
                self._worker.end()
                self.replica.close()

    async def look(self) -> None:
        """Read all of the copy anew. One that the disk has damaged is no copy from then on, and is asked for again."""
        await whole(self._look(), self._looks)

    async def _look(self) -> None:
        copy = self.replica.path
        if copy is not None and self.replica.damaged is None:
            try:
                await asyncio.to_thread(inspected, copy)
            except Corrupt as error:
                await self._do(self.replica.found_damaged, copy, error)
            except StoreError as error:
                log.warning("the copy cannot be looked at", extra={"event": "copy_unseen", "why": str(error)})
        self.looked_at = self._clock.boot()

    async def _look_now_and_then(self) -> None:
        wait = self._look_every
        while True:
            await asyncio.sleep(wait)
            began = self._clock.boot()
            try:
                await self.look()
            except StoreError as error:  # the disk is full: what was found cannot be written down
                log.warning("the copy cannot be looked at", extra={"event": "copy_unseen", "why": str(error)})
            wait = max(self._look_every, LOOK_SHARE * (self._clock.boot() - began))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        """Answer, and say in one word why something is not taken."""
        if self._guard is not None and (answered := await self._guard(request)) is not None:
            self.heard_at = self._clock.boot()
            return answered
        try:
            done = await self._take(request)
        except wire.Nonsense:
            return refusal(400, wire.Why.NONSENSE)
        except Stale:
            self._say_refused(request)
            return refusal(409, wire.Why.STALE)
        except Gap:
            return refusal(409, wire.Why.GAP)
        except Diverged:
            log.exception("the copy cannot follow", extra={"event": "peer_diverged"})
            return refusal(409, wire.Why.DIVERGED)
        except Corrupt:
            log.exception("what came is damaged", extra={"event": "peer_damaged"})
            return refusal(409, wire.Why.DAMAGED)
        except StoreError:
            log.exception("the copy cannot be written", extra={"event": "peer_disk"})
            return refusal(507, wire.Why.DISK)
        self.heard_at = self._clock.boot()
        return done

    async def _take(self, request: web.Request) -> web.Response:
        what, _slash, name = request.path.removeprefix(wire.ROOT).partition("/")
        match request.method, what:
            case "POST", "ping":
                return taken(b"{}")
            case "POST", "hello":
                return await self._hello(request)
            case "POST", "rows":
                return await self._rows(request)
            case "PUT", "backup":
                return await self._part(request, name)
            case "POST", "backup":
                return await self._install(request, name)
            case "PUT", "file":
                return await self._file(request, name)
            case "POST", "relief":
                return await self._relief(request)
        raise wire.Nonsense("no such question")

    def _say_refused(self, request: web.Request) -> None:
        """Log a sender that is no longer heard, once and not with every try."""
        offered = wire.standing_of(request.headers.get(wire.STANDING))
        if self._refused != (wire.Why.STALE, offered):
            self._refused = (wire.Why.STALE, offered)
            log.warning("an older state is refused", extra={"event": "peer_stale", "epoch": offered.epoch})

    async def _do(self, work: Callable[..., R], *args: Any) -> R:
        async with self._alone:
            return await self._worker.do(partial(work, *args), None)

    async def _hello(self, request: web.Request) -> web.Response:
        standing = wire.standing_of(request.headers.get(wire.STANDING))
        body = await request.read()
        if len(body) > wire.MOST_HELLO:
            raise wire.Nonsense("too large")
        asked = wire.hello_of(body)
        if asked.schema != STATE_REVISIONS[-1]:
            return refusal(409, wire.Why.SCHEMA)
        return taken(wire.stand_bytes(await self._do(self._stand, standing, asked)))

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
        self.relieved = False
        reached = await self._do(self.replica.take, standing, piece)
        return taken(wire.stand_bytes(wire.Stand(reached.cursor)))

    async def _relief(self, request: web.Request) -> web.Response:
        """Say whether this Relève could go on; from the last word of the other one on, it does."""
        standing = wire.standing_of(request.headers.get(wire.STANDING))
        asked = wire.relief_of(await request.read())
        reached = await self._do(self._reached, standing)
        if self.session is None or reached is None:
            return refusal(409, wire.Why.UNABLE)
        if reached < asked.last:
            raise Gap
        if not asked.ended:
            await self.look()
            if self.replica.damaged is not None:
                return refusal(409, wire.Why.UNABLE)
        self.relieved = asked.ended
        return taken(wire.session_bytes(self.session))

    def _reached(self, standing: Standing) -> int | None:
        """How far the copy of who asks is; None where it is none, or not whole."""
        admitted = self.replica.admit(standing)
        if admitted is Admission.STALE:
            raise Stale
        return self.replica.reached().cursor if admitted is Admission.FOLLOWS else None

    async def _part(self, request: web.Request, name: str) -> web.Response:
        standing = self._named(request, name)
        offset = request.query.get("offset", "")
        if not offset.isdecimal() or len(offset) > 15:
            raise wire.Nonsense("offset")
        size = await self._do(self._add, standing, name, int(offset), await request.read())
        return taken(wire.stand_bytes(wire.Stand(None, wire.Part(name, size))))

    async def _install(self, request: web.Request, name: str) -> web.Response:
        standing = self._named(request, name)
        return taken(wire.stand_bytes(wire.Stand(await self._do(self._put_in_force, standing, name))))

    def _named(self, request: web.Request, name: str) -> Standing:
        if not wire.may_be_named(name):
            raise wire.Nonsense("name")
        return wire.standing_of(request.headers.get(wire.STANDING))

    async def _file(self, request: web.Request, name: str) -> web.Response:
        standing = wire.standing_of(request.headers.get(wire.STANDING))
        await self._do(self._keep, standing, name, await request.read())
        return taken(b"{}")

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
