"""The way of a notice: whose turn it is, when again, and when never."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.agreement import Channel, Contact
from alerts.delivery import GIVE_UP, LONGEST_WAIT, PATIENCE, Again, Dead, Other, after_failure, retry_at, route
from alerts.notice import Audience, Message, Notice, NoticeKey, Step
from alerts.parcel import TransportError
from monitor.core.ids import IncidentId, NodeId
from monitor.core.text import say
from monitor.secret import Secret

FO = NodeId("fo")
NOW = datetime(2026, 11, 22, 13, 5, tzinfo=UTC)
KEY = NoticeKey(IncidentId("26-0042"), Audience.CLIENT, Step.UPDATE, 3, "awa")
CHANNELS = {
    "mail": Channel("mail", Secret("env:M"), FO),
    "sms": Channel("sms", Secret("env:S")),
    "chat": Channel("chat", Secret("env:C")),
}
AWA = Contact("awa", "Awa", {"mail": "awa@example.org", "sms": "+237600000000"}, ("mail", "sms"))
NOTICE = Notice(KEY, NOW, NOW, "id", Message("s", "t", "h", "x"), "mail", "awa@example.org", "fr")
SOON, MOMENT = TransportError(say("busy")), timedelta(seconds=1)
NEVER, OURS = TransportError(say("no such user"), permanent=True), TransportError(say("wrong password"), ours=True)


@pytest.mark.parametrize(
    ("contact", "down", "tried", "way"),
    [
        (AWA, (), (), ("mail", "awa@example.org")),
        (AWA, (FO,), (), ("sms", "+237600000000")),
        (AWA, (), ("mail",), ("sms", "+237600000000")),
        (AWA, (FO,), ("sms",), ("mail", "awa@example.org")),
        (AWA, (), ("mail", "sms"), None),
        (replace(AWA, order=("sms", "mail")), (), (), ("sms", "+237600000000")),
        (replace(AWA, order=("fax", "chat", "sms")), (), (), ("sms", "+237600000000")),
        (replace(AWA, order=()), (), (), None),
    ],
)
def test_the_contacts_order_counts_and_what_is_down_goes_last(contact, down, tried, way):
    assert route(contact, CHANNELS, down, tried) == way


def after(notice: Notice, error: TransportError, down: tuple[NodeId, ...] = (), at: datetime = NOW) -> object:
    return after_failure(notice, error, AWA, CHANNELS, down, at)


def test_a_passing_failure_is_tried_again_on_the_same_channel():
    step = after(NOTICE, SOON)
    assert isinstance(step, Again)
    assert NOW < step.at <= NOW + 3 * MOMENT


def test_a_refusal_for_good_goes_to_the_next_channel_at_once_and_never_back():
    assert after(NOTICE, NEVER) == Other("sms", "+237600000000", NOW, ("mail",))
    on_sms = replace(NOTICE, channel="sms", address="+237600000000", tried=("mail",))
    assert after(on_sms, NEVER) == Dead()
    assert isinstance(after(replace(on_sms, attempts=40), SOON), Again)


@pytest.mark.parametrize(
    ("attempts", "age", "down", "error"),
    [
        (PATIENCE - 1, timedelta(), (), SOON),
        (0, timedelta(seconds=30), (), SOON),
        (0, timedelta(), (FO,), SOON),
        (0, timedelta(), (), OURS),
    ],
    ids=["after five attempts", "after ten minutes", "when its link is down", "when the fault is ours"],
)
def test_a_channel_that_does_not_work_is_left_for_the_next_at_once(attempts, age, down, error):
    assert after(replace(NOTICE, attempts=attempts), error, down, NOW + age) == Other(
        "sms", "+237600000000", NOW + age, ()
    )


def test_channels_then_take_turns_with_growing_waits():
    notice, waits, seen = replace(NOTICE, attempts=PATIENCE - 1), [], []
    for _ in range(8):
        step = after(notice, SOON)
        assert isinstance(step, Other)
        waits.append(step.at - NOW)
        seen.append(step.channel)
        notice = replace(notice, channel=step.channel, address=step.address, attempts=notice.attempts + 1)
    assert seen == ["sms", "mail"] * 4
    assert waits[0] == timedelta()
    assert waits[-1] > timedelta(seconds=60)


def test_a_fault_of_ours_without_another_channel_waits_for_somebody_to_mend_it():
    only = replace(AWA, order=("mail",))
    step = after_failure(NOTICE, OURS, only, CHANNELS, (), NOW)
    assert step == Again(NOW + timedelta(minutes=5))


@given(st.integers(0, 500), st.timedeltas(timedelta(), GIVE_UP - MOMENT), st.booleans(), st.booleans())
def test_what_may_still_be_accepted_is_not_given_up_for_a_day(attempts, age, ours, down):
    error = TransportError(say("busy"), ours=ours)
    for contact in (AWA, replace(AWA, order=("mail",)), None):
        step = after_failure(
            replace(NOTICE, attempts=attempts), error, contact, CHANNELS, (FO,) if down else (), NOW + age
        )
        assert not isinstance(step, Dead)
        assert step.at - (NOW + age) <= LONGEST_WAIT * 1.2


@pytest.mark.parametrize("error", [SOON, OURS, NEVER])
def test_after_a_day_it_is_dead(error):
    assert after(NOTICE, error, (), NOW + GIVE_UP) == Dead()


def test_a_contact_that_is_gone_keeps_the_channel_it_had():
    assert isinstance(after_failure(NOTICE, SOON, None, CHANNELS, (), NOW), Again)
    assert after_failure(NOTICE, NEVER, None, CHANNELS, (), NOW) == Dead()


@given(st.integers(1, 200), st.text(max_size=8))
def test_waits_double_up_to_a_quarter_of_an_hour_and_spread_by_a_fifth(attempts, recipient):
    key = replace(KEY, recipient=recipient)
    wait = retry_at(key, attempts, NOW) - NOW
    middle = min(LONGEST_WAIT, timedelta(seconds=2) * 2 ** min(attempts - 1, 20))
    assert middle * 0.8 <= wait <= middle * 1.2
    assert retry_at(key, attempts, NOW) == NOW + wait


def test_a_hundred_notices_do_not_come_back_at_one_moment():
    moments = {retry_at(replace(KEY, recipient=f"r{n}"), 6, NOW) for n in range(100)}
    assert len(moments) == 100
