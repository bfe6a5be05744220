"""The long version of tests/scenarios/test_promise.py: thousands of courses, others each time."""

import os
from random import Random

from tests.scenarios.promise.courses import drawn
from tests.scenarios.promise.holds import wrong
from tests.scenarios.promise.play import ground_in_memory

COURSES = 4000


def test_thousands_of_courses_are_told_as_the_contract_demands():
    seed = int(os.environ.get("RELEVE_SEED", "0")) or int.from_bytes(os.urandom(4), "big")
    chance = Random(seed)  # noqa: S311 - chance, not a secret
    with ground_in_memory() as ground:
        for number in (chance.randrange(10**9) for _ in range(COURSES)):
            assert wrong(ground, drawn(number)) == [], f"course {number} (RELEVE_SEED={seed})"
