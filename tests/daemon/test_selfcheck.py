"""What Relève says of itself."""

from datetime import timedelta

import pytest

from monitor.core.health import ConfirmPolicy
from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Severity
from monitor.daemon import selfcheck
from monitor.daemon.selfcheck import (
    Queue,
    checks_verdict,
    clock_verdict,
    lag_verdict,
    outbox_verdict,
    own_checks,
    queue_verdict,
    store_verdict,
)

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


@pytest.mark.parametrize(
    ("lag", "severity"),
    [
        (0.0, Severity.OK),
        (9.9, Severity.OK),
        (10.0, Severity.WARNING),
        (59.9, Severity.WARNING),
        (60.0, Severity.CRITICAL),
        (3600.0, Severity.CRITICAL),
    ],
)
def test_observations_that_start_late_are_told(lag, severity):
    verdict = lag_verdict(lag)
    assert verdict.severity is severity
    assert [(metric.name, metric.value, metric.unit) for metric in verdict.metrics] == [("lag", lag, "s")]


@pytest.mark.parametrize(
    ("queue", "severity", "words"),
    [
        (Queue(500), Severity.OK, "going on: 0"),
        (Queue(500, in_flight=500), Severity.OK, "going on: 500"),
        (Queue(500, in_flight=49, overlong=49), Severity.OK, "going on: 49"),
        (Queue(500, in_flight=50, overlong=50), Severity.WARNING, "50 of 500 checks"),
        (Queue(500, in_flight=250, overlong=250), Severity.CRITICAL, "250 of 500 checks"),
        (Queue(9, in_flight=9, overlong=9), Severity.OK, "going on: 9"),
        (Queue(12, in_flight=10, overlong=10), Severity.WARNING, "10 of 12 checks"),
        (Queue(20, in_flight=20, overlong=20), Severity.CRITICAL, "20 of 20 checks"),
        (Queue(500, waiting=124), Severity.OK, "taken as they come"),
        (Queue(500, waiting=125), Severity.WARNING, "wait to be taken: 125"),
        (Queue(500, waiting=375), Severity.CRITICAL, "wait to be taken: 375"),
        (Queue(19, waiting=19), Severity.OK, "taken as they come"),
        (Queue(30, waiting=20), Severity.WARNING, "wait to be taken: 20"),
        (Queue(60, waiting=60), Severity.CRITICAL, "wait to be taken: 60"),
        (Queue(0), Severity.OK, "going on: 0"),
        (Queue(8, hung=7, threads=16), Severity.OK, "going on"),
        (Queue(8, hung=8, threads=16), Severity.WARNING, "8 of 16"),
        (Queue(8, hung=16, threads=16), Severity.CRITICAL, "16 of 16"),
        (Queue(500, overlong=250, waiting=125, hung=8, threads=16), Severity.CRITICAL, "250 of 500"),
        (Queue(500, overlong=250, waiting=375, hung=16, threads=16), Severity.CRITICAL, "16 of 16"),
    ],
)
def test_what_does_not_come_to_an_end_is_told_by_what_is_worst(queue, severity, words):
    verdict = queue_verdict(queue)
    assert verdict.severity is severity
    assert words in ENGLISH.render(verdict.summary)
    assert {metric.name for metric in verdict.metrics} == {"in_flight", "overlong", "waiting", "hung"}


@pytest.mark.parametrize(
    ("stale", "severity", "words"),
    [
        ([], Severity.OK, "Every check gives results"),
        (["b", "a"], Severity.UNKNOWN, "three intervals: a, b. "),
        (list("edcba"), Severity.UNKNOWN, "three intervals: a, b, c, d, e. "),
        (list("gfedcba"), Severity.UNKNOWN, "three intervals: a, b, c, d, e and 2 more. "),
    ],
)
def test_checks_without_results_are_named_and_make_us_blind(stale, severity, words):
    verdict = checks_verdict(stale)
    assert (verdict.severity, verdict.down) == (severity, False)
    assert words in ENGLISH.render(verdict.summary)


def test_a_check_is_silent_only_once_it_had_its_intervals(inventory_of):
    checks = inventory_of((", every: 1 h, confirm: 1, recover: 2", ", every: 60 s, confirm: 1, recover: 2")).plan.checks

    def silent(**watched_for):
        return selfcheck.silent(["door", "room", "gone"], checks, lambda name: watched_for.get(name, 0.0))

    assert silent() == ()
    assert silent(door=3 * 3600 + 10, room=3 * 60 + 10, gone=1e9) == ()
    assert silent(door=3 * 3600 + 10, room=3 * 60 + 11) == ("room",)
    assert silent(door=3 * 3600 + 11, room=3 * 60 + 11) == ("door", "room")


def test_being_busy_for_a_moment_is_no_news_and_being_blind_is():
    policies = {name: watched.policy for name, watched in own_checks((), heartbeat=True).items()}
    slow = {selfcheck.LAG, selfcheck.QUEUE, selfcheck.HEARTBEAT}
    assert {name for name, policy in policies.items() if policy == ConfirmPolicy(confirm=3)} == slow
    assert policies[selfcheck.CHECKS] == ConfirmPolicy(confirm=1)
    assert selfcheck.HEARTBEAT not in own_checks(())
