"""What becomes of the incidents that there are, by one result: each follows its root, worsens, recovers and ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.health import Health, HealthChanged, released
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import BLIND, Incident
from monitor.core.plan import Plan, State, record
from monitor.core.text import Text, say
from monitor.core.topology import Place, Standing, standing, upstream
from monitor.core.verdict import Severity


class Following:
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
            freed = tuple(name for name in incident.covered if not self._stays(name, incident, check))
            self._free(incident, freed, say("The root cause is not down any more: looked at by itself from here on"))

    def _stays(self, covered: CheckId, incident: Incident, cause: CheckId) -> bool:
        """Whether what `incident` covers is the doing of its `cause` all the same, or a person said so."""
        if covered in incident.joined.by_hand:
            return True
        health = self.state.healths.get(covered)
        found = Standing(Place.FREE) if health is None else self._standing(covered, health.failing_since)
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

    def end_work(self) -> None:
        """Say of an incident of announced work, once that is over, that it fails on, and free what is not its doing.

        What it covers has time to come back, as after any cause; after that nobody should take it for planned.
        """
        for incident in tuple(self.state.incidents.values()):
            if not (incident.open and incident.window and incident.recovered_at is None):
                continue
            if any(self._work_goes_on(incident, at) for at in (self.now, self.now - self.plan.settle)):
                continue
            if incident.overrun_at is None:
                text = say("The announced work is over, and it still fails")
                self.tell(incident.id, EventKind.OVERRUN, text, incident.check)
            root = incident.check
            freed = tuple(name for name in incident.covered if root is None or not self._stays(name, incident, root))
            self._free(incident, freed, say("The announced work is over: looked at by itself from here on"))

    def _work_goes_on(self, incident: Incident, at: datetime) -> bool:
        window = next((window for window in self.state.windows if window.id == incident.window), None)
        return window is not None and window.span_at(at) is not None

    def worsen(self) -> None:
        """Say of each incident that its root got worse, or relapsed, unless what lies before it is why."""
        for incident in tuple(self.state.incidents.values()):
            health = self._worse(incident)
            if health is None or incident.check is None:
                continue
            if self._is_held(incident):
                self._look_before(incident.check, health.as_bad_since)
                continue
            kind = EventKind.SEVERITY if incident.recovered_at is None else EventKind.RELAPSED
            self.tell(incident.id, kind, health.summary, incident.check, health.confirmed)

    def _worse(self, incident: Incident) -> Health | None:
        """The health of the root that is worse than told, or fails again; None where it is as told, or better."""
        health = None if incident.check is None else self.state.healths.get(incident.check)
        if health is None or not incident.open or health.confirmed in (Severity.OK, Severity.UNKNOWN):
            return None
        return health if incident.recovered_at is not None or health.confirmed > incident.severity else None

    def _is_held(self, incident: Incident) -> bool:
        """Whether its root is worse than told, which may be the doing of what lies before it."""
        health = self._worse(incident)
        if health is None or incident.check is None or incident.window:
            return False
        return not self._got_worse(incident.check, health)

    def _got_worse(self, check: CheckId, health: Health) -> bool:
        """Whether nothing that lies before `check` is why it got worse, and nothing there has only just come back."""
        since = health.as_bad_since
        if self._standing(check, since).place is not Place.FREE:
            return False
        before = (*upstream(self.plan.topology, check), *self.plan.topology.needs.get(check, ()))
        seen = (self.state.healths[name] for name in before if name in self.state.healths)
        return not any(since < one.turned_at and self.now - one.turned_at < self.plan.settle for one in seen)

    def _standing(self, check: CheckId, since: datetime, alive_since: datetime | None = None) -> Standing:
        calm_since = self.now - self.plan.settle
        return standing(self.plan.topology, self.state.healths, check, since, alive_since, calm_since)

    def _look_before(self, check: CheckId, since: datetime) -> Standing:
        """How `check` stands; what that waits for is looked at again at once."""
        found = self._standing(check, since)
        if found.place is Place.WAIT:
            self.reprobe.extend(gate for gate in found.by if not self._being_confirmed(gate))
        return found

    def _being_confirmed(self, gate: CheckId) -> bool:
        """A gate that already fails is looked at again at its own pace: hurried, a confirmation means nothing."""
        health = self.state.healths.get(gate)
        return health is not None and health.fails > 0
