"""Two sites and a witness with two faults, a command and an answer in one story: a million states, some minutes."""

from __future__ import annotations

import pytest

from tests.failover.deciding import DECEIVED, SLOW
from tests.failover.explored import BEGIN, A, B, Fence
from tests.failover.test_explore import explore, lies


@pytest.mark.parametrize("fence", Fence)
def test_there_are_never_two_active_sites_whatever_two_faults_and_two_words_of_a_person_do(fence: Fence) -> None:
    assert explore(BEGIN._replace(faults=2, commands=1, answers=1), fence).broken == ""


@pytest.mark.parametrize("fence", Fence)
def test_there_are_never_two_active_sites_whatever_is_taken_for_idle(fence: Fence) -> None:
    assert explore(BEGIN._replace(faults=2, commands=0, answers=1), fence, DECEIVED).broken == ""


@pytest.mark.parametrize("fence", Fence)
def test_there_are_never_two_active_sites_however_often_a_move_is_refused_with_the_lease_in_hand(fence: Fence) -> None:
    found = explore(BEGIN._replace(faults=2, commands=0, answers=1, vain=2), fence, SLOW)
    assert found.broken == ""
    assert [found.story(one, "LIES") for one in found.came if lies(one, A) or lies(one, B)] == []
