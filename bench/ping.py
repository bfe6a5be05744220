"""What one ping costs beside fping: CPU for the same requests to the same loopback addresses, in pairs.

Prints the median of the pairs' ratios and its spread. Ours counts the whole probe (verdict, event loop) in a process
that already runs, as the daemon does; fping's counts its process, which a check by fork would pay each time.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import time

from monitor.clock import SystemClock
from monitor.core.ids import NodeId
from probes.contract import Target
from probes.ping import Ping
from probes.runner import run
from probes.sessions import Sessions

PAIRS, HOSTS, COUNT, EVERY_MS = 9, 64, 10, 20
ADDRESSES = [f"127.0.0.{n}" for n in range(1, HOSTS + 1)]


async def ours() -> float:
    """Return the CPU seconds of one ping of ours."""
    params = Ping.Params.model_validate({"count": COUNT, "interval": f"{EVERY_MS} ms"})
    async with Sessions() as sessions:

        async def look(address: str) -> None:
            result = await run(Ping(), Target(NodeId(address), address), params, 30, sessions, SystemClock(), {})
            method = result.verdict.facts.get("method")
            if method != "icmp-raw":
                raise SystemExit(f"not by a raw socket but {method}: run this as root, or with CAP_NET_RAW")

        await look(ADDRESSES[0])
        before = time.process_time()
        await asyncio.gather(*(look(address) for address in ADDRESSES))
        return (time.process_time() - before) / (HOSTS * COUNT)


def peer(program: str) -> float:
    """Return the CPU seconds of one ping of fping."""
    command = [program, "-q", "-c", str(COUNT), "-p", str(EVERY_MS), "-t", "2000", "-i", "1", *ADDRESSES]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - as built above
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return (usage.ru_utime + usage.ru_stime) / (HOSTS * COUNT)


def main() -> None:
    """Measure and print."""
    program = shutil.which("fping")
    if program is None:
        print("skipped: install the Debian package fping")
        return
    ratios = sorted(asyncio.run(ours()) / peer(program) for _ in range(PAIRS))
    print(f"ping / fping, CPU a request: {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
