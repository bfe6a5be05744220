"""Looking again until a check is OK, and stays so: what proves that a repair had its effect."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from monitor.core.ids import CheckId
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from runbooks.contract import Io

EVERY = timedelta(seconds=2)


async def until_ok(check: CheckId, within: timedelta, stays: timedelta, io: Io, every: timedelta = EVERY) -> Verdict:
    """Return the last verdict of `check`: OK if it became so `within` that time and was still so `stays` later.

    A service that starts and dies is OK for a moment: only what stays counts, and it must begin to stay in time. Looks
    every `every`; gives up early when the automation is halted, and then says UNKNOWN of what may not stay so. Raises
    KeyError when there is no such check.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    ok_since: float | None = None
    while True:
        seen = await io.look(check)
        now = loop.time()
        if seen.severity is not Severity.OK:
            ok_since = None
        elif ok_since is None:
            ok_since = now
        if ok_since is not None and now - ok_since >= stays.total_seconds():
            return seen
        if ok_since is None and (now - begun >= within.total_seconds() or io.halted()):
            return seen
        if io.halted():
            text = say("it was stopped before anybody saw whether {check} stays OK", check=check)
            return Verdict(Severity.UNKNOWN, text)
        left = stays.total_seconds() - (now - ok_since) if ok_since is not None else every.total_seconds()
        await asyncio.sleep(max(0.05, min(every.total_seconds(), left)))
