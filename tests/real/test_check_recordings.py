"""`releve check --json` on recordings of real devices: what a person would see of them, and what a script reads."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

RECORDS = {
    "apc": "apc_smart1500",
    "socomec": "socomec-ups",
    "eaton": "eaton-mgeups_5px",
    "huawei": "huaweiups_ups2000",
    "isr": "iosxe_isr4321",
    "server": "windows_svr_2019_1809",
}
CHECKS = {
    "apc": "{probe: ups, device: apc, timeout: 30s}",
    "socomec": "{probe: ups, device: socomec, timeout: 30s}",
    "eaton": "{probe: ups, device: eaton, timeout: 30s}",
    "huawei": "{probe: ups, device: huawei, timeout: 30s}",
    "isr": "{probe: router, device: isr, timeout: 30s}",
    "isr-wan": "{probe: link, device: isr, interface: GigabitEthernet0/0/0, capacity: 4 Mbit/s, timeout: 30s}",
    "server-c": '{probe: disk, device: server, via: snmp, mount: "C:", timeout: 30s}',
}
CLASSES = {"charge": "charge", "load": "load", "temperature": "temperature", "runtime": "runtime"}
"""LibreNMS's class of a sensor, and our metric."""
SECONDS = {"min": 60.0}


def checked(folder: Path, inventory: str, secrets: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Run `releve check --json` on `inventory`; return each check's result by its name."""
    path = folder / "inventory.yaml"
    path.write_text(inventory, encoding="utf-8")
    releve = Path(sys.executable).with_name("releve")
    command = [str(releve), "--inventory", str(path), "--lang", "en", "check", "--json"]
    environment = {**os.environ, **secrets}
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=180, env=environment)
    assert done.returncode in (0, 1), done.stderr
    return {result["check"]: result for result in json.loads(done.stdout)}


def metrics(result: dict[str, Any]) -> dict[str, float]:
    return {metric["name"]: metric["value"] for metric in result["metrics"]}


@pytest.fixture(scope="module")
def results(corpus, snmpsim, tmp_path_factory):
    port = snmpsim({record: corpus / "librenms" / f"{record}.snmprec" for record in RECORDS.values()})
    devices = "".join(
        f'  {name}: {{address: 127.0.0.1, snmp: {{version: 2c, community: "env:OF_{name.upper()}", port: {port}}}}}\n'
        for name in RECORDS
    )
    checks = "".join(f"  {name}: {keys}\n" for name, keys in CHECKS.items())
    inventory = f"site: {{name: Recordings}}\ndevices:\n{devices}checks:\n{checks}"
    secrets = {f"OF_{name.upper()}": record for name, record in RECORDS.items()}
    return checked(tmp_path_factory.mktemp("recordings"), inventory, secrets)


def facts(corpus: Path, record: str) -> dict[str, set[float]]:
    """The values that LibreNMS read and that agree with the raw record, in our units, by our metric's name."""
    expected = json.loads((corpus / "librenms" / f"{record}.expected.json").read_text(encoding="utf-8"))
    found: dict[str, set[float]] = {}
    for sensor in expected["sensors"]:
        if sensor.get("raw_agrees") and sensor["cls"] in CLASSES and sensor["value"] < 65535:
            value = sensor["value"] * SECONDS.get(sensor["unit"], 1.0)
            found.setdefault(CLASSES[sensor["cls"]], set()).add(value)
    return found


@pytest.mark.parametrize("name", ["apc", "socomec", "eaton", "huawei"])
def test_a_recorded_ups_reads_as_its_raw_record_says(results, corpus, name):
    measured, known = metrics(results[name]), facts(corpus, RECORDS[name])
    assert {"charge", "load"} <= set(measured)
    compared = {metric for metric in ("charge", "load") if known.get(metric)}
    assert compared
    for metric in compared:
        assert any(measured[metric] == pytest.approx(value) for value in known[metric]), (metric, known[metric])
    assert results[name]["facts"]["status"].split()[0] == "OL"


def test_a_run_time_that_is_not_there_is_no_run_time(results):
    assert "runtime" not in metrics(results["socomec"])
    assert "runtime" not in metrics(results["huawei"])
    assert metrics(results["apc"])["runtime"] == 76 * 60
    assert metrics(results["eaton"])["runtime"] == 2594


def test_the_router_shows_every_temperature_and_the_worst(results, corpus):
    measured = metrics(results["isr"])
    shown = {round(value, 3) for metric, value in measured.items() if metric.startswith("temperature.")}
    assert shown == {round(value, 3) for value in facts(corpus, RECORDS["isr"])["temperature"]}
    assert measured["temperature"] == max(shown)
    assert results["isr"]["facts"]["model"] == "ISR4321/K9"
    assert results["isr"]["facts"]["version"] == "17.6.4"


def test_the_router_s_interface_is_found_by_the_name_that_people_use(results):
    wan = results["isr-wan"]
    assert wan["facts"]["oper_status"] == "up"
    assert metrics(wan)["speed"] == 1_000_000_000


def test_the_server_s_disk_is_as_full_as_the_record_says(results):
    measured = metrics(results["server-c"])
    assert measured["size"] == 106_728_255_488
    assert measured["free"] == 74_369_032_192
    assert round(measured["used"]) == 30
    assert results["server-c"]["severity"] == "ok"


def test_recorded_dumps_of_nut_are_read_through_upsd(nut, corpus, tmp_path):
    items = json.loads((corpus / "index.json").read_text(encoding="utf-8"))["items"]
    dumps = {f"ups{n}": item for n, item in enumerate(item for item in items if item["id"].startswith("nut:"))}
    nut.start({name: (corpus / item["files"][0]).read_text(encoding="utf-8") for name, item in dumps.items()})
    devices = "".join(f"  {name}: {{address: 127.0.0.1, nut: {{ups: {name}, port: {nut.port}}}}}\n" for name in dumps)
    checks = "".join(f"  {name}: {{probe: ups, device: {name}, timeout: 30s}}\n" for name in dumps)
    folder = tmp_path / "site"
    folder.mkdir()
    until = time.monotonic() + 60
    while True:
        results = checked(folder, f"site: {{name: NUT}}\ndevices:\n{devices}checks:\n{checks}", {})
        statuses = [result["facts"].get("status", "WAIT") for result in results.values()]
        if "WAIT" not in statuses or time.monotonic() > until:
            break
    for name, item in dumps.items():
        assert set(results[name]["facts"]["status"].split()) == set(item["expected"]["ups.status"].split()), item["id"]
        if "DISCHRG" in item["expected"]["ups.status"]:
            assert results[name]["severity"] == "critical"
