"""The ladder: who is told when nobody says that they are on it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.notice import Audience, NoticeKey, Planned, Step
from monitor.core.incident import Incident


@dataclass(frozen=True, slots=True)
class Rung:
    """Who is told once nobody has taken charge for `after`; names of contacts or rotas."""

    after: timedelta
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Climbed:
    """A rung of one incident, due at `at`. `n` counts on over all its waits: with three rungs, 4 is the first again."""

    n: int
    at: datetime
    to: tuple[str, ...]


def climbed(ladder: tuple[Rung, ...], incident: Incident, now: datetime) -> tuple[Climbed, ...]:
    """Return the rungs that are reached at `now`, lowest first, told or not.

    None while somebody is on it, while it is milder than critical and does not interrupt the client's service, and
    after the end. After an outage of Relève all that were reached meanwhile are told late, each once: those passed over
    are the people nearest to the trouble. The last rung is the end: whoever is to be told again is named by another.
    """
    return tuple(rung for rung in _rungs(ladder, incident) if rung.at <= now)


def next_rung(ladder: tuple[Rung, ...], incident: Incident, now: datetime) -> Climbed | None:
    """Return the rung that is told next if nobody takes charge; None when none is to come."""
    return next((rung for rung in _rungs(ladder, incident) if rung.at > now), None)


def _rungs(ladder: tuple[Rung, ...], incident: Incident) -> Iterator[Climbed]:
    urgency = incident.urgency
    if urgency.unanswered_at is None or urgency.pressing_at is None:
        return
    below = (urgency.waits - 1) * len(ladder)
    for n, rung in enumerate(ladder, start=1):
        yield Climbed(below + n, max(urgency.unanswered_at + rung.after, urgency.pressing_at), rung.to)


def told_once(planned: Sequence[Planned]) -> tuple[Planned, ...]:
    """Return `planned`, where a rung is skipped for whoever is told the same now by a higher one, late as well."""
    highest: dict[str, int] = {}
    for plan in planned:
        if plan.key.step is Step.ESCALATED:
            highest[plan.key.recipient] = max(plan.key.n, highest.get(plan.key.recipient, 0))
    return tuple(
        replace(plan, skipped=True)
        if plan.key.step is Step.ESCALATED and plan.key.n < highest[plan.key.recipient]
        else plan
        for plan in planned
    )


def told_above(ladder: tuple[Rung, ...], incident: Incident, existing: Collection[NoticeKey]) -> tuple[str, ...]:
    """Return the contacts whom a rung of the present episode reached: they hear of the end as well."""
    below = incident.urgency.earlier * len(ladder)
    return tuple(sorted({key.recipient for key in existing if key.step is Step.ESCALATED and key.n > below}))


def without_answer(ladder: tuple[Rung, ...], incident: Incident, existing: Collection[NoticeKey]) -> tuple[str, ...]:
    """Return the contacts who were told before, of what nobody has taken charge of since, in the order of the steps."""
    of_now = {
        Step.FIRST_NOTICE: incident.episode,
        Step.WORSENED: incident.changes,
        Step.DISRUPTED: incident.episode,
        Step.UNACKNOWLEDGED: incident.lapses,
    }
    below = max(0, incident.urgency.waits - 1) * len(ladder)
    own = [key for key in existing if key.audience is Audience.INTERNAL]
    told = sorted(key for key in own if of_now.get(key.step) == key.n)
    told += sorted(key for key in own if key.step is Step.ESCALATED and key.n > below)
    return tuple(dict.fromkeys(key.recipient for key in told))
