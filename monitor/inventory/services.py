"""The services that people see (`services:`): what the checks mean for those who work here, and when it is too little.

A part of a service is the name of a check, a pattern over the checks' names, or a table with exactly one of `service`,
`metric`, `all`, `any`, `count`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from graphlib import TopologicalSorter

from monitor.core.ids import CheckId, NodeId
from monitor.core.incident import Interruption
from monitor.core.services import Figure, Leaf, Other, Part, Rule, Service, Way, Works, figures_of, leaves, view_of
from monitor.core.text import LANGUAGES, N_, Quantity, say
from monitor.core.topology import Topology, find_cycle, upstream
from monitor.inventory.kinds import by_language
from monitor.inventory.model import Check, Kind
from monitor.inventory.notation import ByLanguage
from monitor.inventory.problems import Place, Problems, nearest
from monitor.inventory.scope import Scope, refer
from monitor.inventory.service_keys import ServiceKeys
from monitor.inventory.shape import note_missing, shaped
from monitor.inventory.yaml_nodes import ListNode, Node, ScalarNode, TableNode
from probes.registry import load

OWN = "releve-"
"""How the names of Relève's checks of itself begin: no pattern means them, for they say nothing of the site."""
MAX_PARTS = 20_000
"""Parts of all services together, each as often as it is asked: four for each device of the largest inventory."""
MAX_DEPTH = 8
"""Services that refer to one another in a row."""
_PATTERN = re.compile(r"[*?]")
_WAYS = tuple(way.value for way in Way)
_SERVICE, _METRIC = "service", "metric"


def services(scope: Scope, checks: Mapping[CheckId, Check]) -> dict[str, Service]:
    """Return the services in the order of the file, the first being the main one; none when one of them is wrong."""
    reading = _Reading(scope, checks, Problems())
    found = {name: _service(name, reading) for name in scope.sections["services"]}
    complete = {name: service for name, service in found.items() if service is not None}
    if len(complete) == len(found) and not _ring(complete, reading):
        _look_at_size(complete, reading)
    scope.problems.take_over(reading.problems)
    if reading.problems.fatal or len(complete) < len(found):
        return {}
    for service in complete.values():
        _look_at_limit(service, complete, scope)
    return complete


def look_at_unasked(
    found: Mapping[str, Service],
    checks: Mapping[CheckId, Check],
    kinds: Mapping[str, Kind],
    topology: Topology,
    scope: Scope,
) -> None:
    """Warn of a check whose failure always interrupts the client's service, and that no service asks.

    Its messages would say in one line that all are able to work, and that the service is interrupted. What stands
    before a check that is asked is asked through it.
    """
    pending = [leaf for service in found.values() for leaf in leaves(service.rule, found)]
    asked = set(pending)
    while pending:
        name = pending.pop()
        before = {*upstream(topology, name), *topology.needs.get(name, ())} - asked
        asked |= before
        pending += before
    for key, entry in scope.sections["checks"].items() if found else ():
        check = checks.get(CheckId(key))
        if check is None or check.id in asked or kinds[check.kind].interruption is not Interruption.ALWAYS:
            continue
        message = say(
            "an incident of kind {kind} always interrupts the client's service, but no service asks {check}: messages "
            "would say that all are able to work",
            kind=check.kind,
            check=key,
        )
        hint = say("let a service ask it, or write `interruption: detected` for {kind}", kind=check.kind)
        scope.problems.warn(entry.at, f"checks.{key}", message, hint)


def figures(services: Mapping[str, Service]) -> dict[CheckId, frozenset[str]]:
    """Return the metrics that `services` ask, by check."""
    asked: dict[CheckId, frozenset[str]] = {}
    for service in services.values():
        for check, metric in figures_of(service.rule, services):
            asked[check] = asked.get(check, frozenset()) | {metric}
    return asked


@dataclass(slots=True)
class _Reading:
    """What is known while services are read. `room`: parts that they may still have."""

    scope: Scope
    checks: Mapping[CheckId, Check]
    problems: Problems
    room: int = MAX_PARTS

    @property
    def written(self) -> Mapping[str, object]:
        return self.scope.sections["services"]

    def take(self, parts: int, at: Place, where: str) -> bool:
        """Take the room for `parts`; note, once, that there is none left."""
        if self.room >= 0 and parts > self.room:
            message = say("the services have too many parts: {limit} at most", limit=MAX_PARTS)
            self.problems.error(at, where, message)
            self.room = -1
        self.room = max(-1, self.room - parts)
        return self.room >= 0


def _service(name: str, reading: _Reading) -> Service | None:
    entry, where = reading.scope.sections["services"][name], f"services.{name}"
    keys = shaped(ServiceKeys, entry.value, entry.at, where, reading.problems)
    if keys is None or not isinstance(entry.value, TableNode):
        return None
    rule = _of_table(entry.value.filled(), entry.at, where, reading, (*_WAYS, _METRIC))
    if rule is None:
        return None
    service = Service(name, rule, _titles(name, keys.title))
    return service if keys.below is None else replace(service, below=keys.below.number, share=keys.below.share)


def _titles(name: str, words: ByLanguage | None) -> dict[str, str]:
    """What it is called in each language: in the other one where it has no title in this one, else its name."""
    given = by_language(words)
    return {language: given.get(language, next(iter(given.values()), name)) for language in LANGUAGES}


def _of_table(table: TableNode, at: Place, where: str, reading: _Reading, ways: tuple[str, ...]) -> Part | None:
    """The part that `table` writes by exactly one of `ways`; None when it is wrong, which is noted."""
    given = [key for key in table.entries if key in ways]
    if not given:
        hint = say("or one of: {names}", names=", ".join(ways[1:]))
        note_missing(ways[0], table, ServiceKeys.model_fields, at, where, reading.problems, hint)
        return None
    if len(given) > 1:
        message = say("{one} and {other} exclude each other", one=given[0], other=given[1])
        reading.problems.error(table.entries[given[1]].at, f"{where}.{given[1]}", message, say("keep one of them"))
        return None
    key = given[0]
    inner, where = table.entries[key].value, f"{where}.{key}"
    if key == _SERVICE:
        return _other(inner, where, reading)
    if key == _METRIC:
        return _figure(inner, where, reading)
    parts = _parts(inner, where, reading)
    return Rule(Way(key), parts) if parts else None


def _other(node: Node, where: str, reading: _Reading) -> Part | None:
    absent = N_("there is no service {name}")
    refer(node, reading.written, where, absent, reading.problems)
    fits = isinstance(node, ScalarNode) and node.text in reading.written and reading.take(1, node.at, where)
    return Other(getattr(node, "text", "")) if fits else None


def _figure(node: Node, where: str, reading: _Reading) -> Part | None:
    check, name, of = (node.get(key) if isinstance(node, TableNode) else None for key in ("check", "name", "of"))
    absent = N_("there is no check {name}")
    refer(check, reading.scope.checks, f"{where}.check", absent, reading.problems)
    if not isinstance(check, ScalarNode) or not isinstance(name, ScalarNode) or not isinstance(of, ScalarNode):
        return None
    found = reading.checks.get(CheckId(check.text))
    known = [] if found is None else [metric for metric, _unit in load(found.probe).metrics]
    if found is not None and known and name.text.partition(".")[0] not in known:
        message = say("the probe {probe} measures no {name}", probe=found.probe, name=name.text)
        reading.problems.error(name.at, f"{where}.name", message, nearest(name.text, known))
        return None
    if check.text not in reading.scope.checks or not reading.take(1, node.at, where):
        return None
    return Figure(CheckId(check.text), name.text, float(of.value or 0))


def _parts(node: Node, where: str, reading: _Reading) -> tuple[Part, ...]:
    """The parts that are listed, each once; none when one of them is wrong."""
    found: list[Part | None] = []
    for n, item in enumerate(node.items if isinstance(node, ListNode) else ()):
        if isinstance(item, TableNode):
            ways = (*_WAYS, _METRIC, _SERVICE)
            found.append(_of_table(item.filled(), item.at, f"{where}.{n}", reading, ways))
        elif isinstance(item, ScalarNode):
            found += _leaves(item, where, reading)
    if None in found:
        return ()
    return tuple(dict.fromkeys(part for part in found if part is not None))


def _leaves(word: ScalarNode, where: str, reading: _Reading) -> list[Part | None]:
    known = reading.scope.checks
    if word.text in known:
        names = [word.text]
    elif _PATTERN.search(word.text):
        names = [name for name in sorted(known) if not name.startswith(OWN) and fnmatchcase(name, word.text)]
    else:
        names = []
    if not names:
        message = say("there is no check {name}", name=word.text)
        if _PATTERN.search(word.text):
            message = say("no check has a name such as {pattern}", pattern=word.text)
        reading.problems.error(word.at, where, message, nearest(word.text, known))
        return [None]
    return [Leaf(CheckId(name)) for name in names] if reading.take(len(names), word.at, where) else [None]


def _asked(part: Part) -> list[str]:
    """The services that `part` refers to, as often as it does."""
    if isinstance(part, Other):
        return [part.service]
    return [name for inner in part.parts for name in _asked(inner)] if isinstance(part, Rule) else []


def _ring(services: Mapping[str, Service], reading: _Reading) -> bool:
    """Note every ring of services that ask one another; return whether there is one."""
    asked = {NodeId(name): tuple(NodeId(each) for each in _asked(one.rule)) for name, one in services.items()}
    ring = find_cycle(asked)
    while ring:
        at, name = reading.scope.sections["services"][ring[0]].at, ring[0]
        message = say("each of these needs the next: {ring}", ring=" > ".join(ring))
        reading.problems.error(at, f"services.{name}", message, say("take one of them away"))
        asked[name] = ()
        ring = find_cycle(asked)
    return reading.problems.fatal


def _look_at_size(services: Mapping[str, Service], reading: _Reading) -> None:
    """Note services that mean too much: a few lines that refer to one another can mean billions of parts."""
    asked = {name: _asked(service.rule) for name, service in services.items()}
    sizes: dict[str, int] = {}
    depths: dict[str, int] = {}
    total = 0
    for name in TopologicalSorter(asked).static_order():
        sizes[name] = _own_size(services[name].rule) + sum(sizes[each] for each in asked[name])
        depths[name] = 1 + max((depths[each] for each in asked[name]), default=0)
        total += sizes[name]
        at, where = reading.scope.sections["services"][name].at, f"services.{name}"
        if total > MAX_PARTS:
            message = say("the services have too many parts: {limit} at most", limit=MAX_PARTS)
            reading.problems.error(at, where, message)
            return
        if depths[name] > MAX_DEPTH:
            message = say("too many services refer to one another in a row: {limit} at most", limit=MAX_DEPTH)
            reading.problems.error(at, where, message)
            return


def _own_size(part: Part) -> int:
    return sum(_own_size(inner) for inner in part.parts) if isinstance(part, Rule) else 1


def _look_at_limit(service: Service, services: Mapping[str, Service], scope: Scope) -> None:
    total = view_of(service.rule, services, lambda _check: Works.YES, {}).total
    if service.share or service.below <= total:
        return
    table = scope.sections["services"][service.name].value
    entry = table.entries.get("below") if isinstance(table, TableNode) else None
    if entry is not None:
        message = say(
            "at most {total} are able here: it is interrupted as soon as one is not", total=Quantity(total, "")
        )
        hint = say("write a smaller number, or a share such as 50%")
        scope.problems.warn(entry.value.at, f"services.{service.name}.below", message, hint)
