"""Random stories of a guarded site, with real processes: no effect of the old site after the first of the new one.

The lease is kept by the rules of `failover.lease`: a holder believes until `TTL`, less the drift, after it SENT a
renewal that was answered; a taker takes it when no renewal has come for `TTL`. It then waits for what the guard's file
comes to, or, in every other story, for the guard's proof if that is there before. Holder and guard are killed or frozen
at random moments, most often about the lapse; the guard once, for that is what its bound is made for. RELEVE_SCHEDULES:
how many.
"""

from __future__ import annotations

import fcntl
import os
import random
import signal
from pathlib import Path

import pytest

from failover.guard import worst
from failover.lease import DRIFT
from monitor.cli.guard_file import guarding
from monitor.clock import SystemClock
from tests.failover.guarded import Guarded

SCHEDULES = int(os.environ.get("RELEVE_SCHEDULES", "12"))
TTL = 3.0
WITHIN = 1.5
"""Seconds of every command that stops something: a Python starts within them on a busy machine."""
HOLDER = """\
import fcntl, sys, time
from pathlib import Path
from failover.guard import Validity
from failover.guard_files import hand_over
from monitor.clock import SystemClock, boot_id
voters, lease, holds_for = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
while True:
    sent = SystemClock().boot()
    with voters.open("r+") as record:
        fcntl.flock(record, fcntl.LOCK_EX)
        if record.read() == "taken":
            sys.exit()
        record.seek(0)
        record.write("%.6f" % SystemClock().boot())
    hand_over(lease, Validity(7, sent + holds_for), boot_id())
    time.sleep(0.3)
"""


class Story:
    """One site with a dialler and a writer that heeds no order, its lease, and what befalls them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - a story that can be told again
        self.here = Guarded(folder, ("dialler", "writer"), WITHIN)
        self.voters = folder / "voters"
        self.voters.write_text("")
        (folder / "holder.py").write_text(HOLDER)
        known, _language, problems = guarding(self.here.config)
        assert known is not None, problems
        self.stops_within = known.worst["crm"]
        self.reads_the_proof = self.chance.random() < 0.5

    def told(self) -> tuple[float, list[float]]:
        """Play it; return when the new site had its first effect, and when the old one had any."""
        here, chance = self.here, self.chance
        holder = here.start("holder.py", self.voters, here.lease, TTL * (1 - DRIFT))
        here.wait(here.lease.exists)
        here.run("dialler")
        here.run("writer", "stubborn")
        here.guard_it()
        here.wait(lambda: here.held(7), supervised=True)
        now = SystemClock().boot()
        stops = now + chance.uniform(0, 2)
        fails = stops + chance.choice([chance.uniform(-1, 1), TTL + chance.uniform(-1, 4)])
        how_holder, how_guard = (chance.choice([signal.SIGKILL, signal.SIGSTOP]) for _ in range(2))
        wakes = stops + chance.uniform(1, 3 * TTL)
        plan = [
            (stops, lambda: holder.send_signal(how_holder)),
            (fails, lambda: here.guard is not None and here.guard.send_signal(how_guard)),
            (wakes, lambda: holder.send_signal(signal.SIGCONT)),
        ]
        plan.sort(key=lambda one: one[0])
        taken = active = None

        def over() -> bool:
            nonlocal taken, active
            at = SystemClock().boot()
            while plan and plan[0][0] <= at:
                plan.pop(0)[1]()
            if taken is None and at > wakes + 1.5 and how_holder is signal.SIGSTOP and holder.poll() is None:
                holder.kill()  # it came to itself in time and held on; now it is lost for good
            taken = self._take() if taken is None else taken
            proven = self.reads_the_proof and here.stopped(7)
            if taken is not None and active is None and (proven or at >= taken + self.stops_within):
                active = at
            return active is not None and at > active + 2  # an old effect after it would be seen by now

        here.wait(over, supervised=True)
        assert active is not None
        return active, here.effects("dialler") + here.effects("writer")

    def _take(self) -> float | None:
        """Take the lease if nobody renewed it for its time; return when that was done."""
        with self.voters.open("r+") as record:
            try:
                fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None  # the holder is frozen while it renews
            renewed = float(record.read())
            if SystemClock().boot() < renewed + TTL:
                return None
            record.seek(0)
            record.truncate()
            record.write("taken")
        return SystemClock().boot()


@pytest.mark.parametrize("story", range(SCHEDULES))
def test_the_old_site_has_no_effect_after_the_first_of_the_new_one(tmp_path, story):
    seed = int.from_bytes(os.urandom(4), "big")
    told = Story(tmp_path, seed)
    try:
        active, effects = told.told()
    finally:
        told.here.close()
    assert effects
    assert max(effects) < active, f"seed {seed}: {max(effects) - active:.3f} s too long\n{told.here.said()}"
    assert told.stops_within == worst(2 * 2 * (WITHIN + 0.5))
