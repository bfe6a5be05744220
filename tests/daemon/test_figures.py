"""How far a copy was behind is part of the state: whoever goes on with it can say what is lost with the other site."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.ids import CheckId
from monitor.core.text import say
from monitor.core.verdict import Metric, Severity, Verdict
from monitor.daemon.clock import GuardedClock
from monitor.daemon.daemon import Daemon
from monitor.daemon.desk import KEEP
from monitor.daemon.figures import as_of, grown, newest

COPY, ARCHIVE = CheckId("door"), CheckId("releve-archive-calls")
NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
BLIND = Verdict(Severity.UNKNOWN, say("nobody answers"))
DATA = """
recordings: {calls: {device: server, folder: /calls, archive: {device: other, folder: /copy}, mirror: true}}
automation: {live: true}
datasets: {crm: {how: external, rpo: 5 min, checks: [door, releve-archive-calls]}}
operations:"""
SSH = "ssh: {user: releve, password: env:NO_PASSWORD, platform: linux}}"


def behind(seconds: float) -> Verdict:
    return Verdict(Severity.OK, say("behind"), (Metric("lag", seconds, "s"),))


@pytest.fixture
def site(inventory_of):
    return inventory_of(
        ("operations:", DATA.strip("\n")),
        ("server: {address: 127.0.0.1}", f"server: {{address: 127.0.0.1, {SSH}"),
        ("other: {address: 127.0.0.1}", f"other: {{address: 127.0.0.1, {SSH}"),
    )


async def test_the_last_figure_of_a_copy_is_kept_with_the_state_and_outlives_what_measured_it(
    desk_on, site, store, machine
):
    desk = desk_on(site)
    at = machine.now()
    await desk.take(COPY, behind(3.0), at, 0.0)
    await desk.flush()
    machine.pass_(60)
    await desk.take(COPY, BLIND, machine.now(), 0.0)
    await desk.flush()
    assert store.load(machine.now(), KEEP).figures == {COPY: (at, 3.0)}
    assert desk_on(site).figures == {COPY: (at, 3.0)}


async def test_a_figure_of_a_check_that_measures_no_copy_any_more_is_forgotten(desk_on, inventory_of, site, store):
    desk = desk_on(site)
    await desk.take(COPY, behind(3.0), desk.clock.now(), 0.0)
    await desk.flush()
    desk.inventory = inventory_of()
    await desk.flush()
    assert store.load(desk.clock.now(), KEEP).figures == {}


async def test_while_the_disk_is_full_the_newest_figures_wait_for_room(desk_on, site, store, machine, full_disk):
    desk = desk_on(site)
    with full_disk():
        for n in range(4):
            await desk.take(COPY, behind(float(n)), machine.now(), 0.0)
            await desk.flush()
            machine.pass_(5)
            await desk.flush()
    await desk.journal.retry()
    (figure,) = store.load(machine.now(), KEEP).figures.values()
    assert figure[1] == 3.0


async def test_an_archive_is_as_far_behind_as_the_last_one_knew_and_further_with_the_time(
    desk_on, site, store, machine
):
    desk = desk_on(site)
    await desk.take(ARCHIVE, behind(2.0), machine.now(), 0.0)
    await desk.flush()
    machine.pass_(40)
    daemon = await Daemon.start(site, store, lambda guard: GuardedClock(guard, machine, "boot"))
    try:
        seen = await daemon.look(ARCHIVE)
        with pytest.raises(KeyError):
            await daemon.look(CheckId("releve-archive-other"))
    finally:
        await daemon.close()
    assert seen.severity is Severity.UNKNOWN
    assert [(metric.name, metric.value) for metric in seen.metrics] == [("lag", 42.0)]


def test_of_two_figures_of_a_copy_the_later_one_counts():
    early, late = (NOW, 5.0), (NOW + timedelta(seconds=1), 9.0)
    assert newest({COPY: early, ARCHIVE: late}, {COPY: late}) == {COPY: late, ARCHIVE: late}
    assert newest({COPY: late}, {COPY: early}) == {COPY: late}


def test_a_figure_from_a_clock_that_ran_ahead_grows_by_nothing():
    assert grown((NOW + timedelta(seconds=9), 5.0), NOW) == 5.0


@pytest.mark.parametrize(
    ("after", "lag", "left"),
    [
        pytest.param(-20, 7.0, 7.0, id="before the loss: it stays what it was"),
        pytest.param(7, 9.0, 2.0, id="after it: nothing was written there since"),
        pytest.param(7, 3.0, 0.0, id="the copy got all that there was"),
    ],
)
def test_a_figure_of_after_the_loss_of_a_site_says_what_was_lacking_then(after: float, lag: float, left: float):
    at = NOW + timedelta(seconds=after)
    assert as_of((at, lag), NOW) == (min(at, NOW), left)
