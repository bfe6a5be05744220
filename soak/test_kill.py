"""The long version of tests/scenarios/test_kill.py: five hundred kills during one interruption."""

import os
from datetime import timedelta
from pathlib import Path

from lab.endurance import SLOWEST_ANSWER, survive
from monitor.cli.demo_daemon import Daemon

KILLS = 500
TO_NOTE = timedelta(seconds=2)
"""From the server's answer until the disk has it, on a busy machine."""
SEND_WINDOW = timedelta(seconds=SLOWEST_ANSWER) + TO_NOTE


def keep(figures: str) -> None:
    """Write what became of it to the file that RELEVE_KILL_FIGURES names."""
    if name := os.environ.get("RELEVE_KILL_FIGURES"):
        Path(name).write_text(figures, "utf-8")


async def test_no_notice_is_lost_over_five_hundred_kills():
    seed = int.from_bytes(os.urandom(4), "big")
    left = await survive(Daemon, KILLS, seed)
    keep(f"seed {seed}: {left}\n")
    assert left.wrong == [], f"seed {seed}"
    assert left.kills == KILLS
    assert left.window <= SEND_WINDOW, f"seed {seed}"
