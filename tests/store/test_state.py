"""What is committed is there after any end of the process, once, and in its order."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.notice import Notice
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.health import Health
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import replay
from monitor.core.plan import State
from monitor.core.text import say, verbatim
from monitor.core.timekeeping import Guard
from monitor.core.verdict import Severity
from monitor.store import AuditEntry, Batch, Corrupt, Store, health_from_json, health_to_json, open_store
from monitor.store.rows import guard_from_json, guard_to_json

DAY = timedelta(days=1)
AT = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)
Opening = Callable[..., Event]
Reopen = Callable[..., Store]

moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - aware by timezones
healths = st.builds(
    Health,
    confirmed=st.sampled_from(Severity),
    latest=st.sampled_from(Severity),
    run=st.integers(0, 10**6),
    fails=st.integers(0, 10**6),
    began_at=moments,
    turned_at=moments,
    seen_at=moments,
    ok_at=st.none() | moments,
    down=st.booleans(),
    summary=st.builds(verbatim, st.text()),
)
guards = st.builds(
    Guard,
    boot_id=st.text(),
    boot=st.floats(0, 1e9),
    at=moments,
    stepped_by=st.timedeltas(timedelta(days=-3650), timedelta(days=3650)),
    trusted=st.booleans(),
)


@given(healths)
def test_a_health_comes_back_as_it_was(health: Health) -> None:
    assert health_from_json(health_to_json(health)) == health


@given(guards)
def test_the_clocks_anchor_comes_back_as_it_was(guard: Guard) -> None:
    assert guard_from_json(guard_to_json(guard)) == guard


def test_a_new_store_believes_nothing(store: Store) -> None:
    loaded = store.load(AT, DAY)
    assert loaded.state == State()
    assert (loaded.sent, loaded.protocols, loaded.guard) == ({}, {}, None)


def test_everything_of_a_batch_is_there_after_a_restart(
    store: Store, reopen: Reopen, opening: Opening, notice: Callable[..., Notice]
) -> None:
    event, message = opening(1), notice(1)
    health = Health(Severity.CRITICAL, Severity.CRITICAL, 3, 3, AT, AT, AT, None, True)
    guard = Guard("boot", 12.5, AT)
    protocol = {"live": True, "first_to": ["att"], "within": 30.5}
    store.commit(
        Batch(
            events=(event,),
            healths={CheckId("hmp-disk"): health},
            notices=(message,),
            protocols={event.incident: protocol},
            guard=guard,
        )
    )
    loaded = reopen().load(AT, DAY)
    assert loaded.state.healths == {"hmp-disk": health}
    assert loaded.state.incidents == replay([event])
    assert loaded.state.next_number == 2
    assert loaded.sent == {event.incident: {message.key}}
    assert loaded.protocols == {event.incident: protocol}
    assert loaded.guard == guard


def test_a_batch_handed_in_again_changes_nothing(store: Store, opening: Opening, notice: Callable[..., Notice]) -> None:
    batch = Batch(events=(opening(1),), notices=(notice(1),), audit=(AuditEntry("uid:1000", "open", {"id": 1}),))
    for _ in range(3):
        store.commit(batch)
    note = Event(batch.events[0].incident, AT, EventKind.NOTE, "uid:1000", verbatim("seen"))
    store.commit(Batch(events=(note,)))
    store.commit(batch)
    assert store.events(batch.events[0].incident) == [batch.events[0], note]
    assert store.verify_audit().entries == 1
    assert len(store.notices()) == 1


def test_the_same_words_twice_are_two_events(store: Store, opening: Opening) -> None:
    event = opening(1)
    note = Event(event.incident, AT, EventKind.NOTE, "uid:1000", verbatim("again"))
    store.commit(Batch(events=(event, note, note)))
    assert store.events(event.incident) == [event, note, note]


def test_a_batch_is_written_whole_or_not_at_all(store: Store, opening: Opening) -> None:
    stray = Event(IncidentId("26-0099"), AT, EventKind.NOTE, RELEVE, verbatim("of no incident"))
    with pytest.raises(Exception, match="FOREIGN KEY"):
        store.commit(Batch(events=(opening(1), stray), audit=(AuditEntry("a", "b"),)))
    assert store.incidents() == []
    assert store.verify_audit().entries == 0


def test_a_removed_check_is_forgotten_and_a_changed_one_kept(store: Store) -> None:
    health = Health(Severity.OK, Severity.OK, 1, 0, AT, AT, AT)
    a, b = CheckId("a"), CheckId("b")
    store.commit(Batch(healths={a: health, b: health}))
    store.commit(Batch(healths={b: replace(health, run=2)}, removed=(a,)))
    assert store.load(AT, DAY).state.healths == {b: replace(health, run=2)}


def test_an_incident_keeps_the_protocol_that_it_opened_under(store: Store, opening: Opening) -> None:
    first, second = opening(1), opening(2)
    old, new = {"update_every": 3600}, {"update_every": 60}
    store.commit(Batch(events=(first,), protocols={first.incident: old}))
    store.commit(Batch(events=(second,), protocols={first.incident: new, second.incident: new}))
    assert store.load(AT, DAY).protocols == {first.incident: old, second.incident: new}


def test_the_protocol_of_an_incident_has_a_version_that_changes_with_it(store: Store, opening: Opening) -> None:
    first, second, third = opening(1), opening(2), opening(3)
    old, new = {"update_every": 3600}, {"update_every": 60}
    protocols = {first.incident: old, second.incident: new}
    store.commit(Batch(events=(first, second, third), protocols=protocols))
    assert store.protocol(third.incident) is None
    found = [store.protocol(one.incident) for one in (first, second)]
    assert [body for version, body in filter(None, found)] == [old, new]
    assert len({version for version, body in filter(None, found)}) == 2


def test_only_open_and_lately_ended_incidents_are_loaded_and_numbers_go_on(store: Store, opening: Opening) -> None:
    long_ago, lately, open_ = opening(1), opening(2), opening(3)
    store.commit(Batch(events=(long_ago, lately, open_)))
    store.commit(Batch(events=(Event(long_ago.incident, AT - 2 * DAY, EventKind.RESOLVED, RELEVE, say("OK")),)))
    store.commit(Batch(events=(Event(lately.incident, AT - DAY / 2, EventKind.RESOLVED, RELEVE, say("OK")),)))
    state = store.load(AT, DAY).state
    assert set(state.incidents) == {lately.incident, open_.incident}
    assert state.next_number == 4
    assert store.incident(long_ago.incident) == replay(store.events(long_ago.incident))[long_ago.incident]


def test_incidents_are_listed_newest_first(store: Store, opening: Opening) -> None:
    opened = [opening(number, AT + timedelta(hours=number)) for number in (1, 2, 3)]
    store.commit(Batch(events=tuple(opened)))
    store.commit(Batch(events=(Event(opened[1].incident, AT + DAY, EventKind.RESOLVED, RELEVE, say("OK")),)))
    assert [i.id for i in store.incidents()] == ["26-0003", "26-0002", "26-0001"]
    assert [i.id for i in store.incidents(2)] == ["26-0003", "26-0002"]
    assert [i.id for i in store.incidents(open_only=True)] == ["26-0003", "26-0001"]
    assert store.incident(IncidentId("26-0007")) is None


def test_a_row_that_nobody_can_read_is_named_not_raised_through(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO healths VALUES ('a', '{}')")
    with pytest.raises(Corrupt) as caught:
        store.load(AT, DAY)
    assert "row that cannot be read" in str(dict(caught.value.text.values)["why"])


kinds = st.sampled_from([kind for kind in EventKind if kind is not EventKind.OPENED])
stories = st.lists(st.tuples(st.integers(1, 3), kinds, st.integers(0, 3)), max_size=25)


@given(stories)
@settings(max_examples=10)
def test_what_is_loaded_is_what_was_folded(story: list[tuple[int, EventKind, int]]) -> None:
    names = [IncidentId(f"26-000{n}") for n in (1, 2, 3)]
    told = [Event(name, AT, EventKind.OPENED, RELEVE, say("fails"), CheckId("c")) for name in names]
    told += [
        Event(names[n - 1], AT + timedelta(minutes=minute), kind, RELEVE, say("fails"), CheckId("c"), Severity.WARNING)
        for minute, (n, kind, _) in enumerate(story, 1)
    ]
    with tempfile.TemporaryDirectory() as place, open_store(Path(place), write=True, ballast=0) as store:
        rest = list(told)
        for size in (*(3 + cut for _, _, cut in story), len(told)):
            batch, rest = rest[:size], rest[size:]
            store.commit(Batch(events=tuple(batch)))
        expected = replay(told)
        assert store.load(AT, timedelta(days=365)).state.incidents == expected
        ended = {name for name, incident in expected.items() if incident.resolved_at is not None}
        assert {i.id for i in store.incidents(open_only=True)} == set(names) - ended
