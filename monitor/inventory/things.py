"""What there is and how it is reached: devices and links, and what stands behind what."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from monitor.core.ids import NodeId
from monitor.core.text import N_, Text, say
from monitor.core.topology import find_cycle
from monitor.inventory.addresses import host_and_port, look_at_address
from monitor.inventory.many import Declared
from monitor.inventory.model import Device, Link
from monitor.inventory.problems import NOTHING, Level, Place, Problems
from monitor.inventory.roles import ways_of
from monitor.inventory.schema import DeviceKeys, LinkKeys
from monitor.inventory.scope import Scope, names_in, refer
from monitor.inventory.secrets_in import anchored, look_at
from monitor.inventory.shape import note_missing, shaped
from monitor.inventory.yaml_nodes import TableNode
from monitor.secret import Secret
from probes.access import WAYS, Access, ModbusAccess, SshAccess
from probes.contract import Target
from probes.profile import profiles
from probes.profile_model import ModbusProfile
from probes.registry import kinds
from runbooks.router_lines import FAMILIES

CLEAR_IS_WARNED = frozenset({"community"})
"""Secrets that travel in clear anyway (SNMPv2c): written in clear they are a warning, all others an error."""


def devices(scope: Scope, declared: list[Declared]) -> dict[NodeId, Device]:
    """Return the devices that are right; what is wrong with the others is noted."""
    found: dict[NodeId, Device] = {}
    for each in declared:
        if each.broken:
            continue
        keys = shaped(DeviceKeys, each.table, each.at, each.where, scope.problems)
        table, problems = each.table, scope.problems
        absent = N_("there is no device or link {name}")
        refer(table.get("parent"), scope.nodes, f"{each.where}.parent", absent, problems)
        _look_at_crypto(table, each.where, problems)
        if "address" not in table.entries:
            note_missing("address", table, DeviceKeys.model_fields, each.at, each.where, problems)
        if keys is None or keys.address is None:
            continue
        look_at_address(keys.address, table.entries["address"].value.at, f"{each.where}.address", problems)
        ways: dict[str, Access] = {way: getattr(keys, way) for way in WAYS if getattr(keys, way) is not None}
        access = {way: _access(way, given, each, scope) for way, given in ways.items()}
        name = NodeId(each.name)
        parents = tuple(NodeId(parent) for parent in dict.fromkeys(keys.parent or ()))
        found[name] = Device(name, Target(name, keys.address, access), keys.role or "", parents)
    return found


def _access(way: str, given: Access, device: Declared, scope: Scope) -> Access:
    """Return the way with its secrets anchored, looking at each of them and at whether they belong together."""
    entry = device.table.entries[way]
    where, table = f"{device.where}.{way}", entry.value
    if not is_used(way) and not _is_acted_by(given):
        scope.not_acted_on(entry.at, where)
    secrets = {name: value for name, value in given if isinstance(value, Secret)}
    for name, secret in secrets.items():
        at = table.entries[name].value.at if isinstance(table, TableNode) and name in table.entries else entry.at
        level = Level.WARNING if name in CLEAR_IS_WARNED else Level.ERROR
        look_at(anchored(secret, scope.folder.root), level, at, f"{where}.{name}", scope.problems)
    if isinstance(given, ModbusAccess) and isinstance(table, TableNode):
        known = [name for name, profile in profiles().items() if isinstance(profile, ModbusProfile)]
        refer(table.get("profile"), known, f"{where}.profile", N_("there is no register map {name}"), scope.problems)
    for key, message, hint in _misfits(way, given):
        inner = table.entries.get(key) if isinstance(table, TableNode) else None
        scope.problems.error(entry.at if inner is None else inner.at, where, message, hint)
    return given.model_copy(update={name: anchored(secret, scope.folder.root) for name, secret in secrets.items()})


@cache
def is_used(way: str) -> bool:
    """Return whether any kind of probe looks by that way."""
    return any(way in ways_of(kind) for kind in kinds())


def _is_acted_by(given: Access) -> bool:
    """Return whether runbooks act by that way: they log in to hosts, and to routers of the families that they know."""
    return isinstance(given, SshAccess) and given.platform in (None, "windows", "linux", *FAMILIES)


_Misfits = list[tuple[str, Text, Text]]


def _misfits(way: str, given: Access) -> _Misfits:
    """Return the keys of a way that do not belong together: the key, what is wrong, what to do."""
    keys = given.model_fields_set
    if way == "ssh" and not {"key", "password"} & keys:
        return [("user", say("there is neither key nor password to log in with"), NOTHING)]
    if way != "snmp":
        return []
    return _misfits_v2c(keys) if getattr(given, "version", None) == "2c" else _misfits_v3(keys)


def _misfits_v2c(keys: set[str]) -> _Misfits:
    hint = say("write version: 3, or leave it out")
    of_v3 = ("user", "auth", "auth_protocol", "priv", "priv_protocol")
    wrong: _Misfits = [(key, say("{key} belongs to version 3", key=key), hint) for key in of_v3 if key in keys]
    if "community" not in keys:
        wrong.append(("version", say("version 2c needs a community"), NOTHING))
    return wrong


def _misfits_v3(keys: set[str]) -> _Misfits:
    wrong: _Misfits = []
    if "community" in keys:
        wrong.append(("community", say("a community belongs to version 2c"), say("leave it out")))
    if "user" not in keys:
        wrong.append(("version", say("version 3 needs a user"), NOTHING))
    if "priv" in keys and "auth" not in keys:
        wrong.append(("priv", say("there is no encryption without authentication"), say("give auth too (RFC 3414)")))
    return wrong


def _look_at_crypto(table: TableNode, where: str, problems: Problems) -> None:
    entry = table.entries.get("legacy_crypto")
    names = ", ".join(word.text for word in names_in(table.get("legacy_crypto")))
    if entry is not None and names:
        message = say("old cryptography is allowed for this device: {names}", names=names)
        problems.warn(entry.at, f"{where}.legacy_crypto", message, say("replace the device's software when you can"))


def links(scope: Scope) -> dict[NodeId, Link]:
    """Return the links that are right; what is wrong with the others is noted."""
    found: dict[NodeId, Link] = {}
    for name, entry in scope.sections["links"].items():
        where, problems = f"links.{name}", scope.problems
        if name in scope.devices:
            message = say("{name} is a device already", name=name)
            problems.error(entry.at, where, message, say("devices and links share their names: choose another"))
        keys = shaped(LinkKeys, entry.value, entry.at, where, problems)
        if isinstance(entry.value, TableNode):
            absent = N_("there is no device {name}")
            for key in ("device", "radio"):
                refer(entry.value.get(key), scope.devices, f"{where}.{key}", absent, problems)
        if keys is None or not isinstance(entry.value, TableNode):
            continue
        if keys.radio is not None:
            scope.not_acted_on(entry.value.entries["radio"].at, f"{where}.radio")
        if keys.peer is not None:
            host, _port = host_and_port(keys.peer)
            look_at_address(host, entry.value.entries["peer"].value.at, f"{where}.peer", problems)
        device, node = NodeId(keys.device), NodeId(name)
        radio = None if keys.radio is None else NodeId(keys.radio)
        found[node] = Link(
            node, keys.technology, device, keys.interface, keys.capacity, keys.peer or "", radio, (device,)
        )
    return found


def look_for_cycles(scope: Scope, declared: list[Declared]) -> None:
    """Note every ring of things that stand behind one another."""
    parents: dict[NodeId, tuple[NodeId, ...]] = {}
    places: dict[NodeId, tuple[Place, str]] = {}

    def stands(name: str, table: TableNode, key: str, where: str) -> None:
        words = [word for word in names_in(table.get(key)) if word.text in scope.nodes]
        parents[NodeId(name)] = tuple(NodeId(word.text) for word in words)
        places[NodeId(name)] = (words[0].at if words else table.at, f"{where}.{key}")

    for each in declared:
        stands(each.name, each.table, "parent", each.where)
    for name, entry in scope.sections["links"].items():
        if isinstance(entry.value, TableNode) and name not in scope.devices:
            stands(name, entry.value, "device", f"links.{name}")
    _tell_cycles(parents, places, scope.problems)


def _tell_cycles(
    parents: dict[NodeId, tuple[NodeId, ...]], places: Mapping[NodeId, tuple[Place, str]], problems: Problems
) -> None:
    while ring := find_cycle(parents):
        at, where = places[ring[0]]
        message = say("each of these stands behind the next: {ring}", ring=" > ".join(ring))
        problems.error(at, where, message, say("take one parent away"))
        parents[ring[0]] = ()
