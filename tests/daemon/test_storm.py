"""Much at once, at the desk: one message to our own people, the client's at once, and all of it after a crash too."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from alerts.mailbox import Filing
from alerts.notice import STORMS, NoticeState, Step
from alerts.parked import Why
from alerts.reply import Kind, Reply
from monitor.core.answer import Standing, Way
from monitor.core.events import EventKind
from monitor.core.ids import CheckId
from monitor.core.incident import Status
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.answers import Answers
from monitor.daemon.settlement import Settlement
from monitor.reports.gather import material
from monitor.reports.milestones import milestones
from monitor.reports.proof import Standing as Fate
from monitor.reports.proof import proof

BAD, WELL = Verdict(Severity.CRITICAL, say("refused")), Verdict(Severity.OK, say("open"))
COUNT = 12
MANY = (
    "  room: {probe: tcp",
    "".join(f"  room-{n}: {{probe: tcp, device: other, port: {100 + n}, confirm: 1}}\n" for n in range(COUNT))
    + "  room: {probe: tcp",
)


async def all_of(desk, machine, verdict):
    for n in range(COUNT):
        await desk.take(CheckId(f"room-{n}"), verdict, machine.now(), 0.0)


async def test_a_storm_is_one_message_the_clients_leaves_at_once_and_a_crash_repeats_nothing(
    desk_on, inventory_of, store, machine
):
    inventory = inventory_of(MANY)
    desk = desk_on(inventory)
    await all_of(desk, machine, BAD)
    await desk.take(CheckId("door"), BAD, machine.now(), 0.0)
    alone = [one for name in desk.state.incidents for one in store.notices(name)]
    assert [(one.key.step, one.key.recipient) for one in alone if one.key.recipient == "att"] == [
        (Step.FIRST_NOTICE, "att")
    ]
    assert len([one for one in alone if one.key.recipient == "admin"]) == 6  # a handful, and what interrupts
    assert store.notices(STORMS) == []  # the tick gathers all, what comes in before it none
    desk = desk_on(inventory)  # as after a crash in between
    await desk.tick()
    (only,) = store.notices(STORMS)
    assert only.message.subject == "[Relève] Much at once: 7 new incidents"
    assert (only.state, only.address, only.in_reply_to) == (NoticeState.PENDING, "admin@example.org", "")
    gathered = [one for one in desk.state.incidents.values() if one.timeline[-1].kind is EventKind.GATHERED]
    assert len(gathered) == 7
    machine.pass_(31)
    desk = desk_on(inventory)
    await desk.tick()
    assert store.notices(STORMS) == [only]


async def test_what_comes_in_when_the_wait_is_over_puts_nothing_off(desk_on, inventory_of, store, machine):
    desk = desk_on(inventory_of(MANY))
    for n in range(COUNT):
        if n in (COUNT - 2, COUNT - 1):
            machine.pass_(1 if n == COUNT - 2 else 31)
        await desk.take(CheckId(f"room-{n}"), BAD, machine.now(), 0.0)
        if n < COUNT - 1:
            await desk.tick()
    await desk.tick()
    told = [one.message.subject.removeprefix("[Relève] Much at once: ") for one in store.notices(STORMS)]
    assert told == ["1 more incident", "6 new incidents"]


async def test_their_ends_are_one_message_too(desk_on, inventory_of, store, machine):
    desk = desk_on(inventory_of(MANY))
    await all_of(desk, machine, BAD)
    machine.pass_(31)
    await desk.tick()
    machine.pass_(600)
    await all_of(desk, machine, WELL)
    machine.pass_(31)
    await desk.tick()
    assert all(one.status is Status.RESOLVED for one in desk.state.incidents.values())
    ends = [one for name in desk.state.incidents for one in store.notices(name) if one.key.step is Step.RESOLVED]
    assert len(ends) == 5
    subjects = [one.message.subject for one in store.notices(STORMS)]
    assert subjects[1:] == ["[Relève] 7 incidents are over"]


async def test_who_answers_the_message_is_on_all_that_it_told_of(desk_on, inventory_of, store, machine):
    desk = desk_on(inventory_of(MANY))
    await all_of(desk, machine, BAD)
    machine.pass_(31)
    await desk.tick()
    (told,) = store.notices(STORMS)
    answers = Answers(desk, ())
    assert await answers.acknowledge(told, Way.MAIL, "<reply@example.org>") is Standing.WANTED
    on_it = [one for one in desk.state.incidents.values() if one.status is Status.ACKNOWLEDGED]
    assert len(on_it) == 7
    assert {one.acknowledged_by for one in on_it} == {"contact:admin"}


LADDER = (
    MANY,
    ("contacts:\n", "contacts:\n  chief: {name: Chef, mail: chief@example.org}\n"),
    ("operations: {to: [admin]}", "operations: {to: [admin], escalation: [{after: 15 min, to: [chief]}]}"),
)


async def test_what_nobody_answers_of_a_storm_is_one_message_to_the_next_person_and_on_time(
    desk_on, inventory_of, store, machine
):
    inventory = inventory_of(*LADDER)
    desk = desk_on(inventory)
    await all_of(desk, machine, BAD)
    await desk.tick()
    machine.pass_(15 * 60)
    await desk.tick()
    desk = desk_on(inventory)  # as after a crash
    await desk.tick()
    (told,) = (one for one in store.notices(STORMS) if one.key.recipient == "chief")
    assert told.message.subject == f"[Relève] Nobody has acknowledged {COUNT} incidents"
    assert "Told before, and nobody has acknowledged it: Administrateur." in told.message.text
    await desk.journal.settle(told, Settlement(NoticeState.SENT, machine.now(), "250 OK", 1, "mail", "chief@x", ()))
    for incident in desk.state.incidents.values():
        found = material(store, incident, inventory, machine.now())
        lines = proof(incident, found.protocol, found.notices, machine.now())
        escalated = [(line.key.recipient, line.standing) for line in lines if line.key.step is Step.ESCALATED]
        assert escalated == [("chief", Fate.ON_TIME)]
    assert await Answers(desk, ()).acknowledge(told, Way.MAIL, "<reply@example.org>") is Standing.WANTED
    assert {one.acknowledged_by for one in desk.state.incidents.values()} == {"contact:chief"}


TWO_WAYS = (
    MANY,
    ("operations: {to: [admin]}", "operations: {to: [admin]}\nreplies: {imap: 'env:X'}"),
    ("channels: {", "channels: {other: {url: 'env:NO_URL'}, "),
    ("mail: admin@example.org", "mail: admin@example.org, other: number-1"),
)


async def test_a_message_about_many_that_came_back_goes_by_the_next_channel(desk_on, inventory_of, store, machine):
    desk = desk_on(inventory_of(*TWO_WAYS))
    await all_of(desk, machine, BAD)
    await desk.tick()
    [taken] = [one for one in await desk.journal.claim(machine.now(), 50) if one.key.step is Step.STORM]
    end = Settlement(NoticeState.SENT, machine.now(), "250 OK", 1, taken.channel, taken.address, ())
    await desk.journal.settle(taken, end)
    answers = Answers(desk, ())
    bounce = Reply("b@x", Kind.BOUNCE, "", (taken.message_id,), "", "admin@example.org")
    assert await answers.by_mail(bounce) is Filing.PARKED
    (again,) = store.notices(STORMS)
    assert (again.state, again.channel, again.address) == (NoticeState.PENDING, "other", "number-1")
    assert [(one.why, one.contact, one.incident) for one in answers.parked] == [(Why.BOUNCED, "admin", "")]


async def test_nobody_can_make_up_what_a_message_about_many_is_called(desk_on, inventory_of, store, machine):
    """Whoever answers it proves by its name that they read it, and is on all that it told of."""
    desk = desk_on(inventory_of(*TWO_WAYS))
    desk.link_key = b"k" * 32
    await desk.swap(desk.inventory, desk.plan, "releve")
    await all_of(desk, machine, BAD)
    await desk.tick()
    (told,) = store.notices(STORMS)
    guess = told.key.message_id(desk.inventory.site.name, told.message_id.partition("@")[2])
    assert told.message_id != guess


async def test_the_reports_show_for_each_incident_what_became_of_the_message_about_many(
    desk_on, inventory_of, store, machine
):
    desk = desk_on(inventory_of(MANY))
    await all_of(desk, machine, BAD)
    await desk.tick()
    [taken] = [one for one in await desk.journal.claim(machine.now(), 50) if one.key.step is Step.STORM]
    incident = max(desk.state.incidents.values(), key=lambda one: one.id)
    waiting = material(store, incident, desk.inventory, machine.now())
    (own,) = (one for one in waiting.notices if one.key.recipient == "admin")
    assert (own.key.incident, own.key.step, own.state) == (incident.id, Step.FIRST_NOTICE, NoticeState.SENDING)
    assert own.due_at == incident.opened_at + timedelta(seconds=30)
    assert own.message_id == taken.message_id
    assert milestones(waiting).told_own is None
    machine.pass_(3)
    end = Settlement(NoticeState.DEAD, machine.now(), "550 no", 1, taken.channel, taken.address, ())
    await desk.journal.settle(taken, end)
    refused = material(store, incident, desk.inventory, machine.now())
    lines = proof(incident, refused.protocol, refused.notices, machine.now())
    assert [(line.key.step, line.standing) for line in lines] == [(Step.FIRST_NOTICE, Fate.REFUSED)]


async def test_the_proof_misses_nobody_where_a_rota_is_told_of_many(desk_on, inventory_of, store, machine):
    desk = desk_on(inventory_of(MANY))
    await all_of(desk, machine, BAD)
    await desk.tick()
    incident = max(desk.state.incidents.values(), key=lambda one: one.id)
    by_rota = replace(desk.protocols[incident.id], operations=("night",), rotas=("night",))
    found = material(store, incident, desk.inventory, machine.now())
    lines = proof(incident, by_rota, found.notices, machine.now() + timedelta(hours=1))
    assert [line.key.recipient for line in lines] == ["admin"]
