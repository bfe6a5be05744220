"""What failures mean for the services: what each is able to do, and which incident interrupts one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from monitor.core.health import Health
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident, Interruption
from monitor.core.plan import Plan, State
from monitor.core.services import Part, Service, Sight, View, Works, interrupted, leaves, reduced, view_of
from monitor.core.topology import Place, standing
from monitor.core.verdict import Severity


@dataclass(frozen=True, slots=True)
class Outlook:
    """One service now: what it is able to do, and whether it is interrupted."""

    service: Service
    view: View
    interrupted: bool


def outlook(plan: Plan, state: State) -> tuple[Outlook, ...]:
    """Return every service of `plan` as `state` shows it, in the order of the inventory."""
    impact = Impact(plan, state)
    found = []
    for service in plan.services.values():
        seen = view_of(service.rule, plan.services, impact.works, state.figures)
        found.append(Outlook(service, seen, interrupted(service, seen)))
    return tuple(found)


class Impact:
    """What the failures that `state` shows mean for the services of `plan`; what is asked often is found out once."""

    def __init__(self, plan: Plan, state: State) -> None:
        self._plan, self._state = plan, state
        self._causes: dict[CheckId, CheckId | None] = {}
        self._known: dict[CheckId, Works] = {}
        self._checks: dict[str, frozenset[CheckId]] = {}
        self._rules: dict[str, Part] = {}
        self._failing: dict[str, Mapping[CheckId, CheckId | None]] = {}
        self._interrupted: dict[str, bool] = {}
        self._deciding: dict[tuple[str, IncidentId], bool] = {}

    def interrupted_since(self, incident: Incident) -> datetime | None:
        """Return since when `incident` interrupts the client's service, None if it does not.

        With the first failure that is its work and that a service asks. It interrupts a service that is interrupted if
        its failures alone would, or if without them it would not be, or, where no open incident is either, if they add
        to it. Without services in the inventory: with the first failure that it explains of a kind that always
        interrupts.
        """
        if not self._plan.services:
            return _first_that_always_interrupts(self._plan, self._state, incident)
        healths, since = self._state.healths, list[datetime]()
        for service in self._plan.services.values():
            own = self._own(incident, service)
            if own and self._is_interrupted(service) and self._is_to_blame(service, incident):
                since += [self._failing_since(check, healths[check]) for check in own if check in healths]
        return min(since, default=None)

    def view(self, service: Service, sight: Sight) -> View:
        """Return what `service` is able to do by `sight`, which may differ from `works` where that is not YES."""
        services, figures = self._plan.services, self._state.figures
        if service.name not in self._rules:
            doubtful = {check for check in self._leaves(service) if self.works(check) is not Works.YES}
            self._rules[service.name] = reduced(service.rule, services, doubtful, figures)
        return view_of(self._rules[service.name], services, sight, figures)

    def _leaves(self, service: Service) -> frozenset[CheckId]:
        if service.name not in self._checks:
            self._checks[service.name] = leaves(service.rule, self._plan.services)
        return self._checks[service.name]

    def works(self, check: CheckId) -> Works:
        """Whether what `check` looks at works: as it is believed, or as its cause explains what is not believed yet."""
        if check not in self._known:
            self._known[check] = self._looked_at(check)
        return self._known[check]

    def _looked_at(self, check: CheckId) -> Works:
        health = self._state.healths.get(check)
        if health is None or check in self._state.stale:
            return Works.UNSURE
        if health.confirmed is Severity.CRITICAL or (check in self._behind and health.latest is not Severity.OK):
            return Works.NO
        if health.confirmed is Severity.UNKNOWN:
            return Works.UNSURE
        return Works.NO if self._cut_off(check, health) is not None else Works.YES

    def _is_interrupted(self, service: Service) -> bool:
        if service.name not in self._interrupted:
            self._interrupted[service.name] = interrupted(service, self.view(service, self.works))
        return self._interrupted[service.name]

    @cached_property
    def _behind(self) -> frozenset[CheckId]:
        """What lies behind a cause, and what was not seen well again after it."""
        return frozenset(
            name for incident in self._state.incidents.values() if incident.open for name in incident.covered
        )

    def _cut_off(self, check: CheckId, health: Health) -> CheckId | None:
        """The cause that explains a failure that is not believed yet; None for one that nothing explains, or none."""
        if health.confirmed is not Severity.OK or health.latest in (Severity.OK, Severity.WARNING):
            return None
        return self._cause(check, health.turned_at)

    def _made_worse(self, check: CheckId, health: Health) -> CheckId | None:
        """The cause of what has an incident of its own, of something less: that it fails now is not the doing of it."""
        if health.confirmed is not Severity.CRITICAL or check not in self._told_as_less:
            return None
        return self._cause(check, self._failing_since(check, health))

    def _failing_since(self, check: CheckId, health: Health) -> datetime:
        return health.as_bad_since if check in self._told_as_less else health.failing_since

    def _cause(self, check: CheckId, since: datetime) -> CheckId | None:
        if check not in self._causes:
            found = standing(self._plan.topology, self._state.healths, check, since)
            self._causes[check] = found.by[0] if found.place is Place.COVERED else None
        return self._causes[check]

    @cached_property
    def _told_as_less(self) -> frozenset[CheckId]:
        """The roots of open incidents that were not critical when last told, or had recovered."""
        return frozenset(
            incident.check
            for incident in self._state.incidents.values()
            if incident.open and incident.check is not None and not _critical(incident)
        )

    def _own(self, incident: Incident, service: Service) -> frozenset[CheckId]:
        """The failures that are the work of `incident` and that `service` asks, those not believed yet among them."""
        own = set(incident.covered)
        if incident.check is not None and _critical(incident):  # else it is down for another's sake
            own.add(incident.check)
        asked = self._asked(service)
        return frozenset(check for check, cause in asked.items() if check in own or cause in own)

    def _asked(self, service: Service) -> Mapping[CheckId, CheckId | None]:
        """What `service` asks and is not well, with the cause of what is not believed yet, or worse than told."""
        if service.name not in self._failing:
            healths = self._state.healths
            self._failing[service.name] = {
                check: self._cut_off(check, healths[check]) or self._made_worse(check, healths[check])
                for check in self._leaves(service)
                if check in self._behind or (check in healths and not healths[check].well)
            }
        return self._failing[service.name]

    def _is_to_blame(self, service: Service, incident: Incident) -> bool:
        if self._decides(service, incident):
            return True
        others = [other for other in self._state.incidents.values() if other.open and other.id != incident.id]
        if any(self._decides(service, other) for other in others):
            return False
        without = self.view(service, self._well(self._own(incident, service)))
        return without.able > self.view(service, self.works).able

    def _decides(self, service: Service, incident: Incident) -> bool:
        """Whether the failures of `incident` suffice to interrupt the service, or are needed to."""
        key = service.name, incident.id
        if key not in self._deciding:
            own = self._own(incident, service)
            alone = self.view(service, lambda check: self.works(check) if check in own else Works.YES)
            self._deciding[key] = bool(own) and (
                interrupted(service, alone) or not interrupted(service, self.view(service, self._well(own)))
            )
        return self._deciding[key]

    def _well(self, checks: Collection[CheckId]) -> Sight:
        return lambda check: Works.YES if check in checks else self.works(check)


def _first_that_always_interrupts(plan: Plan, state: State, incident: Incident) -> datetime | None:
    began = [
        state.healths[check].began_at
        for check in incident.covered
        if check in state.healths
        and state.healths[check].confirmed is Severity.CRITICAL
        and check in plan.checks
        and plan.interruption.get(plan.checks[check].kind) is Interruption.ALWAYS
    ]
    return min(began, default=None)


def _critical(incident: Incident) -> bool:
    return incident.severity is Severity.CRITICAL and incident.recovered_at is None


def critical_since(state: State, incident: Incident) -> datetime:
    """Return when `incident` became critical: with the first result that showed it, not when it was told."""
    if incident.changed_at is None:
        return incident.began_at
    health = None if incident.check is None else state.healths.get(incident.check)
    if health is None or health.graded_at is None or health.latest is not Severity.CRITICAL:
        return incident.changed_at
    return min(health.graded_at, incident.changed_at)
