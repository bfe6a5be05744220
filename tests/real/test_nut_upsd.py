"""NUT's own upsd and dummy-ups: a mains cut as it goes by, a driver that hangs, one that dies, a name that is wrong."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.core.ids import NodeId
from monitor.core.text import Speech
from monitor.core.verdict import Severity, Verdict
from probes.access import NutAccess
from probes.contract import Target
from probes.runner import run
from probes.sessions import Sessions
from probes.ups import Ups, UpsParams

ENGLISH = Speech("en", lambda template: template)
READY_WITHIN = 30.0
"""Seconds that NUT may take for anything on a busy machine."""


def dump(status: str, charge: int = 100, runtime: int = 2400, more: str = "") -> str:
    return (
        f"battery.charge: {charge}\nbattery.runtime: {runtime}\ninput.voltage: 231.0\nups.load: 27\n"
        f"ups.model: Smart\nups.status: {status}\n{more}"
    )


Look = Callable[..., Awaitable[Verdict]]


@pytest.fixture
async def look(nut: Any) -> AsyncIterator[Look]:
    """`await look("rack")`: one verdict; `await look("rack", test)`: the first one for which `test` holds."""
    async with Sessions() as sessions:

        async def once(ups: str, access: dict[str, str]) -> Verdict:
            nut_access = NutAccess.model_validate({"ups": ups, "port": nut.port, **access})
            target = Target(NodeId("ups"), "127.0.0.1", {"nut": nut_access})
            return (await run(Ups(), target, UpsParams(), 5.0, sessions, SystemClock(), {})).verdict

        async def until(ups: str, holds: Callable[[Verdict], bool] = lambda verdict: True, **access: str) -> Verdict:
            clock = asyncio.get_running_loop().time
            end = clock() + READY_WITHIN
            while not holds(verdict := await once(ups, access)):
                if clock() > end:
                    pytest.fail(f"still {verdict}\n{nut.log()}")
                await asyncio.sleep(0.05)
            return verdict

        yield until


def shows(status: str) -> Callable[[Verdict], bool]:
    return lambda verdict: verdict.facts.get("status") == status


def says(words: str) -> Callable[[Verdict], bool]:
    return lambda verdict: words in ENGLISH.render(verdict.summary)


async def test_a_mains_cut_is_seen_as_it_goes_by(nut: Any, look: Look):
    nut.start({"rack": dump("OL")})
    quiet = await look("rack", shows("OL"))
    assert quiet.severity is Severity.OK
    assert quiet.facts == {"status": "OL", "model": "Smart"}
    assert {metric.name: metric.value for metric in quiet.metrics} == {
        "charge": 100, "runtime": 2400, "load": 27, "input_voltage": 231,
    }  # fmt: skip
    nut.write("rack", dump("OB DISCHRG", charge=92, runtime=1900))
    cut = await look("rack", shows("OB DISCHRG"))
    assert (cut.severity, cut.down) == (Severity.CRITICAL, True)
    nut.write("rack", dump("OB LB", charge=9, runtime=120))
    low = await look("rack", shows("OB LB"))
    assert "its battery is nearly empty" in ENGLISH.render(low.summary)
    nut.write("rack", dump("OL CHRG", charge=11, runtime=130))
    back = await look("rack", shows("OL CHRG"))
    assert (back.severity, back.down) == (Severity.OK, False)


async def test_a_driver_that_hangs_or_dies_makes_us_blind_and_cuts_no_mains(nut: Any, look: Look):
    nut.start({"rack": dump("OL")}, max_age=2)
    await look("rack", shows("OL"))
    nut.signal("rack", signal.SIGSTOP)
    stale = await look("rack", says("is stale"))
    assert (stale.severity, stale.down) == (Severity.UNKNOWN, False)
    nut.signal("rack", signal.SIGKILL)
    dead = await look("rack", says("is not running"))
    assert dead.severity is Severity.UNKNOWN
    assert "upsdrvctl start rack" in ENGLISH.render(dead.summary)
    nut.start_driver("rack")
    assert (await look("rack", shows("OL"))).severity is Severity.OK


async def test_reading_takes_no_password_but_the_right_name_and_an_upsd_that_runs(nut: Any, look: Look):
    nut.start({"rack": dump("OL", more="ups.alarm: Replace battery!\n"), "cave": dump("OL")})
    await look("cave", shows("OL"))
    verdict = await look("rack", shows("OL"), user="nobody", password="env:UNSET")
    assert (verdict.severity, verdict.facts["alarm"]) == (Severity.WARNING, "Replace battery!")
    wrong = await look("rakc")
    assert wrong.severity is Severity.UNKNOWN
    assert ENGLISH.render(wrong.summary) == (
        "upsd on ups has no UPS rakc. It has: cave, rack. Correct ups in the inventory"
    )
    nut.stop()
    assert "refuses connections" in ENGLISH.render((await look("rack")).summary)
