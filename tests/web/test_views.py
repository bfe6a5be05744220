"""The JSON that commands and API share."""

import json
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from alerts.agreement import Protocol
from alerts.language import speech
from alerts.notice import Audience, Message, Notice, NoticeKey, NoticeState, Step
from monitor.core.health import Health
from monitor.core.ids import CheckId, IncidentId
from monitor.core.impact import Outlook
from monitor.core.incident import Incident
from monitor.core.maintenance import Span, Weekly, Window
from monitor.core.services import Leaf, Service, View
from monitor.core.text import say
from monitor.core.verdict import Severity
from monitor.web.views import health_json, incident_json, status_json
from monitor.web.windows import window_json, windows_json

BEGAN = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
NOW = BEGAN + timedelta(minutes=5)


@pytest.mark.parametrize(("live", "told"), [(True, ["att"]), (False, ["admin"])])
def test_the_next_update_goes_to_operations_while_the_protocol_is_not_live(live, told):
    protocol = Protocol(live=live, update_to=("att",), update_every=timedelta(hours=1), operations=("admin",))
    incident = Incident(
        IncidentId("26-0001"),
        "link-unstable",
        None,
        Severity.CRITICAL,
        Severity.CRITICAL,
        BEGAN,
        BEGAN,
        say("cut"),
        disrupted_at=BEGAN,
        disruption_seen_at=BEGAN,
    )
    status = status_json(
        site="X", now=NOW, checks=[], healths={}, incidents=[(incident, protocol)], speech=speech("en")
    )
    (one,) = status["incidents"]
    assert (one["next_update_at"], one["next_update_to"]) == ("2026-11-23T03:00:00.000Z", told)


def test_the_status_tells_what_the_services_are_able_to_do_in_whole_numbers_where_they_are():
    service = Service("agents", Leaf(CheckId("door")), {"fr": "agents en mesure d'appeler"})
    seen = (Outlook(service, View(62.0, 8.0, 100.0), interrupted=False), Outlook(service, View(0, 0, 1.5), True))
    status = status_json(site="X", now=NOW, checks=[], healths={}, incidents=[], speech=speech("en"), services=seen)
    first, second = status["services"]
    assert json.dumps(first) == (
        '{"name": "agents", "title": "agents en mesure d\'appeler", "able": 62, "unsure": 8, "total": 100, '
        '"interrupted": false}'
    )
    assert (second["total"], second["interrupted"]) == (1.5, True)


def test_a_check_says_whether_it_is_stale_and_whether_it_comes_and_goes():
    health = Health(Severity.OK, Severity.OK, 1, 0, BEGAN, BEGAN, BEGAN, flapping=True)
    shown = health_json(CheckId("door"), None, health, speech("en"), stale=True)
    assert (shown["stale"], shown["flapping"]) == (True, True)
    unseen = health_json(CheckId("door"), None, None, speech("en"))
    assert (unseen["stale"], unseen["flapping"]) == (False, False)
    assert (shown["stands_by"], health_json(CheckId("door"), None, health, speech("en"), rests=True)["stands_by"]) == (
        False, True,
    )  # fmt: skip


def test_an_incident_tells_who_is_on_it_until_when_that_it_wavers_and_to_which_work_it_belongs():
    incident = Incident(
        IncidentId("26-0001"), "link-unstable", None, Severity.CRITICAL, Severity.CRITICAL, BEGAN, BEGAN, say("cut"),
        acknowledged_until=NOW, flapping_at=BEGAN, flaps=2, window="new-fibre",
    )  # fmt: skip
    shown = incident_json(incident, (), speech("en"))
    assert (shown["acknowledged_until"], shown["flapping_since"], shown["flaps"], shown["maintenance"]) == (
        "2026-11-23T02:05:00.000Z", "2026-11-23T02:00:00.000Z", 2, "new-fibre",
    )  # fmt: skip
    calm = incident_json(replace(incident, window="", flapping_at=None), (), speech("en"))
    assert (calm["flapping_since"], calm["maintenance"]) == (None, None)
    assert calm["recovered_at"] is None
    gone = incident_json(replace(incident, recovered_at=NOW), (), speech("en"))
    assert gone["recovered_at"] == "2026-11-23T02:05:00.000Z"


NIGHT = Span(BEGAN - timedelta(hours=1), BEGAN + timedelta(hours=3))
EACH_NIGHT = Weekly(time(1), frozenset(range(7)), timedelta(hours=2), UTC)


@pytest.mark.parametrize(
    ("when", "ended", "at", "told"),
    [
        (NIGHT, None, NOW, ("2026-11-23T01:00:00.000Z", "2026-11-23T05:00:00.000Z", True, False)),
        (NIGHT, NOW, NOW, ("2026-11-23T01:00:00.000Z", "2026-11-23T02:05:00.000Z", False, False)),
        (
            NIGHT,
            None,
            NOW - timedelta(days=1),
            ("2026-11-23T01:00:00.000Z", "2026-11-23T05:00:00.000Z", False, True),
        ),
        (NIGHT, None, NOW + timedelta(days=1), ("2026-11-23T01:00:00.000Z", "2026-11-23T05:00:00.000Z", False, False)),
        (EACH_NIGHT, None, NOW, ("2026-11-23T01:00:00.000Z", "2026-11-23T03:00:00.000Z", True, False)),
        (
            EACH_NIGHT,
            None,
            NOW + timedelta(hours=12),
            ("2026-11-24T01:00:00.000Z", "2026-11-24T03:00:00.000Z", False, True),
        ),
    ],
)
def test_announced_work_tells_its_span_that_goes_on_or_is_next_or_was_last(when, ended, at, told):
    shown = window_json(Window("x", frozenset({CheckId("a")}), when, ended=ended), speech("en"), at)
    assert tuple(shown[key] for key in ("from", "until", "active", "coming")) == told


def test_work_that_goes_on_comes_before_what_is_to_come_and_that_before_what_is_over():
    def at(hours: int, name: str) -> Window:
        start = NOW + timedelta(hours=hours)
        return Window(name, frozenset(), Span(start, start + timedelta(hours=1)))

    works = [at(-5, "past"), at(9, "late"), at(2, "soon"), at(0, "now")]
    assert [one["id"] for one in windows_json(works, speech("en"), NOW)] == ["now", "soon", "late", "past"]


def test_messages_stand_in_the_order_in_which_they_left():
    """A first notice has half a minute; a short incident is over, and told so, before that is up."""
    first = _sent(Step.FIRST_NOTICE, due=BEGAN + timedelta(seconds=30), sent=BEGAN)
    last = _sent(Step.RESOLVED, due=BEGAN + timedelta(seconds=12), sent=BEGAN + timedelta(seconds=12))
    incident = Incident(
        IncidentId("26-0001"), "other", None, Severity.CRITICAL, Severity.CRITICAL, BEGAN, BEGAN, say("full")
    )
    shown = incident_json(incident, (last, first), speech("en"))["notices"]
    assert [one["step"] for one in shown] == ["first_notice", "resolved"]


def _sent(step: Step, due: datetime, sent: datetime) -> Notice:
    key = NoticeKey(IncidentId("26-0001"), Audience.INTERNAL, step, 1, "admin")
    message = Message("subject", "text", "<p>text</p>", "short")
    return Notice(
        key, due, due, key.message_id("site"), message, "mail", "a@b.cm", "en", NoticeState.SENT, 1, sent_at=sent
    )
