"""What decides and what is believed: the part of the inventory that incidents follow, and the state they are in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitor.core.events import Event, EventKind
from monitor.core.flapping import FlappingPolicy
from monitor.core.health import ConfirmPolicy, Health
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import OTHER, Incident, Interruption, fold
from monitor.core.maintenance import Underway, Window
from monitor.core.rota import Override
from monitor.core.services import Service
from monitor.core.topology import Topology

REOPEN_WITHIN = timedelta(minutes=15)
SETTLE = timedelta(minutes=5)
"""What a switch or a server takes to boot once its power is back, so what fails meanwhile is still the cause's work."""
SILENT_AFTER = 3
"""Intervals without a result after which a check is stale: one that is merely late has been missed twice by then."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What must be known of a check to tell its failures: its policies and the incident kind that it opens.

    `every`, `timeout`: how often it is looked at and how long that may take; None for what does not come by a grid.
    """

    policy: ConfirmPolicy = field(default_factory=ConfirmPolicy)
    kind: str = OTHER
    flapping: FlappingPolicy = field(default_factory=FlappingPolicy)
    every: timedelta | None = None
    timeout: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The part of the inventory that decides: checks, topology, services, and which kinds interrupt the client.

    `maintenance`: the work that the inventory announces. `figures`: the metrics that the services ask.
    `silence_limits`: after how long without a result each check is stale that comes by a grid; each tick asks them all.
    """

    checks: Mapping[CheckId, Watched]
    topology: Topology = field(default_factory=Topology)
    interruption: Mapping[str, Interruption] = field(default_factory=dict)
    reopen_within: timedelta = REOPEN_WITHIN
    settle: timedelta = SETTLE
    services: Mapping[str, Service] = field(default_factory=dict)
    maintenance: tuple[Window, ...] = ()
    figures: Mapping[CheckId, frozenset[str]] = field(default_factory=dict)
    silence_limits: Mapping[CheckId, timedelta] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found = {name: silence_limit(watched) for name, watched in self.checks.items()}
        limits = {name: limit for name, limit in found.items() if limit is not None}
        object.__setattr__(self, "silence_limits", limits)


@dataclass(frozen=True, slots=True)
class State:
    """What is believed: the health of each check, the incidents (open, and lately resolved), the next number.

    `windows`: all work that is announced, by the inventory and by people. `figures`: the last values that services
    ask. `stale`: checks that have given no result for too long. `waiting`: a failure may be told nowhere yet.
    `overrides`: whose duty somebody else takes over, in the order in which people said so. `underway`: the work of
    planned moves of groups, which their journals say. `resting`: the checks of what stands by at the site where its
    group does not run, each with the moment since which it does.
    """

    healths: Mapping[CheckId, Health] = field(default_factory=dict)
    incidents: Mapping[IncidentId, Incident] = field(default_factory=dict)
    next_number: int = 1
    windows: tuple[Window, ...] = ()
    figures: Mapping[tuple[CheckId, str], float] = field(default_factory=dict)
    stale: frozenset[CheckId] = frozenset()
    waiting: bool = field(default=True, compare=False)
    overrides: tuple[Override, ...] = ()
    underway: tuple[Underway, ...] = ()
    resting: Mapping[CheckId, datetime] = field(default_factory=dict)


def record(state: State, event: Event) -> State:
    """Return `state` with `event` folded in; for what people do, and to replay a log."""
    after = fold(state.incidents.get(event.incident), event)
    if after is None:
        return state
    number = state.next_number
    if event.kind is EventKind.OPENED and event.incident not in state.incidents:
        number += 1
    return replace(state, incidents={**state.incidents, event.incident: after}, next_number=number)


def telling(state: State, check: CheckId) -> Incident | None:
    """Return the incident by which a failure of `check` is told; None while it is told nowhere."""
    return next((incident for incident in state.incidents.values() if incident.explains(check)), None)


def stands_by(state: State, check: CheckId) -> bool:
    """Return whether `check` fails because what it looks at stands by, so that its failure is no trouble.

    Once it was seen OK since, it looks at something that runs there also while the group runs elsewhere: its failure is
    told like any other.
    """
    since, health = state.resting.get(check), state.healths.get(check)
    if since is None or health is None or health.well:
        return False
    return health.ok_at is None or health.ok_at < since


def awake(state: State) -> Mapping[CheckId, Health]:
    """Return what is believed of all checks but of what stands by: how the site is."""
    if not state.resting:
        return state.healths
    return {name: health for name, health in state.healths.items() if not stands_by(state, name)}


def incident_id(number: int, at: datetime) -> IncidentId:
    """Return the name of the incident with that number: year and number, short enough to dictate (`26-0042`)."""
    return IncidentId(f"{at.year % 100:02}-{number:04}")


def silence_limit(watched: Watched) -> timedelta | None:
    """Return after how long without a result a check is stale; None for what does not come by a grid."""
    if watched.every is None:
        return None
    return SILENT_AFTER * watched.every + (watched.timeout or timedelta())


def keeps_silent(plan: Plan, state: State, check: CheckId, since: datetime, now: datetime) -> bool:
    """Return whether `check` gave no result since then, for so long that nobody should wait for one any more."""
    watched, health = plan.checks.get(check), state.healths.get(check)
    limit = None if watched is None else silence_limit(watched)
    return limit is not None and now - since > limit and (health is None or health.seen_at < since)
