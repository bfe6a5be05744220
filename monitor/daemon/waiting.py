"""Which incidents wait for their repair, and whether that is worth a line in their log."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from monitor.core.ids import IncidentId
from runbooks.decide import Hold, Why

WORTH_A_LINE = timedelta(seconds=30)
"""A repair that waits for less is about to begin: a gate has yet to be seen, another run is at its end."""


class Waiting:
    """Remembers since when each incident waits, and which reasons were said; a restart says them again."""

    def __init__(self) -> None:
        self._since: dict[IncidentId, datetime] = {}
        self._said: set[tuple[IncidentId, Why]] = set()

    def worth_saying(self, incident: IncidentId, hold: Hold, now: datetime) -> bool:
        """Return whether `hold` is to be said of `incident` at `now`; once for each reason."""
        since = self._since.setdefault(incident, now)
        if now - since < WORTH_A_LINE or (incident, hold.why) in self._said:
            return False
        self._said.add((incident, hold.why))
        return True

    def keep(self, incidents: Collection[IncidentId]) -> None:
        """Forget all but `incidents`, which still wait."""
        self._since = {name: at for name, at in self._since.items() if name in incidents}
        self._said = {(name, why) for name, why in self._said if name in incidents}
