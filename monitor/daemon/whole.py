"""Work that is done whole, whatever becomes of who asked for it: cut off half way, memory and disk would differ."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, TypeVar

R = TypeVar("R")


async def whole(work: Coroutine[Any, Any, R]) -> R:
    """Return what `work` returns; it is done to its end also when the caller is cancelled meanwhile."""
    return await asyncio.shield(asyncio.create_task(work))


async def let_end(tasks: Collection[asyncio.Task[Any]], patience: float) -> None:
    """Let `tasks` end, for `patience` seconds at most; what has not by then is cut off. What they raise is theirs."""
    if tasks:
        await asyncio.wait(tasks, timeout=patience)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
