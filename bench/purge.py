"""What choosing recordings to delete costs beside find(1), in pairs: CPU, and the most memory.

Choosing covers all that a purge does before it asks the voice server about single files: it takes from the ledger,
oldest first and in batches as the step does, the recordings that are proven and old enough, until they hold the bytes
that must go. Once for everything among 200,000 small files (the worst case), once for the fifth that brings a disk from
95 % to 75 %. It does not cover the look that told the ledger of them, whose CPU is printed as well where there is an
sshd: a purge takes no look, archiving takes one every quarter of an hour. find lists the same files, in a folder on
tmpfs where there is one, with size and time, unsorted; to purge by it one would have to sort, and to know what is
archived.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import statistics
import subprocess
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from archive import need, sshd

from monitor.clock import SystemClock
from monitor.core.ids import NodeId
from monitor.secret import Secret
from monitor.store.recordings import RecordingsLedger
from probes.access import SshAccess
from probes.contract import Target
from probes.ssh import Hosts
from runbooks.ledger import Proven, Seen
from runbooks.recordings_look import LeftOut, Names, look
from runbooks.recordings_purge import take
from runbooks.recordings_sftp import Folder

PAIRS, FILES, SIZE, BATCH = 7, 200_000, 20, 200
SHARE = 20 / 95
"""Of the bytes of a disk that is 95 % full, what must go to come down to 75 %."""
TMPFS = Path("/dev/shm")  # noqa: S108 - where Linux has memory as a folder; a folder of our own is made in it
AUDIO = "audio"


@contextmanager
def workplace() -> Iterator[Path]:
    """Yield a folder, on tmpfs if possible, that is removed afterwards."""
    place = TMPFS if os.access(TMPFS, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="releve-bench-", dir=place) as name:
        yield Path(name)


def fill(folder: Path, ledger: RecordingsLedger) -> int:
    """Make the files, and have all of them proven; return how many bytes they hold."""
    now = datetime.now(UTC)  # noqa: TID251 - the files' own times are the machine's
    seen = []
    for n in range(FILES):
        path = folder / f"2026-{n % 12 + 1:02}-{n % 28 + 1:02}_{n:06}_0612345678.wav"
        path.write_bytes(b"x" * SIZE)
        then = int(now.timestamp()) - 40 * 86400 + n
        os.utime(path, (then, then))
        seen.append(Seen(path.name, SIZE, then))
    ledger.look(AUDIO, seen, now)
    ledger.prove(AUDIO, (Proven(*one, "ab" * 32, one.path, now) for one in seen))
    return FILES * SIZE


def choose(ledger: RecordingsLedger, goal: int) -> int:
    """Choose as the step does; return how many files."""
    oldest, count = ledger.oldest(AUDIO, SystemClock().now() - timedelta(days=7)), 0
    while goal > 0:
        batch = take(oldest, goal, BATCH)
        if not batch:
            break
        goal -= sum(one.size for one in batch)
        count += len(batch)
    return count


def ours(ledger: RecordingsLedger, goal: int, expected: int) -> float:
    """Return the CPU seconds of choosing."""
    before = time.process_time()
    count = choose(ledger, goal)
    spent = time.process_time() - before
    if count != expected:
        raise SystemExit(f"{count} files were chosen, not {expected}")
    return spent


def peer(program: str, folder: Path) -> float:
    """Return the CPU seconds of find."""
    command = [program, str(folder), "-type", "f", "-printf", "%T@ %s %P\\n"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - as built above
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_utime + usage.ru_stime


def peak(ledger: RecordingsLedger, goal: int) -> float:
    """Return the most memory that choosing takes beyond what was there, in MB."""
    tracemalloc.start()
    choose(ledger, goal)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 1e6


async def look_once(port: int, keys: Path, folder: Path, ledger: RecordingsLedger) -> float:
    """Return the CPU seconds of a look by SFTP that finds everything as it was, the ledger included."""
    host_key = (keys / "host.pub").read_text(encoding="utf-8").strip()
    access = SshAccess.model_validate(
        {"user": getpass.getuser(), "key": Secret(f"file:{keys / 'user'}"), "port": port, "host_key": host_key}
    )
    target, hosts, left_out, count = Target(NodeId("server"), "127.0.0.1", {"ssh": access}), Hosts(), LeftOut(), 0
    async with hosts.sftp(target) as client:
        before = time.process_time()
        async for batch in look(Folder(client, target.name, str(folder)), Names(("*.wav",), "/srv"), left_out):
            count += await asyncio.to_thread(ledger.look, AUDIO, batch, SystemClock().now())
        spent = time.process_time() - before
    await hosts.close()
    if count != FILES:
        raise SystemExit(f"the look found {count} files, not {FILES}")
    return spent


def print_look(keys: Path, folder: Path, ledger: RecordingsLedger) -> None:
    """Measure and print what a look costs, where there is an sshd."""
    try:
        server = need("sshd")
    except FileNotFoundError:
        print("a look by SFTP: skipped: install the Debian package openssh-server")
        return
    with sshd(server, keys) as port:
        spent = asyncio.run(look_once(port, keys, folder, ledger))
    print(
        f"a look at {FILES} files by SFTP, nothing changed: {spent:.1f} s of CPU, {spent / FILES * 1e6:.0f} us a file"
    )


def main() -> None:
    """Measure and print."""
    program = shutil.which("find")
    if program is None:
        print("skipped: install the Debian package findutils")
        return
    with workplace() as place:
        (place / "source").mkdir()
        ledger = RecordingsLedger(place)
        total = fill(place / "source", ledger)
        for name, goal in (("all of them", total), ("the oldest fifth", round(total * SHARE))):
            count = -(-goal // SIZE)
            ours(ledger, goal, count)
            peer(program, place / "source")
            pairs = [(ours(ledger, goal, count), peer(program, place / "source")) for _ in range(PAIRS)]
            ratios = sorted(mine / theirs for mine, theirs in pairs)
            print(
                f"choosing {name} of {FILES} / find, CPU: {statistics.median(ratios):.2f} "
                f"({ratios[0]:.2f} to {ratios[-1]:.2f}); {peak(ledger, goal):.1f} MB at most"
            )
        print(f"find: {statistics.median(theirs for _, theirs in pairs):.2f} s of CPU")
        print_look(place, place / "source", ledger)
        ledger.close()


if __name__ == "__main__":
    main()
