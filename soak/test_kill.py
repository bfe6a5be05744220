"""The long version of tests/scenarios/test_kill.py: a hundred kills during one interruption."""

import os

from lab.endurance import survive
from monitor.cli.demo_daemon import Daemon

KILLS = 100


async def test_no_notice_is_lost_over_a_hundred_kills():
    seed = int.from_bytes(os.urandom(4), "big")
    assert await survive(Daemon, KILLS, seed) == [], f"seed {seed}"
