"""Revisions of an invitation: by the log alone, so that what is written again has the same number."""

from datetime import UTC, datetime, timedelta

import pytest

from alerts.revisions import revised_since, revisions
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident, fold, replay
from monitor.core.text import say, verbatim
from monitor.core.verdict import Severity

ID = IncidentId("26-0042")
BEGAN = datetime(2026, 11, 22, 13, 5, tzinfo=UTC)


def event(kind: EventKind, minutes: int, severity: Severity | None = None, words: str = "") -> Event:
    at = BEGAN + timedelta(minutes=minutes)
    return Event(ID, at, kind, RELEVE, verbatim(words) if words else say("So it is"), CheckId("fo"), severity, "link")


OPENED = event(EventKind.OPENED, 0, Severity.WARNING)
WORSE, MILDER = event(EventKind.SEVERITY, 5, Severity.CRITICAL), event(EventKind.SEVERITY, 6, Severity.WARNING)
CAUSE = event(EventKind.CAUSE, 10, words="a digger")


@pytest.mark.parametrize(
    ("events", "minutes"),
    [
        ((), []),
        ((CAUSE,), [10]),
        ((CAUSE, event(EventKind.CAUSE, 11, words="a digger")), [10]),
        ((CAUSE, event(EventKind.CAUSE, 11, words="two diggers")), [10, 11]),
        ((WORSE, CAUSE), [5, 10]),
        ((WORSE, MILDER, event(EventKind.SEVERITY, 7, Severity.CRITICAL)), [5]),
        ((event(EventKind.NOTE, 3, words="x"), event(EventKind.ACKNOWLEDGED, 4), event(EventKind.COVERED, 5)), []),
        ((event(EventKind.RESOLVED, 20), event(EventKind.REOPENED, 25, Severity.CRITICAL)), [25]),
    ],
)
def test_an_invitation_is_revised_by_another_cause_and_by_what_was_never_so_bad(events, minutes):
    incident: Incident | None = None
    for one in (OPENED, *events):
        incident = fold(incident, one)
    assert incident is not None
    assert [(at - BEGAN) // timedelta(minutes=1) for at in revisions(incident)] == minutes
    assert revisions(replay((OPENED, *events))[ID]) == revisions(incident)
    assert revised_since(incident, BEGAN + timedelta(minutes=10)) == sum(minute > 10 for minute in minutes)
