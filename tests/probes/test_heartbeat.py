"""Jobs that report themselves: what is OK, what is overdue, what failed, and what nobody knows."""

from datetime import UTC, datetime, timedelta

import pytest

from monitor.clock import SystemClock
from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity
from probes import runner
from probes.beat import Beat, Job
from probes.contract import ProbeFault, Target
from probes.heartbeat import Heartbeat, HeartbeatParams, HeartbeatSeen

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
HERE = Target(NodeId("sql"), "127.0.0.1")


def params(**keys):
    return HeartbeatParams(**{"within": "26 h", **keys})


def judged(job, **keys):
    return Heartbeat().judge(HeartbeatSeen(job, NOW), params(**keys))


@pytest.mark.parametrize(
    ("last", "severity", "words"),
    [
        (Beat(NOW), Severity.OK, "the job reported 0"),
        (Beat(NOW - 25 * HOUR), Severity.OK, "the job reported 1\u00a0d\u00a01\u00a0h ago"),
        (Beat(NOW - 26 * HOUR), Severity.OK, "the job reported"),
        (
            Beat(NOW - 26 * HOUR - timedelta(seconds=1)),
            Severity.CRITICAL,
            "has not reported for 1\u00a0d\u00a02\u00a0h",
        ),
        (Beat(NOW - 27 * HOUR), Severity.CRITICAL, "since 05:00"),
        (Beat(NOW - HOUR, True, "42 files"), Severity.OK, "the job reported 1\u00a0h ago: 42 files"),
        (Beat(NOW - HOUR, False, "D: is full"), Severity.CRITICAL, "says that it failed, 1\u00a0h ago: D: is full"),
        (Beat(NOW - 99 * HOUR, False), Severity.CRITICAL, "says that it failed"),
        (Beat(NOW + HOUR), Severity.OK, "the job reported 0"),
    ],
)
def test_a_job_is_judged_by_its_last_word_and_by_how_old_that_is(last, severity, words):
    verdict = judged(Job(NOW - 99 * HOUR, last))
    assert (verdict.severity, verdict.down) == (severity, False)
    assert words in ENGLISH.render(verdict.summary)
    (age,) = verdict.metrics
    assert (age.name, age.unit, age.value) == ("age", "s", max(0, (NOW - last.at).total_seconds()))


@pytest.mark.parametrize(
    ("waited", "severity"),
    [(0, Severity.OK), (26, Severity.OK), (26.01, Severity.CRITICAL), (-1, Severity.OK)],
)
def test_one_that_has_never_reported_has_as_long_as_between_two_reports(waited, severity):
    verdict = judged(Job(NOW - timedelta(hours=waited)))
    assert (verdict.severity, verdict.metrics, verdict.down) == (severity, (), False)
    assert "never reported" in ENGLISH.render(verdict.summary)


def test_the_age_has_thresholds_of_its_own():
    verdict = judged(Job(NOW, Beat(NOW - 25 * HOUR)), warning="24.5 h")
    assert verdict.severity is Severity.WARNING


async def test_what_the_daemon_heard_is_what_is_seen(make_io, sessions):
    job = Job(SystemClock().now(), Beat(SystemClock().now(), False, "no\x1b[31m tape"))
    result = await runner.run(Heartbeat(), HERE, params(), 5, sessions, SystemClock(), {}, lambda: job)
    assert result.verdict.severity is Severity.CRITICAL
    assert ENGLISH.render(result.verdict.summary).endswith("no [31m tape")


async def test_without_a_daemon_nobody_knows(make_io):
    with pytest.raises(ProbeFault) as raised:
        await Heartbeat().observe(HERE, params(), make_io())
    assert "only the daemon knows" in raised.value.text.template
    assert raised.value.remedy is not None


@pytest.mark.parametrize("keys", [{"within": "0 s"}, {"within": 5}, {"within": None}, {"token": 1}, {"port": 1}])
def test_a_parameter_that_cannot_be_right_is_refused(keys):
    with pytest.raises(ValueError, match="validation error"):
        params(**keys)


def test_a_token_never_shows_itself():
    assert "s3cret" not in repr(params(token="s3cret"))
