"""Guarded time: what o'clock it is, when the machine's own clock may jump.

Deadlines must not move because somebody, or a time server, stepped the wall clock. So `now` is the last trusted wall
time plus what CLOCK_BOOTTIME says has passed since; the wall clock is followed in small corrections only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

STEP = timedelta(seconds=30)
"""A difference of more than this is a step, not drift."""
SLEW = 0.0005
"""Largest share of the elapsed time by which a reading follows the wall clock: 500 ppm, as NTP slews (RFC 5905)."""


@dataclass(frozen=True, slots=True)
class Guard:
    """The anchor: at `boot` seconds of CLOCK_BOOTTIME in the boot `boot_id` it was `at`.

    `stepped_by` is how far the wall clock was off at the last reading when that was more than STEP. `trusted` is
    False after a boot with an implausible clock: deadlines wait for a person or a synchronised clock.
    """

    boot_id: str
    boot: float
    at: datetime
    stepped_by: timedelta = timedelta()
    trusted: bool = True


def start(kept: Guard | None, boot_id: str, boot: float, wall: datetime, *, synchronised: bool) -> Guard:
    """Return the guard after a start of Relève; `kept` is what the last run persisted.

    In the same boot, guarded time goes on where it stood. In a new boot the wall clock is taken if it is
    synchronised or not behind the last trusted time; otherwise time goes on from there, untrusted.
    """
    if kept is None:
        return Guard(boot_id, boot, wall, trusted=True)
    if kept.boot_id == boot_id and boot >= kept.boot:
        return read(kept, boot, wall)
    if synchronised or wall >= kept.at:
        return Guard(boot_id, boot, wall, trusted=True)
    return Guard(boot_id, boot, kept.at, stepped_by=wall - kept.at, trusted=False)


def read(guard: Guard, boot: float, wall: datetime) -> Guard:
    """Return the guard moved on to `boot`; its `at` is the guarded time. It never runs backwards."""
    elapsed = max(0.0, boot - guard.boot)
    expected = guard.at + timedelta(seconds=elapsed)
    off = wall - expected
    if abs(off) > STEP:
        return replace(guard, boot=boot, at=expected, stepped_by=off)
    limit = timedelta(seconds=elapsed * SLEW)
    correction = max(-limit, min(limit, off))
    return replace(guard, boot=boot, at=expected + correction, stepped_by=timedelta())


def adopt(guard: Guard, boot: float, wall: datetime) -> Guard:
    """Return the guard set to the wall clock; only for a moment at which no deadline runs, or on a person's word."""
    return Guard(guard.boot_id, boot, wall, trusted=True)
