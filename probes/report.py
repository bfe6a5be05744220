"""A result for machines: the contract's JSON, and the line that a Nagios plugin prints. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from monitor.core.text import Speech
from monitor.core.thresholds import Range
from monitor.core.verdict import Metric, Severity, Verdict

if TYPE_CHECKING:
    from probes.runner import Result

NAGIOS = {Severity.OK: 0, Severity.WARNING: 1, Severity.CRITICAL: 2, Severity.UNKNOWN: 3}
"""Exit codes of a plugin (Monitoring Plugins Development Guidelines, "Plugin Return Codes")."""
_UOM = {"%": "%", "s": "s", "ms": "ms", "us": "us", "By": "B"}
"""UCUM -> the units that the guidelines know ("Performance data"); any other figure goes without."""


def result_json(check: str, kind: str, device: str, result: Result, speech: Speech) -> dict[str, Any]:
    """Return `result` as `check --json` writes it; `summary` in the language of `speech`, times in UTC."""
    verdict = result.verdict
    return {
        "check": check,
        "kind": kind,
        "device": device,
        "severity": verdict.severity.word,
        "summary": speech.render(verdict.summary),
        "metrics": [metric_json(metric) for metric in verdict.metrics],
        "facts": dict(verdict.facts),
        "started_at": result.started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "elapsed_ms": round(result.elapsed * 1000, 1),
    }


def metric_json(metric: Metric) -> dict[str, Any]:
    """Return one figure; ranges in Nagios syntax, null where there is none and for what is no number."""
    return {
        "name": metric.name,
        "value": _finite(metric.value),
        "unit": metric.unit,
        "warning": None if metric.warning is None else str(metric.warning),
        "critical": None if metric.critical is None else str(metric.critical),
        "minimum": _finite(metric.minimum),
        "maximum": _finite(metric.maximum),
    }


def _finite(value: float | None) -> float | None:
    """JSON has neither NaN nor infinity (RFC 8259, section 6)."""
    return value if value is not None and math.isfinite(value) else None


def nagios_line(kind: str, verdict: Verdict, speech: Speech) -> str:
    """Return the one line of a plugin: `KIND SEVERITY - summary | perfdata`, without a line end."""
    words = " ".join(speech.render(verdict.summary).replace("|", "/").split())
    line = f"{kind.upper()} {verdict.severity.name} - {words}"
    figures = " ".join(perfdata(metric) for metric in verdict.metrics)
    return f"{line} | {figures}" if figures else line


def perfdata(metric: Metric) -> str:
    """Return `'label'=value[UOM];warn;crit;min;max` (Monitoring Plugins Development Guidelines, "Performance data").

    Labels are always quoted, a quote in one doubled; `=` cannot stand in a label. A figure that is no number is `U`.
    """
    label = " ".join(metric.name.replace("=", "_").split()).replace("'", "''")
    unit = _UOM.get(metric.unit, "") if math.isfinite(metric.value) else ""
    fields = [
        f"'{label}'={_plain(metric.value)}{unit}",
        _range(metric.warning),
        _range(metric.critical),
        "" if metric.minimum is None else _plain(metric.minimum, absent=""),
        "" if metric.maximum is None else _plain(metric.maximum, absent=""),
    ]
    return ";".join(fields).rstrip(";")


def _range(limit: Range | None) -> str:
    if limit is None:
        return ""
    low = "~:" if limit.low == -math.inf else f"{_plain(limit.low)}:" if limit.low or limit.high == math.inf else ""
    return f"{'@' if limit.inside else ''}{low}{_plain(limit.high, absent='')}"


def _plain(value: float, absent: str = "U") -> str:
    """Return `value` without an exponent, which the guidelines do not allow, to six decimals."""
    if not math.isfinite(value):
        return absent
    shown = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown
