"""What is done next about a promise: a table of all that may be seen, and how it is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from failover.lease import May
from failover.model import DataSet, DataSetId, How, SiteId, Waits
from failover.promise import (
    MakeWait,
    Memory,
    Nothing,
    Relax,
    TakeBack,
    Why,
    WriteKey,
    counted,
    identity,
    let_go,
    next_step,
    promised,
    remembered,
    taken_back,
    waiting,
)
from failover.promise_record import Illegible, TakenBack, decode, encode
from failover.promise_seen import Copy, Looked, Primary, Stream, Wanted
from failover.promise_sql import called
from failover.promise_words import View, unheld, unread, verdict_of
from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Severity
from runbooks.commits_wait import spelled, waited_for
from runbooks.contract import Promised

AT = datetime(2026, 6, 1, 8, tzinfo=UTC)
NOW = 1000.0
WANTED = Wanted(True, "centre", NodeId("sql"), NodeId("sql-2"), 60.0)
STREAM = Stream("sql-2", "10.2.0.10", streaming=True, sync=True, flushed=100)
LAX = Primary(False, "7", 1, 1.5, "", "", True, 100, 150_018, (replace(STREAM, sync=False),))
STRICT = replace(LAX, names=spelled("sql-2"), streams=(STREAM,))
COPY = Copy(True, "7", "sql-2")
RECORD = promised(WANTED, WriteKey(3, "sql-2", "10.2.0.10", STRICT), 9, AT)
LOST = replace(taken_back(RECORD, TakenBack.LOST, 9, AT), why=TakenBack.LOST)
SILENT = say("no answer in time")
READY = replace(waiting(Memory(), 4, identity(STRICT, "sql-2")), mark=90)


def step(record=None, primary=STRICT, copy=COPY, memory=READY, wanted=WANTED, may=May.ACT, revision=4, now=NOW):
    return next_step(wanted, Looked(record, revision, primary, copy), memory, may, now)


def test_the_way_to_a_promise_is_to_make_wait_to_see_it_and_to_write_it():
    looked, memory = Looked(None, 0, LAX, COPY), Memory()
    made = next_step(WANTED, looked, memory, May.ACT, NOW)
    assert made == MakeWait("sql-2", ("7", 1, 1.5, "sql-2"))
    memory = waiting(remembered(looked, memory, NOW), 0, made.of)
    behind = replace(STRICT, flushed=120, at_rest=False)
    for primary, mark in ((behind, None), (replace(behind, at_rest=True), 120), (replace(STRICT, flushed=130), 120)):
        looked = Looked(None, 0, primary, COPY)
        assert next_step(WANTED, looked, memory, May.ACT, NOW) == Nothing(Why.CATCHING_UP)
        memory = remembered(looked, memory, NOW)
        assert memory.mark == mark
    there = replace(STRICT, flushed=150, streams=(replace(STREAM, flushed=120),))
    assert step(None, there, memory=memory, revision=0) == WriteKey(0, "sql-2", "10.2.0.10", there)


RENAMED = replace(STRICT, streams=(STREAM, replace(STREAM, name="sql-3", sync=False)))
NOTHING = {
    "not ours": (Why.NOT_OURS, {"may": May.LAPSED}),
    "not ours, though it stands": (Why.NOT_OURS, {"may": May.NOT_HELD, "record": RECORD}),
    "kept": (Why.KEPT, {"record": RECORD}),
    "kept, while the copy's own server is silent": (Why.KEPT, {"record": RECORD, "copy": SILENT}),
    "stands, and the primary is silent": (Why.PRIMARY_SILENT, {"record": RECORD, "primary": SILENT}),
    "primary silent": (Why.PRIMARY_SILENT, {"primary": SILENT}),
    "no primary": (Why.NO_PRIMARY, {"primary": replace(LAX, standby=True)}),
    "copy just gone": (Why.WAITS, {"record": RECORD, "primary": replace(STRICT, streams=())}),
    "copy gone, not promised": (Why.WAITS, {"primary": replace(STRICT, streams=())}),
    "copy away": (Why.AWAY, {"primary": replace(LAX, streams=())}),
    "copy does not connect": (Why.AWAY, {"primary": LAX, "copy": replace(COPY, name="")}),
    "copy silent": (Why.COPY_SILENT, {"primary": LAX, "copy": SILENT}),
    "copy promoted": (Why.PROMOTED, {"primary": LAX, "copy": replace(COPY, standby=False)}),
    "another database": (Why.ANOTHER, {"primary": LAX, "copy": replace(COPY, system="8")}),
    "never mended": (Why.OLD, {"primary": replace(LAX, version=120_022)}),
    "not yet mended": (Why.OLD, {"primary": replace(LAX, version=150_012)}),
    "weak": (Why.WEAK, {"primary": replace(LAX, weak="synchronous_commit=off")}),
    "set by a person": (Why.FOREIGN, {"primary": replace(LAX, names="ANY 1 (a, b)")}),
    "cleared by a person": (Why.BY_HAND, {"primary": LAX, "record": replace(LOST, why=TakenBack.BY_HAND)}),
    "unnamed": (Why.UNNAMED, {"primary": LAX, "copy": replace(COPY, name="walreceiver")}),
    "named to be quoted": (Why.UNNAMED, {"primary": LAX, "copy": replace(COPY, name="sql 2")}),
    "two of one name": (Why.DOUBLE, {"primary": replace(LAX, streams=(STREAM, replace(STREAM, name="SQL-2")))}),
    "renamed": (Why.DOUBLE, {"copy": replace(COPY, name="sql-3"), "primary": RENAMED}),
    "back, and may go again": (Why.STEADYING, {"primary": LAX, "record": LOST}),
    "not asked for": (Why.NOT_WANTED, {"primary": STRICT, "wanted": replace(WANTED, synchronous=False)}),
    "not seen at rest": (Why.CATCHING_UP, {"primary": replace(STRICT, at_rest=False)}),
    "no mark yet": (Why.CATCHING_UP, {"memory": replace(READY, mark=None)}),
    "potential only": (Why.WAITS, {"primary": replace(STRICT, streams=(replace(STREAM, sync=False),))}),
}


@pytest.mark.parametrize(("why", "seen"), NOTHING.values(), ids=NOTHING)
def test_nothing_is_done_and_why(why, seen):
    assert step(**seen) == Nothing(why)
    record = seen.get("record")
    looked = Looked(record, 4, seen.get("primary", STRICT), seen.get("copy", COPY))
    verdict = verdict_of(View(WANTED, record, Nothing(why), looked))
    fine = why in (Why.KEPT, Why.NOT_WANTED) or (why is Why.NOT_OURS and record is not None)
    assert (verdict.severity is Severity.OK) == fine
    assert ENGLISH.render(verdict.summary)


AGAINST = {
    TakenBack.DROPPED: {"wanted": replace(WANTED, synchronous=False)},
    TakenBack.MOVED: {"wanted": replace(WANTED, site="secours", primary=NodeId("sql-2"), standby=NodeId("sql"))},
    TakenBack.PROMOTED: {"primary": SILENT, "copy": replace(COPY, standby=False)},
    TakenBack.DEMOTED: {"primary": replace(STRICT, standby=True)},
    TakenBack.ANOTHER: {"primary": replace(STRICT, system="8")},
    TakenBack.TIMELINE: {"primary": replace(STRICT, timeline=2)},
    TakenBack.RESTARTED: {"primary": replace(STRICT, started=2.5)},
    TakenBack.BY_HAND: {"primary": LAX},
    TakenBack.WEAK: {"primary": replace(STRICT, weak="watcher@*: synchronous_commit=off")},
    TakenBack.DOUBLE: {"primary": replace(STRICT, streams=(replace(STREAM, address="10.9.9.9"),))},
    TakenBack.LOST: {
        "primary": replace(STRICT, streams=()),
        "memory": Memory(gone_since=NOW - WANTED.degrade_after),
    },
}


@pytest.mark.parametrize("why", AGAINST)
def test_a_promise_is_taken_back_as_soon_as_anything_speaks_against_it(why):
    found = step(RECORD, **AGAINST[why])
    assert found == TakeBack(RECORD, why)
    verdict = verdict_of(View(WANTED, RECORD, found, trouble=say("no voter")))
    assert verdict.severity is Severity.WARNING
    assert ENGLISH.render(verdict.summary).endswith("no voter")
    assert step(RECORD, may=May.TOO_SHORT, **AGAINST[why]) == Nothing(Why.NOT_OURS)


@pytest.mark.parametrize(
    ("copy", "why"),
    [
        (replace(COPY, system="8"), TakenBack.ANOTHER),  # the copy that would be promoted is none of this database
        (replace(COPY, name="sql-3"), TakenBack.DOUBLE),  # who confirms the commits under its name is somebody else
        (replace(COPY, name="SQL-2"), None),
        (replace(COPY, name=""), None),  # it does not connect just now: the primary says whether anybody confirms
    ],
)
def test_a_promise_is_taken_back_when_the_copy_is_not_who_confirms(copy, why):
    assert step(RECORD, copy=copy) == (Nothing(Why.KEPT) if why is None else TakeBack(RECORD, why))


def test_what_is_lost_is_let_go_only_once_the_promise_is_taken_back():
    gone, since = replace(STRICT, streams=()), Memory(gone_since=NOW - 60)
    assert step(RECORD, gone, memory=since) == TakeBack(RECORD, TakenBack.LOST)
    assert step(LOST, gone, memory=since) == Relax(gone, "sql-2", TakenBack.LOST)
    assert step(LOST, gone, memory=replace(since, gone_since=NOW - 59)) == Nothing(Why.WAITS)
    dropped = replace(WANTED, synchronous=False)
    assert step(LOST, STRICT, wanted=dropped) == Relax(STRICT, "sql-2", TakenBack.DROPPED)
    # Only what was seen is believed: whoever was cut off after the voters were told goes on where it was.
    told = let_go(WANTED, Relax(gone, "sql-2", TakenBack.LOST), 9, AT)
    assert step(told, STRICT, wanted=dropped) == Relax(STRICT, "sql-2", TakenBack.DROPPED)
    assert step(told, LAX, wanted=dropped) == TakeBack(told, TakenBack.RELAXED)
    # What a person sets afterwards is theirs, however it is spelled.
    assert step(replace(LOST, why=TakenBack.RELAXED), wanted=dropped) == Nothing(Why.NOT_WANTED)


def test_a_copy_that_was_lost_has_to_stay_before_commits_wait_for_it_again():
    memory, looked = Memory(), Looked(LOST, 4, LAX, COPY)
    for now in (NOW, NOW + 59.0):
        memory = remembered(looked, memory, now)
        assert next_step(WANTED, looked, memory, May.ACT, now) == Nothing(Why.STEADYING)
    assert isinstance(next_step(WANTED, looked, memory, May.ACT, NOW + 60), MakeWait)
    away = remembered(Looked(LOST, 4, replace(LAX, streams=()), COPY), memory, NOW + 60)
    assert away.back_since is None


@pytest.mark.parametrize(
    ("looked", "kept"),
    [
        (Looked(None, 4, STRICT, COPY), True),
        (Looked(None, 5, STRICT, COPY), False),
        (Looked(None, 4, LAX, COPY), False),
        (Looked(None, 4, replace(STRICT, started=9.0), COPY), False),
        (Looked(None, 4, replace(STRICT, timeline=2), COPY), False),
        (Looked(None, 4, SILENT, COPY), True),
    ],
)
def test_what_was_made_to_wait_is_made_so_again_once_it_may_be_otherwise(looked, kept):
    assert (remembered(looked, READY, NOW).base is not None) == kept


def test_a_promise_counts_for_the_move_to_the_copy_that_it_names_and_for_no_other():
    centre, secours = SiteId("centre"), SiteId("secours")
    waits = Waits({centre: NodeId("sql"), secours: NodeId("sql-2")}, wanted=True)
    data = DataSet(DataSetId("crm"), How.POSTGRESQL, timedelta(0), (), waits=waits)
    assert counted(RECORD, data, centre, secours, 8) == Promised(NodeId("sql-2"), "7", 1, AT)
    assert counted(RECORD, data, centre, secours, 9) is None  # written before the last move
    assert counted(RECORD, data, secours, centre, 0) is None
    assert counted(LOST, data, centre, secours, 0) is None
    assert counted(None, data, centre, secours, 0) is None
    assert counted(replace(RECORD, standby="sql-3"), data, centre, secours, 0) is None
    assert counted(RECORD, replace(data, waits=None), centre, secours, 0) is None
    assert step(RECORD, wanted=replace(WANTED, after=9)) == TakeBack(RECORD, TakenBack.MOVED)


def test_records_are_read_as_they_were_written_and_nothing_else_is():
    for record in (RECORD, LOST):
        assert decode(encode(record)) == record
    raw = encode(RECORD)
    for wrong in (b"", b"{}", b"[]", raw[:-1], raw.replace(b'"stands":true', b'"stands":1'), b" " * 5000,
                  raw.replace(b'"timeline":1', b'"timeline":"1"'), raw.replace(b"+00:00", b""),
                  raw.replace(b'"why":null', b'"why":"x"'), b'{"a":1,' + raw[1:]):  # fmt: skip
        with pytest.raises(Illegible):
            decode(wrong)


def test_only_our_own_spelling_is_taken_for_ours():
    assert waited_for(spelled("sql-2.a_B")) == "sql-2.a_B"
    for other in ("", "sql-2", "*", 'FIRST 1 ("*")', 'ANY 1 ("sql-2")', 'FIRST 2 ("sql-2")', 'FIRST 1 ("a", "b")'):
        assert waited_for(other) is None


@pytest.mark.parametrize(
    ("conninfo", "name"),
    [
        ("user=u host=h application_name=sql-2 fallback_application_name=walreceiver", "sql-2"),
        ("user=u host=h fallback_application_name=walreceiver", "walreceiver"),
        ("application_name='a b' host=h", "a b"),
        ("fallback_application_name=x application_name=", "x"),
        ("", ""),
    ],
)
def test_a_copy_is_called_as_it_connects(conninfo, name):
    assert called(conninfo) == name


def test_without_voters_a_copy_that_is_away_holds_up_everything_and_what_to_do_is_told():
    verdict = unread(say("no voter answers"), WANTED, replace(STRICT, streams=()))
    assert verdict.severity is Severity.CRITICAL
    assert "ALTER SYSTEM SET synchronous_standby_names = ''" in ENGLISH.render(verdict.summary)
    for primary in (STRICT, LAX, SILENT, None):
        assert unread(say("no voter answers"), WANTED, primary).severity is Severity.UNKNOWN


def test_commits_that_hang_because_nobody_holds_the_lease_are_told_with_what_to_do():
    verdict = unheld(RECORD, WANTED, replace(STRICT, streams=()))
    assert verdict.severity is Severity.CRITICAL
    assert ENGLISH.render(verdict.summary) == (
        "commits on sql wait for sql-2, which is away, and nothing is let go without the lease of the group, which this"
        " Relève does not hold. Mend that, or bring back the copy; who accepts that data may be lost with the site, "
        "even where a takeover then reports that nothing was: ALTER SYSTEM SET synchronous_standby_names = ''; "
        "SELECT pg_reload_conf();"
    )
    for primary in (STRICT, LAX, SILENT):
        assert unheld(RECORD, WANTED, primary) == verdict_of(View(WANTED, RECORD, Nothing(Why.NOT_OURS)))


def test_commits_that_could_not_be_let_go_are_not_told_as_if_they_were():
    gone, refused = replace(STRICT, streams=()), say("permission denied")
    view = View(WANTED, LOST, Relax(gone, "sql-2", TakenBack.LOST), Looked(LOST, 4, gone, COPY), trouble=refused)
    verdict = verdict_of(view)
    assert verdict.severity is Severity.CRITICAL
    assert "they could not be let go (permission denied). Mend that" in ENGLISH.render(verdict.summary)
    with_copy = replace(view, looked=Looked(LOST, 4, STRICT, COPY))
    assert verdict_of(with_copy).severity is Severity.WARNING  # nothing hangs


def test_how_long_a_copy_has_been_away_is_told():
    view = View(WANTED, RECORD, Nothing(Why.WAITS), away=timedelta(seconds=12))
    said = ENGLISH.render(verdict_of(view).summary).replace("\u00a0", " ")
    assert said == "commits on sql wait for sql-2, which has been away for 12 s; they go on without it after 1 min"
