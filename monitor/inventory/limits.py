"""The thresholds of a check, and the margins beside them: is what they say of any use?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from monitor.core.flapping import FlappingPolicy
from monitor.core.text import Quantity, say
from monitor.core.thresholds import Range
from monitor.inventory.problems import Place, nearest
from monitor.inventory.schema import CheckKeys, FlappingKeys
from monitor.inventory.scope import Scope
from monitor.inventory.yaml_nodes import TableNode
from probes.params import Limits, Params


@dataclass(frozen=True, slots=True)
class _Pair:
    """The thresholds of `metric`, written in `table`; `where` is the way of keys to it."""

    metric: str
    where: str
    limits: Limits
    table: TableNode

    def at(self, key: str) -> Place | None:
        entry = self.table.entries.get(key)
        return None if entry is None else entry.value.at


def look_at_limits(table: TableNode, where: str, probe: Any, params: Params, scope: Scope) -> None:
    """Note thresholds and margins of the check `table` that cannot have been meant.

    A value that is critical before it is worth a warning (the two were exchanged), a margin that belongs to no
    threshold, one that leaves nothing of a range.
    """
    judged: frozenset[str] = getattr(probe, "judged", frozenset())
    for pair in _pairs(table, where, probe, params):
        at = pair.at("warning")
        if at is not None and _exchanged(pair.limits.warning, pair.limits.critical):
            message = say("a value is critical here before it is a warning")
            scope.problems.warn(at, f"{pair.where}.warning", message, say("exchange warning and critical"))
        _look_at_margin(pair, pair.metric in judged, scope)


def _pairs(table: TableNode, where: str, probe: Any, params: Params) -> Iterator[_Pair]:
    first = next((name for name, _unit in probe.metrics), "")
    beside = Limits(warning=params.warning, critical=params.critical, hysteresis=params.hysteresis)
    yield _Pair(first, where, beside, table)
    thresholds = table.get("thresholds")
    for name, limits in params.thresholds.items():
        inner = thresholds.get(name) if isinstance(thresholds, TableNode) else None
        if isinstance(inner, TableNode):
            yield _Pair(name.partition(".")[0], f"{where}.thresholds.{name}", limits, inner)


def _look_at_margin(pair: _Pair, judged: bool, scope: Scope) -> None:
    """`judged`: the probe has thresholds of its own for that metric."""
    at, margin = pair.at("hysteresis"), pair.limits.hysteresis
    if at is None or margin is None:
        return
    where, limits = f"{pair.where}.hysteresis", [pair.limits.warning, pair.limits.critical]
    if limits == [None, None] and not judged:
        message = say("there is no threshold here to which this could belong")
        scope.problems.error(at, where, message, say("give warning or critical beside it"))
    empty = next((limit for limit in limits if limit is not None and _leaves_nothing(limit, margin)), None)
    if empty is not None:
        message = say("no value could count as back: this leaves nothing of the range {range}", range=str(empty))
        scope.problems.warn(at, where, message, say("write a smaller margin"))


def _leaves_nothing(limit: Range, margin: float) -> bool:
    """Whether `limit`, narrowed by `margin` from both sides, is empty; a start at 0 is no side (see `narrowed`)."""
    if limit.inside or not math.isfinite(limit.low) or not math.isfinite(limit.high):
        return False
    return limit.low + (margin if limit.low else 0.0) > limit.high - margin


def _exchanged(warning: Range | None, critical: Range | None) -> bool:
    if warning is None or critical is None or warning.inside or critical.inside:
        return False
    return warning.low < critical.low or warning.high > critical.high


def look_at_metrics(table: TableNode, where: str, probe: Any, scope: Scope) -> None:
    """Note thresholds of metrics that the probe does not measure."""
    names = [name for name, _unit in probe.metrics]
    thresholds = table.get("thresholds")
    for key, entry in thresholds.entries.items() if isinstance(thresholds, TableNode) and names else ():
        if key.partition(".")[0] not in names:
            message = say("the probe {probe} measures no {name}", probe=probe.kind, name=key)
            scope.problems.error(entry.at, f"{where}.thresholds.{key}", message, nearest(key, names))


def flapping(keys: CheckKeys, table: TableNode, where: str, scope: Scope) -> FlappingPolicy:
    """Return from when on the check wavers; the usual policy where it says nothing, or what it says is wrong."""
    usual, written = FlappingPolicy(), keys.flapping
    if not isinstance(written, FlappingKeys):
        return FlappingPolicy(enabled=written is not False)
    low = usual.low if written.low is None else written.low
    high = usual.high if written.high is None else written.high
    if low >= high:
        message = say(
            "low ({low}) must be less than high ({high})", low=Quantity(low, "%"), high=Quantity(high, "%")
        )  # fmt: skip
        hint = say("a check wavers from high on, until it is at low")
        scope.problems.error(table.entries["flapping"].value.at, f"{where}.flapping", message, hint)
        return usual
    return FlappingPolicy(low, high)
