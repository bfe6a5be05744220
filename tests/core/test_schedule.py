"""Checks are spread, keep their pace, and never catch up in a burst."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.ids import CheckId
from monitor.core.schedule import FIRST_WITHIN, first_look, next_due, next_look, phase

checks = st.text(min_size=1, max_size=20).map(CheckId)
paces = st.floats(0.05, 86400)
moments = st.floats(0, 1e8)


@given(checks, paces)
def test_a_check_starts_somewhere_in_its_first_interval(check, every):
    assert 0 <= phase(check, every) < every


@given(checks, paces, moments)
def test_the_next_moment_lies_ahead_and_within_one_interval(check, every, now):
    due = next_due(check, every, now)
    assert now < due <= now + every * (1 + 1e-6) + 1e-6


@given(checks, st.integers(1, 3600), st.lists(st.floats(0.001, 0.9), min_size=1, max_size=30))
def test_the_size_of_the_tick_does_not_move_the_moments(check, every, ticks):
    """Woken at whatever moments between two readings, a check is due when it always was."""
    due = next_due(check, every, 1000.0)
    now = 1000.0
    for tick in ticks:
        now += (due - now) * tick
        assert abs(next_due(check, every, now) - due) < 1e-6


@given(checks, st.integers(1, 3600), st.floats(0, 1e7))
def test_what_was_missed_is_skipped(check, every, slept):
    due = next_due(check, every, 1000.0 + slept)
    turns = (due - phase(check, every)) / every
    assert abs(turns - round(turns)) < 1e-6
    assert due > 1000.0 + slept


def test_a_hundred_checks_never_start_together():
    starts = [phase(CheckId(f"poste-{n:03}"), 60.0) for n in range(100)]
    by_second = [sum(int(start) == second for start in starts) for second in range(60)]
    assert max(by_second) <= 8
    assert starts == [phase(CheckId(f"poste-{n:03}"), 60.0) for n in range(100)]


@given(checks, paces, st.floats(0.05, 60), moments)
def test_a_settled_check_keeps_its_grid_and_one_that_settles_comes_sooner_but_never_later(check, every, retry, now):
    grid = next_due(check, every, now)
    assert next_look(check, every, retry, now, again=False, settling=False) == grid
    sooner = next_look(check, every, retry, now, again=False, settling=True)
    assert sooner in (grid, now + retry)
    assert now < sooner <= grid


@given(checks, paces, moments, st.booleans())
def test_what_was_asked_for_again_is_looked_at_at_once(check, every, now, settling):
    assert next_look(check, every, every / 4, now, again=True, settling=settling) == now


@given(checks, paces, moments)
def test_the_first_look_comes_within_seconds_of_the_start(check, every, now):
    assert now < first_look(check, every, now) <= now + min(every, FIRST_WITHIN) * (1 + 1e-6) + 1e-6
