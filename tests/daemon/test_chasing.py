"""Reminders of reviews and actions, also of incidents that left the desk: over restarts, none twice, none forgotten."""

from __future__ import annotations

import sqlite3
from datetime import UTC, timedelta

import pytest
from sqlalchemy import event

from alerts.chase import CHASED
from alerts.notice import NoticeState, Step
from monitor.core import crisis_cell, reviewing
from monitor.core.crisis import ActionState
from monitor.core.ids import CheckId
from monitor.core.review import Stage, Topic
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.chasing import overdue
from monitor.daemon.desk import KEEP
from monitor.daemon.rereading import plan_of

DOOR = CheckId("door")
BAD, GOOD = Verdict(Severity.CRITICAL, say("refused")), Verdict(Severity.OK, say("open"))
DAY = 86400
HOUR = 3600


@pytest.fixture
def inventory(inventory_of):
    return inventory_of()


@pytest.fixture
async def desk(desk_on, inventory):
    made = desk_on(inventory)
    await made.swap(inventory, plan_of(inventory), "releve")
    return made


async def interruption(desk, machine):
    """The name of an interruption that lasted an hour, after its end."""
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    (name,) = [one.id for one in desk.state.incidents.values() if one.open]
    machine.pass_(HOUR)
    await desk.take(DOOR, GOOD, machine.now(), 0.0)
    return name


async def passed(desk, machine, days, step=HOUR):
    """Let days go by, an hour at a time."""
    for _ in range(int(days * DAY / step)):
        machine.pass_(step)
        await desk.tick()


def told(store, name):
    return [(notice.key.step.value, notice.key.n) for notice in store.notices(name) if notice.key.step in CHASED]


async def test_who_left_the_desk_is_reminded_of_all_the_same(desk, machine, store):
    name = await interruption(desk, machine)
    await passed(desk, machine, 2.9)
    assert name not in desk.state.incidents
    assert told(store, name) == []
    await passed(desk, machine, 8)
    assert told(store, name) == [("review_hot", 1000), ("review_hot", 1001)]
    assert {one.key.recipient for one in store.notices(name) if one.key.step in CHASED} == {"admin"}
    assert all(one.message.text for one in store.notices(name))


async def test_a_restart_at_any_time_forgets_and_doubles_nothing(desk_on, inventory, machine, store):
    desk = desk_on(inventory)
    await desk.swap(inventory, plan_of(inventory), "releve")
    name = await interruption(desk, machine)
    for _ in range(40):
        await passed(desk, machine, 0.5)
        desk = desk_on(inventory)
        await desk.swap(inventory, plan_of(inventory), "releve")
        await desk.tick()
    assert told(store, name) == [("review_hot", 1000), ("review_hot", 1001), ("review_hot", 1002)]


async def test_after_an_outage_of_weeks_one_reminder_is_enough(desk_on, desk, inventory, machine, store):
    name = await interruption(desk, machine)
    machine.pass_(26 * DAY)
    again = desk_on(inventory)
    await again.tick()
    await again.tick()
    assert told(store, name) == [("review_hot", 1003)]


async def test_what_is_closed_long_after_the_end_is_told_no_more(desk, machine, store):
    name = await interruption(desk, machine)
    await passed(desk, machine, 4)
    desk_says = desk.act
    await desk_says(name, "paul", "review", lambda i, now: reviewing.write_point(i, "paul", now, Topic.WHY, "x"))
    for stage in Stage:
        await desk_says(
            name, "paul", "review close", lambda i, now, stage=stage: reviewing.close(i, "paul", now, stage)
        )
    assert desk.chasing.outstanding == {}
    await passed(desk, machine, 60, step=6 * HOUR)
    assert told(store, name) == [("review_hot", 1000)]


async def test_an_action_of_long_ago_is_told_at_its_time(desk, machine, store):
    name = await interruption(desk, machine)
    await passed(desk, machine, 2)
    at = desk.clock.now() + timedelta(hours=5)
    await desk.act(name, "paul", "action", lambda i, now: crisis_cell.add_action(i, "paul", now, "call OCM", "", at))
    await passed(desk, machine, 0.5)
    assert told(store, name) == [("action_due", 1000)]
    done = lambda i, now: crisis_cell.end_action(i, "paul", now, 1, ActionState.DONE)  # noqa: E731
    await desk.act(name, "paul", "action end", done)
    await passed(desk, machine, 5)
    assert [step for step, _ in told(store, name)].count("action_due") == 1


async def test_as_long_as_the_clock_is_not_trusted_nobody_is_reminded(desk, machine, store):
    name = await interruption(desk, machine)
    desk.trusted = lambda: False
    await passed(desk, machine, 5)
    assert told(store, name) == []
    desk.trusted = lambda: True
    await desk.tick()
    assert told(store, name) == [("review_hot", 1000)]


async def test_what_cannot_be_read_is_tried_again(desk, machine, store):
    name = await interruption(desk, machine)
    await passed(desk, machine, 2.9)

    def broken(_connection, _cursor, statement, *_):
        if "FROM events" in statement:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error

    event.listen(store.engine, "before_cursor_execute", broken)
    await passed(desk, machine, 1)
    event.remove(store.engine, "before_cursor_execute", broken)
    assert told(store, name) == []
    await passed(desk, machine, 0.5)
    assert told(store, name) == [("review_hot", 1000)]


async def test_on_a_full_disk_a_reminder_waits_in_memory_and_is_not_doubled(desk, machine, store, full_disk):
    name = await interruption(desk, machine)
    await passed(desk, machine, 2.9)
    with full_disk():
        await passed(desk, machine, 1)
    await desk.journal.retry()
    await passed(desk, machine, 1)
    assert told(store, name) == [("review_hot", 1000)]


async def test_what_is_overdue_is_counted_wherever_the_incident_is(desk_on, desk, inventory, machine):
    await interruption(desk, machine)
    await passed(desk, machine, 3.5)

    def counted(one):
        return overdue(one.chasing.outstanding.values(), one.state.incidents, one.clock.now())

    assert counted(desk) == (1, 0)
    assert counted(desk_on(inventory)) == (1, 0)
    name = await interruption(desk, machine)
    at = desk.clock.now() + timedelta(hours=1)
    await desk.act(name, "paul", "action", lambda i, now: crisis_cell.add_action(i, "paul", now, "x", "", at))
    machine.pass_(2 * HOUR)
    assert counted(desk) == (1, 1)


async def test_of_what_left_the_desk_only_moments_are_kept(desk, machine):
    names = {await interruption(desk, machine)}
    await passed(desk, machine, 0.1)
    names.add(await interruption(desk, machine))
    await passed(desk, machine, KEEP.total_seconds() / DAY + 0.2)
    assert desk.state.incidents == {}
    assert desk.protocols == {} == desk.sent
    assert set(desk.chasing.outstanding) == names


async def test_a_reminder_that_reaches_nobody_is_named(desk_on, inventory_of, machine, store):
    inventory = inventory_of(
        ("admin: {name: Administrateur, mail: admin@example.org}", "admin: {name: Admin, sms: '+2371'}")
    )
    desk = desk_on(inventory)
    await desk.swap(inventory, plan_of(inventory), "releve")
    name = await interruption(desk, machine)
    desk.died_at = None
    await passed(desk, machine, 3.5)
    (reminder,) = [one for one in store.notices(name) if one.key.step is Step.REVIEW_HOT]
    assert reminder.state is NoticeState.DEAD
    assert desk.died_at is not None


async def test_an_action_that_is_due_in_the_quiet_hours_is_told_in_the_morning(desk_on, inventory_of, machine, store):
    inventory = inventory_of(
        ("operations: {to: [admin]}", "operations: {to: [admin], quiet: {from: 22:00, to: 07:00}}")
    )
    desk = desk_on(inventory)
    await desk.swap(inventory, plan_of(inventory), "releve")
    machine.pass_(9 * HOUR)  # noon at Douala: nothing of the incident itself waits
    opened = await desk.open("other", Severity.WARNING, "paul", "a warning")
    await desk.resolve(opened.id, "paul", "over")
    await passed(desk, machine, 2)
    at = desk.clock.now().replace(hour=22, minute=30)
    add = lambda i, now: crisis_cell.add_action(i, "paul", now, "call OCM", "", at)  # noqa: E731
    await desk.act(opened.id, "paul", "action", add)
    await passed(desk, machine, 0.7)
    assert desk.clock.now() > at
    assert told(store, opened.id) == []
    await passed(desk, machine, 0.3)
    assert told(store, opened.id) == [("action_due", 1000)]
    (notice,) = [one for one in store.notices(opened.id) if one.key.step is Step.ACTION_DUE]
    assert notice.created_at.astimezone(UTC).hour in (6, 7)
