"""One observation ends in a verdict, whatever the probe does: nothing that it does takes more than itself down."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any, ClassVar, cast

import pytest

from monitor.clock import SystemClock
from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH, Text, say
from monitor.core.verdict import Severity, Verdict
from probes import runner
from probes.contract import Io, ProbeFault, Target, TargetFailure
from probes.params import Params
from probes.sessions import Sessions

TARGET = Target(NodeId("router"), "192.0.2.1")


class Scripted:
    """A third party's probe that does in `observe` and in `judge` what it was given."""

    kind: ClassVar[str] = "scripted"
    Params: ClassVar[type[Params]] = Params
    metrics: ClassVar[tuple[tuple[str, str], ...]] = ()
    ways: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[Text] = Text("")

    def __init__(self, observe: Callable[[], Any] = lambda: None, judge: Callable[[], Any] = lambda: None) -> None:
        self._observe, self._judge = observe, judge

    async def observe(self, target: Target, params: Any, io: Io) -> Any:
        """Do what was asked, and wait for it where there is something to wait for."""
        done = self._observe()
        return await done if asyncio.iscoroutine(done) else done

    def judge(self, seen: Any, params: Any) -> Verdict:
        """Do what was asked."""
        return cast(Verdict, self._judge())


def raising(error: BaseException) -> Callable[[], Any]:
    def work() -> Any:
        raise error

    return work


async def observed(probe: Scripted, sessions: Sessions, timeout: float = 5) -> Verdict:
    return (await runner.run(probe, TARGET, Params(), timeout, sessions, SystemClock(), {})).verdict


@pytest.mark.parametrize(
    ("probe", "name"),
    [
        (Scripted(raising(RuntimeError("x"))), "RuntimeError"),
        (Scripted(judge=raising(ZeroDivisionError())), "ZeroDivisionError"),
        (Scripted(judge=raising(RecursionError())), "RecursionError"),
        (Scripted(judge=sys.exit), "SystemExit"),
        (Scripted(sys.exit), "SystemExit"),
        (Scripted(raising(asyncio.CancelledError())), "CancelledError"),
        (Scripted(raising(type("PanicException", (BaseException,), {})())), "PanicException"),
        (Scripted(judge=lambda: "fine"), "TypeError"),
        (Scripted(judge=lambda: Verdict(Severity.OK, Text("{"))), "ValueError"),
    ],
)
async def test_a_probe_that_breaks_is_unknown_and_breaks_nothing_else(
    probe: Scripted, name: str, sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    verdict = await observed(probe, sessions)
    assert verdict.severity is Severity.UNKNOWN
    assert name in ENGLISH.render(verdict.summary)
    assert [record.exc_info is not None for record in caplog.records] == [True]


async def test_a_probe_that_is_cancelled_by_us_ends(sessions: Sessions) -> None:
    task = asyncio.create_task(observed(Scripted(lambda: asyncio.sleep(60)), sessions))
    while not task.cancel():
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_probe_that_takes_too_long_is_unknown(sessions: Sessions) -> None:
    verdict = await observed(Scripted(lambda: asyncio.sleep(60)), sessions, timeout=0.05)
    assert verdict.severity is Severity.UNKNOWN
    assert "no result within" in verdict.summary.template


@pytest.mark.parametrize(
    ("probe", "severity"),
    [
        (Scripted(judge=lambda: Verdict(Severity.WARNING, say("{a}", a="\x1b[31m\udcffred"))), Severity.WARNING),
        (Scripted(raising(TargetFailure(say("{a}", a="\x1b[31m\udcffred")))), Severity.CRITICAL),
        (Scripted(raising(ProbeFault(say("{a}", a="\x1b[31m\udcffred"), say("do"))), ), Severity.UNKNOWN),
    ],
)  # fmt: skip
async def test_a_devices_words_are_harmless_whichever_way_they_came(
    probe: Scripted, severity: Severity, sessions: Sessions
) -> None:
    verdict = await observed(probe, sessions)
    assert verdict.severity is severity
    assert ENGLISH.render(verdict.summary).removesuffix(". do") == "[31m red"
