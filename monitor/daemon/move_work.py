"""The work that planned moves are: which checks of the inventory it excuses, folded from the journals of the moves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from failover.ground import past, runs_at
from failover.model import Continuity, DataSet, DataSetId, SiteId
from failover.phases import Direction
from failover.run import Move
from failover.underway import named, seen_at, span_of, touched
from monitor.core.events import Event
from monitor.core.ids import CheckId
from monitor.core.maintenance import LAST_LOOK, Expected, Underway
from monitor.daemon.selfcheck import promise_check
from monitor.inventory.model import Inventory

NEVER = datetime.min.replace(tzinfo=UTC)
"""Since when a site stands by that no move has touched yet."""
OF_SERVICES = frozenset({"service", "tcp", "http", "replication"})
"""Kinds of probe that look at what runs on a device, which a move stops and starts. What looks at the device itself,
its lines and its disks (`ping`, `link`, `disk` ...) alarms as ever: no step of a plan is to bring that down."""


class Meanwhile(NamedTuple):
    """What else changes with an event of a move: what its incident is told, and which failures are expected by then."""

    told: tuple[Event, ...]
    expected: Expected = Expected()


def expected(moves: Iterable[Move], inventory: Inventory, now: datetime) -> Expected:
    """Return which failures are to be expected at `now`, as the journals of `moves` say: all that are known."""
    known = tuple(moves)
    return Expected(underway(known, inventory, now), resting(known, inventory.continuity, gates_of(inventory)))


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


def gates_of(inventory: Inventory) -> frozenset[CheckId]:
    """Return the checks that say whether a device or a line is there at all: no group has to run for that."""
    return frozenset(gate for node in inventory.plan.topology.nodes.values() for gate in node.gates)


def resting(
    moves: Iterable[Move], continuity: Continuity, never: frozenset[CheckId] = frozenset()
) -> Mapping[CheckId, datetime]:
    """Return the checks of what stands by where its group does not run, each with the moment since which it does.

    They are those by which plans verify, start and stop a site, and nothing else does: not one that also sees the site
    that runs, a copy, a guard or a whole site, nor one of `never`. Where nobody knows where a group runs, none rests.
    """
    found: dict[CheckId, datetime] = {}
    kept = never | _needed(continuity)
    known = tuple(moves)
    for plan in continuity.plans.values():
        mine = [move for move in known if move.plan == plan.id]
        runs = runs_at(plan, past(mine))
        for site, part in plan.parts.items():
            if runs is None or site == runs:
                kept |= seen_at(part)
            else:
                since = max((end for move in mine if (end := _left_at(move, site)) is not None), default=NEVER)
                found |= {check: max(since, found.get(check, NEVER)) for check in seen_at(part)}
    return {check: since for check, since in found.items() if check not in kept}


def _left_at(move: Move, site: SiteId) -> datetime | None:
    """When `move` left `site` as it is: a drill touches the one that is drilled alone."""
    touches = site == move.target or (move.direction.moves and site == move.source)
    return move.ended_at if touches else None


def _needed(continuity: Continuity) -> frozenset[CheckId]:
    """What is watched for another reason than that a group runs."""
    seen_by = {one for site in continuity.sites.values() for checks in site.seen_by.values() for one in checks}
    data = {one for data in continuity.data.values() for one in data.checks}
    return frozenset(seen_by | data).union(*(plan.guard_checks for plan in continuity.plans.values()))
