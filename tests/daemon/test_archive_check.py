"""What archiving says of itself: nothing is lost by a round that fails, so it warns, and says of what."""

from __future__ import annotations

import pytest

from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Severity
from monitor.daemon.selfcheck import archive_verdict, not_archived, own_checks
from runbooks.recordings import ArchiveReport, NotArchived

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
        (ArchiveReport("hmp", seen=10, ended=say("stopped")), Severity.WARNING, "ended early: stopped"),
    ],
)
def test_a_round_that_proved_less_than_it_should_is_a_warning_that_says_why(report, severity, words):
    verdict = archive_verdict(report)
    assert verdict.severity is severity
    assert words in ENGLISH.render(verdict.summary)


def test_an_archive_that_cannot_be_reached_is_a_warning():
    assert not_archived(say("no route")).severity is Severity.WARNING


def test_each_folder_that_is_archived_is_watched_by_a_check_of_its_own():
    assert {"releve-archive-hmp", "releve-store"} <= set(own_checks(["hmp"]))
    assert not [name for name in own_checks([]) if "archive" in name]
