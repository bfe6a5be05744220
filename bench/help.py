"""What `releve --help` costs beside `python -c "import click"`: CPU of the two in pairs, one after the other.

Prints the median of the pairs' ratios (target: below 2.5) and its spread; ratios only, for seconds belong to a machine.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

PAIRS = 25
PEER = [sys.executable, "-c", "import click"]
OURS = [sys.executable, "-m", "monitor", "--help"]


def cpu(command: list[str]) -> float:
    """Return the CPU seconds of `command` to the microsecond, as the kernel accounts for a child that has ended."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - the two commands above
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure and print."""
    cpu(PEER), cpu(OURS)
    ratios = sorted(cpu(OURS) / cpu(PEER) for _ in range(PAIRS))
    low, high = ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]
    print(f"releve --help / python -c 'import click': {statistics.median(ratios):.2f} ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
