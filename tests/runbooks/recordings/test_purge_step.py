"""Step `purge`: deletes the oldest proven recordings until the disk is empty enough, and never anything else."""

from __future__ import annotations

import math
import os
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Metric, Severity, Verdict
from probes.ssh import HostFault
from runbooks.contract import Effect, Outcome, StepFailed
from runbooks.ledger import Archived
from runbooks.recordings import archive_once
from runbooks.recordings_purge import FIRST_BATCH, Fit, fit, take
from runbooks.recordings_room import Usage, usage_of
from runbooks.recordings_sftp import Stat
from runbooks.registry import load

CarryOut = Callable[..., Awaitable[Outcome]]


async def archived(site: Any) -> None:
    report = await site.do(lambda io: archive_once(site.recordings, io))
    assert report.failures == 0
    site.keeper.faults.requests.clear()
    site.voice.faults.requests.clear()


async def full(site: Any, count: int = 20, size: int = 1000) -> None:
    """Write `count` archived recordings, oldest first, that fill the disk to 95 %."""
    for n in range(count):
        site.write(f"{n:02}.wav", size, days=60 - n)
    site.capacity = round(count * size / 0.95)
    await archived(site)


async def test_the_oldest_go_until_the_disk_is_no_fuller_than_it_should_be(site: Any, carry_out: CarryOut) -> None:
    await full(site)
    outcome = await carry_out("purge", until="75%")
    assert site.left() == {f"{n:02}.wav" for n in range(5, 20)}
    assert site.voice.faults.names("remove") == [f"{n:02}.wav" for n in range(5)]
    assert outcome.changed
    assert ENGLISH.render(outcome.text) == "archived recordings deleted: 5, 5\xa0kB; the disk is 71.2% full"
    assert outcome.evidence["files"] == 5
    assert outcome.evidence["size"] == 5000
    assert outcome.evidence["oldest"] < outcome.evidence["newest"]
    assert outcome.evidence["left"] == {}
    assert outcome.evidence["used_before"] == pytest.approx(95, abs=0.1)
    assert site.safe({f"{n:02}.wav": data for n, data in enumerate(site.archived().values())})


async def test_a_disk_that_is_empty_enough_is_left_alone(site: Any, carry_out: CarryOut) -> None:
    await full(site)
    outcome = await carry_out("purge", until="96%")
    assert not outcome.changed
    assert site.voice.faults.requests == []


async def test_it_begins_with_few_files_and_looks_after_each_batch(site: Any, carry_out: CarryOut) -> None:
    """The check shows the share of a disk that holds other things too, and has its own idea of how large it is."""
    for n in range(60):
        site.write(f"{n:02}.wav", 1000, days=80 - n)
    await archived(site)
    site.capacity = 10**12
    site.look = lambda: len(site.left()) / 60 * 100
    await carry_out("purge", until="60%")
    assert len(site.left()) == 60 - (FIRST_BATCH + 2 * FIRST_BATCH)
    assert len(site.looks) == 4


async def test_a_batch_is_no_larger_than_it_may_be(site: Any, carry_out: CarryOut) -> None:
    await full(site)
    await carry_out("purge", until="75%", batch=2)
    assert len(site.left()) == 15
    assert len(site.looks) == 5


async def test_nothing_young_unproven_in_use_changed_or_badly_copied_goes(site: Any, carry_out: CarryOut) -> None:
    names = ("fine", "young", "used", "longer", "touched", "nocopy", "badcopy", "gone", "linked")
    for name in names:
        site.write(f"{name}.wav", 1000, days=6 if name == "young" else 20)
    await archived(site)
    site.capacity = 10_000
    site.write("unproven.wav", 1000, days=30)
    site.voice.faults.in_use.add("used.wav")
    with (site.source / "longer.wav").open("ab") as file:
        file.write(b"x")
    os.utime(site.source / "touched.wav", (1, 1))
    (site.archive / "nocopy.wav").unlink()
    (site.archive / "badcopy.wav").write_bytes(b"short")
    (site.source / "gone.wav").unlink()
    (site.source / "linked.wav").unlink()
    (site.source / "linked.wav").symlink_to(site.source / "fine.wav")
    outcome = await carry_out("purge", until="1%", lag="0s")
    assert site.voice.faults.names("remove") == ["fine.wav", "used.wav"]
    assert outcome.evidence["files"] == 1
    assert outcome.evidence["left"] == {
        "in use": 1,
        "changed": 3,
        "no copy": 1,
        "other copy": 1,
        "absent": 1,
    }
    assert site.proven() == {"young.wav", "used.wav"}
    words = ENGLISH.render(outcome.text)
    assert "younger than 7 d: 1;" in words.replace("\xa0", " ")


async def test_what_could_not_be_deleted_yet_goes_the_next_time(site: Any, carry_out: CarryOut) -> None:
    await full(site)
    site.voice.faults.in_use = {"00.wav", "01.wav"}
    await carry_out("purge", until="75%")
    assert {"00.wav", "01.wav"} <= site.left()
    assert len(site.left()) == 15
    site.voice.faults.in_use = set()
    await carry_out("purge", until="60%")
    assert not {"00.wav", "01.wav"} & site.left()


async def test_not_enough_is_no_failure_but_says_why(site: Any, carry_out: CarryOut) -> None:
    for n in range(3):
        site.write(f"young{n}.wav", 1000, days=3)
        site.write(f"old{n}.wav", 1000, days=10)
    await archived(site)
    for n in range(2):
        site.write(f"new{n}.wav", 1000, days=10)
    site.capacity = 8000
    await site.do(lambda io: archive_once(site.recordings, io, most=0))
    outcome = await carry_out("purge", until="25%")
    assert outcome.changed
    assert outcome.evidence["missing"] == 3000
    assert (outcome.evidence["young"], outcome.evidence["unproven"]) == (3, 2)
    words = ENGLISH.render(outcome.text).replace("\xa0", " ")
    assert (
        "To come down to 25%, 3 kB more would have to go. Recordings kept because they are younger than 7 d: 3;"
        in words
    )
    assert "not archived yet: 2;" in words


async def test_nothing_is_deleted_that_the_ledger_cannot_take_down(
    site: Any, carry_out: CarryOut, tmp_path: Any
) -> None:
    await full(site)

    class Full:
        """A ledger that can be read and not written."""

        def __getattr__(self, name: str) -> Any:
            return getattr(site.ledger, name)

        def deleting(self, of: str, paths: Iterable[str], at: datetime) -> None:
            with site.ledger._opened().connect() as connection:
                connection.exec_driver_sql("PRAGMA query_only = ON")
            site.ledger.deleting(of, paths, at)

    with pytest.raises(StepFailed, match="cannot be kept"):
        await carry_out("purge", Full(), until="75%")
    assert len(site.left()) == 20
    assert site.voice.faults.names("remove") == []


async def test_what_was_deleted_and_not_noted_is_found_absent_and_noted(site: Any, carry_out: CarryOut) -> None:
    await full(site)
    for n in range(3):
        (site.source / f"{n:02}.wav").unlink()
    outcome = await carry_out("purge", until="70%")
    assert outcome.evidence["left"] == {"absent": 3}
    assert site.proven() == site.left()


async def test_a_check_that_lags_does_not_have_everything_deleted(site: Any, carry_out: CarryOut) -> None:
    await full(site)
    site.look = lambda: 95.0
    outcome = await carry_out("purge", until="75%", lag="0.2s")
    assert len(site.left()) == 15
    assert outcome.evidence["used_after"] == 95.0
    assert outcome.changed


async def test_a_check_that_catches_up_is_waited_for(site: Any, carry_out: CarryOut) -> None:
    await full(site)
    shown: list[float] = []

    def late() -> float:
        shown.append(site.share())
        return shown[max(0, len(shown) - 2)]

    site.look = late
    outcome = await carry_out("purge", until="75%", lag="60s", batch=5)
    assert len(site.left()) == 15
    assert outcome.evidence["used_after"] < 75


async def test_what_others_write_meanwhile_is_made_room_for_as_well(site: Any, carry_out: CarryOut) -> None:
    await full(site)
    added = False

    def look() -> float:
        nonlocal added
        if len(site.left()) < 20 and not added:
            added = True
            (site.source / "new").write_bytes(b"x" * 2000)
        return float(site.share())

    site.look = look
    await carry_out("purge", until="75%", lag="0s")
    assert {path for path in site.left() if path != "new"} == {f"{n:02}.wav" for n in range(7, 20)}


async def test_a_check_that_cannot_look_has_nothing_deleted(site: Any, carry_out: CarryOut) -> None:
    await full(site)
    site.look = lambda: math.nan
    with pytest.raises(StepFailed, match="does not say how full"):
        await carry_out("purge")
    assert len(site.left()) == 20


async def test_an_archive_whose_disk_is_not_mounted_is_no_reason_to_archive_everything_again(
    site: Any, carry_out: CarryOut
) -> None:
    await full(site, 40)
    site.archive.rename(site.archive.with_name("unmounted"))
    with pytest.raises(StepFailed, match="nothing was deleted"):
        await carry_out("purge", until="20%")
    site.archive.mkdir()
    with pytest.raises(StepFailed, match="nothing was deleted"):
        await carry_out("purge", until="20%")
    assert len(site.left()) == len(site.proven()) == 40
    site.archive.rmdir()
    site.archive.with_name("unmounted").rename(site.archive)
    await carry_out("purge", until="20%")
    assert len(site.left()) < 10


async def test_an_archive_out_of_reach_has_nothing_deleted(site: Any, carry_out: CarryOut, servers: Any) -> None:
    await full(site)
    servers.run(site.keeper.stop())
    with pytest.raises(HostFault):
        await carry_out("purge")
    assert len(site.left()) == 20


@pytest.mark.parametrize("side", ["voice", "keeper"])
@pytest.mark.parametrize("after", [6_000, 9_000, 12_000, 16_000, 20_000])
async def test_a_link_that_is_cut_at_any_byte_loses_nothing(
    site: Any, carry_out: CarryOut, side: str, after: int
) -> None:
    await full(site, 60)
    known = {name: (site.source / name).read_bytes() for name in site.left()}
    relay = site.relay(getattr(site, side), after)
    try:
        await carry_out("purge", until="20%")
    except (HostFault, StepFailed):
        assert relay.cut
    assert site.safe(known)
    site.straight()
    await carry_out("purge", until="20%")
    assert site.share() <= 20
    assert site.safe(known)
    assert site.proven() == site.left()


async def test_the_emergency_stop_ends_it_at_the_next_files(site: Any, carry_out: CarryOut) -> None:
    await full(site, 60)

    def stop(request: str, path: str) -> None:
        site.halted = request == "remove" or site.halted

    site.voice.faults.before = stop
    outcome = await carry_out("purge", until="10%")
    assert outcome.evidence["files"] == 60 - len(site.left()) == FIRST_BATCH
    assert site.proven() == site.left()


async def test_progress_is_told(site: Any, carry_out: CarryOut) -> None:
    await full(site)
    await carry_out("purge", until="75%")
    last = site.progress[-1]
    assert (last.done, last.unit) == (5000, "By")
    assert last.total == pytest.approx(4211, abs=2)


def test_the_plan_asks_nobody(site: Any) -> None:
    step = load("purge")
    (action,) = step.actions(step.Params.model_validate({"until": "80%", "lag": "5s"}), site.subject)
    assert (action.effect, action.target) == (Effect.CHANGES, NodeId("hmp"))
    assert action.params == {"until": "80%", "batch": 200, "lag": "5s", "recordings": "audio"}
    assert "at most 80% full" in ENGLISH.render(action.said)
    assert site.looks == []


FINE = Archived("a", 10, 100, "b")


@pytest.mark.parametrize(
    ("source", "copy", "expected"),
    [
        (Stat(True, 10, 100), Stat(True, 10, 7), Fit.YES),
        (None, Stat(True, 10, 100), Fit.ABSENT),
        (Stat(True, 11, 100), Stat(True, 10, 100), Fit.CHANGED),
        (Stat(True, 10, 101), Stat(True, 10, 100), Fit.CHANGED),
        (Stat(False, 10, 100), Stat(True, 10, 100), Fit.CHANGED),
        (Stat(True, 10, 100), None, Fit.NO_COPY),
        (Stat(True, 10, 100), Stat(True, 9, 100), Fit.OTHER_COPY),
        (Stat(True, 10, 100), Stat(False, 10, 100), Fit.OTHER_COPY),
    ],
)
def test_whether_a_file_may_go(source: Stat | None, copy: Stat | None, expected: Fit) -> None:
    assert fit(FINE, source, copy, 101) is expected


@pytest.mark.parametrize("horizon", [100, 99, 0])
def test_a_file_of_the_second_of_the_horizon_is_too_young(horizon: int) -> None:
    assert fit(FINE, Stat(True, 10, 100), Stat(True, 10, 100), horizon) is Fit.YOUNG


@given(sizes=st.lists(st.integers(0, 100), max_size=30), wanted=st.integers(1, 500), most=st.integers(1, 40))
def test_no_more_are_taken_than_are_needed(sizes: list[int], wanted: int, most: int) -> None:
    files = [Archived(str(n), size, n, str(n)) for n, size in enumerate(sizes)]
    rest = iter(files)
    taken = take(rest, wanted, most)
    assert taken + list(rest) == files
    assert sum(one.size for one in taken[:-1]) < wanted
    assert len(taken) == min(most, len(files)) or sum(one.size for one in taken) >= wanted


@pytest.mark.parametrize(
    ("used", "until", "size", "expected"),
    [(95, 75, 1000, 200), (75, 75, 1000, 0), (10, 75, 1000, 0), (75.001, 75, 1000, 1), (100, 75, 0, 0)],
)
def test_how_much_must_go(used: float, until: float, size: float, expected: int) -> None:
    assert Usage(used, size).above(until) == expected


def test_a_verdict_without_figures_says_nothing() -> None:
    blind = Verdict(Severity.UNKNOWN, say("the agent is silent"))
    assert usage_of(blind) is None
    half = Verdict(Severity.OK, say("looked"), (Metric("used", 50, "%"),))
    assert usage_of(half) is None
    both = Verdict(Severity.OK, say("looked"), (Metric("used", 50, "%"), Metric("size", 9, "By")))
    assert usage_of(both) == Usage(50, 9)


async def test_a_purge_keeps_to_the_age_at_which_it_began(site: Any, carry_out: CarryOut) -> None:
    site.write("a.wav", 1000, days=7.0001)
    site.write("b.wav", 1000, days=6.9999)
    await archived(site)
    site.change(keep=timedelta(days=7))
    await carry_out("purge", until="0.01%", lag="0s")
    assert site.left() == {"b.wav"}
