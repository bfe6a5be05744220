"""From the store and the inventory to the material of a review: all the reading, and no words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.metadata import version

from alerts.notice import Notice, Step
from alerts.protocol_json import protocol_from_json
from failover.run import Move
from monitor.core.ids import CheckId, IncidentId, NodeId
from monitor.core.incident import Incident
from monitor.inventory.concern import fails_elsewhere, is_of_another
from monitor.inventory.model import Inventory
from monitor.reports.material import Curve, KindFacts, Material, Relation
from monitor.reports.moved import answers
from monitor.store import HistoryUnavailable, Series, Store
from probes.registry import BrokenKind, UnknownKind, load

BEFORE, AFTER = timedelta(minutes=30), timedelta(minutes=15)
"""What is shown of the measurements before the beginning and after the end."""
LONGEST = timedelta(days=7)
"""Of a longer incident the first week is drawn: a line of a drawing is then some ten minutes."""
MOST_OWN, MOST_OTHERS = 6, 8
"""Series of the root cause; checks that it covered, and of the same device, with one series each."""
MOST_NOTICES = 10_000
MOST_MOVES = 500
"""Of the time of one incident: a dozen vain tries a day, and what was done in the end."""
LARGEST = 1e15
"""A figure beyond that is no measurement: it would flatten all others and, squared, leave the range of a float."""


def material(store: Store, incident: Incident, inventory: Inventory | None, now: datetime) -> Material:
    """Return everything on record about `incident`; `inventory` is None where it cannot be read.

    Raises StoreError, but a history of measurements that cannot be read is only said to be so.
    """
    frozen = store.protocol(incident.id)
    end = incident.resolved_at or now

    def belongs(move: Move) -> bool:
        foreign = inventory is not None and (
            fails_elsewhere(move.source, incident, inventory) or is_of_another(move, incident, inventory)
        )
        return answers(move, incident, end, foreign=foreign)

    moves = tuple(filter(belongs, store.moves_during(incident.began_at, end, limit=MOST_MOVES)))
    found = Material(
        incident=incident,
        now=now,
        notices=(*store.notices(incident.id, limit=MOST_NOTICES), *store.told_by_many(incident)),
        runs=tuple(store.runs(incident.id)),
        moves=moves,
        move_reports=tuple(one for move in moves for one in _reports(store, move)),
        protocol=None if frozen is None else protocol_from_json(frozen[1]),
        protocol_version="" if frozen is None else frozen[0],
        audit_head=store.audit_head(),
        starts=store.starts(incident.opened_at, now),
        releve_version=version("releve"),
    )
    if inventory is not None:
        found = _named(found, inventory)
    return _measured(found, store, inventory)


def _reports(store: Store, move: Move) -> list[Notice]:
    told = store.notices(IncidentId(move.id), limit=MOST_NOTICES)
    return [one for one in told if one.key.step is Step.FAILOVER_REPORT]


def _named(found: Material, inventory: Inventory) -> Material:
    kind = inventory.kinds.get(found.incident.kind)
    return replace(
        found,
        site=inventory.site.name,
        kind=None if kind is None else KindFacts(kind.titles, kind.causes, kind.target),
        people={name: contact.name for name, contact in inventory.contacts.items()},
        nodes={name: check.node for name, check in inventory.checks.items()},
        works={window.id: window.titles for window in inventory.plan.maintenance},
        inventory_version=inventory.version,
    )


def _measured(found: Material, store: Store, inventory: Inventory | None) -> Material:
    since, end = found.incident.began_at - BEFORE, found.end
    until = min(end, found.incident.began_at + LONGEST) + AFTER
    if found.incident.open:
        until = min(until, found.now)
    try:
        curves = tuple(
            replace(curve, samples=_samples(store, curve, since, until)) for curve in _wanted(found, store, inventory)
        )
    except HistoryUnavailable as error:
        return replace(found, unmeasured=error.text)
    return replace(found, curves=curves, since=since, until=until, cut=end > found.incident.began_at + LONGEST)


def _samples(store: Store, curve: Curve, since: datetime, until: datetime) -> tuple[tuple[datetime, float], ...]:
    samples = store.samples(curve.check, curve.metric, since, until)
    return tuple((at, value) for at, value in samples if abs(value) < LARGEST)


def _wanted(found: Material, store: Store, inventory: Inventory | None) -> Iterator[Curve]:
    """The series to show, without their samples: the root cause's first, its main figure before the others."""
    root = found.incident.check
    if root is None:
        return
    yield from _curves(root, Relation.ROOT, store, inventory, MOST_OWN)
    covered = found.incident.suppressed[:MOST_OTHERS]
    for check in covered:
        yield from _curves(check, Relation.COVERED, store, inventory, 1)
    node = found.nodes.get(root)
    beside = [check for check in _of(node, found) if check != root and check not in found.incident.suppressed]
    for check in beside[:MOST_OTHERS]:
        yield from _curves(check, Relation.NEIGHBOUR, store, inventory, 1)


def _of(node: NodeId | None, found: Material) -> list[CheckId]:
    return [] if node is None else [check for check, stands in found.nodes.items() if stands == node]


def _curves(
    check: CheckId, relation: Relation, store: Store, inventory: Inventory | None, most: int
) -> Iterator[Curve]:
    main = _main_metric(check, inventory)
    known = sorted(store.series(check), key=lambda one: (one.metric != main, one.metric))
    for one in known[:most]:
        yield _judged(one, relation, inventory, main=one.metric == main)


def _judged(one: Series, relation: Relation, inventory: Inventory | None, *, main: bool) -> Curve:
    """The series with the thresholds of the present inventory."""
    check = None if inventory is None else inventory.checks.get(one.check)
    if check is None:
        return Curve(one.check, one.metric, one.unit, relation)
    limits = check.params.limits(one.metric, first=main)
    return Curve(one.check, one.metric, one.unit, relation, (), limits.warning, limits.critical)


def _main_metric(check: CheckId, inventory: Inventory | None) -> str:
    """The figure that the check's own thresholds judge; empty where nobody knows."""
    known = None if inventory is None else inventory.checks.get(check)
    if known is None:
        return ""
    try:
        metrics = load(known.probe).metrics
    except (UnknownKind, BrokenKind):
        return ""
    return metrics[0][0] if metrics else ""
