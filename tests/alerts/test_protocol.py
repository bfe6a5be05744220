"""The contract's clock by tables: who is told what, on which minute, and who is not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.agreement import Protocol
from alerts.grid import MOST_SLOTS
from alerts.notice import Audience, NoticeKey, Planned, Step
from alerts.protocol import conference_at, due
from alerts.slots import next_update
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident, fold
from monitor.core.text import say, verbatim
from monitor.core.verdict import Severity

ID = IncidentId("26-0042")
BEGAN = datetime(2026, 11, 22, 13, 5, tzinfo=UTC)
OPENED = BEGAN + timedelta(minutes=2)
PROTOCOL = Protocol(
    first_to=("att",),
    update_to=("att", "dsi"),
    update_every=timedelta(minutes=60),
    resolved_to=("all",),
    operations=("admin",),
)


def happened(kind: EventKind, at: datetime, severity: Severity | None = None, began: datetime | None = None) -> Event:
    return Event(ID, at, kind, RELEVE, say("It happened"), CheckId("fo"), severity, "link", began)


def incident_of(*events: Event) -> Incident:
    incident: Incident | None = None
    for event in events:
        incident = fold(incident, event)
    assert incident is not None
    return incident


OPENING = happened(EventKind.OPENED, OPENED, Severity.CRITICAL, BEGAN)
DISRUPTION = happened(EventKind.DISRUPTED, OPENED, None, BEGAN)
OPEN = incident_of(OPENING, DISRUPTION)


def key(audience: Audience, step: Step, n: int, recipient: str) -> NoticeKey:
    return NoticeKey(ID, audience, step, n, recipient)


def told(planned: tuple[Planned, ...]) -> set[str]:
    return {str(plan.key).partition("/")[2] + (" skipped" if plan.skipped else "") for plan in planned}


def keys(planned: tuple[Planned, ...]) -> set[NoticeKey]:
    return {plan.key for plan in planned}


def test_client_and_operations_are_told_at_once_of_an_interruption():
    planned = due(PROTOCOL, OPEN, (), OPENED)
    assert told(planned) == {"internal/first_notice/1/admin", "client/first_notice/1/att"}
    assert {plan.due_at for plan in planned} == {OPENED + timedelta(seconds=30)}


def test_only_operations_are_told_of_what_does_not_interrupt_the_client():
    assert told(due(PROTOCOL, incident_of(OPENING), (), OPENED)) == {"internal/first_notice/1/admin"}


def test_updates_come_on_the_grid_that_counts_from_the_first_failing_observation():
    sent = keys(due(PROTOCOL, OPEN, (), OPENED))
    slot = BEGAN + timedelta(minutes=60)
    assert due(PROTOCOL, OPEN, sent, slot - timedelta(seconds=1)) == ()
    planned = due(PROTOCOL, OPEN, sent, slot)
    assert told(planned) == {"client/update/1/att", "client/update/1/dsi"}
    assert {plan.due_at for plan in planned} == {slot}
    assert due(PROTOCOL, OPEN, sent | keys(planned), slot + timedelta(minutes=59, seconds=59)) == ()


def test_update_is_sent_on_the_hour_after_a_restart():
    sent = keys(due(PROTOCOL, OPEN, (), OPENED)) | keys(due(PROTOCOL, OPEN, (), BEGAN + timedelta(minutes=60)))
    reborn = set(map(NoticeKey.parse, map(str, sent)))
    assert due(PROTOCOL, OPEN, reborn, BEGAN + timedelta(minutes=119)) == ()
    assert told(due(PROTOCOL, OPEN, reborn, BEGAN + timedelta(minutes=120))) == {
        "client/update/2/att",
        "client/update/2/dsi",
    }


def test_updates_missed_during_an_outage_become_one_that_names_the_gap_and_the_grid_goes_on():
    sent = keys(due(PROTOCOL, OPEN, (), OPENED))
    planned = due(PROTOCOL, OPEN, sent, BEGAN + timedelta(minutes=200))
    assert told(planned) == {
        "client/update/1/att skipped",
        "client/update/1/dsi skipped",
        "client/update/2/att skipped",
        "client/update/2/dsi skipped",
        "client/update/3/att",
        "client/update/3/dsi",
    }
    gaps = {plan.gap for plan in planned if not plan.skipped}
    assert gaps == {(BEGAN + timedelta(minutes=60), BEGAN + timedelta(minutes=120))}
    after = sent | keys(planned)
    assert due(PROTOCOL, OPEN, after, BEGAN + timedelta(minutes=239)) == ()
    (next_one, _) = due(PROTOCOL, OPEN, after, BEGAN + timedelta(minutes=240))
    assert (next_one.key.n, next_one.gap) == (4, ())


def test_the_message_of_the_end_names_updates_that_were_missed_before_it():
    sent = keys(due(PROTOCOL, OPEN, (), OPENED)) | keys(due(PROTOCOL, OPEN, (), BEGAN + timedelta(minutes=60)))
    ended_at = BEGAN + timedelta(minutes=130)
    ended = fold(OPEN, happened(EventKind.RESOLVED, ended_at))
    assert ended is not None
    planned = due(PROTOCOL, ended, sent, ended_at + timedelta(hours=9))
    assert told(planned) == {
        "internal/resolved/1/admin",
        "client/resolved/1/att",
        "client/resolved/1/dsi",
        "client/update/2/att skipped",
        "client/update/2/dsi skipped",
    }
    assert {plan.gap for plan in planned if plan.key.recipient == "att" and not plan.skipped} == {
        (BEGAN + timedelta(minutes=120),)
    }
    assert due(PROTOCOL, ended, sent | keys(planned), ended_at + timedelta(days=1)) == ()


@pytest.mark.parametrize(
    ("resolved_to", "recipients"),
    [
        (("all",), {"att", "dsi"}),
        (("all", "crisis"), {"att", "dsi", "crisis"}),
        (("crisis",), {"crisis"}),
        ((), set()),
    ],
)
def test_all_means_everybody_who_was_told_and_only_where_it_is_written(resolved_to, recipients):
    protocol = replace(PROTOCOL, resolved_to=resolved_to)
    sent = keys(due(protocol, OPEN, (), OPENED)) | keys(due(protocol, OPEN, (), BEGAN + timedelta(minutes=60)))
    ended_at = BEGAN + timedelta(minutes=61)
    ended = fold(OPEN, happened(EventKind.RESOLVED, ended_at))
    assert ended is not None
    planned = due(protocol, ended, sent, ended_at)
    assert {plan.key.recipient for plan in planned if plan.key.audience is Audience.CLIENT} == recipients


def test_a_worsening_is_told_once_to_operations():
    worse_at = OPENED + timedelta(minutes=5)
    warned = incident_of(
        replace(OPENING, severity=Severity.WARNING), happened(EventKind.SEVERITY, worse_at, Severity.CRITICAL)
    )
    sent = {key(Audience.INTERNAL, Step.FIRST_NOTICE, 1, "admin")}
    planned = due(PROTOCOL, warned, sent, worse_at)
    assert told(planned) == {"internal/worsened/1/admin"}
    assert due(PROTOCOL, warned, sent | keys(planned), worse_at + timedelta(hours=1)) == ()


def test_a_worsening_of_what_is_over_is_told_no_more():
    warned = incident_of(
        replace(OPENING, severity=Severity.WARNING),
        happened(EventKind.SEVERITY, OPENED + timedelta(minutes=5), Severity.CRITICAL),
        happened(EventKind.RESOLVED, OPENED + timedelta(minutes=6)),
    )
    sent = {key(Audience.INTERNAL, Step.FIRST_NOTICE, 1, "admin")}
    assert told(due(PROTOCOL, warned, sent, OPENED + timedelta(minutes=6))) == {"internal/resolved/1/admin"}


def test_a_relapse_that_is_worse_is_one_message():
    ended_at, again_at = BEGAN + timedelta(minutes=70), BEGAN + timedelta(minutes=80)
    again = incident_of(
        replace(OPENING, severity=Severity.WARNING),
        happened(EventKind.RESOLVED, ended_at),
        happened(EventKind.REOPENED, again_at, Severity.CRITICAL),
    )
    sent = {key(Audience.INTERNAL, step, 1, "admin") for step in (Step.FIRST_NOTICE, Step.RESOLVED)}
    assert told(due(PROTOCOL, again, sent, again_at)) == {"internal/first_notice/2/admin"}


def test_what_was_over_before_anybody_was_told_is_told_with_its_end():
    ended = incident_of(OPENING, DISRUPTION, happened(EventKind.RESOLVED, OPENED + timedelta(minutes=1)))
    assert told(due(PROTOCOL, ended, (), OPENED + timedelta(hours=5))) == {
        "internal/first_notice/1/admin",
        "internal/resolved/1/admin",
        "client/first_notice/1/att",
        "client/resolved/1/att",
    }


def test_a_gap_is_named_to_those_whose_updates_are_missing_and_to_nobody_else():
    protocol = replace(PROTOCOL, resolved_to=("all", "crisis"))
    sent = keys(due(protocol, OPEN, (), OPENED))
    ended_at = BEGAN + timedelta(minutes=61)
    ended = incident_of(OPENING, DISRUPTION, happened(EventKind.RESOLVED, ended_at))
    end = [plan for plan in due(protocol, ended, sent, ended_at) if plan.key.step is Step.RESOLVED]
    slot = (BEGAN + timedelta(minutes=60),)
    assert {plan.key.recipient: plan.gap for plan in end} == {"admin": (), "att": slot, "dsi": slot, "crisis": ()}


def test_an_interruption_that_shows_later_is_told_to_operations_and_to_the_client():
    seen_at = OPENED + timedelta(minutes=20)
    interrupted = incident_of(OPENING, happened(EventKind.DISRUPTED, seen_at, None, seen_at - timedelta(minutes=1)))
    sent = {key(Audience.INTERNAL, Step.FIRST_NOTICE, 1, "admin")}
    assert told(due(PROTOCOL, interrupted, sent, seen_at)) == {
        "internal/disrupted/1/admin",
        "client/first_notice/1/att",
    }


def test_an_interruption_that_comes_with_a_worsening_is_one_message_to_operations():
    at = OPENED + timedelta(minutes=5)
    interrupted = incident_of(
        replace(OPENING, severity=Severity.WARNING),
        happened(EventKind.SEVERITY, at, Severity.CRITICAL),
        happened(EventKind.DISRUPTED, at, None, at),
    )
    sent = {key(Audience.INTERNAL, Step.FIRST_NOTICE, 1, "admin")}
    assert told(due(PROTOCOL, interrupted, sent, at)) == {"internal/worsened/1/admin", "client/first_notice/1/att"}


def test_a_relapse_is_told_as_a_new_episode_on_the_old_grid():
    ended_at, again_at = BEGAN + timedelta(minutes=70), BEGAN + timedelta(minutes=80)
    ended = incident_of(OPENING, DISRUPTION, happened(EventKind.RESOLVED, ended_at))
    sent: set[NoticeKey] = set()
    for moment in (OPENED, BEGAN + timedelta(minutes=60)):
        sent |= keys(due(PROTOCOL, OPEN, sent, moment))
    sent |= keys(due(PROTOCOL, ended, sent, ended_at))
    reopened = fold(ended, happened(EventKind.REOPENED, again_at, Severity.CRITICAL, again_at))
    assert reopened is not None
    assert told(due(PROTOCOL, reopened, sent, again_at)) == {"internal/first_notice/2/admin"}
    again = fold(reopened, happened(EventKind.DISRUPTED, again_at, None, again_at))
    assert again is not None
    planned = due(PROTOCOL, again, sent, again_at)
    assert told(planned) == {"internal/first_notice/2/admin", "client/first_notice/2/att"}
    sent |= keys(planned)
    assert told(due(PROTOCOL, again, sent, BEGAN + timedelta(minutes=120))) == {
        "client/update/2/att",
        "client/update/2/dsi",
    }


def test_a_relapse_that_does_not_interrupt_is_no_business_of_the_client():
    ended_at, again_at = BEGAN + timedelta(minutes=70), BEGAN + timedelta(minutes=80)
    again = incident_of(
        OPENING,
        DISRUPTION,
        happened(EventKind.RESOLVED, ended_at),
        happened(EventKind.REOPENED, again_at, Severity.WARNING, again_at),
    )
    planned = due(PROTOCOL, again, (), again_at + timedelta(hours=5))
    assert {plan.key.audience for plan in planned} == {Audience.INTERNAL}
    assert next_update(PROTOCOL, again, again_at) is None


def test_a_rehearsal_goes_to_operations_only_and_names_who_would_have_been_told():
    protocol = replace(PROTOCOL, live=False)
    sent: set[NoticeKey] = set()
    first = due(protocol, OPEN, sent, OPENED)
    sent |= keys(first)
    update = due(protocol, OPEN, sent, BEGAN + timedelta(minutes=60))
    sent |= keys(update)
    ended = fold(OPEN, happened(EventKind.RESOLVED, BEGAN + timedelta(minutes=61)))
    assert ended is not None
    end = due(protocol, ended, sent, BEGAN + timedelta(minutes=61))
    assert {plan.key.recipient for plan in (*first, *update, *end)} == {"admin"}
    named = [plan.instead_of for plan in (*first, *update, *end) if plan.key.audience is Audience.CLIENT]
    assert named == [("att",), ("att", "dsi"), ("att", "dsi")]
    assert all(not plan.instead_of for plan in (*first, *update, *end) if plan.key.audience is Audience.INTERNAL)


def test_in_a_rehearsal_what_a_runbook_tells_leaves_to_nobody_but_operations_either():
    said = replace(happened(EventKind.MESSAGE, OPENED), run="R26-0001", to=("att", "admin"), n=1000)
    incident = incident_of(OPENING, said)
    real, rehearsed = (
        [plan for plan in due(replace(PROTOCOL, live=live), incident, (), OPENED) if plan.key.step is Step.RUNBOOK]
        for live in (True, False)
    )
    assert [(plan.key.recipient, plan.instead_of) for plan in real] == [("att", ()), ("admin", ())]
    assert [(plan.key.recipient, plan.instead_of) for plan in rehearsed] == [("admin", ("att", "admin"))]


@pytest.mark.parametrize(("minutes", "following"), [(2, 60), (59, 60), (60, 120), (61, 120), (179, 180), (180, 240)])
def test_the_next_update_is_the_next_slot_of_the_grid(minutes, following):
    assert next_update(PROTOCOL, OPEN, BEGAN + timedelta(minutes=minutes)) == BEGAN + timedelta(minutes=following)


@pytest.mark.parametrize(
    ("protocol", "incident"),
    [
        (replace(PROTOCOL, update_every=None), OPEN),
        (replace(PROTOCOL, update_to=()), OPEN),
        (PROTOCOL, incident_of(OPENING)),
        (PROTOCOL, incident_of(OPENING, DISRUPTION, happened(EventKind.RESOLVED, OPENED))),
    ],
)
def test_no_next_update_is_promised_where_none_comes(protocol, incident):
    moment = BEGAN + timedelta(hours=3)
    assert next_update(protocol, incident, moment) is None
    assert Step.UPDATE not in {plan.key.step for plan in due(protocol, incident, (), moment)}


def test_a_key_survives_being_written():
    written = key(Audience.CLIENT, Step.UPDATE, 3, "att/desk")
    assert NoticeKey.parse(str(written)) == written


def test_message_ids_differ_between_sites_and_not_between_attempts():
    a_key = key(Audience.CLIENT, Step.UPDATE, 3, "att")
    assert a_key.message_id("douala") == a_key.message_id("douala") != a_key.message_id("yaounde")


def test_days_of_a_grid_of_seconds_are_made_good_for_as_far_as_a_message_can_name_them():
    protocol = replace(PROTOCOL, update_every=timedelta(seconds=2), update_to=("att",))
    now = BEGAN + timedelta(days=3)
    planned = [plan for plan in due(protocol, OPEN, (), now) if plan.key.step is Step.UPDATE]
    assert len(planned) == MOST_SLOTS
    assert [plan.skipped for plan in planned] == [True] * (MOST_SLOTS - 1) + [False]
    assert planned[-1].key.n == timedelta(days=3) // timedelta(seconds=2)
    assert len(planned[-1].gap) == MOST_SLOTS - 1
    assert not [plan for plan in due(protocol, OPEN, keys(tuple(planned)), now) if plan.key.step is Step.UPDATE]


@pytest.mark.parametrize(
    ("after", "steps"),
    [
        (3, {"client/resolved/1/att"}),
        (
            6,
            {
                "client/resolved/1/att",
                "client/update/1/att skipped",
                "client/update/1/dsi skipped",
                "client/resolved/1/dsi",
            },
        ),
    ],
)
def test_an_end_within_seconds_of_a_slot_is_what_the_client_is_told_then(after, steps):
    end = BEGAN + timedelta(minutes=60, seconds=after)
    sent = keys(due(PROTOCOL, OPEN, (), OPENED))
    incident = incident_of(OPENING, DISRUPTION, happened(EventKind.RESOLVED, end))
    planned = due(PROTOCOL, incident, sent, end)
    assert {one for one in told(planned) if one.startswith("client")} == steps


def called(at: datetime, **more: object) -> Event:
    event = happened(EventKind.CALLED, at)
    return replace(event, run="R26-0001", **more)


def test_operations_are_told_once_of_each_time_that_a_person_is_needed():
    later = OPENED + timedelta(minutes=1)
    incident = incident_of(OPENING, called(OPENED, asks=True), called(later))
    planned = due(PROTOCOL, incident, (), later)
    assert told(planned) == {
        "internal/first_notice/1/admin", "internal/person_called/1/admin", "internal/person_called/2/admin",
    }  # fmt: skip
    assert due(PROTOCOL, incident, keys(planned), later + timedelta(hours=1)) == ()


def test_what_a_runbook_has_to_say_goes_to_whom_it_names_and_to_operations_where_it_names_nobody():
    message = replace(happened(EventKind.MESSAGE, OPENED), run="R26-0001", to=("dsi",), n=1003)
    general = replace(message, to=(), n=1004)
    planned = due(PROTOCOL, incident_of(OPENING, message, general), (), OPENED)
    assert told(planned) >= {"internal/runbook/1003/dsi", "internal/runbook/1004/admin"}


def test_the_client_is_told_nothing_of_what_a_run_asks_our_own_people():
    planned = due(PROTOCOL, incident_of(OPENING, DISRUPTION, called(OPENED)), (), OPENED)
    assert {plan.key.recipient for plan in planned if plan.key.audience is Audience.CLIENT} == {"att"}
    assert {plan.key.step for plan in planned if plan.key.audience is Audience.CLIENT} == {Step.FIRST_NOTICE}


def test_operations_are_told_once_that_it_comes_and_goes_and_again_of_the_next_time():
    first, steady, again = (OPENED + timedelta(minutes=minutes) for minutes in (10, 30, 50))
    wavering = incident_of(OPENING, happened(EventKind.FLAPPING, first))
    sent = keys(due(PROTOCOL, incident_of(OPENING), (), OPENED))
    planned = due(PROTOCOL, wavering, sent, first)
    assert told(planned) == {"internal/flapping/1/admin"}
    assert {plan.due_at for plan in planned} == {first + PROTOCOL.first_within}
    sent |= keys(planned)
    assert due(PROTOCOL, wavering, sent, first + timedelta(hours=1)) == ()
    calm = fold(wavering, happened(EventKind.STEADY, steady))
    assert calm is not None
    assert due(PROTOCOL, calm, sent, steady) == ()
    anew = fold(calm, happened(EventKind.FLAPPING, again))
    assert anew is not None
    assert told(due(PROTOCOL, anew, sent, again)) == {"internal/flapping/2/admin"}


def test_who_was_told_hears_that_it_is_followed_under_another_incident_and_of_the_end_of_that_one():
    later = OPENED + timedelta(minutes=20)
    sent = keys(due(PROTOCOL, incident_of(OPENING, DISRUPTION), (), OPENED))
    source = incident_of(OPENING, DISRUPTION, replace(happened(EventKind.MERGED, later), data={"into": "26-0041"}))
    planned = due(PROTOCOL, source, sent, later)
    assert told(planned) == {"client/merged/1/att", "internal/merged/1/admin"}
    assert due(PROTOCOL, source, sent | keys(planned), later + timedelta(days=1)) == ()
    absorbed = replace(happened(EventKind.ABSORBED, later), data={"told": ["dsi"], "checks": ["fo"]}, began_at=BEGAN)
    target = incident_of(OPENING, absorbed)
    assert (target.disrupted_at, target.disruption_seen_at) == (BEGAN, later)
    ended = fold(target, happened(EventKind.RESOLVED, later + timedelta(minutes=1)))
    assert ended is not None
    end = due(PROTOCOL, ended, (), later + timedelta(minutes=1))
    assert {"client/resolved/1/att", "client/resolved/1/dsi"} <= told(end)


def test_operations_are_told_once_that_announced_work_overruns():
    over = OPENED + timedelta(hours=1)
    incident = incident_of(OPENING, DISRUPTION, happened(EventKind.OVERRUN, over))
    sent = keys(due(PROTOCOL, incident_of(OPENING, DISRUPTION), (), OPENED))
    planned = [plan for plan in due(PROTOCOL, incident, sent, over) if plan.key.step is Step.OVERRUN]
    assert told(planned) == {"internal/overrun/1/admin"}
    assert {plan.due_at for plan in planned} == {over + PROTOCOL.first_within}
    later = due(PROTOCOL, incident, sent | keys(planned), over + timedelta(hours=5))
    assert Step.OVERRUN not in {plan.key.step for plan in later}
    ended = fold(incident, happened(EventKind.RESOLVED, over))
    assert ended is not None
    assert Step.OVERRUN not in {plan.key.step for plan in due(PROTOCOL, ended, sent, over)}


def test_that_it_comes_and_goes_is_told_to_operations_only():
    wavering = incident_of(OPENING, DISRUPTION, happened(EventKind.FLAPPING, OPENED + timedelta(minutes=1)))
    planned = due(PROTOCOL, wavering, (), OPENED + timedelta(minutes=1))
    assert {str(plan.key.audience) for plan in planned if plan.key.step is Step.FLAPPING} == {"internal"}


@pytest.mark.parametrize(
    ("events", "steps"),
    [
        ([OPENING], {"internal/first_notice/1/admin"}),
        (
            [
                replace(OPENING, severity=Severity.WARNING),
                happened(EventKind.SEVERITY, OPENED + timedelta(minutes=5), Severity.CRITICAL),
            ],
            {"internal/first_notice/1/admin", "internal/worsened/1/admin"},
        ),
        (
            [OPENING, happened(EventKind.DISRUPTED, OPENED + timedelta(minutes=5), None, BEGAN)],
            {"internal/first_notice/1/admin", "internal/disrupted/1/admin", "client/first_notice/1/att"},
        ),
        (
            [
                OPENING,
                happened(EventKind.RESOLVED, OPENED + timedelta(minutes=1)),
                happened(EventKind.REOPENED, OPENED + timedelta(minutes=5), Severity.CRITICAL),
            ],
            {"internal/first_notice/2/admin"},
        ),
    ],
)
def test_what_begins_to_waver_as_it_is_told_of_anyway_is_one_message(events, steps):
    at = events[-1].at
    assert told(due(PROTOCOL, incident_of(*events, happened(EventKind.FLAPPING, at)), (), at)) == steps


def test_what_wavered_and_is_over_is_told_with_its_end_only():
    at = OPENED + timedelta(minutes=9)
    over = incident_of(OPENING, happened(EventKind.FLAPPING, at), happened(EventKind.RESOLVED, at))
    assert told(due(PROTOCOL, over, (), at)) == {"internal/first_notice/1/admin", "internal/resolved/1/admin"}


def acknowledged(at: datetime, until: datetime | None = None) -> Event:
    return replace(happened(EventKind.ACKNOWLEDGED, at), actor="uid:1000", until=until)


def test_operations_are_told_each_time_that_nobody_is_on_it_any_more():
    half, later = OPENED + timedelta(minutes=30), OPENED + timedelta(minutes=90)
    lapsed = incident_of(OPENING, acknowledged(OPENED, half), happened(EventKind.UNACKNOWLEDGED, half))
    sent = keys(due(PROTOCOL, incident_of(OPENING), (), OPENED))
    planned = due(PROTOCOL, lapsed, sent, half)
    assert told(planned) == {"internal/unacknowledged/1/admin"}
    assert {plan.due_at for plan in planned} == {half + PROTOCOL.first_within}
    sent |= keys(planned)
    assert due(PROTOCOL, lapsed, sent, half + timedelta(hours=8)) == ()
    again = incident_of(*lapsed.timeline, acknowledged(half, later), happened(EventKind.UNACKNOWLEDGED, later))
    assert told(due(PROTOCOL, again, sent, later)) == {"internal/unacknowledged/2/admin"}


@pytest.mark.parametrize(
    "then", [acknowledged(OPENED + timedelta(minutes=31)), happened(EventKind.RESOLVED, OPENED + timedelta(minutes=31))]
)
def test_what_somebody_is_on_again_or_what_is_over_wakes_nobody_for_a_lapse(then):
    half = OPENED + timedelta(minutes=30)
    lapsed = incident_of(OPENING, acknowledged(OPENED, half), happened(EventKind.UNACKNOWLEDGED, half), then)
    assert not [one for one in told(due(PROTOCOL, lapsed, (), then.at)) if "unacknowledged" in one]


def test_what_gets_worse_or_is_left_alone_after_the_clock_was_set_back_is_told_all_the_same():
    yesterday = OPENED - timedelta(hours=27)
    mild = incident_of(happened(EventKind.OPENED, OPENED, Severity.WARNING, BEGAN))
    so_far = keys(due(PROTOCOL, mild, (), OPENED))
    worse = fold(mild, happened(EventKind.SEVERITY, yesterday, Severity.CRITICAL))
    assert told(due(PROTOCOL, worse, so_far, yesterday)) == {"internal/worsened/1/admin"}
    left = fold(mild, happened(EventKind.ACKNOWLEDGED, yesterday))
    left = fold(left, happened(EventKind.UNACKNOWLEDGED, yesterday + timedelta(minutes=5)))
    assert told(due(PROTOCOL, left, so_far, yesterday)) == {"internal/unacknowledged/1/admin"}


def test_a_lapse_of_the_episode_before_is_no_news_of_a_relapse():
    half = OPENED + timedelta(minutes=30)
    again = incident_of(
        OPENING,
        acknowledged(OPENED, half),
        happened(EventKind.UNACKNOWLEDGED, half),
        happened(EventKind.RESOLVED, half + timedelta(minutes=1)),
        happened(EventKind.REOPENED, half + timedelta(minutes=9), Severity.CRITICAL),
    )
    planned = due(PROTOCOL, again, (), half + timedelta(minutes=9))
    assert Step.UNACKNOWLEDGED not in {plan.key.step for plan in planned}


CALLED = replace(
    PROTOCOL, conference_to=("dsi", "att"), conference_after=timedelta(minutes=60), bridge="+237 000, code 1"
)
HOUR = BEGAN + timedelta(minutes=60)
INVITED = {
    "client/conference/1/dsi",
    "client/conference/1/att",
    "internal/conference/1/admin",
}


def only(planned: tuple[Planned, ...], *steps: Step) -> tuple[Planned, ...]:
    return tuple(plan for plan in planned if plan.key.step in steps)


def test_after_an_hour_the_client_s_it_and_our_own_people_are_called_together():
    assert only(due(CALLED, OPEN, (), HOUR - timedelta(seconds=1)), Step.CONFERENCE) == ()
    planned = only(due(CALLED, OPEN, (), HOUR), Step.CONFERENCE)
    assert told(planned) == INVITED
    assert {plan.due_at for plan in planned} == {HOUR}
    assert conference_at(CALLED, OPEN) == HOUR + timedelta(minutes=10)
    assert only(due(CALLED, OPEN, keys(planned), HOUR + timedelta(hours=3)), Step.CONFERENCE) == ()


@pytest.mark.parametrize(("minutes", "off"), [(65, True), (69, True), (70, False), (90, False)])
def test_a_call_is_taken_back_only_before_it_begins(minutes, off):
    sent = keys(due(CALLED, OPEN, (), HOUR))
    ended = fold(OPEN, happened(EventKind.RESOLVED, BEGAN + timedelta(minutes=minutes)))
    cancelled = {text.replace("conference", "conference_cancelled") for text in INVITED} if off else set()
    planned = due(CALLED, ended, sent, BEGAN + timedelta(minutes=minutes))
    assert told(only(planned, Step.CONFERENCE_CANCELLED)) == cancelled
    assert only(planned, Step.CONFERENCE) == ()


def stated(cause: str, at: datetime) -> Event:
    return replace(happened(EventKind.CAUSE, at), text=verbatim(cause), actor="uid:0")


def test_whoever_was_invited_reads_what_has_changed_before_the_call_begins():
    sent, at = keys(due(CALLED, OPEN, (), HOUR)), HOUR + timedelta(minutes=3)
    known = fold(OPEN, stated("a digger", at))
    planned = only(due(CALLED, known, sent, at), Step.CONFERENCE_UPDATED)
    assert told(planned) == {text.replace("conference", "conference_updated") for text in INVITED}
    assert {plan.due_at for plan in planned} == {at}
    sent |= keys(planned)
    assert only(due(CALLED, known, sent, at + timedelta(minutes=1)), Step.CONFERENCE_UPDATED) == ()
    again = fold(known, stated("two diggers", at + timedelta(minutes=1)))
    planned = only(due(CALLED, again, sent, at + timedelta(minutes=2)), Step.CONFERENCE_UPDATED)
    assert {plan.key.n for plan in planned} == {2}


@pytest.mark.parametrize("minutes", [30, 60, 70, 90])
def test_what_changes_before_the_invitation_or_once_the_call_has_begun_is_left_to_the_updates(minutes):
    at = BEGAN + timedelta(minutes=minutes)
    sent = keys(due(CALLED, OPEN, (), HOUR))
    known = fold(OPEN, stated("a digger", at))
    assert only(due(CALLED, known, sent, at), Step.CONFERENCE_UPDATED) == ()


def test_an_invitation_that_is_written_now_already_says_what_has_changed():
    at = HOUR + timedelta(minutes=2)
    planned = due(CALLED, fold(OPEN, stated("a digger", at)), (), at)
    assert told(only(planned, Step.CONFERENCE, Step.CONFERENCE_UPDATED)) == INVITED


def test_an_invitation_that_could_not_be_sent_is_kept_as_missed_and_never_taken_back():
    ended = fold(OPEN, happened(EventKind.RESOLVED, HOUR + timedelta(minutes=5)))
    planned = due(CALLED, ended, (), HOUR + timedelta(hours=5))
    assert told(only(planned, Step.CONFERENCE, Step.CONFERENCE_CANCELLED)) == {f"{text} skipped" for text in INVITED}


def test_an_invitation_that_came_too_late_is_not_taken_back_by_the_next_tick_either():
    at = HOUR + timedelta(seconds=1)
    ended = fold(OPEN, happened(EventKind.RESOLVED, at))
    told_so_far = keys(due(CALLED, OPEN, (), HOUR - timedelta(seconds=1)))
    with_the_end = due(CALLED, ended, told_so_far, at)
    assert told(only(with_the_end, Step.CONFERENCE)) == {f"{text} skipped" for text in INVITED}
    assert due(CALLED, ended, told_so_far | keys(with_the_end), at + timedelta(seconds=1)) == ()


def test_a_call_is_taken_back_although_the_clock_by_which_it_was_due_turned_out_to_be_a_day_ahead():
    ended = fold(OPEN, happened(EventKind.RESOLVED, BEGAN - timedelta(days=1)))
    planned = due(CALLED, ended, keys(due(CALLED, OPEN, (), HOUR)), BEGAN - timedelta(days=1))
    cancelled = {text.replace("conference", "conference_cancelled") for text in INVITED}
    assert told(only(planned, Step.CONFERENCE, Step.CONFERENCE_CANCELLED)) == cancelled


def test_what_was_over_before_the_hour_calls_nobody():
    ended = fold(OPEN, happened(EventKind.RESOLVED, HOUR - timedelta(minutes=1)))
    assert only(due(CALLED, ended, (), HOUR + timedelta(hours=5)), Step.CONFERENCE, Step.CONFERENCE_CANCELLED) == ()


def test_a_relapse_after_the_hour_calls_together_at_once_and_the_call_gives_time_to_dial_in():
    seen = HOUR + timedelta(minutes=20)
    again = incident_of(
        OPENING,
        DISRUPTION,
        happened(EventKind.RESOLVED, HOUR - timedelta(minutes=5)),
        happened(EventKind.REOPENED, seen, Severity.CRITICAL, seen),
        happened(EventKind.DISRUPTED, seen, None, seen),
    )
    planned = only(due(CALLED, again, (), seen), Step.CONFERENCE)
    assert told(planned) == {text.replace("/1/", "/2/") for text in INVITED}
    assert {plan.due_at for plan in planned} == {seen}
    assert conference_at(CALLED, again) == seen + timedelta(minutes=10)


def test_what_does_not_interrupt_the_client_calls_nobody_and_is_never_long():
    quiet = incident_of(OPENING)
    planned = due(CALLED, quiet, (), BEGAN + timedelta(hours=9))
    assert only(planned, Step.CONFERENCE, Step.LONG_SOON, Step.LONG) == ()
    assert conference_at(CALLED, quiet) is None


@pytest.mark.parametrize(
    ("hours", "steps"),
    [
        (4.9, set()),
        (5, {"internal/long_soon/1/admin"}),
        (5.9, {"internal/long_soon/1/admin"}),
        (6, {"internal/long_soon/1/admin", "internal/long/1/admin"}),
    ],
)
def test_our_own_people_are_warned_an_hour_before_an_interruption_is_long_and_when_it_is(hours, steps):
    planned = due(PROTOCOL, OPEN, (), BEGAN + timedelta(hours=hours))
    assert told(only(planned, Step.LONG_SOON, Step.LONG)) == steps


def test_in_a_rehearsal_nobody_outside_is_called_and_operations_read_who_would_have_been():
    planned = only(due(replace(CALLED, live=False), OPEN, (), HOUR), Step.CONFERENCE)
    assert told(planned) == {"client/conference/1/admin", "internal/conference/1/admin"}
    assert {plan.instead_of for plan in planned} == {(), ("dsi", "att")}


def asked(at: datetime, *, asks: bool = True) -> Event:
    return replace(happened(EventKind.CALLED, at), run="R26-0001", asks=asks)


def doing(at: datetime) -> Event:
    return replace(happened(EventKind.REPAIR, at), run="R26-0001")


HALF = timedelta(minutes=30)


@pytest.mark.parametrize(
    ("minutes", "slots"),
    [
        (29, set()),
        (30, {"internal/reminder/1/admin"}),
        (59, {"internal/reminder/1/admin"}),
        (60, {"internal/reminder/2/admin"}),
        (600, {"internal/reminder/20/admin"}),
    ],
)
def test_a_question_that_waits_is_repeated_every_half_hour(minutes, slots):
    waits = incident_of(OPENING, doing(OPENED), asked(OPENED + timedelta(minutes=1)))
    planned = only(due(PROTOCOL, waits, (), OPENED + timedelta(minutes=minutes)), Step.REMINDER)
    assert told(planned) == slots


def test_a_question_that_was_put_just_before_a_slot_is_not_repeated_at_it():
    waits = incident_of(OPENING, doing(OPENED), asked(OPENED + HALF - timedelta(minutes=10)))
    assert only(due(PROTOCOL, waits, (), OPENED + HALF), Step.REMINDER) == ()
    assert len(only(due(PROTOCOL, waits, (), OPENED + 2 * HALF), Step.REMINDER)) == 1


@pytest.mark.parametrize(
    "after",
    [
        (doing(OPENED + timedelta(minutes=5)),),
        (replace(happened(EventKind.REPAIR_ENDED, OPENED + timedelta(minutes=5)), run="R26-0001"),),
    ],
)
def test_a_question_that_was_answered_is_not_repeated(after):
    answered = incident_of(OPENING, doing(OPENED), asked(OPENED + timedelta(minutes=1)), *after)
    assert only(due(PROTOCOL, answered, (), OPENED + timedelta(hours=5)), Step.REMINDER) == ()


def test_news_that_asks_nothing_is_not_repeated():
    quiet = incident_of(OPENING, doing(OPENED), asked(OPENED + timedelta(minutes=1), asks=False))
    assert only(due(PROTOCOL, quiet, (), OPENED + timedelta(hours=5)), Step.REMINDER) == ()
