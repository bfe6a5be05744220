"""Which notices should exist now and do not, of all incidents at the desk, and their messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.agreement import Protocol
from alerts.handover import Handover, handovers
from alerts.notice import BY_TIME, HANDOVERS, Notice, NoticeKey, Planned
from alerts.protocol import due
from alerts.storm import EVERY, Storm, storms
from monitor.core.ids import IncidentId
from monitor.core.incident import Incident
from monitor.core.rota import Roster
from monitor.core.watch import Taken, noted
from monitor.daemon.letters import Letters, Moment


@dataclass(frozen=True, slots=True)
class Told:
    """What decides who is told: what they were told already, under which protocol, and who is on duty.

    `sent`: the notices that exist, of each incident. `trusted`: whether the clock is. `patient`: whether what may wait
    for a message about many does, since another tick will come.
    """

    sent: Mapping[IncidentId, set[NoticeKey]]
    protocols: Mapping[IncidentId, Protocol]
    roster: Roster
    trusted: bool
    patient: bool


@dataclass(frozen=True, slots=True)
class Due:
    """The notices that are due: those of one incident each, and those about many.

    `taken`: what made them due, with what the logs of the incidents are told of that.
    """

    taken: Taken
    each: tuple[Planned, ...]
    many: tuple[Handover | Storm, ...]

    @property
    def plans(self) -> tuple[Planned, ...]:
        """All of them."""
        return self.each + tuple(one.plan for one in self.many)

    def written(self, letters: Letters, protocols: Mapping[IncidentId, Protocol], at: Moment) -> tuple[Notice, ...]:
        """Return their messages."""
        incidents = self.taken.state.incidents
        each = tuple(
            letters.write(plan, incidents[plan.key.incident], protocols[plan.key.incident], at) for plan in self.each
        )
        return each + tuple(letters.about_many(one, protocols, at) for one in self.many)


def due_now(
    taken: Taken, before: Mapping[IncidentId, Incident], told: Told, now: datetime, *, time_passed: bool
) -> Due:
    """Return the notices that are due once `taken` is the state.

    `time_passed`: look also at incidents to which nothing happened since `before`.
    """
    incidents = taken.state.incidents
    changed = (one for name, one in incidents.items() if time_passed or before.get(name) is not one)
    # Only a tick sees all that waits: written in between, a message of one would put the others off.
    every = None if not time_passed else EVERY if told.patient else timedelta()
    planned = _planned(changed, told, now)
    each, stormy = storms(planned, incidents, told.sent, now, every=every, protocols=told.protocols)
    taken = noted(taken, tuple(event for one in stormy for event in one.events(now)))
    many: tuple[Handover | Storm, ...] = stormy
    if time_passed and told.trusted:
        many += handovers(told.roster, taken.state.incidents, told.protocols, told.sent.get(HANDOVERS, ()), now)
    return Due(taken, tuple(each), many)


def _planned(incidents: Iterator[Incident], told: Told, now: datetime) -> Iterator[Planned]:
    """Every notice of one incident. While the clock is not trusted, nothing that only time makes due."""
    for incident in incidents:
        protocol = told.protocols[incident.id]
        # Whether it is night, a clock that may be wrong does not say.
        told_by = protocol if told.trusted else replace(protocol, quiet=None)
        for plan in due(told_by, incident, told.sent.get(incident.id, set()), now, told.roster):
            if told.trusted or plan.key.step not in BY_TIME:
                yield plan
