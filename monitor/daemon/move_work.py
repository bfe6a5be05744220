"""The work that planned moves are: which checks of the inventory it excuses, folded from the journals of the moves."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from failover.model import DataSet, DataSetId
from failover.phases import Direction
from failover.run import Move
from failover.underway import named, span_of, touched
from monitor.core.events import Event
from monitor.core.ids import CheckId
from monitor.core.maintenance import LAST_LOOK, Underway
from monitor.daemon.selfcheck import promise_check
from monitor.inventory.model import Inventory

OF_SERVICES = frozenset({"service", "tcp", "http", "replication"})
"""Kinds of probe that look at what runs on a device, which a move stops and starts. What looks at the device itself,
its lines and its disks (`ping`, `link`, `disk` ...) alarms as ever: no step of a plan is to bring that down."""


class Meanwhile(NamedTuple):
    """What else changes with an event of a move: what its incident is told, and the work of all moves after it."""

    told: tuple[Event, ...]
    underway: tuple[Underway, ...] = ()


def underway(moves: Iterable[Move], inventory: Inventory, now: datetime) -> tuple[Underway, ...]:
    """Return the work of those of `moves` that go on at `now`, or ended so lately that it was not looked at since."""
    lately = (move for move in moves if move.ended_at is None or now - move.ended_at < LAST_LOOK)
    found = (work_of(move, inventory) for move in lately)
    return tuple(work for work in found if work is not None)


def work_of(move: Move, inventory: Inventory) -> Underway | None:
    """Return the work that `move` is; None where it is none: forced, not begun, or of a plan that nobody can read."""
    if move.direction is Direction.FAILOVER:
        return None
    try:
        plan = move.thawed()
    except (LookupError, TypeError, ValueError):
        return None  # of another version of Relève: whoever takes the move up gives it up, and says so
    span = span_of(move, plan)
    if span is None:
        return None
    scope = named(move, plan) | _of_data(move, inventory) | _on_its_devices(move, inventory)
    return Underway(move.id, scope, span, move.ended_at)


def _of_data(move: Move, inventory: Inventory) -> frozenset[CheckId]:
    """Both ways of each data set, for they change over, and whether its commits wait for the copy."""
    if move.direction is Direction.DRILL:
        return frozenset()
    known = inventory.continuity.data
    sets: list[tuple[DataSetId, DataSet]] = [(one.id, known[one.id]) for one in move.data if one.id in known]
    checks = {check for _, data in sets for check in data.checks}
    return frozenset(checks | {promise_check(name) for name, _ in sets})


def _on_its_devices(move: Move, inventory: Inventory) -> frozenset[CheckId]:
    """What looks at services where it stops or starts some. A gate says whether the device itself is there."""
    nodes = touched(move)
    return frozenset(
        name
        for name, check in inventory.checks.items()
        if check.node in nodes and check.probe in OF_SERVICES and not check.gate
    )
