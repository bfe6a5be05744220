"""The checks: those that the inventory writes, over those that roles and links bring; each complete and proven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from monitor.core.health import ConfirmPolicy
from monitor.core.ids import CheckId, NodeId
from monitor.core.incident import OTHER
from monitor.core.text import N_, say
from monitor.inventory.addresses import host_and_port
from monitor.inventory.heartbeat import with_secrets
from monitor.inventory.limits import flapping, look_at_limits, look_at_metrics
from monitor.inventory.many import Declared
from monitor.inventory.model import Check, Device, Link
from monitor.inventory.others import beside
from monitor.inventory.problems import NOTHING, Place, nearest
from monitor.inventory.roles import DEFAULT_KIND, Brought, peer_of
from monitor.inventory.schema import COMMON_KEYS, CheckKeys
from monitor.inventory.scope import Scope, refer
from monitor.inventory.shape import note_missing, shaped
from monitor.inventory.yaml_nodes import Entry, ScalarNode, TableNode
from probes.access import WAYS
from probes.contract import Target
from probes.params import Params
from probes.registry import UnknownKind, load
from probes.ssh import is_loopback

EVERY, TIMEOUT = timedelta(seconds=60), timedelta(seconds=10)
RETRIES_IN_EVERY = 4
"""A failure that is being confirmed is looked at again after this part of `every`."""
CONFIRM = {"heartbeat": 1}
"""Kinds that are believed sooner than others unless the check says otherwise: what a job says is no chance."""
GATES = ("ping", "link", "ups")
"""Kinds whose failure, being down, explains those behind their node unless the check says otherwise."""
LOCAL = "local"
"""The way to the machine on which Relève runs: it needs no credentials, and is chosen unasked for no other address."""


@dataclass(frozen=True, slots=True)
class Watching:
    """What the checks refer to: the devices and links that are right, and every device as it was written."""

    devices: Mapping[NodeId, Device]
    links: Mapping[NodeId, Link]
    written: Mapping[str, TableNode]

    @classmethod
    def of(cls, devices: Mapping[NodeId, Device], links: Mapping[NodeId, Link], declared: list[Declared]) -> Watching:
        """Gather them."""
        return cls(devices, links, {each.name: each.table for each in declared})


@dataclass(frozen=True, slots=True)
class _Written:
    """One check as it stands: `table` has its own keys over those that were brought."""

    name: str
    at: Place
    where: str
    table: TableNode

    def word(self, key: str) -> str:
        node = self.table.get(key)
        return node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else ""


def checks(scope: Scope, watching: Watching, brought: Mapping[str, Brought]) -> dict[CheckId, Check]:
    """Return the checks that are right, brought ones first; what is wrong with the others is noted."""
    found: dict[CheckId, Check] = {}
    for written in _all_written(scope, brought):
        check = _check(written, scope, watching)
        if check is not None:
            found[check.id] = check
    return found


def _all_written(scope: Scope, brought: Mapping[str, Brought]) -> list[_Written]:
    listed = [
        _Written(name, made.at, made.where, made.table)
        for name, made in brought.items()
        if name not in scope.sections["checks"]
    ]
    for name, entry in scope.sections["checks"].items():
        where = f"checks.{name}"
        if not isinstance(entry.value, TableNode):
            shaped(CheckKeys, entry.value, entry.at, where, scope.problems)
            continue
        table = entry.value.filled()
        if name in brought:
            below = dict(brought[name].table.entries)
            if {"device", "link"} & set(table.entries):
                below = {key: inner for key, inner in below.items() if key not in ("device", "link")}
            table = table.over(TableNode(table.at, below))
        listed.append(_Written(name, entry.at, where, table))
    return listed


def _check(written: _Written, scope: Scope, watching: Watching) -> Check | None:
    keys = shaped(CheckKeys, written.table, written.at, written.where, scope.problems)
    refers = _look_at_references(written, scope)
    params = _params(written, scope, watching)
    if keys is None or params is None or not refers:
        return None
    probe, stand = written.word("probe"), _stand(written, keys, watching)
    if stand is None:
        return None
    every = keys.every or EVERY
    node, target = stand
    others = beside(load(probe), params, written.table, written.where, target, watching.devices, scope)
    if others is None:
        return None
    if others:
        target = replace(target, beside=others)
    return Check(
        id=CheckId(written.name),
        probe=probe,
        node=node,
        target=target,
        params=params,
        every=every,
        timeout=keys.timeout or TIMEOUT,
        retry=keys.retry or every / RETRIES_IN_EVERY,
        policy=ConfirmPolicy(
            keys.confirm or CONFIRM.get(probe, ConfirmPolicy().confirm), keys.recover or ConfirmPolicy().recover
        ),
        kind=keys.incident or DEFAULT_KIND.get(probe, OTHER),
        gate=_is_gate(probe, node, watching) if keys.gate is None else keys.gate,
        needs=tuple(CheckId(name) for name in dict.fromkeys(keys.needs or ())),
        flapping=flapping(keys, written.table, written.where, scope),
    )


def _is_gate(probe: str, node: NodeId, watching: Watching) -> bool:
    """Whether a check that does not say so explains failures behind it: `link` of its link, the others of a device."""
    return probe in GATES and node in (watching.links if probe == "link" else watching.devices)


def _look_at_references(written: _Written, scope: Scope) -> bool:
    """Note what the check refers to and is not there; return whether it stands on exactly one device or link."""
    table, where, problems = written.table, written.where, scope.problems
    refer(table.get("device"), scope.devices, f"{where}.device", N_("there is no device {name}"), problems)
    refer(table.get("link"), scope.sections["links"], f"{where}.link", N_("there is no link {name}"), problems)
    absent = N_("there is no incident kind {name}")
    refer(table.get("incident"), scope.kinds, f"{where}.incident", absent, problems)
    if "title" in table.entries:
        scope.not_acted_on(table.entries["title"].at, f"{where}.title")
    given = [key for key in ("device", "link") if key in table.entries]
    if len(given) == 1:
        return True
    if given:
        problems.error(
            table.entries["link"].at, f"{where}.link", say("a check is of a device or of a link, not of both")
        )
    else:
        hint = say("or link, for a check of a link")
        note_missing("device", table, COMMON_KEYS, written.at, where, problems, hint)
    return False


def _params(written: _Written, scope: Scope, watching: Watching) -> Params | None:
    """Return the probe's own keys, proven by its model, completed by what the link and the credentials say."""
    entry = written.table.entries.get("probe")
    if entry is None:
        hint = say("no role brings a check of this name")
        note_missing("probe", written.table, COMMON_KEYS, written.at, written.where, scope.problems, hint)
        return None
    probe = _probe(written, entry, scope)
    if probe is None:
        return None
    own = {key: inner for key, inner in written.table.entries.items() if key not in COMMON_KEYS}
    own = {**_of_link(written, probe, watching, scope), **own}
    own = _with_way(written, probe, own, scope, watching)
    table = TableNode(written.table.at, own)
    also = [key for key in COMMON_KEYS if key not in written.table.entries]
    params = shaped(probe.Params, table, written.at, written.where, scope.problems, also)
    look_at_metrics(written.table, written.where, probe, scope)
    if params is not None:
        look_at_limits(written.table, written.where, probe, params, scope)
        params = with_secrets(params, table, written.where, scope)
    return params


def _probe(written: _Written, entry: Entry, scope: Scope) -> Any:
    kind = written.word("probe")
    where = f"{written.where}.probe"
    if not kind:
        return None
    try:
        return load(kind)
    except UnknownKind as error:
        message = say("there is no probe {name}", name=kind)
        scope.problems.error(entry.value.at, where, message, nearest(kind, error.known))
    except (ImportError, AttributeError) as error:
        message = say("the probe {name} cannot be loaded: {why}", name=kind, why=str(error))
        scope.problems.error(entry.value.at, where, message)
    return None


def _of_link(written: _Written, probe: Any, watching: Watching, scope: Scope) -> dict[str, Entry]:
    """Return the parameters that a check of a link takes from it: interface and capacity, or the peer's port."""
    name, fields = written.word("link"), probe.Params.model_fields
    entry = scope.sections["links"].get(name)
    if entry is None or not isinstance(entry.value, TableNode):
        return {}
    if probe.kind == "link":
        keys = ("interface", "capacity")
        return {key: entry.value.entries[key] for key in keys if key in fields and key in entry.value.entries}
    peer = entry.value.entries.get("peer")
    if peer is None:
        message = say("the link {name} has no peer to look at", name=name)
        scope.problems.error(written.at, written.where, message, say("give the link its peer:"))
        return {}
    link = watching.links.get(NodeId(name))
    port = host_and_port(link.peer)[1] if link is not None else None
    if port is None or "port" not in fields:
        return {}
    return {"port": Entry("port", peer.at, ScalarNode(peer.value.at, port, str(port)))}


def _with_way(
    written: _Written, probe: Any, own: dict[str, Entry], scope: Scope, watching: Watching
) -> dict[str, Entry]:
    """Return the probe's keys with `via` chosen: the first way of the probe for which the device has credentials."""
    ways, via = tuple(probe.ways), own.get("via")
    if not ways and via is not None and "via" not in probe.Params.model_fields:
        message = say("the probe {probe} has no choice of ways", probe=probe.kind)
        scope.problems.error(via.at, f"{written.where}.via", message, say("leave it out"))
        return {key: inner for key, inner in own.items() if key != "via"}
    device = _device_of(written, probe, watching, scope)
    table = watching.written.get(device)
    if not ways or table is None:
        return own
    given = [way for way in ways if way in table.entries]
    if not given and LOCAL in ways and is_loopback(str(getattr(table.get("address"), "value", ""))):
        given = [LOCAL]
    if via is not None and isinstance(via.value, ScalarNode) and via.value.value is not None:
        _look_at_via(written, via, ways, given, device, scope)
        if "via" not in probe.Params.model_fields:
            return {key: inner for key, inner in own.items() if key != "via"}
        return own
    if not given:
        needed = " / ".join(f"{way}:" for way in ways if way in WAYS)
        message = say("{device} has no {ways} to look by", device=device, ways=needed)
        hint = say("give it under devices.{device}", device=device)
        if LOCAL in ways:
            hint = say("give it under devices.{device}; or via: local, if it is this machine", device=device)
        entry = written.table.entries.get("device")
        at = written.at if entry is None else entry.value.at
        scope.problems.error(at, f"{written.where}.{'link' if entry is None else 'device'}", message, hint)
        return own
    if "via" not in probe.Params.model_fields:
        return own
    return {**own, "via": Entry("via", written.at, ScalarNode(written.at, given[0], given[0]))}


def _look_at_via(
    written: _Written, via: Entry, ways: tuple[str, ...], given: list[str], device: str, scope: Scope
) -> None:
    way, where = str(getattr(via.value, "value", "")), f"{written.where}.via"
    if way not in ways:
        message = say("the probe {probe} does not look via {way}", probe=written.word("probe"), way=way)
        scope.problems.error(via.value.at, where, message, nearest(way, ways))
    elif way != LOCAL and way not in given:
        message = say("{device} has no {way}:, so that nothing can be seen that way", device=device, way=way)
        hint = say("it has: {names}", names=", ".join(given)) if given else NOTHING
        scope.problems.error(via.value.at, where, message, hint or say("give it under devices.{device}", device=device))


def _device_of(written: _Written, probe: Any, watching: Watching, scope: Scope) -> str:
    link = scope.sections["links"].get(written.word("link"))
    if link is None or probe.kind != "link":
        return written.word("device")
    node = link.value.get("device") if isinstance(link.value, TableNode) else None
    return node.text if isinstance(node, ScalarNode) else ""


def _stand(written: _Written, keys: CheckKeys, watching: Watching) -> tuple[NodeId, Target] | None:
    """Return the node on which the check stands and the target that it looks at; None if these are wrong."""
    if keys.device is not None:
        device = watching.devices.get(NodeId(keys.device))
        return None if device is None else (device.id, device.target)
    link = watching.links.get(NodeId(keys.link or ""))
    if link is None:
        return None
    if keys.probe == "link":
        router = watching.devices.get(link.device)
        return None if router is None else (link.id, router.target)
    peer = NodeId(peer_of(link.id))
    return link.id if keys.gate else peer, Target(peer, host_and_port(link.peer)[0])
