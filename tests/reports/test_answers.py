"""What a server answered stands beside what it answered to the copy that followed."""

from dataclasses import replace
from datetime import UTC, datetime

from alerts.context import Context
from alerts.language import speech
from alerts.notice import Audience, Copy, Message, Notice, NoticeKey, NoticeState, Step
from monitor.core.ids import IncidentId
from monitor.reports.answers import answer_of
from monitor.reports.milestones import is_late

AT = datetime(2026, 11, 23, 13, 3, tzinfo=UTC)
KEY = NoticeKey(IncidentId("26-0007"), Audience.INTERNAL, Step.CONFERENCE_UPDATED, 1, "awa")
NOTICE = Notice(
    KEY, AT, AT, "id", Message("s", "t", "h", "s"), "sms", "+237", "en", NoticeState.SENT, sent_at=AT, answer="taken"
)
CONTEXT = Context("Site", speech("en", "Africa/Douala"), AT)


def shown(notice: Notice) -> str:
    answer = answer_of(notice, CONTEXT)
    return answer if isinstance(answer, str) else CONTEXT.t(answer)


def test_a_copy_is_told_with_its_own_answer_and_moment():
    assert shown(NOTICE) == "taken"
    assert (
        shown(replace(NOTICE, copy=Copy("mail", "a@b", AT, "250 queued"))) == "taken (copy by mail, 14:03: 250 queued)"
    )
    refused = replace(NOTICE, copy=Copy("mail", "a@b", None, "550 no"))
    assert shown(refused) == "taken (copy by mail, refused: 550 no)"


def test_a_revised_invitation_is_due_at_the_very_moment_of_which_it_tells():
    assert not is_late(replace(NOTICE, sent_at=AT.replace(second=40)), AT)
    assert is_late(replace(NOTICE, sent_at=AT.replace(minute=5)), AT)
