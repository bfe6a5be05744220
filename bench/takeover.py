"""How long a lost site is without a primary: under our lease and under Patroni's, with their defaults, side by side.

Each pair has three voters of etcd and two PostgreSQL servers a side. At one moment of the lease's round, drawn anew for
each pair and the same for both, the holder falls silent and its PostgreSQL with it, and the voters' leader is killed as
well: as when a whole site is lost. Measured from there: until the lease has another holder, and until the other server
takes a row. Ours: the lease of a group, looked at as often as the standing by Relève does, and the step `pg-promote`.
Patroni decides, fences and promotes in one; a plan of ours has what its fences take on top (a guard's `stops_within`).
Voters and databases on loopback, on tmpfs where there is one, so that no disk is measured.
"""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import random
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from lease import CLOCK, TMPFS, free_port, leader, three

from failover.etcd import Voters
from failover.lease import Held
from failover.lease_etcd import EtcdLease
from failover.model import Etcd
from monitor.core.ids import CheckId, NodeId
from monitor.secret import Secret
from probes.access import SqlAccess
from probes.contract import Target
from runbooks.contract import CheckOf, Site, Subject
from runbooks.steps.pg_promote import PgPromote, PgPromoteParams

PAIRS = 3
TTL, LOOP, RETRY, LOOK = 15.0, 5.0, 3.0, 0.5
"""`leases:` as the inventory has them where nothing is written; LOOK: monitor.daemon.standby."""
LONGEST = 180.0
"""Seconds after which a side is given up."""
ROUND = 10.0
"""Patroni's loop_wait; of ours two rounds of the lease fit into it."""
TRIES_EVERY = 0.05
PROGRAMS = Path("/usr/lib/postgresql")
SETTINGS = "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\nshared_buffers = 2MB\n"
MEMBER = """
scope: bench
name: {name}
restapi: {{listen: "127.0.0.1:{rest}", connect_address: "127.0.0.1:{rest}"}}
etcd3: {{hosts: [{etcd}]}}
bootstrap: {{dcs: {{ttl: 30, loop_wait: 10, retry_timeout: 10}},
            initdb: [{{encoding: UTF8}}, {{locale: C}}, {{auth: trust}}],
            pg_hba: [host all all 127.0.0.1/32 trust, host replication all 127.0.0.1/32 trust]}}
postgresql:
  listen: "127.0.0.1:{port}"
  connect_address: "127.0.0.1:{port}"
  data_dir: {folder}/{name}/data
  bin_dir: {programs}
  pgpass: {folder}/{name}/pgpass
  authentication: {{superuser: {{username: postgres}}, replication: {{username: postgres}}}}
  basebackup: [{{checkpoint: fast}}]
  parameters: {{unix_socket_directories: "", fsync: "off", shared_buffers: 2MB}}
"""
"""dcs: Patroni's own defaults."""
Took = tuple[float, float]
"""Seconds until the lease has another holder, and until the other server takes a row."""


class Ground:
    """A folder of PostgreSQL's own user, and what runs in it."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self.programs, self.processes = folder, programs, list[subprocess.Popen[bytes]]()
        self.user: dict[str, Any] = {}
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            self.user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
            os.chown(folder, owner.pw_uid, owner.pw_gid)

    def run(self, program: str, *words: str) -> None:
        """Run a program of PostgreSQL to its end."""
        command = [str(self.programs / program), *words]
        quiet = subprocess.DEVNULL
        streams = {"stdin": quiet, "stdout": quiet, "stderr": quiet}
        subprocess.run(command, check=True, cwd=self.folder, **streams, **self.user)  # noqa: S603 - of this bench

    def spawn(self, *words: str) -> subprocess.Popen[bytes]:
        """Start what runs on."""
        with (self.folder / "log").open("ab") as log:
            made = subprocess.Popen(  # noqa: S603 - the programs of this bench
                words, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}, **self.user,
            )  # fmt: skip
        self.processes.append(made)
        return made

    def end(self, name: str) -> None:
        """End a server at once, as a power cut would."""
        with suppress(OSError, ValueError):
            pid = int((self.folder / name / "data" / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGQUIT)


@contextmanager
def ground(programs: Path) -> Iterator[Ground]:
    """Yield a folder in which nothing runs any more afterwards."""
    with tempfile.TemporaryDirectory(
        prefix="releve-bench-", dir=TMPFS if os.access(TMPFS, os.W_OK) else None, ignore_cleanup_errors=True
    ) as folder:
        made = Ground(Path(folder), programs)
        try:
            yield made
        finally:
            for process in made.processes:
                process.kill()
                process.wait()
            for data in made.folder.glob("*/data"):
                made.end(data.parent.name)
            until = time.monotonic() + 10
            while list(made.folder.glob("*/data/postmaster.pid")) and time.monotonic() < until:
                time.sleep(TRIES_EVERY)


async def answers(port: int, statement: str, within: float = LONGEST) -> float:
    """Return the time at which the server took `statement`. Raises TimeoutError."""
    psycopg = import_module("psycopg")
    where = f"host=127.0.0.1 port={port} user=postgres dbname=postgres connect_timeout=2"
    async with asyncio.timeout(within):
        while True:
            with suppress(psycopg.Error):
                async with await psycopg.AsyncConnection.connect(where, autocommit=True) as connection:
                    await connection.execute(statement.encode())
                    return time.perf_counter()
            await asyncio.sleep(TRIES_EVERY)


TABLE, ROW = "CREATE TABLE bench (n int)", "INSERT INTO bench VALUES (1)"
COPIED = "SELECT 1 / (count(*) FILTER (WHERE state = 'streaming'))::int FROM pg_stat_replication"


async def two_servers(here: Ground) -> tuple[int, int]:
    """Start a primary and its standby; return their ports."""
    ports = free_port(), free_port()
    for name in ("one", "two"):
        (here.folder / name).mkdir()
        if here.user:
            os.chown(here.folder / name, here.user["user"], here.user["group"])
    await asyncio.to_thread(here.run, "initdb", "-D", "one/data", "-U", "postgres", "--auth=trust", "-N", "--locale=C")
    (here.folder / "one/data/postgresql.conf").write_text(SETTINGS)
    here.spawn(str(here.programs / "postgres"), "-D", "one/data", "-p", str(ports[0]))
    await answers(ports[0], TABLE)
    source = f"host=127.0.0.1 port={ports[0]} user=postgres"
    await asyncio.to_thread(here.run, "pg_basebackup", "-d", source, "-D", "two/data", "-R", "-c", "fast", "--no-sync")
    here.spawn(str(here.programs / "postgres"), "-D", "two/data", "-p", str(ports[1]))
    await answers(ports[0], COPIED)
    return ports


async def keep(lease: EtcdLease, begun: asyncio.Event) -> None:
    """Hold the lease as long as this runs; `begun` is set with the first renewal."""
    held = await lease.acquire()
    while not isinstance(held, Held):
        await asyncio.sleep(LOOK)
        held = await lease.acquire()
    while True:
        answer = await lease.renew(held.belief)
        held = answer if isinstance(answer, Held) else held
        begun.set()
        await asyncio.sleep(LOOP)


async def watch(lease: EtcdLease) -> None:
    """Look at the record as long as this runs, so that it is known since when it stands still."""
    while True:
        await lease.look()
        await asyncio.sleep(LOOK)


async def taken(lease: EtcdLease) -> float:
    """Return the time at which the lease was to be had, asked for as often as a standby does."""
    async with asyncio.timeout(LONGEST):
        while True:
            if isinstance(await lease.acquire(), Held):
                return time.perf_counter()
            await asyncio.sleep(LOOK)


async def ours(
    etcd: Etcd, voters: list[subprocess.Popen[bytes]], here: Ground, ready: asyncio.Barrier, at: float
) -> Took:
    """Return how long it took under our lease."""
    _, standby = await two_servers(here)
    line, renewed = Voters(etcd, RETRY, CLOCK), asyncio.Event()
    centre = EtcdLease(Voters(etcd, RETRY, CLOCK), "group", "centre", "a", TTL, CLOCK)
    secours = EtcdLease(Voters(etcd, RETRY, CLOCK), "group", "secours", "b", TTL, CLOCK)
    await ready.wait()
    keeping = asyncio.create_task(keep(centre, renewed))
    await renewed.wait()
    watching = asyncio.create_task(watch(secours))
    await asyncio.sleep(at)
    first = await leader(line)
    began = time.perf_counter()
    watching.cancel()
    keeping.cancel()
    here.end("one")
    voters[first].kill()
    leased = await taken(secours) - began
    await promote(standby)
    wrote = await answers(standby, ROW) - began
    for one in (centre, secours):
        await one.close()
    await line.close()
    return leased, wrote


async def promote(port: int) -> None:
    """Make the standby the primary by the step that a plan has for it."""
    own = {"engine": "postgresql", "database": "postgres", "user": "postgres", "password": Secret("x"), "port": port}
    target = Target(NodeId("two"), "127.0.0.1", {"sql": SqlAccess.model_validate(own)})
    check = CheckOf(CheckId("two"), "replication", target.name, target, None)
    subject = Subject(check.id, Site(checks={check.id: check}, devices={target.name: target}))
    step, params, io = PgPromote(), PgPromoteParams(), None
    before = await step.before(params, subject, io)  # type: ignore[arg-type]
    await step.apply(params, before, subject, io)  # type: ignore[arg-type]


def members(port: int) -> dict[str, Mapping[str, Any]]:
    """Return what Patroni at `port` says of each member; nothing while it does not answer."""
    with suppress(OSError, ValueError), urlopen(f"http://127.0.0.1:{port}/cluster", timeout=5) as answer:
        return {one["name"]: one for one in json.load(answer)["members"]}
    return {}


async def until(port: int, name: str, *roles: str) -> float:
    """Return the time at which Patroni has `name` in one of the roles, running and with nothing lacking."""
    async with asyncio.timeout(LONGEST):
        while True:
            own = (await asyncio.to_thread(members, port)).get(name, {})
            if own.get("role") in roles and own.get("state") in ("running", "streaming") and not own.get("lag"):
                return time.perf_counter()
            await asyncio.sleep(TRIES_EVERY)


async def patroni(
    program: str, etcd: Etcd, voters: list[subprocess.Popen[bytes]], here: Ground, ready: asyncio.Barrier, at: float
) -> Took:
    """Return how long it took under Patroni."""
    line, rest, ports = Voters(etcd, RETRY, CLOCK), {}, {}
    hosts = ", ".join(json.dumps(endpoint.removeprefix("http://")) for endpoint in etcd.endpoints)
    running = {}
    for name in ("one", "two"):
        rest[name], ports[name] = free_port(), free_port()
        (here.folder / name).mkdir()
        if here.user:
            os.chown(here.folder / name, here.user["user"], here.user["group"])
        own = here.folder / f"{name}.yml"
        own.write_text(
            MEMBER.format(
                name=name, rest=rest[name], port=ports[name], etcd=hosts, folder=here.folder, programs=here.programs
            )
        )
        running[name] = here.spawn(program, str(own))
        await until(rest["one"], name, "leader" if name == "one" else "replica")
    await answers(ports["one"], TABLE)
    await answers(ports["one"], COPIED)
    await ready.wait()
    await asyncio.sleep(at)
    first = await leader(line)
    began = time.perf_counter()
    running["one"].kill()
    here.end("one")
    voters[first].kill()
    leased, wrote = await asyncio.gather(until(rest["two"], "two", "leader"), answers(ports["two"], ROW))
    await line.close()
    return leased - began, wrote - began


async def pair(etcd: str, program: str, programs: Path, at: float) -> tuple[Took, Took]:
    """Return how long it took for us and for Patroni, side by side."""
    ready = asyncio.Barrier(2)
    with three(etcd) as (one, its), three(etcd) as (two, others), ground(programs) as here, ground(programs) as there:
        return await asyncio.gather(ours(one, its, here, ready, at), patroni(program, two, others, there, ready, at))


def shown(name: str, mine: list[float], theirs: list[float]) -> str:
    """Return one line of figures."""
    ratios = sorted(a / b for a, b in zip(mine, theirs, strict=True))
    return (
        f"{name:22} Relève {statistics.median(mine):5.1f} s ({min(mine):.1f} to {max(mine):.1f}), "
        f"Patroni {statistics.median(theirs):5.1f} s ({min(theirs):.1f} to {max(theirs):.1f}), "
        f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    )


def main() -> None:
    """Measure and print."""
    etcd, program = shutil.which("etcd"), shutil.which("patroni")
    found = sorted(PROGRAMS.glob("*/bin"), key=lambda path: int(path.parts[-2]))
    if etcd is None or program is None or not found:
        print("skipped: install the Debian packages etcd-server, patroni and postgresql")
        return
    if find_spec("psycopg") is None:
        print("skipped: pip install '.[postgres]'")
        return
    drawn = random.Random(7)  # noqa: S311 - moments, not secrets
    pairs = [asyncio.run(pair(etcd, program, found[-1], drawn.uniform(0, ROUND))) for _ in range(PAIRS)]
    print(f"from the loss of a site, the leader of the voters with it ({PAIRS} pairs, side by side):")
    for n, name in enumerate(("the lease is taken", "a write is taken")):
        print(shown(name, [mine[n] for mine, _ in pairs], [theirs[n] for _, theirs in pairs]))


if __name__ == "__main__":
    main()
