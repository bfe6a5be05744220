"""Whichever of the two is killed, and whenever: the copy is a beginning of the state, and never gets shorter."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import trustme

from monitor.store import StoreError, open_store
from monitor.store.folder import PEER
from monitor.store.whose import look_at

HOST = "127.0.0.1"
ROUNDS = 3
COMMON = """
import asyncio, sys
from pathlib import Path
from monitor.clock import SystemClock
from monitor.daemon.journal import Journal
from monitor.daemon.peer_door import Listening
from monitor.daemon.peer_line import Destination
from monitor.daemon.peer_receiver import Receiver
from monitor.daemon.peer_sender import PeerSender
from monitor.daemon.peer_tls import Identity
from monitor.secret import Secret
from monitor.store import AuditEntry, Batch, open_store

data, pems, port = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
identity = Identity(*(Secret(f"file:{pems / name}") for name in ("ca.pem", "cert.pem", "key.pem")))
"""
SENDER = """
async def main():
    journal = Journal(open_store(data, write=True, ballast=0))
    to = Destination(f"https://127.0.0.1:{port}", identity)
    sending = asyncio.create_task(PeerSender(lambda: to, journal, SystemClock()).run())
    n = journal.store.verify_audit().entries
    while True:
        n += 1
        entries = tuple(AuditEntry("uid:1", "note", {"n": n, "part": part}) for part in range(3))
        await journal.commit(Batch(audit=entries))
        await asyncio.sleep(0.01 if sys.argv[4] == "busy" else 3600)
"""
RECEIVER = """
async def main():
    async with Receiver(data, Listening("127.0.0.1", port, identity, "127.0.0.1")).receiving():
        await asyncio.sleep(3600)
"""


def free_port() -> int:
    """A port that nobody else is given by chance: below those that the kernel hands out."""
    for port in range(10_000 + (os.getpid() * 7 + 9001) % 20_000, 32_000):
        with socket.socket() as sock, suppress(OSError):
            sock.bind((HOST, port))
            return port
    raise AssertionError("no port")


@asynccontextmanager
async def running(script: str, data: Path, pems: Path, port: int, *further: str) -> AsyncIterator[None]:
    """A process that is killed at the end of the context."""
    code = f"{COMMON}{script}\nasyncio.run(main())"
    arguments = (str(data), str(pems), str(port), *further)
    with (pems / f"{data.name}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, *arguments, stderr=log)
    try:
        yield
        assert process.returncode is None, (pems / f"{data.name}.log").read_text()
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


def entries(folder: Path) -> int:
    """How many entries the audit trail in `folder` has; it is whole, and no transaction is there in part."""
    with open_store(folder, write=False) as store:
        report = store.verify_audit()
    assert report.whole
    assert report.entries % 3 == 0
    return report.entries


def copied(data: Path) -> int:
    """The same of the copy; 0 where there is none yet."""
    try:
        seen = look_at(data / PEER)
        return 0 if seen is None else entries(seen.path)
    except StoreError:  # another takes its place at this very moment
        return 0


async def grown(data: Path, size: int) -> None:
    await until(lambda: copied(data) >= size)


async def test_the_copy_outlives_kills_at_either_end(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    authority = trustme.CA()
    issued = authority.issue_cert(HOST)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    centre, secours, port = tmp_path / "centre", tmp_path / "secours", free_port()
    receiver, reached = (RECEIVER, secours, tmp_path, port), 0
    sender = (SENDER, centre, tmp_path, port)
    for turn in range(ROUNDS):
        more = reached + 3 * chance.randrange(1, 40)
        if turn % 2:
            async with running(*sender, "busy"), running(*receiver):
                await grown(secours, more)
        else:
            async with running(*receiver), running(*sender, "busy"):
                await grown(secours, more)
        now = copied(secours)
        assert more <= now <= entries(centre)
        reached = now
    async with running(*receiver), running(*sender, "quiet"):
        await until(lambda: copied(secours) == entries(centre) > reached)
