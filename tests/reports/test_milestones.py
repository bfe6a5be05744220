"""When what happened and how long it took: figures in, figures out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.notice import NoticeState, Step
from monitor.core.events import EventKind
from monitor.core.incident import Incident
from monitor.reports.material import Material
from monitor.reports.milestones import (
    Interruption,
    Measure,
    Outcome,
    interrupted_for,
    interruptions,
    is_late,
    lateness,
    measures,
    milestones,
)

ZERO = datetime(2026, 11, 23, 13, 3, 12, tzinfo=UTC)
Stories = dict[str, Callable[[], Material]]


def at(minutes: float) -> datetime:
    return ZERO + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("measure", "outcome", "excess"),
    [
        (Measure("resolution", timedelta(minutes=19), timedelta(minutes=20)), Outcome.MET, 0),
        (Measure("resolution", timedelta(minutes=20), timedelta(minutes=20)), Outcome.MET, 0),
        (Measure("resolution", timedelta(minutes=21), timedelta(minutes=20)), Outcome.EXCEEDED, 60),
        (Measure("resolution", timedelta(minutes=19), timedelta(minutes=20), over=False), Outcome.RUNNING, 0),
        (Measure("resolution", timedelta(minutes=21), timedelta(minutes=20), over=False), Outcome.EXCEEDED, 60),
        (Measure("resolution", timedelta(minutes=21)), Outcome.NO_TARGET, 0),
        (Measure("resolution", None, timedelta(minutes=20)), Outcome.NEVER, 0),
    ],
)
def test_a_length_of_time_is_judged_by_its_target(measure: Measure, outcome: Outcome, excess: float) -> None:
    assert (measure.outcome, measure.excess.total_seconds()) == (outcome, excess)


def test_the_key_moments_of_a_repair(stories: Stories) -> None:
    found = milestones(stories["disk"]())
    assert found.began == ZERO
    assert found.detected == at(3)
    assert found.repair_started == at(3) + timedelta(seconds=41)
    assert found.repaired == found.resolved == at(14) + timedelta(seconds=20)
    assert (found.disrupted, found.told_client) == (None, None)


def test_what_is_gone_counts_as_repaired_before_the_incident_is_resolved(stories: Stories) -> None:
    found = milestones(stories["link"]())
    assert (found.repaired, found.resolved) == (at(146), at(147))


def test_what_was_repaired_before_a_relapse_was_not_repaired(stories: Stories) -> None:
    material = stories["disk"]()
    again = replace(material.incident, episode=2, episode_at=at(20), resolved_at=at(30))
    assert milestones(replace(material, incident=again)).repaired == at(30)


def test_lengths_count_from_the_beginning_and_messages_from_the_confirmation(stories: Stories) -> None:
    found = {one.name: one for one in measures(stories["link"]())}
    seconds = {name: None if one.span is None else one.span.total_seconds() for name, one in found.items()}
    assert seconds == {
        "detection": 60,
        "told_client": 12,
        "told_own": 2,
        "acknowledged": 180,
        "repair": 146 * 60,
        "resolution": 147 * 60,
        "interruption": 147 * 60,
    }
    assert found["told_client"].target == timedelta(seconds=30)
    assert {name for name, one in found.items() if one.outcome is Outcome.EXCEEDED} == {"repair", "resolution"}


def relapsed(incident: Incident) -> Incident:
    """The same incident, interrupted for a second time from 160 to 170 minutes, and again from 180 on."""
    disrupted = next(event for event in incident.timeline if event.kind is EventKind.DISRUPTED)
    resolved = replace(disrupted, kind=EventKind.RESOLVED, began_at=None)
    more = (
        replace(disrupted, at=at(161), began_at=at(160)),
        replace(resolved, at=at(170)),
        replace(disrupted, at=at(181), began_at=at(180)),
    )
    return replace(incident, timeline=(*incident.timeline, *more))


def test_every_episode_in_which_the_client_was_interrupted_is_counted(stories: Stories) -> None:
    incident = relapsed(stories["link"]().incident)
    expected = (Interruption(at(0), at(147)), Interruption(at(160), at(170)), Interruption(at(180), None))
    assert interruptions(incident) == expected
    assert interrupted_for(incident, at(200)) == timedelta(minutes=147 + 10 + 20)


@pytest.mark.parametrize(
    ("step", "seconds", "late"),
    [
        (Step.FIRST_NOTICE, 0, False),
        (Step.FIRST_NOTICE, 0.1, True),
        (Step.UPDATE, 2, False),
        (Step.UPDATE, 60, False),
        (Step.UPDATE, 61, True),
        (Step.RESOLVED, 59, False),
    ],
)
def test_a_limit_is_a_limit_and_a_moment_is_a_minute(stories: Stories, step: Step, seconds: float, late: bool) -> None:
    one = stories["link"]().notices[0]
    sent = replace(one, key=replace(one.key, step=step), sent_at=one.due_at + timedelta(seconds=seconds))
    assert is_late(sent, at(300)) is late
    assert lateness(sent, at(300)).total_seconds() == seconds


@pytest.mark.parametrize("state", NoticeState)
def test_what_waits_gets_later_and_what_was_never_sent_does_not(stories: Stories, state: NoticeState) -> None:
    one = replace(stories["link"]().notices[0], state=state, sent_at=None)
    waits = state in (NoticeState.PENDING, NoticeState.SENDING)
    assert lateness(one, one.due_at + timedelta(minutes=5)) == (timedelta(minutes=5) if waits else timedelta())


def test_an_open_incident_is_measured_until_now(stories: Stories) -> None:
    material = stories["bare"]()
    found = {one.name: one for one in measures(replace(material, now=at(50)))}
    assert (found["resolution"].span, found["resolution"].over) == (timedelta(minutes=50), False)


def test_nobody_who_acknowledged_is_found_where_nobody_did(stories: Stories) -> None:
    material = stories["disk"]()
    kept = tuple(event for event in material.incident.timeline if event.kind is not EventKind.ACKNOWLEDGED)
    alone = replace(material, incident=replace(material.incident, timeline=kept))
    assert {one.name: one.outcome for one in measures(alone)}["acknowledged"] is Outcome.NEVER


def test_an_interruption_ends_where_its_incident_goes_into_another_one_and_goes_on_there(stories: Stories) -> None:
    link = stories["link"]().incident
    before = tuple(event for event in link.timeline if event.at <= at(4))
    said = replace(before[-1], at=at(10), check=None, began_at=None)
    merged = replace(said, kind=EventKind.MERGED, data={"into": "26-0007"})
    assert interruptions(replace(link, timeline=(*before, merged))) == (Interruption(at(0), at(10)),)
    opening = (replace(link.timeline[0], check=None),)
    taken_over = replace(said, kind=EventKind.ABSORBED, began_at=at(0), data={"checks": ["fo-peer"]})
    assert interruptions(replace(link, timeline=(*opening, taken_over))) == (Interruption(at(0), None),)
    assert interruptions(replace(link, timeline=(*opening, replace(taken_over, began_at=None)))) == ()
