"""Mirrored files: a changed one replaces its copy only once it is proven, and the version before it stays."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.core.text import ENGLISH
from runbooks.contract import StepFailed
from runbooks.recordings import ArchiveReport, archive_once
from runbooks.recordings_copy import LONGEST_NAME, before_of


@pytest.fixture
def mirror(site: Any) -> Any:
    """The two servers, between which everything is mirrored."""
    site.change(mirror=True)
    return site


async def round_of(site: Any) -> ArchiveReport:
    report: ArchiveReport = await site.do(lambda io: archive_once(site.recordings, io))
    assert report.mirror
    return report


async def test_a_changed_file_takes_the_place_of_its_copy_and_the_version_before_it_stays(mirror: Any) -> None:
    mirror.write("etc/dialler.ini", b"first", days=3)
    mirror.write("etc/other.ini", b"stays", days=3)
    assert (await round_of(mirror)).proven == 2
    mirror.write("etc/dialler.ini", b"second", days=2)
    assert (await round_of(mirror)).proven == 1
    mirror.write("etc/dialler.ini", b"third!", days=1)
    report = await round_of(mirror)
    assert (report.proven, report.standing.unproven) == (1, None)
    assert mirror.archived() == {
        "etc/dialler.ini": b"third!", "etc/.dialler.ini.before": b"second", "etc/other.ini": b"stays"
    }  # fmt: skip
    assert (await round_of(mirror)).closed == 0


async def test_what_is_deleted_at_its_source_stays_in_the_mirror(mirror: Any) -> None:
    mirror.write("calls.csv", b"237600000000", days=1).rename(mirror.source / "done.csv")
    mirror.write("calls.csv", b"237600000001", days=1)
    await round_of(mirror)
    (mirror.source / "calls.csv").unlink()
    assert (await round_of(mirror)).failures == 0
    assert set(mirror.archived()) == {"calls.csv", "done.csv"}


async def test_a_copy_that_was_changed_at_the_other_site_is_never_written_over(mirror: Any) -> None:
    mirror.write("dialler.ini", b"old", days=3)
    await round_of(mirror)
    (mirror.archive / "dialler.ini").write_bytes(b"changed while the other site was the active one")
    mirror.write("dialler.ini", b"stale", days=2)
    report = await round_of(mirror)
    assert (report.proven, report.failures) == (0, 1)
    (failed,) = report.failed
    assert ENGLISH.render(failed.why) == "dialler.ini is newer on keeper: it was changed there"
    assert mirror.archived() == {"dialler.ini": b"changed while the other site was the active one"}
    assert report.standing.unproven is not None
    # Whoever writes the file anew at its source means it.
    mirror.write("dialler.ini", b"merged", days=-0.001)
    assert (await round_of(mirror)).proven == 1
    assert mirror.archived()["dialler.ini"] == b"merged"
    assert mirror.archived()[".dialler.ini.before"] == b"changed while the other site was the active one"


async def test_what_is_no_file_in_the_mirror_stays_as_it_is(mirror: Any) -> None:
    (mirror.archive / "dialler.ini").mkdir(parents=True)
    mirror.write("dialler.ini", b"new", days=-0.001)
    report = await round_of(mirror)
    assert ENGLISH.render(report.failed[0].why) == "dialler.ini is no file on keeper"
    assert (mirror.archive / "dialler.ini").is_dir()


async def test_a_copy_that_is_read_back_otherwise_replaces_nothing(mirror: Any) -> None:
    mirror.write("dialler.ini", b"first", days=3)
    await round_of(mirror)
    mirror.write("dialler.ini", b"second", days=2)
    mirror.keeper.faults.flip.add("dialler.ini")
    assert (await round_of(mirror)).failures == 1
    assert mirror.archived() == {"dialler.ini": b"first"}


async def test_a_server_that_cannot_link_keeps_the_version_before_all_the_same(mirror: Any, monkeypatch: Any) -> None:
    def refuse(*paths: bytes) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    for days, words in ((3, b"first"), (2, b"second"), (1, b"third")):
        mirror.write("dialler.ini", words, days=days)
        assert (await round_of(mirror)).proven == 1
    assert mirror.archived() == {"dialler.ini": b"third", ".dialler.ini.before": b"second"}
    assert mirror.keeper.faults.names("rename").count(".dialler.ini.before") == 2


@pytest.mark.parametrize("request_name", ["rename", "remove", "write", "lstat"])
async def test_whatever_is_refused_on_the_way_there_is_always_a_whole_version(mirror: Any, request_name: str) -> None:
    mirror.write("dialler.ini", b"first", days=3)
    await round_of(mirror)
    mirror.write("dialler.ini", b"second", days=2)

    def refuse(request: str, path: str) -> None:
        if request == request_name and Path(path).parent == mirror.archive:
            raise PermissionError(13, "Permission denied")

    mirror.keeper.faults.before = refuse
    await round_of(mirror)
    copies = mirror.archived()
    assert copies.get("dialler.ini", copies.get(".dialler.ini.before")) in (b"first", b"second")
    mirror.keeper.faults.before = lambda request, path: None
    await round_of(mirror)
    assert mirror.archived()["dialler.ini"] == b"second"


async def test_nothing_mirrored_is_ever_purged_and_a_move_may_name_it_from_another_device(
    mirror: Any, carry_out: Any
) -> None:
    mirror.write("dialler.ini", b"first", days=30)
    mirror.change(device=mirror.voice.target())
    with pytest.raises(StepFailed):
        await carry_out("purge", until="1%")
    outcome = await carry_out("archive", recordings="audio")
    assert outcome.evidence["proven"] == 1
    assert mirror.left() == {"dialler.ini"}
    assert mirror.recordings.keep == timedelta(days=7)


def test_the_name_of_the_version_before_fits_beside_the_file():
    assert before_of("a/b.ini") == "a/.b.ini.before"
    assert len(before_of("x" * LONGEST_NAME).encode()) <= LONGEST_NAME


async def test_two_mirrors_against_each_other_settle_on_the_newer_version_and_keep_the_other(mirror: Any) -> None:
    """As after a move: what was written at the other site while it was the active one comes back."""
    there = mirror.recordings
    back = replace(
        there, id="back", device=there.archive, folder=there.archive_folder, archive=there.device,
        archive_folder=there.folder,
    )  # fmt: skip

    async def both() -> list[int]:
        return [(await mirror.do(lambda io, one=one: archive_once(one, io))).failures for one in (there, back)]

    mirror.write("dialler.ini", b"first", days=3)
    assert await both() == [0, 0]
    copy = mirror.archive / "dialler.ini"
    copy.write_bytes(b"changed there")
    mirror.write("dialler.ini", b"stale", days=2)
    assert await both() == [1, 0]
    assert (mirror.source / "dialler.ini").read_bytes() == b"changed there"
    assert (mirror.source / ".dialler.ini.before").read_bytes() == b"stale"
    assert await both() == [0, 0]
    assert mirror.archived() == {"dialler.ini": b"changed there"}
