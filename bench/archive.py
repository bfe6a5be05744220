"""What archiving recordings costs beside rsync, through the same sshd on loopback, in pairs; both flush each file.

Prints throughputs and the medians of the pairs' ratios. Ours is a whole round of `archive_once`: the look, the ledger,
each file read from one server and written to the other by SFTP, flushed, closed, read back and compared, renamed,
proven. Read back is timed again by itself, over the finished copies, and what is left without it is the copying. rsync
-a --fsync -e ssh copies the same files from this machine's own disk to the server, which is one way of ours, not two;
the way of ours is rsync twice, from the server to this machine and from here to the server, which is printed as well.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from monitor.clock import SystemClock
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import Text, say
from monitor.core.verdict import Severity, Verdict
from monitor.secret import Secret
from monitor.store.recordings import RecordingsLedger
from probes.access import SshAccess
from probes.contract import Target
from probes.ssh import Hosts
from runbooks.contract import Io, Recordings
from runbooks.ledger import Ledger
from runbooks.recordings import archive_once
from runbooks.recordings_copy import digest_of
from runbooks.recordings_round import AT_ONCE
from runbooks.recordings_sftp import Folder, Pace

PAIRS = 5
SETS = ((200, 1_400_000), (2000, 20_000))
"""Files and their bytes: three minutes of G.711 (8 kB/s), and calls that nobody answered."""
READY_WITHIN = 10.0


@contextmanager
def sshd(program: str, folder: Path) -> Iterator[int]:
    """Yield the port of a private sshd, into which this user is let with the key `folder/user`."""
    for name in ("host", "user"):
        subprocess.run([need("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)  # noqa: S603 - as built
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    lines = (
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {folder / 'host'}",
        f"AuthorizedKeysFile {folder / 'user.pub'}",
        "PidFile none",
        "StrictModes no",
        "UsePAM no",
        "Subsystem sftp internal-sftp",
    )
    (folder / "sshd_config").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it wants to be shut in before a log-in
    process = subprocess.Popen([program, "-D", "-e", "-f", folder / "sshd_config"], stderr=subprocess.DEVNULL)  # noqa: S603 - as built
    try:
        until = time.monotonic() + READY_WITHIN
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait()


def need(program: str) -> str:
    """Return where a program is. Raises FileNotFoundError."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise FileNotFoundError(program)
    return found


def site(folder: Path, port: int) -> Recordings:
    """Return where the recordings lie and where they go."""
    host_key = (folder / "host.pub").read_text(encoding="utf-8").strip()
    access = SshAccess.model_validate(
        {"user": getpass.getuser(), "key": Secret(f"file:{folder / 'user'}"), "port": port, "host_key": host_key}
    )
    here = Target(NodeId("server"), "127.0.0.1", {"ssh": access})
    return Recordings("bench", here, str(folder / "source"), here, str(folder / "archive"), closed_after=timedelta(0))


def io(hosts: Hosts, ledger: Ledger) -> Io:
    """Return what archiving may touch."""

    async def look(check: CheckId) -> Verdict:
        return Verdict(Severity.OK, say("looked"))

    async def tell(to: tuple[str, ...], text: Text) -> bool:
        return True

    async def opened() -> Ledger:
        return ledger

    return Io(SystemClock(), hosts, look, tell, lambda progress: None, lambda: False, opened)


async def ours(recordings: Recordings, folder: Path, files: list[str], size: int) -> tuple[float, float]:
    """Return the seconds of a whole round, and of reading the copies back once more."""
    count = len(files)
    ledger, hosts = RecordingsLedger(folder), Hosts()
    async with hosts.sftp(recordings.archive) as client:
        start = time.perf_counter()
        report = await archive_once(recordings, io(hosts, ledger), most=count)
        whole = time.perf_counter() - start
        if report.proven != count:
            raise SystemExit(f"only {report.proven} of {count} were archived: {report}")
        archive, pace = Folder(client, recordings.archive.name, recordings.archive_folder), Pace(None)
        names = iter(files)

        async def read_back() -> None:
            for name in names:
                await digest_of(archive, name, size, pace)

        start = time.perf_counter()
        await asyncio.gather(*(read_back() for _ in range(AT_ONCE)))
        back = time.perf_counter() - start
    await hosts.close()
    ledger.close()
    return whole, back


def rsync(program: str, port: int, folder: Path, source: str, target: str) -> float:
    """Return the seconds that rsync takes."""
    shell = (
        f"ssh -p {port} -i {folder / 'user'} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
        "-o LogLevel=ERROR -o IdentitiesOnly=yes"
    )
    start = time.perf_counter()
    subprocess.run([program, "-a", "--fsync", "-e", shell, source, target], check=True)  # noqa: S603 - as built
    return time.perf_counter() - start


def fresh(folder: Path) -> Path:
    """Return the folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def compare(folder: Path, port: int, program: str, count: int, size: int) -> None:
    """Measure files of one size and print."""
    files = [f"{n:05}.wav" for n in range(count)]
    for name in files:
        (folder / "source" / name).write_bytes(os.urandom(size))
    recordings, ours_all, ours_back, one_way, two_ways = site(folder, port), [], [], [], []
    for n in range(PAIRS):
        fresh(folder / "archive")
        whole, back = asyncio.run(ours(replace(recordings, id=f"bench-{n}"), folder, files, size))
        ours_all.append(whole)
        ours_back.append(back)
        push = rsync(program, port, folder, f"{folder}/source/", f"127.0.0.1:{fresh(folder / 'archive')}/")
        pull = rsync(program, port, folder, f"127.0.0.1:{folder}/source/", f"{fresh(folder / 'middle')}/")
        one_way.append(push)
        two_ways.append(push + pull)
    copying = [whole - back for whole, back in zip(ours_all, ours_back, strict=True)]
    megabytes = count * size / 1e6
    print(f"{count} recordings of {size / 1000:g} kB, MB/s (median):")
    for name, seconds in (
        ("  ours, copying", copying),
        ("  ours, with read back", ours_all),
        ("  read back alone", ours_back),
        ("  rsync, one way", one_way),
        ("  rsync, both ways", two_ways),
    ):
        print(f"{name}: {megabytes / statistics.median(seconds):.0f}")
    for name, mine, theirs in (
        ("copying / rsync one way", copying, one_way),
        ("copying / rsync both ways", copying, two_ways),
        ("with read back / rsync both ways", ours_all, two_ways),
    ):
        ratios = sorted(their / my for my, their in zip(mine, theirs, strict=True))
        print(f"  {name}, throughput: {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


def main() -> None:
    """Measure and print."""
    try:
        server, program = need("sshd"), need("rsync")
        need("ssh-keygen")
    except FileNotFoundError as missing:
        print(f"skipped: {missing} is missing: install the Debian packages openssh-server, openssh-client and rsync")
        return
    for count, size in SETS:
        with tempfile.TemporaryDirectory(prefix="releve-bench-") as name:
            folder = Path(name)
            (folder / "source").mkdir()
            with sshd(server, folder) as port:
                compare(folder, port, program, count, size)


if __name__ == "__main__":
    main()
