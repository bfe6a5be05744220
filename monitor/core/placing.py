"""One result on its way through the site: what it changes in the incidents, and where each failure is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.health import Health, HealthChanged, released
from monitor.core.ids import CheckId, IncidentId
from monitor.core.impact import Impact, critical_since, failing_since
from monitor.core.incident import BLIND, Incident, Interruption
from monitor.core.maintenance import Window, excused, excused_until
from monitor.core.plan import Plan, State, incident_id, keeps_silent, record
from monitor.core.text import Text, say
from monitor.core.topology import Place, Standing, came_back, standing, upstream
from monitor.core.verdict import Severity


class Work:
    """One `take` in progress: the state as it moves and the events that moved it."""

    def __init__(self, plan: Plan, state: State, now: datetime) -> None:
        self.plan, self.state, self.now = plan, state, now
        self.events: list[Event] = []
        self.reprobe: list[CheckId] = []
        self.held: set[IncidentId] = set()
        """Those whose root is worse than told, which may be the doing of what lies before it."""

    def tell(
        self,
        incident: IncidentId,
        kind: EventKind,
        text: Text,
        check: CheckId | None = None,
        severity: Severity | None = None,
        kind_name: str = "",
        began_at: datetime | None = None,
        window: str = "",
    ) -> None:
        event = Event(incident, self.now, kind, RELEVE, text, check, severity, kind_name, began_at, window=window)
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
            if incident.recovered_at is None and not self.state.healths[change.check].flapping:
                self._recover(incident, summary)
        elif change.after is Severity.UNKNOWN:
            text = say("Out of sight, the incident stays open: {why}", why=summary)
            self.tell(incident.id, EventKind.NOTE, text, change.check)
        elif incident.recovered_at is not None:
            return  # `worsen` says whether that is a relapse, or something before it
        elif incident.kind == BLIND:
            text = say("The check is seen again; what it shows is told as an incident of its own")
            self.tell(incident.id, EventKind.RESOLVED, text, change.check)
        elif incident.flapping_at is None and change.after <= incident.severity:
            self.tell(incident.id, EventKind.SEVERITY, summary, change.check, change.after)

    def waver(self, check: CheckId) -> None:
        """Say of the incident that `check` is the root of that it begins to waver, or is steady again.

        As long as it wavers nothing else is told of it: not each recovery, which would be taken back, and none is lost.
        """
        health, incident = self.state.healths[check], self.rooted(check)
        if incident is None or health.flapping is (incident.flapping_at is not None):
            return
        if health.flapping:
            self.tell(incident.id, EventKind.FLAPPING, health.summary, check)
        else:
            self.tell(incident.id, EventKind.STEADY, health.summary, check)

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
                incident.covered,
                say("The inventory no longer has the root cause: looked at by itself from here on"),
            )

    def uncover(self, check: CheckId) -> None:
        """Free what `check` covers once it is believed bad but not down: it explains only what needs it any more."""
        health, incident = self.state.healths[check], self.rooted(check)
        if incident is None or incident.recovered_at is not None or health.explains or incident.window:
            return
        if health.confirmed in (Severity.WARNING, Severity.CRITICAL):
            freed = tuple(name for name in incident.covered if not self._is_behind(name, check))
            self._free(incident, freed, say("The root cause is not down any more: looked at by itself from here on"))

    def _is_behind(self, covered: CheckId, cause: CheckId) -> bool:
        health = self.state.healths.get(covered)
        found = Standing(Place.FREE) if health is None else self._standing(covered, failing_since(health))
        return found.place is Place.COVERED and cause in found.by

    def _free(self, incident: Incident, covered: tuple[CheckId, ...], why: Text) -> None:
        for name in covered:
            self.tell(incident.id, EventKind.UNCOVERED, why, name)
        self._release(covered)

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
        if health.confirmed is not Severity.OK or seen is not Severity.OK or health.flapping:
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
        if root is not None and (root.latest is not Severity.OK or root.flapping):
            return
        text = say("The root cause is gone and everything behind it was verified")
        self.tell(name, EventKind.RESOLVED, text, incident.check, Severity.OK)

    def reconsider(self, check: CheckId) -> None:
        """Free a covered failure that its cause does not explain any more, though it goes on.

        Something between the two has shown life for as long as what lies behind a cause may take to come back. What
        waits to come back after its cause, and is held up by another, is that one's from then on.
        """
        health = self.state.healths[check]
        if health.latest is Severity.OK:
            return
        for incident in tuple(self.state.incidents.values()):
            if not incident.open or incident.window or check not in incident.covered:
                continue
            if incident.recovered_at is not None:
                self._hand_over(incident, check, health)
                continue
            long_ago = self.now - self.plan.settle
            found = self._standing(check, health.began_at, alive_since=long_ago)
            if found.place is Place.FREE:
                text = say("What lies before it works again, and it still fails: told by itself from here on")
                self.tell(incident.id, EventKind.UNCOVERED, text, check)

    def _hand_over(self, incident: Incident, check: CheckId, health: Health) -> None:
        if health.confirmed is Severity.OK:
            return
        found = self._standing(check, failing_since(health))
        cause = self._cause(found.by) if found.place is Place.COVERED else None
        if cause is not None and cause.id not in (incident.id, *self.held):
            self._cover(cause, check, health)

    def _standing(self, check: CheckId, since: datetime, alive_since: datetime | None = None) -> Standing:
        calm_since = self.now - self.plan.settle
        return standing(self.plan.topology, self.state.healths, check, since, alive_since, calm_since)

    def place(self) -> None:
        """Place every check that is believed bad and told nowhere.

        One that is placed may be what another waited for, so it goes on until nothing moves.
        """
        pending = self._untold()
        left = [name for name in pending if not self._place_one(name)]
        while len(left) < len(pending):
            pending = left
            left = [name for name in pending if not self._place_one(name)]
        told = self._told()
        waiting = bool(self.held) or any(
            name not in told and not health.well for name, health in self.state.healths.items()
        )
        if waiting is not self.state.waiting:
            self.state = replace(self.state, waiting=waiting)

    def _told(self) -> set[CheckId]:
        return {name for incident in self.state.incidents.values() for name in incident.explained}

    def _untold(self) -> list[CheckId]:
        """The checks whose failure is believed, or that waver, and that are told nowhere.

        One that is OK again is about to need no telling. What a cause covered has time to come back after it, and what
        belongs to announced work as long as that goes on: until then it stays that incident's, which goes on.
        """
        told = self._told()
        for incident in self.state.incidents.values():
            if incident.open and incident.recovered_at is not None and self._may_come_back(incident):
                told.update(incident.covered)
        return [
            name
            for name, health in self.state.healths.items()
            if health.latest is not Severity.OK
            and (health.flapping or health.confirmed is not Severity.OK)
            and name not in told
            and name in self.plan.checks
        ]

    def worsen(self) -> None:
        """Say of each incident that its root got worse, or relapsed, unless what lies before it is why."""
        for incident in tuple(self.state.incidents.values()):
            health = None if incident.check is None else self.state.healths.get(incident.check)
            if health is None or incident.check is None or not incident.open:
                continue
            kind = EventKind.SEVERITY if incident.recovered_at is None else EventKind.RELAPSED
            worse = health.confirmed > incident.severity or kind is EventKind.RELAPSED
            if health.confirmed in (Severity.OK, Severity.UNKNOWN) or not worse:
                continue
            if incident.window or self._got_worse(incident.check, health):
                self.tell(incident.id, kind, health.summary, incident.check, health.confirmed)
            else:
                self.held.add(incident.id)

    def _got_worse(self, check: CheckId, health: Health) -> bool:
        """Whether nothing that lies before `check` is why it got worse, and nothing there has only just come back."""
        since = health.graded_at or health.began_at
        found = self._standing(check, since)
        if found.place is Place.WAIT:
            self.reprobe.extend(gate for gate in found.by if not self._being_confirmed(gate))
        if found.place is not Place.FREE:
            return False
        before = (*upstream(self.plan.topology, check), *self.plan.topology.needs.get(check, ()))
        seen = (self.state.healths[name] for name in before if name in self.state.healths)
        return not any(since < one.turned_at and self.now - one.turned_at < self.plan.settle for one in seen)

    def _may_come_back(self, incident: Incident) -> bool:
        recovered = incident.recovered_at or self.now
        if self.now - recovered < self.plan.settle:
            return True
        window = next((window for window in self.state.windows if window.id == incident.window), None)
        return window is not None and window.span_at(self.now) is not None

    def _place_one(self, check: CheckId) -> bool:
        """Return whether the failure of `check` is told now.

        It is not while announced work excuses it, or while it waits for a cause that is itself not told yet. If what
        lies before it failed too, and came back before it was believed, it must be seen to fail anew.
        """
        health = self.state.healths[check]
        window = excused(self.state.windows, check, self.now)
        if window is not None:
            return bool(window.kind) and self._announced(check, health, window)
        found = self._standing(check, failing_since(health))
        if found.place is Place.WAIT:
            self.reprobe.extend(gate for gate in found.by if not self._being_confirmed(gate))
            if not all(keeps_silent(self.plan, self.state, gate, failing_since(health), self.now) for gate in found.by):
                return False
        if found.place is Place.COVERED:
            cause = self._cause(found.by)
            if cause is None or cause.id in self.held:
                return False
            self._cover(cause, check, health)
            return True
        if self._may_be_back(check, health):
            self._release((check,))
            return False
        self._leave_others(check)
        self._open(check, health)
        return True

    def _may_be_back(self, check: CheckId, health: Health) -> bool:
        """Whether what lies before it came back lately, and it may come back, too.

        Not what fails for longer than it takes to restart what lies before it and to come back after it: where a ping
        is lost now and then it would never be told.
        """
        lately = max(failing_since(health), self.now - self.plan.settle)
        long_ago = self.now - 2 * self.plan.settle
        fails_since = health.graded_at or health.began_at
        return fails_since > long_ago and came_back(self.plan.topology, self.state.healths, check, lately)

    def _cause(self, causes: tuple[CheckId, ...]) -> Incident | None:
        """The incident of the first of `causes`, but for those that silent work excuses; None while it is not told.

        One that wavers and happens to be well is told now: nobody knows when it fails next, and whether it does.
        """
        loud = next((name for name in causes if self._telling(name) is not None or not self._is_silent(name)), None)
        if loud is None:
            return None
        if self._telling(loud) is None and self.state.healths[loud].latest is Severity.OK:
            self._place_if_wavering(loud)
        return self._telling(loud)

    def _place_if_wavering(self, check: CheckId) -> None:
        if self.state.healths[check].flapping:
            self._place_one(check)

    def _is_silent(self, check: CheckId) -> bool:
        window = excused(self.state.windows, check, self.now)
        return window is not None and not window.kind

    def _announced(self, check: CheckId, health: Health, window: Window) -> bool:
        """Tell a failure as the announced work's: all of it is one incident, whatever stands behind what."""
        going = next((i for i in self.state.incidents.values() if i.open and i.window == window.id), None)
        if going is not None:
            self._cover(going, check, health)
        else:
            self._leave_others(check)
            self._open(check, health, window)
        return True

    def _cover(self, cause: Incident, check: CheckId, health: Health) -> None:
        if check in cause.covered:
            return
        self._leave_others(check)
        self.tell(cause.id, EventKind.COVERED, health.summary, check, health.confirmed)

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

    def _open(self, check: CheckId, health: Health, window: Window | None = None) -> None:
        kind = BLIND if health.confirmed is Severity.UNKNOWN else self.plan.checks[check].kind
        kind = kind if window is None else window.kind
        wavers_only = health.confirmed is Severity.OK
        severity = Severity.WARNING if wavers_only else health.confirmed
        text = say("It comes and goes: {summary}", summary=health.summary) if wavers_only else health.summary
        began_at = excused_until(self.state.windows, check, failing_since(health), self.now)
        name, opened = self._lately(check, kind), EventKind.REOPENED
        if name is None:
            name, opened = incident_id(self.state.next_number, self.now), EventKind.OPENED
        self.tell(name, opened, text, check, severity, kind, began_at, "" if window is None else window.id)
        if health.flapping:
            self.tell(name, EventKind.FLAPPING, health.summary, check)

    def _lately(self, check: CheckId, kind: str) -> IncidentId | None:
        for incident in sorted(self.state.incidents.values(), key=lambda i: i.opened_at, reverse=True):
            ended = incident.resolved_at
            if incident.check == check and incident.kind == kind and ended is not None and not incident.open:
                return incident.id if self.now - ended <= self.plan.reopen_within else None
        return None

    def detect(self) -> None:
        """Say of each open incident, once, that it interrupts the client's service."""
        impact = Impact(self.plan, self.state)
        for incident in tuple(self.state.incidents.values()):
            if incident.open and incident.disruption_seen_at is None:
                since = self._disrupted_since(incident, impact)
                if since is not None:
                    text = say("The client's service is interrupted")
                    self.tell(incident.id, EventKind.DISRUPTED, text, incident.check, None, "", since)

    def _disrupted_since(self, incident: Incident, impact: Impact) -> datetime | None:
        """When the interruption began: with the root's own failure, or with the first covered one that interrupts."""
        mode = self.plan.interruption.get(incident.kind, Interruption.NEVER)
        if mode is Interruption.ALWAYS and incident.severity is Severity.CRITICAL:
            return critical_since(self.state, incident)
        return impact.interrupted_since(incident) if mode is Interruption.DETECTED else None
