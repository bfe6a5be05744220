"""What proves that the old site has no further effect."""

from __future__ import annotations

from datetime import timedelta

import pytest

from failover.fences import (
    ASSUMED_OF_GUARD,
    ASSUMED_OF_ISOLATION,
    ASSUMED_OF_TOKEN,
    Evidence,
    Fenced,
    Reign,
    Steps,
    prospect,
)
from failover.fences import judge as judge_
from failover.model import Fence, Guarded, Isolation, SiteId, Token
from failover.vantage import View
from monitor.core.text import ENGLISH, say

CENTRE = SiteId("centre")
ISOLATION, TOKEN, GUARD = Isolation(CENTRE, ()), Token(CENTRE, ()), Guarded(CENTRE, timedelta(seconds=10))
REIGN = Reign(token=7, before=6, lapsed_at=100.0)
NOW = 105.0


def judge(fence: Fence, evidence: Evidence, reign: Reign = REIGN, now: float = NOW) -> Fenced:
    return judge_([fence], {0: evidence}, reign, now)


@pytest.mark.parametrize("steps", [one for one in Steps if one is not Steps.DONE])
@pytest.mark.parametrize("fence", [ISOLATION, TOKEN])
def test_steps_that_are_not_done_prove_nothing(fence: Fence, steps: Steps) -> None:
    fenced = judge(fence, Evidence(steps, say("refused"), View.DOWN))
    assert (fenced.proof, bool(fenced.failed)) == (None, steps is Steps.FAILED)


@pytest.mark.parametrize(
    ("seen", "proven", "look", "failed"),
    [(View.DOWN, True, False, False), (View.UNKNOWN, False, True, False), (View.UP, False, False, True)],
)
def test_an_isolation_is_proven_by_a_look_from_the_surviving_side(
    seen: View, proven: bool, look: bool, failed: bool
) -> None:
    fenced = judge(ISOLATION, Evidence(Steps.DONE, seen=seen))
    assert (fenced.proof is not None, fenced.look, bool(fenced.failed)) == (proven, look, failed)


@pytest.mark.parametrize(
    ("acknowledged", "before", "proven"),
    [(None, 6, False), (6, 6, False), (7, 6, True), (9, 6, True), (6, 5, True), (6, None, False), (7, None, True)],
)
def test_a_token_is_proven_when_the_resource_holds_one_that_the_old_site_never_had(
    acknowledged: int | None, before: int | None, proven: bool
) -> None:
    fenced = judge(TOKEN, Evidence(Steps.DONE, acknowledged=acknowledged), Reign(7, before, None))
    assert (fenced.proof is not None, bool(fenced.failed)) == (proven, not proven)


@pytest.mark.parametrize(("now", "left"), [(105.0, 5.1), (110.0, 0.1), (110.09, 0.01)])
def test_a_guard_is_waited_for_from_the_end_of_the_old_lease(now: float, left: float) -> None:
    fenced = judge(GUARD, Evidence(), now=now)
    assert fenced.proof is None
    assert fenced.wait == pytest.approx(left)


def test_a_guard_has_stopped_everything_once_its_time_is_over() -> None:
    assert judge(GUARD, Evidence(), now=110.1).proof is not None


def test_no_time_proves_that_a_guard_has_stopped_what_may_still_hold_its_lease() -> None:
    fenced = judge(GUARD, Evidence(), Reign(7, 6, None), now=1e9)
    assert (fenced.proof, fenced.wait) == (None, None)


@pytest.mark.parametrize(
    ("stopped", "before", "proven"),
    [(6, 6, True), (5, 6, False), (7, 6, True), (8, 6, False), (6, 7, False), (6, None, False), (None, 6, False)],
)
def test_the_record_of_a_guard_proves_what_it_is_about(stopped: int | None, before: int | None, proven: bool) -> None:
    fenced = judge(GUARD, Evidence(stopped=stopped), Reign(7, before, 100.0), now=100.0)
    assert (fenced.proof is not None) is proven


def test_one_proven_fence_suffices_and_the_failed_one_is_told() -> None:
    evidence = {0: Evidence(Steps.FAILED, say("no route to the router")), 1: Evidence(Steps.DONE, acknowledged=7)}
    fenced = judge_([ISOLATION, TOKEN], evidence, REIGN, NOW)
    assert fenced.proof is not None
    assert fenced.proof.n == 1
    assert [ENGLISH.render(one) for one in fenced.failed] == ["the isolation failed: no route to the router"]


def test_the_shortest_wait_is_told_while_another_fence_is_still_to_be_seen() -> None:
    later = Guarded(CENTRE, timedelta(seconds=60))
    fenced = judge_([later, GUARD, ISOLATION], {2: Evidence(Steps.DONE)}, REIGN, NOW)
    assert (fenced.look, fenced.wait) == (True, pytest.approx(5.1))


@pytest.mark.parametrize(
    ("fence", "evidence", "assumption"),
    [
        (ISOLATION, Evidence(Steps.DONE, seen=View.DOWN), ASSUMED_OF_ISOLATION),
        (TOKEN, Evidence(Steps.DONE, acknowledged=7), ASSUMED_OF_TOKEN),
        (GUARD, Evidence(stopped=6), ASSUMED_OF_GUARD),
    ],
)
def test_a_proof_says_what_has_to_be_true_for_it(fence: Fence, evidence: Evidence, assumption: object) -> None:
    proof = judge(fence, evidence).proof
    assert proof is not None
    assert proof.assumption == assumption


def test_a_site_without_a_fence_is_never_proven_isolated() -> None:
    assert judge_([], {}, REIGN, NOW).proof is None
    assert prospect([], {}) is not None


@pytest.mark.parametrize(("hindered", "possible"), [({}, True), ({0}, True), ({1}, True), ({0, 1}, False)])
def test_one_fence_that_nothing_stands_against_is_enough_to_begin(hindered: set[int], possible: bool) -> None:
    against = {n: say("the router does not answer") for n in hindered}
    assert (prospect([ISOLATION, TOKEN], against) is None) is possible
