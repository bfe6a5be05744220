"""Every check on its own grid, sooner while a failure is being confirmed, never twice at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from functools import partial
from typing import Any

from monitor.clock import Clock
from monitor.core.ids import CheckId
from monitor.core.schedule import first_look, next_look
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from monitor.inventory.model import Check
from probes import registry, runner
from probes.beat import Job
from probes.runner import Result
from probes.sessions import Sessions

log = logging.getLogger(__name__)

Report = Callable[[Check, Result], Awaitable[None]]


class Scheduler:
    """Runs the checks of one graph; `swap` exchanges the graph whole.

    `report` takes each result. `settling` says whether a check is to be seen again soon (its failure is not yet
    believed, or not yet placed). `job` says what is known of the job that a check is about.
    """

    def __init__(
        self,
        sessions: Sessions,
        clock: Clock,
        report: Report,
        settling: Callable[[CheckId], bool],
        job: Callable[[CheckId], Job | None] = lambda check: None,
    ) -> None:
        self._sessions, self._clock, self._report, self._settling = sessions, clock, report, settling
        self._job = job
        self._checks: Mapping[CheckId, Check] = {}
        self._memory: dict[CheckId, MutableMapping[str, Any]] = {}
        self._due: dict[CheckId, float] = {}
        self._since: dict[CheckId, float] = {}
        self._running: dict[CheckId, asyncio.Task[Result | None]] = {}
        self._started: dict[CheckId, float] = {}
        self._again: set[CheckId] = set()
        self._wake = asyncio.Event()
        self._lags = (0.0, 0.0)
        """The worst before the last `look_back`, and since."""
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
        self._since = {name: self._since[name] if name in same else now for name in checks}
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
        return await self._outcome(name, self._begin(name, asyncio.get_running_loop().time()))

    async def glance(self, name: CheckId) -> Verdict:
        """Return what the observation of `name` says that goes on now, or else a new one. Raises KeyError as `look`."""
        task = self._running.get(name) or self._begin(name, asyncio.get_running_loop().time())
        return await self._outcome(name, task)

    async def _outcome(self, name: CheckId, task: asyncio.Task[Result | None]) -> Verdict:
        await asyncio.wait([task])
        result = None if task.cancelled() else task.result()
        if result is None:
            text = say("the result of {check} was lost; the log of Relève has the details", check=name)
            return Verdict(Severity.UNKNOWN, text)
        return result.verdict

    def _begin(self, name: CheckId, now: float) -> asyncio.Task[Result | None]:
        task = asyncio.create_task(self._observe(self._checks[name]), name=f"check {name}")
        self._running[name], self._started[name] = task, now
        return task

    @property
    def in_flight(self) -> int:
        """How many observations are going on."""
        return len(self._running)

    @property
    def lag(self) -> float:
        """By how many seconds the latest start was late, of those that `look_back` counted last and those since."""
        return max(self._lags)

    def look_back(self) -> float:
        """Return by how many seconds the latest start was late since this was last asked."""
        worst = self._lags[1]
        self._lags = (worst, 0.0)
        return worst

    def overlong(self, now: float) -> int:
        """Return how many observations go on at `now` (loop time) that should be over.

        One may take its timeout, and may have waited for its device; after a whole interval more the next is lost.
        """
        begun = ((self._checks.get(name), at) for name, at in self._started.items())
        return sum(
            check is not None and now - at > (check.every + check.timeout).total_seconds() for check, at in begun
        )

    def watched_for(self, name: CheckId, now: float) -> float:
        """Return for how many seconds until `now` (loop time) `name` has been watched as it is; 0 if it is not."""
        return now - self._since.get(name, now)

    async def run(self) -> None:
        """Start what is due, until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                now = self.turned_at = loop.time()
                for name in [name for name, due in self._due.items() if due <= now and name not in self._running]:
                    if self._due[name]:
                        self._lags = (self._lags[0], max(self._lags[1], now - self._due[name]))
                    self._begin(name, now)
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
            partial(self._job, check.id),
            first=check.gate,
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
            self._started.pop(check.id, None)
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
