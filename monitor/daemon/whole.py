"""Work that is done whole, whatever becomes of who asked for it: cut off half way, memory and disk would differ."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

R = TypeVar("R")


async def whole(work: Coroutine[Any, Any, R]) -> R:
    """Return what `work` returns; it is done to its end also when the caller is cancelled meanwhile."""
    return await asyncio.shield(asyncio.create_task(work))
