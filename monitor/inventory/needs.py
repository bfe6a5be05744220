"""Which checks must be well for another one to be (`needs:`)."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.core.ids import CheckId, NodeId
from monitor.core.text import N_, say
from monitor.core.topology import Topology, find_cycle
from monitor.inventory.model import Check
from monitor.inventory.problems import Place
from monitor.inventory.scope import Scope, names_in, refer
from monitor.inventory.yaml_nodes import TableNode

_CHECK, _WAY = "check:", "way:"
"""What the names of a check and of the way to a device begin with, where both are looked at as one network."""


def look_at_needs(scope: Scope, checks: Mapping[CheckId, Check], topology: Topology) -> None:
    """Note a `needs` that names no check, or that goes round in a ring with what stands behind what.

    A check that needs one behind it would be explained by its own consequence: nobody would hear of either.
    """
    places: dict[str, Place] = {}
    for name, entry in scope.sections["checks"].items():
        node = entry.value.get("needs") if isinstance(entry.value, TableNode) else None
        if names_in(node) and node is not None:
            places[name] = node.at
            refer(node, scope.checks, f"checks.{name}.needs", N_("there is no check {name}"), scope.problems)
    stands = _stands(checks, topology)
    needed = {_vertex(name): tuple(map(_vertex, checks[CheckId(name)].needs)) for name in places if name in checks}
    edges = {vertex: (*needed.get(vertex, ()), *before) for vertex, before in stands.items()}
    while ring := find_cycle(edges):
        names = [str(vertex).removeprefix(_CHECK) for vertex in ring[:-1] if vertex.startswith(_CHECK)]
        first = next((name for name in names if _vertex(name) in needed), None)
        if first is None:  # what stands behind itself was noted with the devices
            edges[ring[0]] = ()
            continue
        turn = names.index(first)
        message = say("each of these needs the next: {ring}", ring=" > ".join([*names[turn:], *names[:turn], first]))
        scope.problems.error(places[first], f"checks.{first}.needs", message, say("take one of them away"))
        edges[_vertex(first)] = stands[_vertex(first)]
        del needed[_vertex(first)]


def _vertex(check: str) -> NodeId:
    return NodeId(f"{_CHECK}{check}")


def _stands(checks: Mapping[CheckId, Check], topology: Topology) -> dict[NodeId, tuple[NodeId, ...]]:
    """What each check stands behind: the gates before it, and the way to its node, which needs those of each parent."""
    stands: dict[NodeId, tuple[NodeId, ...]] = {}
    for node in topology.nodes.values():
        gates = [_vertex(gate) for parent in node.parents if parent in topology.nodes
                 for gate in topology.nodes[parent].gates]  # fmt: skip
        stands[NodeId(_WAY + node.id)] = (*gates, *(NodeId(_WAY + parent) for parent in node.parents))
    for name in checks:
        node_id = topology.where[name]
        own = topology.nodes[node_id].gates if node_id in topology.nodes else ()
        before = own[: own.index(name)] if name in own else own
        stands[_vertex(name)] = (*map(_vertex, before), NodeId(_WAY + node_id))
    return stands
