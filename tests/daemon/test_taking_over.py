"""Duty at the desk: who is on duty is told; what people take over is kept over a restart, and audited."""

import json
from datetime import timedelta

from sqlalchemy import select

from alerts.notice import HANDOVERS, Step
from monitor.core.ids import CheckId
from monitor.core.rota import Override
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from monitor.store.tables import audit

BAD = Verdict(Severity.CRITICAL, say("refused"))
ROTA = ("operations: {to: [admin]}", "operations: {to: [duty]}\nrota: {duty: {members: admin, handover: '08:00'}}\n")
EVA = ("channels:", "  eva: {name: Eva, mail: eva@example.org}\nchannels:")


def recipients(desk):
    return {key.recipient for keys in desk.sent.values() for key in keys if key.audience.value == "internal"}


async def test_who_took_over_is_told_also_after_a_restart(desk_on, inventory_of, store, machine):
    inventory = inventory_of(ROTA, EVA)
    desk, now = desk_on(inventory), machine.now()
    asked = Override("duty", "eva", now - timedelta(hours=3), now + timedelta(hours=1))
    made = await desk.take_over(asked, "uid:0")
    assert (made.start, made.end, made.by) == (desk.clock.now(), asked.end, "uid:0")
    again = desk_on(inventory)
    assert again.state.overrides == (made,)
    await again.take(CheckId("room"), BAD, machine.now(), 0.0)
    assert recipients(again) == {"eva"}
    with store.engine.connect() as connection:
        data = connection.execute(select(audit.c.data).where(audit.c.action == "oncall override")).scalars().all()
    assert [json.loads(one)["who"] for one in data] == ["eva"]
    assert store.verify_audit().whole


async def test_when_it_is_over_or_the_contact_is_gone_the_rota_holds_again(desk_on, inventory_of, machine):
    desk, now = desk_on(inventory_of(ROTA, EVA)), machine.now()
    await desk.take_over(Override("duty", "eva", now, now + timedelta(hours=1)), "uid:0")
    assert desk.roster.people(["duty"], now) == ("eva",)
    assert desk.roster.people(["duty"], now + timedelta(hours=1)) == ("admin",)
    desk = desk_on(inventory_of(ROTA))
    await desk.take(CheckId("room"), BAD, machine.now(), 0.0)
    assert recipients(desk) == {"admin"}


async def test_a_disk_that_is_full_forgets_no_override(desk_on, inventory_of, full_disk, machine):
    inventory = inventory_of(ROTA, EVA)
    desk, now = desk_on(inventory), machine.now()
    with full_disk():
        made = await desk.take_over(Override("duty", "eva", now, now + timedelta(hours=1)), "uid:0")
        assert desk.journal.trouble is not None
        assert desk.roster.people(["duty"], now) == ("eva",)
    await desk.journal.retry()
    assert desk_on(inventory).state.overrides == (made,)


async def test_nobody_answers_so_the_next_is_told_and_an_acknowledgement_ends_that(
    desk_on, inventory_of, store, machine
):
    ladder = "operations: {to: [admin], escalation: [{after: 10 min, to: [eva]}, {after: 20 min, to: [att]}]}"
    inventory = inventory_of(EVA, ("operations: {to: [admin]}", ladder))
    desk = desk_on(inventory)
    await desk.take(CheckId("room"), BAD, machine.now(), 0.0)
    (name,) = desk.state.incidents
    machine.pass_(599)
    await desk.tick()
    assert recipients(desk) == {"admin"}
    machine.pass_(1)
    desk = desk_on(inventory)  # as after a crash in between
    await desk.tick()
    assert recipients(desk) == {"admin", "eva"}
    notice = next(one for one in store.notices(name) if one.key.step.value == "escalated")
    assert notice.message.text.startswith("Not acknowledged for 10")
    assert "Told before, and nobody has acknowledged it: Administrateur." in notice.message.text
    assert "the next message goes to Desk ATT" in notice.message.text
    await desk.acknowledge(name, "uid:0", "")
    machine.pass_(3600)
    await desk.tick()
    assert recipients(desk) == {"admin", "eva"}


async def test_whoever_comes_on_duty_is_told_once_of_what_is_open_also_over_a_restart(
    desk_on, inventory_of, store, machine
):
    inventory = inventory_of(ROTA, EVA)
    desk = desk_on(inventory)
    await desk.take(CheckId("room"), BAD, machine.now(), 0.0)
    machine.pass_(600)
    await desk.take_over(Override("duty", "eva", machine.now(), machine.now() + timedelta(hours=1)), "uid:0")
    await desk.tick()
    machine.pass_(60)
    desk = desk_on(inventory)
    await desk.tick()
    (handed,) = store.notices(HANDOVERS)
    assert (handed.key.step, handed.key.recipient, handed.address) == (Step.HANDOVER, "eva", "eva@example.org")
    assert "You are on duty, 1 incident is open." in handed.message.text
    assert next(iter(desk.state.incidents)) in handed.message.text
    assert handed.in_reply_to == ""
    machine.pass_(3600)
    await desk.tick()
    assert [one.key.recipient for one in store.notices(HANDOVERS)] == ["eva", "admin"]


QUIET = ("operations: {to: [admin]}", "operations: {to: [admin], quiet: {from: 22:00, to: 07:00}}")
MILD = Verdict(Severity.WARNING, say("slow"))


async def test_a_warning_of_the_night_waits_for_the_morning_also_over_a_restart(desk_on, inventory_of, machine):
    inventory = inventory_of(QUIET)
    desk = desk_on(inventory)  # it is 3 o'clock at Douala
    await desk.take(CheckId("room"), MILD, machine.now(), 0.0)
    await desk.tick()
    assert recipients(desk) == set()
    machine.pass_(4 * 3600)
    desk = desk_on(inventory)
    await desk.tick()
    assert recipients(desk) == {"admin"}


async def test_by_a_clock_that_may_be_wrong_nobody_is_left_asleep(desk_on, inventory_of, machine):
    desk = desk_on(inventory_of(QUIET))
    desk.trusted = lambda: False
    await desk.take(CheckId("room"), MILD, machine.now(), 0.0)
    assert recipients(desk) == {"admin"}


async def test_an_invitation_lists_the_person_on_duty_by_address(desk_on, inventory_of, store, machine):
    conference = ("update: {every: 60 min, to: [att]}}", "conference: {to: [att], after: 60 min, bridge: '1'}}")
    desk = desk_on(inventory_of(ROTA, conference))
    await desk.take(CheckId("door"), BAD, machine.now(), 0.0)
    machine.pass_(3601)
    await desk.tick()
    (incident,) = desk.state.incidents
    calendars = [one.message.calendar for one in store.notices(incident) if one.key.step.value == "conference"]
    assert len(calendars) == 2
    assert all("admin@example.org" in calendar for calendar in calendars)
