"""What the guard concludes from what it is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.guard import (
    HANGS_FOR,
    STARTS_WITHIN,
    TURN,
    Command,
    Phase,
    Round,
    State,
    Target,
    Validity,
    begin,
    judge,
    may_feed,
    round_length,
    worst,
)

TTL = 15.0
HELD = State(Phase.HOLDING, 6, 100.0, Validity(7, 110.0), held=True)
STOPPING = State(Phase.STOPPING, 7, 110.0, Validity(7, 110.0), held=True)
STOPPED = State(Phase.STOPPED, 7, 112.0, Validity(7, 110.0))


@pytest.mark.parametrize(
    ("state", "handed", "done", "now", "phase", "token"),
    [
        pytest.param(HELD, Validity(7, 115.0), Round.NONE, 109.0, Phase.HOLDING, 7, id="prolonged"),
        pytest.param(HELD, None, Round.NONE, 109.9, Phase.HOLDING, 7, id="nothing new, still valid"),
        pytest.param(HELD, None, Round.NONE, 110.0, Phase.STOPPING, 7, id="lapsed"),
        pytest.param(HELD, Validity(7, 0.0), Round.NONE, 101.0, Phase.STOPPING, 7, id="given up"),
        pytest.param(HELD, Validity(6, 90.0), Round.NONE, 101.0, Phase.HOLDING, 7, id="a word of an older lease"),
        pytest.param(HELD, Validity(7, 1e9), Round.NONE, 111.0, Phase.STOPPING, 7, id="longer than any lease"),
        pytest.param(HELD, Validity(8, 120.0), Round.NONE, 111.0, Phase.HOLDING, 8, id="a new lease without a gap"),
        pytest.param(STOPPING, None, Round.IN_HAND, 111.0, Phase.STOPPING, 7, id="commands in hand"),
        pytest.param(STOPPING, None, Round.UNPROVEN, 111.0, Phase.STOPPING, 7, id="not seen stopped"),
        pytest.param(STOPPING, None, Round.PROVEN, 111.0, Phase.STOPPED, 7, id="seen stopped"),
        pytest.param(STOPPING, Validity(7, 125.0), Round.NONE, 111.0, Phase.STOPPING, 7, id="a spent token"),
        pytest.param(STOPPING, Validity(8, 125.0), Round.IN_HAND, 111.0, Phase.STOPPING, 7, id="finish what is begun"),
        pytest.param(STOPPING, Validity(8, 125.0), Round.UNPROVEN, 111.0, Phase.HOLDING, 8, id="a new lease"),
        pytest.param(STOPPING, Validity(8, 111.0), Round.PROVEN, 112.0, Phase.STOPPING, 8, id="a lease came and went"),
        pytest.param(STOPPED, None, Round.PROVEN, 120.0, Phase.STOPPED, 7, id="still stopped"),
        pytest.param(STOPPED, None, Round.UNPROVEN, 120.0, Phase.STOPPING, 7, id="somebody started it"),
        pytest.param(STOPPED, Validity(7, 130.0), Round.NONE, 120.0, Phase.STOPPED, 7, id="spent after the proof"),
        pytest.param(STOPPED, Validity(8, 130.0), Round.NONE, 120.0, Phase.HOLDING, 8, id="the lease is back"),
    ],
)
def test_what_follows_from_what_is_known(state, handed, done, now, phase, token):
    after = judge(state, handed, TTL, done, now)
    assert (after.phase, after.token) == (phase, token)
    if after.phase is not state.phase:
        assert after.since == now


@pytest.mark.parametrize(
    ("recorded", "token", "handed", "phase", "about"),
    [
        pytest.param(None, 0, None, Phase.STOPPING, 0, id="nothing is known"),
        pytest.param(None, 0, Validity(3, 12.0), Phase.HOLDING, 3, id="set up at a site that holds its lease"),
        pytest.param(Phase.HOLDING, 3, None, Phase.STOPPING, 3, id="the machine was started anew"),
        pytest.param(Phase.HOLDING, 3, Validity(3, 12.0), Phase.HOLDING, 3, id="killed while it held"),
        pytest.param(Phase.HOLDING, 3, Validity(3, 9.0), Phase.STOPPING, 3, id="lapsed while there was no guard"),
        pytest.param(Phase.STOPPING, 3, Validity(3, 12.0), Phase.STOPPING, 3, id="killed while it stopped"),
        pytest.param(Phase.STOPPED, 3, Validity(3, 12.0), Phase.STOPPING, 3, id="a spent token"),
        pytest.param(Phase.STOPPED, 3, Validity(4, 12.0), Phase.HOLDING, 4, id="a new lease"),
        pytest.param(Phase.HOLDING, 3, Validity(3, 99.0), Phase.STOPPING, 3, id="longer than any lease"),
    ],
)
def test_it_starts_passive_unless_it_sees_a_lease_that_is_valid(recorded, token, handed, phase, about):
    state = begin(recorded, token, this_boot=True, handed=handed, ttl=5.0, now=10.0)
    assert (state.phase, state.token) == (phase, about)


told = st.none() | st.builds(Validity, st.integers(1, 5), st.floats(0, 40))
steps = st.lists(st.tuples(told, st.sampled_from(Round), st.floats(0, 3)), max_size=40)


@given(steps)
def test_under_a_token_that_was_stopped_for_it_never_holds_again(story):
    now, state = 0.0, begin(None, 0, this_boot=False, handed=None, ttl=10.0, now=0.0)
    for handed, done, takes in story:
        now += takes
        before, state = state, judge(state, handed, 10.0, done, now)
        assert state.spent >= before.spent
        if state.phase is Phase.HOLDING:
            assert state.validity is not None
            assert state.token > state.spent
            assert now < state.validity.until <= now + 10.0 + 40
        else:
            assert state.spent == state.token
        if state.phase is Phase.STOPPED and before.phase is not Phase.STOPPED:
            assert (before.phase, done) == (Phase.STOPPING, Round.PROVEN)


@given(st.floats(0, 40), steps)
def test_it_never_holds_after_the_last_second_that_it_was_handed(until, story):
    now, best = 0.0, until
    state = begin(None, 0, this_boot=True, handed=Validity(1, until), ttl=60.0, now=0.0)
    for handed, done, takes in story:
        now += takes
        best = max(best, 0.0 if handed is None else handed.until)
        state = judge(state, handed, 60.0, done, now)
        assert state.phase is not Phase.HOLDING or now < best


def test_a_round_is_as_long_as_its_longest_target_and_the_taker_waits_for_two_and_a_fault():
    quick = Target("a", Command(("x",), 1.0), (Command(("y",), 1.0),), Command(("z",), 0.5))
    slow = Target("b", Command(("x",), 4.0), (Command(("y",), 2.0), Command(("y",), 2.0)), Command(("z",), 1.0))
    assert quick.longest == pytest.approx(2 * (1 + 0.5) + 2 * (0.5 + 0.5))
    assert round_length((quick, slow)) == pytest.approx(4.5 + 2 * 2.5 + 3 * 1.5)
    assert worst(14.0) == pytest.approx(TURN + 28 + HANGS_FOR + STARTS_WITHIN)
    assert worst(14.0, 10.0) == worst(14.0) + 10


@pytest.mark.parametrize(
    ("state", "now", "fed"),
    [
        pytest.param(HELD, 500.0, True, id="while it holds"),
        pytest.param(STOPPING, 113.0, True, id="within the round"),
        pytest.param(STOPPING, 113.5, False, id="a round without proof"),
        pytest.param(STOPPED, 500.0, True, id="proven"),
        pytest.param(State(Phase.STOPPING, 7, 110.0), 500.0, True, id="passive since the boot"),
    ],
)
def test_the_machine_s_watchdog_is_fed_until_a_whole_round_brought_no_proof(state, now, fed):
    assert may_feed(state, 3.0, now) is fed
