"""What a message needs to know beyond the notice and its incident, and the times of one reader."""

from __future__ import annotations

import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.moved import Moved
from alerts.own_words import OURS, OwnWords
from alerts.unrelieved import Unrelieved
from monitor.core.answer import CONTACT
from monitor.core.ids import IncidentId
from monitor.core.impact import Outlook
from monitor.core.incident import Incident
from monitor.core.text import NO_BREAK_SPACE, Speech, Text, say

LONGEST_LINE = 300
UID = "uid:"
"""Begins the actor of who came over the local socket: the number of the account."""


def person(actor: str, people: Mapping[str, str] | None = None) -> str:
    """Return who acted: the name of an account, or of a contact (`people`: names by id).

    Whoever has none on this machine stays as the record has it.
    """
    if actor.startswith(CONTACT):
        contact = actor.removeprefix(CONTACT)
        return (people or {}).get(contact, contact)
    number = actor.removeprefix(UID)
    if number == actor or not number.isdecimal():
        return actor
    try:
        return pwd.getpwuid(int(number)).pw_name
    except (KeyError, OverflowError):
        return actor


@dataclass(frozen=True, slots=True)
class AnnouncedWork:
    """The announced work that an incident belongs to: its `title` in the reader's language, and its planned end."""

    title: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Conference:
    """A conference call: when, how one dials in, and the names of those who are to come."""

    at: datetime
    bridge: str
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CrisisDue:
    """A crisis cell: from when on there is one, when it reports next and to whom (None, empty: it does not).

    `long_at`: from when on the interruption counts as long.
    """

    opens_at: datetime
    next_at: datetime | None
    to: tuple[str, ...]
    long_at: datetime


@dataclass(frozen=True, slots=True)
class Drafted:
    """An update to come: when, and its first three lines."""

    at: datetime
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """The site, the reader, and the moment of writing.

    `speech`: how the reader is spoken to. `now`: guarded time (UTC). `next_at`: the client's next update,
    `next_to` whom it goes to. `title`, `usual_cause`: the inventory's own words for this kind in the reader's language,
    empty for the built-in ones. `node`: the device or link on which the root cause stands. `target`: how long the
    kind may last. `runbook`: with what Relève may repair it by itself, empty for nothing. `private`: names and
    addresses that are blanked in what a person wrote before a client reads it. `people`: names of contacts by id.
    `alerted`: our own people were told. `live`: False while operations get what is the client's. `channel`: by which a
    test goes. `trusted`: False while the machine's clock cannot be believed. `url`: base of links, empty for none.
    `outlook`: what each service of the inventory is able to do now. `work`: what the incident was announced as.
    `handed`: what is handed over to whoever comes on duty, each incident with its own context.
    `escalates_at`: when the next of our own people, `escalates_to`, are told unless somebody acknowledges.
    `ack_link`, `ack_code` (by SMS): by which the reader says that they are on it, empty for none.
    `draft`: the update to come. `own`: what the site says otherwise in such a message. `move`: the
    move of a group that it is about. `unrelieved`: that nobody is the active Relève. `escalated`: those of
    `handed` that the reader is told of because nobody answers.
    """

    site: str
    speech: Speech
    now: datetime
    next_at: datetime | None = None
    next_to: tuple[str, ...] = ()
    title: str = ""
    usual_cause: str = ""
    node: str = ""
    target: timedelta | None = None
    runbook: str = ""
    private: tuple[str, ...] = ()
    people: Mapping[str, str] = field(default_factory=dict)
    alerted: bool = True
    live: bool = True
    channel: str = ""
    trusted: bool = True
    audit_head: str = ""
    url: str = ""
    outlook: tuple[Outlook, ...] = ()
    work: AnnouncedWork | None = None
    conference: Conference | None = None
    crisis: CrisisDue | None = None
    handed: tuple[tuple[Incident, Context], ...] = ()
    escalates_at: datetime | None = None
    escalates_to: tuple[str, ...] = ()
    ack_link: str = ""
    ack_code: str = ""
    draft: Drafted | None = None
    own: OwnWords = OURS
    move: Moved | None = None
    unrelieved: Unrelieved | None = None
    escalated: frozenset[IncidentId] = frozenset()

    def t(self, text: Text) -> str:
        """Return `text` in the reader's words."""
        return self.speech.render(text)

    def line(self, text: Text | str) -> str:
        """Return words of a device or a person in one line of fair length."""
        words = " ".join((text if isinstance(text, str) else self.t(text)).split())
        return words if len(words) <= LONGEST_LINE else words[: LONGEST_LINE - 1] + "…"

    def at(self, moment: datetime) -> str:
        """Return a moment as the reader writes it, with the zone's name: `14 h 05, heure de Douala`.

        The day stands before it when it is not today at the site.
        """
        city, shown = self._city(), self.day_and_clock(moment)
        if not city:
            return self.t(say("{time} UTC", time=shown))
        if self.speech.language == "fr" and city[0].lower() in "aeiouyhàâéèêëîïôöûü":
            return self.t(say("{time}, time at {city}", time=shown, city=city))
        return self.t(say("{time}, {city} time", time=shown, city=city))

    def day_and_clock(self, moment: datetime) -> str:
        """Return the time of day, with the day before it when it is not today at the site."""
        clock = self.speech.clock(moment)
        if self.speech.date(moment) == self.speech.date(self.now):
            return clock
        return self.t(say("{date} at {time}", date=self.speech.date(moment), time=clock))

    def span(self, length: timedelta) -> str:
        """Return a length of time in words."""
        return self.speech.duration(max(timedelta(), length)).replace(" ", NO_BREAK_SPACE)

    def names(self, contacts: tuple[str, ...]) -> str:
        """Return the names of contacts in one line."""
        return ", ".join(self.people.get(contact, contact) for contact in contacts)

    def _city(self) -> str:
        key = getattr(self.speech.zone, "key", "")
        if "/" not in key or key.startswith("Etc/"):
            return ""
        return str(key.rpartition("/")[2]).replace("_", " ")
