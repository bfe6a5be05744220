"""The invitation to a conference call, as a calendar reads it; checked by eye where a library would check itself."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from alerts.invitation import LENGTH, Meeting, Method, invitation, organised
from tests.alerts import calendar_file

STARTS = datetime(2026, 11, 22, 15, 15, tzinfo=timezone(timedelta(hours=1)))
WRITTEN = datetime(2026, 11, 22, 14, 5, 0, 123456, tzinfo=UTC)
MEETING = Meeting(
    uid="0123456789abcdef@releve.example.org",
    starts_at=STARTS,
    title="[Relève] 26-0042 Liaison coupée : conférence à 15 h 15",
    words="Impact : appels interrompus.\nCause : pas encore connue ; fibre, peut-être\n",
    place="+237 000, code 1",
    invited=[("DSI OCM", "dsi@example.org"), ('Desk "ATT"; nuit', "att@example.org")],
)


def lines(text: str) -> list[str]:
    """The content lines, unfolded (RFC 5545, 3.1)."""
    return text.replace("\r\n ", "").split("\r\n")


def test_it_says_in_the_words_of_the_standard_who_is_asked_to_come_when():
    whole, method = organised(invitation(MEETING, Method.REQUEST, WRITTEN), "Média Contact", "noc@example.org")
    said = lines(whole)
    assert method is Method.REQUEST
    for line in (
        "METHOD:REQUEST",
        "UID:0123456789abcdef@releve.example.org",
        "SEQUENCE:0",
        "STATUS:CONFIRMED",
        "DTSTAMP:20261122T140500Z",
        "DTSTART:20261122T141500Z",
        "DTEND:20261122T151500Z",
        "LOCATION:+237 000\\, code 1",
        "DESCRIPTION:Impact : appels interrompus.\\nCause : pas encore connue \\; fibre\\, peut-être\\n",
    ):
        assert line in said
    assert any(re.fullmatch(r"ORGANIZER;CN=\"?Média Contact\"?:mailto:noc@example.org", line) for line in said)
    guests = [line for line in said if line.startswith("ATTENDEE")]
    assert [line.rpartition(":mailto:")[2] for line in guests] == ["dsi@example.org", "att@example.org"]
    assert all("RSVP=TRUE" in line and "PARTSTAT=NEEDS-ACTION" in line for line in guests)
    assert all(len(line.encode()) <= 75 for line in whole.split("\r\n"))


def test_it_is_taken_back_under_the_same_name_with_a_later_number():
    off, method = organised(invitation(MEETING, Method.CANCEL, WRITTEN), "Média Contact", "noc@example.org")
    said = lines(off)
    assert method is Method.CANCEL
    assert {"METHOD:CANCEL", "STATUS:CANCELLED", "SEQUENCE:1", f"UID:{MEETING.uid}"} <= set(said)


def test_a_second_attempt_gives_the_same_octets():
    assert invitation(MEETING, Method.REQUEST, WRITTEN) == invitation(MEETING, Method.REQUEST, WRITTEN)


@pytest.mark.parametrize("place", ["", "https://example.org/pont?x=1;y=2"])
def test_the_place_is_how_one_dials_in_and_may_be_unknown(place):
    meeting = Meeting(MEETING.uid, STARTS, "t", "w", place, [])
    event = Calendar.from_ical(invitation(meeting, Method.REQUEST, WRITTEN)).walk("VEVENT")[0]
    assert str(event.get("location", "")) == place


words = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=80)


@given(words, words, words, words)
def test_no_word_that_anybody_wrote_becomes_a_line_of_its_own(title, text, place, name):
    meeting = Meeting("u@x", STARTS, title, text, place, [(name, "att@example.org")])
    whole, _ = organised(invitation(meeting, Method.REQUEST, WRITTEN), name, "noc@example.org")
    (event,) = Calendar.from_ical(whole).walk("VEVENT")
    assert str(event["summary"]) == title
    assert str(event["description"]) == text
    assert event.decoded("dtend") - event.decoded("dtstart") == LENGTH
    assert {line.partition(":")[0].partition(";")[0] for line in lines(whole) if line} <= {
        "BEGIN", "END", "VERSION", "PRODID", "METHOD", "SUMMARY", "DTSTART", "DTEND", "DTSTAMP", "UID", "SEQUENCE",
        "ATTENDEE", "ORGANIZER", "DESCRIPTION", "LOCATION", "STATUS",
    }  # fmt: skip


@given(words, words, words, words, st.integers(0, 99))
def test_a_reader_of_another_make_reads_the_same(title, text, place, name, revision):
    meeting = Meeting("u@x", STARTS, title, text, place, [(name, "att@example.org"), ("DSI", "dsi@example.org")])
    for method, sequence in ((Method.REQUEST, revision), (Method.CANCEL, revision + 1)):
        whole, _ = organised(invitation(meeting, method, WRITTEN, revision), name, "noc@example.org")
        said, event = calendar_file.meeting(whole)
        assert said == method.value
        assert (event.one("UID"), event.one("SEQUENCE"), event.one("DTSTART")) == (
            "u@x",
            str(sequence),
            "20261122T141500Z",
        )
        assert (event.one("SUMMARY"), event.one("DESCRIPTION"), event.one("LOCATION")) == (title, text, place)
        guests = [(guest.get("ROLE"), value) for guest, value in event.every("ATTENDEE")]
        assert guests == [("REQ-PARTICIPANT", f"mailto:{each}@example.org") for each in ("att", "dsi")]
        assert event.one("ORGANIZER") == "mailto:noc@example.org"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("\r\n", "\n"),
        lambda text: text.replace("END:VEVENT\r\n", ""),
        lambda text: text.replace("\\,", ","),
        lambda text: text.replace("SEQUENCE:0", "SEQUENCE:0\r\nSEQUENCE:1"),
        lambda text: text.replace("DTSTAMP:20261122T140500Z", "DTSTAMP:20261122T140500"),
        lambda text: text.replace("PRODID", "PRODID" * 20),
    ],
)
def test_the_reader_of_another_make_is_strict(spoil):
    whole, _ = organised(invitation(MEETING, Method.REQUEST, WRITTEN), "Média Contact", "noc@example.org")
    assert spoil(whole) != whole
    with pytest.raises(calendar_file.Malformed):
        calendar_file.meeting(spoil(whole))
