"""How far a copy is behind, by what the check says that measures it."""

from __future__ import annotations

from datetime import timedelta

from monitor.core.verdict import Verdict

LAGS = ("lag", "replication_lag", "age")
"""Metrics of a check that say, in seconds, how far a copy is behind: the first that it has; `age` of a job that reports
itself is since when it last said that all was copied."""


def lag_of(seen: Verdict) -> timedelta | None:
    """Return how far the copy is behind that `seen` measures; None where it measures none."""
    measured = {metric.name: metric.value for metric in seen.metrics if metric.unit == "s"}
    found = next((measured[name] for name in LAGS if name in measured), None)
    return None if found is None else timedelta(seconds=max(0.0, found))
