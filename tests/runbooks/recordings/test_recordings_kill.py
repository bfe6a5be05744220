"""Killed at each thing it writes into the ledger, or asks of a server, archiving and purging lose no recording."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.store.recordings import RecordingsLedger
from runbooks.contract import Outcome

CHILD = '''
"""For each number of writes: in a process of its own archive and purge, and be killed before or after that write."""
import asyncio, json, os, signal, sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from monitor.clock import SystemClock
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import say
from monitor.core.verdict import Metric, Severity, Verdict
from monitor.secret import Secret
from monitor.store.recordings import RecordingsLedger
from probes.access import SshAccess
from probes.contract import Target
from probes.disk import DiskParams
from probes.ssh import Hosts
from runbooks.contract import CheckOf, Io, Recordings, Site, Subject
from runbooks.registry import load

asked = json.loads(sys.argv[1])
archive, purge = load("archive"), load("purge")
WRITES = {"look", "prove", "deleting", "deleted", "doubt"}


class Deadly:
    """The ledger, which kills its process before or after its nth write."""

    def __init__(self, ledger, n, after):
        self.ledger, self.left, self.after = ledger, n, after

    def __getattr__(self, name):
        work = getattr(self.ledger, name)
        if name not in WRITES:
            return work

        def write(*args):
            self.left -= 1
            if self.left == 0 and not self.after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = work(*args)
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return write


def target(name):
    keys = {"user": "releve", "password": Secret(asked["password"]), "port": asked[name], "host_key": asked["host_key"]}
    return Target(NodeId(name), "127.0.0.1", {"ssh": SshAccess.model_validate(keys)})


async def work(root, ledger):
    source = root / "hmp"
    recordings = Recordings(
        "audio", target("hmp"), str(source), target("keeper"), str(root / "keeper"), closed_after=timedelta(0)
    )

    async def look(check):
        used = 100 * sum(path.stat().st_size for path in source.iterdir()) / asked["capacity"]
        metrics = (Metric("used", used, "%"), Metric("size", asked["capacity"], "By"))
        return Verdict(Severity.OK, say("looked"), metrics)

    async def tell(to, text):
        return True

    async def opened():
        return ledger

    own = CheckOf(CheckId("d"), "disk", NodeId("hmp"), recordings.device, DiskParams.model_validate({"mount": "/"}))
    subject = Subject(own.id, Site({own.id: own}, {}, {"audio": recordings}))
    hosts = Hosts()
    io = Io(SystemClock(), hosts, look, tell, lambda progress: None, lambda: False, opened)
    for step, params in ((archive, {}), (purge, {"until": "40%", "batch": 2, "lag": "0s"})):
        params = step.Params.model_validate({**params, "recordings": "audio"})
        await step.apply(params, await step.before(params, subject, io), subject, io)
    await hosts.close()


for n in range(1, 1000):
    alive = 0
    for after in (False, True):
        root = Path(asked["root"]) / f"{n}-{after}"
        for name in ("hmp", "keeper"):
            (root / name).mkdir(parents=True)
        for name, (size, mtime) in asked["files"].items():
            path = root / "hmp" / name
            path.write_bytes(name.encode() * size)
            os.utime(path, (mtime, mtime))
        child = os.fork()
        if child == 0:
            asyncio.run(work(root, Deadly(RecordingsLedger(root), n, after)))
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(root.name, status, flush=True)
        alive += status == 0
    if alive == 2:
        break
'''
FILES = 6


async def test_killed_at_every_write_of_the_ledger_every_recording_is_here_or_there(
    site: Any, carry_out: Callable[..., Awaitable[Outcome]], tmp_path: Path
) -> None:
    now = site.clock.now().timestamp()
    files = {f"{n:02}.wav": (50 + n, int(now - (30 - n) * 86400)) for n in range(FILES)}
    known = {name: name.encode() * size for name, (size, _) in files.items()}
    capacity = sum(len(data) for data in known.values())
    asked = {
        "root": str(tmp_path / "runs"),
        "hmp": site.voice.port,
        "keeper": site.keeper.port,
        "host_key": site.voice.key.get_fingerprint(),
        "password": "sesame-ouvre-toi",
        "capacity": capacity,
        "files": files,
    }
    command = [sys.executable, "-c", CHILD, json.dumps(asked)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    lines = [line.split() for line in ran.stdout.splitlines()]
    assert ran.returncode == 0, ran.stderr
    assert [status for _, status in lines[-2:]] == ["0", "0"]
    killed = [name for name, status in lines if status == "-9"]
    assert len(killed) == len(lines) - 2 >= 12
    for name in killed:
        root = tmp_path / "runs" / name
        site.source, site.archive = root / "hmp", root / "keeper"
        site.change(folder=str(site.source), archive_folder=str(site.archive))
        site.capacity, site.ledger = capacity, RecordingsLedger(root)
        assert site.safe(known), name
        assert all(site.archived().get(one) == known[one] for one in site.proven()), name
        await carry_out("archive")
        outcome = await carry_out("purge", until="40%", lag="0s")
        assert outcome.evidence["used_after"] <= 40, name
        assert site.safe(known), name
        assert site.archived() == known, name
        # What was deleted and not noted is found absent by the first purge that comes to it.
        await carry_out("purge", until="1%", lag="0s")
        assert site.proven() == site.left() == set(), name
        site.ledger.close()


@pytest.mark.parametrize("server", ["voice", "keeper"])
async def test_cut_off_at_every_request_to_a_server_every_recording_is_here_or_there(
    site: Any, carry_out: Callable[..., Awaitable[Outcome]], server: str
) -> None:
    """At each request in turn the connection is cut before it is obeyed; then all is done again."""
    known = {f"{n:02}.wav": site.write(f"{n:02}.wav", 300 + n, days=30 - n).read_bytes() for n in range(6)}
    site.capacity = 2000
    faults, cuts, n = getattr(site, server).faults, 0, 0
    count = 0

    def cut(request: str, path: str) -> None:
        nonlocal count, cuts
        count += 1
        if count == n:
            cuts += 1
            for connection in getattr(site, server).connections:
                connection.abort()

    faults.before = cut
    while True:
        n, count, before = n + 1, 0, cuts
        try:
            await carry_out("archive")
            await carry_out("purge", until="40%", lag="0s")
        except Exception as error:
            assert cuts > before, repr(error)
        assert site.safe(known), n
        assert all(site.archived().get(one) == known[one] for one in site.proven()), n
        if cuts == before:
            break
    n = 0  # nothing is cut any more
    assert cuts > 5
    assert site.share() <= 40
    await carry_out("purge", until="1%", lag="0s")
    assert site.proven() == site.left() == set()
