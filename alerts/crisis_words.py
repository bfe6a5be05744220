"""The words of a crisis cell: that it is called for, to our own people; its report, to the client and to them (S17).

A report is the situation, the impact, the action plan with who does what by when, what was decided and what is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from alerts.context import Context, CrisisDue
from alerts.notice import Audience, Planned, Step
from alerts.privacy import blanked
from alerts.sheet import Facts, Sheet
from monitor.core.answer import CONTACT
from monitor.core.crisis import Action, ActionState, Role
from monitor.core.incident import Incident
from monitor.core.text import Text, say

CRISIS = frozenset({Step.CRISIS_OPENED, Step.CRISIS_REPORT})
MOST_ACTIONS, MOST_DECISIONS, MOST_NEEDS, MOST_COMMANDS, MOST_MOMENTS = 20, 10, 10, 3, 24
"""What one message names of each; the others are counted, or stand in `incident show`."""
NO_DEADLINE = datetime.max.replace(tzinfo=UTC)
FIRST_DEADLINE = "1h"
"""Of an action that the command which is offered puts on the plan."""


@dataclass(frozen=True, slots=True)
class _Report:
    """Who reads, of what: `said` makes a line of a person's words as this reader may see them."""

    incident: Incident
    context: Context
    client: bool
    said: Callable[[str], str]

    def who(self, name: str) -> str:
        """Return a person by name: of a contact the one that the inventory has."""
        return self.said(self.context.people.get(name, name))


def crisis_sheet(sheet: Sheet, planned: Planned, incident: Incident, context: Context) -> Sheet:
    """Return `sheet`, which is of the incident, with what the crisis cell has to say."""
    client = planned.key.audience is Audience.CLIENT

    def said(words: str) -> str:
        return context.line(blanked(words, context.private) if client else words)

    one = _Report(incident, context, client, said)
    opened = planned.key.step is Step.CRISIS_OPENED
    what = say("Crisis cell from now on: {what}", what=sheet.what)
    if not opened:
        what = say("Crisis report: {what}", what=sheet.what)
    return replace(
        sheet,
        subject=context.t(_subject(opened, str(incident.id), sheet.title, context)),
        what=context.t(what),
        following=_following(sheet, one, planned.key.recipient),
        short=lambda shown: _short(one, shown, opened=opened),
        facts=(*sheet.facts, *_conference(one, opened=opened), *_facts(one)),
        remarks=(*sheet.remarks, *_remarks(one, opened=opened)),
        todo=() if client else _commands(one, planned.key.recipient),
    )


def missed_reports(planned: Planned, context: Context) -> Text | None:
    """Return which crisis reports could not be sent, where this message stands for some."""
    if not planned.reports:
        return None
    moments = [context.day_and_clock(at) for at in planned.reports]
    if len(moments) <= MOST_MOMENTS:
        shown = ", ".join(moments)
        return say("Crisis reports that could not be sent: {moments}. This message stands for them.", moments=shown)
    return say(
        "Crisis reports that could not be sent: {count}, from {first} to {last}. This message stands for them.",
        count=len(moments),
        first=moments[0],
        last=moments[-1],
    )


def _subject(opened: bool, reference: str, title: str, context: Context) -> Text:
    if opened:
        return say("{reference} {title}: crisis cell", reference=reference, title=title)
    at = context.day_and_clock(context.now)
    return say("{reference} {title}: crisis report of {at}", reference=reference, title=title, at=at)


def _following(sheet: Sheet, one: _Report, reader: str) -> str:
    """When the next message comes: the update that this reader gets, the next report, or both in one."""
    due, context = one.context.crisis, one.context
    if due is None or due.next_at is None or not one.incident.open:
        return sheet.following
    at = context.at(due.next_at)
    if not one.client and not context.live:
        return context.t(say("{following} Next crisis report: {at}.", following=sheet.following, at=at))
    if not one.client:
        names = context.names(due.to)
        text = say("{following} Next crisis report: {at} ({names}).", following=sheet.following, at=at, names=names)
        return context.t(text)
    updated = context.next_at is not None and (reader in context.next_to or not context.live)
    if updated and context.next_at == due.next_at:
        return context.t(say("Next update and crisis report: {at}, or as soon as the service is restored.", at=at))
    base = sheet.following if updated else context.t(say("Next message: as soon as the service is restored."))
    return context.t(say("{following} Next crisis report: {at}.", following=base, at=at))


def _short(one: _Report, title: str, *, opened: bool) -> str:
    values = {"reference": str(one.incident.id), "title": title}
    if opened:
        leader = one.who(one.incident.crisis.who(Role.LEADER))
        if leader:
            return one.context.t(say("{reference} {title}. CRISIS CELL, led by {leader}.", **values, leader=leader))
        return one.context.t(say("{reference} {title}. CRISIS CELL: say who leads it.", **values))
    return one.context.t(
        say("{reference} {title}. Crisis report: {plan}.", **values, plan=one.context.t(_counted(one)))
    )


def _counted(one: _Report) -> Text:
    """The action plan in figures."""
    actions = [each for each in one.incident.crisis.actions if each.state is not ActionState.DROPPED]
    if not actions:
        return say("the action plan is being drawn up") if one.client else say("the action plan is empty")
    done = sum(each.state is ActionState.DONE for each in actions)
    late = sum(each.late(one.context.now) for each in actions)
    if late:
        return say("actions: {count}, done: {done}, late: {late}", count=len(actions), done=done, late=late)
    return say("actions: {count}, done: {done}", count=len(actions), done=done)


def _facts(one: _Report) -> Facts:
    context, crisis = one.context, one.incident.crisis
    rows = [(context.t(say("Crisis cell:")), _cell(one)), (context.t(say("Action plan:")), context.t(_counted(one)))]
    actions = _in_order(crisis.actions)
    for action in actions[:MOST_ACTIONS]:
        rows.append((context.t(say("Action {n}:", n=action.n)), _action(action, one)))
    if len(actions) > MOST_ACTIONS:
        rows.append((context.t(say("Further actions:")), str(len(actions) - MOST_ACTIONS)))
    for decision in crisis.decisions[-MOST_DECISIONS:]:
        at = context.day_and_clock(decision.at)
        rows.append((context.t(say("Decided, {at}:", at=at)), one.said(decision.what)))
    needs = [need for need in crisis.needs if need.met_at is None]
    for need in needs[:MOST_NEEDS]:
        rows.append((context.t(say("Needed:")), one.said(need.what)))
    if len(needs) > MOST_NEEDS:
        rows.append((context.t(say("Further needs:")), str(len(needs) - MOST_NEEDS)))
    return tuple((label, value) for label, value in rows if value)


def _in_order(actions: tuple[Action, ...]) -> list[Action]:
    """What is still to be done first, by when it is due; then what is done or dropped, the latest first."""
    ended = sorted((each for each in actions if each.ended_at is not None), key=_when_ended, reverse=True)
    waiting = sorted((each for each in actions if each.ended_at is None), key=_when_due)
    return [*waiting, *ended]


def _when_due(action: Action) -> tuple[datetime, int]:
    return action.due_at or NO_DEADLINE, action.n


def _when_ended(action: Action) -> tuple[datetime, int]:
    return action.ended_at or NO_DEADLINE, action.n


def _action(action: Action, one: _Report) -> str:
    """What, who, until when, and how far: late is a word of its own."""
    context = one.context
    parts = [one.said(action.what)]
    if action.owner:
        parts.append(one.who(action.owner))
    if action.state is not ActionState.OPEN and action.ended_at is not None:
        state = say("done, {at}") if action.state is ActionState.DONE else say("dropped, {at}")
        parts.append(context.t(Text(state.template, (("at", context.day_and_clock(action.ended_at)),))))
    elif action.due_at is not None:
        parts.append(context.t(say("until {at}", at=context.day_and_clock(action.due_at))))
    if action.late(context.now):
        parts.append(context.t(say("LATE")))
    if action.result:
        parts.append(one.said(action.result))
    return " - ".join(parts)


def _cell(one: _Report) -> str:
    """Since when there is a cell, and who is in it; our own people also read that nobody leads it."""
    context, crisis = one.context, one.incident.crisis
    due, parts = context.crisis, list[str]()
    if due is not None:
        parts.append(context.t(say("since {at}", at=context.at(due.opens_at))))
    leader, scribe, liaison = (one.who(crisis.who(role)) for role in (Role.LEADER, Role.SCRIBE, Role.LIAISON))
    if leader:
        parts.append(context.t(say("led by {who}", who=leader)))
    elif not one.client:
        parts.append(context.t(say("nobody leads it yet")))
    if scribe and not one.client:
        parts.append(context.t(say("log kept by {who}", who=scribe)))
    if liaison:
        text = (
            say("your contact: {who}", who=liaison) if one.client else say("speaks with the client: {who}", who=liaison)
        )
        parts.append(context.t(text))
    return " - ".join(parts)


def _conference(one: _Report, *, opened: bool) -> Facts:
    """When the cell meets, and how one dials in, in the message that calls for it."""
    call, context = one.context.conference, one.context
    if call is None or not opened:
        return ()
    rows = ((context.t(say("Conference call:")), context.at(call.at)), (context.t(say("Dial-in:")), call.bridge))
    return tuple((label, value) for label, value in rows if value)


def _remarks(one: _Report, *, opened: bool) -> tuple[str, ...]:
    """Who is to lead, and from when on the interruption is a long one: then the redundant site is the next step."""
    context, found = one.context, list[Text]()
    if opened and not one.incident.crisis.who(Role.LEADER):
        found.append(
            say("Whoever is on it leads the crisis cell, else whoever reads this first: the first command says so.")
        )
    due = context.crisis
    if due is not None and due.long_at <= context.now and one.incident.open:
        found.append(_long(due, one))
    return tuple(context.t(text) for text in found)


def _long(due: CrisisDue, one: _Report) -> Text:
    at = one.context.at(due.long_at)
    if one.client:
        return say(
            "This interruption has counted as long since {at}: the next step is the redundant site, on which the "
            "crisis cell decides.",
            at=at,
        )
    return say(
        "This interruption has counted as long since {at}: the next step is the redundant site. Decide on it in the "
        "crisis cell; nothing there is started by itself.",
        at=at,
    )


def _commands(one: _Report, reader: str) -> tuple[str, ...]:
    """What our own people do next, as complete commands: who leads, what is late, what is to be done at all."""
    incident, found = one.incident, list[str]()
    if not incident.crisis.who(Role.LEADER):
        taken = incident.acknowledged_by
        leader = taken.removeprefix(CONTACT) if taken.startswith(CONTACT) else reader
        found.append(f"releve incident role {incident.id} leader {leader}")
    late = [each for each in _in_order(incident.crisis.actions) if each.late(one.context.now)]
    if late:
        found.append(f"releve incident action done {incident.id} {late[0].n}")
    elif not incident.crisis.open_actions:
        found.append(f'releve incident action add {incident.id} "..." --due {FIRST_DEADLINE}')
    found.append(f"releve incident show {incident.id}")
    return tuple(found[:MOST_COMMANDS])
