"""What a contact answers to a message: only that they are on it, and only to what the message was about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from monitor.core.by_hand import acknowledge
from monitor.core.events import Event, EventKind
from monitor.core.incident import Incident, Refused
from monitor.core.text import Text, say

CONTACT = "contact:"
"""Begins the actor of who answered a message: the contact's id in the inventory."""


class Way(StrEnum):
    """How an answer came. The names are stored: add, do not rename."""

    LINK = "link"
    MAIL = "mail"
    SMS = "sms"


BY: dict[Way, Text] = {
    Way.LINK: say("Acknowledged by {name}, by the link in a message"),
    Way.MAIL: say("Acknowledged by {name}, by an answer to a mail"),
    Way.SMS: say("Acknowledged by {name}, by an answer to an SMS"),
}
"""What the timeline says, to be filled in with `name`."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What a message asked to be acknowledged: the `episode`, and how often an acknowledgement had lapsed by then.

    An answer to an earlier stage says nothing of the present one: whoever gave it may not know that it has come back.
    """

    episode: int
    lapses: int


def stage_of(incident: Incident) -> Stage:
    """Return the stage in which `incident` is."""
    return Stage(incident.episode, incident.lapses)


def stage_at(incident: Incident, moment: datetime) -> Stage:
    """Return the stage in which `incident` was at `moment`, when a message was written."""
    before = [event.kind for event in incident.timeline if event.at <= moment]
    return Stage(1 + before.count(EventKind.REOPENED), before.count(EventKind.UNACKNOWLEDGED))


class Standing(StrEnum):
    """What an answer to a message still does."""

    WANTED = "wanted"
    TAKEN = "taken"
    """Somebody is on it already."""
    OVER = "over"
    """The incident has ended."""
    OUTDATED = "outdated"
    """It goes on, but the message was about an earlier stage of it."""
    HEARD = "heard"
    """This very answer was taken before."""


def standing(incident: Incident, stage: Stage | None) -> Standing:
    """Return what an answer to the message of `stage` does to `incident` now; None for a message of any stage."""
    if not incident.open:
        return Standing.OVER
    if incident.acknowledged_at is not None:
        return Standing.TAKEN
    return Standing.WANTED if stage in (None, stage_of(incident)) else Standing.OUTDATED


class NotWanted(Refused):
    """The answer changes nothing: `standing` says why."""

    def __init__(self, standing: Standing, text: Text) -> None:
        super().__init__(text)
        self.standing = standing


@dataclass(frozen=True, slots=True)
class Answer:
    """`contact` says by `way` that they are on it; `stage`: what they were asked, `id`: which answer it is, if any."""

    contact: str
    way: Way
    stage: Stage | None = None
    id: str = ""


def answered(incident: Incident, answer: Answer, name: str, now: datetime) -> Event:
    """Return the event that the contact, who is called `name`, takes charge. Raises NotWanted.

    It can be given twice, also after a crash and when nobody is on it any more: the second one changes nothing.
    """
    heard = answer.id and any(event.data.get("answer") == answer.id for event in incident.timeline)
    stands = Standing.HEARD if heard else standing(incident, answer.stage)
    if stands is not Standing.WANTED:
        raise NotWanted(stands, WHY_NOT[stands])
    event = acknowledge(incident, f"{CONTACT}{answer.contact}", now)
    data = {"way": answer.way.value, "name": name, **({"answer": answer.id} if answer.id else {})}
    return replace(event, text=Text(BY[answer.way].template, (("name", name),)), data=data)


WHY_NOT: dict[Standing, Text] = {
    Standing.HEARD: say("This answer was taken before."),
    Standing.TAKEN: say("Somebody is on it already."),
    Standing.OVER: say("It is over."),
    Standing.OUTDATED: say("It has come back or been taken up again since: a newer message asks anew."),
}
