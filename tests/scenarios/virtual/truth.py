"""What must hold of anything that is played, judged by the world alone: each function returns what does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from alerts.notice import Audience, Step
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import BLIND, Interruption, fold
from monitor.core.maintenance import Span
from monitor.core.verdict import Severity
from tests.scenarios.virtual.sight import component_of, own_faults, upstream_of
from tests.scenarios.virtual.spans import (
    FOREVER,
    Spans,
    delayed,
    holds,
    intersection,
    longest,
    overlaps,
    union,
    without,
)
from tests.scenarios.virtual.stage import ZERO, Played
from tests.scenarios.virtual.world import GENERATOR, MAINS, UPS, Harm, World

SEEN_WITHIN = 300.0
"""Seconds in which any failure that goes on is believed and placed: an interval, three results, and its gates'."""
CONFIRMED_BY = 200.0
"""Seconds that a failure must last to be believed whoever's turn it is; one that is shorter may go unseen."""
SEEN_ONCE = 75.0
"""Seconds in which a failure is seen for the first time: an interval, and what silence takes."""
TOLD_WITHIN = 660.0
"""Seconds in which a failure that stands behind another one is told by itself: what settles has five minutes."""
SEEN_LATE = 1.0
"""Seconds by which the answer to one look may take longer than that to the one before."""
BUSIEST = 20
"""Looks at one check within a minute: several failures behind it may each ask for one."""
LATEST_LOOK = 120.0
"""Seconds since the look that a decision stands on: one interval and its own time."""


@dataclass
class Truth:
    """The judge of one play. `excused`: when work that people announced excuses a check; the inventory's is added."""

    played: Played
    excused: dict[CheckId, Spans] = field(default_factory=dict)

    def __post_init__(self) -> None:
        plan = self.played.desk.plan
        written = [
            (window.scope, seconds(window.when.start), seconds(window.when.end))
            for window in plan.maintenance
            if isinstance(window.when, Span)
        ]
        for check, spans in silences(written).items():
            self.excused[check] = union(self.excused.get(check, ()), spans)

    def violations(self) -> list[str]:
        """Return every sentence that should not be true."""
        return [
            *self._watching(),
            *self._roots(),
            *self._ends(),
            *self._untold(),
            *self._told_twice_or_never(),
            *self._client(),
            *self._interruptions_untold(),
        ]

    @cached_property
    def own(self) -> dict[CheckId, Spans]:
        """When each check has a failure of its own."""
        world, checks = self.played.world, self.played.stage.checks
        return {name: own_faults(check, world) for name, check in checks.items()}

    @cached_property
    def roots(self) -> dict[CheckId, Spans]:
        """When each check shows a failure of its own, and nothing that it depends on has one."""
        return {name: without(self._shows(name), self._hidden_by(name)) for name in self.own if self.own[name]}

    def _shows(self, name: CheckId) -> Spans:
        bad = self.played.sights[name].spans(Severity.WARNING, Severity.UNKNOWN, Severity.CRITICAL)
        return intersection(self.own[name], bad)

    def _hidden_by(self, name: CheckId) -> Spans:
        return union(*(self._reaching(cause, name) for cause in self._causes(name)))

    def _reaching(self, cause: CheckId, name: CheckId) -> Spans:
        """When what is wrong with `cause` itself may make `name` fail, as far as anybody can tell.

        On the battery of a UPS a cut does not; but of what hangs on the UPS alone, with nothing between the two that
        lives on, nobody can tell it from a battery that is empty.
        """
        world, part = self.played.world, component_of(self.played.stage.checks[name])
        if component_of(self.played.stage.checks[cause]) != UPS or MAINS in self._above(name):
            return self.own[cause]
        if not world.makeup.part(part).via and not world.makeup.part(part).part_of:
            return self.own[cause]
        return union(world.broken(UPS), delayed(world.unfed, world.makeup.battery))

    def _above(self, name: CheckId) -> frozenset[str]:
        return upstream_of(component_of(self.played.stage.checks[name]), self.played.world)

    def _causes(self, name: CheckId) -> list[CheckId]:
        """The checks whose own failure may be why `name` fails."""
        checks, above = self.played.stage.checks, self._above(name)
        here = component_of(checks[name])
        found = [other for other, check in checks.items() if component_of(check) in above and self.own[other]]
        if checks[name].probe in ("router",):
            found += [other for other, check in checks.items() if component_of(check) == here and check.gate]
        return [other for other in found if other != name]

    def _must_be_known(self, cause: CheckId, name: CheckId, at: float) -> bool:
        """Whether `cause` goes on at `at` and lasts long enough to be believed, so that it is to be waited for."""
        return any(
            start <= at - SEEN_ONCE and at < end and end - start >= CONFIRMED_BY
            for start, end in self._explains(cause, name)
        )

    def _explains(self, cause: CheckId, name: CheckId) -> Spans:
        """When `cause` has a failure of its own and shows it: what nobody can see explains nothing."""
        return intersection(self._reaching(cause, name), self.played.sights[cause].spans(Severity.CRITICAL))

    def _incidents(self) -> Iterator[tuple[Event, float]]:
        for event in self.played.desk.log:
            if event.kind in (EventKind.OPENED, EventKind.REOPENED) and event.actor == RELEVE:
                yield event, seconds(event.at)

    def _watching(self) -> Iterator[str]:
        """Whatever is suppressed, excused or acknowledged is looked at as before, and never in a storm."""
        clockwork = self.played.clockwork
        longest = max((check.every + check.timeout).total_seconds() for check in clockwork.checks.values())
        if clockwork.longest_gap > longest + SEEN_LATE:
            yield f"a check was not looked at for {clockwork.longest_gap:.1f} s"
        if clockwork.busiest > BUSIEST:
            yield f"a check was looked at {clockwork.busiest} times in a minute"

    def _roots(self) -> Iterator[str]:
        """Each incident has one root cause that was really bad then."""
        for event, at in self._incidents():
            if event.window or event.check is None:
                continue
            if holds(self.excused.get(event.check, ()), at):
                yield f"{event.incident} of {event.check} opened at {at:.1f}, within announced work"
            own = self.own[event.check]
            if overlaps(own, at - SEEN_WITHIN, at):
                continue
            bad = self.played.sights[event.check].spans(Severity.WARNING, Severity.UNKNOWN, Severity.CRITICAL)
            causes = [
                cause
                for cause in self._causes(event.check)
                if overlaps(self._reaching(cause, event.check), at - SEEN_WITHIN, at)
            ]
            sure = [cause for cause in causes if self._must_be_known(cause, event.check, at)]
            if not overlaps(bad, at - LATEST_LOOK, at) or not causes:
                yield f"{event.incident} of {event.check} opened at {at:.1f}: nothing was wrong with it"
            elif sure:
                yield f"{event.incident} of {event.check} opened at {at:.1f}: its cause was {', '.join(sure)}"

    def _ends(self) -> Iterator[str]:
        """What ended had been seen well; what should have ended did."""
        incidents = {}
        for event in self.played.desk.log:
            before = incidents.get(event.incident)
            incidents[event.incident] = fold(before, event)
            if event.kind is not EventKind.RESOLVED or event.actor != RELEVE:
                continue
            incident, at = incidents[event.incident], seconds(event.at)
            if before is not None and before.covered:
                yield f"{event.incident} ended at {at:.1f} before {', '.join(before.covered)} behind it was verified"
            if incident is None or incident.check is None or incident.kind == BLIND:
                continue
            well = self.played.sights[incident.check].spans(Severity.OK)
            if not overlaps(well, at - LATEST_LOOK, at):
                yield f"{event.incident} of {incident.check} ended at {at:.1f}, when nothing had been seen well"
        for incident in self.played.desk.state.incidents.values():
            if incident.open:
                yield f"{incident.id} of {incident.check} goes on although everything has long been well"

    def _untold(self) -> Iterator[str]:
        """A failure that lasts is told, with its own check as the root cause."""
        told = self._told_spans()
        for name, spans in self.roots.items():
            for start, end in without(spans, self.excused.get(name, ())):
                if end - start >= TOLD_WITHIN and not overlaps(told.get(name, ()), start, end):
                    yield f"{name} failed from {start:.1f} to {end:.1f} and that was not told"

    def _told_spans(self) -> dict[CheckId, Spans]:
        """When each check was the root cause of an incident, or (announced work) part of one."""
        found: dict[CheckId, Spans] = {}
        began: dict[tuple[IncidentId, CheckId], float] = {}
        incidents: dict[IncidentId, CheckId] = {}

        def close(key: tuple[IncidentId, CheckId], at: float) -> None:
            if key in began:
                found[key[1]] = union(found.get(key[1], ()), [(began.pop(key), at + 1e-6)])

        for event in self.played.desk.log:
            at = seconds(event.at)
            if event.kind in (EventKind.OPENED, EventKind.REOPENED) and event.check is not None:
                incidents[event.incident] = event.check
                began[event.incident, event.check] = at
            elif event.kind is EventKind.RESOLVED:
                close((event.incident, incidents.get(event.incident, CheckId(""))), at)
        for key in tuple(began):
            close(key, float("inf"))
        return found

    def _told_twice_or_never(self) -> Iterator[str]:
        """Who was told that something began is told once that it ended, episode by episode, and nobody else is."""
        by_incident: dict[IncidentId, list[Event]] = {}
        for event in self.played.desk.log:
            by_incident.setdefault(event.incident, []).append(event)
        keys = Counter(told.key for told in self.played.desk.told)
        yield from (f"{key} was told {times} times" for key, times in keys.items() if times > 1)
        for name, events in by_incident.items():
            episodes = sum(event.kind in (EventKind.OPENED, EventKind.REOPENED) for event in events)
            ends = sum(event.kind is EventKind.RESOLVED for event in events)
            if ends > episodes:
                yield f"{name} ended {ends} times in {episodes} episodes"
            for episode in range(1, episodes + 1):
                yield from self._episode(name, episode)

    def _episode(self, name: IncidentId, episode: int) -> Iterator[str]:
        told = [one for one in self.played.desk.told if one.key.incident == name]
        for audience in Audience:
            first = {
                one.key.recipient
                for one in told
                if one.key.audience is audience and one.key.step is Step.FIRST_NOTICE and one.key.n == episode
            }
            ended = {
                one.key.recipient
                for one in told
                if one.key.audience is audience and one.key.step is Step.RESOLVED and one.key.n == episode
            }
            if first - ended:
                yield f"{name}: {sorted(first)} ({audience.value}) heard of episode {episode}, but not of its end"
            if ended and not first:
                yield f"{name}: {sorted(ended)} ({audience.value}) heard of the end of episode {episode} alone"
            updated = {
                one.key.recipient for one in told if one.key.audience is audience and one.key.step is Step.UPDATE
            }
            if first and audience is Audience.CLIENT and (updated & self._updated_in(name, episode)) - ended:
                yield f"{name}: {sorted(updated)} were kept informed in episode {episode}, but not of its end"

    def _updated_in(self, name: IncidentId, episode: int) -> set[str]:
        events = [event for event in self.played.desk.log if event.incident == name]
        starts = [event.at for event in events if event.kind in (EventKind.OPENED, EventKind.REOPENED)]
        start = starts[episode - 1]
        end = starts[episode] if episode < len(starts) else None
        return {
            one.key.recipient
            for one in self.played.desk.told
            if one.key.incident == name
            and one.key.step is Step.UPDATE
            and start <= one.at
            and (end is None or one.at < end)
        }

    def _client(self) -> Iterator[str]:
        """The client hears of nothing that did not interrupt its service."""
        for told in self.played.desk.told:
            if told.key.audience is Audience.CLIENT and told.key.step is Step.FIRST_NOTICE:
                at = seconds(told.at)
                incident = self.played.desk.state.incidents[told.key.incident]
                mode = self.played.stage.inventory.kinds[incident.kind].interruption
                if mode is Interruption.ALWAYS:
                    continue
                if not overlaps(self._interrupted, at - SEEN_WITHIN, at):
                    yield f"{told.key}: nothing interrupted the service before {at:.1f}"
                elif incident.check is not None and not self._blamed(incident.check, at):
                    yield f"{told.key}: {incident.check} had no part in what interrupted the service before {at:.1f}"

    @cached_property
    def _interrupted(self) -> Spans:
        return self.played.stage.work.interrupted(self.played.world)

    def _blamed(self, check: CheckId, at: float) -> bool:
        """Whether what is wrong with `check` interrupted the service by `at`.

        By itself, or with one more, or because it is needed to; or it adds to it, while nothing else that has long been
        there does.
        Of what has no fault of its own that stops it, it is that of a cause too short to be seen.
        """
        component = component_of(self.played.stage.checks[check])
        mine = {component} if check != UPS else {MAINS, UPS, GENERATOR}
        if not self._stopped_by_itself(check, at) and not self._cause_seen(check, at):
            mine |= upstream_of(component, self.played.world)
        if overlaps(self._decided_by(frozenset(mine)), at - SEEN_WITHIN, at):
            return True
        others = {fault.component for fault in self.played.world.faults} - mine
        if any(overlaps(self._decided_with(mine, one), at - SEEN_WITHIN, at) for one in others):
            return True
        if any(without(((at - SEEN_WITHIN, at),), self._decided_by(frozenset({one}))) == () for one in others):
            return False
        return overlaps(self.played.stage.work.touched(self._with_faults_of(mine)), at - SEEN_WITHIN, at)

    def _stopped_by_itself(self, check: CheckId, at: float) -> bool:
        """Whether a fault of its own made it fail lately, and not only slower or fuller."""
        world, component = self.played.world, component_of(self.played.stage.checks[check])
        stops = without(self.own[check], world.harmed(component, Harm.WORSEN))
        return overlaps(stops, at - SEEN_WITHIN, at)

    def _cause_seen(self, check: CheckId, at: float) -> bool:
        """Whether something before it failed lately for long enough to be believed."""
        if not overlaps(self.own[check], at - SEEN_WITHIN, at):
            return False
        return any(
            end - start >= CONFIRMED_BY and overlaps([(start, end)], at - SEEN_WITHIN, at)
            for cause in self._causes(check)
            for start, end in self._explains(cause, check)
        )

    def _decided_by(self, components: frozenset[str]) -> Spans:
        """When the faults of `components` suffice to interrupt the service, or are needed to."""
        work = self.played.stage.work
        rest = {fault.component for fault in self.played.world.faults} - components
        needed = without(self._interrupted, work.interrupted(self._with_faults_of(rest)))
        return union(work.interrupted(self._with_faults_of(components)), needed)

    def _decided_with(self, mine: set[str], one: str) -> Spans:
        """When the faults of `mine` and of `one` interrupt the service together, and neither does alone."""
        work = self.played.stage.work
        alone = (work.interrupted(self._with_faults_of(part)) for part in (mine, {one}))
        return without(work.interrupted(self._with_faults_of(mine | {one})), *alone)

    def _with_faults_of(self, components: Collection[str]) -> World:
        world = self.played.world
        return World(world.makeup, tuple(fault for fault in world.faults if fault.component in components))

    def _interruptions_untold(self) -> Iterator[str]:
        """An interruption that lasts is told to the client, unless announced work is why."""
        if any(self.excused.values()):
            return
        told = self._client_spans()
        for start, end in self._interrupted:
            if end - start >= TOLD_WITHIN and not overlaps(told, start, end):
                yield f"the service was interrupted from {start:.1f} to {end:.1f} and the client was not told"

    def _client_spans(self) -> Spans:
        """When the client knew of an interruption that went on."""
        ends = {
            (one.key.incident, one.key.n): seconds(one.at)
            for one in self.played.desk.told
            if one.key.audience is Audience.CLIENT and one.key.step is Step.RESOLVED
        }
        return union(
            (seconds(one.at), ends.get((one.key.incident, one.key.n), float("inf")))
            for one in self.played.desk.told
            if one.key.audience is Audience.CLIENT and one.key.step is Step.FIRST_NOTICE
        )

    def told_roots(self) -> frozenset[CheckId]:
        """Return the root cause of each incident, but for failures that others hid too long to be surely told."""
        brief = {name for name, spans in self.roots.items() if longest(spans, -FOREVER, FOREVER) < TOLD_WITHIN}
        return frozenset(event.check for event, _ in self._incidents() if event.check is not None) - brief


def seconds(at: datetime) -> float:
    """Return the second of virtual time that `at` is."""
    return (at - ZERO).total_seconds()


def silences(spans: Iterable[tuple[Iterable[CheckId], float, float]]) -> dict[CheckId, Spans]:
    """Return for each check when announced work excuses it, out of (checks, start, end)."""
    found: dict[CheckId, Spans] = {}
    for checks, start, end in spans:
        for check in checks:
            found[check] = union(found.get(check, ()), [(start, end)])
    return found
