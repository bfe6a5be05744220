"""The fibre's counters move with time and stand while it is cut."""

from hypothesis import given
from hypothesis import strategies as st

from lab.wire import MEAN_IN, PERIOD, SWING, Wire, cut, mend, octets


def test_over_a_whole_swing_the_counters_give_the_mean_rate():
    assert octets(Wire(), MEAN_IN, PERIOD) * 8 / PERIOD == MEAN_IN


def test_nothing_goes_through_a_cut_fibre_and_it_goes_on_where_it_stood():
    line = cut(Wire(), 100.0)
    assert octets(line, MEAN_IN, 100.0) == octets(line, MEAN_IN, 500.0)
    line = mend(line, 500.0)
    assert octets(line, MEAN_IN, 500.0) == octets(cut(Wire(), 100.0), MEAN_IN, 100.0)
    assert octets(line, MEAN_IN, 501.0) > octets(line, MEAN_IN, 500.0)
    assert line.cuts == 1


@given(st.floats(0, 1e6), st.floats(0.1, 100))
def test_the_rate_stays_within_the_swing(at, span):
    rate = (octets(Wire(), MEAN_IN, at + span) - octets(Wire(), MEAN_IN, at)) * 8 / span
    rounding = 16 / span
    assert MEAN_IN * (1 - SWING) - rounding <= rate <= MEAN_IN * (1 + SWING) + rounding


def test_to_cut_twice_counts_once():
    line = cut(Wire(), 1.0)
    assert cut(line, 2.0) is line
    assert mend(Wire(), 3.0) == Wire()
