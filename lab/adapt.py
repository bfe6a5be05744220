"""The reference inventory, made to fit the simulated site: other addresses, other ports and a faster clock, no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import lab
from lab.door import LOOPBACK
from lab.site import Site

ARCHIVE_EVERY, CLOSED_AFTER = "3s", "1s"
"""How often the copy archives recordings, and how long one must stand still to count as finished."""
PERIODS = (("update", "every"), ("conference", "after"), ("crisis_report", "every"), ("long_after",))
"""Where the protocol counts time. `within` of the first notice stays: it is what the demonstration proves."""
ABSENT = "-"
SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the copy lives: each check looks `every` so often (s); an `hour` of the protocol lasts so long (s)."""

    every: float = 2.0
    hour: float = 11.0


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is another one in the copy; `path` as in `checks.hmp-ping.port`, `before` may be absent."""

    path: str
    before: str
    after: str


def reference() -> Path:
    """Return the reference inventory: beside the code when installed, at the root in a checkout."""
    here = Path(lab.__file__).parent
    installed = here / "inventory.yaml"
    return installed if installed.exists() else here.parent / "inventory.yaml"


def adapted(text: str, checks: Mapping[str, str], site: Site, pace: Pace | None = None) -> dict[str, Any]:
    """Return the inventory written in `text` as data for `site`, whose things are found by the inventory's names.

    `checks`: every check of that inventory, those that roles and links bring included, and its kind of probe.
    Raises KeyError when the site has nothing in the place of a device's access or of a check's port.
    """
    pace = pace or Pace()
    data = read(text)
    ports = site.endpoints
    for name, device in data["devices"].items():
        device["address"] = LOOPBACK
        for way in ("snmp", "nut", "modbus", "ssh"):
            if way in device:
                device[way]["port"] = ports[f"{name}.{way}"]
        if "ssh" in device:
            device["ssh"] |= {"key": f"file:{site.key_file}", "host_key": site.host_keys[f"{name}.ssh"]}
    for name, link in data["links"].items():
        link["peer"] = f"{LOOPBACK}:{ports[f'{name}.peer']}"
    for name, kind in checks.items():
        _fit_check(data, name, kind, ports, pace)
    data["channels"]["sms"]["url"] = f"gammu:{site.modem.spool}"
    for folder in data["recordings"].values():
        folder |= {"every": ARCHIVE_EVERY, "closed_after": CLOSED_AFTER}
    shortened(data["protocol"], pace)
    return data


def _fit_check(data: dict[str, Any], name: str, kind: str, ports: Mapping[str, int], pace: Pace) -> None:
    """Give the check the pace of the copy, and the port of its own in place of a well-known one or of ICMP."""
    check = data["checks"].setdefault(name, {})
    check["every"] = f"{pace.every:g}s"
    device = check.get("device") or name.removesuffix("-ping")
    if kind in ("ping", "tcp", "http") and device in data["devices"]:
        check["port"] = ports[f"{device}.{kind}"]


def shortened(protocol: dict[str, Any], pace: Pace) -> None:
    """Let every length of time by which `protocol` (as data) tells people pass faster."""
    for path in PERIODS:
        _shorten(protocol, path, pace)


def _shorten(table: dict[str, Any], path: tuple[str, ...], pace: Pace) -> None:
    *parents, last = path
    for name in parents:
        table = table.get(name) or {}
    if last in table:
        table[last] = f"{_seconds(table[last]) / 3600 * pace.hour:g}s"


def _seconds(written: str) -> float:
    number = written.rstrip("abcdefghijklmnopqrstuvwxyz ")
    return float(number) * SECONDS[written[len(number) :].strip()]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return every value that differs between two inventories, in the order of the second one, then what is gone."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    changed = [Difference(path, old.get(path, ABSENT), value) for path, value in new.items() if old.get(path) != value]
    return (*changed, *(Difference(path, value, ABSENT) for path, value in old.items() if path not in new))


def _leaves(data: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in data.items():
        place = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping):
            yield from _leaves(value, place)
        else:
            yield place, str(value)


def read(text: str) -> dict[str, Any]:
    """Return an inventory's text as data, to compare a copy with it."""
    return dict(yaml.safe_load(text))


def write(data: Mapping[str, Any]) -> str:
    """Return an inventory's data as text."""
    return yaml.safe_dump(dict(data), allow_unicode=True, sort_keys=False, width=120)
