"""What a probe is: `observe` does the IO and returns what was seen, `judge` is pure and says what it means."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from monitor.clock import Clock
from monitor.core.ids import NodeId
from monitor.core.text import Text
from monitor.core.verdict import Verdict
from probes.access import Access
from probes.beat import Job

if TYPE_CHECKING:
    from probes.params import Params
    from probes.sessions import Sessions

P_contra = TypeVar("P_contra", contravariant=True)
Seen = TypeVar("Seen")
R = TypeVar("R")
HANGING = "hanging"
"""Key of `Io.memory` under which the last thread of the check is kept."""


class TargetFailure(Exception):
    """What we were to look at is bad, and we saw it: CRITICAL. `down`: it is off or out of reach."""

    def __init__(self, text: Text, *, down: bool = False) -> None:
        super().__init__(text.template)
        self.text, self.down = text, down


class ProbeFault(Exception):
    """We cannot see: no permission, a rejected log-in, a silent agent, an answer that makes no sense: UNKNOWN.

    `remedy` says what to do about it, for the person who reads it at night.
    """

    def __init__(self, text: Text, remedy: Text | None = None) -> None:
        super().__init__(text.template)
        self.text, self.remedy = text, remedy


@dataclass(frozen=True, slots=True)
class Target:
    """The device as a probe sees it: `address` (host name or IP, no port) and the ways by which it is reached.

    `beside`: other devices that the check names, by the key that names them.
    """

    name: NodeId
    address: str
    access: Mapping[str, Access] = field(default_factory=dict)
    beside: Mapping[str, Target] = field(default_factory=dict)


def nobody_knows() -> Job | None:
    """Return nothing: no daemon is there whom a job could have called."""
    return None


@dataclass(frozen=True, slots=True)
class Io:
    """All that a probe may touch.

    `deadline` is on the loop's clock (`loop.time()`). `memory` is what the same check left there at its last
    observation (counters, for rates); it lives as long as the process. `sessions` are shared by all checks. `job`
    returns what the job that the check is about has said of itself; None where nobody knows.
    """

    sessions: Sessions
    clock: Clock
    deadline: float
    memory: MutableMapping[str, Any]
    job: Callable[[], Job | None] = nobody_knows

    def remaining(self) -> float:
        """Return the seconds left until the deadline, never below zero."""
        return max(0.0, self.deadline - asyncio.get_running_loop().time())

    async def blocking(self, work: Callable[..., R], *args: object) -> R:
        """Run `work(*args)`, which blocks, in the probes' bounded thread pool.

        A thread cannot be killed: one that outlives the deadline is remembered, and the check is not started again
        before it has ended.
        """
        running = self.sessions.submit(self.deadline, work, *args)
        self.memory[HANGING] = running
        return await asyncio.wrap_future(running)


class Probe(Protocol[P_contra, Seen]):
    """`kind` is the name in the inventory; `Params` the pydantic model of its own keys.

    `metrics` are the names and UCUM units that a verdict may hold, the first being the one that `warning` and
    `critical` judge. `ways` are the keys of a device (`snmp`, `nut`, ...) by which it can look, best first; empty when
    it needs none. `needs` says which permissions it takes, here and on the device. People read all three in
    `releve probe show KIND`.
    """

    kind: ClassVar[str]
    Params: ClassVar[type[Params]]
    metrics: ClassVar[tuple[tuple[str, str], ...]]
    ways: ClassVar[tuple[str, ...]]
    needs: ClassVar[Text]

    async def observe(self, target: Target, params: P_contra, io: Io) -> Seen:
        """Look once, within `io.deadline`. Raises TargetFailure or ProbeFault."""
        ...

    def judge(self, seen: Seen, params: P_contra) -> Verdict:
        """Say what `seen` means. Pure and total: whatever was seen has a verdict."""
        ...
