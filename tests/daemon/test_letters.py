"""What the time of writing adds to a notice: what the services are able to do, and the work that was announced."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.notice import Audience, NoticeKey, Planned, Step
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.impact import Outlook
from monitor.core.incident import fold
from monitor.core.maintenance import Span, Weekly, Window
from monitor.core.services import Leaf, Service, View
from monitor.core.text import say
from monitor.core.verdict import Severity
from monitor.daemon.letters import Letters, Moment

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
"""03:00 at Douala, a Monday."""
OPENING = Event(
    IncidentId("26-0001"), AT, EventKind.OPENED, RELEVE, say("cut"), CheckId("door"), Severity.CRITICAL, "office", AT,
    window="new-fibre",
)  # fmt: skip
INCIDENT = fold(None, OPENING)
assert INCIDENT is not None
NIGHT = Span(AT - timedelta(hours=1), AT + timedelta(hours=3))
WORK = Window("new-fibre", frozenset({CheckId("door")}), NIGHT, "office", titles={"fr": "Nouvelle fibre"})


@pytest.fixture
def first_notice(inventory_of):
    """The text of the first notice to our own people, as it is written at a moment."""

    def write(moment, incident=INCIDENT):
        inventory = inventory_of()
        planned = Planned(NoticeKey(incident.id, Audience.INTERNAL, Step.FIRST_NOTICE, 1, "admin"), AT)
        return Letters(inventory).write(planned, incident, inventory.protocol, moment).message.text

    return write


def test_the_service_view_of_the_moment_is_the_first_line(first_notice):
    seen = Outlook(Service("agents", Leaf(CheckId("door"))), View(0, 0, 100), interrupted=True)
    assert first_notice(Moment(AT, True, (), (seen,))).startswith("Agents: 0 of 100. Impact: ")
    assert first_notice(Moment(AT, True, ())).startswith("Announced maintenance, Critical: ")


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (WORK, "Nouvelle fibre, planned end: 06:00, Douala time"),
        (replace(WORK, titles={}), "new-fibre, planned end: 06:00, Douala time"),
        (replace(WORK, titles={"en": "New fibre", "fr": "Nouvelle fibre"}), "New fibre, planned end: 06:00"),
        (
            replace(WORK, when=Weekly(AT.time(), frozenset({0}), timedelta(hours=2), UTC)),
            "Nouvelle fibre, planned end: 05:00, Douala time",
        ),
        (replace(WORK, id="other"), "Announced maintenance: new-fibre\n"),
        (replace(WORK, when=Span(AT - timedelta(hours=9), AT - timedelta(hours=8))), "Nouvelle fibre\n"),
    ],
)
def test_announced_work_is_called_by_its_title_with_the_end_that_was_planned_when_it_failed(first_notice, window, said):
    assert said in first_notice(Moment(AT, True, (), windows=(window,)))


def test_what_belongs_to_no_announced_work_says_nothing_of_any(first_notice):
    text = first_notice(Moment(AT, True, (), windows=(WORK,)), replace(INCIDENT, window=""))
    assert "nnounced maintenance" not in text
