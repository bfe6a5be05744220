"""What is proof that the right people were told, and what is not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest

from lab.mailbox import Letter
from lab.modem import Sms
from lab.proof import Received, Story, faults_of, received
from monitor.core.text import Speech

FAULT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
ATT, ADMIN, PHONE = "att@example.org", "admin@example.org", "+237600000000"
STORY = Story(FAULT, FAULT + timedelta(seconds=30), ATT, frozenset({ADMIN, PHONE}))
ENGLISH = Speech("en", lambda template: template)


def one(after: float, to: str, step: str, n: int = 1, **changes: object) -> Received:
    audience = "client" if to == ATT else "internal"
    message = Received(
        FAULT + timedelta(seconds=after),
        "mail", to, "26-0001", audience, step, n, f"{to}{step}{n}@id", "26-0001 Link", "Reference: 26-0001",
    )  # fmt: skip
    return replace(message, **changes)


GOOD = (
    one(3, ATT, "first_notice"),
    one(3, ADMIN, "first_notice"),
    one(13, ATT, "update", 1),
    one(26, ATT, "update", 2),
    one(32, ATT, "resolved"),
    one(32, ADMIN, "resolved"),
)


def without(*places: int) -> tuple[Received, ...]:
    return tuple(message for place, message in enumerate(GOOD) if place not in places)


def changed(place: int, **changes: object) -> tuple[Received, ...]:
    return tuple(replace(message, **changes) if n == place else message for n, message in enumerate(GOOD))


def test_a_story_that_was_told_as_it_should_be_has_no_fault():
    assert faults_of(GOOD, STORY) == ()


def test_operations_may_be_told_by_sms():
    sms = Received(FAULT + timedelta(seconds=4), "sms", PHONE, "26-0001", "", "", 0, "note", "", "26-0001 Critical")
    assert faults_of((*without(1), sms), STORY) == ()


@pytest.mark.parametrize(
    ("evidence", "fault"),
    [
        ((), "one incident was to be told, not 0: "),
        ((*GOOD, one(40, ADMIN, "first_notice", 2, reference="26-0002", text="26-0002")), "not 2: 26-0001, 26-0002"),
        (without(0), "the client received 0 first notices instead of one"),
        ((*GOOD, one(5, ATT, "first_notice", 2)), "the client received 2 first notices instead of one"),
        (without(2, 3), "the client received no update"),
        ((*GOOD, one(27, ATT, "update", 2, message_id="other")), "the client received an update twice"),
        (without(4), "the client received 0 messages of the end instead of one"),
        (changed(0, at=FAULT + timedelta(seconds=31)), "the client's first notice came 31 s after the fault"),
        (changed(2, at=FAULT + timedelta(seconds=2)), "the client's messages came in the wrong order"),
        (changed(3, at=FAULT + timedelta(seconds=33)), "the client's messages came in the wrong order"),
        (changed(4, at=FAULT + timedelta(seconds=29)), "the client was told that it is over before it was"),
        (without(1), "operations were told nothing while it lasted"),
        (without(5), "operations were not told that it is over"),
        ((*GOOD, one(4, "dsi@example.org", "first_notice")), "people were told who are not concerned: dsi@example.org"),
        ((*GOOD, one(4, ADMIN, "update", audience="client")), "the client and our own people were mixed up"),
        ((*GOOD, GOOD[2]), "a Message-ID came twice"),
        (changed(2, text="nothing", subject="nothing"), "a message does not name its reference"),
        (changed(2, text="26-0001 at 127.0.0.1"), "a message to the client names an address of the site"),
    ],
)
def test_every_way_of_telling_it_wrong_is_found(evidence, fault):
    found = [ENGLISH.render(text).replace("\u00a0", " ") for text in faults_of(evidence, STORY)]
    assert any(fault in text for text in found), found


def test_an_end_that_never_came_is_no_end():
    found = [ENGLISH.render(text) for text in faults_of(GOOD, replace(STORY, repaired_at=None))]
    assert "the client was told that it is over before it was" in found


def test_letters_and_short_messages_become_evidence_in_the_order_of_their_arrival():
    message = EmailMessage()
    message["X-Releve-Key"] = "26-0001/client/update/3/att"
    letter = Letter(FAULT + timedelta(seconds=9), ATT, "Subject", "id@site", "text", message)
    sms = Sms(FAULT, PHONE, "26-0001 Critical: link", "0123")
    stranger = Letter(FAULT + timedelta(seconds=10), "x@y", "Hello", "spam@site", "", EmailMessage())
    first, second, third = received([letter, stranger], [sms])
    assert (first.channel, first.reference, first.message_id) == ("sms", "26-0001", "0123")
    assert (second.reference, second.audience, second.step, second.n) == ("26-0001", "client", "update", 3)
    assert (third.reference, third.step) == ("", "")
