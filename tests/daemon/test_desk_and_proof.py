"""What the desk writes is what the proof demands: nothing is named as missing of a Relève that was there."""

from __future__ import annotations

import pytest

from alerts.notice import NoticeState
from alerts.protocol_json import protocol_from_json
from monitor.core import crisis_cell
from monitor.core.ids import CheckId
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.rereading import plan_of
from monitor.reports.proof import Standing, proof

DOOR = CheckId("door")
BAD, GOOD = Verdict(Severity.CRITICAL, say("refused")), Verdict(Severity.OK, say("open"))
WARNED = Verdict(Severity.WARNING, say("slow"))
OLD = "update: {every: 60 min, to: [att]}}"
NEW = """update: {every: 60 min, to: [att], draft: 5 min}, conference: {after: 60 min, to: [att], bridge: "+237"},
  crisis_report: {every: 60 min, to: [att]}}"""
OURS = """operations:
  to: [admin]
  quiet: {from: 22:00, to: 07:00}
  escalation: [{after: 15 min, to: [att]}]"""


@pytest.fixture
def inventory(inventory_of):
    return inventory_of((OLD, NEW), ("operations: {to: [admin]}", OURS))


@pytest.fixture
async def desk(desk_on, inventory):
    made = desk_on(inventory)
    await made.swap(inventory, plan_of(inventory), "releve")
    return made


async def passed(desk, machine, minutes, *, running=True):
    if not running:
        machine.pass_(minutes * 60)
        return
    for _ in range(int(minutes * 3)):
        machine.pass_(20)
        await desk.tick()


def proved(store, desk, name):
    frozen = store.protocol(name)
    return proof(store.incident(name), protocol_from_json(frozen[1]), store.notices(name), desk.clock.now())


async def opened(desk, machine, verdict=BAD):
    await desk.take(DOOR, verdict, machine.now(), 0.0)
    (name,) = [one.id for one in desk.state.incidents.values() if one.open and one.check == DOOR]
    return name


async def test_of_an_interruption_with_everything_that_there_is_nothing_is_missing(desk, machine, store):
    name = await opened(desk, machine)
    await passed(desk, machine, 70)
    await desk.acknowledge(name, "awa", "on it")
    due_at = desk.clock.now().replace(microsecond=0)
    add = lambda i, now: crisis_cell.add_action(i, "awa", now, "x", "", due_at.replace(hour=23))  # noqa: E731
    await desk.act(name, "awa", "action", add)
    await passed(desk, machine, 120)
    await desk.take(DOOR, GOOD, machine.now(), 0.0)
    await passed(desk, machine, 10)
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    await passed(desk, machine, 70)
    await desk.take(DOOR, GOOD, machine.now(), 0.0)
    await passed(desk, machine, 5)
    lines = proved(store, desk, name)
    steps = {line.key.step.value for line in lines}
    assert {"first_notice", "update", "conference", "crisis_report", "escalated", "draft", "resolved"} <= steps
    wrong = [(str(line.key), line.standing) for line in lines if line.standing in (Standing.ABSENT, Standing.MISSED)]
    assert wrong == []


async def test_a_warning_of_the_night_is_demanded_in_the_morning_only(desk, machine, store):
    name = await opened(desk, machine, WARNED)
    await passed(desk, machine, 60)
    assert proved(store, desk, name) == ()
    await passed(desk, machine, 6 * 60)
    lines = proved(store, desk, name)
    assert lines
    assert all(line.notice is not None for line in lines)


async def test_what_was_missed_in_an_outage_is_named_and_none_of_it_as_never_written(
    desk_on, inventory, desk, machine, store
):
    name = await opened(desk, machine)
    await passed(desk, machine, 30)
    await passed(desk, machine, 130, running=False)
    again = desk_on(inventory)
    await again.swap(inventory, plan_of(inventory), "releve")
    await passed(again, machine, 30)
    lines = proved(store, again, name)
    client = [line for line in lines if line.key.audience.value == "client" and line.key.step.value == "update"]
    assert [line.standing for line in client] == [Standing.MISSED, Standing.OVERDUE, Standing.OVERDUE]
    absent = [str(line.key) for line in lines if line.standing is Standing.ABSENT]
    assert [key for key in absent if "/client/" in key] == []
    assert all(notice.state is not NoticeState.SENT for notice in store.notices(name))
