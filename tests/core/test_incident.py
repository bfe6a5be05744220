"""An incident is what its events say, and nothing else."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.by_hand import acknowledge, note, open_by_hand, resolve_by_hand, state_cause
from monitor.core.events import Event, EventKind, event_from_json, event_to_json
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Refused, Status, fold, replay
from monitor.core.text import Quantity, say, verbatim
from monitor.core.verdict import Severity

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ID, LINK = IncidentId("26-0001"), CheckId("link-fo")


def at(minute: float) -> datetime:
    return AT + timedelta(minutes=minute)


def event(kind: EventKind, minute: float = 0, **more) -> Event:
    return Event(ID, at(minute), kind, "releve", more.pop("text", say("it happened")), **more)


def opened(severity: Severity = Severity.CRITICAL) -> Event:
    return event(EventKind.OPENED, 2, check=LINK, severity=severity, kind_name="link-unstable", began_at=at(0))


def told(*events: Event):
    incident = replay(events)[ID]
    assert incident.timeline == events
    return incident


def test_it_lasts_from_its_first_failure_and_is_told_from_its_confirmation():
    incident = told(opened())
    assert (incident.began_at, incident.opened_at, incident.episode_at) == (at(0), at(2), at(2))
    assert (incident.check, incident.kind, incident.status, incident.open) == (LINK, "link-unstable", Status.OPEN, True)


@pytest.mark.parametrize("kind", [kind for kind in EventKind if kind is not EventKind.OPENED])
def test_nothing_but_an_opening_makes_an_incident(kind):
    assert fold(None, event(kind, check=LINK, severity=Severity.CRITICAL)) is None
    assert replay([event(kind)]) == {}


def test_getting_worse_counts_and_getting_better_does_not():
    incident = told(
        opened(Severity.WARNING),
        event(EventKind.SEVERITY, 5, check=LINK, severity=Severity.CRITICAL, text=say("link down")),
        event(EventKind.SEVERITY, 6, check=LINK, severity=Severity.WARNING, text=say("link up, losing")),
        event(EventKind.SEVERITY, 7, check=LINK, severity=Severity.CRITICAL, text=say("link down again")),
    )
    assert (incident.changes, incident.changed_at, incident.title) == (1, at(5), say("link down"))
    assert (incident.severity, incident.worst) == (Severity.CRITICAL, Severity.CRITICAL)


def test_what_it_explains_now_and_what_it_ever_explained_are_told_apart():
    disk, ping = CheckId("hmp-disk"), CheckId("hmp-ping")
    covered = [event(EventKind.COVERED, 3, check=disk), event(EventKind.COVERED, 3, check=ping)]
    incident = told(opened(), *covered, event(EventKind.COVERED, 4, check=disk))
    assert (incident.covered, incident.suppressed) == ((disk, ping), (disk, ping))
    incident = told(opened(), *covered, event(EventKind.UNCOVERED, 4, check=disk))
    assert (incident.covered, incident.suppressed) == ((ping,), (disk, ping))
    assert incident.explains(ping)
    assert incident.explains(LINK)
    assert not incident.explains(disk)


def test_once_the_root_has_recovered_it_explains_only_itself():
    disk = CheckId("hmp-disk")
    incident = told(opened(), event(EventKind.COVERED, 3, check=disk), event(EventKind.RECOVERED, 9, check=LINK))
    assert (incident.recovered_at, incident.covered) == (at(9), (disk,))
    assert incident.explains(LINK)
    assert not incident.explains(disk)
    relapsed = fold(incident, event(EventKind.RELAPSED, 10, check=LINK, severity=Severity.CRITICAL))
    assert relapsed.recovered_at is None
    assert relapsed.explains(disk)


def test_a_relapse_is_as_bad_as_it_is_now():
    relapse = event(EventKind.RELAPSED, 10, check=LINK, severity=Severity.CRITICAL)
    incident = told(opened(Severity.WARNING), event(EventKind.RECOVERED, 9, check=LINK), relapse)
    assert (incident.severity, incident.worst) == (Severity.CRITICAL, Severity.CRITICAL)


def test_reopened_it_is_a_new_episode_on_the_old_grid():
    first = [
        opened(),
        event(EventKind.DISRUPTED, 2, began_at=at(0)),
        event(EventKind.ACKNOWLEDGED, 3),
        event(EventKind.RESOLVED, 20, check=LINK),
    ]
    again = event(EventKind.REOPENED, 30, check=LINK, severity=Severity.CRITICAL, began_at=at(28))
    incident = told(*first, again)
    assert (incident.status, incident.episode, incident.episode_at) == (Status.OPEN, 2, at(30))
    assert (incident.acknowledged_at, incident.resolved_at) == (None, None)
    assert (incident.began_at, incident.disrupted_at, incident.disruption_seen_at) == (at(0), at(0), None)
    incident = told(*first, again, event(EventKind.DISRUPTED, 30, began_at=at(28)))
    assert (incident.disrupted_at, incident.disruption_seen_at) == (at(0), at(30))


def test_reopened_worse_than_ever_it_says_since_when():
    incident = told(
        opened(Severity.WARNING),
        event(EventKind.RESOLVED, 20),
        event(EventKind.REOPENED, 30, severity=Severity.CRITICAL, began_at=at(28)),
    )
    assert (incident.worst, incident.changed_at, incident.changes) == (Severity.CRITICAL, at(28), 0)


def test_an_interruption_is_seen_once():
    incident = told(
        opened(), event(EventKind.DISRUPTED, 2, began_at=at(1)), event(EventKind.DISRUPTED, 9, began_at=at(8))
    )
    assert (incident.disrupted_at, incident.disruption_seen_at) == (at(1), at(2))


def test_what_comes_after_the_end_does_not_open_it_again_nor_move_the_end():
    end = event(EventKind.RESOLVED, 20)
    incident = told(opened(), end, event(EventKind.ACKNOWLEDGED, 21), event(EventKind.RESOLVED, 22))
    assert (incident.status, incident.resolved_at, incident.acknowledged_at) == (Status.RESOLVED, at(20), None)


def test_a_person_takes_charge_says_the_cause_and_ends_it():
    incident = told(opened())
    incident = fold(incident, acknowledge(incident, "uid:1000", at(3), "on my way"))
    assert (incident.status, incident.acknowledged_by, incident.acknowledged_at) == (
        Status.ACKNOWLEDGED,
        "uid:1000",
        at(3),
    )
    incident = fold(incident, state_cause(incident, "uid:1000", at(4), "digger cut the {fibre}"))
    assert incident.cause == "digger cut the {fibre}"
    incident = fold(incident, resolve_by_hand(incident, "uid:1000", at(5), "spliced", failing=False))
    assert (incident.status, incident.resolved_at) == (Status.RESOLVED, at(5))
    late = note(incident, "uid:1000", at(6), "written down afterwards")
    assert fold(incident, late).timeline[-1] == late


def test_nobody_resolves_what_still_fails():
    with pytest.raises(Refused) as refused:
        resolve_by_hand(told(opened()), "uid:1000", at(5), "", failing=True)
    assert dict(refused.value.text.values) == {"check": "link-fo", "id": "26-0001"}


def test_nobody_acknowledges_or_resolves_what_is_over():
    incident = told(opened(), event(EventKind.RESOLVED, 20))
    with pytest.raises(Refused):
        acknowledge(incident, "uid:1000", at(21))
    with pytest.raises(Refused):
        resolve_by_hand(incident, "uid:1000", at(21), "", failing=False)


def test_an_incident_opened_by_hand_has_no_check():
    by_hand = open_by_hand(ID, "data-lost", Severity.CRITICAL, "uid:1000", at(0), "call file gone")
    incident = replay([by_hand])[ID]
    assert (incident.check, incident.title, incident.began_at) == (None, verbatim("call file gone"), at(0))
    assert not incident.explains(LINK)


moments = st.datetimes(timezones=st.just(UTC))
sentences = st.builds(lambda used: say("{used} used", used=Quantity(used, "%")), st.floats(0, 100)) | st.builds(
    verbatim, st.text()
)
checks = st.sampled_from(["ping", "disk", "link"]).map(CheckId)
events = st.builds(
    Event,
    st.just(ID),
    moments,
    st.sampled_from(EventKind),
    st.sampled_from(["releve", "uid:1000"]),
    sentences,
    st.none() | checks,
    st.none() | st.sampled_from(Severity),
    st.sampled_from(["", "other", "blind"]),
    st.none() | moments,
)


@given(events)
def test_an_event_stored_as_json_comes_back_equal(one):
    assert event_from_json(json.loads(json.dumps(event_to_json(one)))) == one


@given(st.lists(events, max_size=30), st.integers(0, 30))
def test_whatever_happens_and_wherever_it_stopped_the_log_gives_the_same_incident(log, cut):
    whole = replay(log)
    half = replay(log[:cut]).get(ID)
    for one in log[cut:]:
        half = fold(half, one)
    assert half == whole.get(ID)
    if half is not None:
        assert half.worst >= half.severity
        assert set(half.covered) <= set(half.suppressed)
        assert half.open is (half.resolved_at is None)


anything = st.builds(
    Event,
    st.sampled_from([ID, IncidentId("26-0002")]),
    st.integers(0, 10).map(at),
    st.sampled_from(EventKind),
    st.just("releve"),
    st.just(say("it happened")),
    st.sampled_from([None, LINK, CheckId("hmp")]),
    st.sampled_from([None, *Severity]),
)


@given(st.lists(anything, max_size=12))
def test_a_log_read_at_once_says_what_it_says_event_by_event(events):
    one_by_one = {}
    for each in events:
        after = fold(one_by_one.get(each.incident), each)
        if after is not None:
            one_by_one[each.incident] = after
    assert replay(events) == one_by_one


def test_an_incident_that_wavered_for_weeks_is_read_whole():
    """Copied event by event, this many would take minutes, at every start and at every look."""
    worse, better = (event(EventKind.SEVERITY, check=LINK, severity=s) for s in (Severity.CRITICAL, Severity.WARNING))
    incident = told(opened(), *(worse if n % 2 else better for n in range(100_000)))
    assert incident.severity is Severity.CRITICAL
