"""Archiving against real servers: what is proven is in the archive, bit by bit, and what is not is told."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest

from monitor.core.text import ENGLISH
from probes.ssh import HostFault
from runbooks.contract import StepFailed
from runbooks.recordings import AlreadyArchiving, ArchiveReport, archive_once
from runbooks.recordings_round import AT_ONCE


async def archive(site: Any, **how: Any) -> ArchiveReport:
    result: ArchiveReport = await site.do(lambda io: archive_once(site.recordings, io, **how))
    return result


async def test_closed_recordings_are_copied_with_their_folders_and_times(site: Any) -> None:
    known = {}
    for n, size in enumerate((0, 1, 20_000, 300_000, 1_000_000)):
        path = site.write(f"2026/11/{n:02}/call-{n}.wav", size, days=20 - n)
        known[path.relative_to(site.source).as_posix()] = path.read_bytes()
    report = await archive(site)
    assert (report.seen, report.closed, report.proven, report.left, report.ended) == (5, 5, 5, 0, None)
    assert report.size == sum(len(data) for data in known.values())
    assert site.archived() == known
    assert site.proven() == set(known)
    for name in known:
        assert int((site.archive / name).stat().st_mtime) == int((site.source / name).stat().st_mtime)
    assert report.standing is not None
    assert report.standing.unproven is None
    again = await archive(site)
    assert (again.seen, again.closed, again.proven) == (5, 0, 0)
    assert again.standing == report.standing


async def test_a_file_is_archived_once_two_looks_show_it_unchanged(site: Any) -> None:
    class Later:
        """A clock that can be set forward."""

        ahead = timedelta(0)

        def now(self) -> Any:
            return clock.now() + self.ahead

        def boot(self) -> Any:
            return clock.boot()

    clock, site.clock = site.clock, Later()
    site.change(closed_after=timedelta(minutes=1))
    rests, grows = site.write("rests.wav", 100), site.write("grows.wav", 100)
    assert (await archive(site)).closed == 0
    site.clock.ahead = timedelta(minutes=2)
    with grows.open("ab") as file:
        file.write(b"more")
    report = await archive(site)
    assert (report.seen, report.closed, report.proven) == (2, 1, 1)
    assert site.proven() == {"rests.wav"}
    assert rests.exists()
    site.clock.ahead = timedelta(minutes=4)
    await archive(site)
    assert site.proven() == {"rests.wav", "grows.wav"}


async def test_the_oldest_are_archived_first_and_no_more_than_asked_for(site: Any) -> None:
    for n in range(30):
        site.write(f"{n:02}.wav", 100, days=30 - n)
    report = await archive(site, most=10)
    assert (report.proven, report.left) == (10, 20)
    assert site.proven() == {f"{n:02}.wav" for n in range(10)}


async def test_a_file_that_grows_while_it_is_read_is_not_proven(site: Any) -> None:
    site.write("live.wav", 400_000)
    site.write("done.wav", 400_000)
    site.voice.faults.grows.add("live.wav")
    report = await archive(site)
    assert (report.proven, report.changed, report.failures) == (1, 1, 0)
    assert site.proven() == {"done.wav"}
    assert set(site.archived()) == {"done.wav"}
    site.voice.faults.grows.clear()
    assert (await archive(site)).proven == 1
    assert set(site.archived()) == {"done.wav", "live.wav"}


async def test_a_file_that_grows_unseen_by_its_size_and_time_is_not_proven(site: Any) -> None:
    """Windows writes down the size and time of an open file only now and then."""
    path = site.write("live.wav", 1000)
    times = path.stat().st_mtime

    def grow(request: str, name: str) -> None:
        if request == "read" and name == str(path):
            with path.open("ab") as file:
                file.write(b"x")
        if request == "lstat" and name == str(path):
            os.truncate(path, 1000)
            os.utime(path, (times, times))

    site.voice.faults.before = grow
    report = await archive(site)
    assert (report.proven, report.changed) == (0, 1)
    assert site.archived() == {}


@pytest.mark.parametrize("size", [1000, 700_000])
async def test_a_file_that_is_written_over_in_place_while_it_is_read_is_not_proven(site: Any, size: int) -> None:
    path = site.write("live.wav", size)

    def overwrite(request: str, name: str) -> None:
        if request == "write":
            path.write_bytes(b"x" * size)

    site.keeper.faults.before = overwrite
    report = await archive(site)
    assert (report.proven, report.changed) == (0, 1)
    assert site.archived() == {}


async def test_a_file_in_use_is_left_for_later(site: Any) -> None:
    site.write("live.wav", days=9)
    site.write("done.wav", days=8)
    site.voice.faults.in_use.add("live.wav")
    report = await archive(site)
    assert (report.proven, report.in_use, report.failures, report.ended, report.left) == (1, 1, 0, None, 0)
    site.voice.faults.in_use.clear()
    assert (await archive(site)).proven == 1


async def test_a_file_that_vanished_is_no_failure_and_is_forgotten(site: Any) -> None:
    path = site.write("gone.wav")

    def vanish(request: str, name: str) -> None:
        if request == "read":
            path.unlink()

    site.voice.faults.before = vanish
    report = await archive(site)
    assert (report.gone, report.failures, report.proven) == (1, 0, 0)
    assert (await archive(site)).closed == 0


async def test_a_full_archive_ends_the_round_and_what_is_proven_stays_so(site: Any) -> None:
    known = {f"{n}.wav": site.write(f"{n}.wav", 100_000, days=20 - n).read_bytes() for n in range(10)}
    faults = site.keeper.faults
    faults.room, answers = 350_000, iter([50_000_000])
    faults.free = lambda: next(answers, faults.room)  # others fill it up while we write
    report = await archive(site)
    assert report.ended is not None
    assert "full" in report.ended.template
    assert report.proven == 3
    assert len(site.proven()) == 3
    assert all(known[name] == data for name, data in site.archived().items())
    assert site.left() == set(known)
    faults.room = faults.free = None
    assert (await archive(site)).proven == 7
    assert site.archived() == known


async def test_nothing_is_sent_to_an_archive_that_says_it_has_no_room(site: Any) -> None:
    for n in range(5):
        site.write(f"{n}.wav", 1000, days=20 - n)
    site.keeper.faults.free = lambda: 2500 - site.keeper.faults.written
    report = await archive(site)
    assert report.proven == 2
    assert report.ended is not None
    assert ("free" in report.ended.template, "full" in report.ended.template) == (True, True)
    assert site.keeper.faults.written == 2000


async def test_an_archive_that_gives_back_something_else_is_not_believed(site: Any) -> None:
    known = {f"{n}.wav": site.write(f"{n}.wav", 50_000, days=20 - n).read_bytes() for n in range(5)}
    site.keeper.faults.flip.add("2.wav")
    report = await archive(site)
    assert (report.proven, report.failures) == (4, 1)
    assert report.failed[0].path == "2.wav"
    assert "gives back" in report.failed[0].why.template
    assert site.proven() == set(known) - {"2.wav"}
    assert set(site.archived()) == set(known) - {"2.wav"}


async def test_a_name_that_the_archive_refuses_does_not_hold_up_the_others(site: Any) -> None:
    for n in range(30):
        site.write(f"{n:02}.wav", 10, days=40 - n)
    site.keeper.faults.refuse = {"03.wav", "04.wav"}
    report = await archive(site)
    assert (report.proven, report.failures, report.ended) == (28, 2, None)
    assert {one.path for one in report.failed} == {"03.wav", "04.wav"}
    assert "Permission denied" in ENGLISH.render(report.failed[0].why)


async def test_an_archive_that_refuses_everything_is_given_up_after_a_few(site: Any) -> None:
    names = {f"{n:03}.wav" for n in range(200)}
    for name in names:
        site.write(name, 10)
    site.keeper.faults.refuse = names
    report = await archive(site)
    assert report.proven == 0
    assert report.ended is not None
    assert len(site.keeper.faults.names("write")) < 50
    assert report.left > 100


async def test_a_copy_that_is_there_already_is_recognised_and_not_written_again(site: Any) -> None:
    data = site.write("sub/a.wav", 5000).read_bytes()
    copy = site.archive / "sub" / "a.wav"
    copy.parent.mkdir()
    copy.write_bytes(data)
    report = await archive(site)
    assert report.proven == 1
    assert site.keeper.faults.written == 0
    assert site.proven() == {"sub/a.wav"}


async def test_a_copy_that_is_there_proves_nothing_of_a_file_that_changes_meanwhile(site: Any) -> None:
    path = site.write("a.wav", 5000)
    (site.archive / "a.wav").write_bytes(path.read_bytes())

    def overwrite(request: str, name: str) -> None:
        if request == "read":
            path.write_bytes(b"x" * 5000)

    site.keeper.faults.before = overwrite
    report = await archive(site)
    assert (report.proven, report.changed) == (0, 1)


@pytest.mark.parametrize("size", [4999, 5000])
async def test_another_file_of_that_name_in_the_archive_stays_and_the_new_one_gets_its_hash(
    site: Any, size: int
) -> None:
    data = site.write("a.wav", 5000).read_bytes()
    (site.archive / "a.wav").write_bytes(b"x" * size)
    assert (await archive(site)).proven == 1
    (other,) = set(site.archived()) - {"a.wav"}
    assert site.archived() == {"a.wav": b"x" * size, other: data}
    assert other.startswith("a.")
    assert other.endswith(".wav")
    site.ledger.doubt("audio", ["a.wav"])
    assert (await archive(site)).proven == 1
    assert set(site.archived()) == {"a.wav", other}


async def test_a_recording_that_is_made_anew_under_its_name_overwrites_no_copy(site: Any) -> None:
    first = site.write("a.wav", b"first", days=12).read_bytes()
    await archive(site)
    second = site.write("a.wav", b"other", days=11).read_bytes()
    await archive(site)
    assert set(site.archived().values()) == {first, second}
    assert site.archived()["a.wav"] == first


async def test_the_leftover_of_a_crash_may_be_the_very_file_that_has_its_name_already(site: Any) -> None:
    """Where a server renames by linking and is stopped between that and unlinking, both names are one file."""
    first = site.write("a.wav", b"first one", days=12).read_bytes()
    await archive(site)
    os.link(site.archive / "a.wav", site.archive / ".a.wav.part")
    second = site.write("a.wav", b"the second", days=11).read_bytes()
    await archive(site)
    assert set(site.archived().values()) == {first, second}
    assert site.archived()["a.wav"] == first


async def test_leftovers_of_an_earlier_attempt_are_replaced(site: Any) -> None:
    data = site.write("a.wav", 3000).read_bytes()
    (site.archive / ".a.wav.part").write_bytes(b"half of it" * 1000)
    assert (await archive(site)).proven == 1
    assert site.archived() == {"a.wav": data}


async def test_names_as_long_as_a_disk_takes_them_are_archived(site: Any) -> None:
    names = ["n" * 255, "é" * 125 + ".wav", "x" * 249 + ".wav"]
    known = {name: site.write(name, 1000).read_bytes() for name in names}
    assert (await archive(site)).proven == 3
    assert site.archived() == known
    for name in names:
        site.write(name, 999, days=3)
    assert (await archive(site)).proven == 3
    assert len(site.archived()) == 6
    assert max(len(name.encode()) for name in site.archived()) == 255


async def test_names_that_differ_only_by_case_do_not_overwrite_each_other(site: Any) -> None:
    site.keeper.faults.folds_case = True
    known = [site.write(name, 500).read_bytes() for name in ("call.wav", "CALL.wav", "Call.wav", "Case.WAV")]
    report = await archive(site)
    assert (report.proven, report.failures) == (4, 0)
    assert sorted(site.archived().values()) == sorted(known)


async def test_a_server_without_any_extension_will_do(site: Any) -> None:
    """Win32-OpenSSH and others: no free space, no flush, few bytes an answer."""
    site.keeper.faults.plain = True
    site.keeper.faults.short = site.voice.faults.short = 1000
    known = {f"{n}.wav": site.write(f"{n}.wav", 70_000).read_bytes() for n in range(3)}
    assert (await archive(site)).proven == 3
    assert site.archived() == known


async def test_the_folder_of_the_archive_is_made_the_first_time_and_missed_ever_after(site: Any) -> None:
    site.write("a.wav")
    site.change(archive_folder=f"{site.archive}/deep/er")
    assert (await archive(site)).proven == 1
    assert set(site.archived()) == {"deep/er/a.wav"}
    (site.archive / "deep").rename(site.archive / "unmounted")
    site.write("b.wav")
    with pytest.raises(StepFailed, match="is gone"):
        await archive(site)
    assert set(site.archived()) == {"unmounted/er/a.wav"}


async def test_only_one_at_a_time_writes_into_an_archive(site: Any) -> None:
    site.write("a.wav")
    with site.ledger.holding(f"keeper:{site.archive}") as free:
        assert free
        with pytest.raises(AlreadyArchiving):
            await archive(site)
    assert (await archive(site)).proven == 1


async def test_the_emergency_stop_ends_it_before_the_next_file(site: Any) -> None:
    for n in range(100):
        site.write(f"{n}.wav", 10)

    def stop(request: str, path: str) -> None:
        site.halted = request == "rename" or site.halted

    site.keeper.faults.before = stop
    report = await archive(site)
    assert 1 <= report.proven <= AT_ONCE
    assert report.left == 100 - report.proven - report.in_use - report.changed
    assert len(site.proven()) == report.proven


async def test_progress_is_told(site: Any) -> None:
    site.write("a.wav", 1000)
    await archive(site)
    assert [(one.done, one.total, one.unit) for one in site.progress] == [(1000, 1000, "By")]


async def test_a_folder_that_is_not_there_is_named(site: Any) -> None:
    site.change(folder=f"{site.source}/nowhere")
    with pytest.raises(StepFailed) as failed:
        await archive(site)
    assert dict(failed.value.text.values)["folder"] == f"{site.source}/nowhere"
    assert failed.value.remedy is not None


async def test_a_host_that_cannot_be_reached_is_a_fault_of_the_host(site: Any, servers: Any) -> None:
    site.write("a.wav")
    servers.run(site.keeper.stop())
    with pytest.raises(HostFault):
        await archive(site)


async def test_nothing_is_proven_that_the_ledger_cannot_take_down(site: Any, tmp_path: Any) -> None:
    site.write("a.wav")

    def damage(request: str, path: str) -> None:
        if request == "rename":
            site.ledger.close()
            (tmp_path / "recordings.db").write_bytes(b"garbage " * 1000)
            for log in tmp_path.glob("recordings.db-*"):
                log.unlink()

    site.keeper.faults.before = damage
    with pytest.raises(StepFailed, match="cannot be kept"):
        await archive(site)
    (tmp_path / "recordings.db").unlink()
    site.keeper.faults.before = lambda request, path: None
    assert (await archive(site)).proven == 1
    assert set(site.archived()) == {"a.wav"}


@pytest.mark.parametrize("side", ["voice", "keeper"])
@pytest.mark.parametrize("after", [5_000, 40_000, 90_000, 200_000, 333_333, 480_000])
async def test_a_link_that_is_cut_at_any_byte_loses_nothing_and_is_taken_up_again(
    site: Any, side: str, after: int
) -> None:
    known = {f"{n}.wav": site.write(f"{n}.wav", 30_000, days=20 - n).read_bytes() for n in range(10)}
    relay = site.relay(getattr(site, side), after)
    first = 0
    try:
        report = await archive(site)
    except (HostFault, StepFailed):
        pass
    else:
        first = report.proven
        assert report.ended is not None or not relay.cut
    assert relay.cut or after > 300_000
    assert len(site.proven()) == first
    copies = site.archived()
    assert all(copies[name] == known[name] for name in site.proven())
    assert site.left() == set(known)
    site.straight()
    assert (await archive(site)).proven == 10 - first
    assert {name: data for name, data in site.archived().items() if not name.startswith(".")} == known


async def test_many_pages_of_small_files_are_archived(site: Any) -> None:
    count = 603
    for n in range(count):
        site.write(f"{n % 7}/{n:04}.wav", 20, days=20)
    report = await archive(site, most=10_000)
    assert (report.proven, report.left) == (count, 0)
    assert len(site.proven()) == count


async def test_what_is_left_out_is_told(site: Any) -> None:
    site.write("a.wav")
    (site.source / "bad\x1bname.wav").write_bytes(b"x")
    report = await archive(site)
    assert report.proven == 1
    assert report.left_out is not None
    assert dict(report.left_out.values)["name"] == repr("bad name.wav")
