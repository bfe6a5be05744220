"""From verdicts to incidents: what one result changes, for the whole site, as a pure function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.health import ConfirmPolicy, Health, HealthChanged, advance, released
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import BLIND, OTHER, Incident, Interruption, fold
from monitor.core.text import Text, say
from monitor.core.topology import Place, Topology, standing
from monitor.core.verdict import Severity, Verdict

REOPEN_WITHIN = timedelta(minutes=15)
SETTLE = timedelta(minutes=5)
"""What a switch or a server takes to boot once its power is back, so what fails meanwhile is still the cause's work."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What must be known of a check to tell its failures: its policy and the incident kind that it opens."""

    policy: ConfirmPolicy = field(default_factory=ConfirmPolicy)
    kind: str = OTHER


@dataclass(frozen=True, slots=True)
class Plan:
    """The part of the inventory that decides: checks, topology, and which kinds interrupt the client."""

    checks: Mapping[CheckId, Watched]
    topology: Topology = field(default_factory=Topology)
    interruption: Mapping[str, Interruption] = field(default_factory=dict)
    reopen_within: timedelta = REOPEN_WITHIN
    settle: timedelta = SETTLE


@dataclass(frozen=True, slots=True)
class State:
    """What is believed: the health of each check, the incidents (open, and lately resolved), the next number."""

    healths: Mapping[CheckId, Health] = field(default_factory=dict)
    incidents: Mapping[IncidentId, Incident] = field(default_factory=dict)
    next_number: int = 1


@dataclass(frozen=True, slots=True)
class Taken:
    """The state after a result, what happened, and which checks to look at again at once."""

    state: State
    events: tuple[Event, ...] = ()
    reprobe: tuple[CheckId, ...] = ()


def take(plan: Plan, state: State, check: CheckId, verdict: Verdict, now: datetime) -> Taken:
    """Return what the verdict of `check`, observed at `now`, changes.

    1. The health of the check moves (`advance`).
    2. If it stands in an incident, that incident follows: severity, recovery, relapse, end. A root that is no longer
       down, though still bad, explains nothing behind it any more.
    3. Every check that is believed bad and is told nowhere is placed: covered by a cause upstream, waiting until
       that cause has been looked at again, or the root of an incident of its own.
    4. An incident that now interrupts the client's service says so, once.
    """
    watched = plan.checks[check]
    health, changes = advance(check, state.healths.get(check), verdict.severity, watched.policy, now, down=verdict.down)
    health = replace(health, summary=verdict.summary)
    work = _Work(plan, replace(state, healths={**state.healths, check: health}), now)
    for change in changes:
        work.follow(change, verdict.summary)
    work.uncover(check)
    work.verify(check, verdict.severity)
    work.place()
    work.detect()
    return Taken(work.state, tuple(work.events), tuple(dict.fromkeys(work.reprobe)))


def record(state: State, event: Event) -> State:
    """Return `state` with `event` folded in; for what people do, and to replay a log."""
    after = fold(state.incidents.get(event.incident), event)
    if after is None:
        return state
    number = state.next_number
    if event.kind is EventKind.OPENED and event.incident not in state.incidents:
        number += 1
    return replace(state, incidents={**state.incidents, event.incident: after}, next_number=number)


def told(plan: Plan, state: State, event: Event) -> Taken:
    """Return `state` after what a person did; like a result, it may show that the client's service is interrupted."""
    work = _Work(plan, record(state, event), event.at)
    work.events.append(event)
    work.detect()
    return Taken(work.state, tuple(work.events))


def repaired(plan: Plan, state: State, events: tuple[Event, ...], now: datetime) -> Taken:
    """Return `state` after what a run of a runbook says; with its end, an incident whose root is OK again ends."""
    for event in events:
        state = record(state, event)
    work = _Work(plan, state, now)
    work.events += events
    for event in events:
        if event.kind is EventKind.REPAIR_ENDED and event.incident in work.state.incidents:
            work.end_if_verified(event.incident)
    return Taken(work.state, tuple(work.events))


def incident_id(number: int, at: datetime) -> IncidentId:
    """Return the name of the incident with that number: year and number, short enough to dictate (`26-0042`)."""
    return IncidentId(f"{at.year % 100:02}-{number:04}")


def reload(plan: Plan, state: State, now: datetime) -> Taken:
    """Return `state` under a new plan: what the inventory no longer watches is closed, and says so.

    Except when it interrupts the client's service: to be told that it is restored, somebody must have seen it. Such an
    incident goes on until a person ends it, or the check is back and OK.
    """
    work = _Work(plan, state, now)
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
    work.state = replace(work.state, healths=kept)
    return Taken(work.state, tuple(work.events))


def forget(state: State, now: datetime, after: timedelta) -> State:
    """Return `state` without the incidents that ended longer than `after` ago; the log keeps them."""
    kept = {
        name: incident
        for name, incident in state.incidents.items()
        if incident.resolved_at is None or incident.open or now - incident.resolved_at <= after
    }
    return state if len(kept) == len(state.incidents) else replace(state, incidents=kept)


class _Work:
    """One `take` in progress: the state as it moves and the events that moved it."""

    def __init__(self, plan: Plan, state: State, now: datetime) -> None:
        self.plan, self.state, self.now = plan, state, now
        self.events: list[Event] = []
        self.reprobe: list[CheckId] = []

    def tell(
        self,
        incident: IncidentId,
        kind: EventKind,
        text: Text,
        check: CheckId | None = None,
        severity: Severity | None = None,
        kind_name: str = "",
        began_at: datetime | None = None,
    ) -> None:
        event = Event(incident, self.now, kind, RELEVE, text, check, severity, kind_name, began_at)
        self.events.append(event)
        self.state = record(self.state, event)

    def rooted(self, check: CheckId) -> Incident | None:
        return next((i for i in self.state.incidents.values() if i.open and i.check == check), None)

    def follow(self, change: HealthChanged, summary: Text) -> None:
        """Let the incident that `change.check` is the root of follow its belief."""
        incident = self.rooted(change.check)
        if incident is None:
            return
        if change.after is Severity.OK:
            if incident.recovered_at is None:
                self._recover(incident, summary)
        elif change.after is Severity.UNKNOWN:
            text = say("Out of sight, the incident stays open: {why}", why=summary)
            self.tell(incident.id, EventKind.NOTE, text, change.check)
        elif incident.recovered_at is not None:
            self.tell(incident.id, EventKind.RELAPSED, summary, change.check, change.after)
        elif incident.kind == BLIND:
            text = say("The check is seen again; what it shows is told as an incident of its own")
            self.tell(incident.id, EventKind.RESOLVED, text, change.check)
        else:
            self.tell(incident.id, EventKind.SEVERITY, summary, change.check, change.after)

    def _recover(self, incident: Incident, summary: Text) -> None:
        if not incident.covered and not incident.being_repaired:
            self.tell(incident.id, EventKind.RESOLVED, summary, incident.check, Severity.OK)
            return
        self.tell(incident.id, EventKind.RECOVERED, summary, incident.check, Severity.OK)
        self._release(incident.covered)

    def orphan(self, incident: Incident, check: CheckId) -> None:
        """Nobody looks any more at what caused `incident`."""
        gone = say("The inventory no longer has this check")
        unseen = say(
            "The inventory no longer has this check, so nobody sees whether the interruption goes on. "
            "When it is over: `releve incident resolve {id}`",
            id=incident.id,
        )
        if incident.disruption_seen_at is None:
            self.tell(incident.id, EventKind.RESOLVED, gone, check)
        elif incident.recovered_at is None and all(event.text != unseen for event in incident.timeline):
            self.tell(incident.id, EventKind.NOTE, unseen, check)
            self._free(
                self.state.incidents[incident.id],
                say("The inventory no longer has the root cause: looked at by itself from here on"),
            )

    def uncover(self, check: CheckId) -> None:
        """Free what `check` covers once it is believed bad but not down: it explains no failure behind it any more."""
        health, incident = self.state.healths[check], self.rooted(check)
        if incident is None or incident.recovered_at is not None or health.confirmed_down:
            return
        if health.confirmed in (Severity.WARNING, Severity.CRITICAL):
            self._free(incident, say("The root cause is not down any more: looked at by itself from here on"))

    def _free(self, incident: Incident, why: Text) -> None:
        for covered in incident.covered:
            self.tell(incident.id, EventKind.UNCOVERED, why, covered)
        self._release(incident.covered)

    def _release(self, checks: tuple[CheckId, ...]) -> None:
        healths = dict(self.state.healths)
        for check in checks:
            if check in healths:
                healths[check] = released(healths[check], self.now)
                self.reprobe.append(check)
        self.state = replace(self.state, healths=healths)

    def verify(self, check: CheckId, seen: Severity) -> None:
        """A covered check that is OK again leaves its incident; the last one to leave a recovered root ends it.

        A root that the inventory has again, and that is OK, ends its incident, though no belief in it changed.
        """
        health = self.state.healths[check]
        if health.confirmed is not Severity.OK or seen is not Severity.OK:
            return
        own = self.rooted(check)
        if own is not None and own.recovered_at is None:
            self._recover(own, health.summary)
        elif own is not None:
            self.end_if_verified(own.id)
        for incident in tuple(self.state.incidents.values()):
            if incident.open and check in incident.covered:
                self.tell(incident.id, EventKind.UNCOVERED, say("OK again"), check, Severity.OK)
                self.end_if_verified(incident.id)

    def end_if_verified(self, name: IncidentId) -> None:
        """Resolve the incident once its root has recovered, and stays so, and nothing is left to verify behind it.

        As long as a runbook is at it, its own proof is awaited: a service that starts and dies is OK for a moment.
        """
        incident = self.state.incidents[name]
        if not incident.open or incident.recovered_at is None or incident.covered or incident.being_repaired:
            return
        root = None if incident.check is None else self.state.healths.get(incident.check)
        if root is not None and root.latest is not Severity.OK:
            return
        text = say("The root cause is gone and everything behind it was verified")
        self.tell(name, EventKind.RESOLVED, text, incident.check, Severity.OK)

    def place(self) -> None:
        """Place every check that is believed bad and told nowhere.

        One that is placed may be what another waited for, so it goes on until nothing moves.
        """
        pending = self._untold()
        while True:
            left = [name for name in pending if not self._place_one(name)]
            if len(left) == len(pending):
                return
            pending = left

    def _untold(self) -> list[CheckId]:
        """The checks whose failure is believed and told nowhere; one that is OK again is about to need no telling.

        What a cause covered has time to come back after it: until then it stays that incident's, which goes on.
        """
        told = {name for incident in self.state.incidents.values() for name in incident.explained}
        for incident in self.state.incidents.values():
            if (
                incident.open
                and incident.recovered_at is not None
                and self.now - incident.recovered_at < self.plan.settle
            ):
                told.update(incident.covered)
        healths = self.state.healths
        return [
            name
            for name in self.plan.checks
            if name in healths
            and Severity.OK not in (healths[name].confirmed, healths[name].latest)
            and name not in told
        ]

    def _place_one(self, check: CheckId) -> bool:
        """Return whether the failure of `check` is told now; it waits for a cause that is itself not told yet."""
        health = self.state.healths[check]
        found = standing(self.plan.topology, self.state.healths, check, health.began_at)
        if found.place is Place.WAIT:
            self.reprobe.extend(gate for gate in found.by if not self._being_confirmed(gate))
            return False
        if found.place is Place.COVERED:
            cause = self._telling(found.by[0])
            if cause is None:
                return False
            self._leave_others(check)
            self.tell(cause.id, EventKind.COVERED, health.summary, check, health.confirmed)
            return True
        self._leave_others(check)
        self._open(check, health)
        return True

    def _being_confirmed(self, gate: CheckId) -> bool:
        """A gate that already fails is looked at again at its own pace: hurried, a confirmation means nothing."""
        health = self.state.healths.get(gate)
        return health is not None and health.fails > 0

    def _telling(self, check: CheckId) -> Incident | None:
        return next((i for i in self.state.incidents.values() if i.explains(check)), None)

    def _leave_others(self, check: CheckId) -> None:
        for incident in tuple(self.state.incidents.values()):
            if incident.open and check in incident.covered:
                text = say("Still failing although the root cause is gone: told by itself from here on")
                self.tell(incident.id, EventKind.UNCOVERED, text, check)
                self.end_if_verified(incident.id)

    def _open(self, check: CheckId, health: Health) -> None:
        kind = BLIND if health.confirmed is Severity.UNKNOWN else self.plan.checks[check].kind
        relapsed = self._lately(check, kind)
        if relapsed is not None:
            self.tell(relapsed, EventKind.REOPENED, health.summary, check, health.confirmed, kind, health.began_at)
            return
        name = incident_id(self.state.next_number, self.now)
        self.tell(name, EventKind.OPENED, health.summary, check, health.confirmed, kind, health.began_at)

    def _lately(self, check: CheckId, kind: str) -> IncidentId | None:
        for incident in sorted(self.state.incidents.values(), key=lambda i: i.opened_at, reverse=True):
            ended = incident.resolved_at
            if incident.check == check and incident.kind == kind and ended is not None and not incident.open:
                return incident.id if self.now - ended <= self.plan.reopen_within else None
        return None

    def detect(self) -> None:
        """Say of each open incident, once, that it interrupts the client's service."""
        for incident in tuple(self.state.incidents.values()):
            if incident.open and incident.disruption_seen_at is None:
                since = self._disrupted_since(incident)
                if since is not None:
                    text = say("The client's service is interrupted")
                    self.tell(incident.id, EventKind.DISRUPTED, text, incident.check, None, "", since)

    def _disrupted_since(self, incident: Incident) -> datetime | None:
        """When the interruption began: with the root's own failure, or with the first covered one that interrupts."""
        mode = self.plan.interruption.get(incident.kind, Interruption.NEVER)
        if mode is Interruption.ALWAYS and incident.severity is Severity.CRITICAL:
            return incident.changed_at or incident.began_at
        if mode is not Interruption.DETECTED:
            return None
        began = [
            self.state.healths[check].began_at
            for check in incident.covered
            if check in self.state.healths
            and self.state.healths[check].confirmed is Severity.CRITICAL
            and check in self.plan.checks
            and self.plan.interruption.get(self.plan.checks[check].kind) is Interruption.ALWAYS
        ]
        return min(began, default=None)
