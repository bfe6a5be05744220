"""The guard of this machine, as Relève here reaches it: by the files that it reads and the ones that it leaves."""

from __future__ import annotations

from dataclasses import dataclass, replace

from failover.across import GuardSeen, Refusal, latest, refused
from failover.guard import Phase, Validity
from failover.guard_files import (
    USUAL,
    Places,
    Unreadable,
    hand_over,
    handed_over,
    read_record,
    sign_of_life,
    stopped_for,
)
from failover.model import SiteId
from monitor.clock import Clock, boot_id


@dataclass(frozen=True, slots=True)
class GuardPost:
    """Where the guard of this machine is told of leases, and looked at."""

    clock: Clock
    places: Places = USUAL

    def tell(self, plan: str, offered: Validity, ttl: float) -> Refusal | None:
        """Tell the guard of the lease of `plan`; return why it was not, None when it can read it now. Raises OSError.

        `ttl`: seconds that a lease lasts. What it was told last stands in the file, whoever wrote that.
        """
        told, now = self._told(plan), self.clock.boot()
        why = refused(told, offered, ttl, now)
        if why is None and (by := latest(told, offered, ttl, now)) != told:
            hand_over(self.places.lease(plan), by, boot_id())
        return why

    def seen(self, plan: str, site: SiteId) -> GuardSeen:
        """Return what the guard says of `plan` at `site`; what cannot be read, it does not say. A disk may be slow."""
        try:
            stopped = stopped_for(read_record(self.places.record(plan)), plan, site)
        except (OSError, Unreadable):
            stopped = None
        alive = self.alive(plan)
        if stopped is not None and alive.phase is Phase.STOPPING and alive.token is not None and alive.token <= stopped:
            stopped = None  # it was started by hand since, and the disk has yet to take the record that says so
        return replace(alive, told=self._told(plan), stopped=stopped)

    def alive(self, plan: str) -> GuardSeen:
        """Return what the guard says of `plan` by its sign of life alone, which lies in memory."""
        try:
            alive = sign_of_life(self.places.alive(plan), boot_id(), self.clock.boot())
        except (OSError, Unreadable):
            alive = None
        return GuardSeen() if alive is None else GuardSeen(phase=alive[0], token=alive[1])

    def _told(self, plan: str) -> Validity | None:
        try:
            return handed_over(self.places.lease(plan), boot_id())
        except (OSError, Unreadable):
            return None
