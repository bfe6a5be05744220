"""Further devices that a check names among its parameters, such as the one that holds the copy of a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitor.core.ids import NodeId
from monitor.core.text import N_, say
from monitor.inventory.model import Device
from monitor.inventory.scope import Scope, refer
from monitor.inventory.yaml_nodes import TableNode
from probes.access import SqlAccess
from probes.contract import Target
from probes.params import Params


def beside(
    probe: Any,
    params: Params,
    table: TableNode,
    where: str,
    own: Target,
    devices: Mapping[NodeId, Device],
    scope: Scope,
) -> dict[str, Target] | None:
    """Return the devices that `params` name, by key; None where one is wrong, which is noted unless it is already.

    `own`: the check's own device; the others must be reached by one of the same ways.
    """
    found: dict[str, Target] = {}
    right = _is_of_its_make(probe, params, table, where, own, scope)
    for key in getattr(probe, "others", ()):
        name = getattr(params, key)
        if name is None:
            continue
        node = table.get(key)
        refer(node, scope.devices, f"{where}.{key}", N_("there is no device {name}"), scope.problems)
        other = devices.get(NodeId(name))
        if other is None:
            right = False
            continue
        message = _misfit(probe, own, other.target)
        if message is None:
            found[key] = other.target
            continue
        right = False
        at = table.at if node is None else node.at
        scope.problems.error(at, f"{where}.{key}", *message)
    return found if right else None


def _is_of_its_make(probe: Any, params: Params, table: TableNode, where: str, own: Target, scope: Scope) -> bool:
    """Note where the device's database is not of the make that the check's `how` is about; return whether it is."""
    access, how = own.access.get("sql"), getattr(params, "how", None)
    engine = getattr(probe, "engines", {}).get(how)
    if engine is None or not isinstance(access, SqlAccess) or access.engine == engine:
        return True
    node = table.get("how")
    message = say("{how} is about {engine}, and {device} is {unlike}",
                  how=str(how), engine=engine, device=own.name, unlike=access.engine)  # fmt: skip
    fitting = ", ".join(name for name, make in probe.engines.items() if make == access.engine)
    scope.problems.error(
        table.at if node is None else node.at, f"{where}.how", message, say("write one of: {names}", names=fitting)
    )
    return False


def _misfit(probe: Any, own: Target, other: Target) -> tuple[Any, Any] | None:
    """Return why `other` cannot stand beside `own`, and what to do; None if it can."""
    if other.name == own.name:
        return say("{device} is the check's own device", device=own.name), say("name the other one")
    ways = [way for way in probe.ways if way in own.access]
    if not any(way in other.access for way in ways):
        needed = " / ".join(f"{way}:" for way in ways or probe.ways)
        hint = say("give it under devices.{device}", device=other.name)
        return say("{device} has no {ways} to look by", device=other.name, ways=needed), hint
    one, two = own.access.get("sql"), other.access.get("sql")
    if isinstance(one, SqlAccess) and isinstance(two, SqlAccess) and one.engine != two.engine:
        message = say(
            "{one} is {engine} and {other} is {unlike}",
            one=own.name, engine=one.engine, other=other.name, unlike=two.engine,
        )  # fmt: skip
        return message, say("a database and its copy are of one make")
    return None
