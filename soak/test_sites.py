"""Two hundred random courses of the lab of two sites, as tests/real/test_sites.py plays ten.

RELEVE_SEEDS: which ones (`200`, or `40:80`); several labs run at once, for nothing of one has a name on the machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.real.conftest import require
from tests.real.sites.course import play
from tests.real.sites.lab import Lab
from tests.real.sites.schedule import UNLED, schedule

__all__ = ["require"]
ASKED = [int(part or 0) for part in os.environ.get("RELEVE_SEEDS", "200").split(":")]


@pytest.fixture(scope="session")
def lab(require: Callable[[str, str], Path]) -> Iterator[Lab]:
    made = Lab(require)
    yield made
    made.close()


@pytest.mark.parametrize("seed", range(*ASKED))
def test_nothing_is_done_twice_or_late_or_lost_whatever_breaks(lab: Lab, seed: int):
    course = play(lab, schedule(seed))
    assert not course.wrong, course.story + lab.log()


@pytest.mark.parametrize("synchronous", [False, True])
@pytest.mark.parametrize("lasts", [20.0, 30.0])
def test_a_site_whose_releve_alone_is_gone_is_left_without_a_person(lab: Lab, lasts: float, synchronous: bool):
    faults = tuple(replace(fault, lasts=lasts) for fault in UNLED.faults)
    course = play(lab, replace(UNLED, synchronous=synchronous, faults=faults), person=False)
    assert not course.wrong, course.story + lab.log()
    assert course.ending.active == "secours", course.story + lab.log()
