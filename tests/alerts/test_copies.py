"""What the first channel is owed later, by tables: what another one took, as long as nothing says it anew."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.agreement import Channel, Contact
from alerts.copies import WITHIN, Owed, copy_of, owed
from alerts.gsm import LIMIT, septets
from alerts.language import speech
from alerts.notice import Audience, Copy, Message, Notice, NoticeKey, NoticeState, Step
from monitor.core.ids import IncidentId, NodeId
from monitor.secret import Secret

AT = datetime(2026, 11, 22, 13, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AWA = Contact("awa", "Awa", {"mail": "awa@example.org", "sms": "+237600000000"}, ("mail", "sms"))
CHANNELS = {
    "mail": Channel("mail", Secret("mailto://127.0.0.1"), NodeId("fo")),
    "sms": Channel("sms", Secret("gammu:/var/spool/gammu")),
}
MESSAGE = Message(
    "Subject", "What.\nImpact.\nNext.\n\nCause: x\n", "<html><body><p>What.</p></body></html>", "x" * LIMIT
)


def told(step: Step = Step.FIRST_NOTICE, minutes: int = 0, n: int = 1, **more: object) -> Notice:
    """A notice that left by SMS in the place of mail, `minutes` after the beginning."""
    key = NoticeKey(IncidentId("26-0042"), Audience.INTERNAL, step, n, "awa")
    at = AT + minutes * MINUTE
    notice = Notice(key, at, at, key.message_id("site"), MESSAGE, "sms", "+237600000000", "en", first_choice="mail")
    return replace(notice, **{"state": NoticeState.SENT, "sent_at": at, **more})


def steps(*notices: Notice, at: datetime = AT + 90 * MINUTE, down: tuple[str, ...] = (), contact: Contact = AWA):
    found = owed(notices, {"awa": contact}, CHANNELS, [NodeId(name) for name in down], at)
    return [(one.notice.key.step, one.notice.key.n, one.channel, one.address) for one in found]


FIRST = (Step.FIRST_NOTICE, 1, "mail", "awa@example.org")


def test_what_another_channel_took_is_owed_to_the_first_one():
    assert steps(told()) == [FIRST]


@pytest.mark.parametrize(
    "changes",
    [
        {"channel": "mail", "address": "awa@example.org"},
        {"first_choice": ""},
        {"state": NoticeState.PENDING, "sent_at": None},
        {"state": NoticeState.SKIPPED, "sent_at": None},
        {"tried": ("mail",)},
        {"copy": Copy("mail", "awa@example.org", AT, "250")},
        {"copy": Copy("mail", "awa@example.org", None, "550")},
        {"address": "awa@example.org"},
        {"first_choice": "gone"},
    ],
    ids=", ".join,
)
def test_nothing_is_owed(changes):
    assert steps(told(**changes)) == []


@pytest.mark.parametrize("step", [Step.TEST, Step.DRAFT, Step.REMINDER])
def test_what_is_of_the_moment_is_not_owed_later(step):
    assert steps(told(step)) == []


def test_nothing_is_owed_while_the_way_is_down_nor_for_ever():
    assert steps(told(), down=("fo",)) == []
    assert steps(told(), at=AT + WITHIN) == [FIRST]
    assert steps(told(), at=AT + WITHIN + MINUTE) == []


def test_nothing_is_owed_to_whom_the_inventory_no_longer_leads():
    assert steps(told(), contact=replace(AWA, addresses={"sms": "+237600000000"})) == []


def test_of_updates_only_the_last_is_owed():
    assert steps(told(Step.UPDATE, 60), told(Step.UPDATE, 120, 2), at=AT + 150 * MINUTE) == [
        (Step.UPDATE, 2, "mail", "awa@example.org")
    ]
    by_mail = told(Step.UPDATE, 120, 2, channel="mail", address="awa@example.org")
    assert steps(told(Step.UPDATE, 60), by_mail, at=AT + 150 * MINUTE) == []


def test_of_what_went_into_another_incident_only_that_is_owed():
    assert steps(told(), told(Step.UPDATE, 20), told(Step.MERGED, 30)) == [(Step.MERGED, 1, "mail", "awa@example.org")]


def test_of_what_is_over_only_the_end_is_owed():
    end = told(Step.RESOLVED, 30)
    assert steps(told(), told(Step.UPDATE, 20), end) == [(Step.RESOLVED, 1, "mail", "awa@example.org")]
    by_mail = told(Step.RESOLVED, 30, channel="mail", address="awa@example.org")
    assert steps(told(), by_mail) == []
    again = told(Step.FIRST_NOTICE, 40, 2)
    assert (Step.FIRST_NOTICE, 2, "mail", "awa@example.org") in steps(told(), by_mail, again)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_copy_is_the_same_message_under_the_same_number_and_says_that_it_is_one(language):
    notice = replace(told(), language=language)
    given = copy_of(Owed(notice, "mail", "awa@example.org"), speech(language, "Africa/Douala"), AT + MINUTE)
    assert (given.message_id, given.key, given.created_at) == (notice.message_id, notice.key, notice.created_at)
    assert (given.channel, given.address) == ("mail", "awa@example.org")
    lines = given.message.text.splitlines()
    assert lines[:3] == ["What.", "Impact.", "Next."]
    assert "sms" in lines[4]
    assert "14" in lines[4]
    assert lines[4] in given.message.html.replace("&#x27;", "'")
    assert given.message.subject.startswith("Subject ")
    assert septets(given.message.short) == LIMIT or (septets(given.message.short) or 999) < LIMIT
