"""What failures mean for the services: what each is able to do, and which incident interrupts one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from monitor.core.health import Health
from monitor.core.ids import CheckId
from monitor.core.incident import Incident, Interruption
from monitor.core.plan import Plan, State
from monitor.core.services import Service, Sight, View, Works, interrupted, leaves, view
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
    sight = _sight(plan, state)
    found = []
    for name, service in plan.services.items():
        seen = view(name, plan.services, sight, state.figures)
        found.append(Outlook(service, seen, interrupted(service, seen)))
    return tuple(found)


def _sight(plan: Plan, state: State) -> Sight:
    """Whether what a check looks at works: as it is believed, or as its cause explains what is not believed yet."""
    behind = {
        name
        for incident in state.incidents.values()
        if incident.open and incident.recovered_at is None
        for name in incident.covered
    }

    def look(check: CheckId) -> Works:
        health = state.healths.get(check)
        if health is None or check in state.stale:
            return Works.UNSURE
        if health.confirmed is Severity.CRITICAL or check in behind:
            return Works.NO
        if health.confirmed is Severity.UNKNOWN:
            return Works.UNSURE
        return Works.NO if _cut_off(plan, state, check, health) is not None else Works.YES

    return look


def _cut_off(plan: Plan, state: State, check: CheckId, health: Health) -> CheckId | None:
    """The cause that explains a failure that is not believed yet; None for one that nothing explains, or none."""
    if health.confirmed is not Severity.OK or health.latest in (Severity.OK, Severity.WARNING):
        return None
    found = standing(plan.topology, state.healths, check, health.turned_at)
    return found.by[0] if found.place is Place.COVERED else None


def interrupted_since(plan: Plan, state: State, incident: Incident) -> datetime | None:
    """Return since when `incident` interrupts the client's service, None if it does not.

    With the first failure that is its work and that a service asks. It interrupts a service that is interrupted if its
    failures alone would, or if without them it would not be, or, where no open incident is either, if they add to it.
    Without services in the inventory: with the first failure that it explains of a kind that always interrupts.
    """
    if not plan.services:
        return _first_that_always_interrupts(plan, state, incident)
    sight = _sight(plan, state)
    since: list[datetime] = []
    for name, service in plan.services.items():
        asked = leaves(service.rule, plan.services)
        if not interrupted(service, view(name, plan.services, sight, state.figures)):
            continue
        own = _own(plan, state, incident) & asked
        if own and _is_to_blame(plan, state, service, sight, incident):
            since += [_failing_since(state.healths[check]) for check in own if check in state.healths]
    return min(since, default=None)


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


def _own(plan: Plan, state: State, incident: Incident) -> frozenset[CheckId]:
    """The failures that are the work of `incident`, those that are not believed yet among them."""
    root = incident.check
    own = set(incident.covered) if root is None else {root, *incident.covered}
    own |= {name for name, health in state.healths.items() if _cut_off(plan, state, name, health) in own}
    return frozenset(own)


def _failing_since(health: Health) -> datetime:
    return health.turned_at if health.confirmed is Severity.OK else health.began_at


def _is_to_blame(plan: Plan, state: State, service: Service, sight: Sight, incident: Incident) -> bool:
    if _decides(plan, state, service, sight, incident):
        return True
    others = [other for other in state.incidents.values() if other.open and other.id != incident.id]
    if any(_decides(plan, state, service, sight, other) for other in others):
        return False
    own = _own(plan, state, incident)
    return _seen(plan, state, service, _well(sight, own)).able > _seen(plan, state, service, sight).able


def _decides(plan: Plan, state: State, service: Service, sight: Sight, incident: Incident) -> bool:
    """Whether the failures of `incident` suffice to interrupt the service, or are needed to."""
    own = _own(plan, state, incident)
    alone = _seen(plan, state, service, lambda check: sight(check) if check in own else Works.YES)
    return interrupted(service, alone) or not interrupted(service, _seen(plan, state, service, _well(sight, own)))


def _seen(plan: Plan, state: State, service: Service, sight: Sight) -> View:
    return view(service.name, plan.services, sight, state.figures)


def _well(sight: Sight, checks: Collection[CheckId]) -> Sight:
    return lambda check: Works.YES if check in checks else sight(check)
