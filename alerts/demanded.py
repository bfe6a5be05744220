"""What a frozen protocol demanded of an incident, worked out anew from its log: the measure for what the outbox holds.

`due` is asked after everything that happened and often enough between, as by a Relève that was never out, never late
and never without its clock. So a message that never came into being shows, which no look into the outbox can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby

from alerts.agreement import Protocol
from alerts.grid import end_stands_for
from alerts.notice import Audience, NoticeKey, Planned, Step
from alerts.protocol import due
from alerts.storm import gathered
from monitor.core.events import ENDS, Event
from monitor.core.incident import Incident, fold

BREATH = timedelta(seconds=2)
"""What lasted no longer was no state of which anybody could be told: results that come together are taken together, and
between two ticks (half a second) nothing is told."""
WHILE_OPEN, ONCE_OVER = timedelta(minutes=5), timedelta(days=1)
"""Between two questions: shorter than any grid of which `due` returns the last slot only."""
MOST_STEPS = 3000
"""Questions between two events: ten days of those of an open incident."""
LASTING = (Step.FIRST_NOTICE, Step.RESOLVED)
"""What our own people are told however soon the next thing happened."""

OF_THE_MOMENT = frozenset({Step.WORSENED, Step.FLAPPING, Step.UNACKNOWLEDGED})
"""What `due` never asks whether it was told before; of an incident that wavers for weeks there are thousands."""


def demanded(protocol: Protocol, events: Iterable[Event], now: datetime) -> tuple[Planned, ...]:
    """Return every notice that `protocol` demanded up to `now` of the incident that `events` (oldest first) tell of.

    None has a `gap`, and `skipped` is only what is `hushed`, of which nobody was to be told in the end: nothing is
    missed by whoever is always there. In the order of `due_at`.
    """
    found: dict[NoticeKey, Planned] = {}
    incident: Incident | None = None
    moments = [(at, list(together)) for at, together in groupby(events, lambda event: event.at)]
    for n, (happened, together) in enumerate(moments):
        for event in together:
            incident = fold(incident, event)
        if incident is None:
            continue
        at = min(happened, now)
        following = moments[n + 1] if n + 1 < len(moments) else None
        lasts = following is None or following[0] - at >= BREATH
        _add(found, protocol, incident, at, lasts=lasts)
        until = now if following is None else min(now, following[0] - _unsaid(protocol, following[1]))
        for moment in _between(at, until, ONCE_OVER if incident.resolved_at is not None else WHILE_OPEN):
            _add(found, protocol, incident, moment, lasts=lasts)
    for key in () if incident is None else gathered(incident):
        found.pop(key, None)
    return tuple(sorted(found.values(), key=lambda plan: (plan.due_at, plan.key)))


def _unsaid(protocol: Protocol, following: list[Event]) -> timedelta:
    """How long before what happened next nothing had to be said any more of what was so until then."""
    ends = any(event.kind in ENDS for event in following)
    return max(BREATH, end_stands_for(protocol.update_every)) if ends else BREATH


def _between(since: datetime, until: datetime, step: timedelta) -> Iterator[datetime]:
    """Moments after `since` up to `until`, which is the last of them; none where nothing lies between."""
    if until <= since:
        return
    step = max(step, (until - since) / MOST_STEPS)
    moment = since + step
    while moment < until:
        yield moment
        moment += step
    yield until


def _add(found: dict[NoticeKey, Planned], protocol: Protocol, incident: Incident, at: datetime, *, lasts: bool) -> None:
    told = [key for key in found if key.step not in OF_THE_MOMENT]
    for plan in due(protocol, incident, told, at):
        lasting = lasts or plan.key.audience is Audience.CLIENT or plan.key.step in LASTING
        if lasting and plan.key not in found:
            found[plan.key] = Planned(
                plan.key, plan.due_at, instead_of=plan.instead_of, skipped=plan.hushed, hushed=plan.hushed
            )
