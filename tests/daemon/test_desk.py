"""The desk: what is believed is what is written, whoever goes away in between; what people do is heard or refused."""

import asyncio
from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from alerts.notice import Audience, NoticeKey, NoticeState, Planned, Step
from monitor.core.events import RELEVE
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Refused
from monitor.core.plan import State
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon import selfcheck
from monitor.daemon.clock import GuardedClock
from monitor.daemon.journal import Journal
from monitor.daemon.letters import Moment

DOOR, ROOM = CheckId("door"), CheckId("room")
BAD, GOOD = Verdict(Severity.CRITICAL, say("refused")), Verdict(Severity.OK, say("open"))


async def test_a_result_that_is_being_written_is_believed_even_if_its_check_is_cancelled(
    desk_on, inventory_of, store, machine, busy_disk
):
    desk = desk_on(inventory_of())
    async with busy_disk(desk.journal):
        task = asyncio.create_task(desk.take(DOOR, BAD, machine.now(), 0.0))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await desk.flush()
    assert [one.check for one in desk.state.incidents.values()] == [DOOR]
    stored = store.load(machine.now(), desk.clock.now() - machine.now())
    assert stored.state.healths[DOOR] == desk.state.healths[DOOR]


async def test_results_that_come_while_the_disk_is_busy_are_all_taken(desk_on, inventory_of, machine, busy_disk):
    desk = desk_on(inventory_of())
    async with busy_disk(desk.journal):
        takes = [asyncio.create_task(desk.take(name, BAD, machine.now(), 0.0)) for name in (DOOR, ROOM, DOOR, ROOM)]
        await asyncio.sleep(0.05)
    await asyncio.gather(*takes)
    assert {one.check for one in desk.state.incidents.values()} == {DOOR, ROOM}
    assert desk.state.healths[ROOM].run == 2


@pytest.mark.parametrize(
    ("verdict", "zone"),
    [(BAD, None), (Verdict(Severity.CRITICAL, say("{what}", what=object())), UTC)],
    ids=["that no rule can take", "that no journal can write"],
)
async def test_a_result_that_makes_no_sense_takes_no_other_with_it(
    desk_on, inventory_of, machine, busy_disk, caplog, verdict, zone
):
    desk = desk_on(inventory_of())
    await desk.take(DOOR, GOOD, machine.now(), 0.0)
    machine.pass_(1)
    async with busy_disk(desk.journal):
        at = machine.now().replace(tzinfo=zone)
        takes = [asyncio.create_task(desk.take(DOOR, verdict, at, 0.0))]
        takes += [asyncio.create_task(desk.take(ROOM, BAD, machine.now(), 0.0))]
        await asyncio.sleep(0.05)
    await asyncio.gather(*takes)
    assert [one.check for one in desk.state.incidents.values()] == [ROOM]
    assert [record.check for record in caplog.records if getattr(record, "event", "") == "result_lost"] == [DOOR]
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    assert {one.check for one in desk.state.incidents.values()} == {DOOR, ROOM}


async def test_an_outage_is_told_although_the_disk_says_nothing(desk_on, inventory_of, store, machine, busy_disk):
    desk = desk_on(inventory_of())
    desk.journal = Journal(store, machine, patience=0.2)
    async with busy_disk(desk.journal), asyncio.timeout(10):
        await desk.take(DOOR, BAD, machine.now(), 0.0)
        told = await desk.journal.claim(machine.now(), 10)
        assert {notice.key.recipient for notice in told} == {"admin", "att"}
        await desk.take(DOOR, GOOD, machine.now(), 0.0)
    async with asyncio.timeout(10):
        while desk.journal.waiting:
            await desk.journal.retry()
            await asyncio.sleep(0.01)
    assert [incident.open for incident in store.incidents()] == [False]


async def test_what_should_be_looked_at_again_is_said_in_whoever_s_turn_the_failure_is_taken(
    desk_on, inventory_of, machine, busy_disk
):
    desk = desk_on(
        inventory_of(
            ("other: {address: 127.0.0.1}", "other: {address: 127.0.0.1, parent: server}"),
            ("every: 1 h, confirm: 1, incident: office", "every: 1 h, confirm: 1, incident: office, gate: true"),
        )
    )
    asked = []
    desk.look_again = asked.extend
    async with busy_disk(desk.journal):
        turns = [asyncio.create_task(desk.flush())]
        turns += [asyncio.create_task(desk.take(selfcheck.CLOCK, GOOD, machine.now(), 0.0))]
        turns += [asyncio.create_task(desk.take(ROOM, BAD, machine.now(), 0.0))]
        await asyncio.sleep(0.05)
    await asyncio.gather(*turns)
    assert asked == [DOOR]


async def test_a_failure_that_is_not_believed_yet_is_written_with_the_next_tick(desk_on, inventory_of, store, machine):
    desk = desk_on(inventory_of(("confirm: 1, incident", "confirm: 3, incident")))
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    await desk.tick()
    machine.pass_(1)
    again = desk_on(inventory_of(("confirm: 1, incident", "confirm: 3, incident")))
    for _ in range(2):
        await again.take(DOOR, BAD, machine.now(), 0.0)
    assert [one.check for one in again.state.incidents.values()] == [DOOR]


async def test_who_is_in_no_inventory_any_more_makes_our_own_people_look(desk_on, inventory_of, store, machine):
    desk = desk_on(inventory_of())
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    assert desk.died_at is None
    other = inventory_of(("  att: {name: Desk ATT, mail: att@example.org}", ""), ("to: [att]", "to: [admin]"))
    await desk.swap(other, other.plan, RELEVE)
    machine.pass_(10)
    await desk.take(DOOR, GOOD, machine.now(), 0.0)
    (end,) = [n for n in store.notices() if n.key.step is Step.RESOLVED and n.key.recipient == "att"]
    assert (end.state, desk.died_at) == (NoticeState.DEAD, machine.now())
    assert desk_on(other).died_at == machine.now()


async def test_a_number_told_from_memory_is_given_to_no_other_incident_after_a_kill(
    desk_on, inventory_of, store, full_disk
):
    desk, inventory = desk_on(inventory_of()), inventory_of()
    first = await desk.open("other", Severity.WARNING, "uid:0", "smell of smoke")
    with full_disk():
        told = await desk.open("other", Severity.WARNING, "uid:0", "lost with the memory")
    again = desk_on(inventory)
    other = await again.open("other", Severity.WARNING, "uid:0", "something else")
    assert [one[3:] for one in (first.id, told.id, other.id)] == ["0001", "0002", "0003"]


async def test_what_is_noted_long_after_the_end_is_told_to_nobody(desk_on, inventory_of, store, machine):
    desk = desk_on(inventory_of())
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    machine.pass_(10)
    await desk.take(DOOR, GOOD, machine.now(), 0.0)
    (name,) = desk.state.incidents
    before = len(store.notices())
    machine.pass_(2 * 86400)
    other = inventory_of(("operations: {to: [admin]}", "operations: {to: [att]}"))
    await desk.swap(other, other.plan, RELEVE)
    await desk.tick()
    assert name not in desk.state.incidents
    after = await desk.state_cause(name, "uid:0", "a cable")
    assert after.cause == "a cable"
    assert store.incident(name).cause == "a cable"
    await desk.tick()
    assert len(store.notices()) == before


async def test_nobody_ends_an_incident_whose_recovery_is_not_believed_yet(desk_on, inventory_of, machine):
    desk = desk_on(inventory_of())
    await desk.take(ROOM, BAD, machine.now(), 0.0)
    machine.pass_(1)
    await desk.take(ROOM, GOOD, machine.now(), 0.0)
    (name,) = desk.state.incidents
    with pytest.raises(Refused):
        await desk.resolve(name, "uid:0", "works again")


async def test_a_person_s_words_lose_what_no_database_and_no_mail_can_carry(desk_on, inventory_of, store):
    desk = desk_on(inventory_of())
    incident = await desk.open("other", Severity.WARNING, "uid:0", "caf\udce9 br\x00ûlé\n(étage\u00a03)\x1b[31m")
    (event,) = store.events(incident.id)
    assert dict(event.text.values) == {"verbatim": "caf\ufffd brûlé\n(étage\u00a03)[31m"}


async def test_a_check_that_is_taken_out_while_it_interrupts_the_client_restores_nothing(
    desk_on, inventory_of, store, machine
):
    desk = desk_on(inventory_of())
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    machine.pass_(60)
    other = inventory_of(
        ("  door: {probe: tcp, device: server, port: 1, every: 1 h, confirm: 1, incident: office}\n", "")
    )
    await desk.swap(other, other.plan, "uid:0")
    (incident,) = desk.state.incidents.values()
    assert incident.open
    machine.pass_(3600)
    await desk.tick()
    await desk.resolve(incident.id, "uid:0", "seen with my own eyes")
    told = [n.key.step for n in store.notices() if n.key.recipient == "att"]
    assert sorted(told) == [Step.FIRST_NOTICE, Step.RESOLVED, Step.UPDATE]


async def test_a_check_that_is_taken_out_ends_what_does_not_interrupt_the_client(desk_on, inventory_of, machine):
    desk = desk_on(inventory_of())
    await desk.take(ROOM, BAD, machine.now(), 0.0)
    other = inventory_of(("  room: {probe: tcp, device: other, port: 2, every: 1 h, confirm: 1, recover: 2}\n", ""))
    await desk.swap(other, other.plan, "uid:0")
    (incident,) = desk.state.incidents.values()
    assert not incident.open
    assert "no longer" in incident.timeline[-1].text.template


async def test_a_clock_set_back_leaves_no_result_waiting_for_the_old_time(desk_on, inventory_of, store, machine):
    desk = desk_on(inventory_of())
    machine.pass_(7200)
    await desk.take(DOOR, GOOD, desk.clock.now(), 0.0)
    machine.wall -= timedelta(seconds=7200)
    desk.clock = GuardedClock(None, machine, "boot")
    await desk.clock_was_set()
    machine.pass_(60)
    await desk.take(DOOR, BAD, desk.clock.now(), 0.0)
    (incident,) = desk.state.incidents.values()
    assert incident.began_at == incident.opened_at == machine.now()
    machine.pass_(3600)
    await desk.tick()
    assert [n.key.n for n in store.notices() if n.key.step is Step.UPDATE] == [1]


async def test_an_incident_of_a_state_begun_anew_is_no_resend_of_the_old_one_of_that_name(
    desk_on, inventory_of, store, machine
):
    inventory = inventory_of()
    desk = desk_on(inventory)
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    machine.pass_(86400)
    anew = replace(desk_on(inventory), state=State(), sent={}, protocols={})
    await anew.take(DOOR, BAD, machine.now(), 0.0)
    (old,), (new,) = desk.state.incidents.values(), anew.state.incidents.values()
    assert old.id == new.id
    key = NoticeKey(old.id, Audience.CLIENT, Step.RESOLVED, 1, "att")
    at = Moment(machine.now(), True, ())
    first, second = (
        desk.letters.write(Planned(key, machine.now()), incident, inventory.protocol, at) for incident in (old, new)
    )
    assert first.message_id != second.message_id
    assert first.in_reply_to == next(n.message_id for n in store.notices() if n.key.recipient == "att")


async def test_a_clock_set_back_leaves_no_message_waiting_for_the_old_time(desk_on, inventory_of, machine):
    desk = desk_on(inventory_of())
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    waiting = {notice.key for notice in await desk.journal.notices(IncidentId("26-0001"))}
    machine.wall -= timedelta(minutes=10)
    desk.clock = GuardedClock(None, machine, "another boot")
    assert await desk.journal.claim(desk.clock.now(), 10) == []
    await desk.clock_was_set()
    assert {notice.key for notice in await desk.journal.claim(desk.clock.now(), 10)} == waiting
