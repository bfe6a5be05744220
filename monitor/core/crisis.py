"""What people wrote down about an incident together: roles, the action plan, decisions, needs, files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from monitor.core.attachment import Attachment, attached
from monitor.core.events import Event, EventKind

CRISIS_KINDS = frozenset(
    {
        EventKind.CRISIS_OPENED,
        EventKind.ROLE,
        EventKind.ACTION,
        EventKind.ACTION_ENDED,
        EventKind.DECISION,
        EventKind.NEED,
        EventKind.NEED_MET,
        EventKind.ATTACHED,
    }
)
"""What is folded here."""


class Role(StrEnum):
    """Who does what in the cell. The names are stored: add, do not rename."""

    LEADER = "leader"
    SCRIBE = "scribe"
    """Keeps the log: notes, decisions, actions."""
    LIAISON = "liaison"
    """Speaks with the client."""


class ActionState(StrEnum):
    """How far an action is; DROPPED: it is not to be done any more."""

    OPEN = "open"
    DONE = "done"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Action:
    """One line of the action plan: `owner` is a contact's id or a name, either may be empty.

    `n`: its number in the incident, from 1. `by`: the actor who wrote it down. `due_at`: None without a deadline.
    `ended_at`: since when it is done or dropped; `result`: what whoever ended it said.
    """

    n: int
    at: datetime
    by: str
    what: str
    owner: str = ""
    due_at: datetime | None = None
    state: ActionState = ActionState.OPEN
    ended_at: datetime | None = None
    result: str = ""

    def late(self, now: datetime) -> bool:
        """Return whether it is still to be done although its time is over."""
        return self.state is ActionState.OPEN and self.due_at is not None and self.due_at < now


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, when, written down by the actor `by`; `n` from 1."""

    n: int
    at: datetime
    by: str
    what: str


@dataclass(frozen=True, slots=True)
class Need:
    """What the cell lacks, from somebody else as a rule; `met_at`: since when it has it."""

    n: int
    at: datetime
    by: str
    what: str
    met_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Crisis:
    """All of it, in the order in which it was written; `roles`: the last person named for each.

    `opened_at`: from when on a cell was called for, in the last episode that did so; None where none did. People may
    write down actions although no cell was called for, and after the end: what comes of the review.
    """

    opened_at: datetime | None = None
    roles: tuple[tuple[Role, str], ...] = ()
    actions: tuple[Action, ...] = ()
    decisions: tuple[Decision, ...] = ()
    needs: tuple[Need, ...] = ()
    attachments: tuple[Attachment, ...] = ()

    def who(self, role: Role) -> str:
        """Return who has `role`, empty for nobody."""
        return dict(self.roles).get(role, "")

    @property
    def open_actions(self) -> tuple[Action, ...]:
        """What is still to be done."""
        return tuple(action for action in self.actions if action.state is ActionState.OPEN)


NOTHING_WRITTEN = Crisis()


def fold(crisis: Crisis, event: Event) -> Crisis:
    """Return `crisis` after `event`; what makes no sense of it (an unknown number, no words) is left out."""
    words, data = str(event.data.get("what", "")), event.data
    match event.kind:
        case EventKind.CRISIS_OPENED:
            return replace(crisis, opened_at=event.began_at or event.at)
        case EventKind.ROLE:
            return _appointed(crisis, data)
        case EventKind.ACTION if words:
            action = Action(_next(crisis.actions), event.at, event.actor, words, _owner(data), _due_at(data))
            return replace(crisis, actions=(*crisis.actions, action))
        case EventKind.ACTION_ENDED:
            return replace(crisis, actions=_changed(crisis.actions, data, lambda one: _ended(one, event)))
        case EventKind.DECISION if words:
            decision = Decision(_next(crisis.decisions), event.at, event.actor, words)
            return replace(crisis, decisions=(*crisis.decisions, decision))
        case EventKind.NEED if words:
            need = Need(_next(crisis.needs), event.at, event.actor, words)
            return replace(crisis, needs=(*crisis.needs, need))
        case EventKind.NEED_MET:
            return replace(crisis, needs=_changed(crisis.needs, data, lambda one: _met(one, event)))
        case EventKind.ATTACHED:
            file = attached(_next(crisis.attachments), event.at, event.actor, data)
            return crisis if file is None else replace(crisis, attachments=(*crisis.attachments, file))
        case _:
            return crisis


def plan_of(crisis: Crisis, other: Crisis) -> list[dict[str, Any]]:
    """Return, JSON-ready, what is left to be done of `crisis` for an incident that goes on for it, which has `other`.

    Open actions and needs that are not met; the people whose roles nobody has there yet. `taken_over` reads it.
    """
    actions = [
        {"kind": EventKind.ACTION.value, "what": one.what, "owner": one.owner}
        | ({} if one.due_at is None else {"due_at": one.due_at.isoformat()})
        for one in crisis.open_actions
    ]
    needs = [{"kind": EventKind.NEED.value, "what": one.what} for one in crisis.needs if one.met_at is None]
    roles = [
        {"kind": EventKind.ROLE.value, "role": role.value, "who": who}
        for role, who in crisis.roles
        if not other.who(role)
    ]
    return [*roles, *actions, *needs]


def taken_over(crisis: Crisis, event: Event) -> Crisis:
    """Return `crisis` of an incident after the event by which it goes on for another, with what is left of that one's.

    What makes no sense of it is left out, as by `fold`.
    """
    plan = event.data.get("plan", ())
    for said in plan if isinstance(plan, list | tuple) else ():
        kind = next(
            (each for each in _HANDED_OVER if isinstance(said, Mapping) and each.value == said.get("kind")), None
        )
        if kind is not None:
            crisis = fold(crisis, replace(event, kind=kind, data=said))
    return crisis


def handed_over(crisis: Crisis, event: Event) -> Crisis:
    """Return `crisis` of an incident that goes on under another one, which has its open actions from now on."""
    into = str(event.data.get("into", ""))
    actions = tuple(
        replace(one, state=ActionState.DROPPED, ended_at=event.at, result=into)
        if one.state is ActionState.OPEN
        else one
        for one in crisis.actions
    )
    return replace(crisis, actions=actions)


_HANDED_OVER = (EventKind.ACTION, EventKind.NEED, EventKind.ROLE)
T = TypeVar("T", Action, Need)


def _next(those: tuple[Any, ...]) -> int:
    return len(those) + 1


def _changed(those: tuple[T, ...], data: Mapping[str, Any], change: Callable[[T], T]) -> tuple[T, ...]:
    """Those with the one changed whose number `data` names."""
    return tuple(change(one) if one.n == data.get("n") else one for one in those)


def _appointed(crisis: Crisis, data: Mapping[str, Any]) -> Crisis:
    """With somebody else in a role, or nobody."""
    role, who = next((role for role in Role if role.value == data.get("role")), None), str(data.get("who", ""))
    if role is None:
        return crisis
    others = tuple((each, name) for each, name in crisis.roles if each is not role)
    return replace(crisis, roles=(*others, (role, who)) if who else others)


def _ended(action: Action, event: Event) -> Action:
    """The action as done or dropped; the last word counts, so that a slip can be put right."""
    state = next((each for each in ActionState if each.value == event.data.get("state")), None)
    if state is None:
        return action
    result = str(event.data.get("result", ""))
    if state is ActionState.OPEN:
        return replace(action, state=state, ended_at=None, result="")
    return replace(action, state=state, ended_at=event.at, result=result)


def _met(need: Need, event: Event) -> Need:
    return need if need.met_at is not None else replace(need, met_at=event.at)


def _owner(data: Mapping[str, Any]) -> str:
    return str(data.get("owner", ""))


def _due_at(data: Mapping[str, Any]) -> datetime | None:
    """The deadline; None for none, and for what is no moment."""
    try:
        due_at = datetime.fromisoformat(str(data.get("due_at", "")))
        return due_at.astimezone(UTC) if due_at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
