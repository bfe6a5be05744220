"""The invitation to a conference call, as calendars take it (RFC 5545; how it is answered and taken back: RFC 5546).

icalendar is imported with the first one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

PRODUCT = "-//Releve//Releve//FR"
LENGTH = timedelta(hours=1)
"""For how long the call is entered in calendars; it may end sooner, and the next update comes then."""


class Method(StrEnum):
    """What the calendar is asked to do (RFC 5546, 1.4)."""

    REQUEST = "REQUEST"
    CANCEL = "CANCEL"


@dataclass(frozen=True, slots=True)
class Meeting:
    """A call: `uid` the same for the invitation and what takes it back, `invited` names and mail addresses."""

    uid: str
    starts_at: datetime
    title: str
    words: str
    place: str
    invited: Sequence[tuple[str, str]]


def invitation(meeting: Meeting, method: Method, written_at: datetime, revision: int = 0) -> str:
    """Return the meeting as a calendar file without its organiser, whom only the sending knows.

    The same for the same arguments. `written_at` becomes DTSTAMP; times are UTC, which no calendar misreads.
    `revision`: how often what it says has changed. A calendar keeps the highest that it knows; what takes the meeting
    back is above them all (RFC 5546, 3.2.2.1 and 3.2.5).
    """
    from icalendar import Calendar, Event, vCalAddress, vText  # noqa: PLC0415 - 0.1 s, for one message in a thousand

    event = Event()
    event.add("uid", meeting.uid)
    event.add("sequence", revision if method is Method.REQUEST else revision + 1)
    event.add("status", "CONFIRMED" if method is Method.REQUEST else "CANCELLED")
    event.add("dtstamp", written_at.astimezone(UTC).replace(microsecond=0))
    event.add("dtstart", meeting.starts_at.astimezone(UTC).replace(microsecond=0))
    event.add("dtend", (meeting.starts_at + LENGTH).astimezone(UTC).replace(microsecond=0))
    event.add("summary", meeting.title)
    event.add("description", meeting.words)
    if meeting.place:
        event.add("location", meeting.place)
    for name, address in meeting.invited:
        guest = vCalAddress(f"mailto:{address}")
        guest.params["CN"] = vText(name)
        guest.params["ROLE"] = vText("REQ-PARTICIPANT")
        guest.params["PARTSTAT"] = vText("NEEDS-ACTION")
        guest.params["RSVP"] = vText("TRUE")
        event.add("attendee", guest, encode=False)
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method.value)
    calendar.add_component(event)
    text: str = calendar.to_ical().decode("utf-8")
    return text


def organised(text: str, name: str, address: str) -> tuple[str, Method]:
    """Return the calendar file `text` with its organiser, who is the sender of the mail, and its method."""
    from icalendar import Calendar, vCalAddress, vText  # noqa: PLC0415 - likewise

    calendar = Calendar.from_ical(text)
    organiser = vCalAddress(f"mailto:{address}")
    organiser.params["CN"] = vText(name)
    for event in calendar.walk("VEVENT"):
        event.add("organizer", organiser, encode=False)
    whole: str = calendar.to_ical().decode("utf-8")
    return whole, Method(str(calendar["method"]))
