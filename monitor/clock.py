"""The one place where wall-clock time is read; everybody else is handed a `Clock` or a datetime."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """`now` is aware UTC; `boot` is seconds of CLOCK_BOOTTIME, which goes on during suspend and never steps."""

    def now(self) -> datetime: ...

    def boot(self) -> float: ...


class SystemClock:
    """The machine's clocks as they are. The daemon guards the wall clock on top of this."""

    def now(self) -> datetime:
        """Return the wall time in UTC."""
        return datetime.now(UTC)

    def boot(self) -> float:
        """Return seconds since the boot, suspend included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Return the kernel's name of this boot (random(4)), empty where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
