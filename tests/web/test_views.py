"""The JSON that commands and API share."""

from datetime import UTC, datetime, timedelta

import pytest

from alerts.language import speech
from alerts.notice import Audience, Message, Notice, NoticeKey, NoticeState, Step
from alerts.protocol import Protocol
from monitor.core.ids import IncidentId
from monitor.core.incident import Incident
from monitor.core.text import say
from monitor.core.verdict import Severity
from monitor.web.views import incident_json, status_json

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
