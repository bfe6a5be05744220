"""The daemon's clock follows the machine's, except where the machine's jumps."""

from datetime import timedelta

from monitor.core.timekeeping import Guard
from monitor.daemon.clock import GuardedClock, kernel_synchronised


def test_time_passes_as_on_the_machine(machine):
    start = machine.now()
    clock = GuardedClock(None, machine, "boot")
    machine.pass_(90)
    assert clock.now() == start + timedelta(seconds=90)
    assert not clock.stepped_by


def test_a_step_of_the_machine_s_clock_does_not_move_ours(machine):
    start = machine.now()
    clock = GuardedClock(None, machine, "boot")
    machine.wall += timedelta(hours=2)
    machine.pass_(60)
    assert clock.now() == start + timedelta(seconds=60)
    assert clock.stepped_by == timedelta(hours=2)


def test_a_restart_in_the_same_boot_goes_on_where_time_stood(machine):
    start = machine.now()
    first = GuardedClock(None, machine, "boot")
    machine.pass_(60)
    first.now()
    machine.wall -= timedelta(days=1)
    machine.pass_(5)
    second = GuardedClock(first.guard, machine, "boot")
    assert second.now() == start + timedelta(seconds=65)


def test_a_boot_into_the_past_is_not_trusted_unless_a_time_server_vouches_for_it(machine):
    start = machine.now()
    kept = Guard("before", 50_000.0, start + timedelta(days=1))
    clock = GuardedClock(kept, machine, "after")
    assert clock.trusted is kernel_synchronised()
    if not clock.trusted:
        assert clock.now() == kept.at


def test_a_correct_clock_needs_no_settling(machine):
    assert GuardedClock(None, machine, "boot").settle(quiet=True) is False


def test_a_step_is_not_taken_over_while_a_deadline_runs(machine):
    start = machine.now()
    clock = GuardedClock(None, machine, "boot")
    machine.wall += timedelta(hours=2)
    clock.now()
    assert clock.settle(quiet=False) is False
    assert clock.now() < start + timedelta(hours=1)


def test_a_step_is_taken_over_once_nothing_waits_for_time_and_a_time_server_confirms_it(machine):
    clock = GuardedClock(None, machine, "boot", synchronised=lambda: True)
    machine.wall -= timedelta(hours=2)
    clock.now()
    assert clock.settle(quiet=False) is False
    assert clock.settle(quiet=True) is True
    assert clock.now() == machine.now()
    assert not clock.stepped_by
