"""An incident is the fold of its events; what a person may do to it is a function that returns the next event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from monitor.core import crisis, joining, review
from monitor.core.crisis import CRISIS_KINDS, NOTHING_WRITTEN, Crisis
from monitor.core.draft import Draft, drafted
from monitor.core.events import Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.joining import JOINING, NOTHING_JOINED, Joined
from monitor.core.review import NOT_REVIEWED, REVIEW_KINDS, Review
from monitor.core.text import Text
from monitor.core.urgency import CALM, Urgency, pressed
from monitor.core.verdict import Severity

BLIND = "blind"
"""The kind of an incident in which we cannot see; never told as an outage, never told to the client."""
OTHER = "other"


class Interruption(StrEnum):
    """Whether a kind of incident interrupts the client's service."""

    ALWAYS = "always"
    DETECTED = "detected"
    NEVER = "never"


class Status(StrEnum):
    """Where an incident stands; ACKNOWLEDGED is open, and somebody said that they are on it."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Refused(Exception):
    """A person's request that cannot be carried out; `text` says why and what to do instead."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.template)
        self.text = text


@dataclass(frozen=True, slots=True)
class Repair:
    """The latest run of a runbook about the incident: what it does, or how it ended; `going` while it goes on."""

    run: str
    text: Text
    began_at: datetime
    at: datetime
    going: bool


@dataclass(frozen=True, slots=True)
class Call:
    """Something that a run has to say to `to` (to operations where that is empty), once: `n` names it.

    `person`: somebody has to act; else it is news. `asks`: the run waits for an answer.
    """

    n: int
    at: datetime
    text: Text
    run: str
    to: tuple[str, ...] = ()
    person: bool = True
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Incident:
    """The present state of one incident.

    `check` is its root cause, absent if a person opened it. Durations, targets and the grid of updates count from
    `began_at` (first failing observation), the first notice from `opened_at` (confirmation). `disrupted_at` and
    `disruption_seen_at` are the same pair for the client's service; the latter is of the present episode, absent until
    this episode interrupts it. `episode` counts openings: 1, then one more for each relapse within `reopen_within`.
    `changes` counts how often it got worse while it went on, `changes_before` of these those of earlier episodes.
    `covered` are the checks that it explains now, `suppressed` all that it ever explained, `worst` the worst severity
    that it reached. `repair`: what Relève does about it. `calls`: what its runs had to say to people. An
    acknowledgement holds `acknowledged_until` (None: to the end) for what is no worse than `acknowledged_for`;
    `lapsed_at`: its time ran out then, for the `lapses`th time. `flapping_at`: since when the root cause comes and
    goes, for the `flaps`th time. `window`: the announced work that it belongs to; `overrun_at`: it failed on then,
    though that was over. `drafts`: people's words for updates. `crisis`: the action plan and what else people wrote
    down together. `review`: what they wrote for the review, and its closed versions. `urgency`: whether it is worth
    waking somebody, and since when nobody answers. `gathered`: messages about it alone of which one about many took the
    place. `joined`: what people put together and took apart by hand.
    """

    id: IncidentId
    kind: str
    check: CheckId | None
    severity: Severity
    worst: Severity
    began_at: datetime
    opened_at: datetime
    title: Text
    status: Status = Status.OPEN
    episode: int = 1
    episode_at: datetime | None = None
    changes: int = 0
    changes_before: int = 0
    changed_at: datetime | None = None
    disrupted_at: datetime | None = None
    disruption_seen_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    acknowledged_until: datetime | None = None
    acknowledged_for: Severity = Severity.CRITICAL
    lapsed_at: datetime | None = None
    lapses: int = 0
    flapping_at: datetime | None = None
    flaps: int = 0
    window: str = ""
    overrun_at: datetime | None = None
    recovered_at: datetime | None = None
    resolved_at: datetime | None = None
    cause: str = ""
    covered: tuple[CheckId, ...] = ()
    suppressed: tuple[CheckId, ...] = ()
    repair: Repair | None = None
    calls: tuple[Call, ...] = ()
    drafts: tuple[Draft, ...] = ()
    gathered: tuple[str, ...] = ()
    crisis: Crisis = NOTHING_WRITTEN
    review: Review = NOT_REVIEWED
    joined: Joined = NOTHING_JOINED
    timeline: tuple[Event, ...] = ()
    urgency: Urgency = CALM

    @property
    def open(self) -> bool:
        """Whether it still goes on."""
        return self.status is not Status.RESOLVED

    @property
    def being_repaired(self) -> bool:
        """Whether a run of a runbook is at it."""
        return self.repair is not None and self.repair.going

    @property
    def awaits_answer(self) -> bool:
        """Whether that run has asked a person, and has not gone on since."""
        if self.repair is None or not self.repair.going or not self.calls:
            return False
        last = self.calls[-1]
        return last.asks and last.run == self.repair.run and last.at >= self.repair.at

    @property
    def explained(self) -> tuple[CheckId, ...]:
        """The checks whose failure is told by this incident: its root, and what it covers while the root is down."""
        root = () if self.check is None else (self.check,)
        if not self.open:
            return ()
        return root if self.recovered_at is not None else (*root, *self.covered)

    def explains(self, check: CheckId) -> bool:
        """Return whether a failure of `check` is already told."""
        return check in self.explained


def fold(incident: Incident | None, event: Event) -> Incident | None:
    """Return `incident` after `event`. Only OPENED makes an incident out of None; anything else is left out."""
    if incident is None:
        if event.kind is not EventKind.OPENED:
            return None
        severity = event.severity if event.severity is not None else Severity.CRITICAL
        first = Incident(
            id=event.incident,
            kind=event.kind_name,
            check=event.check,
            severity=severity,
            worst=severity,
            began_at=event.began_at or event.at,
            opened_at=event.at,
            title=event.text,
            episode_at=event.at,
            window=event.window,
            timeline=(event,),
        )
        return pressed(first, first, event.at)
    return replace(_applied(incident, event), timeline=(*incident.timeline, event))


def _applied(incident: Incident, event: Event) -> Incident:
    return pressed(incident, _changed(incident, event), event.at)


def _changed(incident: Incident, event: Event) -> Incident:
    kind, check = event.kind, event.check
    if kind is EventKind.SEVERITY and event.severity is not None:
        worse = event.severity > incident.worst
        return replace(
            _void_if_worse(_rated(incident, event.severity)),
            changes=incident.changes + worse,
            changed_at=event.at if worse else incident.changed_at,
            title=event.text if worse else incident.title,
        )
    if check is not None and kind in (EventKind.COVERED, EventKind.UNCOVERED):
        return _covering(incident, check, covered=kind is EventKind.COVERED)
    if kind is EventKind.REOPENED:
        return _reopened(incident, event)
    if kind is EventKind.RESOLVED and incident.open:
        return replace(incident, status=Status.RESOLVED, resolved_at=event.at, covered=(), flapping_at=None)
    if kind is EventKind.DISRUPTED and incident.disruption_seen_at is None:
        began_at = incident.disrupted_at or event.began_at or event.at
        return replace(_unacknowledged(incident), disrupted_at=began_at, disruption_seen_at=event.at)
    if kind in _ABOUT_ROOT:
        return _rooted(incident, event)
    if kind in JOINING:
        return _joined(incident, event)
    if kind in (EventKind.ACKNOWLEDGED, EventKind.UNACKNOWLEDGED):
        return _acknowledged(incident, event)
    if kind is EventKind.OVERRUN:
        return replace(incident, overrun_at=event.at)
    return _noted(incident, event)


_ABOUT_ROOT = (EventKind.RECOVERED, EventKind.RELAPSED, EventKind.FLAPPING, EventKind.STEADY)


def _rooted(incident: Incident, event: Event) -> Incident:
    """What the root cause does short of an end."""
    if event.kind is EventKind.RECOVERED:
        return replace(incident, recovered_at=event.at)
    if event.kind is EventKind.RELAPSED:
        return _void_if_worse(replace(_rated(incident, event.severity), recovered_at=None))
    if event.kind is EventKind.FLAPPING:
        return replace(incident, flapping_at=event.at, flaps=incident.flaps + 1, recovered_at=None)
    return replace(incident, flapping_at=None)


def _joined(incident: Incident, event: Event) -> Incident:
    """What people put together or take apart; an incident that goes into another one is over as far as it is told."""
    if not incident.open:
        return incident
    joined = joining.fold(incident.joined, event)
    if event.kind is EventKind.MERGED:
        ended = replace(incident, status=Status.RESOLVED, resolved_at=event.at, covered=(), flapping_at=None)
        return replace(ended, joined=joined, crisis=crisis.handed_over(incident.crisis, event))
    if event.kind is EventKind.SPLIT and event.check is not None:
        return replace(_covering(incident, event.check, covered=False), joined=joined)
    for check in joining.absorbed(event):
        incident = _covering(incident, check, covered=True)
    worse = event.severity is not None and event.severity > incident.severity
    incident = replace(_rated(incident, event.severity) if worse else incident, joined=joined)
    incident = replace(incident, crisis=crisis.taken_over(incident.crisis, event))
    if event.began_at is None or incident.disruption_seen_at is not None:
        return incident
    return replace(incident, disrupted_at=incident.disrupted_at or event.began_at, disruption_seen_at=event.at)


def _acknowledged(incident: Incident, event: Event) -> Incident:
    if not incident.open:
        return incident
    if event.kind is EventKind.UNACKNOWLEDGED:
        return replace(_unacknowledged(incident), lapsed_at=event.at, lapses=incident.lapses + 1)
    return replace(
        incident,
        status=Status.ACKNOWLEDGED,
        acknowledged_at=event.at,
        acknowledged_by=event.actor,
        acknowledged_until=event.until,
        acknowledged_for=incident.severity,
        lapsed_at=None,
    )


def _unacknowledged(incident: Incident) -> Incident:
    if incident.acknowledged_at is None:
        return incident
    status = Status.OPEN if incident.status is Status.ACKNOWLEDGED else incident.status
    return replace(incident, status=status, acknowledged_at=None, acknowledged_by="", acknowledged_until=None)


def _void_if_worse(incident: Incident) -> Incident:
    """Who said that they are on it said so of something milder."""
    return _unacknowledged(incident) if incident.severity > incident.acknowledged_for else incident


def _noted(incident: Incident, event: Event) -> Incident:
    """What moves no state of the incident: the cause, what Relève does about it, whom it calls."""
    if event.kind is EventKind.CAUSE:
        return replace(incident, cause=str(dict(event.text.values).get("verbatim", "")))
    if event.kind in (EventKind.REPAIR, EventKind.REPAIR_ENDED):
        return replace(incident, repair=_repair(incident, event))
    if event.kind in (EventKind.CALLED, EventKind.MESSAGE):
        return replace(incident, calls=(*incident.calls, _call(incident, event)))
    if event.kind is EventKind.DRAFTED:
        return replace(incident, drafts=drafted(incident.drafts, event))
    if event.kind is EventKind.GATHERED:
        return replace(incident, gathered=(*incident.gathered, *map(str, event.data.get("keys", ()))))
    if event.kind in CRISIS_KINDS:
        return replace(incident, crisis=crisis.fold(incident.crisis, event))
    if event.kind in REVIEW_KINDS:
        return replace(incident, review=review.fold(incident.review, event))
    return incident


def _repair(incident: Incident, event: Event) -> Repair:
    known = incident.repair
    began_at = known.began_at if known is not None and known.run == event.run else event.at
    return Repair(event.run, event.text, began_at, event.at, going=event.kind is EventKind.REPAIR)


def _call(incident: Incident, event: Event) -> Call:
    person = event.kind is EventKind.CALLED
    n = sum(call.person for call in incident.calls) + 1 if person else event.n
    return Call(n, event.at, event.text, event.run, event.to, person, event.asks)


def _reopened(incident: Incident, event: Event) -> Incident:
    """The next episode, on the old grid; whether it interrupts the client's service again has yet to show.

    Whoever is on it still is while it wavers between OK and WARNING; for anything worse somebody must be woken again.
    """
    worse = event.severity is not None and event.severity > incident.worst
    until = incident.acknowledged_until
    mild = event.severity is Severity.WARNING
    if not mild or (until is not None and until <= event.at):
        incident = _unacknowledged(incident)
    again = replace(
        _rated(incident, event.severity),
        status=Status.OPEN if incident.acknowledged_at is None else Status.ACKNOWLEDGED,
        episode=incident.episode + 1,
        episode_at=event.at,
        changes_before=incident.changes,
        changed_at=event.began_at or event.at if worse else incident.changed_at,
        lapsed_at=None,
        disruption_seen_at=None,
        recovered_at=None,
        resolved_at=None,
        flapping_at=None,
        window=event.window,
        overrun_at=None,
        joined=NOTHING_JOINED,
    )
    return _void_if_worse(again)


def _rated(incident: Incident, severity: Severity | None) -> Incident:
    if severity is None:
        return incident
    return replace(incident, severity=severity, worst=max(incident.worst, severity))


def _covering(incident: Incident, check: CheckId, *, covered: bool) -> Incident:
    if covered:
        return replace(incident, covered=_with(incident.covered, check), suppressed=_with(incident.suppressed, check))
    left = tuple(other for other in incident.covered if other != check)
    return replace(incident, covered=left, joined=joining.freed(incident.joined, check))


def _with(checks: tuple[CheckId, ...], check: CheckId) -> tuple[CheckId, ...]:
    return checks if check in checks else (*checks, check)


def replay(events: Iterable[Event]) -> dict[IncidentId, Incident]:
    """Return every incident that `events` (oldest first) tell of, by id: what `fold` makes of them one by one.

    The timelines are put together at the end: of an incident that wavers for weeks, copying them event by event takes
    minutes.
    """
    incidents: dict[IncidentId, Incident] = {}
    timelines: dict[IncidentId, list[Event]] = {}
    for event in events:
        before = incidents.get(event.incident)
        after = fold(None, event) if before is None else _applied(before, event)
        if after is not None:
            incidents[event.incident] = after
            timelines.setdefault(event.incident, []).append(event)
    return {name: replace(incident, timeline=tuple(timelines[name])) for name, incident in incidents.items()}
