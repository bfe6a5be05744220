"""What one observation says: how bad, in words, in figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from monitor.core.text import Text
from monitor.core.thresholds import Range


class Severity(IntEnum):
    """How bad, worst last. UNKNOWN means that *we* cannot see, so it never outranks CRITICAL."""

    OK = 0
    WARNING = 1
    UNKNOWN = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """`ok`, `warning`, `unknown` or `critical`, as JSON and the command line say it."""
        return self.name.lower()


def worst(severities: Iterable[Severity]) -> Severity:
    """Return the worst of `severities`; OK when there is none."""
    return max(severities, default=Severity.OK)


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure: `name`, `value` in UCUM `unit`, the ranges it was judged by and its possible bounds.

    `margin`: by how much a value that alerted must come back within a range to count as back, in the same unit.
    """

    name: str
    value: float
    unit: str
    warning: Range | None = None
    critical: Range | None = None
    minimum: float | None = None
    maximum: float | None = None
    margin: float = 0.0

    @property
    def severity(self) -> Severity:
        """What the ranges say of the value; OK without ranges."""
        if self.critical is not None and self.critical.alerts(self.value):
            return Severity.CRITICAL
        if self.warning is not None and self.warning.alerts(self.value):
            return Severity.WARNING
        return Severity.OK


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one observation.

    `down` says that the thing itself is off or out of reach, not merely degraded: only then does it explain what
    lies behind it. `facts` are named values that are no number.
    """

    severity: Severity
    summary: Text
    metrics: tuple[Metric, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    down: bool = False
