"""Archiving and purging through OpenSSH's own SFTP server: its refusals, its renames, its full disk, its end."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH, Text, say
from monitor.core.verdict import Metric, Severity, Verdict
from monitor.secret import Secret
from monitor.store.recordings import RecordingsLedger
from probes.access import SshAccess
from probes.contract import Target
from probes.disk import DiskParams
from probes.ssh import HostFault, Hosts
from runbooks.contract import CheckOf, Io, Outcome, Recordings, Site, StepFailed, Subject
from runbooks.ledger import Ledger
from runbooks.recordings import ArchiveReport, archive_once
from runbooks.recordings_sftp import Folder, SftpTrouble
from runbooks.registry import load

DAY = 86400


@dataclass
class Centre:
    """Recordings and their archive behind one sshd; `capacity`: bytes of the disk that holds the recordings."""

    source: Path
    archive: Path
    ledger: RecordingsLedger
    hosts: Hosts
    recordings: Recordings
    capacity: int = 1_000_000

    def write(self, name: str, data: bytes, days: float = 10) -> bytes:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        then = SystemClock().now().timestamp() - days * DAY
        os.utime(path, (then, then))
        return data

    def io(self) -> Io:
        async def look(check: CheckId) -> Verdict:
            used = 100 * sum(path.stat().st_size for path in self.source.rglob("*") if path.is_file()) / self.capacity
            metrics = (Metric("used", used, "%"), Metric("size", self.capacity, "By"))
            return Verdict(Severity.OK, say("looked"), metrics)

        async def tell(to: tuple[str, ...], text: Text) -> bool:
            return True

        async def opened() -> Ledger:
            return self.ledger

        return Io(SystemClock(), self.hosts, look, tell, lambda progress: None, lambda: False, opened)

    async def archive_all(self) -> ArchiveReport:
        return await archive_once(self.recordings, self.io())

    async def purge(self, until: str) -> Outcome:
        device = self.recordings.device
        own = CheckOf(CheckId("disk"), "disk", device.name, device, DiskParams.model_validate({"mount": "/"}))
        subject, step = Subject(own.id, Site({own.id: own}, {}, {"audio": self.recordings})), load("purge")
        params = step.Params.model_validate({"until": until, "lag": "0s"})
        (action,) = step.actions(params, subject)
        outcome: Outcome = await step.apply(step.Params.model_validate(action.params), {}, subject, self.io())
        return outcome

    def copies(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.archive).as_posix(): path.read_bytes()
            for path in self.archive.rglob("*")
            if path.is_file()
        }


def reached(sshd: Any, name: str) -> Target:
    keys = {"user": sshd.user, "key": Secret(f"file:{sshd.user_key}"), "port": sshd.port, "host_key": sshd.host_key}
    return Target(NodeId(name), "127.0.0.1", {"ssh": SshAccess.model_validate(keys)})


Another = Callable[..., AbstractContextManager[Any]]


@pytest.fixture
def another(sshd: Any, require: Callable[[str, str], Path], tmp_path: Path, free_port: Callable[..., int]) -> Another:
    """Return `another(subsystem, before="")`: one more sshd, its SFTP server, and the command that starts it."""

    @contextmanager
    def start(subsystem: str, before: str = "") -> Iterator[Any]:
        folder = tmp_path / "another"
        folder.mkdir()
        program = folder / "program"
        program.write_text(f'#!/bin/sh\nexec {before} {require("sshd", "openssh-server")} "$@"\n')
        program.chmod(0o700)
        made = type(sshd)(program, require("ssh-keygen", "openssh-client"), folder, free_port())
        config = folder / "sshd_config"
        config.write_text(config.read_text().replace("internal-sftp", subsystem))
        made.start()
        try:
            yield made
        finally:
            made.stop()

    return start


@pytest.fixture
async def centre(sshd: Any, tmp_path: Path) -> AsyncIterator[Centre]:
    source, archive = tmp_path / "Enregistrements", tmp_path / "archive"
    source.mkdir()
    archive.mkdir()
    target = reached(sshd, "hmp")
    recordings = Recordings("audio", target, str(source), target, str(archive), closed_after=timedelta(0))
    made = Centre(source, archive, RecordingsLedger(tmp_path), Hosts(), recordings)
    yield made
    await made.hosts.close()
    made.ledger.close()


async def test_recordings_go_into_the_archive_and_the_oldest_from_the_disk(centre: Centre) -> None:
    known = {}
    for n, size in enumerate((0, 1, 20_000, 260_000, 600_000)):
        name = f"2026/11/{n:02}/appel n° {n} été.wav"
        known[name] = centre.write(name, os.urandom(size), days=40 - n)
    centre.write("jeune.wav", b"young", days=1)
    (centre.source / "lien").symlink_to("/etc")
    (centre.source / os.fsdecode(b"latin-\xe9t\xe9.wav")).write_bytes(b"x")
    report = await centre.archive_all()
    assert (report.proven, report.failures, report.ended) == (6, 0, None)
    assert report.left_out is not None
    assert centre.copies() == known | {"jeune.wav": b"young"}
    for name in known:
        assert int((centre.archive / name).stat().st_mtime) == int((centre.source / name).stat().st_mtime)
    outcome = await centre.purge("70%")
    assert outcome.evidence["files"] == 4
    assert (centre.source / "2026/11/04/appel n° 4 été.wav").exists()
    assert not any((centre.source / name).exists() for name in list(known)[:4])
    outcome = await centre.purge("0.0001%")
    assert outcome.evidence["files"] == 1
    assert outcome.evidence["young"] == 1
    assert (centre.source / "jeune.wav").exists()
    assert centre.copies() == known | {"jeune.wav": b"young"}


async def test_openssh_never_gives_a_file_a_name_that_is_taken(centre: Centre) -> None:
    centre.write("new.wav", b"new")
    centre.write("old.wav", b"old")
    async with centre.hosts.sftp(centre.recordings.device) as client:
        folder = Folder(client, NodeId("hmp"), str(centre.source))
        with pytest.raises(SftpTrouble):
            await folder.rename("new.wav", "old.wav")
        assert folder.flushes
        assert (await folder.free() or 0) > 0
    assert (centre.source / "old.wav").read_bytes() == b"old"


async def test_what_lies_in_the_archive_already_stays_and_is_recognised(centre: Centre) -> None:
    same, other = centre.write("same.wav", os.urandom(5000)), centre.write("other.wav", os.urandom(5000))
    (centre.archive / "same.wav").write_bytes(same)
    (centre.archive / "other.wav").write_bytes(b"of somebody else")
    (centre.archive / ".other.wav.part").write_bytes(b"half")
    assert (await centre.archive_all()).proven == 2
    copies = centre.copies()
    assert (copies.pop("same.wav"), copies.pop("other.wav")) == (same, b"of somebody else")
    (name,) = copies
    assert name.startswith("other.")
    assert copies[name] == other


async def test_an_archive_that_may_not_be_written_proves_nothing(centre: Centre, another: Another) -> None:
    centre.write("a.wav", b"a")
    with another("internal-sftp -R") as read_only:
        centre.recordings = replace(centre.recordings, archive=reached(read_only, "keeper"))
        report = await centre.archive_all()
    assert (report.proven, report.failures) == (0, 1)
    assert "denied" in ENGLISH.render(report.failed[0].why)


async def test_a_server_that_dies_half_way_loses_nothing_and_is_taken_up_again(
    centre: Centre, sshd: Any, until: Callable[[Callable[[], bool]], Awaitable[None]]
) -> None:
    known = {f"{n:02}.wav": centre.write(f"{n:02}.wav", os.urandom(400_000), days=100 - n) for n in range(60)}
    running = asyncio.ensure_future(centre.archive_all())
    await until(lambda: len([name for name in centre.copies() if not name.startswith(".")]) > 5 or running.done())
    sshd.cut()
    try:
        report = await running
    except (HostFault, StepFailed):
        pass
    else:
        assert report.ended is not None
    assert all(
        centre.copies()[one.path] == known[one.path] for one in centre.ledger.oldest("audio", SystemClock().now())
    )
    assert len(list(centre.source.iterdir())) == 60
    await centre.archive_all()
    assert {name: data for name, data in centre.copies().items() if not name.startswith(".")} == known
    centre.capacity = 60 * 400_000
    await centre.purge("20%")
    assert len(list(centre.source.iterdir())) == 12
    assert all(centre.copies()[name] == known[name] for name in known)


async def test_a_disk_that_is_really_full_is_said_to_be_full(
    centre: Centre, another: Another, require: Callable[[str, str], Path], tmp_path: Path
) -> None:
    """OpenSSH answers no more than "Failure" to a write; what it says of its free space makes it a full disk."""
    if os.geteuid() != 0:
        pytest.skip("only root may start an sshd that sees another disk")
    tiny = tmp_path / "tiny"
    tiny.mkdir()
    unshare, mount = require("unshare", "util-linux"), require("mount", "mount")
    mounted = f"{unshare} --mount sh -c '{mount} -t tmpfs -o size=3m tmpfs {tiny} && exec \"$@\"' sh"
    if subprocess.run(f"{mounted} true", shell=True, capture_output=True, check=False).returncode != 0:
        pytest.skip("this kernel lets us make no mount namespace (unshare --mount)")
    known = {f"{n}.wav": centre.write(f"{n}.wav", os.urandom(900_000), days=20 - n) for n in range(5)}
    with another("internal-sftp", mounted) as keeper:
        centre.recordings = replace(centre.recordings, archive=reached(keeper, "tiny"), archive_folder=str(tiny))
        report = await centre.archive_all()
        assert report.proven == 3
        assert report.ended is not None
        assert "is full" in ENGLISH.render(report.ended)
        assert report.failures <= 1
        assert {path.name for path in centre.source.iterdir()} == set(known)
        centre.capacity = 4_500_000
        outcome = await centre.purge("1%")
    assert outcome.evidence["files"] == 3
    assert {path.name for path in centre.source.iterdir()} == {"3.wav", "4.wav"}


async def test_a_purge_without_the_archive_s_disk_deletes_nothing(centre: Centre) -> None:
    for n in range(20):
        centre.write(f"{n}.wav", b"x" * 1000, days=30)
    await centre.archive_all()
    shutil.move(centre.archive, centre.archive.with_name("unmounted"))
    centre.capacity = 20_000
    with pytest.raises(StepFailed):
        await centre.purge("10%")
    assert len(list(centre.source.iterdir())) == 20


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Return `until(condition)`, which waits for it."""

    async def wait(condition: Callable[[], bool]) -> None:
        deadline = asyncio.get_running_loop().time() + 30
        while not condition():
            assert asyncio.get_running_loop().time() < deadline, "it did not come about"
            await asyncio.sleep(0.005)

    return wait
