"""What is believed, as one batch puts it down and the next start takes it up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from alerts.notice import HANDOVERS, STORMS
from alerts.parked import Parked, parked_from_json, parked_to_json
from failover.model import PlanId
from monitor.clock import SystemClock
from monitor.core.ids import CheckId
from monitor.core.maintenance import window_from_json, window_to_json
from monitor.core.plan import State
from monitor.core.rota import override_from_json, override_to_json
from monitor.core.timekeeping import Guard
from monitor.store import audit, jobs, log, moves, outbox, outstanding, runs
from monitor.store.batch import Batch, Figure, Loaded
from monitor.store.rows import guard_from_json, guard_to_json

REMEMBERED = 32
"""Batches whose names are kept, to recognise one that is handed in again."""
_BATCHES, _GUARD, _AUTOMATION, _MAINTENANCE = "batches", "guard", "automation", "maintenance"
_OVERRIDES, _PARKED, _FIGURES, _LEASES = "overrides", "parked", "figures", "leases"


def loaded(connection: Connection, now: datetime, keep: timedelta, highest: int) -> Loaded:
    """Return what the last run left, with the incidents that are open or ended within `keep` before `now`.

    `highest`: the highest number that an incident was given, whether or not it could be written.
    """
    which = log.recent(now - keep)
    return Loaded(
        state=State(
            healths=log.get_healths(connection),
            incidents=log.get_incidents(connection, which),
            windows=tuple(map(window_from_json, log.get(connection, _MAINTENANCE) or ())),
            overrides=tuple(map(override_from_json, log.get(connection, _OVERRIDES) or ())),
            next_number=max(log.next_number(connection), highest + 1),
        ),
        died_at=outbox.last_death(connection),
        sent=log.get_keys(connection, which) | outbox.keys_since(connection, (HANDOVERS, STORMS), now - keep),
        protocols=log.get_protocols(connection, which),
        guard=guard(connection),
        runs=runs.get(connection, runs.recent(now - keep)),
        next_run=runs.next_number(connection),
        automation=automation(connection),
        jobs=jobs.get(connection),
        parked=parked(connection),
        outstanding=outstanding.read(connection, now, keep),
        moves=moves.get(connection, moves.telling(now - keep)),
        next_move=moves.next_number(connection),
        figures=_figures(connection),
        leases={PlanId(name): int(token) for name, token in (log.get(connection, _LEASES) or {}).items()},
    )


def write(connection: Connection, batch: Batch) -> None:
    """Write `batch`; nothing if it is one that was written already."""
    known = log.get(connection, _BATCHES) or []
    if batch.id in known:
        return
    log.add_events(connection, batch.events)
    log.freeze(connection, batch.protocols)
    log.put_healths(connection, batch.healths, batch.removed)
    outbox.add(connection, batch.notices)
    runs.add(connection, batch.run_events)
    moves.add(connection, batch.move_events)
    if batch.automation is not None:
        log.put(connection, _AUTOMATION, dict(batch.automation))
    if batch.maintenance is not None:
        log.put(connection, _MAINTENANCE, [window_to_json(window) for window in batch.maintenance])
    if batch.overrides is not None:
        log.put(connection, _OVERRIDES, [override_to_json(override) for override in batch.overrides])
    if batch.parked is not None:
        log.put(connection, _PARKED, [parked_to_json(one) for one in batch.parked])
    if batch.leases is not None:
        log.put(connection, _LEASES, dict(batch.leases))
    if batch.figures is not None:
        log.put(connection, _FIGURES, {name: [at.isoformat(), lag] for name, (at, lag) in batch.figures.items()})
    if batch.audit:
        audit.append(connection, batch.audit, batch.guard.at if batch.guard else SystemClock().now())
    if batch.guard is not None:
        log.put(connection, _GUARD, guard_to_json(batch.guard))
    log.put(connection, _BATCHES, [*known, batch.id][-REMEMBERED:])


def guard(connection: Connection) -> Guard | None:
    """Return the clock's anchor as it was last written; None before the first time."""
    kept = log.get(connection, _GUARD)
    return None if kept is None else guard_from_json(kept)


def _figures(connection: Connection) -> dict[CheckId, Figure]:
    kept: Mapping[str, Any] = log.get(connection, _FIGURES) or {}
    return {CheckId(name): (datetime.fromisoformat(at), float(lag)) for name, (at, lag) in kept.items()}


def parked(connection: Connection) -> tuple[Parked, ...]:
    """Return the answers that a person has to read, oldest first."""
    return tuple(map(parked_from_json, log.get(connection, _PARKED) or ()))


def automation(connection: Connection) -> Mapping[str, Any]:
    """Return what people set of the automation, as in Batch; nothing when nobody has."""
    found: Mapping[str, Any] = log.get(connection, _AUTOMATION) or {}
    return found
