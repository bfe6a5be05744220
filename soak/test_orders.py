"""Courses of lasting faults, each in two orders of polling: hundreds, others than those of the suite each time."""

import os
from random import Random

from tests.scenarios.test_virtual_schedules import wrong_in_some_order
from tests.scenarios.virtual.schedules import drawn_lasting

COURSES = 400


def test_who_is_looked_at_first_decides_nothing_of_what_is_told():
    seed = int(os.environ.get("RELEVE_SEED", "0")) or int.from_bytes(os.urandom(4), "big")
    chance = Random(seed)  # noqa: S311 - chance, not a secret
    for number in (chance.randrange(10**9) for _ in range(COURSES)):
        assert wrong_in_some_order(drawn_lasting(number)) == [], f"course {number} (RELEVE_SEED={seed})"
