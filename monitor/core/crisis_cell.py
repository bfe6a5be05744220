"""What people of a crisis cell do: each function returns the next event of the incident, or refuses with a reason.

All of it is taken after the end of the incident as well: what is left to be done then is the review's action plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from monitor.core.attachment import LARGEST, MOST_FILES
from monitor.core.crisis import Action, ActionState, Need, Role
from monitor.core.events import Event, EventKind
from monitor.core.incident import Incident, Refused
from monitor.core.text import Quantity, Text, say

MOST = 200
"""Actions, decisions or needs of one incident: more than anybody reads, and a message stays one."""
LONGEST = 500
"""Characters of one of them; the story goes into a note."""
LONGEST_NAME = 80

APPOINTED = {
    Role.LEADER: say("Leads the crisis cell: {who}"),
    Role.SCRIBE: say("Keeps the crisis cell's log: {who}"),
    Role.LIAISON: say("Speaks with the client: {who}"),
}
"""What is said of whoever has a role, to be filled in with `who`."""
ENDED = {
    ActionState.DONE: say("Action {n} is done: {what}"),
    ActionState.DROPPED: say("Action {n} is dropped: {what}"),
    ActionState.OPEN: say("Action {n} is to be done after all: {what}"),
}


def add_action(
    incident: Incident, actor: str, now: datetime, what: str, owner: str = "", due_at: datetime | None = None
) -> Event:
    """Return the event that `actor` puts an action on the plan, for `owner` (a contact or a name) until `due_at`.

    Raises Refused for no words or too many, for too many actions, and for a deadline that is past.
    """
    what, owner = own_words(what), _name(owner)
    _room(len(incident.crisis.actions))
    if due_at is not None and due_at <= now:
        raise Refused(say("that time is past: write one that is to come, such as 18:00 or 2h"))
    n = len(incident.crisis.actions) + 1
    data: dict[str, Any] = {"n": n, "what": what} | ({"owner": owner} if owner else {})
    if due_at is not None:
        data["due_at"] = due_at.isoformat()
    text = say("Action {n}: {what}", n=n, what=what)
    if owner:
        text = say("Action {n}: {what} ({owner})", n=n, what=what, owner=owner)
    return _event(incident, actor, now, EventKind.ACTION, text, data)


def end_action(incident: Incident, actor: str, now: datetime, n: int, state: ActionState, result: str = "") -> Event:
    """Return the event that action `n` is done or dropped (or open again), with what came of it.

    Raises Refused for a number that there is not, and for what is so already.
    """
    action = _action(incident, n)
    if action.state is state:
        raise Refused(say("action {n} is so already", n=n))
    text = Text(ENDED[state].template, (("n", n), ("what", action.what)))
    result = own_words(result) if result.strip() else ""
    if result:
        text = say("{text} - {result}", text=text, result=result)
    data: dict[str, Any] = {"n": n, "state": state.value} | ({"result": result} if result else {})
    return _event(incident, actor, now, EventKind.ACTION_ENDED, text, data)


def decide(incident: Incident, actor: str, now: datetime, what: str) -> Event:
    """Return the event that something was decided. Raises Refused for no words or too many."""
    what = own_words(what)
    _room(len(incident.crisis.decisions))
    data = {"n": len(incident.crisis.decisions) + 1, "what": what}
    return _event(incident, actor, now, EventKind.DECISION, say("Decision: {what}", what=what), data)


def need(incident: Incident, actor: str, now: datetime, what: str) -> Event:
    """Return the event that the cell needs something. Raises Refused for no words or too many."""
    what = own_words(what)
    _room(len(incident.crisis.needs))
    n = len(incident.crisis.needs) + 1
    return _event(incident, actor, now, EventKind.NEED, say("Need {n}: {what}", n=n, what=what), {"n": n, "what": what})


def meet_need(incident: Incident, actor: str, now: datetime, n: int) -> Event:
    """Return the event that the cell has what it needed. Raises Refused for a number that there is not, or twice."""
    found = _need(incident, n)
    if found.met_at is not None:
        raise Refused(say("need {n} is met already", n=n))
    return _event(
        incident, actor, now, EventKind.NEED_MET, say("Need {n} is met: {what}", n=n, what=found.what), {"n": n}
    )


def appoint(incident: Incident, actor: str, now: datetime, role: Role, who: str) -> Event:
    """Return the event that `who` (a contact or a name) has `role` from now on. Raises Refused for no name."""
    name = _name(who)
    if not name:
        raise Refused(say("say who: a contact of the inventory, or a name"))
    text = Text(APPOINTED[role].template, (("who", name),))
    return _event(incident, actor, now, EventKind.ROLE, text, {"role": role.value, "who": name})


def attach(incident: Incident, actor: str, now: datetime, name: str, size: int, sha256: str) -> Event:
    """Return the event that a file, which is kept already, was attached under the cleaned `name`.

    Raises Refused for one that is empty or too large, one too many, and one that is attached already.
    """
    known = incident.crisis.attachments
    if not size:
        raise Refused(say("{name} is empty", name=name))
    if size > LARGEST:
        raise Refused(say("{name} is larger than {most}", name=name, most=Quantity(LARGEST, "By")))
    if any((one.sha256, one.name) == (sha256, name) for one in known):
        raise Refused(say("{name} is attached already", name=name))
    if len(known) >= MOST_FILES:
        raise Refused(say("incident {id} has {most} files already", id=incident.id, most=MOST_FILES))
    text = say("Attached: {name} ({size})", name=name, size=Quantity(size, "By"))
    data = {"n": len(known) + 1, "name": name, "size": size, "sha256": sha256}
    return _event(incident, actor, now, EventKind.ATTACHED, text, data)


def _event(
    incident: Incident, actor: str, now: datetime, kind: EventKind, text: Text, data: Mapping[str, Any]
) -> Event:
    return Event(incident.id, now, kind, actor, text, data=data)


def own_words(text: str) -> str:
    """Return a person's words in one line. Raises Refused for none, for the dots of a pasted command, for a page."""
    words = " ".join(text.split())
    if not words.strip(". …"):
        raise Refused(say("write your own words"))
    if len(words) > LONGEST:
        raise Refused(say("at most {most} characters: write the rest as a note", most=LONGEST))
    return words


def _name(text: str) -> str:
    name = " ".join(text.split())
    if len(name) > LONGEST_NAME:
        raise Refused(say("a name has at most {most} characters", most=LONGEST_NAME))
    return name


def _room(count: int) -> None:
    if count >= MOST:
        raise Refused(say("there are {most} of them already: write it as a note", most=MOST))


def _action(incident: Incident, n: int) -> Action:
    actions = incident.crisis.actions
    if not 1 <= n <= len(actions):
        command = f"releve incident action list {incident.id}"
        raise Refused(
            say("incident {id} has no action {n}; `{command}` shows them", id=incident.id, n=n, command=command)
        )
    return actions[n - 1]


def _need(incident: Incident, n: int) -> Need:
    needs = incident.crisis.needs
    if not 1 <= n <= len(needs):
        command = f"releve incident show {incident.id}"
        raise Refused(
            say("incident {id} has no need {n}; `{command}` shows them", id=incident.id, n=n, command=command)
        )
    return needs[n - 1]
