"""One observation from start to verdict: the deadline, the cap per device, and every way in which it can fail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from monitor.clock import Clock
from monitor.core.text import Quantity, Text, say
from monitor.core.verdict import Severity, Verdict
from monitor.secret import Unresolved
from probes.beat import Job
from probes.cleaning import cleaned, one_line
from probes.contract import HANGING, Io, Probe, ProbeFault, Target, TargetFailure, nobody_knows
from probes.params import Params
from probes.sessions import Sessions

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """A verdict with when its observation started (UTC) and how long it took (seconds)."""

    verdict: Verdict
    started_at: datetime
    elapsed: float


async def run(
    probe: Probe[Any, Any],
    target: Target,
    params: Params,
    timeout: float,
    sessions: Sessions,
    clock: Clock,
    memory: MutableMapping[str, Any],
    job: Callable[[], Job | None] = nobody_knows,
    *,
    first: bool = False,
) -> Result:
    """Observe once and judge, within `timeout` seconds; whatever goes wrong is a verdict, never an exception.

    `memory` and `job` are what `Io` has of the check; `first`: as `Sessions.turn` takes it. The deadline starts when
    the device's turn comes, so that a queue before a slow router is no failure of the check behind it.
    """
    loop = asyncio.get_running_loop()
    async with sessions.turn(target.address, first=first):
        started_at, begun = clock.now(), loop.time()
        io = Io(sessions, clock, begun + timeout, memory, job)
        hanging = memory.get(HANGING)
        if hanging is not None and not hanging.done():
            text = say("the last observation still hangs in the system; it is not started twice")
            return Result(Verdict(Severity.UNKNOWN, text), started_at, 0.0)
        try:
            verdict = cleaned(await _judged(probe, target, params, timeout, io))
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            # Also what is no Exception: sys.exit() in a probe, or a panic of a library in Rust, would end the daemon,
            # and a probe that says by itself that it was cancelled would never be heard of again.
            if isinstance(error, asyncio.CancelledError) and _are_cancelled():
                raise
            verdict = _bug(probe, target, error)
        return Result(verdict, started_at, loop.time() - begun)


async def _judged(probe: Probe[Any, Any], target: Target, params: Params, timeout: float, io: Io) -> Verdict:
    """Return what the probe says, or what the way in which it failed means."""
    try:
        async with asyncio.timeout(timeout):
            seen = await probe.observe(target, params, io)
        return probe.judge(seen, params)
    except TargetFailure as failure:
        return Verdict(Severity.CRITICAL, failure.text, down=failure.down)
    except ProbeFault as fault:
        return Verdict(Severity.UNKNOWN, _with_remedy(fault.text, fault.remedy))
    except Unresolved as error:
        return Verdict(Severity.UNKNOWN, say("a secret is missing: {why}", why=error.text))
    except TimeoutError:
        text = say("no result within {timeout}: the device is slow or silent", timeout=Quantity(timeout, "s"))
        return Verdict(Severity.UNKNOWN, text)


def _are_cancelled() -> bool:
    """Whether somebody asked the running task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _bug(probe: Probe[Any, Any], target: Target, error: BaseException) -> Verdict:
    kind = getattr(probe, "kind", type(probe).__name__)
    log.error("probe failed", exc_info=error, extra={"event": "probe_bug", "probe": kind, "device": target.name})
    name = one_line(type(error).__name__)
    text = say("the probe itself failed ({error}); the log of Relève has the details", error=name)
    return Verdict(Severity.UNKNOWN, text)


def _with_remedy(text: Text, remedy: Text | None) -> Text:
    return text if remedy is None else say("{what}. {remedy}", what=text, remedy=remedy)
