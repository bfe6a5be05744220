"""What stands behind what: whose failure explains whose."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from monitor.core.health import Health
from monitor.core.ids import CheckId, NodeId
from monitor.core.verdict import Severity

Healths = Mapping[CheckId, Health]


@dataclass(frozen=True, slots=True)
class Node:
    """A device or a link: reached through any one of `parents`, and out of reach when a check of `gates` is down."""

    id: NodeId
    parents: tuple[NodeId, ...] = ()
    gates: tuple[CheckId, ...] = ()


@dataclass(frozen=True, slots=True)
class Topology:
    """All nodes, and on which node each check stands."""

    nodes: Mapping[NodeId, Node] = field(default_factory=dict)
    where: Mapping[CheckId, NodeId] = field(default_factory=dict)


class Place(StrEnum):
    """How a failing check stands to what lies before it."""

    FREE = "free"
    """Nothing upstream explains it: it is a cause of its own."""
    COVERED = "covered"
    WAIT = "wait"
    """Something upstream has not been seen since the failure began, or is itself being confirmed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """`by`: the root cause (COVERED), or the upstream checks to look at first (WAIT)."""

    place: Place
    by: tuple[CheckId, ...] = ()


def find_cycle(parents: Mapping[NodeId, tuple[NodeId, ...]]) -> tuple[NodeId, ...]:
    """Return one cycle of `parents` (its first node again at the end), or nothing when there is none."""
    done: set[NodeId] = set()
    for start in parents:
        path: list[NodeId] = []
        stack: list[Iterator[NodeId]] = []
        if start in done:
            continue
        path.append(start)
        stack.append(iter(parents.get(start, ())))
        while stack:
            step = next(stack[-1], None)
            if step is None:
                stack.pop()
                done.add(path.pop())
            elif step in path:
                return (*path[path.index(step) :], step)
            elif step not in done:
                path.append(step)
                stack.append(iter(parents.get(step, ())))
    return ()


def upstream(topology: Topology, check: CheckId) -> tuple[CheckId, ...]:
    """Return the gates that stand before `check`, nearest first: those of its own device, then of each parent."""
    node = topology.nodes.get(topology.where.get(check, NodeId("")))
    if node is None:
        return ()
    found = dict.fromkeys(_before(node, check))
    seen, queue = {node.id}, deque(node.parents)
    while queue:
        name = queue.popleft()
        parent = topology.nodes.get(name)
        if name in seen or parent is None:
            continue
        seen.add(name)
        found |= dict.fromkeys(parent.gates)
        queue += parent.parents
    return tuple(found)


def standing(topology: Topology, healths: Healths, check: CheckId, failing_since: datetime) -> Standing:
    """Return whether something upstream of `check` explains that it fails since `failing_since`.

    1. COVERED by the first cause if, on every way to it, something is confirmed down.
    2. WAIT as long as an upstream gate is being confirmed, was never seen, or its last OK is older than the failure:
       then it is looked at again first, so that the order of polling never decides what is told.
    3. FREE otherwise. A gate that we cannot see (UNKNOWN) explains nothing and holds nothing back.
    """
    node = topology.nodes.get(topology.where.get(check, NodeId("")))
    if node is None:
        return Standing(Place.FREE)
    root = _explained(topology, healths, node, check)
    if root is not None:
        return Standing(Place.COVERED, (root,))
    undecided = tuple(gate for gate in upstream(topology, check) if _undecided(healths.get(gate), failing_since))
    return Standing(Place.WAIT, undecided) if undecided else Standing(Place.FREE)


def _before(node: Node, check: CheckId) -> tuple[CheckId, ...]:
    return node.gates[: node.gates.index(check)] if check in node.gates else node.gates


def _explained(topology: Topology, healths: Healths, node: Node, check: CheckId) -> CheckId | None:
    """The first cause of `check`, which stands on `node`; None when nothing before it is down."""
    root = _root_of_parents(topology, healths, node)
    if root is not None:
        return root
    return _first_down(healths, _before(node, check))


def _root_of_parents(topology: Topology, healths: Healths, node: Node) -> CheckId | None:
    """The first cause on the first way to `node`; None where some way is not cut.

    Each node above is judged once, after its parents: along two of everything there are more ways than can be walked.
    """
    lost: dict[NodeId, CheckId | None] = {}
    for each in _parents_first(topology, node):
        root = _on_every_way(each, lost)
        if each is node:
            return root
        lost[each.id] = root if root is not None else _first_down(healths, each.gates)
    return None


def _parents_first(topology: Topology, node: Node) -> Iterator[Node]:
    """All that is above `node`, each once and after its parents, and `node` last; a circle is cut where it closes."""
    met = {node.id}
    stack = [(node, iter(node.parents))]
    while stack:
        each, parents = stack[-1]
        above = next((topology.nodes[name] for name in parents if name in topology.nodes and name not in met), None)
        if above is None:
            stack.pop()
            yield each
        else:
            met.add(above.id)
            stack.append((above, iter(above.parents)))


def _on_every_way(node: Node, lost: Mapping[NodeId, CheckId | None]) -> CheckId | None:
    """Why the first parent is `lost`, if all are; a parent that is not judged (unknown, or below) is not lost."""
    causes = [lost.get(name) for name in node.parents]
    return causes[0] if causes and None not in causes else None


def _first_down(healths: Healths, gates: tuple[CheckId, ...]) -> CheckId | None:
    return next((gate for gate in gates if gate in healths and healths[gate].confirmed_down), None)


def _undecided(health: Health | None, failing_since: datetime) -> bool:
    if health is None:
        return True
    if health.confirmed is not Severity.OK:
        return False
    if health.fails:
        return True
    return health.ok_at is None or health.ok_at < failing_since
