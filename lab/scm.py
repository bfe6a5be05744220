"""The service control manager of the simulated Windows server: who runs, as a function of time, and who asked for it.

Sources: Microsoft, "Service State Transitions", "SERVICE_STATUS_PROCESS", "StartService", "ControlService" and
"System Error Codes (1000-1299)" (learn.microsoft.com).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum

from monitor.clock import Clock


class Phase(IntEnum):
    """Where a service stands, by SERVICE_STATUS's number (dwCurrentState)."""

    STOPPED = 1
    START_PENDING = 2
    STOP_PENDING = 3
    RUNNING = 4


class StartType(IntEnum):
    """How a service comes to be started, by QUERY_SERVICE_CONFIG's number (dwStartType)."""

    AUTO_START = 2
    DEMAND_START = 3
    DISABLED = 4


class Code(IntEnum):
    """What the manager answers: 0, or a system error code."""

    DONE = 0
    DEPENDENTS_RUN = 1051
    ALREADY_RUNNING = 1056
    DISABLED = 1058
    DOES_NOT_EXIST = 1060
    CANNOT_ACCEPT = 1061
    NOT_ACTIVE = 1062
    PROCESS_ABORTED = 1067
    DEPENDENCY_FAILED = 1068
    NEVER_STARTED = 1077


class Verb(StrEnum):
    """What changes a service."""

    START = "start"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Service:
    """A service as it was installed: `key` is its name, `display` the one that people and SNMP see, `needs` keys."""

    key: str
    display: str
    binary: str
    needs: tuple[str, ...] = ()
    start_type: StartType = StartType.AUTO_START


@dataclass(frozen=True, slots=True)
class Life:
    """One process of a service. All times in seconds of the site; `ordered_at`: when it was told to stop."""

    pid: int
    begun_at: float
    runs_at: float
    dies_at: float = math.inf
    ordered_at: float = math.inf
    stopped_at: float = math.inf


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request that the manager carried out `at` (UTC); `pid` is the process that it made, or ended."""

    at: datetime
    verb: Verb
    key: str
    pid: int


def phase(life: Life | None, at: float) -> Phase:
    """Return where a service stands at `at`; `life` is its last process, None for one that was never started."""
    if life is None or at >= min(life.dies_at, life.stopped_at):
        return Phase.STOPPED
    if at >= life.ordered_at:
        return Phase.STOP_PENDING
    return Phase.RUNNING if at >= life.runs_at else Phase.START_PENDING


def exit_code(life: Life | None, at: float) -> Code:
    """Return what the manager keeps of how the last process ended (dwWin32ExitCode)."""
    if life is None:
        return Code.NEVER_STARTED
    died = life.dies_at < life.stopped_at and at >= life.dies_at
    return Code.PROCESS_ABORTED if died else Code.DONE


class Scm:
    """Starts and stops services; `accepted` holds every request that it carried out, oldest first.

    `start_takes`, `stop_takes`: seconds from the request to RUNNING or STOPPED. `accept_delay`: seconds for which a
    request is on its way before the manager sees it; it arrives even when whoever sent it is gone by then. `at` is the
    site's time.
    """

    def __init__(self, services: tuple[Service, ...], clock: Clock, at: Callable[[], float]) -> None:
        self.services: Mapping[str, Service] = {one.key: one for one in services}
        self.accepted: list[Accepted] = []
        self.start_takes, self.stop_takes, self.accept_delay = 1.5, 0.5, 0.0
        self._clock, self._at = clock, at
        self._lives: dict[str, Life] = {}
        self._doomed: dict[str, tuple[int, float]] = {}
        self._pid = 1204
        self._under_way: set[asyncio.Task[Code]] = set()

    def boot(self) -> None:
        """Let every service that starts by itself run, as after a start of the server that is long over."""
        for service in self.services.values():
            if service.start_type is StartType.AUTO_START:
                self._lives[service.key] = Life(self._next_pid(), -math.inf, -math.inf)

    def find(self, name: str) -> Service | None:
        """Return the service of that name, whose case does not matter."""
        return next((one for one in self.services.values() if one.key.casefold() == name.casefold()), None)

    def shown(self, display: str) -> Service | None:
        """Return the service of that display name, whose case does not matter."""
        return next((one for one in self.services.values() if one.display.casefold() == display.casefold()), None)

    def life(self, key: str) -> Life | None:
        """Return the last process of a service."""
        return self._lives.get(key)

    def phase(self, key: str) -> Phase:
        """Return where a service stands now."""
        return phase(self._lives.get(key), self._at())

    def exit_code(self, key: str) -> Code:
        """Return how its last process ended."""
        return exit_code(self._lives.get(key), self._at())

    def starts(self, key: str) -> int:
        """Return how many starts of a service were accepted."""
        return sum(one.verb is Verb.START and one.key == key for one in self.accepted)

    def stops(self, key: str) -> int:
        """Return how many stops of a service were accepted."""
        return sum(one.verb is Verb.STOP and one.key == key for one in self.accepted)

    def crash(self, key: str) -> None:
        """End a service's process without a word; those that need it go on."""
        life = self._lives.get(key)
        if life is not None and phase(life, self._at()) is not Phase.STOPPED:
            self._lives[key] = replace(life, dies_at=self._at())

    def doom(self, key: str, starts: int = 1, lives: float = 1.0) -> None:
        """Let the next `starts` accepted starts of a service die `lives` seconds after they run."""
        self._doomed[key] = (starts, lives)

    async def start(self, key: str) -> Code:
        """Start a service, those that it needs first, as StartService does; it is START_PENDING at the return."""
        return await self._arrive(lambda: self._start(key))

    async def stop(self, key: str) -> Code:
        """Tell a service to stop, as ControlService does; it is STOP_PENDING at the return."""
        return await self._arrive(lambda: self._stop(key))

    async def close(self) -> None:
        """Forget the requests that are on their way."""
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def _arrive(self, request: Callable[[], Coroutine[None, None, Code]]) -> Code:
        """Let a request be seen after its delay, whatever becomes of who waits for the answer."""
        task = asyncio.create_task(self._delayed(request), name="lab: service control")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _delayed(self, request: Callable[[], Coroutine[None, None, Code]]) -> Code:
        await asyncio.sleep(self.accept_delay)
        return await request()

    async def _start(self, key: str) -> Code:
        service = self.services.get(key)
        if service is None:
            return Code.DOES_NOT_EXIST
        if service.start_type is StartType.DISABLED:
            return Code.DISABLED
        if self.phase(key) is not Phase.STOPPED:
            return Code.ALREADY_RUNNING
        for need in service.needs:
            if not await self._provide(need):
                return Code.DEPENDENCY_FAILED
        if self.phase(key) is not Phase.STOPPED:  # somebody else was faster while those that it needs were started
            return Code.ALREADY_RUNNING
        self._begin(key)
        return Code.DONE

    async def _provide(self, key: str) -> bool:
        """Start what another service needs and wait until it runs; whether it does."""
        await self._start(key)
        while self.phase(key) is Phase.START_PENDING:
            life = self._lives[key]
            await asyncio.sleep(max(0.0, life.runs_at - self._at()) + 0.01)
        return self.phase(key) is Phase.RUNNING

    def _begin(self, key: str) -> None:
        now, dies_at = self._at(), math.inf
        runs_at = now + self.start_takes
        left, lives = self._doomed.get(key, (0, 0.0))
        if left:
            self._doomed[key] = (left - 1, lives)
            dies_at = runs_at + lives
        self._lives[key] = Life(self._next_pid(), now, runs_at, dies_at)
        self.accepted.append(Accepted(self._clock.now(), Verb.START, key, self._lives[key].pid))

    async def _stop(self, key: str) -> Code:
        life = self._lives.get(key)
        if key not in self.services:
            return Code.DOES_NOT_EXIST
        now = self._at()
        stands = phase(life, now)
        if life is None or stands is Phase.STOPPED:
            return Code.NOT_ACTIVE
        if stands is not Phase.RUNNING:
            return Code.CANNOT_ACCEPT
        if any(key in one.needs and self.phase(one.key) is not Phase.STOPPED for one in self.services.values()):
            return Code.DEPENDENTS_RUN
        self._lives[key] = replace(life, ordered_at=now, stopped_at=now + self.stop_takes)
        self.accepted.append(Accepted(self._clock.now(), Verb.STOP, key, life.pid))
        return Code.DONE

    def _next_pid(self) -> int:
        """Windows numbers processes in fours; one is not used again soon."""
        self._pid += 4
        return self._pid
