"""From verdicts to incidents: what one result changes, for the whole site, as a pure function."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.core.events import Event, EventKind
from monitor.core.health import Health, Phase, advance
from monitor.core.hysteresis import settled
from monitor.core.ids import CheckId
from monitor.core.incident import Refused
from monitor.core.maintenance import Expected, Span, Window, scope_of
from monitor.core.placing import Work
from monitor.core.plan import Plan, State, record, stands_by, telling
from monitor.core.text import Text, say
from monitor.core.verdict import Severity, Verdict


@dataclass(frozen=True, slots=True)
class Taken:
    """The state after a result, what happened, and which checks to look at again at once."""

    state: State
    events: tuple[Event, ...] = ()
    reprobe: tuple[CheckId, ...] = ()


def take(
    plan: Plan, state: State, check: CheckId, verdict: Verdict, now: datetime, looked_at: datetime | None = None
) -> Taken:
    """Return what the verdict of `check`, known at `now` of a look that began at `looked_at`, changes.

    A look that began before something failed says nothing of what came after, however long its answer took.

    1. The health of the check moves (`advance`).
    2. If it stands in an incident, that incident follows: severity, recovery, relapse, end. A root that is no longer
       down, though still bad, explains nothing behind it any more.
    3. Every check that is believed bad, or wavers, and is told nowhere is placed: excused by announced work, covered by
       a cause upstream, waiting until that cause has been looked at again, or the root of an incident of its own.
    4. An incident that now interrupts the client's service says so, once.
    """
    watched = plan.checks[check]
    before = state.healths.get(check)
    levels = () if before is None else before.levels
    if verdict.metrics:
        verdict, settled_at = settled(verdict, dict(levels))
        levels = tuple(settled_at.items())
    health, changes = advance(
        check,
        before,
        verdict.severity,
        watched.policy,
        now,
        down=verdict.down,
        flapping=watched.flapping,
        summary=verdict.summary,
        levels=levels,
        looked_at=looked_at,
    )
    known = None if check in state.stale else before  # what was silent counted as able to work, as far as anybody knew
    state = _seen(plan, state, check, health, verdict, now if looked_at is None else looked_at)
    if known is not None and known.well and health.well and not _matters(plan, state, check):
        return Taken(state)
    work = Work(plan, state, now)
    if known is not None and _goes_on(plan, state, known, health, check):
        work.reconsider(check)
        if not work.events:
            return Taken(state)
    for change in changes:
        work.follow(change, verdict.summary)
    work.waver(check)
    if changes or before is None or before.explains is not health.explains:
        work.uncover(check)
    work.verify(check, verdict.severity)
    work.reconsider(check)
    work.worsen()
    work.place()
    work.detect()
    return Taken(work.state, tuple(work.events), tuple(dict.fromkeys(work.reprobe)))


def _seen(plan: Plan, state: State, check: CheckId, health: Health, verdict: Verdict, looked_at: datetime) -> State:
    figures, stale, underway = state.figures, state.stale, state.underway
    if check in plan.figures:
        asked = plan.figures[check]
        figures = {**figures, **{(check, one.name): one.value for one in verdict.metrics if one.name in asked}}
    return State(  # each result comes through here, and `replace` would take three times as long
        healths={**state.healths, check: health},
        incidents=state.incidents,
        next_number=state.next_number,
        windows=state.windows,
        figures=figures,
        stale=stale - {check} if check in stale else stale,
        waiting=state.waiting,
        overrides=state.overrides,
        resting=state.resting,
        underway=tuple(move.looked(check, looked_at) for move in underway) if underway else underway,
    )


def _matters(plan: Plan, state: State, check: CheckId) -> bool:
    """Whether one more good result of a check that was well may change what is told."""
    return (
        state.waiting
        or check in plan.figures
        or any(i.open and (check == i.check or check in i.covered) for i in state.incidents.values())
    )


def _goes_on(plan: Plan, state: State, before: Health, health: Health, check: CheckId) -> bool:
    """Whether a failure that is told already merely goes on: in a storm, most results."""
    if state.waiting or check in plan.figures or health.latest is Severity.OK:
        return False
    return (
        before.latest is health.latest
        and before.confirmed is health.confirmed
        and before.flapping is health.flapping
        and before.down is health.down
        and telling(state, check) is not None
    )


def told(plan: Plan, state: State, event: Event) -> Taken:
    """Return `state` after what a person did; like a result, it may show that the client's service is interrupted."""
    work = Work(plan, replace(record(state, event), waiting=True), event.at)
    work.events.append(event)
    work.detect()
    return Taken(work.state, tuple(work.events))


def noted(taken: Taken, events: tuple[Event, ...]) -> Taken:
    """Return `taken` with what is noted in the logs of its incidents and moves nothing."""
    state = taken.state
    for event in events:
        state = record(state, event)
    return replace(taken, state=state, events=(*taken.events, *events))


def joined(plan: Plan, state: State, events: tuple[Event, ...], now: datetime) -> Taken:
    """Return `state` after what a person put together or took apart; what that leaves told nowhere is placed."""
    for event in events:
        state = record(state, event)
    work = Work(plan, replace(state, waiting=True), now)
    work.events += events
    work.place()
    work.detect()
    return Taken(work.state, tuple(work.events), tuple(dict.fromkeys(work.reprobe)))


def repaired(plan: Plan, state: State, events: tuple[Event, ...], now: datetime) -> Taken:
    """Return `state` after what a run of a runbook says; with its end, an incident whose root is OK again ends."""
    for event in events:
        state = record(state, event)
    work = Work(plan, replace(state, waiting=True), now)
    work.events += events
    for event in events:
        if event.kind is EventKind.REPAIR_ENDED and event.incident in work.state.incidents:
            work.end_if_verified(event.incident)
    return Taken(work.state, tuple(work.events))


def moved(plan: Plan, state: State, told: tuple[Event, ...], expected: Expected, now: datetime) -> Taken:
    """Return `state` after what a move of a group says of its incident; `expected`: which failures are none by then.

    What fails of a move that is over is told once it was looked at since (`reprobe`), if it still fails.
    """
    taken = repaired(plan, state, told, now)
    if expected == (state.underway, state.resting):
        return taken
    over = {check for move in expected.underway if move.over is not None for check in move.scope}
    bad = tuple(name for name in sorted(over) if name in state.healths and not state.healths[name].well)
    return replace(taken, state=expecting(taken.state, expected), reprobe=bad)


def expecting(state: State, expected: Expected) -> State:
    """Return `state` with which failures are to be expected, because groups move, or run elsewhere."""
    return replace(state, underway=expected.underway, resting=expected.resting, waiting=True)


def pass_time(plan: Plan, state: State, now: datetime) -> Taken:
    """Return what time alone changes: acknowledgements that lapse, work that is over, checks that went silent.

    What announced work excused, or what had time to come back after its cause, is told if it still fails.
    """
    work = Work(plan, replace(state, stale=_silent(plan, state, now)), now)
    for incident in tuple(state.incidents.values()):
        until = incident.acknowledged_until
        if incident.open and until is not None and until <= now:
            text = say("The acknowledgement has lapsed: nobody is on it")
            work.tell(incident.id, EventKind.UNACKNOWLEDGED, text)
    work.end_work()
    if state.waiting or work.reprobe:
        work.worsen()
        work.place()
        work.detect()
    return Taken(work.state, tuple(work.events))  # what waits is looked at again with its next result, not each time


def _silent(plan: Plan, state: State, now: datetime) -> frozenset[CheckId]:
    healths, limits = state.healths, plan.silence_limits
    return frozenset(name for name in limits.keys() & healths.keys() if now - healths[name].seen_at > limits[name])


def reload(plan: Plan, state: State, now: datetime) -> Taken:
    """Return `state` under a new plan: what the inventory no longer watches is closed, and says so.

    Except when it interrupts the client's service: to be told that it is restored, somebody must have seen it. Such an
    incident goes on until a person ends it, or the check is back and OK.
    """
    work = Work(plan, state, now)
    for incident in tuple(state.incidents.values()):
        if not incident.open:
            continue
        for check in incident.covered:
            if check not in plan.checks:
                work.tell(incident.id, EventKind.UNCOVERED, say("The inventory no longer has this check"), check)
                work.end_if_verified(incident.id)
        if incident.check is not None and incident.check not in plan.checks:
            work.orphan(incident, incident.check)
    kept = {check: health for check, health in work.state.healths.items() if check in plan.checks}
    windows = _windows(plan, work.state.windows, now)
    work.state = replace(work.state, healths=kept, windows=windows, stale=work.state.stale & kept.keys(), waiting=True)
    return Taken(work.state, tuple(work.events))


def _windows(plan: Plan, before: tuple[Window, ...], now: datetime) -> tuple[Window, ...]:
    """The work that the inventory announces, and what people did: ended some of it, announced more."""
    ended = {window.id: window.ended for window in before if not window.by}
    written = [replace(window, ended=ended.get(window.id)) for window in plan.maintenance]
    names = {window.id for window in written}
    by_people = [
        replace(window, scope=scope_of(plan.topology, window.nodes, window.checks))
        for window in before
        if window.by and window.id not in names and window.next_span(now) is not None
    ]
    return (*written, *by_people)


def announced(state: State, window: Window, now: datetime) -> State:
    """Return `state` with the work `window`. Raises Refused for the name of other work that goes on or is to come."""
    taken = next((other for other in state.windows if other.id == window.id), None)
    if taken is not None and (not taken.by or taken.next_span(now) is not None):
        raise Refused(say("there is already work of the name {name}; choose another", name=window.id))
    return _with(state, window)


def work_ended(state: State, name: str, now: datetime) -> tuple[State, Window]:
    """Return `state` with the announced work `name` ended, and that work. Raises Refused when it does not go on."""
    window = next((one for one in state.windows if one.id == name), None)
    if window is None:
        names = ", ".join(sorted(one.id for one in state.windows)) or "-"
        raise Refused(say("there is no announced work {name}; there is: {names}", name=name, names=names))
    ended = window.cut_short(now)
    if ended is None:
        raise Refused(_not_now(window))
    return _with(state, ended), ended


def _not_now(window: Window) -> Text:
    """Why `window` cannot be ended: over is over, and what recurs stands in the inventory."""
    if isinstance(window.when, Span):
        return say("the work {name} does not go on now", name=window.id)
    return say("the work {name} does not go on now; what recurs is called off in the inventory", name=window.id)


def _with(state: State, window: Window) -> State:
    others = tuple(other for other in state.windows if other.id != window.id)
    return replace(state, windows=(*others, window), waiting=True)


def settling(state: State, check: CheckId) -> bool:
    """Return whether `check` is to be looked at again soon: its last result is not believed yet, or not placed yet."""
    health = state.healths.get(check)
    if health is None:
        return False
    if health.phase is Phase.SOFT:
        return True
    return health.confirmed is not Severity.OK and telling(state, check) is None and not stands_by(state, check)


def forget(state: State, now: datetime, after: timedelta) -> State:
    """Return `state` without the incidents that ended longer than `after` ago; the log keeps them."""
    kept = {
        name: incident
        for name, incident in state.incidents.items()
        if incident.resolved_at is None or incident.open or now - incident.resolved_at <= after
    }
    return state if len(kept) == len(state.incidents) else replace(state, incidents=kept)
