"""What a table made of a device's answers, whichever way they came."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from probes.profile_model import Worst

_DECIMAL = re.compile(r"[ \t]*[-+]?[0-9]{1,20}(\.[0-9]{1,20})?[ \t]*")


@dataclass(frozen=True, slots=True)
class Decoded:
    """`values` by name in the profile's units, `parts` of a value by name (phases), `states` as words, `facts` as text.

    `alarms` are names of what is wrong now, `implied` the status words that stand for further ones; `knows_alarms`: the
    device was asked for them and would have said so.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    states: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    alarms: tuple[str, ...] = ()
    implied: tuple[str, ...] = ()
    knows_alarms: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Return whether `name` (of a value, state or fact, or `alarms`) is known."""
        if name == "alarms":
            return self.knows_alarms
        return name in self.values or name in self.states or name in self.facts

    def completed(self, other: Decoded) -> Decoded:
        """Return this with what only `other` has."""
        return Decoded(
            {**other.values, **self.values},
            {**other.parts, **self.parts},
            {**other.states, **self.states},
            self.alarms if self.knows_alarms else other.alarms,
            self.implied if self.knows_alarms else other.implied,
            self.knows_alarms or other.knows_alarms,
            {**other.facts, **self.facts},
        )


def settled(numbers: Mapping[str, float], worst: Worst | None, unit: str) -> tuple[float, dict[str, float]]:
    """Return the one number that stands for all, and the parts by name where there are several.

    Of voltages, parts behind the first that are all exactly 0 beside a first one that is not are no lost phases but
    the unused ones of a single-phase device: agents and controllers fill three rows whatever is wired.
    """
    parts = dict(numbers)
    first, *others = parts
    if unit == "V" and parts[first] != 0 and len(others) > 1 and all(parts[name] == 0 for name in others):
        parts = {first: parts[first]}
    stands = max(parts.values()) if worst == "max" else min(parts.values())
    return stands, parts if len(parts) > 1 else {}


def in_figures(text: str) -> float:
    """Return the number that a device writes in figures (`027.0`, `-60`), with nothing else; NaN for anything else."""
    return float(text) if _DECIMAL.fullmatch(text) else math.nan
