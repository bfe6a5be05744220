"""Where each failure is told: covered by its cause, as announced work, or the root of an incident of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from monitor.core.events import EventKind
from monitor.core.following import Following
from monitor.core.health import Health
from monitor.core.ids import CheckId, IncidentId
from monitor.core.impact import Impact, critical_since
from monitor.core.incident import BLIND, Incident, Interruption
from monitor.core.maintenance import Window, excused, excused_until
from monitor.core.plan import incident_id, keeps_silent, stands_by, telling
from monitor.core.text import say
from monitor.core.topology import Place, came_back
from monitor.core.verdict import Severity


class Work(Following):
    """One result on its way through the site: what becomes of the incidents, and where each failure is told."""

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
            if check in incident.joined.by_hand or self._out_of_sight(incident):
                continue
            long_ago = self.now - self.plan.settle
            found = self._standing(check, health.began_at, alive_since=long_ago)
            if found.place is Place.FREE:
                text = say("What lies before it works again, and it still fails: told by itself from here on")
                self.tell(incident.id, EventKind.UNCOVERED, text, check)

    def _out_of_sight(self, incident: Incident) -> bool:
        """Whether nobody can see any more what the root of `incident` does: then it explains what it did before."""
        health = None if incident.check is None else self.state.healths.get(incident.check)
        return health is not None and health.confirmed is Severity.UNKNOWN

    def _hand_over(self, incident: Incident, check: CheckId, health: Health) -> None:
        if health.confirmed is Severity.OK:
            return
        found = self._standing(check, health.failing_since)
        cause = self._cause(found.by) if found.place is Place.COVERED else None
        if cause is None or cause.id == incident.id or check in cause.joined.apart:
            return
        if not self._is_held(cause):
            self._cover(cause, check, health)

    def place(self) -> None:
        """Place every check that is believed bad and told nowhere.

        One that is placed may be what another waited for, so it goes on until nothing moves.
        """
        if self.state.resting:
            self._let_rest()
        pending = self._untold()
        left = [name for name in pending if not self._place_one(name)]
        while len(left) < len(pending):
            pending = left
            left = [name for name in pending if not self._place_one(name)]
        told = self._told()
        waiting = any(
            name not in told and not health.well and not stands_by(self.state, name)
            for name, health in self.state.healths.items()
        ) or any(map(self._is_held, self.state.incidents.values()))
        if waiting is not self.state.waiting:
            self.state = replace(self.state, waiting=waiting)

    def _let_rest(self) -> None:
        """Let no incident whose root is well again wait for what stands by, which is not to come back."""
        for incident in tuple(self.state.incidents.values()):
            if incident.open and incident.recovered_at is not None:
                resting = tuple(name for name in incident.covered if stands_by(self.state, name))
                for name in resting:
                    text = say("It stands by: its group runs at the other site")
                    self.tell(incident.id, EventKind.UNCOVERED, text, name)
                if resting:
                    self.end_if_verified(incident.id)

    def _told(self) -> set[CheckId]:
        return {name for incident in self.state.incidents.values() for name in incident.explained}

    def _untold(self) -> list[CheckId]:
        """The checks whose failure is believed, or that waver, and that are told nowhere.

        One that is OK again is about to need no telling. What a cause covered has time to come back after it, and what
        belongs to announced work as long as that goes on: until then it stays that incident's, which goes on.
        """
        told = self._told()
        for incident in self.state.incidents.values():
            if incident.open and incident.recovered_at is not None:
                told.update(name for name in incident.covered if self._may_come_back(incident, name))
        return [
            name
            for name, health in self.state.healths.items()
            if health.latest is not Severity.OK
            and (health.flapping or health.confirmed is not Severity.OK)
            and name not in told
            and name in self.plan.checks
        ]

    def _may_come_back(self, incident: Incident, check: CheckId) -> bool:
        """Whether `check` had no time yet to come back after what covered it, as far as it was looked at since."""
        recovered, health = incident.recovered_at or self.now, self.state.healths.get(check)
        seen_at = self.now if health is None else health.seen_at
        return seen_at - recovered < self.plan.settle or self._work_goes_on(incident, self.now)

    def _place_one(self, check: CheckId) -> bool:
        """Return whether the failure of `check` is told now.

        It is not while announced work excuses it, or the move of a group whose work it is, or while it stands by, or
        waits for a cause that is itself not told yet. If what lies before it failed too, and came back before it was
        believed, it must be seen to fail anew.
        """
        health = self.state.healths[check]
        if self._is_expected(check):
            return False
        window = excused(self.state.windows, check, self.now)
        if window is not None:
            return bool(window.kind) and self._announced(check, health, window)
        since = health.as_bad_since
        found = self._look_before(check, since)
        if found.place is Place.WAIT and not all(
            keeps_silent(self.plan, self.state, gate, since, self.now) for gate in found.by
        ):
            return False
        if found.place is Place.COVERED and not self._works_without(health, found.by):
            cause = self._cause(found.by)
            if cause is None or self._is_held(cause):
                return False
            if check not in cause.joined.apart:
                self._cover(cause, check, health)
                return True
        elif self._may_be_back(check, health):
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
        lately = max(health.failing_since, self.now - self.plan.settle)
        long_ago = self.now - 2 * self.plan.settle
        return health.as_bad_since > long_ago and came_back(self.plan.topology, self.state.healths, check, lately)

    def _cause(self, causes: tuple[CheckId, ...]) -> Incident | None:
        """The incident of the first of `causes`, but for those that silent work excuses; None while it is not told.

        One that wavers and happens to be well is told now: nobody knows when it fails next, and whether it does.
        """
        loud = next(
            (name for name in causes if telling(self.state, name) is not None or not self._is_silent(name)), None
        )
        if loud is None:
            return None
        if telling(self.state, loud) is None and self.state.healths[loud].latest is Severity.OK:
            self._place_if_wavering(loud)
        return telling(self.state, loud)

    def _works_without(self, health: Health, causes: tuple[CheckId, ...]) -> bool:
        """Whether what failed by `health` was seen OK while each of `causes` stood by: then they explain nothing of it,
        and would for as long as the group runs at the other site."""
        state, ok_at = self.state, health.ok_at
        return ok_at is not None and all(
            stands_by(state, name) and ok_at > max(state.resting[name], state.healths[name].failing_since)
            for name in causes
        )

    def _place_if_wavering(self, check: CheckId) -> None:
        if self.state.healths[check].flapping:
            self._place_one(check)

    def _is_expected(self, check: CheckId) -> bool:
        moving = any(move.excuses(check, self.now) for move in self.state.underway)
        return moving or stands_by(self.state, check)

    def _is_silent(self, check: CheckId) -> bool:
        if self._is_expected(check):
            return True
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
        began_at = excused_until(self.state.windows, check, health.failing_since, self.now)
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
