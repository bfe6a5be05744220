"""The daemon's clock follows the machine's, except where the machine's jumps."""

from datetime import UTC, datetime, timedelta

from monitor.core.timekeeping import Guard
from monitor.daemon.clock import GuardedClock, kernel_synchronised

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


class Hand:
    """A machine whose clocks are moved by hand."""

    def __init__(self) -> None:
        self.wall, self.since_boot = START, 1000.0

    def now(self) -> datetime:
        return self.wall

    def boot(self) -> float:
        return self.since_boot

    def pass_(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.since_boot += seconds


def test_time_passes_as_on_the_machine():
    machine = Hand()
    clock = GuardedClock(None, machine, "boot")
    machine.pass_(90)
    assert clock.now() == START + timedelta(seconds=90)
    assert not clock.stepped_by


def test_a_step_of_the_machine_s_clock_does_not_move_ours():
    machine = Hand()
    clock = GuardedClock(None, machine, "boot")
    machine.wall += timedelta(hours=2)
    machine.pass_(60)
    assert clock.now() == START + timedelta(seconds=60)
    assert clock.stepped_by == timedelta(hours=2)


def test_a_restart_in_the_same_boot_goes_on_where_time_stood():
    machine = Hand()
    first = GuardedClock(None, machine, "boot")
    machine.pass_(60)
    first.now()
    machine.wall -= timedelta(days=1)
    machine.pass_(5)
    second = GuardedClock(first.guard, machine, "boot")
    assert second.now() == START + timedelta(seconds=65)


def test_a_boot_into_the_past_is_not_trusted_unless_a_time_server_vouches_for_it():
    machine = Hand()
    kept = Guard("before", 50_000.0, START + timedelta(days=1))
    clock = GuardedClock(kept, machine, "after")
    assert clock.trusted is kernel_synchronised()
    if not clock.trusted:
        assert clock.now() == kept.at


def test_a_correct_clock_needs_no_settling():
    assert GuardedClock(None, Hand(), "boot").settle(quiet=True) is False


def test_a_step_is_not_taken_over_while_a_deadline_runs():
    machine = Hand()
    clock = GuardedClock(None, machine, "boot")
    machine.wall += timedelta(hours=2)
    clock.now()
    assert clock.settle(quiet=False) is False
    assert clock.now() < START + timedelta(hours=1)
