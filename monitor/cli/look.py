"""Observing once from the command line: many checks at once, with no daemon and no state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from monitor.cli.context import Failure, log_to_stderr
from monitor.core.text import say

if TYPE_CHECKING:
    from probes.beat import Job
    from probes.contract import Probe, Target
    from probes.params import Params
    from probes.runner import Result

AT_ONCE = 64
"""Observations under way together; each may hold a few sockets."""


class Look(NamedTuple):
    """One observation to make: its `timeout` is in seconds; `job`: what is known of the job that it is about."""

    kind: str
    target: Target
    params: Params
    timeout: float
    job: Job | None = None


def probe_of(kind: str) -> Probe[Any, Any]:
    """Return the probe of that kind. Raises Failure, with the nearest names, when there is none or it does not load."""
    from probes.names import nearest
    from probes.registry import UnknownKind, load

    try:
        return load(kind)
    except UnknownKind as error:
        near = nearest(kind, error.known)
        raise Failure(say("there is no probe of kind {kind}; nearest: {names}", kind=kind, names=near)) from error
    except (ImportError, AttributeError) as error:
        raise Failure(say("the probe {kind} cannot be loaded: {why}", kind=kind, why=str(error))) from error


def look(looks: Iterable[Look], seen: Callable[[], None] = lambda: None) -> list[Result]:
    """Return the result of each of `looks`, in their order; `seen` is called as each one ends."""
    log_to_stderr()
    return asyncio.run(_look(list(looks), seen))


async def _look(looks: list[Look], seen: Callable[[], None]) -> list[Result]:
    from monitor.clock import SystemClock
    from probes.runner import run
    from probes.sessions import Sessions

    clock, places = SystemClock(), asyncio.Semaphore(AT_ONCE)
    probes = {kind: probe_of(kind) for kind in dict.fromkeys(each.kind for each in looks)}

    async def one(each: Look) -> Result:
        async with places:
            probe = probes[each.kind]
            result = await run(probe, each.target, each.params, each.timeout, sessions, clock, {}, lambda: each.job)
        seen()
        return result

    async with Sessions() as sessions:
        return await asyncio.gather(*(one(each) for each in looks))
