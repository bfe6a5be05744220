"""Whatever files there are, however old or spoilt: what is deleted was old, proven, unchanged and well copied."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.store.recordings import RecordingsLedger
from probes.ssh import Hosts
from runbooks.contract import Io, Outcome
from runbooks.recordings import archive_once
from runbooks.registry import load

KEEP = 7
SPOILS = ("nothing", "longer", "same length later", "copy gone", "copy shorter", "in use", "gone", "replaced by a link")


@dataclass(frozen=True)
class File:
    """A recording: its age in days, its size, whether it was archived, and what befell it since."""

    days: float
    size: int
    archived: bool
    spoilt: str


FILES = st.lists(
    st.builds(
        File,
        days=st.sampled_from([0, 1, 6, 6.999, 7.001, 8, 30, 400]),
        size=st.integers(0, 3000),
        archived=st.booleans(),
        spoilt=st.sampled_from(SPOILS),
    ),
    min_size=1,
    max_size=14,
)


@contextmanager
def emptied(site: Any, tmp_path: Any) -> Iterator[None]:
    """Begin with empty folders and an empty ledger."""
    for folder in (site.source, site.archive):
        shutil.rmtree(folder)
        folder.mkdir()
    site.ledger.close()
    for path in tmp_path.glob("recordings.db*"):
        path.unlink()
    site.ledger = RecordingsLedger(tmp_path)
    site.voice.faults.in_use.clear()
    site.voice.faults.requests.clear()
    yield
    site.ledger.close()


def spoil(site: Any, name: str, file: File) -> None:
    source, copy = site.source / name, site.archive / name
    match file.spoilt:
        case "longer":
            with source.open("ab") as more:
                more.write(b"x")
        case "same length later":
            os.utime(source, (1, source.stat().st_mtime - 1))
        case "copy gone":
            copy.unlink(missing_ok=True)
        case "copy shorter" if copy.exists():
            copy.write_bytes(copy.read_bytes()[:-1] if file.size else b"x")
        case "in use":
            site.voice.faults.in_use.add(name)
        case "gone":
            source.unlink()
        case "replaced by a link":
            source.unlink()
            source.symlink_to("elsewhere")


def may_go(file: File) -> bool:
    return file.archived and file.days > KEEP and file.spoilt == "nothing"


@pytest.mark.parametrize("until", [1, 50])
def test_only_what_may_go_is_deleted_oldest_first_and_no_more_than_needed(site: Any, tmp_path: Any, until: int) -> None:
    site.change(keep=timedelta(days=KEEP))
    step = load("purge")

    async def purge(io: Io, batch: int) -> Outcome:
        params = step.Params.model_validate({"until": f"{until}%", "lag": "0s", "batch": batch, "recordings": "audio"})
        outcome: Outcome = await step.apply(params, {}, site.subject, io)
        return outcome

    with asyncio.Runner() as runner:
        hosts = Hosts()
        io = site.io(hosts)

        @settings(max_examples=40)
        @given(files=FILES, batch=st.integers(1, 20))
        def holds(files: list[File], batch: int) -> None:
            with emptied(site, tmp_path):
                names = {f"{n:02}.wav": file for n, file in enumerate(files)}
                for name, file in names.items():
                    if file.archived:
                        site.write(name, file.size, file.days)
                runner.run(archive_once(site.recordings, io))
                for name, file in names.items():
                    if not file.archived:
                        site.write(name, file.size, file.days)
                for name, file in names.items():
                    spoil(site, name, file)
                site.capacity = max(1, sum(file.size for file in files))
                before = site.left()
                runner.run(purge(io, batch))
                after = site.left()
                gone = before - after

                assert all(may_go(names[name]) for name in gone)
                for name in gone:
                    assert (site.archive / name).stat().st_size == names[name].size
                candidates = sorted(
                    (name for name, file in names.items() if may_go(file)),
                    key=lambda name: (-names[name].days, name),
                )
                assert gone == set(candidates[: len(gone)])
                if gone != set(candidates):
                    assert site.share() <= until
                removed = [name for name in site.voice.faults.names("remove") if name in gone]
                assert removed == candidates[: len(gone)]
                assert not gone & site.proven()
                assert all(names[name].archived for name in site.proven())

        try:
            holds()
        finally:
            runner.run(hosts.close())
