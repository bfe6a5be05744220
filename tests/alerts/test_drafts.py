"""A draft: what the next update will say, for how long a person may change it, and that nothing waits for that."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.agreement import Protocol
from alerts.compose import compose
from alerts.context import Context, Drafted
from alerts.drafts import edited, messages_at, slot_to_come
from alerts.gsm import LIMIT, septets
from alerts.language import speech
from alerts.notice import BY_TIME, Audience, NoticeKey, Planned, Step
from alerts.privacy import BLANK, LONGEST
from alerts.protocol import due
from monitor.core.draft import Draft
from monitor.core.events import RELEVE, Event, EventKind, event_from_json, event_to_json
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident, Refused, fold
from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Severity

ID = IncidentId("26-0042")
BEGAN = datetime(2026, 11, 22, 13, 5, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PROTOCOL = Protocol(first_to=("att",), update_to=("att", "dsi"), update_every=HOUR, operations=("admin",))
ASKED = replace(PROTOCOL, draft_before=10 * MINUTE)


def happened(kind: EventKind, at: datetime) -> Event:
    return Event(ID, at, kind, RELEVE, say("It happened"), CheckId("fo"), Severity.CRITICAL, "link", BEGAN)


def open_incident(*more: Event) -> Incident:
    incident: Incident | None = None
    for event in (happened(EventKind.OPENED, BEGAN), happened(EventKind.DISRUPTED, BEGAN), *more):
        incident = fold(incident, event)
    assert incident is not None
    return incident


def words(text: str, at: datetime, meant: datetime | None = None, sent: set[NoticeKey] | None = None) -> Event:
    return edited(PROTOCOL, open_incident(), sent or set(), Draft(at, text, "uid:1000", at), meant=meant)


def client_update(n: int, recipient: str = "att") -> NoticeKey:
    return NoticeKey(ID, Audience.CLIENT, Step.UPDATE, n, recipient)


def update(incident: Incident, due_at: datetime, *, gap: tuple[datetime, ...] = (), **more: object):
    context = Context("Site", speech("en", "UTC"), due_at, due_at + HOUR, private=("srv-onnet-01",), **more)
    n = (due_at - BEGAN) // HOUR
    return compose(Planned(client_update(n), due_at, gap), incident, context)


def test_words_given_for_an_update_stand_in_it_and_in_no_other():
    incident = open_incident(words("A technician is on his way.", BEGAN + 50 * MINUTE))
    message = update(incident, BEGAN + HOUR)
    assert "Situation at 13:55: A technician is on his way." in message.text
    assert "Situation at 13:55: A technician is on his way." in message.html
    assert message.short.endswith("Situation at 13:55: A technician is on his way.")
    assert "technician" not in update(incident, BEGAN + 2 * HOUR).text


def test_the_first_three_lines_stay_what_they_are():
    plain = update(open_incident(), BEGAN + HOUR)
    with_words = update(open_incident(words("All is well.", BEGAN + MINUTE)), BEGAN + HOUR)
    assert plain.text.splitlines()[:3] == with_words.text.splitlines()[:3]
    assert plain.subject == with_words.subject


def test_paragraphs_stay_apart_and_names_and_addresses_are_blanked():
    given_ = words("Spare part at 10.0.0.7.\n\nSRV-ONNET-01 follows.", BEGAN + MINUTE)
    lines = update(open_incident(given_), BEGAN + HOUR).text.splitlines()
    assert f"Situation at 13:06: Spare part at {BLANK}." in lines
    assert f"{BLANK} follows." in lines


def test_the_last_words_count_and_what_is_taken_back_is_gone():
    first, second = words("One.", BEGAN + MINUTE), words("Two.", BEGAN + 2 * MINUTE)
    assert "One." not in update(open_incident(first, second), BEGAN + HOUR).text
    gone = words("", BEGAN + 3 * MINUTE)
    incident = open_incident(first, second, gone)
    assert "Situation" not in update(incident, BEGAN + HOUR).text
    assert incident.timeline[-1] is gone


def test_an_update_that_stands_for_a_missed_one_carries_its_words_and_when_they_were_given():
    incident = open_incident(words("A technician is on his way.", BEGAN + 50 * MINUTE))
    late = update(incident, BEGAN + 2 * HOUR, gap=(BEGAN + HOUR,))
    assert "Situation at 13:55: A technician is on his way." in late.text


def test_the_end_carries_no_words_about_a_situation_that_is_over():
    incident = open_incident(words("Still down.", BEGAN + 50 * MINUTE), happened(EventKind.RESOLVED, BEGAN + HOUR))
    key = NoticeKey(ID, Audience.CLIENT, Step.RESOLVED, 1, "att")
    context = Context("Site", speech("en", "UTC"), BEGAN + HOUR)
    assert "Still down" not in compose(Planned(key, BEGAN + HOUR), incident, context).text


@given(st.text(min_size=1, max_size=LONGEST), st.sampled_from(["fr", "en"]))
def test_an_sms_stays_one_message_whatever_words_it_is_given(text, language):
    incident = open_incident(words(text, BEGAN + MINUTE))
    context = Context("Site", speech(language, "Africa/Douala"), BEGAN + HOUR, BEGAN + 2 * HOUR)
    short = compose(Planned(client_update(1), BEGAN + HOUR), incident, context).short
    size = septets(short)
    assert size is not None
    assert size <= LIMIT


def test_words_are_read_again_from_the_journal_as_they_were():
    event = words("A technician.", BEGAN + MINUTE)
    assert event_from_json(event_to_json(event)) == event
    assert open_incident(event_from_json(event_to_json(event))) == open_incident(event)


def test_words_go_to_the_next_update():
    assert words("x", BEGAN + 59 * MINUTE).data["update_at"] == (BEGAN + HOUR).isoformat()
    assert words("x", BEGAN + HOUR).data["update_at"] == (BEGAN + 2 * HOUR).isoformat()


def test_words_meant_for_an_update_that_is_written_are_refused_and_the_next_one_is_named():
    with pytest.raises(Refused) as refused:
        words("x", BEGAN + 61 * MINUTE, BEGAN + HOUR, {client_update(1)})
    said = ENGLISH.render(refused.value.text)
    assert "14:05 has been written" in said
    assert "15:05" in said


def test_words_meant_for_an_update_whose_minute_has_come_count_until_it_is_written():
    assert words("x", BEGAN + HOUR, BEGAN + HOUR).data["update_at"] == (BEGAN + HOUR).isoformat()


@pytest.mark.parametrize(("meant", "minutes"), [(180, 30), (60, 150), (61, 30), (-60, 30), (0, 30)])
def test_words_for_any_other_moment_are_refused(meant, minutes):
    with pytest.raises(Refused):
        words("x", BEGAN + minutes * MINUTE, BEGAN + meant * MINUTE)


def test_the_moment_may_be_given_as_programs_are_told_it():
    exact = BEGAN + timedelta(microseconds=123456)
    incident = replace(open_incident(), disrupted_at=exact)
    draft = Draft(BEGAN, "x", "uid:1000", BEGAN)
    event = edited(PROTOCOL, incident, set(), draft, meant=BEGAN + HOUR + timedelta(milliseconds=123))
    assert event.data["update_at"] == (exact + HOUR).isoformat()


def test_words_that_are_too_long_are_refused_not_cut():
    assert words("x" * LONGEST, BEGAN).data["words"] == "x" * LONGEST
    with pytest.raises(Refused):
        words("x" * (LONGEST + 1), BEGAN)


def test_without_an_update_to_come_there_is_no_draft():
    over = open_incident(happened(EventKind.RESOLVED, BEGAN + MINUTE))
    with pytest.raises(Refused):
        slot_to_come(PROTOCOL, over, BEGAN + 2 * MINUTE)
    with pytest.raises(Refused):
        slot_to_come(replace(PROTOCOL, update_to=()), open_incident(), BEGAN)


def test_the_draft_is_of_what_will_be_written_on_the_minute():
    sent = {plan.key for plan in due(PROTOCOL, open_incident(), (), BEGAN)}
    slot = slot_to_come(PROTOCOL, open_incident(), BEGAN + MINUTE)
    on_the_minute = due(PROTOCOL, open_incident(), sent, BEGAN + HOUR)
    assert messages_at(PROTOCOL, open_incident(), sent, slot) == on_the_minute


@pytest.mark.parametrize(
    ("every", "before", "lead"),
    [
        (HOUR, None, 10 * MINUTE),
        (HOUR, 5 * MINUTE, 5 * MINUTE),
        (HOUR, 30 * MINUTE, 10 * MINUTE),
        (timedelta(seconds=6), 10 * MINUTE, timedelta(seconds=1)),
    ],
)
def test_a_draft_is_ready_in_time_but_no_earlier_than_a_sixth_of_the_grid(every, before, lead):
    protocol = replace(PROTOCOL, update_every=every, draft_before=before)
    assert slot_to_come(protocol, open_incident(), BEGAN).ready_at == BEGAN + every - lead


def steps_at(protocol: Protocol, incident: Incident, at: datetime) -> list[NoticeKey]:
    return [plan.key for plan in due(protocol, incident, (), at) if plan.key.step is Step.DRAFT]


def test_our_own_people_are_shown_the_draft_once_where_they_asked_for_it():
    ready = BEGAN + 50 * MINUTE
    key = NoticeKey(ID, Audience.INTERNAL, Step.DRAFT, 3600, "admin")
    assert steps_at(ASKED, open_incident(), ready - MINUTE) == []
    assert steps_at(ASKED, open_incident(), ready) == [key]
    assert steps_at(ASKED, open_incident(), BEGAN + HOUR) == []
    assert key not in {plan.key for plan in due(ASKED, open_incident(), {key}, ready + MINUTE)}
    assert steps_at(PROTOCOL, open_incident(), ready) == []
    assert Step.DRAFT in BY_TIME


def test_nobody_is_asked_for_words_that_were_given():
    incident = open_incident(words("A technician.", BEGAN + 30 * MINUTE))
    assert steps_at(ASKED, incident, BEGAN + 50 * MINUTE) == []
    assert len(steps_at(ASKED, incident, BEGAN + 110 * MINUTE)) == 1


def test_the_mail_about_a_draft_shows_what_will_be_read_and_how_to_change_it():
    lines = ("Service still interrupted.", "Impact: calls.", "Next update: 15:05.")
    context = Context(
        "Site", speech("en", "UTC"), BEGAN + 50 * MINUTE, BEGAN + HOUR, draft=Drafted(BEGAN + HOUR, lines)
    )
    key = NoticeKey(ID, Audience.INTERNAL, Step.DRAFT, 1, "admin")
    message = compose(Planned(key, BEGAN + 50 * MINUTE), open_incident(), context)
    assert "draft of the update of 14:05" in message.subject
    assert "14:05" in message.text.splitlines()[0]
    assert all(line in message.text and line in message.html for line in lines)
    assert f"releve incident draft edit {ID}" in message.text
    assert "14:05" in message.short


CELL = replace(PROTOCOL, crisis_to=("ocm",), crisis_every=40 * MINUTE)


def test_a_crisis_report_is_drafted_like_an_update_and_the_nearer_of_the_two_is_next():
    incident = open_incident()
    assert [slot_to_come(CELL, incident, BEGAN + n * MINUTE).step for n in (0, 41, 70, 100)] == [
        Step.CRISIS_REPORT,
        Step.UPDATE,
        Step.CRISIS_REPORT,
        Step.UPDATE,
    ]
    slot = slot_to_come(CELL, incident, BEGAN)
    assert (slot.n, slot.due_at, slot.due_at - slot.ready_at) == (1, BEGAN + 40 * MINUTE, 40 * MINUTE / 6)
    (report,) = messages_at(CELL, incident, (), slot)
    assert (report.key.step, report.key.recipient) == (Step.CRISIS_REPORT, "ocm")


def test_words_stand_in_all_that_the_client_is_told_at_that_moment():
    at = BEGAN + 2 * HOUR
    incident = fold(
        open_incident(), edited(CELL, open_incident(), (), Draft(at - MINUTE, "On site.", "uid:1", at - MINUTE))
    )
    assert incident is not None
    sent = {client_update(1)}
    told = messages_at(CELL, incident, sent, slot_to_come(CELL, incident, at - MINUTE))
    assert {plan.key.step for plan in told} == {Step.UPDATE, Step.CRISIS_REPORT}
    context = Context("Site", speech("en", "UTC"), at, at + HOUR)
    assert all("On site." in compose(plan, incident, context).text for plan in told)


def test_words_for_a_report_that_is_written_are_refused():
    key = NoticeKey(ID, Audience.CLIENT, Step.CRISIS_REPORT, 1, "ocm")
    at, due_at = BEGAN + 41 * MINUTE, BEGAN + 40 * MINUTE
    draft = Draft(at, "x", "uid:1", at)
    assert edited(CELL, open_incident(), set(), draft, meant=due_at).data["update_at"] == due_at.isoformat()
    with pytest.raises(Refused):
        edited(CELL, open_incident(), {key}, draft, meant=due_at)


def test_our_own_people_are_shown_the_draft_of_a_report_too():
    asked = replace(CELL, draft_before=5 * MINUTE)
    keys = steps_at(asked, open_incident(), BEGAN + 36 * MINUTE)
    assert keys == [NoticeKey(ID, Audience.INTERNAL, Step.DRAFT, 2400, "admin")]
