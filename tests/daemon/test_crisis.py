"""The crisis cell at the desk: called for once, reporting on the hour, with its plan through reload and restart."""

from monitor.core import crisis_cell
from monitor.core.crisis import ActionState
from monitor.core.events import EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict

DOOR, FIRST = CheckId("door"), IncidentId("26-0001")
BAD, GOOD = Verdict(Severity.CRITICAL, say("no answer")), Verdict(Severity.OK, say("answers"))
CRISIS = (
    "protocol: {first_notice",
    "protocol: {crisis_report: {to: [att], every: 60 min}, first_notice",
)


def of_the_cell(store):
    return [
        (str(one.key).partition("/")[2], one.state.value)
        for one in store.notices()
        if one.key.step.startswith("crisis")
    ]


def opened(desk):
    return [event.kind for event in desk.state.incidents[FIRST].timeline].count(EventKind.CRISIS_OPENED)


async def test_the_cell_is_called_for_once_and_reports_on_the_hour_over_a_restart(
    desk_on, inventory_of, store, machine
):
    desk = desk_on(inventory_of(CRISIS))
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    machine.pass_(3600)
    await desk.tick()
    await desk.tick()
    first = {
        ("internal/crisis_opened/1/admin", "pending"),
        ("client/crisis_report/1/att", "pending"),
    }
    assert (set(of_the_cell(store)), opened(desk)) == (first, 1)
    await desk.act(FIRST, "uid:7", "action", lambda i, now: crisis_cell.add_action(i, "uid:7", now, "call the carrier"))
    reborn = desk_on(inventory_of(CRISIS))
    await reborn.swap(inventory_of(CRISIS), reborn.plan, "uid:7")
    machine.pass_(3600)
    await reborn.tick()
    second = {("client/crisis_report/2/att", "pending"), ("internal/crisis_report/2/admin", "pending")}
    assert (set(of_the_cell(store)), opened(reborn)) == (first | second, 1)
    (client,) = [one for one in store.notices() if str(one.key).endswith("client/crisis_report/2/att")]
    assert "Action 1: call the carrier" in client.message.text


async def test_by_a_clock_that_is_not_trusted_no_cell_is_called_for(desk_on, inventory_of, store, machine):
    desk = desk_on(inventory_of(CRISIS))
    desk.trusted = lambda: False
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    machine.pass_(3600)
    await desk.tick()
    assert (of_the_cell(store), opened(desk)) == ([], 0)


async def test_the_plan_is_still_there_after_the_end_and_a_relapse(desk_on, inventory_of, store, machine):
    desk = desk_on(inventory_of(CRISIS))
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    await desk.act(FIRST, "uid:7", "action", lambda i, now: crisis_cell.add_action(i, "uid:7", now, "call the carrier"))
    machine.pass_(60)
    await desk.take(DOOR, GOOD, machine.now(), 0.0)
    done = await desk.act(
        FIRST, "uid:7", "action end", lambda i, now: crisis_cell.end_action(i, "uid:7", now, 1, ActionState.DONE)
    )
    assert not done.open
    machine.pass_(60)
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    (action,) = desk.state.incidents[FIRST].crisis.actions
    assert (action.state, desk.state.incidents[FIRST].episode) == (ActionState.DONE, 2)
    assert store.incident(FIRST).crisis == desk.state.incidents[FIRST].crisis
