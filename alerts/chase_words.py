"""What our own people read of a review that is owed and of an action whose time has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.chase import ACTION_EVERY, APART, CHASED, REVIEW_EVERY, REVIEWS, chased_action
from alerts.context import Context
from alerts.notice import Planned
from alerts.sheet import ORANGE, RED, Sheet
from monitor.core.crisis import Action
from monitor.core.incident import Incident
from monitor.core.review import Stage
from monitor.core.text import Text, Value, say

STAGES: Mapping[Stage, Text] = {Stage.HOT: say("hot review"), Stage.COLD: say("cold review")}


def chase_sheet(sheet: Sheet, planned: Planned, incident: Incident, context: Context) -> Sheet:
    """Return `sheet`, which is of the incident, with what is to be done in place of what happened."""
    step, n = planned.key.step, planned.key.n
    again = n % APART > 0
    if step in REVIEWS:
        due_at = planned.due_at - (n % APART) * REVIEW_EVERY
        said = _Review(REVIEWS[step], due_at, planned.due_at + REVIEW_EVERY, again)
        return _laid_over(sheet, said, incident, context)
    action = chased_action(incident, n)
    if step not in CHASED or action is None:
        return sheet
    due_at = planned.due_at - (n % APART) * ACTION_EVERY
    return _laid_over(sheet, _Action(action, due_at, planned.due_at + ACTION_EVERY, again), incident, context)


@dataclass(frozen=True, slots=True)
class _Review:
    """The words about a review."""

    stage: Stage
    due_at: datetime
    next_at: datetime
    again: bool

    def what(self, title: str, context: Context) -> Text:
        values: dict[str, Value] = {"review": STAGES[self.stage], "title": title, "at": context.at(self.due_at)}
        if self.again:
            return say("{title}: {review} overdue, it was due on {at}.", **values)
        return say("{title}: {review} due since {at}.", **values)

    def subject(self, title: str, reference: str) -> Text:
        values: dict[str, Value] = {"reference": reference, "title": title, "review": STAGES[self.stage]}
        if self.again:
            return say("{reference} {title}: {review} overdue", **values)
        return say("{reference} {title}: {review} due", **values)

    def short(self, title: str, reference: str, context: Context) -> Text:
        values: dict[str, Value] = {"reference": reference, "title": title, "review": STAGES[self.stage]}
        return say("{reference} {title}. To be closed: {review}, due {at}.", **values, at=_day(self.due_at, context))

    def todo(self, incident: Incident) -> tuple[str, ...]:
        return (
            f"releve report rex {incident.id}",
            f'releve incident review why {incident.id} "..."',
            f"releve incident review close {incident.id} {self.stage.value}",
        )


@dataclass(frozen=True, slots=True)
class _Action:
    """The words about an action of the plan."""

    action: Action
    due_at: datetime
    next_at: datetime
    again: bool

    def what(self, title: str, context: Context) -> Text:
        action = self.action
        who = context.people.get(action.owner, action.owner) or context.t(say("nobody named"))
        values: dict[str, Value] = {
            "title": title,
            "n": action.n,
            "what": context.line(action.what),
            "who": who,
            "at": context.at(self.due_at),
        }
        if self.again:
            return say("{title}: action {n} late, it was due on {at}: {what} ({who}).", **values)
        return say("{title}: action {n} due since {at}: {what} ({who}).", **values)

    def subject(self, title: str, reference: str) -> Text:
        values: dict[str, Value] = {"reference": reference, "title": title, "n": self.action.n}
        if self.again:
            return say("{reference} {title}: action {n} late", **values)
        return say("{reference} {title}: action {n} due", **values)

    def short(self, title: str, reference: str, context: Context) -> Text:
        values: dict[str, Value] = {
            "reference": reference,
            "title": title,
            "n": self.action.n,
            "what": self.action.what,
        }
        return say("{reference} {title}. Action {n} due {at}: {what}", **values, at=_day(self.due_at, context))

    def todo(self, incident: Incident) -> tuple[str, ...]:
        n = self.action.n
        return (
            f'releve incident action done {incident.id} {n} "..."',
            f'releve incident action drop {incident.id} {n} "..."',
            f"releve incident action list {incident.id}",
        )


def _laid_over(sheet: Sheet, said: _Review | _Action, incident: Incident, context: Context) -> Sheet:
    reference = str(incident.id)
    following = context.t(say("Next message: {at}, unless it is done before.", at=context.at(said.next_at)))
    return replace(
        sheet,
        subject=context.t(said.subject(sheet.title, reference)),
        what=context.t(said.what(sheet.title, context)),
        following=sheet.following if incident.open else following,
        short=lambda shown: context.t(said.short(shown, reference, context)),
        colour=RED if said.again else ORANGE,
        todo=said.todo(incident),
    )


def _day(at: datetime, context: Context) -> str:
    return context.speech.date(at)
