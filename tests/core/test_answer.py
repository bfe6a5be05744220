"""What a contact answers: it acknowledges once, and only what the message was about."""

from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.answer import Answer, NotWanted, Stage, Standing, Way, answered, stage_at, stage_of, standing
from monitor.core.by_hand import acknowledge, resolve_by_hand
from monitor.core.events import Event, EventKind
from monitor.core.ids import IncidentId
from monitor.core.incident import fold
from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Severity

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
NAME = IncidentId("26-0001")
SOON = NOW + timedelta(minutes=5)


def told(*events):
    incident = None
    for one in (Event(NAME, NOW, EventKind.OPENED, "releve", say("Full"), severity=Severity.CRITICAL), *events):
        incident = fold(incident, one)
    return incident


def event(kind, **fields):
    return Event(NAME, SOON, kind, "releve", say("x"), **fields)


def test_an_answer_takes_charge_and_says_whose_it_was_and_by_which_way():
    incident = told()
    said = answered(incident, Answer("admin", Way.SMS, stage_of(incident)), "Administrateur SI", SOON)
    after = fold(incident, said)
    assert (after.acknowledged_by, after.acknowledged_at) == ("contact:admin", SOON)
    assert said.data == {"way": "sms", "name": "Administrateur SI"}
    assert ENGLISH.render(said.text) == "Acknowledged by Administrateur SI, by an answer to an SMS"


@pytest.mark.parametrize("way", Way)
def test_every_way_has_words_of_its_own(way):
    assert "Ann" in ENGLISH.render(answered(told(), Answer("ann", way), "Ann", SOON).text)


def test_a_second_answer_finds_that_somebody_is_on_it():
    incident = told()
    incident = fold(incident, answered(incident, Answer("admin", Way.LINK, stage_of(incident)), "A", SOON))
    with pytest.raises(NotWanted) as refused:
        answered(incident, Answer("other", Way.LINK, stage_of(incident)), "B", SOON)
    assert refused.value.standing is Standing.TAKEN


@pytest.mark.parametrize(
    ("after", "stands"),
    [
        ([], Standing.WANTED),
        ([acknowledge(told(), "uid:1", SOON)], Standing.TAKEN),
        ([resolve_by_hand(told(), "uid:1", SOON, "", failing=False)], Standing.OVER),
        (
            [event(EventKind.RESOLVED), event(EventKind.REOPENED, severity=Severity.CRITICAL)],
            Standing.OUTDATED,
        ),
        ([acknowledge(told(), "uid:1", SOON), event(EventKind.UNACKNOWLEDGED)], Standing.OUTDATED),
    ],
)
def test_what_an_answer_to_the_first_message_still_does(after, stands):
    assert standing(told(*after), Stage(1, 0)) is stands
    if stands is not Standing.WANTED:
        with pytest.raises(NotWanted):
            answered(told(*after), Answer("admin", Way.MAIL, Stage(1, 0)), "A", SOON)


def test_an_answer_to_a_message_of_any_stage_is_taken_as_long_as_the_incident_goes_on():
    again = told(event(EventKind.RESOLVED), event(EventKind.REOPENED, severity=Severity.CRITICAL))
    assert standing(again, None) is Standing.WANTED


def test_the_same_answer_is_taken_once_also_when_nobody_is_on_it_any_more():
    answer = Answer("admin", Way.MAIL, None, "m1@example.org")
    once = fold(told(), answered(told(), answer, "A", SOON))
    lapsed = fold(once, event(EventKind.UNACKNOWLEDGED))
    with pytest.raises(NotWanted) as refused:
        answered(lapsed, answer, "A", SOON)
    assert refused.value.standing is Standing.HEARD
    assert answered(lapsed, Answer("admin", Way.MAIL, None, "m2@example.org"), "A", SOON)


def test_the_stage_of_a_message_is_that_of_when_it_was_written():
    again = told(event(EventKind.RESOLVED), event(EventKind.REOPENED, severity=Severity.CRITICAL))
    assert (stage_at(again, NOW), stage_at(again, SOON)) == (Stage(1, 0), stage_of(again))
