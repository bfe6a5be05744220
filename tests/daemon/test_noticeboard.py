"""The public status as the daemon knows it: what has left the desk is read from the disk, now and then."""

from __future__ import annotations

from datetime import timedelta

from monitor.core.verdict import Severity
from monitor.daemon.noticeboard import Noticeboard

HOUR = 3600.0


async def test_an_interruption_that_left_the_desk_is_still_told(desk_on, inventory_of, machine):
    inventory = inventory_of()
    desk = desk_on(inventory)
    incident = await desk.open("office", Severity.CRITICAL, "uid:0", "smoke")
    await desk.resolve(incident.id, "uid:0", "aired")
    board = Noticeboard(desk, lambda: True, machine)
    (told,) = (await board.status(board.speech())).incidents
    assert told.reference == incident.id
    machine.pass_(30 * HOUR)
    await desk.tick()
    assert desk.state.incidents == {}
    later = Noticeboard(desk_on(inventory), lambda: True, machine)
    (told,) = (await later.status(later.speech("fr"))).incidents
    assert (told.reference, told.until) == (incident.id, machine.now() - timedelta(hours=30))


async def test_on_a_disk_that_says_nothing_what_the_desk_knows_is_told(desk_on, inventory_of, machine, store):
    desk = desk_on(inventory_of())
    await desk.open("office", Severity.CRITICAL, "uid:0", "smoke")
    board = Noticeboard(desk, lambda: True, machine)
    store.engine.dispose()
    (store.folder / "state.db").write_bytes(b"no database at all, and longer than its header" * 100)
    (told,) = (await board.status(board.speech())).incidents
    assert told.until is None
