"""What Relève says of itself."""

from datetime import timedelta

import pytest

from monitor.core.text import say
from monitor.core.verdict import Severity
from monitor.daemon.selfcheck import clock_verdict, outbox_verdict, store_verdict

FULL = say("the disk is full")


@pytest.mark.parametrize(
    ("trouble", "history", "room_kept", "severity"),
    [
        (None, None, True, Severity.OK),
        (None, None, False, Severity.WARNING),
        (None, FULL, True, Severity.WARNING),
        (FULL, None, True, Severity.CRITICAL),
        (FULL, FULL, False, Severity.CRITICAL),
    ],
)
def test_a_journal_that_cannot_be_written_is_worse_than_a_history(trouble, history, room_kept, severity):
    assert store_verdict(trouble, history, 3, room_kept=room_kept).severity is severity


@pytest.mark.parametrize(
    ("late", "since_death", "severity"),
    [
        (None, None, Severity.OK),
        (timedelta(minutes=1), None, Severity.OK),
        (timedelta(minutes=6), None, Severity.WARNING),
        (None, timedelta(minutes=1), Severity.CRITICAL),
        (None, timedelta(hours=2), Severity.OK),
    ],
)
def test_messages_that_do_not_leave_are_told(late, since_death, severity):
    assert outbox_verdict(late, since_death).severity is severity


@pytest.mark.parametrize(
    ("stepped_by", "trusted", "severity"),
    [
        (timedelta(), True, Severity.OK),
        (timedelta(hours=1), True, Severity.WARNING),
        (timedelta(hours=-1), False, Severity.CRITICAL),
    ],
)
def test_a_clock_that_jumped_is_told(stepped_by, trusted, severity):
    assert clock_verdict(stepped_by, trusted=trusted).severity is severity
