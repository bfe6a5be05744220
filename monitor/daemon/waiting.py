"""What waits: incidents for their repair, and whether that is worth a line in their log; runs for an answer."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from monitor.core.ids import IncidentId
from monitor.core.incident import Refused
from monitor.core.text import say
from runbooks.decide import Hold, Why
from runbooks.run import Run, RunId, RunState

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


def asked_about(runs: Collection[Run], name: str, carried_out: Collection[RunId]) -> RunId:
    """Return the run that `name` names, or the only one of that runbook that waits for an answer. Raises Refused.

    `carried_out`: the runs that hear an answer; another one is at its end.
    """
    waiting = [run for run in runs if run.state is RunState.WAITING]
    named = [run.id for run in waiting if name in (run.id, run.runbook)]
    if len(named) == 1 and named[0] in carried_out:
        return named[0]
    if waiting:
        names = ", ".join(run.id for run in waiting)
        raise Refused(say("name one of the runs that wait for an answer: {names}", names=names))
    raise Refused(say("no run waits for an answer"))
