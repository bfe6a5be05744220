"""The daemon's clock: the wall time, guarded against steps."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable
from datetime import datetime, timedelta

from monitor.clock import Clock, SystemClock, boot_id
from monitor.core import timekeeping
from monitor.core.timekeeping import Guard

_TIME_ERROR = 5
"""Return value of adjtimex(2) when the kernel does not hold its clock for synchronised."""
_TIMEX_BYTES = 512
"""More than sizeof(struct timex) on every Linux; with `modes` 0 the kernel only fills it."""


def kernel_synchronised() -> bool:
    """Return whether the kernel says that a time server disciplines its clock (adjtimex(2))."""
    libc = ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6", use_errno=True)
    adjtimex = getattr(libc, "adjtimex", None)
    if adjtimex is None:
        return False
    state: int = adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return state not in (-1, _TIME_ERROR)


class GuardedClock:
    """`now` never steps and never runs backwards; `guard` is what must be persisted of it."""

    def __init__(
        self,
        kept: Guard | None,
        system: Clock | None = None,
        boot: str | None = None,
        synchronised: Callable[[], bool] = kernel_synchronised,
    ) -> None:
        self._system = system or SystemClock()
        self._synchronised = synchronised
        self.guard = timekeeping.start(
            kept,
            boot if boot is not None else boot_id(),
            self._system.boot(),
            self._system.now(),
            synchronised=synchronised(),
        )

    def now(self) -> datetime:
        """Return the guarded time in UTC."""
        self.guard = timekeeping.read(self.guard, self._system.boot(), self._system.now())
        return self.guard.at

    def boot(self) -> float:
        """Return seconds since the boot, suspend included."""
        return self._system.boot()

    @property
    def trusted(self) -> bool:
        """Whether deadlines may run: False after a boot with an implausible clock."""
        return self.guard.trusted

    @property
    def stepped_by(self) -> timedelta:
        """How far the machine's clock is from the guarded one, zero unless it stepped."""
        return self.guard.stepped_by

    def settle(self, *, quiet: bool) -> bool:
        """Take the machine's clock over when it is off, and return whether it was.

        Only while no deadline of the client's runs and nothing moves (`quiet`), or time is not trusted anyway, and only
        if the kernel says that the clock is synchronised.
        """
        off = bool(self.guard.stepped_by) or not self.guard.trusted
        if not off or not (quiet or not self.guard.trusted) or not self._synchronised():
            return False
        self.guard = timekeeping.adopt(self.guard, self._system.boot(), self._system.now())
        return True
