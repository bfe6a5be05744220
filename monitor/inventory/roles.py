"""The checks that nobody has to write: what a device's role and a link bring."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from monitor.core.text import say
from monitor.inventory.kinds import LINK_UNSTABLE, POWER
from monitor.inventory.many import Declared
from monitor.inventory.problems import Place
from monitor.inventory.scope import Scope
from monitor.inventory.yaml_nodes import Entry, ScalarNode, TableNode
from probes.access import WAYS
from probes.registry import load

ROLE_CHECKS: dict[str, tuple[tuple[str, str], ...]] = {
    "router": (("", "router"), ("-ping", "ping")),
    "ups": (("", "ups"),),
    "generator": (("", "generator"),),
    "switch": (("-ping", "ping"),),
    "server": (("-ping", "ping"),),
}
"""Role -> the ending of the check's name behind the device's, and its probe."""
DEFAULT_KIND = {"link": LINK_UNSTABLE, "ups": POWER, "generator": POWER}
"""Probe -> the incident kind of its checks that name none."""


@dataclass(frozen=True, slots=True)
class Brought:
    """A check that a role or a link brings, with the place that brought it."""

    at: Place
    where: str
    table: TableNode


def brought_checks(scope: Scope, declared: list[Declared]) -> dict[str, Brought]:
    """Return the checks that the inventory brings by itself, by name.

    One that the device has no credentials for is left out with a warning, unless the inventory speaks of it.
    """
    found: dict[str, Brought] = {}
    for device in declared:
        for name, probe, made in _of_role(device):
            if _can(probe, device, made.at, f"{device.where}.role", name, scope):
                _add(found, name, made, scope)
    by_name = {device.name: device for device in declared}
    for name, entry in scope.sections["links"].items():
        if isinstance(entry.value, TableNode) and name not in scope.devices:
            for check, made in _of_link(name, entry.at, entry.value):
                router = by_name.get(str(getattr(entry.value.get("device"), "value", "")))
                if router is None or check != name or _can("link", router, made.at, f"links.{name}", check, scope):
                    _add(found, check, made, scope)
    return found


def _of_role(device: Declared) -> Iterator[tuple[str, str, Brought]]:
    role = device.table.get("role")
    if isinstance(role, ScalarNode) and isinstance(role.value, str):
        for ending, probe in ROLE_CHECKS.get(role.value, ()):
            name, table = device.name + ending, _table(role.at, probe=probe, device=device.name)
            yield name, probe, Brought(role.at, f"checks.{name}", table)


def _of_link(name: str, at: Place, table: TableNode) -> list[tuple[str, Brought]]:
    made = [(name, Brought(at, f"checks.{name}", _table(at, probe="link", link=name)))]
    peer = table.get("peer")
    if isinstance(peer, ScalarNode) and peer.value:
        ping = _table(peer.at, probe="ping", link=name, incident=LINK_UNSTABLE)
        made.append((peer_of(name), Brought(peer.at, f"checks.{peer_of(name)}", ping)))
    return made


def peer_of(link: str) -> str:
    """Return the name of a link's far end, and of the check that pings it."""
    return f"{link}-peer"


def ways_of(probe: str) -> tuple[str, ...]:
    """Return the ways by which a kind of probe can look, best first; none if it needs none or cannot be loaded."""
    try:
        return tuple(load(probe).ways)
    except (LookupError, ImportError, AttributeError):
        return ()


def _can(probe: str, device: Declared, at: Place, where: str, check: str, scope: Scope) -> bool:
    ways = ways_of(probe)
    if not ways or set(ways) & set(device.table.entries) or check in scope.sections["checks"]:
        return True
    needed = " / ".join(f"{way}:" for way in ways if way in WAYS)
    message = say(
        "{device} has no {ways}, so that {check} is not watched", device=device.name, ways=needed, check=check
    )
    scope.problems.warn(at, where, message)
    return False


def _add(found: dict[str, Brought], name: str, made: Brought, scope: Scope) -> None:
    first = found.setdefault(name, made)
    if first is not made:
        message = say("line {line} brings a check {name} already", line=first.at.line, name=name)
        scope.problems.error(made.at, made.where, message, say("rename one of the devices or links"))


def _table(at: Place, **values: str) -> TableNode:
    return TableNode(at, {key: Entry(key, at, ScalarNode(at, value, value)) for key, value in values.items()})
