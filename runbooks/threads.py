"""What blocks, for libraries that know nothing of an event loop: a few threads of the runbooks' own.

A thread cannot be killed, so that whoever works in one gives its sockets time limits, and is not waited for beyond.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

R = TypeVar("R")
THREADS = 8
"""As many routers and databases at once; the next ones wait."""


class NotStarted(Exception):
    """No thread became free in time: the work was never begun, and never will be."""


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="runbook")


async def blocking(work: Callable[..., R], *args: object, within: float) -> R:
    """Return `work(*args)`, done in a thread. Raises NotStarted, or TimeoutError after `within` seconds.

    After TimeoutError the work goes on, and nobody learns how it ends.
    """
    running = _pool().submit(work, *args)
    try:
        async with asyncio.timeout(within):
            return await asyncio.wrap_future(running)
    except TimeoutError:
        if running.cancelled():
            raise NotStarted from None
        raise
