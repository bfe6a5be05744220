"""What decides and what is believed: the part of the inventory that incidents follow, and the state they are in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from monitor.core.flapping import FlappingPolicy
from monitor.core.health import ConfirmPolicy, Health
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import OTHER, Incident, Interruption
from monitor.core.maintenance import Window
from monitor.core.services import Service
from monitor.core.topology import Topology

REOPEN_WITHIN = timedelta(minutes=15)
SETTLE = timedelta(minutes=5)
"""What a switch or a server takes to boot once its power is back, so what fails meanwhile is still the cause's work."""


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
    """

    checks: Mapping[CheckId, Watched]
    topology: Topology = field(default_factory=Topology)
    interruption: Mapping[str, Interruption] = field(default_factory=dict)
    reopen_within: timedelta = REOPEN_WITHIN
    settle: timedelta = SETTLE
    services: Mapping[str, Service] = field(default_factory=dict)
    maintenance: tuple[Window, ...] = ()
    figures: Mapping[CheckId, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """What is believed: the health of each check, the incidents (open, and lately resolved), the next number.

    `windows`: all work that is announced, by the inventory and by people. `figures`: the last values that services
    ask. `stale`: checks that have given no result for too long. `waiting`: a failure may be told nowhere yet.
    """

    healths: Mapping[CheckId, Health] = field(default_factory=dict)
    incidents: Mapping[IncidentId, Incident] = field(default_factory=dict)
    next_number: int = 1
    windows: tuple[Window, ...] = ()
    figures: Mapping[tuple[CheckId, str], float] = field(default_factory=dict)
    stale: frozenset[CheckId] = frozenset()
    waiting: bool = field(default=True, compare=False)
