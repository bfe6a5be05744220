"""Recorded UPS of many makers, served by NUT's dummy-ups and by snmpsim, and read right: the bad values left out."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.core.ids import NodeId
from monitor.core.verdict import Severity, Verdict
from monitor.secret import Secret
from probes.access import NutAccess, SnmpAccess
from probes.contract import Target
from probes.runner import run
from probes.sessions import Sessions
from probes.ups import Ups, UpsParams, plausible

READY_WITHIN = 60.0

NUT_NAMES = {
    "battery.charge": "charge",
    "battery.runtime": "runtime",
    "ups.load": "load",
    "ups.temperature": "temperature",
    "input.voltage": "input_voltage",
}

INDISTINGUISHABLE = {("nut:Online__Yunto_YQ450__blazer_usb__2.6.3__01", "ups.temperature")}
"""It always says 25.0, which its reporter knows to be wrong and no program can tell from a room at 25 degrees."""

SEVERITIES = {
    "nut:APC__Smart-UPS_2200__usbhid-ups__2.7.4__01": Severity.CRITICAL,
    "nut:APC__Back-UPS_XS_1200__usbhid-ups__2.2.0__01": Severity.CRITICAL,
    "nut:Eaton__93PM__snmp-ups__2.7.4__02": Severity.WARNING,
    "nut:HP__R1500_G2__bcmxcp__2.4.1__01": Severity.WARNING,
    "nut:IBM__6000i__bcmxcp__2.6.3__01": Severity.OK,
    "nut:Mini-Box.Com__OPEN-UPS__usbhid-ups__2.6.5__02": Severity.CRITICAL,
    "nut:Online__Yunto_YQ450__blazer_usb__2.6.3__01": Severity.WARNING,
    "nut:Sweex__INTELLIGENT_UPS_1500VA_P220__blazer_usb__2.6.5__01": Severity.CRITICAL,
    "nut:PiSupply__PiJuice_HAT__pijuice__2.8.0__02": Severity.CRITICAL,
    "nut:Riello__IPG_600__riello_usb__2.7.4__01": Severity.OK,
    "nut:Socomec_Sicon__Masterys_MC_330__snmp-ups__2.0.2__01": Severity.OK,
    "nut:Eaton__5PX_2000__usbhid-ups__2.7.4__01": Severity.WARNING,
}


def items(corpus: Path, start: str) -> dict[str, dict[str, Any]]:
    found = json.loads((corpus / "index.json").read_text(encoding="utf-8"))["items"]
    return {item["id"]: item for item in found if item["id"].startswith(start)}


async def verdicts(
    targets: dict[str, Target], ready: Callable[[Verdict], bool] = lambda verdict: True
) -> dict[str, Verdict]:
    """Return one verdict a target, each the first that is `ready`."""
    async with Sessions() as sessions:

        async def one(target: Target) -> Verdict:
            clock = asyncio.get_running_loop().time
            end = clock() + READY_WITHIN
            while True:
                verdict = (await run(Ups(), target, UpsParams(), 10.0, sessions, SystemClock(), {})).verdict
                if ready(verdict) or clock() > end:
                    return verdict
                await asyncio.sleep(0.1)

        answers = await asyncio.gather(*(one(target) for target in targets.values()))
        return dict(zip(targets, answers, strict=True))


async def test_every_dump_of_nuts_library_is_read_as_its_reporter_meant_it(nut: Any, corpus: Path):
    dumps = items(corpus, "nut:")
    assert set(dumps) == set(SEVERITIES), "a dump that nobody judged yet"
    names = {item: f"ups{place}" for place, item in enumerate(dumps)}
    nut.start({names[item]: (corpus / dumps[item]["files"][0]).read_text(encoding="utf-8") for item in dumps})
    targets = {
        item: Target(NodeId(name), "127.0.0.1", {"nut": NutAccess(ups=name, port=nut.port)})
        for item, name in names.items()
    }
    settled = await verdicts(targets, lambda verdict: verdict.facts.get("status", "WAIT") != "WAIT")
    for item, verdict in settled.items():
        expected, notes = dumps[item]["expected"], dumps[item].get("notes", "")
        metrics = {metric.name: metric.value for metric in verdict.metrics}
        assert verdict.facts.get("status") == expected["ups.status"], (item, verdict, nut.log())
        assert verdict.facts.get("alarm") == expected.get("ups.alarm"), item
        assert verdict.severity is SEVERITIES[item], (item, verdict)
        assert verdict.down == ("OB" in expected["ups.status"].split()), item
        bad = {name for name in NUT_NAMES if re.search(rf"(^|[ ;]){re.escape(name)}:", notes)}
        for name, metric in NUT_NAMES.items():
            if name in bad and (item, name) not in INDISTINGUISHABLE:
                assert metric not in metrics, (item, name)
            elif name in expected:
                value = float(expected[name])
                kept = plausible({metric: value}, on_battery=verdict.down)
                assert metrics.get(metric) == kept.get(metric), (item, name)


async def test_three_phases_of_a_dump_stand_beside_the_worst(nut: Any, corpus: Path):
    nut.start({"big": (corpus / "nut-ddl/Eaton__93PM__snmp-ups__2.7.4__02.dev").read_text(encoding="utf-8")})
    target = Target(NodeId("big"), "127.0.0.1", {"nut": NutAccess(ups="big", port=nut.port)})
    settled = await verdicts({"big": target}, lambda verdict: "OL" in verdict.facts.get("status", ""))
    metrics = {metric.name: metric.value for metric in settled["big"].metrics}
    assert {name: value for name, value in metrics.items() if name.startswith("input_voltage")} == {
        "input_voltage": 232, "input_voltage.L1": 232, "input_voltage.L2": 232, "input_voltage.L3": 232,
    }  # fmt: skip


RECORDS = {
    "socomec-ups": "librenms/socomec-ups",
    "eaton-mgeups_5px": "librenms/eaton-mgeups_5px",
    "huaweiups_ups2000": "librenms/huaweiups_ups2000",
    "apc_smart1500": "librenms/apc_smart1500",
}

MEASURED = {
    "1.3.6.1.2.1.33.1.2.4.0": ("charge", 1),
    "1.3.6.1.2.1.33.1.2.3.0": ("runtime", 60),
    "1.3.6.1.2.1.33.1.2.7.0": ("temperature", 1),
    "1.3.6.1.2.1.33.1.4.4.1.5.1": ("load", 1),
    "1.3.6.1.2.1.33.1.3.3.1.3.1": ("input_voltage", 1),
    "1.3.6.1.4.1.318.1.1.1.2.3.1.0": ("charge", 1),
    "1.3.6.1.4.1.318.1.1.1.2.2.3.0": ("runtime", 60),
    "1.3.6.1.4.1.318.1.1.1.2.3.2.0": ("temperature", 1),
    "1.3.6.1.4.1.318.1.1.1.4.3.3.0": ("load", 1),
    "1.3.6.1.4.1.318.1.1.1.3.3.1.0": ("input_voltage", 1),
    "1.3.6.1.4.1.4555.1.1.7.1.2.4.0": ("charge", 1),
    "1.3.6.1.4.1.4555.1.1.7.1.2.3.0": ("runtime", 60),
    "1.3.6.1.4.1.4555.1.1.7.1.2.7.0": ("temperature", 1),
    "1.3.6.1.4.1.4555.1.1.7.1.4.4.1.4.1": ("load", 1),
    "1.3.6.1.4.1.4555.1.1.7.1.3.3.1.2.1": ("input_voltage", 1),
    "1.3.6.1.4.1.705.1.5.1.0": ("runtime", 1),
}
"""OID of a recorded sensor -> our metric, and how many of our units one of the record's has."""

ABSENT = {("socomec-ups", "runtime"), ("huaweiups_ups2000", "runtime"), ("eaton-mgeups_5px", "temperature")}
"""65535 and 4294967295 minutes, and 0 degrees of an Eaton card without a sensor."""

READ = {
    "socomec-ups": {"charge": 100, "load": 0, "temperature": 21, "input_voltage": 240},
    "eaton-mgeups_5px": {"charge": 100, "runtime": 2594, "load": 59, "input_voltage": 229},
    "huaweiups_ups2000": {"charge": 100, "load": 27, "temperature": 21, "input_voltage": 233},
    "apc_smart1500": {"charge": 100, "runtime": 4560, "load": 17.6, "temperature": 30, "input_voltage": 247.6},
    "ups-apc-battery-low": {"charge": 75, "runtime": 39925, "load": 9.7, "temperature": 23, "input_voltage": 234.1},
}
STATUS = {
    "socomec-ups": ("OL CHRG", Severity.OK, "NETYS RT"),
    "eaton-mgeups_5px": ("OL", Severity.OK, "Eaton 5PX"),
    "huaweiups_ups2000": ("OL", Severity.OK, "UPS2000 6kVA"),
    "apc_smart1500": ("OL", Severity.OK, None),
    "ups-apc-battery-low": ("OL LB RB", Severity.CRITICAL, None),
}


async def test_every_recorded_snmp_card_is_read_as_its_mib_means_it(
    snmpsim: Callable[[dict[str, Path]], int], corpus: Path
):
    files = {name: corpus / f"{path}.snmprec" for name, path in RECORDS.items()}
    files["ups-apc-battery-low"] = corpus / "centreon/ups-apc-battery-low.snmpwalk"
    port = snmpsim(files)
    targets = {
        name: Target(NodeId(name), "127.0.0.1", {"snmp": SnmpAccess(version="2c", community=Secret(name), port=port)})
        for name in files
    }
    read = await verdicts(targets)
    for name, verdict in read.items():
        status, severity, model = STATUS[name]
        metrics = {metric.name: metric.value for metric in verdict.metrics}
        assert metrics == pytest.approx(READ[name]), (name, verdict)
        assert (verdict.facts.get("status"), verdict.severity) == (status, severity), (name, verdict)
        assert verdict.facts.get("model") == model, name
        assert not verdict.down
    for name, path in RECORDS.items():
        metrics = {metric.name: metric.value for metric in read[name].metrics}
        sensors = json.loads((corpus / f"{path}.expected.json").read_text(encoding="utf-8"))["sensors"]
        agreed = [sensor for sensor in sensors if sensor.get("raw_agrees") and sensor["oid"] in MEASURED]
        assert len(agreed) >= 2, name
        for sensor in agreed:
            metric, factor = MEASURED[sensor["oid"]]
            if (name, metric) in ABSENT:
                assert metric not in metrics, (name, sensor)
            else:
                coarse = 60 if metric == "runtime" else 0
                assert metrics[metric] == pytest.approx(sensor["value"] * factor, abs=coarse), (name, sensor)
