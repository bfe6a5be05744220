"""What is handed in to be written in one transaction, and what the last run left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from alerts.chase import Outstanding
from alerts.notice import Notice, NoticeKey
from alerts.parked import Parked
from failover.model import PlanId
from failover.run import Move, MoveEvent, MoveId
from monitor.core.events import Event
from monitor.core.health import Health
from monitor.core.ids import CheckId, IncidentId
from monitor.core.maintenance import Window
from monitor.core.plan import State
from monitor.core.rota import Override
from monitor.core.timekeeping import Guard
from monitor.store.audit import AuditEntry
from probes.beat import Job
from runbooks.run import Run, RunEvent, RunId

Figure = tuple[datetime, float]
"""When it was taken (UTC), and by how many seconds a copy was behind then."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one change brings, written in one transaction or not at all.

    `healths`: the changed ones only; `removed`: checks whose health is forgotten; `notices`: new ones; `protocols`: the
    protocol (JSON-ready) that an incident is opened under. `run_events`: what runbooks do, `move_events`: what moves of
    groups do. `automation`: what people
    set of it (JSON-ready), `parked`: all answers that a person has to read, `figures`: the newest figure of each check
    that measures a copy, `leases`: under which token each lease of a group was held last; None leaves each as it is.
    `id` makes the
    batch itself known: handed in again after an unknown outcome, it changes nothing the second time, whatever it holds.
    """

    events: tuple[Event, ...] = ()
    healths: Mapping[CheckId, Health] = field(default_factory=dict)
    removed: tuple[CheckId, ...] = ()
    notices: tuple[Notice, ...] = ()
    protocols: Mapping[IncidentId, Mapping[str, Any]] = field(default_factory=dict)
    audit: tuple[AuditEntry, ...] = ()
    guard: Guard | None = None
    run_events: tuple[RunEvent, ...] = ()
    automation: Mapping[str, Any] | None = None
    maintenance: tuple[Window, ...] | None = None
    overrides: tuple[Override, ...] | None = None
    parked: tuple[Parked, ...] | None = None
    move_events: tuple[MoveEvent, ...] = ()
    figures: Mapping[CheckId, Figure] | None = None
    leases: Mapping[PlanId, int] | None = None
    id: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the last run left: belief, the keys of the notices that exist, the frozen protocols, the clock's anchor.

    `died_at`: when a notice was last given up for good. `runs`: those that go on or ended lately, `next_run` the number
    of the next; `automation` and `parked` as in Batch. `jobs`: those that report themselves, by their check.
    `outstanding`: what the other incidents still ask of people. `moves`: those that go on or ended lately, and the last
    of each plan, direction and end; `next_move` the number of the next. `figures` and `leases` as in Batch.
    """

    state: State
    died_at: datetime | None
    sent: dict[IncidentId, set[NoticeKey]]
    protocols: dict[IncidentId, dict[str, Any]]
    guard: Guard | None
    runs: dict[RunId, Run] = field(default_factory=dict)
    next_run: int = 1
    automation: Mapping[str, Any] = field(default_factory=dict)
    jobs: Mapping[CheckId, Job] = field(default_factory=dict)
    parked: tuple[Parked, ...] = ()
    outstanding: Mapping[IncidentId, Outstanding] = field(default_factory=dict)
    moves: dict[MoveId, Move] = field(default_factory=dict)
    next_move: int = 1
    figures: Mapping[CheckId, Figure] = field(default_factory=dict)
    leases: Mapping[PlanId, int] = field(default_factory=dict)
