"""Announced work at the desk: kept over a restart, audited, ended by people; acknowledgements that lapse."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from monitor.core.events import EventKind
from monitor.core.ids import CheckId, NodeId
from monitor.core.incident import Refused, Status
from monitor.core.maintenance import Span, Window, scope_of
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.rereading import plan_of
from monitor.store.tables import audit

DOOR, ROOM, SERVER = CheckId("door"), CheckId("room"), NodeId("server")
BAD, GOOD = Verdict(Severity.CRITICAL, say("refused")), Verdict(Severity.OK, say("open"))


def work(desk, hours: float = 1) -> Window:
    now = desk.clock.now()
    scope = scope_of(desk.plan.topology, [SERVER])
    return Window("patch", scope, Span(now, now + timedelta(hours=hours)), reason="V6", nodes=(SERVER,))


async def resumed(desk_on, inventory):
    desk = desk_on(inventory)
    await desk.swap(inventory, plan_of(inventory), "releve")
    return desk


async def test_what_a_person_announced_is_known_after_a_restart_and_audited(desk_on, inventory_of, store, machine):
    inventory = inventory_of()
    desk = await resumed(desk_on, inventory)
    made = await desk.announce(work(desk), "uid:0")
    assert made.by == "uid:0"
    again = await resumed(desk_on, inventory)
    assert again.state.windows == (made,)
    await again.take(DOOR, BAD, machine.now(), 0.0)
    await again.take(ROOM, BAD, machine.now(), 0.0)
    assert [one.check for one in again.state.incidents.values()] == [ROOM]
    with store.engine.connect() as connection:
        rows = connection.execute(select(audit.c.actor, audit.c.action, audit.c.data)).all()
    assert ("uid:0", "maintenance", '{"id":"patch"}') in [tuple(row) for row in rows]
    assert store.verify_audit().whole


async def test_after_it_what_still_fails_is_looked_at_and_told(desk_on, inventory_of, machine):
    desk = await resumed(desk_on, inventory_of())
    await desk.announce(work(desk), "uid:0")
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    await desk.tick()
    assert desk.state.incidents == {}
    machine.pass_(3601)
    await desk.tick()
    (incident,) = desk.state.incidents.values()
    assert (incident.check, incident.began_at) == (DOOR, desk.state.windows[0].when.end)


async def test_ended_by_a_person_it_stays_ended_over_a_restart(desk_on, inventory_of, machine):
    inventory = inventory_of()
    desk = await resumed(desk_on, inventory)
    await desk.announce(work(desk), "uid:0")
    machine.pass_(60)
    ended = await desk.end_work("patch", "uid:1")
    assert ended.ended == desk.clock.now()
    with pytest.raises(Refused, match="does not go on"):
        await desk.end_work("patch", "uid:1")
    again = await resumed(desk_on, inventory)
    assert [one.span_at(again.clock.now()) for one in again.state.windows] == []
    with pytest.raises(Refused, match="no announced work"):
        await again.end_work("patch", "uid:1")


async def test_a_disk_that_is_full_forgets_no_work_that_was_announced(desk_on, inventory_of, full_disk):
    inventory = inventory_of()
    desk = await resumed(desk_on, inventory)
    with full_disk():
        made = await desk.announce(work(desk), "uid:0")
        assert desk.state.windows == (made,)
    await desk.journal.retry()
    assert (await resumed(desk_on, inventory)).state.windows == (made,)


async def test_an_acknowledgement_lapses_with_time_and_is_written(desk_on, inventory_of, machine):
    inventory = inventory_of()
    desk = await resumed(desk_on, inventory)
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    (incident,) = desk.state.incidents.values()
    await desk.acknowledge(incident.id, "uid:0", "on it", timedelta(hours=2))
    assert desk.state.incidents[incident.id].status is Status.ACKNOWLEDGED
    machine.pass_(2 * 3600)
    await desk.tick()
    again = await resumed(desk_on, inventory)
    known = again.state.incidents[incident.id]
    assert (known.status, known.timeline[-1].kind) == (Status.OPEN, EventKind.UNACKNOWLEDGED)


async def test_what_is_checked_too_seldom_to_be_seen_is_stale(desk_on, inventory_of, machine):
    desk = await resumed(desk_on, inventory_of())
    await desk.take(DOOR, GOOD, machine.now(), 0.0)
    machine.pass_(3 * 3600)
    await desk.tick()
    assert desk.state.stale == frozenset()
    machine.pass_(60)
    await desk.tick()
    assert desk.state.stale == {DOOR}
    await desk.take(DOOR, GOOD, machine.now(), 0.0)
    assert desk.state.stale == frozenset()


async def test_a_name_can_be_taken_again_once_that_work_is_over(desk_on, inventory_of, machine):
    desk = await resumed(desk_on, inventory_of())
    await desk.announce(work(desk), "uid:0")
    with pytest.raises(Refused, match="choose another"):
        await desk.announce(work(desk), "uid:0")
    machine.pass_(3601)
    second = await desk.announce(replace(work(desk), reason="again"), "uid:0")
    assert desk.state.windows == (second,)
