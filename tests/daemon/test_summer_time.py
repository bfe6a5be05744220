"""A site whose clocks change in the night: the grid goes on in real hours, and every time of day in it is right."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from alerts.notice import Step
from monitor.core.ids import CheckId
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict

BAD, GOOD = Verdict(Severity.CRITICAL, say("refused")), Verdict(Severity.OK, say("open"))
DOOR = CheckId("door")
PARIS = ("timezone: Africa/Douala", "timezone: Europe/Paris")
HOUR = timedelta(minutes=60)
NEXT = re.compile(r"Next update: (.*), Paris time, or as soon")
SPRING = datetime(2026, 3, 29, 0, 20, tzinfo=UTC)
"""01:20 in Paris; at 02:00 the clocks go on to 03:00."""
AUTUMN = datetime(2026, 10, 25, 0, 20, tzinfo=UTC)
"""02:20 in Paris; at 03:00 the clocks go back to 02:00."""


@pytest.mark.parametrize(
    ("began", "promised"),
    [
        (SPRING, ["03:20", "04:20", "05:20", "06:20"]),
        (AUTUMN, ["02:20 CET", "03:20", "04:20", "05:20"]),
        (AUTUMN - HOUR, ["02:20 CEST", "02:20 CET", "03:20", "04:20"]),
    ],
    ids=["the hour that is not", "the hour that comes twice", "the hour before it"],
)
async def test_over_a_change_of_the_clocks_an_update_comes_every_real_hour_and_says_when_the_next_does(
    desk_on, inventory_of, store, machine, began, promised
):
    machine.wall = began
    desk = desk_on(inventory_of(PARIS))
    await desk.take(DOOR, BAD, machine.now(), 0.0)
    for _ in range(2 * 3):
        machine.pass_(HOUR.total_seconds() / 2)
        await desk.tick()
    machine.pass_(1)
    await desk.take(DOOR, GOOD, machine.now(), 0.0)
    told = [one for one in store.notices() if one.key.recipient == "att" and one.key.step is not Step.RESOLVED]
    assert [(one.key.step, one.key.n) for one in told] == [
        (Step.FIRST_NOTICE, 1), (Step.UPDATE, 1), (Step.UPDATE, 2), (Step.UPDATE, 3),
    ]  # fmt: skip
    assert [one.due_at for one in told[1:]] == [began + n * HOUR for n in (1, 2, 3)]
    assert [NEXT.search(one.message.text).group(1).replace("\u00a0", " ") for one in told] == promised
    (end,) = [one for one in store.notices() if one.key.recipient == "att" and one.key.step is Step.RESOLVED]
    assert "it was interrupted for 3\u00a0h" in end.message.text


@pytest.mark.parametrize(("began", "named"), [(SPRING, "03:20, 04:20"), (AUTUMN, "02:20 CET, 03:20")])
async def test_updates_missed_over_a_change_of_the_clocks_are_named_one_by_one(
    desk_on, inventory_of, store, machine, began, named
):
    machine.wall = began
    await desk_on(inventory_of(PARIS)).take(DOOR, BAD, machine.now(), 0.0)
    machine.pass_(3 * HOUR.total_seconds())
    again = desk_on(inventory_of(PARIS))
    await again.clock_was_set()
    (late,) = [one for one in store.notices() if one.key.step is Step.UPDATE and one.key.n == 3]
    assert f"Updates that could not be sent: {named}. " in late.message.text.replace("\u00a0", " ")


async def test_a_relapse_after_the_change_of_the_clocks_is_told_on_the_old_grid(desk_on, inventory_of, store, machine):
    machine.wall = AUTUMN
    desk = desk_on(inventory_of(PARIS))
    for minutes, verdict in ((0, BAD), (50, GOOD), (14, BAD)):
        machine.pass_(60 * minutes)
        await desk.take(DOOR, verdict, machine.now(), 0.0)
    for _ in range(8):
        machine.pass_(600)
        await desk.tick()
    updates = [one for one in store.notices() if one.key.step is Step.UPDATE]
    assert [(one.key.n, one.due_at) for one in updates] == [(2, AUTUMN + 2 * HOUR)]
    again = next(one for one in store.notices() if str(one.key).endswith("client/first_notice/2/att"))
    assert NEXT.search(again.message.text).group(1) == "03:20"
