"""Incidents that a person puts together or takes apart: told to whom it concerns, and the same after a restart."""

import pytest
from sqlalchemy import select

from alerts.notice import Audience, Step
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Refused
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.joining import merge, split
from monitor.store.tables import audit

DOOR = CheckId("door")
BAD, GOOD = Verdict(Severity.CRITICAL, say("refused")), Verdict(Severity.OK, say("open"))


@pytest.fixture
async def two(desk_on, inventory_of, machine):
    """A desk, the incident that a check opened and interrupts the client, and one that a person opened."""
    desk = desk_on(inventory_of())
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    (door,) = desk.state.incidents
    smoke = await desk.open("other", Severity.WARNING, "uid:0", "smell of smoke")
    return desk, door, smoke.id


async def test_it_goes_on_under_the_other_one_whose_end_is_told_to_whoever_knew(two, desk_on, inventory_of, machine):
    desk, door, smoke = two
    machine.pass_(60)
    assert (await merge(desk, door, smoke, "uid:7")).id == smoke
    steps = {(notice.key.audience, notice.key.step) for notice in await desk.journal.notices(door)}
    assert {(Audience.CLIENT, Step.MERGED), (Audience.INTERNAL, Step.MERGED)} <= steps
    assert not any(step is Step.RESOLVED for _, step in steps)
    again = desk_on(inventory_of())
    assert again.state.incidents == desk.state.incidents
    assert again.state.incidents[smoke].covered == (DOOR,)
    machine.pass_(60 * 60)
    await again.tick()
    assert Step.UPDATE in {notice.key.step for notice in await again.journal.notices(smoke)}
    await again.take(DOOR, GOOD, machine.now(), 0.0)
    await again.resolve(smoke, "uid:7", "aired")
    ended = {n.key.recipient for n in await again.journal.notices(smoke) if n.key.step is Step.RESOLVED}
    first = {n.key.recipient for n in await again.journal.notices(door) if n.key.step is Step.FIRST_NOTICE}
    assert first <= ended


async def test_what_makes_no_sense_is_refused_and_changes_nothing(two, store):
    desk, door, smoke = two
    before = desk.state
    for source, target in ((door, door), (door, IncidentId("26-9999")), (IncidentId("26-9999"), door)):
        with pytest.raises(Refused):
            await merge(desk, source, target, "uid:7")
    with pytest.raises(Refused):
        await split(desk, smoke, DOOR, "uid:7")
    assert desk.state is before


async def test_both_are_in_the_audit(two, store, machine):
    desk, door, smoke = two
    await merge(desk, door, smoke, "uid:7")
    await desk.take(DOOR, BAD, machine.now(), 1.0)
    own = await split(desk, smoke, DOOR, "uid:8")
    assert (own.id, own.check, own.episode) == (door, DOOR, 2)
    with store.engine.connect() as connection:
        rows = connection.execute(select(audit.c.actor, audit.c.action).order_by(audit.c.seq)).all()
    assert [tuple(row) for row in rows][-2:] == [("uid:7", "merge"), ("uid:8", "split")]
