"""Work that is done whole, whatever becomes of who asked for it: cut off half way, memory and disk would differ."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar


class Locked(Protocol):
    """Something of which one method at a time is at work."""

    lock: asyncio.Lock


L = TypeVar("L", bound=Locked)
P = ParamSpec("P")
R = TypeVar("R")


async def whole(work: Coroutine[Any, Any, R], among: set[asyncio.Task[R]] | None = None) -> R:
    """Return what `work` returns; it is done to its end also when the caller is cancelled meanwhile.

    `among`: where it is found until then by whoever has to wait for it.
    """
    task = asyncio.create_task(work)
    if among is not None:
        among.add(task)
        task.add_done_callback(among.discard)
    return await asyncio.shield(task)


def alone(
    work: Callable[Concatenate[L, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[L, P], Coroutine[Any, Any, R]]:
    """Let the method `work` be done by itself, under its owner's lock, and whole."""

    @wraps(work)
    async def undisturbed(owner: L, /, *args: P.args, **kwargs: P.kwargs) -> R:
        async def turn() -> R:
            async with owner.lock:
                return await work(owner, *args, **kwargs)

        return await whole(turn())

    return undisturbed


async def let_end(tasks: Collection[asyncio.Task[Any]], patience: float) -> None:
    """Let `tasks` end, for `patience` seconds at most; what has not by then is cut off. What they raise is theirs."""
    if tasks:
        await asyncio.wait(tasks, timeout=patience)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
