"""A database and its copy: positions before times, roles before lags, and nothing claimed that nobody saw."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Severity
from probes.contract import ProbeFault, Target
from probes.replication import Replication, ReplicationParams
from probes.replication_judge import Asked, verdict
from probes.replication_seen import (
    MOST_MARKS,
    Behind,
    Mark,
    Pair,
    Position,
    Role,
    Server,
    Silent,
    Stream,
    Trail,
    behind,
    position,
    stream_of,
    sync_of,
)

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
SQL, SQL2 = NodeId("sql"), NodeId("sql-2")


def ago(count: float) -> datetime:
    return NOW - timedelta(seconds=count)


def stream(name: str = "copy", flushed: int | None = 1000, **changes: Any) -> Stream:
    return replace(Stream(name, "198.18.3.10", "streaming", "async", flushed, flushed), **changes)


PRIMARY = Server(SQL, Role.PRIMARY, "1", 1, NOW, flushed=1000, commits="on", streams=(stream(),))
STANDBY = Server(SQL2, Role.STANDBY, "1", 1, NOW, received=1000, replayed=1000, replayed_at=ago(7200), receiving=True)
TRAIL = Trail("1", 1, (Mark(ago(90), 800), Mark(ago(60), 900), Mark(ago(30), 950), Mark(NOW, 1000)), copied=900)
DEAD = Silent(SQL2, say("sql-2 is dead"))


def judged(pair: Pair, **params: Any) -> Any:
    given = ReplicationParams.model_validate(params)
    return verdict(pair, Asked(given, given.application, given.synchronous))


def said(found: Any) -> str:
    return ENGLISH.render(found.summary).replace("\u00a0", " ")


def figures(found: Any) -> dict[str, float]:
    return {metric.name: metric.value for metric in found.metrics}


@pytest.mark.parametrize(
    ("at", "replayed_at", "trail", "expected"),
    [
        # It has everything: whatever the clocks say, it is not behind.
        (1000, ago(7200), TRAIL, Behind(0, timedelta(0))),
        (1040, None, Trail(), Behind(0, timedelta(0))),
        # The primary was seen at 950 half a minute ago: the last transaction, two hours old, says less.
        (960, ago(7200), TRAIL, Behind(40, timedelta(seconds=30))),
        (900, None, TRAIL, Behind(100, timedelta(seconds=60))),
        # The last transaction says more.
        (960, ago(4), TRAIL, Behind(40, timedelta(seconds=4))),
        (700, ago(500), TRAIL, Behind(300, timedelta(seconds=500))),
        # Nobody has looked before.
        (700, None, TRAIL, Behind(300, None)),
        (960, None, Trail(), Behind(40, None)),
        # The two clocks differ: nothing is less than no time behind.
        (960, ago(-5), Trail(), Behind(40, timedelta(0))),
        (None, ago(5), TRAIL, None),
    ],
)
def test_positions_are_compared_before_any_time(at, replayed_at, trail, expected):
    copy = Position(at, at, replayed_at)
    assert behind(PRIMARY, at, copy, Pair(PRIMARY, STANDBY, trail=trail)) == expected


def test_what_arrived_while_we_looked_was_as_late_as_it_took():
    pair = Pair(PRIMARY, STANDBY, waited=timedelta(seconds=0.2))
    assert behind(PRIMARY, 1000, Position(1000), pair) == Behind(0, timedelta(seconds=0.2))


def test_the_trail_keeps_when_the_primary_was_last_at_a_position():
    trail = Trail()
    for seconds, flushed in ((120, 800), (90, 800), (60, 900), (30, 900)):
        trail = trail.on(replace(PRIMARY, at=ago(seconds), flushed=flushed), copied=flushed)
    assert trail.marks == (Mark(ago(90), 800), Mark(ago(30), 900))
    assert (trail.reached(899), trail.reached(900), trail.reached(799)) == (ago(90), ago(30), None)
    assert trail.on(PRIMARY, None).copied == 900
    for count in range(2 * MOST_MARKS):
        trail = trail.on(replace(PRIMARY, at=NOW + timedelta(seconds=count), flushed=1000 + count), None)
    assert len(trail.marks) == MOST_MARKS


@pytest.mark.parametrize(
    "now",
    [
        replace(PRIMARY, system="2"),
        replace(PRIMARY, timeline=2),
        replace(PRIMARY, flushed=10),
        replace(PRIMARY, at=ago(60)),
    ],
)
def test_another_database_a_takeover_a_restore_and_a_clock_set_back_begin_the_trail_anew(now):
    assert TRAIL.on(now, None).marks == (Mark(now.at, now.flushed),)


def test_what_a_former_primary_had_copied_says_nothing_of_a_new_one():
    assert TRAIL.on(replace(PRIMARY, timeline=2), None).copied is None
    assert TRAIL.on(PRIMARY, None).copied == 900


def test_of_several_copies_the_one_meant_is_found_or_the_one_most_behind():
    near, far = stream("near", 990, address="198.18.0.9"), stream("far", 500)
    taking = stream("pg_basebackup", 0, state="backup")
    primary = replace(PRIMARY, streams=(taking, near, far))
    assert stream_of(primary, "198.18.3.10", None) == far
    assert stream_of(primary, "198.18.0.9", None) == near
    assert stream_of(primary, "sql-2.example", None) == far
    assert stream_of(primary, "198.18.3.10", "near") == near
    assert stream_of(primary, "198.18.3.10", "nobody") is None
    assert stream_of(replace(PRIMARY, streams=(taking,)), "198.18.3.10", None) is None


def test_how_far_the_copy_is_comes_from_itself_else_from_the_primary_else_from_before():
    assert position(STANDBY, stream(flushed=5), TRAIL) == Position(1000, 1000, ago(7200))
    assert position(replace(STANDBY, received=900), None, TRAIL).received == 1000
    assert position(None, stream(flushed=5, replayed=4), TRAIL) == Position(5, 4)
    assert position(None, stream(flushed=None, state=None), TRAIL) == Position(900)
    assert position(None, None, Trail()) == Position(None)


@pytest.mark.parametrize(
    ("state", "commits", "sync"),
    [
        ("sync", "on", "sync"),
        ("quorum", "remote_apply", "quorum"),
        ("sync", "off", "async"),
        ("quorum", "local", "async"),
        ("potential", "on", "async"),
        ("async", "on", "async"),
        ("", "on", "async"),
    ],
)
def test_a_copy_is_synchronous_only_where_commits_wait_for_it(state, commits, sync):
    assert sync_of(replace(PRIMARY, commits=commits), stream(sync=state)) == sync
    assert sync_of(PRIMARY, None) == "none"


BOTH = Pair(PRIMARY, STANDBY, "198.18.3.10", TRAIL)


@pytest.mark.parametrize(
    ("pair", "severity", "text"),
    [
        (BOTH, Severity.OK, "sql-2 has all that sql has"),
        (
            Pair(PRIMARY, replace(STANDBY, role=Role.PRIMARY, timeline=2)), Severity.CRITICAL,
            "two active databases: sql and sql-2 both take writes, and what each takes is lacking in the other. Stop "
            "the one that must not, at once",
        ),
        (
            Pair(replace(PRIMARY, role=Role.STANDBY), STANDBY), Severity.CRITICAL,
            "no active database: sql and sql-2 are both standbys, and nothing can be written",
        ),
        (
            Pair(PRIMARY, replace(STANDBY, system="2")), Severity.CRITICAL,
            "sql and sql-2 are two different databases, neither a copy of the other",
        ),
        (
            Pair(PRIMARY, replace(STANDBY, received=900, replayed=900), trail=TRAIL), Severity.OK,
            "sql-2 is 1 min behind sql: it lacks 100 B",
        ),
        (
            Pair(PRIMARY, replace(STANDBY, received=900, replayed=900, replayed_at=None)), Severity.OK,
            "sql-2 lacks 100 B of sql, and nobody knows since when",
        ),
        (
            Pair(PRIMARY, replace(STANDBY, replayed=900, paused=True), trail=TRAIL), Severity.WARNING,
            "replay is paused on sql-2: it would take over only after it has caught up (pg_wal_replay_resume()); sql-2 "
            "has all that sql has; 100 B wait there to be replayed",
        ),
        (
            Pair(replace(PRIMARY, streams=()), replace(STANDBY, receiving=False)), Severity.CRITICAL,
            "sql-2 is not connected to sql: nothing is copied; sql-2 has all that sql has",
        ),
        # Between two looks at its copies it was connected: the standby knows better.
        (Pair(replace(PRIMARY, streams=()), STANDBY), Severity.OK, "sql-2 has all that sql has"),
        (
            Pair(replace(PRIMARY, streams=(stream(state=None, flushed=None),)), STANDBY), Severity.UNKNOWN,
            "sql does not show its copies to this user. GRANT pg_monitor TO the user of Relève; sql-2 has all that sql "
            "has",
        ),
        (Pair(PRIMARY, DEAD), Severity.WARNING, "sql-2 is dead; sql-2 has all that sql has"),
        (
            Pair(replace(PRIMARY, streams=()), DEAD, trail=TRAIL), Severity.CRITICAL,
            "sql-2 is not connected to sql: nothing is copied; sql-2 is dead; sql-2 is 1 min behind sql: it lacks "
            "100 B",
        ),
        (
            Pair(replace(PRIMARY, streams=())), Severity.CRITICAL,
            "the copy is not connected to sql: nothing is copied; nobody knows how far the copy is behind sql",
        ),
        (Pair(PRIMARY), Severity.OK, "the copy has all that sql has"),
        (
            Pair(Silent(SQL, say("sql is dead")), STANDBY), Severity.UNKNOWN,
            "nobody knows what sql-2 lacks: sql is dead. It has all that was written until 2 h ago",
        ),
        (
            Pair(Silent(SQL, say("sql is dead")), replace(STANDBY, replayed_at=None)), Severity.UNKNOWN,
            "nobody knows what sql-2 lacks: sql is dead",
        ),
        (
            Pair(STANDBY), Severity.UNKNOWN,
            "sql-2 is a standby, and its primary was not asked: the check names no other server. It has all that was "
            "written until 2 h ago",
        ),
        (Pair(Silent(SQL, say("sql is dead")), DEAD), Severity.UNKNOWN, "sql is dead; sql-2 is dead"),
        # It took over, and nobody has brought the old primary back.
        (
            Pair(Silent(SQL, say("sql is dead")), replace(PRIMARY, name=SQL2, timeline=2, streams=())),
            Severity.CRITICAL,
            "sql is not connected to sql-2: nothing is copied; sql is dead; nobody knows how far sql is behind sql-2",
        ),
    ],
)  # fmt: skip
def test_what_was_seen_of_the_two_is_said_worst_first(pair, severity, text):
    found = judged(pair)
    assert said(found) == text
    assert found.severity is severity


def test_no_lag_is_claimed_where_the_primary_does_not_answer():
    assert figures(judged(Pair(Silent(SQL, say("dead")), STANDBY))) == {"age": 7200}
    assert figures(judged(Pair(PRIMARY, replace(STANDBY, role=Role.PRIMARY), trail=TRAIL))) == {}


SEEN = replace(STANDBY, received=950, replayed=940)


@pytest.mark.parametrize(
    ("standby", "age"),
    [
        # Nobody has written for two hours, and the primary was seen with no more half a minute ago.
        (SEEN, 30),
        (replace(SEEN, replayed_at=None), 30),
        (replace(SEEN, replayed_at=ago(4)), 4),
        (replace(SEEN, received=700, replayed=700), 7200),
        # What is known of another database, or of the one before a takeover, says nothing.
        (replace(SEEN, system="2"), 7200),
        (replace(SEEN, timeline=2), 7200),
    ],
)
def test_without_its_primary_a_copy_is_whole_until_that_was_last_seen_where_it_is(standby, age):
    found = judged(Pair(Silent(SQL, say("dead")), standby, trail=TRAIL))
    assert found.severity is Severity.UNKNOWN
    assert figures(found) == {"age": age}


def test_the_roles_timelines_and_the_synchronisation_of_both_are_facts():
    assert judged(BOTH).facts == {
        "role": "primary", "role.sql": "primary", "role.sql-2": "standby", "timeline": "1", "timeline.sql": "1",
        "timeline.sql-2": "1", "sync": "async", "state": "streaming",
    }  # fmt: skip
    assert judged(Pair(PRIMARY, DEAD)).facts["role.sql-2"] == "unknown"
    swapped = judged(Pair(replace(STANDBY, name=SQL), replace(PRIMARY, name=SQL2)))
    assert (swapped.facts["role"], swapped.severity, said(swapped)) == (
        "standby", Severity.OK, "sql has all that sql-2 has"
    )  # fmt: skip


def test_thresholds_judge_the_lag_and_any_other_figure_by_its_name():
    late = Pair(PRIMARY, replace(STANDBY, received=900, replayed=850), trail=TRAIL)
    assert figures(judged(late)) == {"lag": 60, "behind": 100, "replay_lag": 90, "replay_behind": 150}
    assert judged(late, warning="30s", critical="2 min").severity is Severity.WARNING
    assert judged(late, critical="30s").severity is Severity.CRITICAL
    assert judged(late, thresholds={"replay_behind": {"critical": "100 B"}}).severity is Severity.CRITICAL
    assert judged(late, thresholds={"replay_lag": {"warning": "91s"}}).severity is Severity.OK


def test_a_copy_that_should_be_synchronous_and_is_not_is_a_warning():
    found = judged(BOTH, synchronous=True)
    assert (found.severity, said(found)) == (
        Severity.WARNING, "no commit waits for sql-2 (async): what is lost is lost; sql-2 has all that sql has"
    )  # fmt: skip
    waits = Pair(replace(PRIMARY, streams=(stream(sync="sync"),)), STANDBY)
    assert judged(waits, synchronous=True).severity is Severity.OK


async def test_a_standby_that_the_target_does_not_know_is_not_passed_over(make_io):
    params = ReplicationParams(standby="sql-2")
    with pytest.raises(ProbeFault) as caught:
        await Replication().observe(Target(SQL, "127.0.0.1"), params, make_io())
    assert ENGLISH.render(caught.value.text) == "there is no device sql-2"
