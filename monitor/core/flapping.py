"""When a check wavers: the weighted share of changes among its last results, as Icinga counts it."""

from __future__ import annotations

from dataclasses import dataclass

SAMPLES = 20
"""Results that are looked at (Icinga 2, "Check Flapping"; Nagios Core, "Detection and Handling of State Flapping")."""
OLDEST, STEP = 0.8, 0.02
"""Weight of a change at the oldest of them, and by how much each later one weighs more, up to 1.18 (the same)."""


@dataclass(frozen=True, slots=True)
class FlappingPolicy:
    """In percent: from more than `high` on a check is flapping, until it is at `low` or less (Icinga's defaults)."""

    low: float = 25.0
    high: float = 30.0
    enabled: bool = True


def pushed(changes: int, *, changed: bool) -> int:
    """Return the window after one more result. Bit 0 is the latest; set: it differs from the one before."""
    return ((changes << 1) | changed) & ((1 << SAMPLES) - 1)


def share(changes: int) -> float:
    """Return the weighted share of changes in a window, in percent."""
    weights = (OLDEST + STEP * (SAMPLES - 1 - age) for age in range(SAMPLES) if changes >> age & 1)
    return 100.0 * sum(weights) / SAMPLES if changes else 0.0


def wavers(changes: int, policy: FlappingPolicy, *, before: bool) -> bool:
    """Return whether a check with that window is flapping, given whether it was `before`."""
    return policy.enabled and share(changes) > (policy.low if before else policy.high)
