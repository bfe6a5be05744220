"""Drafts at the desk: words that were given in time leave on the minute, also over a kill; what leaves needs nobody."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from alerts.notice import Audience, Step
from monitor.core.ids import CheckId
from monitor.core.incident import Refused
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.drafts import draft_of, give_words
from monitor.store.tables import audit

DOOR = CheckId("door")
BAD, GOOD = Verdict(Severity.CRITICAL, say("refused")), Verdict(Severity.OK, say("open"))
ASKED = ("every: 60 min, to: [att]", "every: 60 min, to: [att], draft: 10 min")


@pytest.fixture
async def broken(desk_on, inventory_of, machine):
    """A desk with one incident that interrupts the client, and that incident's name."""
    desk = desk_on(inventory_of(ASKED))
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    (name,) = desk.state.incidents
    return desk, name


async def written(desk, machine, step):
    """The notices of one step that there are."""
    (name,) = desk.state.incidents
    return [notice for notice in await desk.journal.notices(name) if notice.key.step is step]


async def test_the_draft_is_the_very_message_that_leaves_on_the_minute(broken, machine):
    desk, name = broken
    machine.pass_(40 * 60)
    await give_words(desk, name, "uid:1000", "A technician is \x1b[31mon his way.")
    (drafted,) = draft_of(desk, name).notices
    machine.pass_(20 * 60)
    await desk.tick()
    (update,) = await written(desk, machine, Step.UPDATE)
    assert update.message == drafted.message
    assert update.message_id == drafted.message_id
    assert "A technician is [31mon his way." in update.message.text
    assert "\x1b" not in update.message.text


async def test_without_a_person_the_update_leaves_on_the_minute(broken, machine):
    desk, name = broken
    (drafted,) = draft_of(desk, name).notices
    machine.pass_(60 * 60)
    await desk.tick()
    (update,) = await written(desk, machine, Step.UPDATE)
    assert update.message == drafted.message


async def test_words_outlive_the_daemon_that_heard_them(broken, desk_on, inventory_of, machine):
    desk, name = broken
    await give_words(desk, name, "uid:1000", "A technician is on his way.")
    again = desk_on(inventory_of(ASKED))
    assert draft_of(again, name).draft.words == "A technician is on his way."
    machine.pass_(60 * 60)
    await again.tick()
    (update,) = await written(again, machine, Step.UPDATE)
    assert "A technician is on his way." in update.message.text


async def test_words_that_come_when_the_update_is_written_change_nothing_and_are_refused(broken, machine):
    desk, name = broken
    slot = draft_of(desk, name).slot
    machine.pass_(60 * 60)
    await desk.tick()
    events = len(desk.state.incidents[name].timeline)
    with pytest.raises(Refused):
        await give_words(desk, name, "uid:1000", "Too late.", slot.due_at)
    assert len(desk.state.incidents[name].timeline) == events
    assert "Too late." not in draft_of(desk, name).notices[0].message.text


async def test_words_given_on_the_minute_itself_leave_with_it(broken, machine):
    desk, name = broken
    slot = draft_of(desk, name).slot
    machine.pass_(60 * 60)
    await give_words(desk, name, "uid:1000", "Just in time.", slot.due_at)
    (update,) = await written(desk, machine, Step.UPDATE)
    assert update.due_at == slot.due_at
    assert "Just in time." in update.message.text


async def test_each_giving_of_words_is_in_the_audit(broken, store):
    desk, name = broken
    await give_words(desk, name, "uid:1000", "One.")
    await give_words(desk, name, "uid:1000", "")
    with store.engine.connect() as connection:
        rows = connection.execute(select(audit.c.actor, audit.c.action).order_by(audit.c.seq)).all()
    assert [tuple(row) for row in rows] == [("uid:1000", "draft")] * 2


async def test_our_own_people_are_shown_the_first_lines_in_time(broken, machine):
    desk, name = broken
    machine.pass_(50 * 60)
    await desk.tick()
    (notice,) = await written(desk, machine, Step.DRAFT)
    (drafted,) = draft_of(desk, name).notices
    assert (notice.key.audience, notice.key.recipient) == (Audience.INTERNAL, "admin")
    assert all(line in notice.message.text for line in drafted.message.text.splitlines()[:3])


async def test_what_is_over_has_no_draft(broken, machine):
    desk, name = broken
    machine.pass_(60)
    await desk.take(DOOR, GOOD, machine.now(), 0.0)
    await desk.tick()
    with pytest.raises(Refused):
        draft_of(desk, name)
    with pytest.raises(Refused):
        await give_words(desk, name, "uid:1000", "Over?")
    machine.pass_(timedelta(days=2).total_seconds())
    await desk.tick()
    with pytest.raises(Refused):
        await give_words(desk, name, "uid:1000", "Long over?")


async def test_the_site_s_own_words_stand_in_what_leaves(desk_on, inventory_of, machine):
    own = """operations: {to: [admin]}
messages:
  signature: {en: "IT of {site}"}
  first_notice: {client: {subject: "ATT-{reference} {title}", closing: "Hotline 4000"}}"""
    desk = desk_on(inventory_of(("operations: {to: [admin]}", own)))
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    (name,) = desk.state.incidents
    client, ours = sorted(await written(desk, machine, Step.FIRST_NOTICE), key=lambda notice: notice.key.audience)
    assert client.message.subject.startswith(f"[Relève] ATT-{name} ")
    assert "Hotline 4000" in client.message.text
    assert ours.message.subject.startswith(f"[Relève] {name} ")
    assert "IT of Petit site" in client.message.text
    assert "IT of Petit site" in ours.message.text
