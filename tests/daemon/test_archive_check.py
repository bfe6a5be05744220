"""What archiving says of itself: nothing is lost by a round that fails, so it warns, and says of what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Severity
from monitor.daemon.selfcheck import archive_verdict, not_archived, own_checks
from runbooks.ledger import Standing
from runbooks.recordings import ArchiveReport, NotArchived

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
FULL = NotArchived("a/b.wav", say("No space left on device"))


@pytest.mark.parametrize(
    ("report", "severity", "words"),
    [
        (
            ArchiveReport("hmp", seen=10, proven=2, left=1),
            Severity.OK,
            "Recordings there: 10; archived in the last round: 2; to come: 1",
        ),
        (
            ArchiveReport("hmp", seen=10, proven=2, failures=3, failed=(FULL,)),
            Severity.WARNING,
            "could not be archived: 3, among them a/b.wav",
        ),
        (ArchiveReport("hmp", seen=10, failures=1, failed=(FULL,)), Severity.WARNING, "a/b.wav: No space left"),
        (
            ArchiveReport("conf", seen=10, proven=2, left=1, mirror=True),
            Severity.OK,
            "Files there: 10; mirrored in the last round: 2; to come: 1",
        ),
        (
            ArchiveReport("conf", seen=10, failures=1, failed=(FULL,), mirror=True),
            Severity.WARNING,
            "Files that could not be mirrored: 1, among them a/b.wav: No space left on device",
        ),
        (ArchiveReport("hmp", seen=10, ended=say("stopped")), Severity.WARNING, "ended early: stopped"),
    ],
)
def test_a_round_that_proved_less_than_it_should_is_a_warning_that_says_why(report, severity, words):
    verdict = archive_verdict(report, NOW)
    assert verdict.severity is severity
    assert words in ENGLISH.render(verdict.summary)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("standing", "figures"),
    [
        # All that was listed is proven; what came since the list was made is not.
        (Standing(None, ago(600)), {"lag": 20, "age": 600}),
        (Standing(ago(900), ago(5)), {"lag": 900, "age": 5}),
        (Standing(), {"lag": 20}),
        # The voice server's clock is ahead of ours.
        (Standing(ago(-50), ago(-1)), {"lag": 20, "age": 0}),
        (None, {}),
    ],
)
def test_a_round_says_how_old_the_oldest_recording_without_a_proof_is(standing, figures):
    report = ArchiveReport("hmp", seen=10, looked_at=ago(20), standing=standing)
    verdict = archive_verdict(report, NOW)
    assert {metric.name: metric.value for metric in verdict.metrics} == figures
    assert {metric.unit for metric in verdict.metrics} <= {"s"}


def test_an_archive_that_cannot_be_reached_is_a_warning():
    assert not_archived(say("no route")).severity is Severity.WARNING


def test_each_folder_that_is_archived_is_watched_by_a_check_of_its_own():
    assert {"releve-archive-hmp", "releve-store"} <= set(own_checks(["hmp"]))
    assert not [name for name in own_checks([]) if "archive" in name]
