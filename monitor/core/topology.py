"""What stands behind what: whose failure explains whose."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import chain

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
    """All nodes, on which node each check stands, and which checks must be well for another one to be (`needs`)."""

    nodes: Mapping[NodeId, Node] = field(default_factory=dict)
    where: Mapping[CheckId, NodeId] = field(default_factory=dict)
    needs: Mapping[CheckId, tuple[CheckId, ...]] = field(default_factory=dict)


class Place(StrEnum):
    """How a failing check stands to what lies before it."""

    FREE = "free"
    """Nothing upstream explains it: it is a cause of its own."""
    COVERED = "covered"
    WAIT = "wait"
    """Something upstream has not been seen since the failure began, or is itself being confirmed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """`by`: the root causes, the first on the first way first (COVERED), or the checks to look at first (WAIT)."""

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


def came_back(topology: Topology, healths: Healths, check: CheckId, since: datetime) -> bool:
    """Return whether something before `check`, which fails since `since` or longer, failed as well and is back since.

    Then `check` may be back, too: how it was last seen says nothing of how it is. What lies before something that was
    well all along has nothing to do with it.
    """
    for gate in upstream(topology, check):
        health = healths.get(gate)
        if health is not None and health.well:
            if health.turned_at <= since:
                break
            return True
    needs = (healths.get(name) for name in topology.needs.get(check, ()))
    return any(health is not None and health.well and health.turned_at > since for health in needs)


def standing(
    topology: Topology,
    healths: Healths,
    check: CheckId,
    failing_since: datetime,
    alive_since: datetime | None = None,
    calm_since: datetime | None = None,
) -> Standing:
    """Return whether something upstream of `check` explains that it fails since `failing_since`.

    1. COVERED by the first cause if a check that it needs is CRITICAL, or out of sight for a cause, or if on every way
       to it something is down and nothing between there and here has shown life since: a router that answers on its
       battery proves that the mains cut is not why the link behind it is dead.
    2. WAIT as long as what stands before it is being confirmed, was never seen, or its last OK is older than the
       failure: then it is looked at again first, so that the order of polling never decides what is told.
    3. FREE otherwise. What we cannot see (UNKNOWN) explains nothing, proves nothing and holds nothing back.

    `alive_since`: life counts only where it has lasted since then. `calm_since`: what wavers explains nothing any more
    if it has been well since then.
    """
    return _Search(topology, healths, failing_since, alive_since, calm_since).standing(check, frozenset())


class _Search:
    """One question, why something fails since `since`: what is asked of its nodes on the way, each once."""

    def __init__(
        self,
        topology: Topology,
        healths: Healths,
        since: datetime,
        alive_since: datetime | None,
        calm_since: datetime | None,
    ) -> None:
        self._topology, self._healths, self._since = topology, healths, since
        self._alive_since, self._calm_since = alive_since, calm_since

    def standing(self, check: CheckId, asked: frozenset[CheckId]) -> Standing:
        """Return the standing of `check`; `asked` are those whose answer waits for this one."""
        needed = self._needed(check, asked | {check})
        node = self._topology.nodes.get(self._topology.where.get(check, NodeId("")))
        reached = Standing(Place.FREE) if node is None else self._reached(node, check, asked | {check})
        if needed is not None and needed.place is Place.COVERED:
            also = reached.by if reached.place is Place.COVERED else ()
            return Standing(Place.COVERED, _each_once(needed.by, also))
        if reached.place is Place.FREE and needed is not None:
            return needed
        if reached.place is Place.WAIT and needed is not None:
            return Standing(Place.WAIT, (*needed.by, *reached.by))
        return reached

    def _needed(self, check: CheckId, asked: frozenset[CheckId]) -> Standing | None:
        """COVERED by the causes of what `check` needs, WAIT for those that are undecided, else None."""
        needs = tuple(name for name in self._topology.needs.get(check, ()) if name not in asked)
        causes, waits = list[CheckId](), list[CheckId]()
        for name in needs:
            health = self._healths.get(name)
            if health is not None and (health.confirmed is Severity.CRITICAL or self._explains(health)):
                causes += self._roots_of(name, asked)
            elif health is not None and health.confirmed is Severity.UNKNOWN:
                found = self.standing(name, asked)  # what put it out of sight is the cause here, too
                (causes if found.place is Place.COVERED else waits).extend(found.by)
                if found.place is Place.FREE and self._may_be_seen(name, health):
                    waits.append(name)
            elif self._undecided(name):
                waits.append(name)
        if causes:
            return Standing(Place.COVERED, _each_once(causes))
        return Standing(Place.WAIT, _each_once(waits)) if waits else None

    def _may_be_seen(self, check: CheckId, health: Health) -> bool:
        """Whether `check`, believed out of sight, is not: it showed something, or what put it there is back since."""
        return health.latest is not Severity.UNKNOWN or came_back(self._topology, self._healths, check, health.seen_at)

    def _roots_of(self, check: CheckId, asked: frozenset[CheckId]) -> tuple[CheckId, ...]:
        """The causes of `check`, which is bad: what covers it, else itself."""
        found = self.standing(check, asked)
        return found.by if found.place is Place.COVERED else (check,)

    def _reached(self, node: Node, check: CheckId, asked: frozenset[CheckId]) -> Standing:
        """How `check` stands to the gates of its own node, and to all that lies before it."""
        roots, unsure = self._roots_of_parents(node, asked)
        before = _before(node, check)
        down = self._first_down(before, asked)
        if roots and (down or not self._alive(before)):
            if not down:
                unsure += tuple(gate for gate in before if self._unseen(gate))
            return Standing(Place.WAIT, unsure) if unsure else Standing(Place.COVERED, roots)
        if down:
            return Standing(Place.COVERED, down)
        undecided = tuple(gate for gate in upstream(self._topology, check) if self._undecided(gate))
        return Standing(Place.WAIT, undecided) if undecided else Standing(Place.FREE)

    def _roots_of_parents(
        self, node: Node, asked: frozenset[CheckId]
    ) -> tuple[tuple[CheckId, ...], tuple[CheckId, ...]]:
        """The first causes on the ways to `node`, none where some way is not cut; and gates that might disprove them.

        Each node above is judged once, after its parents: along two of everything there are more ways than can be
        walked.
        """
        lost: dict[NodeId, tuple[CheckId, ...]] = {}
        unsure: list[CheckId] = []
        for each in _parents_first(self._topology, node):
            roots = _on_every_way(each, lost)
            if each is node:
                return roots, tuple(unsure)
            down = self._first_down(each.gates, asked)
            if down:
                lost[each.id] = roots or down
            elif roots and not self._alive(each.gates):
                lost[each.id] = roots
                unsure += [gate for gate in each.gates if self._unseen(gate)]
            else:
                lost[each.id] = ()
        return (), ()

    def _first_down(self, gates: tuple[CheckId, ...], asked: frozenset[CheckId]) -> tuple[CheckId, ...]:
        """The causes of the first gate that is down, none where none is."""
        for gate in gates:
            if gate in self._healths and self._explains(self._healths[gate]):
                needed = self._needed(gate, asked | {gate}) if gate not in asked else None
                return needed.by if needed is not None and needed.place is Place.COVERED else (gate,)
        return ()

    def _explains(self, health: Health) -> bool:
        calm = self._calm_since is not None and health.turned_at <= self._calm_since
        return health.explains and not (calm and health.confirmed is Severity.OK and health.latest is Severity.OK)

    def _alive(self, gates: tuple[CheckId, ...]) -> bool:
        """Whether a gate was seen well since the failure began."""
        return any(
            (health := self._healths.get(gate)) is not None
            and health.well
            and health.ok_at is not None
            and health.ok_at >= self._since
            and (self._alive_since is None or health.turned_at <= self._alive_since)
            for gate in gates
        )

    def _unseen(self, gate: CheckId) -> bool:
        """Whether a gate was last seen well before the failure began, or never."""
        health = self._healths.get(gate)
        return health is None or (health.well and (health.ok_at is None or health.ok_at < self._since))

    def _undecided(self, gate: CheckId) -> bool:
        health = self._healths.get(gate)
        if health is None:
            return True
        if health.confirmed is not Severity.OK:
            return False
        if health.fails:
            return True
        return health.ok_at is None or health.ok_at < self._since


def _before(node: Node, check: CheckId) -> tuple[CheckId, ...]:
    return node.gates[: node.gates.index(check)] if check in node.gates else node.gates


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


def _on_every_way(node: Node, lost: Mapping[NodeId, tuple[CheckId, ...]]) -> tuple[CheckId, ...]:
    """Why each parent is `lost`, if all are; a parent that is not judged (unknown, or below) is not lost."""
    causes = [lost.get(name, ()) for name in node.parents]
    return _each_once(*causes) if all(causes) else ()


def _each_once(*names: Iterable[CheckId]) -> tuple[CheckId, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(names)))
