"""How pressing an incident is: since when nobody answers, and whether it was ever worth waking somebody."""

from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident, fold, replay
from monitor.core.text import say
from monitor.core.urgency import CALM, Urgency
from monitor.core.verdict import Severity

ID = IncidentId("26-0042")
START = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
OPENED, SEVERITY, DISRUPTED = EventKind.OPENED, EventKind.SEVERITY, EventKind.DISRUPTED
TAKEN, LAPSED, ENDED, AGAIN = (
    EventKind.ACKNOWLEDGED, EventKind.UNACKNOWLEDGED, EventKind.RESOLVED, EventKind.REOPENED,
)  # fmt: skip
CRITICAL, WARNING, UNKNOWN = Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN


def minute(n: int) -> datetime:
    return START + timedelta(minutes=n)


def events(*story, window=""):
    """One event a minute: a kind, or a kind and a severity."""
    pairs = [one if isinstance(one, tuple) else (one, None) for one in story]
    return [
        Event(ID, minute(n), kind, RELEVE, say("so"), CheckId("fo"), severity, "link", minute(n), window=window)
        for n, (kind, severity) in enumerate(pairs)
    ]


def after(*story, window="") -> Urgency:
    incident: Incident | None = None
    told = events(*story, window=window)
    for event in told:
        incident = fold(incident, event)
    assert incident is not None
    assert replay(told)[ID].urgency == incident.urgency
    return incident.urgency


@pytest.mark.parametrize(
    ("story", "loud", "unanswered", "pressing", "waits", "earlier"),
    [
        ([(OPENED, CRITICAL)], 0, 0, 0, 1, 0),
        ([(OPENED, WARNING)], None, None, None, 0, 0),
        ([(OPENED, UNKNOWN)], 0, None, None, 0, 0),
        ([(OPENED, WARNING), (SEVERITY, CRITICAL)], 1, 1, 1, 1, 0),
        ([(OPENED, WARNING), DISRUPTED], 1, 1, 1, 1, 0),
        ([(OPENED, CRITICAL), TAKEN], 0, None, None, 1, 0),
        ([(OPENED, CRITICAL), TAKEN, LAPSED], 0, 2, 2, 2, 0),
        ([(OPENED, WARNING), TAKEN, (SEVERITY, CRITICAL)], 2, 2, 2, 1, 0),
        ([(OPENED, CRITICAL), TAKEN, DISRUPTED], 0, 2, 2, 2, 0),
        ([(OPENED, CRITICAL), (SEVERITY, WARNING)], 0, 0, None, 1, 0),
        ([(OPENED, CRITICAL), (SEVERITY, WARNING), (SEVERITY, CRITICAL)], 0, 0, 2, 1, 0),
        ([(OPENED, CRITICAL), ENDED], 0, None, None, 1, 0),
        ([(OPENED, CRITICAL), ENDED, (AGAIN, CRITICAL)], 2, 2, 2, 2, 1),
        ([(OPENED, CRITICAL), ENDED, (AGAIN, WARNING)], None, None, None, 1, 1),
        ([(OPENED, CRITICAL), TAKEN, ENDED, (AGAIN, WARNING)], None, None, None, 1, 1),
        ([(OPENED, CRITICAL), TAKEN, ENDED, (AGAIN, CRITICAL)], 3, 3, 3, 2, 1),
    ],
)
def test_since_when_nobody_answers(story, loud, unanswered, pressing, waits, earlier):
    moments = (None if n is None else minute(n) for n in (loud, unanswered, pressing))
    assert after(*story) == Urgency(*moments, waits, earlier)


def test_announced_work_presses_nobody_until_it_overruns():
    assert after((OPENED, CRITICAL), window="fibre").unanswered_at is None
    assert after((OPENED, CRITICAL), EventKind.OVERRUN, window="fibre").unanswered_at == minute(1)


def test_nothing_presses_at_first():
    assert (CALM.loud_at, CALM.unanswered_at, CALM.waits) == (None, None, 0)
