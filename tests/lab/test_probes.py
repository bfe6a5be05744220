"""Relève's own probes read every simulated device, well and broken, through the adapted reference inventory."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from lab.adapt import adapted, reference, write
from lab.scm import Phase
from lab.site import Site
from monitor.clock import SystemClock
from monitor.core.text import Speech
from monitor.core.verdict import Severity, Verdict
from monitor.inventory.load import load
from monitor.inventory.model import Inventory
from probes.registry import load as load_probe
from probes.runner import run
from probes.sessions import Sessions

OK, WARNING, UNKNOWN, CRITICAL = Severity
ENGLISH = Speech("en", lambda template: template)
Look = Callable[..., Coroutine[Any, Any, Verdict]]
SOON = 2.0
"""Seconds after which silence is told in a test; what answers has its check's own time, on a busy machine too."""


@pytest.fixture
async def inventory(monkeypatch, tmp_path: Path, site: Site) -> Inventory:
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    original = load(reference()).inventory
    assert original is not None
    place = tmp_path / "inventory.yaml"
    kinds = {str(name): check.probe for name, check in original.checks.items()}
    place.write_text(write(adapted(reference().read_text("utf-8"), kinds, site)), "utf-8")
    copy = load(place).inventory
    assert copy is not None
    return copy


@pytest.fixture
async def look(inventory: Inventory) -> AsyncIterator[Look]:
    memories: dict[str, MutableMapping[str, Any]] = {}
    async with Sessions() as sessions:

        async def once(name: str, within: float = math.inf) -> Verdict:
            check = inventory.checks[name]
            memory = memories.setdefault(name, {})
            timeout = min(check.timeout.total_seconds(), within)
            done = await run(
                load_probe(check.probe), check.target, check.params, timeout, sessions, SystemClock(), memory
            )
            return done.verdict

        yield once


def told(verdict: Verdict) -> str:
    return f"{verdict.severity.word}: {ENGLISH.render(verdict.summary)}"


async def all_of(look: Look, names: Iterable[str]) -> dict[str, Verdict]:
    listed = list(names)
    return dict(zip(listed, await asyncio.gather(*map(look, listed)), strict=True))


async def until(look: Look, name: str, severity: Severity) -> None:
    """Look until it is so; an agent answers from a table that is a moment old."""
    async with asyncio.timeout(10):
        while (await look(name)).severity is not severity:
            await asyncio.sleep(0.05)


async def test_on_the_healthy_site_every_check_is_well(inventory, look):
    seen = await all_of(look, inventory.checks)
    assert {name: told(verdict) for name, verdict in seen.items() if verdict.severity is not OK} == {}
    figures = {name: {metric.name: metric.value for metric in verdict.metrics} for name, verdict in seen.items()}
    assert figures["ups"]["charge"] == 100
    assert figures["genset"]["fuel"] == 78
    assert figures["hmp-disk"]["used"] == pytest.approx(42, abs=0.5)
    assert {"cpu", "memory", "temperature", "uptime"} <= figures["router"].keys()
    assert seen["router"].facts["model"]


async def test_the_links_rate_is_that_of_the_wire(look):
    rates: dict[str, float] = {}
    async with asyncio.timeout(15):
        while "rate_in" not in rates:
            rates = {metric.name: metric.value for metric in (await look("fo")).metrics}
            await asyncio.sleep(0.2)
    assert 1e6 < rates["rate_in"] < 3e6
    assert 25 < rates["occupancy_out"] < 75


async def test_a_cut_link_is_down_and_so_is_its_far_end(site, look):
    await site.cut_link()
    for name in ("fo", "fo-peer"):
        verdict = await look(name)
        assert (verdict.severity, verdict.down) == (CRITICAL, True), told(verdict)
    for name in ("ocm-sip", "ocm-app"):
        assert (await look(name)).severity is CRITICAL
    assert (await look("hermes-login")).severity is OK


async def test_a_mains_cut_is_seen_by_the_ups_the_generator_and_the_switch(site, look):
    await site.cut_mains()
    seen = await all_of(look, ("ups", "genset", "floor-switch-ping"))
    assert {name: verdict.severity for name, verdict in seen.items()} == dict.fromkeys(seen, CRITICAL)
    assert seen["ups"].down
    assert seen["floor-switch-ping"].down
    assert seen["ups"].facts["status"] == "OB DISCHRG"
    assert seen["genset"].facts["mains"] == "gone"
    assert (await look("hmp-ping")).severity is OK


@pytest.mark.parametrize(("percent", "severity"), [(79, OK), (85, WARNING), (93, CRITICAL)])
async def test_a_filling_disk_is_seen(site, look, percent, severity):
    await site.fill_disk(percent)
    await until(look, "hmp-disk", severity)


async def test_a_stopped_service_is_seen_and_seen_to_run_again(site, look):
    assert (await look("onnet")).severity is OK
    await site.crash_service("Onnet")
    await until(look, "onnet", CRITICAL)
    assert (await look("slave")).severity is OK
    await site.start_service("Onnet")
    await until(look, "onnet", OK)


async def test_a_service_on_its_way_does_not_run_yet(site, look):
    await site.crash_service("Onnet")
    site.scm.start_takes = 60.0
    await site.start_service("Onnet")
    await until(look, "onnet", CRITICAL)
    assert site.view().services["Onnet"] is Phase.START_PENDING


async def test_what_is_deleted_makes_room_that_is_seen(site, look):
    await site.fill_disk(85)
    await until(look, "hmp-disk", WARNING)
    for name in sorted(site.recorder.closed)[:100]:
        (site.recorder.folder / name).unlink()
    await until(look, "hmp-disk", OK)
    assert "disk_has_room" in site.moments


@pytest.mark.parametrize(
    ("device", "check"), [("ups", "ups"), ("genset", "genset"), ("router", "router"), ("hmp", "hmp-disk")]
)
async def test_silent_management_is_not_taken_for_a_failure_of_what_it_manages(site, look, device, check):
    await site.silence(device)
    verdict = await look(check, SOON)
    assert verdict.severity is UNKNOWN, told(verdict)
    assert not verdict.down


async def test_a_web_server_that_hangs_is_a_failure(site, look):
    await site.silence("hermes")
    assert (await look("hermes-login", SOON)).severity is not OK
