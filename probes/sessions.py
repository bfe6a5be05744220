"""What all checks share for as long as the process lives: open sessions by key, and a bounded thread pool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

S = TypeVar("S")
R = TypeVar("R")
THREADS = 16
PER_DEVICE = 4
"""Observations at once against one device, those apart that say whether it is there: old routers answer badly when
asked too much."""
AT_ONCE = 128
"""Observations at once altogether, and as many again of what says whether a device is there; each may hold a few
sockets."""


class Sessions:
    """Sessions are made on first use and closed together.

    Use it as `async with Sessions() as sessions`. An adapter asks for its own by `shared`; nothing here knows SNMP.
    """

    def __init__(self, *, threads: int = THREADS, per_device: int = PER_DEVICE, at_once: int = AT_ONCE) -> None:
        self.workers = threads
        """How many threads there are for what blocks."""
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="probe")
        self._blocking: dict[Future[Any], float] = {}
        self._per_device = per_device
        self._places = {first: asyncio.Semaphore(at_once) for first in (False, True)}
        self._kept: dict[Hashable, tuple[Any, Callable[[Any], Awaitable[None] | None]]] = {}
        self._making: dict[Hashable, asyncio.Lock] = {}
        self._turns: dict[tuple[str, bool], asyncio.Semaphore] = {}

    def submit(self, deadline: float, work: Callable[..., R], *args: object) -> Future[R]:
        """Let one of the threads do `work(*args)`, which should be over by `deadline` on the loop's clock."""
        running = self._threads.submit(work, *args)
        self._blocking = {one: until for one, until in self._blocking.items() if not one.done()} | {running: deadline}
        return running

    def hung(self, now: float) -> int:
        """Return how many threads go on at `now`, on the loop's clock, although their deadline is over.

        A thread cannot be ended: as many are lacking to all other checks.
        """
        return sum(one.running() and until < now for one, until in self._blocking.items())

    async def shared(
        self,
        key: Hashable,
        make: Callable[[], Awaitable[S]],
        close: Callable[[S], Awaitable[None] | None],
    ) -> S:
        """Return the session kept under `key`, made by `make` if there is none; `close` ends it with the process."""
        async with self._making.setdefault(key, asyncio.Lock()):
            if key not in self._kept:
                self._kept[key] = (await make(), close)
            session: S = self._kept[key][0]
            return session

    async def drop(self, key: Hashable) -> None:
        """Close and forget the session under `key`, so that the next use makes a new one."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            ending = kept[1](kept[0])
            if ending is not None:
                await ending

    @asynccontextmanager
    async def turn(self, address: str, *, first: bool = False) -> AsyncIterator[None]:
        """Wait for the turn of one observation of `address`: first for the device, then for a place.

        The other way round, those who wait for one slow device would take the places of all others. `first`: of what
        says whether a device is there. It waits for its like only: of a lost site everything else hangs for its whole
        time, and whether it is lost has to be known before that.
        """
        turn = self._turns.setdefault((address, first), asyncio.Semaphore(self._per_device))
        async with turn, self._places[first]:
            yield

    async def close(self) -> None:
        """Close every session; threads that hang are left behind, for they cannot be killed."""
        for key in tuple(self._kept):
            await self.drop(key)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
