"""Whatever the wall clock does, guarded time goes on at the pace of time itself."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.timekeeping import SLEW, STEP, Guard, adopt, read, start

WALL = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FRESH = start(None, "boot-1", 100.0, WALL, synchronised=True)
lapses = st.floats(0.001, 86400)
offsets = st.floats(-1e8, 1e8).map(lambda seconds: timedelta(seconds=seconds))


def after(seconds: float) -> datetime:
    return WALL + timedelta(seconds=seconds)


def test_the_first_start_takes_the_clock_as_it_is():
    assert Guard("boot-1", 100.0, WALL) == FRESH


@pytest.mark.parametrize("off", [timedelta(hours=1), -timedelta(hours=1), timedelta(days=3650), timedelta(seconds=31)])
def test_a_step_is_named_and_moves_nothing(off):
    guard = read(FRESH, 160.0, after(60) + off)
    assert (guard.at, guard.stepped_by, guard.trusted) == (after(60), off, True)


def test_a_step_that_is_taken_back_is_over():
    stepped = read(FRESH, 160.0, after(60) + timedelta(hours=1))
    back = read(stepped, 220.0, after(120))
    assert (back.at, back.stepped_by) == (after(120), timedelta())


def test_drift_is_followed_slowly():
    guard = read(FRESH, 1100.0, after(1000) + timedelta(seconds=10))
    assert guard.at == after(1000) + timedelta(seconds=1000 * SLEW)
    assert guard.stepped_by == timedelta()


@given(st.lists(st.tuples(lapses, offsets), max_size=20))
def test_it_never_runs_backwards_and_never_faster_than_the_slew_allows(steps):
    guard, boot = FRESH, 100.0
    for lapse, off in steps:
        boot += lapse
        moved = read(guard, boot, guard.at + off)
        passed = (moved.at - guard.at).total_seconds()
        assert lapse * (1 - SLEW) - 1e-5 <= passed <= lapse * (1 + SLEW) + 1e-5
        guard = moved


@given(lapses, offsets)
def test_a_step_moves_no_deadline(lapse, off):
    """An update due in an hour of real time is due after it, however the clock was turned meanwhile."""
    stepped = read(FRESH, 100.0 + lapse, after(lapse) + off)
    on_time = read(FRESH, 100.0 + lapse, after(lapse))
    assert abs(stepped.at - on_time.at) <= timedelta(seconds=lapse * SLEW + 1e-5)


@given(st.lists(st.floats(1, 3600), min_size=1, max_size=20))
def test_how_often_it_is_read_does_not_matter(lapses):
    guard, boot = FRESH, 100.0
    for lapse in lapses:
        boot += lapse
        guard = read(guard, boot, WALL + timedelta(seconds=boot - 100.0))
    once = read(FRESH, boot, WALL + timedelta(seconds=boot - 100.0))
    assert abs(guard.at - once.at) < timedelta(milliseconds=1)


def test_restarted_in_the_same_boot_time_goes_on_where_it_stood():
    guard = start(FRESH, "boot-1", 400.0, after(300) + timedelta(hours=2), synchronised=True)
    assert (guard.at, guard.stepped_by) == (after(300), timedelta(hours=2))


@pytest.mark.parametrize(
    ("wall", "synchronised", "at", "trusted"),
    [
        (after(3600), False, after(3600), True),
        (after(3600), True, after(3600), True),
        (after(-3600), True, after(-3600), True),
        (after(-3600), False, WALL, False),
        (datetime(1970, 1, 1, tzinfo=UTC), False, WALL, False),
    ],
)
def test_after_a_reboot_a_clock_behind_the_last_event_is_not_believed_unless_synchronised(
    wall, synchronised, at, trusted
):
    guard = start(FRESH, "boot-2", 12.0, wall, synchronised=synchronised)
    assert (guard.at, guard.trusted) == (at, trusted)
    assert guard.stepped_by == (timedelta() if trusted else wall - WALL)


def test_untrusted_time_still_passes_and_stays_untrusted_until_somebody_adopts_the_clock():
    guard = start(FRESH, "boot-2", 12.0, datetime(1970, 1, 1, tzinfo=UTC), synchronised=False)
    later = read(guard, 72.0, datetime(1970, 1, 1, 0, 1, tzinfo=UTC))
    assert (later.at, later.trusted) == (after(60), False)
    adopted = adopt(later, 80.0, after(7200))
    assert (adopted.at, adopted.trusted, adopted.stepped_by) == (after(7200), True, timedelta())


def test_a_boottime_that_went_back_is_another_boot():
    """A restored snapshot of a machine has the same boot id and an earlier clock."""
    guard = start(FRESH, "boot-1", 5.0, after(600), synchronised=False)
    assert (guard.at, guard.boot) == (after(600), 5.0)


def test_half_a_minute_is_drift_and_more_is_a_step():
    assert read(FRESH, 160.0, after(60) + STEP).stepped_by == timedelta()
    assert read(FRESH, 160.0, after(61) + STEP).stepped_by == timedelta(seconds=31)
