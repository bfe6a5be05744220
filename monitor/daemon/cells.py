"""The line in an incident's log that a crisis cell is called for, once the protocol says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from alerts.agreement import Protocol
from alerts.crisis import cell_opened
from monitor.core.ids import IncidentId
from monitor.core.plan import record
from monitor.core.watch import Taken


def with_cells(taken: Taken, protocols: Mapping[IncidentId, Protocol], otherwise: Protocol, now: datetime) -> Taken:
    """Return `taken` with the crisis cells that are called for by `now`, each incident by its own protocol.

    `otherwise`: the protocol of an incident that has none yet.
    """
    state, events = taken.state, list(taken.events)
    for name, incident in taken.state.incidents.items():
        event = cell_opened(protocols.get(name, otherwise), incident, now)
        if event is not None:
            state = record(state, event)
            events.append(event)
    return replace(taken, state=state, events=tuple(events))
