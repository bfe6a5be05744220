"""The service view: what the checks mean for the people who work here (62 agents of 100 are able to call)."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from monitor.core.ids import CheckId


class Way(StrEnum):
    """How the parts of a rule make a whole."""

    ALL = "all"
    """What is able to work is what the weakest part lets through."""
    ANY = "any"
    """The strongest part suffices."""
    COUNT = "count"
    """What the parts are able to do adds up."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A check: able to work unless it is CRITICAL."""

    check: CheckId


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric of a check, out of `total`: channels that are free to use, of 30."""

    check: CheckId
    metric: str
    total: float


@dataclass(frozen=True, slots=True)
class Other:
    """What another service is able to do."""

    service: str


@dataclass(frozen=True, slots=True)
class Rule:
    """Parts put together."""

    way: Way
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What is reckoned already: `able` surely work, `most` may, of `total`."""

    able: float
    most: float
    total: float


_ONE = Known(1.0, 1.0, 1.0)
Part = Leaf | Figure | Other | Rule | Known


@dataclass(frozen=True, slots=True)
class Service:
    """What the client pays for, as far as the checks show it.

    `titles` by language: "agents able to call". It is interrupted when surely less than `below` are able to work: a
    number, or with `share` a part of the whole (0..1).
    """

    name: str
    rule: Part
    titles: Mapping[str, str] = field(default_factory=dict)
    below: float = 1.0
    share: bool = False

    def limit(self, total: float) -> float:
        """Return the number below which it is interrupted, of `total`."""
        return self.below * total if self.share else min(self.below, total)


@dataclass(frozen=True, slots=True)
class View:
    """`able` surely work, `unsure` more may (nobody can see them), out of `total`."""

    able: float
    unsure: float
    total: float


class Works(StrEnum):
    """Whether what a check looks at is able to work."""

    YES = "yes"
    NO = "no"
    UNSURE = "unsure"


Sight = Callable[[CheckId], Works]
Figures = Mapping[tuple[CheckId, str], float]


def view_of(rule: Part, services: Mapping[str, Service], sight: Sight, figures: Figures) -> View:
    """Return what `rule` comes to by `sight`. Services must not refer back to one another."""
    able, most, total = _reckoned(rule, services, sight, figures)
    return View(able, max(0.0, most - able), total)


def reduced(part: Part, services: Mapping[str, Service], doubtful: Collection[CheckId], figures: Figures) -> Part:
    """Return `part` with all that is not `doubtful` reckoned as working: to ask it often by what differs in these.

    Of thousands of positions a few fail; what those mean is asked for each incident.
    """
    if isinstance(part, Leaf):
        return part if part.check in doubtful else _ONE
    if isinstance(part, Other):
        return reduced(services[part.service].rule, services, doubtful, figures)
    if isinstance(part, Rule):
        return _reduced_rule(part, services, doubtful, figures)
    if isinstance(part, Known) or part.check in doubtful:
        return part
    return Known(*_reckoned(part, services, lambda check: Works.YES, figures))


def _reduced_rule(rule: Rule, services: Mapping[str, Service], doubtful: Collection[CheckId], figures: Figures) -> Part:
    parts = [reduced(part, services, doubtful, figures) for part in rule.parts]
    known = [part for part in parts if isinstance(part, Known)]
    open_parts = [part for part in parts if not isinstance(part, Known)]
    if not open_parts:
        return Known(*_reckoned(Rule(rule.way, tuple(known)), services, lambda check: Works.YES, figures))
    if rule.way is Way.COUNT and known:
        sums = (sum(column) for column in zip(*((one.able, one.most, one.total) for one in known), strict=True))
        known = [Known(*sums)]
    return Rule(rule.way, (*dict.fromkeys(known), *open_parts))  # of what is alike, ALL and ANY need one


def interrupted(service: Service, seen: View) -> bool:
    """Return whether surely too few are able to work; what nobody can see counts as able."""
    return seen.total > 0 and seen.able + seen.unsure < service.limit(seen.total)


def _reckoned(
    part: Part, services: Mapping[str, Service], sight: Sight, figures: Figures
) -> tuple[float, float, float]:
    """How many surely work, how many may, and of how many."""
    if isinstance(part, Known):
        return part.able, part.most, part.total
    if isinstance(part, Leaf):
        works = sight(part.check)
        return float(works is Works.YES), float(works is not Works.NO), 1.0
    if isinstance(part, Figure):
        return _figure(part, sight, figures)
    if isinstance(part, Other):
        return _reckoned(services[part.service].rule, services, sight, figures)
    known = [_reckoned(each, services, sight, figures) for each in part.parts]
    if part.way is Way.COUNT:
        able, most, total = (sum(column) for column in zip(*known, strict=True))
        return able, most, total
    return _together(part.way, known)


def _figure(part: Figure, sight: Sight, figures: Figures) -> tuple[float, float, float]:
    value = figures.get((part.check, part.metric))
    works = sight(part.check)
    if works is Works.NO:
        return 0.0, 0.0, part.total
    if works is Works.UNSURE or value is None or math.isnan(value):
        return 0.0, part.total, part.total
    able = min(max(value, 0.0), part.total)
    return able, able, part.total


def _together(way: Way, known: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    """ALL or ANY. A part of one is a switch beside parts that count many: on, it lets all of them through."""
    total = max(each[2] for each in known)
    choose = min if way is Way.ALL else max

    def amount(index: int) -> float:
        return choose(total if whole <= 1 < total and part > 0 else part for part, whole in _column(known, index))

    return amount(0), amount(1), total


def _column(known: list[tuple[float, float, float]], index: int) -> list[tuple[float, float]]:
    return [(each[index], each[2]) for each in known]


def leaves(part: Part, services: Mapping[str, Service]) -> frozenset[CheckId]:
    """Return every check that `part` asks."""
    found, pending = set[CheckId](), [part]
    while pending:
        one = pending.pop()
        if isinstance(one, Leaf | Figure):
            found.add(one.check)
        elif isinstance(one, Other):
            pending.append(services[one.service].rule)
        elif isinstance(one, Rule):
            pending += one.parts
    return frozenset(found)


def figures_of(part: Part, services: Mapping[str, Service]) -> frozenset[tuple[CheckId, str]]:
    """Return every figure that `part` asks, as check and metric."""
    if isinstance(part, Figure):
        return frozenset({(part.check, part.metric)})
    if isinstance(part, Other):
        return figures_of(services[part.service].rule, services)
    if isinstance(part, Leaf | Known):
        return frozenset()
    return frozenset().union(*(figures_of(each, services) for each in part.parts))
