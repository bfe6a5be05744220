"""kill -9 at random moments of an open incident: no notice is lost; one that comes twice is recognisable."""

import random

from lab.endurance import survive
from monitor.cli.demo_daemon import Daemon

KILLS = 6


async def test_no_notice_is_lost_when_the_daemon_is_killed_again_and_again():
    seed = random.randrange(2**32)
    assert (await survive(Daemon, KILLS, seed)).wrong == [], f"seed {seed}"
