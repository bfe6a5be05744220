"""What is known of the groups that can move, put together out of belief, figures and moves. Touches nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from failover.ground import past, runs_at
from failover.lag import LAGS
from failover.loss import Measured
from failover.model import DataSet, DataSetId, Guarded, Isolation, Mode, Plan, PlanId, SiteId, Token
from failover.preflight import Believed, Preflight, Standing, preflight
from failover.run import Move
from failover.tasks import subject_of
from failover.vantage import HERE, vantages
from monitor.core.ids import CheckId
from monitor.core.plan import State, silence_limit
from monitor.core.text import Text, say
from monitor.core.verdict import Severity
from monitor.daemon.selfcheck import archive_check
from monitor.inventory.concern import answered
from monitor.inventory.model import Inventory
from monitor.store import HistoryUnavailable, Store
from runbooks.contract import StepFailed

Figure = tuple[datetime, float]


def figures(store: Store, inventory: Inventory) -> dict[CheckId, Figure]:
    """Return the newest figure of each check that measures a copy. One that cannot be read is left out."""
    found: dict[CheckId, Figure] = {}
    for name in dict.fromkeys(check for data in inventory.continuity.data.values() for check in data.checks):
        try:
            taken = [store.latest_sample(name, metric) for metric in LAGS]
        except HistoryUnavailable:
            return found  # the check of the store itself says so; without figures nobody can tell
        first = next((one for one in taken if one is not None), None)
        if first is not None:
            found[name] = first
    return found


def judged(
    inventory: Inventory,
    state: State,
    moves: Iterable[Move],
    figure: Mapping[CheckId, Figure],
    now: datetime,
    promised: Mapping[DataSetId, datetime] | None = None,
) -> dict[PlanId, tuple[Standing, Preflight]]:
    """Return what is known of each group at `now`, and whether it could move.

    `figure`: as `figures` gives them. `promised`: since when the voters hold that commits of a data set wait (UTC).
    """
    known = tuple(moves)
    found: dict[PlanId, tuple[Standing, Preflight]] = {}
    for plan in inventory.continuity.plans.values():
        own = [move for move in known if move.plan == plan.id]
        source = runs_at(plan, past(own))
        data = [inventory.continuity.data[name].lost_with(source) for name in plan.data]
        seen = _standing(inventory, plan, data, state, own, figure, now)
        kept, titles = promised or {}, {one.id: one.title for one in data}
        measured = tuple(replace(one, promised_at=kept.get(one.data), title=titles[one.data]) for one in seen.measured)
        needed = bool(answered(plan, source, state.incidents.values(), inventory))
        seen = replace(seen, measured=measured, needed=needed)
        found[plan.id] = (seen, preflight(plan, data, seen, now))
    return found


def _standing(
    inventory: Inventory,
    plan: Plan,
    data: list[DataSet],
    state: State,
    moves: list[Move],
    figure: Mapping[CheckId, Figure],
    now: datetime,
) -> Standing:
    gates = {site: _gates(inventory, site) for site in (plan.active, plan.standby)}
    fences = {site: fenced_by(inventory, plan, site) for site in gates}
    wanted = {
        *(name for one in data for name in one.checks),
        *(name for names in gates.values() for name in names),
        *(name for part in plan.parts.values() for name in part.verify),
        *(name for of_site in fences.values() for names in of_site.values() for name in names),
        *plan.guard_checks,
    }
    believed = {name: _believed(inventory, state, name, now) for name in wanted}
    going = next((move for move in moves if not move.state.over), None)
    return Standing(
        history=past(moves),
        checks=believed,
        gates=gates,
        measured=tuple(one for each in data for one in _measured(inventory, each, believed, figure)),
        fenced_by=fences,
        moving=None if going is None else str(going.id),
        asked=None if going is None else asked_of_nobody(going),
        mode=inventory.continuity.mode,
        vantages={site: _vantages(inventory, plan, site) for site in gates},
    )


def _vantages(inventory: Inventory, plan: Plan, site: SiteId) -> tuple[str, ...]:
    """All who see `site` while the group of `plan` runs there; the Relève that is lost with it is none of them."""
    continuity = inventory.continuity
    here = HERE if continuity.here is None else str(continuity.here.id)
    if here == site and continuity.sites[plan.other(site)].releve:
        here = str(plan.other(site))
    return vantages(continuity.sites[site], here, voters=continuity.mode is Mode.QUORUM)


def asked_of_nobody(move: Move) -> Text | None:
    """Return what `move` asks while no incident of it calls people; None where it asks nothing, or one does."""
    return None if move.question is None or move.incident is not None else move.question.text


def _believed(inventory: Inventory, state: State, name: CheckId, now: datetime) -> Believed:
    """What is believed of a check; without a daemon nothing comes any more, and the last word is no news either."""
    health = state.healths.get(name)
    if health is None:
        return Believed()
    watched = inventory.plan.checks.get(name)
    limit = None if watched is None else silence_limit(watched)
    if name in state.stale or (limit is not None and now - health.seen_at > limit):
        return Believed(health.latest, True, say("nothing came of it for {age}", age=now - health.seen_at))
    return Believed(health.latest, False, health.summary)


def _measured(
    inventory: Inventory, data: DataSet, believed: Mapping[CheckId, Believed], figure: Mapping[CheckId, Figure]
) -> list[Measured]:
    """The figure of each check of the data set that has one; where none has, that there is none."""
    found: list[Measured] = []
    for name in data.checks:
        if name in figure:
            at, lag = figure[name]
            blind = believed[name].severity in (None, Severity.UNKNOWN)
            found.append(Measured(data.id, _every(inventory, name), timedelta(seconds=lag), at, blind))
    return found or [Measured(data.id, timedelta(minutes=1), blind=True)]


def _every(inventory: Inventory, name: CheckId) -> timedelta:
    if name in inventory.checks:
        return inventory.checks[name].every
    of_archives = {archive_check(one.id): one.every for one in inventory.actionable.recordings.values()}
    return of_archives[name]


def _gates(inventory: Inventory, site: SiteId) -> tuple[CheckId, ...]:
    nodes = inventory.plan.topology.nodes
    devices = sorted(inventory.continuity.sites[site].devices)
    return tuple(gate for device in devices if device in nodes for gate in nodes[device].gates)


def fenced_by(inventory: Inventory, plan: Plan, site: SiteId) -> dict[int, tuple[CheckId, ...]]:
    """Return of each fence of `site` that has steps, by its number, the gates of the devices on which they act."""
    nodes, found = inventory.plan.topology.nodes, dict[int, tuple[CheckId, ...]]()
    for n, fence in enumerate(plan.fences_of(site)):
        match fence:
            case Guarded():
                continue
            case Isolation(_, steps) | Token(_, steps):
                pass
        try:
            about = subject_of(plan, plan.other(site), inventory.actionable)
            actions = [action for work in steps for action in work.step.actions(work.params, about)]
        except StepFailed:  # `validate` refuses it; an inventory that was read has none
            continue
        targets = dict.fromkeys(action.target for action in actions)
        found[n] = tuple(gate for one in targets if one in nodes for gate in nodes[one].gates)
    return found
