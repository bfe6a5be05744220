"""The copy of the reference inventory differs in addresses, ports, keys and pace, and in nothing else."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from lab.adapt import ABSENT, Pace, adapted, differences, read, reference, write
from lab.site import Site
from monitor.inventory.load import load
from monitor.inventory.model import Inventory

ADDRESSES = r"devices\.[\w-]+\.address|links\.[\w-]+\.peer|channels\.sms\.url"
PORTS = r"devices\.[\w-]+\.(snmp|nut|modbus|ssh)\.port|checks\.[\w-]+\.port"
KEYS = r"devices\.[\w-]+\.ssh\.(key|host_key)"
PACE = (
    r"checks\.[\w-]+\.every|recordings\.[\w-]+\.(every|closed_after)"
    r"|protocol\.(update\.every|conference\.after|crisis_report\.every|long_after)"
)
MAY_DIFFER = re.compile(f"{ADDRESSES}|{PORTS}|{KEYS}|{PACE}")


def checks_of(inventory: Inventory) -> dict[str, str]:
    return {str(name): check.probe for name, check in inventory.checks.items()}


@pytest.fixture
def inventory(monkeypatch, site: Site) -> Inventory:
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    found = load(reference()).inventory
    assert found is not None
    return found


@pytest.fixture
def text() -> str:
    return reference().read_text("utf-8")


async def test_only_addresses_ports_keys_and_pace_differ(site, inventory, text):
    found = differences(read(text), adapted(text, checks_of(inventory), site))
    assert found
    assert [one.path for one in found if not MAY_DIFFER.fullmatch(one.path)] == []
    assert [one.path for one in found if one.after == ABSENT] == []


async def test_without_the_listed_differences_the_copy_is_the_reference(site, inventory, text):
    before, after = read(text), adapted(text, checks_of(inventory), site)
    for one in differences(before, after):
        *tables, last = one.path.split(".")
        old, new = before, after
        for table in tables:
            old, new = old.get(table, {}), new[table]
        if one.before == ABSENT:
            del new[last]
        else:
            new[last] = old[last]
    brought = after["checks"].keys() - before["checks"].keys()
    assert [after["checks"].pop(name) for name in brought] == [{}] * len(brought)
    assert after == before


async def test_the_copy_is_right_and_watches_the_same_by_the_same_rules(tmp_path: Path, site, inventory, text):
    place = tmp_path / "inventory.yaml"
    place.write_text(write(adapted(text, checks_of(inventory), site, Pace(every=2, hour=11))), "utf-8")
    reading = load(place)
    copy = reading.inventory
    assert copy is not None, reading.problems
    pace = {name: replace(watched, every=timedelta(seconds=2)) for name, watched in inventory.plan.checks.items()}
    assert copy.plan == replace(inventory.plan, checks=pace)
    assert copy.contacts == inventory.contacts
    assert copy.kinds == inventory.kinds
    assert copy.automation == inventory.automation
    for name, check in inventory.checks.items():
        same = copy.checks[name]
        assert (same.probe, same.node, same.policy, same.kind, same.gate, same.timeout, same.needs) == (
            check.probe, check.node, check.policy, check.kind, check.gate, check.timeout, check.needs,
        )  # fmt: skip
        assert same.every.total_seconds() == 2
        assert same.target.address == "127.0.0.1"
        assert same.params.model_copy(update={"port": None}) == check.params.model_copy(update={"port": None})
    for name, folder in inventory.actionable.recordings.items():
        other = copy.actionable.recordings[name]
        assert (other.folder, other.archive_folder, other.match, other.keep, other.rate) == (
            folder.folder, folder.archive_folder, folder.match, folder.keep, folder.rate,
        )  # fmt: skip
        assert (other.every.total_seconds(), other.closed_after.total_seconds()) == (3, 1)
    assert copy.protocol.first_within == inventory.protocol.first_within
    assert copy.protocol.update_every is not None
    assert copy.protocol.update_every.total_seconds() == 11


async def test_every_address_of_the_copy_is_a_thing_of_the_site(site, inventory, text):
    ports = {str(port) for port in site.endpoints.values()}
    for one in differences(read(text), adapted(text, checks_of(inventory), site)):
        if one.path.endswith(".port"):
            assert one.after in ports
        if one.path.endswith(".peer"):
            assert one.after.rpartition(":")[2] in ports


async def test_the_copy_knows_the_keys_of_the_site(site, inventory, text):
    devices = adapted(text, checks_of(inventory), site)["devices"]
    for name in ("hmp", "archive"):
        assert devices[name]["ssh"]["host_key"] == site.host_keys[f"{name}.ssh"]
        place = Path(devices[name]["ssh"]["key"].removeprefix("file:"))
        assert place.stat().st_mode & 0o777 == 0o600
        assert "PRIVATE KEY" in place.read_text()
