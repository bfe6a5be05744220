"""What a lease among three voters costs beside etcdctl, and how long a takeover waits beyond what it must.

Renewing is one transaction in a process that runs, over a connection that is open; etcdctl writes one key, by a process
for each: a script would do so. The two in pairs. Then the holder falls silent and the voters' leader is killed with it,
as when a whole site is lost, and the other site takes the lease: what that takes beyond TTL and election timeout.
Voters on loopback, in a folder on tmpfs where there is one, so that no disk is measured.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from failover.etcd import Unanswered, Voters
from failover.lease import Belief, Held
from failover.lease_etcd import EtcdLease
from failover.model import Etcd
from monitor.clock import SystemClock

PAIRS, TAKEOVERS = 25, 3
TTL, RETRY, LOOK = 5.0, 3.0, 1.0
HEARTBEAT_MS, ELECTION_MS = 100, 1000
"""etcd's own defaults."""
TMPFS = Path("/dev/shm")  # noqa: S108 - where Linux has memory as a folder; a folder of our own is made in it
CLOCK = SystemClock()


def free_port() -> int:
    """Return a port that nothing listened on a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def three(program: str) -> Iterator[tuple[Etcd, list[subprocess.Popen[bytes]]]]:
    """Yield three voters that have just been started, and their processes."""
    clients = [f"http://127.0.0.1:{free_port()}" for _ in range(3)]
    peers = [f"http://127.0.0.1:{free_port()}" for _ in range(3)]
    every = ",".join(f"v{n}={peer}" for n, peer in enumerate(peers))
    processes: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(
        prefix="releve-bench-", dir=TMPFS if os.access(TMPFS, os.W_OK) else None
    ) as folder:
        try:
            for n, (client, peer) in enumerate(zip(clients, peers, strict=True)):
                command = [program, f"--name=v{n}", f"--data-dir={folder}/v{n}", f"--initial-cluster={every}"]
                command += [f"--listen-client-urls={client}", f"--advertise-client-urls={client}"]
                command += [f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"]
                command += [f"--heartbeat-interval={HEARTBEAT_MS}", f"--election-timeout={ELECTION_MS}"]
                quiet = subprocess.DEVNULL
                processes.append(subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet))  # noqa: S603 - ours
            yield Etcd(tuple(clients)), processes
        finally:
            for process in processes:
                process.kill()
                process.wait()


async def take(lease: EtcdLease) -> Belief:
    """Take the lease as soon as it is to be had, asking as often as a standby looks."""
    while True:
        answer = await lease.acquire()
        if isinstance(answer, Held):
            return answer.belief
        await asyncio.sleep(LOOK if answer.free_in is None else min(LOOK, answer.free_in))


async def leader(voters: Voters) -> int:
    """Return which of the voters leads."""
    while True:
        for n, endpoint in enumerate(voters.endpoints):
            try:
                status = await voters.status(endpoint)
            except Unanswered:
                continue
            if status.leader == status.member:
                return n
        await asyncio.sleep(0.05)


async def renewals(etcd: Etcd, etcdctl: str) -> list[tuple[float, float]]:
    """Return pairs of wall-clock seconds: one renewal, one key written by etcdctl."""
    lease = EtcdLease(Voters(etcd, RETRY, CLOCK), "bench", "centre", "a", TTL, CLOCK)
    belief = await take(lease)
    pairs = []
    command = [etcdctl, f"--endpoints={','.join(etcd.endpoints)}", "put", "key", "value"]
    for _ in range(PAIRS):
        began = time.perf_counter()
        answer = await lease.renew(belief)
        between = time.perf_counter()
        if not isinstance(answer, Held):
            raise SystemExit(f"a renewal failed: {answer}")
        await asyncio.to_thread(
            subprocess.run, command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "ETCDCTL_API": "3"}
        )
        pairs.append((between - began, time.perf_counter() - between))
    await lease.close()
    return pairs


async def takeover(etcd: Etcd, processes: list[subprocess.Popen[bytes]]) -> float:
    """Return the seconds from the loss of the holder, with the leader of the voters, to the lease of the other site."""
    voters = Voters(etcd, RETRY, CLOCK)
    centre = EtcdLease(Voters(etcd, RETRY, CLOCK), "site", "centre", "a", TTL, CLOCK)
    secours = EtcdLease(Voters(etcd, RETRY, CLOCK), "site", "secours", "b", TTL, CLOCK)
    await take(centre)
    await secours.look()
    first = await leader(voters)
    await centre.acquire()
    began = time.perf_counter()
    processes[first].kill()
    await take(secours)
    took = time.perf_counter() - began
    for one in (centre, secours):
        await one.close()
    await voters.close()
    return took


def main() -> None:
    """Measure and print."""
    etcd, etcdctl = shutil.which("etcd"), shutil.which("etcdctl")
    if etcd is None or etcdctl is None:
        print("skipped: install the Debian packages etcd-server and etcd-client")
        return
    with three(etcd) as (endpoints, _processes):
        pairs = asyncio.run(renewals(endpoints, etcdctl))
    ratios = sorted(ours / peer for ours, peer in pairs)
    ours = statistics.median(ours for ours, _peer in pairs) * 1000
    spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    print(f"renewal / etcdctl put, wall: {spread}; a renewal takes {ours:.1f} ms")
    must = TTL + ELECTION_MS / 1000
    late = []
    for _ in range(TAKEOVERS):
        with three(etcd) as (endpoints, processes):
            late.append(asyncio.run(takeover(endpoints, processes)) - must)
    print(
        f"takeover beyond TTL and election ({must:.0f} s): {max(late):+.1f} s, the worst of {TAKEOVERS} (target: +5 s)"
    )


if __name__ == "__main__":
    main()
