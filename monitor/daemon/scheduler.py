"""Every check on its own grid, sooner while a failure is being confirmed, never twice at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from monitor.clock import Clock
from monitor.core.ids import CheckId
from monitor.core.schedule import first_look, next_look
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from monitor.inventory.model import Check
from probes import registry, runner
from probes.runner import Result
from probes.sessions import Sessions

log = logging.getLogger(__name__)

Report = Callable[[Check, Result], Awaitable[None]]


class Scheduler:
    """Runs the checks of one graph; `swap` exchanges the graph whole.

    `report` takes each result. `settling` says whether a check is to be seen again soon (its failure is not yet
    believed, or not yet placed). `lag` is by how many seconds the last start was late.
    """

    def __init__(self, sessions: Sessions, clock: Clock, report: Report, settling: Callable[[CheckId], bool]) -> None:
        self._sessions, self._clock, self._report, self._settling = sessions, clock, report, settling
        self._checks: Mapping[CheckId, Check] = {}
        self._memory: dict[CheckId, MutableMapping[str, Any]] = {}
        self._due: dict[CheckId, float] = {}
        self._running: dict[CheckId, asyncio.Task[Result | None]] = {}
        self._again: set[CheckId] = set()
        self._wake = asyncio.Event()
        self.lag = 0.0
        self.turned_at = 0.0

    def swap(self, checks: Mapping[CheckId, Check]) -> None:
        """Watch `checks` from now on. What a check remembers is kept if its definition is the same."""
        now = asyncio.get_running_loop().time()
        before = self._checks
        self._checks = checks
        same = {name for name, check in checks.items() if before.get(name) == check}
        self._memory = {name: self._memory.get(name, {}) if name in same else {} for name in checks}
        self._due = {
            name: self._due[name] if name in same else first_look(name, check.every.total_seconds(), now)
            for name, check in checks.items()
        }
        self._wake.set()

    def reprobe(self, names: Iterable[CheckId]) -> None:
        """See these checks again as soon as possible; one that is in flight is started again after it."""
        for name in names:
            if name in self._running:
                self._again.add(name)
            elif name in self._checks:
                self._due[name] = 0.0
        self._wake.set()

    async def look(self, name: CheckId) -> Verdict:
        """Observe `name` now, as the grid would, and return what it says; an observation in flight is awaited first.

        Raises KeyError when there is no such check.
        """
        while name in self._running:
            await asyncio.wait([self._running[name]])
        task = asyncio.create_task(self._observe(self._checks[name]), name=f"check {name}")
        self._running[name] = task
        await asyncio.wait([task])
        result = None if task.cancelled() else task.result()
        if result is None:
            text = say("the result of {check} was lost; the log of Relève has the details", check=name)
            return Verdict(Severity.UNKNOWN, text)
        return result.verdict

    @property
    def in_flight(self) -> int:
        """How many observations are going on."""
        return len(self._running)

    async def run(self) -> None:
        """Start what is due, until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                now = self.turned_at = loop.time()
                for name in [name for name, due in self._due.items() if due <= now and name not in self._running]:
                    self.lag = max(0.0, now - self._due[name]) if self._due[name] else 0.0
                    self._running[name] = asyncio.create_task(self._observe(self._checks[name]), name=f"check {name}")
                await self._until_next(loop.time())
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _until_next(self, now: float) -> None:
        waiting = [due for name, due in self._due.items() if name not in self._running]
        wait = min([1.0, *(max(0.0, due - now) for due in waiting)])
        try:
            async with asyncio.timeout(wait):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def once(self, check: Check) -> None:
        """Observe `check` now and report it, outside of its grid."""
        await self._reported(check)

    async def _reported(self, check: Check) -> Result | None:
        """Return what was seen and reported; None when the graph was exchanged meanwhile."""
        result = await runner.run(
            registry.load(check.probe),
            check.target,
            check.params,
            check.timeout.total_seconds(),
            self._sessions,
            self._clock,
            self._memory.setdefault(check.id, {}),
        )
        if self._checks.get(check.id) != check:
            return None
        await self._report(check, result)
        return result

    async def _observe(self, check: Check) -> Result | None:
        try:
            return await self._reported(check)
        except Exception:
            log.exception("a result was lost", extra={"event": "result_lost", "check": check.id})
            return None
        finally:
            self._running.pop(check.id, None)
            self._plan_next(check)
            self._wake.set()

    def _plan_next(self, check: Check) -> None:
        if self._checks.get(check.id) != check:
            return  # it is gone, or due as its new definition says
        every, retry = check.every.total_seconds(), check.retry.total_seconds()
        again, settling = check.id in self._again, self._settling(check.id)
        self._again.discard(check.id)
        now = asyncio.get_running_loop().time()
        self._due[check.id] = next_look(check.id, every, retry, now, again=again, settling=settling)
