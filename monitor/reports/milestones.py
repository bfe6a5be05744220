"""When what happened, how long it took, and whether that was within what was promised: figures before any words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from alerts.notice import BY_TIME, Audience, Notice, NoticeState, Step
from monitor.core.events import ENDS, Event, EventKind
from monitor.core.incident import Incident
from monitor.reports.material import Material
from runbooks.run import Run, RunState

ON_THE_MINUTE = timedelta(minutes=1)
"""An update and the message of the end are due at the very moment of which they tell, so they leave just after it; late
is what leaves in another minute ("on the minute", S16). What has a time limit is late from the limit on."""
GRACE = dict.fromkeys((*BY_TIME, Step.CONFERENCE_UPDATED, Step.CONFERENCE_CANCELLED, Step.RESOLVED), ON_THE_MINUTE)


@dataclass(frozen=True, slots=True)
class Milestones:
    """The key moments; None for what has not happened. `told_client` and `told_own`: the first message that left.

    `repair_started`: the first run of a runbook that changed anything, or was to, or move of a group that did anything;
    `repaired`: a re-probe proved it, or the root cause recovered.
    """

    began: datetime
    detected: datetime
    disrupted: datetime | None
    told_client: datetime | None
    told_own: datetime | None
    acknowledged: datetime | None
    repair_started: datetime | None
    repaired: datetime | None
    resolved: datetime | None


def milestones(material: Material) -> Milestones:
    """Return the key moments of the incident."""
    incident = material.incident
    return Milestones(
        began=incident.began_at,
        detected=incident.opened_at,
        disrupted=incident.disrupted_at,
        told_client=first_sent(material.notices, Audience.CLIENT) if is_live(material) else None,
        told_own=first_sent(material.notices, Audience.INTERNAL),
        acknowledged=first_of(incident, EventKind.ACKNOWLEDGED),
        repair_started=min(
            (
                *(run.started_at for run in material.runs if is_real(run)),
                *(move.started_at for move in material.moves if move.had_effect),
            ),
            default=None,
        ),
        repaired=_repaired(incident, material.runs),
        resolved=incident.resolved_at,
    )


def is_live(material: Material) -> bool:
    """Return whether the client itself was told, and not operations in its place (a rehearsal)."""
    return material.protocol is None or material.protocol.live


def is_real(run: Run) -> bool:
    """Return whether a run was no mere simulation."""
    return run.live and run.state is not RunState.SIMULATED


def first_of(incident: Incident, kind: EventKind) -> datetime | None:
    """Return when an event of that kind first happened, or None."""
    return next((event.at for event in incident.timeline if event.kind is kind), None)


def first_sent(notices: Iterable[Notice], audience: Audience) -> datetime | None:
    """Return when the first message to that audience was accepted, or None."""
    return min((n.sent_at for n in notices if n.key.audience is audience and n.sent_at is not None), default=None)


def _repaired(incident: Incident, runs: Iterable[Run]) -> datetime | None:
    """The earliest proof that belongs to the last episode: what was repaired before a relapse was not repaired."""
    since = incident.episode_at or incident.opened_at
    done = [run for run in runs if run.state is RunState.SUCCEEDED]
    proven = [run.proof.at if run.proof is not None else run.ended_at for run in done]
    found = [at for at in (*proven, incident.recovered_at, incident.resolved_at) if at is not None and at >= since]
    return min(found, default=None)


@dataclass(frozen=True, slots=True)
class Interruption:
    """One episode in which the client's service was interrupted; it goes on where `ended` is None."""

    began: datetime
    ended: datetime | None


def interruptions(incident: Incident) -> tuple[Interruption, ...]:
    """Return every episode in which the client's service was interrupted, oldest first."""
    found: list[Interruption] = []
    began: datetime | None = None
    episode: datetime | None = None
    for event in incident.timeline:
        if event.kind is EventKind.REOPENED:
            episode = event.began_at or event.at
        if _interrupts(event) and began is None:
            # That of a later episode names the beginning of the first one, on whose grid the client is told.
            began = max(one for one in (event.began_at or event.at, episode) if one is not None)
        elif event.kind in ENDS and began is not None:
            found.append(Interruption(began, event.at))
            began = None
    return tuple(found) if began is None else (*found, Interruption(began, None))


def _interrupts(event: Event) -> bool:
    """Whether the client's service is interrupted from there on: seen so, or taken over with another incident."""
    absorbs = event.kind is EventKind.ABSORBED and event.began_at is not None
    return absorbs or event.kind is EventKind.DISRUPTED


def interrupted_for(incident: Incident, now: datetime) -> timedelta:
    """Return for how long the client's service was interrupted, all episodes together, up to `now`."""
    return sum(((one.ended or now) - one.began for one in interruptions(incident)), timedelta())


class Outcome(StrEnum):
    """How a length of time compares with what was promised."""

    MET = "met"
    EXCEEDED = "exceeded"
    RUNNING = "running"
    """It still goes on and is within its target."""
    NO_TARGET = "no target"
    NEVER = "never"
    """It did not happen."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A length of time: `span` until now where it is not `over`, None where it never began."""

    name: str
    span: timedelta | None
    target: timedelta | None = None
    over: bool = True

    @property
    def outcome(self) -> Outcome:
        """How it compares with its target."""
        if self.span is None:
            return Outcome.NEVER
        if self.target is None:
            return Outcome.NO_TARGET
        if self.span > self.target:
            return Outcome.EXCEEDED
        return Outcome.MET if self.over else Outcome.RUNNING

    @property
    def excess(self) -> timedelta:
        """By how much it exceeds its target; nothing where it does not."""
        if self.span is None or self.target is None:
            return timedelta()
        return max(timedelta(), self.span - self.target)


def measures(material: Material) -> tuple[Measure, ...]:
    """Return the lengths of time that the review judges; the target of the kind counts from the beginning (S14)."""
    at, incident, now = milestones(material), material.incident, material.now
    target = None if material.kind is None else material.kind.target
    within = None if material.protocol is None else material.protocol.first_within
    found = [Measure("detection", at.detected - at.began)]
    if at.disrupted is not None:
        seen = first_of(incident, EventKind.DISRUPTED) or at.detected
        if is_live(material):
            found.append(_until("told_client", seen, at.told_client, now, within, going=incident.open))
    if _is_to(material, Audience.INTERNAL):
        found.append(_until("told_own", at.detected, at.told_own, now, within, going=incident.open))
    found.append(_until("acknowledged", at.detected, at.acknowledged, now, None, going=incident.open))
    found.append(_until("repair", at.began, at.repaired, now, target, going=incident.open))
    found.append(_until("resolution", at.began, at.resolved, now, target, going=incident.open))
    if at.disrupted is not None:
        open_end = interruptions(incident)[-1].ended is None
        found.append(Measure("interruption", interrupted_for(incident, now), None, over=not open_end))
    return tuple(found)


def _is_to(material: Material, audience: Audience) -> bool:
    return any(notice.key.audience is audience for notice in material.notices)


def _until(
    name: str, began: datetime, ended: datetime | None, now: datetime, target: timedelta | None, *, going: bool
) -> Measure:
    if ended is None and not going:
        return Measure(name, None, target)
    return Measure(name, (ended or now) - began, target, over=ended is not None)


def lateness(notice: Notice, now: datetime) -> timedelta:
    """Return how long after `due_at` a message was accepted, or how long one that waits is overdue; never below zero.

    One that was skipped or refused for good was never sent: it has no lateness, and its state says so.
    """
    if notice.state is NoticeState.SENT and notice.sent_at is not None:
        return max(timedelta(), notice.sent_at - notice.due_at)
    if notice.state in (NoticeState.PENDING, NoticeState.SENDING):
        return max(timedelta(), now - notice.due_at)
    return timedelta()


def is_late(notice: Notice, now: datetime) -> bool:
    """Return whether a message left, or has not left yet, later than its step allows."""
    return lateness(notice, now) > GRACE.get(notice.key.step, timedelta())
