"""What a contact answers to a message: only that they are on it, and only to what the message was about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from monitor.core.events import Event
from monitor.core.incident import Incident, Refused, acknowledge
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


class Standing(StrEnum):
    """What an answer to a message still does."""

    WANTED = "wanted"
    TAKEN = "taken"
    """Somebody is on it already."""
    OVER = "over"
    """The incident has ended."""
    OUTDATED = "outdated"
    """It goes on, but the message was about an earlier stage of it."""


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


def answered(incident: Incident, contact: str, name: str, way: Way, stage: Stage | None, now: datetime) -> Event:
    """Return the event that `contact`, who is called `name`, takes charge by `way`. Raises NotWanted.

    It can be given twice: the second one finds that somebody is on it.
    """
    stands = standing(incident, stage)
    if stands is not Standing.WANTED:
        raise NotWanted(stands, WHY_NOT[stands])
    event = acknowledge(incident, f"{CONTACT}{contact}", now)
    text = Text(BY[way].template, (("name", name),))
    return replace(event, text=text, data={"way": way.value, "name": name})


WHY_NOT: dict[Standing, Text] = {
    Standing.TAKEN: say("Somebody is on it already."),
    Standing.OVER: say("It is over."),
    Standing.OUTDATED: say("It has come back or been taken up again since: a newer message asks anew."),
}
