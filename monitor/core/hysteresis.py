"""A value that crossed a threshold must come back by some margin before it counts as back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from monitor.core.text import say
from monitor.core.thresholds import Range
from monitor.core.verdict import Metric, Severity, Verdict

Levels = Mapping[str, Severity]
"""The level of each metric that is above OK, by its name."""


def settled(verdict: Verdict, before: Levels) -> tuple[Verdict, Levels]:
    """Return `verdict` as the margins of its metrics leave it, and the level of each metric that has one.

    A metric stays at its level `before` as long as its value lies outside of the range narrowed by its `margin`. A
    verdict without metrics says nothing about them: their levels stay.
    """
    if not verdict.metrics:
        return verdict, before
    levels, held = dict[str, Severity](), list[Metric]()
    for metric in verdict.metrics:
        if not metric.margin:
            continue
        level = _level(metric, before.get(metric.name, Severity.OK))
        if level is not Severity.OK:
            levels[metric.name] = level
        if level > metric.severity:
            held.append(metric)
    worst = max((levels[metric.name] for metric in held), default=Severity.OK)
    if worst <= verdict.severity or verdict.severity is Severity.UNKNOWN:
        return verdict, levels
    names = ", ".join(metric.name for metric in held if levels[metric.name] is worst)
    text = say("{summary} (not yet clear of the threshold: {metrics})", summary=verdict.summary, metrics=names)
    return replace(verdict, severity=worst, summary=text), levels


def _level(metric: Metric, before: Severity) -> Severity:
    for level, limit in ((Severity.CRITICAL, metric.critical), (Severity.WARNING, metric.warning)):
        if limit is not None and before >= level and narrowed(limit, metric.margin).alerts(metric.value):
            return max(level, metric.severity)
    return metric.severity


def narrowed(limit: Range, margin: float) -> Range:
    """Return the range in which a value must lie to count as back: `margin` further from what alerts.

    A start at 0 stays: `80%` is the range 0..80, and 3 % is far from what alerts.
    """
    if limit.inside:
        return Range(limit.low - margin, limit.high + margin, inside=True)
    low, high = limit.low + margin if limit.low else limit.low, limit.high - margin
    return Range(low, high) if low <= high else Range((low + high) / 2, (low + high) / 2)
