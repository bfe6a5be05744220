"""The voters as the inventory names them just now, with the same connections as long as they stay the same."""

from __future__ import annotations

from datetime import timedelta

from failover.etcd import Voters
from failover.model import Etcd, Leases
from monitor.clock import Clock


class Asking:
    """Keeps one connection to each voter."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._voters: Voters | None = None
        self._of: tuple[Etcd, timedelta] | None = None

    async def voters(self, leases: Leases | None) -> Voters | None:
        """Return the voters of `leases`; None where it names none."""
        wanted = (leases.etcd, leases.retry) if leases is not None and leases.etcd is not None else None
        if wanted != self._of:
            before, self._of = self._voters, wanted
            self._voters = None if wanted is None else Voters(wanted[0], wanted[1].total_seconds(), self._clock)
            if before is not None:
                await before.close()
        return self._voters

    async def close(self) -> None:
        """End the connections."""
        voters, self._voters, self._of = self._voters, None, None
        if voters is not None:
            await voters.close()
