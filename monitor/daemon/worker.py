"""A thread for what blocks, and for how long it is waited for: a disk that hangs answers neither yes nor no."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

R = TypeVar("R")


class Hangs(Exception):
    """The thread has not come to an end in time; what it was to do may yet be done, or not."""


class Worker:
    """One thread, which does one thing after the other.

    A thread cannot be ended. One that hangs is left to itself, and nothing more is given to it until it goes on.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._last: Future[Any] | None = None
        self._hanging: Future[Any] | None = None

    @property
    def busy(self) -> bool:
        """Whether it has something to do."""
        return self._last is not None and not self._last.done()

    @property
    def hangs(self) -> bool:
        """Whether it was waited for in vain and still has not come to an end."""
        return self._hanging is not None and not self._hanging.done()

    async def do(
        self, work: Callable[[], R], patience: float | None, late: Callable[[R], None] = lambda result: None
    ) -> R:
        """Return what `work` returns in the thread, within `patience` seconds (None: whenever that is).

        Raises Hangs; `late` is then given what is returned after all, unless `work` had not been begun: it never is.
        """
        if self.hangs:
            raise Hangs
        loop, done = asyncio.get_running_loop(), self._thread.submit(work)
        self._last = done
        try:
            async with asyncio.timeout(patience) as waiting:
                return await asyncio.wrap_future(done)
        except TimeoutError as error:
            if not waiting.expired():
                raise
            if not done.cancel():
                self._hanging = done
                done.add_done_callback(partial(_hand_over, loop, late))
            raise Hangs from error

    def end(self) -> None:
        """Take no more; what is being done is left to itself."""
        self._thread.shutdown(wait=not self.busy, cancel_futures=True)


def _hand_over(loop: asyncio.AbstractEventLoop, late: Callable[[R], None], done: Future[R]) -> None:
    if done.exception() is None:
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(late, done.result())
