"""Recorded devices through the probes themselves: a Windows server in French, its programs, a small router."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity, Verdict
from monitor.secret import Secret
from probes import registry
from probes.access import SnmpAccess
from probes.contract import Target
from probes.runner import run
from probes.sessions import Sessions

RECORDS = {
    "services": "centreon/services-fr.snmpwalk",
    "processes": "centreon/list-processes.snmpwalk",
    "ir1101": "librenms/iosxe_ir1101.snmprec",
    "server": "librenms/windows_svr_2019_1809.snmprec",
    "gateway": "librenms/audiocodes_mp118.snmprec",
}
TIMEOUT = 30.0


@pytest.fixture(scope="module")
def recorded(corpus: Path, snmpsim: Callable[[Mapping[str, Path]], int]) -> int:
    """The port on which the recordings of `RECORDS` answer, each to its community."""
    return snmpsim({community: corpus / record for community, record in RECORDS.items()})


async def verdict(
    kind: str, record: str, port: int, memory: MutableMapping[str, Any] | None = None, **keys: Any
) -> Verdict:
    probe = registry.load(kind)
    access = SnmpAccess(version="2c", community=Secret(record), port=port)
    target = Target(NodeId(record), "127.0.0.1", {"snmp": access})
    async with Sessions() as sessions:
        params = probe.Params.model_validate(keys)
        return (
            await run(probe, target, params, TIMEOUT, sessions, SystemClock(), {} if memory is None else memory)
        ).verdict


def metrics(seen: Verdict) -> dict[str, float]:
    return {metric.name: metric.value for metric in seen.metrics}


@pytest.mark.parametrize("name", ["Serveur", "Thèmes", "Service SNMP", "VMWARE TOOLS", "Système d'événement COM+"])
async def test_a_service_of_a_french_windows_runs(recorded, name):
    seen = await verdict("service", "services", recorded, via="snmp", name=name)
    assert (seen.severity, seen.facts["state"]) == (Severity.OK, "running"), ENGLISH.render(seen.summary)


async def test_a_service_that_is_not_in_the_french_list_is_unknown_unless_it_is_expected(recorded):
    seen = await verdict("service", "services", recorded, via="snmp", name="Service SNMPP")
    assert seen.severity is Severity.UNKNOWN
    assert "Service SNMP" in ENGLISH.render(seen.summary)
    seen = await verdict("service", "services", recorded, via="snmp", name="Onnet", expected=True)
    assert (seen.severity, seen.down, seen.facts["state"]) == (Severity.CRITICAL, True, "stopped")


async def test_a_program_is_found_among_hundreds(recorded):
    seen = await verdict("service", "processes", recorded, via="snmp", process="anonymized 159")
    assert (seen.severity, seen.facts["state"]) == (Severity.OK, "running")


async def test_a_small_router_shows_each_temperature(recorded):
    seen = await verdict("router", "ir1101", recorded)
    shown = {name: value for name, value in metrics(seen).items() if name.startswith("temperature")}
    assert sorted(round(value, 3) for value in shown.values()) == [34.574, 41, 41]
    assert seen.facts["version"]


async def test_a_windows_server_is_a_router_s_equal_as_far_as_it_goes(recorded):
    seen = await verdict("router", "server", recorded)
    assert metrics(seen)["cpu"] == (2 + 4 + 1 + 1) / 4
    assert metrics(seen)["memory"] == pytest.approx(22.7, abs=0.05)
    assert "temperature" not in metrics(seen)


async def test_a_drive_without_a_disc_is_unknown_not_full(recorded):
    seen = await verdict("disk", "server", recorded, via="snmp", mount="D:")
    assert seen.severity is Severity.UNKNOWN
    assert "medium" in ENGLISH.render(seen.summary)


async def test_an_interface_is_found_by_its_alias_and_a_frozen_clock_gives_no_rate(recorded):
    memory: dict[str, Any] = {}
    await verdict("link", "server", recorded, memory, interface="Ethernet0 2", capacity="4 Mbit/s")
    seen = await verdict("link", "server", recorded, memory, interface="ethernet0 2", capacity="4 Mbit/s")
    assert (seen.severity, seen.facts["oper_status"]) == (Severity.OK, "up")
    assert metrics(seen)["speed"] == 10_000_000_000
    assert "rate_in" not in metrics(seen)


async def test_a_voice_gateway_is_read_by_what_every_host_has(recorded):
    seen = await verdict("router", "gateway", recorded)
    assert seen.facts["version"] == "6.60A.309.001"
    assert metrics(seen)["uptime"] >= 3_766_817
