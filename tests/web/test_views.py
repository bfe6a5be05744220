"""The JSON that commands and API share."""

from datetime import UTC, datetime, timedelta

import pytest

from alerts.language import speech
from alerts.protocol import Protocol
from monitor.core.ids import IncidentId
from monitor.core.incident import Incident
from monitor.core.text import say
from monitor.core.verdict import Severity
from monitor.web.views import status_json

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
