"""What our own people are reminded of until it is done: reviews that are owed, actions whose time has come (S18)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.notice import Step
from monitor.core.crisis import Action
from monitor.core.incident import Incident
from monitor.core.review import Stage
from monitor.core.reviewing import owed

REVIEW_EVERY = timedelta(days=7)
"""Between two reminders of a review that is overdue."""
ACTION_EVERY = timedelta(days=3)
"""Between two reminders of an action that is late."""
REVIEWS: Mapping[Step, Stage] = {Step.REVIEW_HOT: Stage.HOT, Step.REVIEW_COLD: Stage.COLD}
CHASED = frozenset({*REVIEWS, Step.ACTION_DUE})
"""The messages of this module."""
APART = 1000
"""What keeps two of them apart in the number of a key: the episode or the action times this, and which time it is."""
FOR = timedelta(days=365)
"""How long somebody is reminded: what nobody did in a year is not done for another mail, and stays in the lists."""


@dataclass(frozen=True, slots=True)
class Chase:
    """Something to remind of: from `due_at` on, every `every`. `of`: the episode of the review, or the action."""

    step: Step
    of: int
    due_at: datetime
    every: timedelta

    def last(self, now: datetime) -> tuple[int, datetime] | None:
        """Return the number for the key and the moment of the last reminder by `now`; None before the first."""
        if now < self.due_at:
            return None
        times = min(now - self.due_at, FOR) // self.every
        return self.of * APART + times, self.due_at + times * self.every

    def following(self, now: datetime) -> datetime | None:
        """Return the moment of the first reminder after `now`; None after the last."""
        if now < self.due_at:
            return self.due_at
        times = (now - self.due_at) // self.every + 1
        return self.due_at + times * self.every if times <= FOR // self.every else None


def chases(incident: Incident) -> Iterator[Chase]:
    """Return all that has to be done about `incident`, whether its time has come or not."""
    steps = {stage: step for step, stage in REVIEWS.items()}
    for one in owed(incident):
        yield Chase(steps[one.stage], incident.episode, one.due_at, REVIEW_EVERY)
    for action in incident.crisis.open_actions:
        if action.due_at is not None:
            yield Chase(Step.ACTION_DUE, action.n, action.due_at, ACTION_EVERY)


@dataclass(frozen=True, slots=True)
class Outstanding:
    """What is left of an incident: when somebody is reminded next (None: never again), and what is due by when."""

    next_at: datetime | None
    reviews: tuple[datetime, ...] = ()
    actions: tuple[datetime, ...] = ()

    def overdue(self, now: datetime) -> tuple[int, int]:
        """Return how many reviews and how many actions should have been done by `now`."""
        return sum(at < now for at in self.reviews), sum(at < now for at in self.actions)


def outstanding(incident: Incident, after: datetime) -> Outstanding | None:
    """Return what is still to be done about `incident`, with the first reminder after `after`; None for nothing."""
    found = tuple(chases(incident))
    if not found:
        return None
    moments = (chase.following(after) for chase in found)
    return Outstanding(
        min((at for at in moments if at is not None), default=None),
        tuple(chase.due_at for chase in found if chase.step in REVIEWS),
        tuple(chase.due_at for chase in found if chase.step not in REVIEWS),
    )


def chased_action(incident: Incident, n: int) -> Action | None:
    """Return the action that the message numbered `n` is about; None where there is none."""
    return next((action for action in incident.crisis.actions if action.n == n // APART), None)
