"""The ledger of recordings: what it returns is what is proven now, and what it acknowledged survives."""

from __future__ import annotations

import random
import sqlite3
import stat
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

import monitor.store
from monitor.store.engine import bring_up_to_date, make_engine, make_file
from monitor.store.recordings import PAGE, RECORDINGS_FILE, RecordingsLedger
from monitor.store.recordings_tables import RECORDINGS, RECORDINGS_REVISIONS
from runbooks.ledger import Amount, Archived, LedgerFailed, Proven, Seen, Standing, Tally

NOW = datetime(2026, 11, 23, 2, 5, 0, 123456, tzinfo=UTC)
STAMP = int(NOW.timestamp())
MINUTE = timedelta(minutes=1)
AUDIO = "audio"
EVERYTHING = NOW + timedelta(days=365)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[RecordingsLedger]:
    made = RecordingsLedger(tmp_path)
    yield made
    made.close()


def file(name: str, age: int = 0, size: int = 1000) -> Seen:
    """A file last written `age` seconds before NOW."""
    return Seen(name, size, STAMP - age)


def proof(seen: Seen, copy: str | None = None, at: datetime = NOW) -> Proven:
    return Proven(*seen, "ab" * 32, seen.path if copy is None else copy, at)


def archived(seen: Seen, copy: str | None = None) -> Archived:
    return Archived(*seen, seen.path if copy is None else copy)


def proven(ledger: RecordingsLedger, *files: Seen) -> None:
    ledger.look(AUDIO, files, NOW - MINUTE)
    ledger.prove(AUDIO, [proof(one) for one in files])


def test_a_file_is_closed_once_it_has_stood_unchanged(ledger: RecordingsLedger) -> None:
    grows, rests = file("grows"), file("rests")
    assert ledger.look(AUDIO, [grows, rests], NOW) == 2
    assert ledger.closed(AUDIO, NOW - MINUTE, 10) == []
    ledger.look(AUDIO, [grows._replace(size=2000), rests], NOW + MINUTE)
    assert ledger.closed(AUDIO, NOW, 10) == [rests]
    ledger.look(AUDIO, [grows._replace(size=2000, mtime=STAMP + 90), rests], NOW + 2 * MINUTE)
    assert ledger.closed(AUDIO, NOW + MINUTE, 10) == [rests]
    assert [one.path for one in ledger.closed(AUDIO, NOW + 2 * MINUTE, 10)] == ["rests", "grows"]


def test_closed_files_come_oldest_first_in_pages_and_only_below_the_horizon(ledger: RecordingsLedger) -> None:
    files = [file(f"{n:02}", age=60 * n) for n in range(10)] + [file("10", age=60 * 9)]
    ledger.look(AUDIO, files, NOW)
    expected = sorted(files, key=lambda one: (one.mtime, one.path))
    assert ledger.closed(AUDIO, NOW, 100) == expected
    pages: list[Seen] = []
    while page := ledger.closed(AUDIO, NOW, 3, after=pages[-1] if pages else None):
        assert len(page) <= 3
        pages += page
    assert pages == expected
    ledger.prove(AUDIO, [proof(one) for one in expected[:2]])
    assert ledger.closed(AUDIO, NOW, 100, written_before=NOW - 5 * MINUTE) == expected[2:5]


def test_a_file_written_in_the_second_of_the_horizon_may_be_younger(ledger: RecordingsLedger) -> None:
    inside, before = file("inside", age=60), file("before", age=61)
    proven(ledger, inside, before)
    assert NOW.microsecond
    assert list(ledger.oldest(AUDIO, NOW - MINUTE)) == [archived(before)]
    assert list(ledger.oldest(AUDIO, NOW - MINUTE + timedelta(seconds=1))) == [archived(before), archived(inside)]


def test_a_file_that_changed_is_open_again_and_its_copy_is_remembered(ledger: RecordingsLedger, tmp_path: Path) -> None:
    proven(ledger, file("a"), file("b"))
    assert len(list(ledger.oldest(AUDIO, EVERYTHING))) == 2
    longer = file("a", size=1001)
    ledger.look(AUDIO, [longer, file("b")], NOW)
    assert list(ledger.oldest(AUDIO, EVERYTHING)) == [archived(file("b"))]
    assert ledger.closed(AUDIO, NOW - timedelta(seconds=1), 10) == []
    assert ledger.closed(AUDIO, NOW, 10) == [longer]
    ledger.close()
    with closing(sqlite3.connect(tmp_path / RECORDINGS_FILE)) as raw:
        assert raw.execute("SELECT path, size, deleting_at FROM kept").fetchall() == [("a", 1000, None)]


def test_a_proof_of_a_file_that_changed_meanwhile_does_not_count(ledger: RecordingsLedger) -> None:
    ledger.look(AUDIO, [file("a")], NOW)
    ledger.look(AUDIO, [file("a", size=7)], NOW + MINUTE)
    ledger.prove(AUDIO, [proof(file("a")), proof(file("never seen"))])
    assert list(ledger.oldest(AUDIO, EVERYTHING)) == []
    ledger.prove(AUDIO, [])


def test_deleted_files_do_not_come_again_and_what_is_known_of_their_copies_stays(
    ledger: RecordingsLedger, tmp_path: Path
) -> None:
    a, b, c = file("a", age=3), file("b", age=2), file("c", age=1)
    proven(ledger, a, b)
    ledger.look(AUDIO, [c], NOW - MINUTE)
    ledger.deleting(AUDIO, ["a"], NOW)
    assert len(list(ledger.oldest(AUDIO, EVERYTHING))) == 2
    ledger.deleted(AUDIO, ["a", "c"], NOW + MINUTE)
    assert list(ledger.oldest(AUDIO, EVERYTHING)) == [archived(b)]
    assert ledger.closed(AUDIO, EVERYTHING, 10) == []
    ledger.close()
    with closing(sqlite3.connect(tmp_path / RECORDINGS_FILE)) as raw:
        kept = raw.execute("SELECT path, sha256, deleting_at, gone_at FROM kept").fetchall()
    assert kept == [("a", "ab" * 32, STAMP * 1000 + 123, (STAMP + 60) * 1000 + 123)]


def test_a_doubted_copy_is_made_anew(ledger: RecordingsLedger) -> None:
    proven(ledger, file("a"), file("b"))
    ledger.doubt(AUDIO, ["a"])
    assert list(ledger.oldest(AUDIO, EVERYTHING)) == [archived(file("b"))]
    assert ledger.closed(AUDIO, NOW - MINUTE, 10) == [file("a")]
    ledger.prove(AUDIO, [proof(file("a"), copy="a.1")])
    assert archived(file("a"), copy="a.1") in list(ledger.oldest(AUDIO, EVERYTHING))


def test_the_list_may_be_written_between_two_of_the_oldest(ledger: RecordingsLedger) -> None:
    files = [file(f"{n:05}", age=100_000 - n // 3) for n in range(2 * PAGE + 5)]
    proven(ledger, *files)
    came = []
    for one in ledger.oldest(AUDIO, EVERYTHING):
        came.append(one.path)
        if len(came) % 700 == 1:
            ledger.deleted(AUDIO, [one.path, files[-len(came)].path], NOW)
    assert came == sorted(set(came))
    assert came[:PAGE] == [one.path for one in files[:PAGE]]
    assert files[-1].path not in came


def test_folders_of_recordings_do_not_mix(ledger: RecordingsLedger) -> None:
    proven(ledger, file("a"))
    ledger.look("video", [file("a")], NOW - MINUTE)
    assert list(ledger.oldest("video", EVERYTHING)) == []
    ledger.deleted("video", ["a"], NOW)
    ledger.doubt("video", ["a"])
    assert list(ledger.oldest(AUDIO, EVERYTHING)) == [archived(file("a"))]
    assert list(ledger.oldest("nobody's", EVERYTHING)) == []


def test_the_tally_counts_every_file_once(ledger: RecordingsLedger) -> None:
    old = [file(f"old{n}", age=3600, size=10) for n in range(4)]
    young = [file(f"young{n}", age=10, size=100) for n in range(3)]
    assert ledger.tally(AUDIO, seen_before=NOW) == Tally()
    ledger.look(AUDIO, [*old[:3], *young], NOW - 2 * MINUTE)
    ledger.look(AUDIO, old[3:], NOW)
    ledger.prove(AUDIO, [proof(old[0]), proof(young[0])])
    assert ledger.tally(AUDIO, seen_before=NOW - MINUTE, written_before=NOW - MINUTE) == Tally(
        young=Amount(3, 300), proven=Amount(1, 10), closed=Amount(2, 20), open=Amount(1, 10)
    )
    assert ledger.tally(AUDIO, seen_before=NOW - MINUTE) == Tally(
        proven=Amount(2, 110), closed=Amount(4, 220), open=Amount(1, 10)
    )


def test_the_standing_is_the_oldest_without_a_proof_and_the_newest_proof(ledger: RecordingsLedger) -> None:
    assert ledger.standing(AUDIO) == Standing()
    a, b, c = file("a", age=300), file("b", age=200), file("c", age=100)
    ledger.look(AUDIO, [a, b, c], NOW)
    ledger.look("other", [file("z", age=900)], NOW)
    assert ledger.standing(AUDIO) == Standing(datetime.fromtimestamp(a.mtime, UTC))
    early, late = NOW.replace(microsecond=0), NOW.replace(microsecond=0) + MINUTE
    ledger.prove(AUDIO, [proof(a, at=late), proof(c, at=early)])
    assert ledger.standing(AUDIO) == Standing(datetime.fromtimestamp(b.mtime, UTC), late)
    ledger.prove(AUDIO, [proof(b, at=early)])
    assert ledger.standing(AUDIO) == Standing(None, late)
    ledger.look(AUDIO, [Seen("c", 1, 2**60)], NOW)
    assert ledger.standing(AUDIO).unproven is not None


NAMES = st.sampled_from(["a", "A", "é", "x/y", "%", "_", "\U0001f4de", "a "])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("look"), st.lists(st.builds(Seen, NAMES, st.integers(0, 3), st.integers(0, 5)))),
        st.tuples(st.just("prove"), st.builds(Seen, NAMES, st.integers(0, 3), st.integers(0, 5))),
        st.tuples(st.just("deleted"), NAMES),
        st.tuples(st.just("doubt"), NAMES),
    ),
    max_size=25,
)


@given(steps=STEPS)
def test_what_is_proven_is_what_a_plain_table_in_memory_says(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, object]]
) -> None:
    ledger = RecordingsLedger(tmp_path_factory.mktemp("ledger"))
    there: dict[str, Seen] = {}
    safe: set[str] = set()
    for kind, what in steps:
        match kind, what:
            case "look", list(seen):
                ledger.look(AUDIO, seen, NOW)
                for one in {one.path: one for one in seen}.values():
                    if there.get(one.path) != one:
                        safe.discard(one.path)
                    there[one.path] = one
            case "prove", Seen() as one:
                ledger.prove(AUDIO, [proof(one)])
                if there.get(one.path) == one:
                    safe.add(one.path)
            case "deleted", str(path):
                ledger.deleted(AUDIO, [path], NOW)
                there.pop(path, None)
                safe.discard(path)
            case _, str(path):
                ledger.doubt(AUDIO, [path])
                safe.discard(path)
    expected = sorted((there[path] for path in safe), key=lambda one: (one.mtime, one.path.encode()))
    assert list(ledger.oldest(AUDIO, EVERYTHING)) == [archived(one) for one in expected]
    rest = sorted(
        (one for path, one in there.items() if path not in safe), key=lambda one: (one.mtime, one.path.encode())
    )
    assert ledger.closed(AUDIO, NOW, 100) == rest
    ledger.close()


def test_choosing_among_200_000_files_takes_no_memory(ledger: RecordingsLedger) -> None:
    count = 200_000
    ledger.look(AUDIO, (file(f"2026/11/{n:06}_0612345678.wav", age=count - n) for n in range(count)), NOW)
    ledger.prove(AUDIO, (proof(file(f"2026/11/{n:06}_0612345678.wav", age=count - n)) for n in range(0, count, 1)))
    tracemalloc.start()
    try:
        total, last = 0, -1
        for one in ledger.oldest(AUDIO, EVERYTHING):
            assert one.mtime > last
            last, total = one.mtime, total + 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == count
    assert peak < 4 * 2**20


def test_the_file_is_for_one_user_only_and_every_commit_is_on_disk(ledger: RecordingsLedger, tmp_path: Path) -> None:
    proven(ledger, file("a"))
    assert stat.S_IMODE((tmp_path / RECORDINGS_FILE).stat().st_mode) == 0o600
    with ledger._opened().connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_a_reader_sees_what_the_writer_wrote_and_writes_nothing(ledger: RecordingsLedger, tmp_path: Path) -> None:
    reader = RecordingsLedger(tmp_path, write=False)
    with pytest.raises(LedgerFailed, match="no state"):
        list(reader.oldest(AUDIO, EVERYTHING))
    proven(ledger, file("a"))
    assert list(reader.oldest(AUDIO, EVERYTHING)) == [archived(file("a"))]
    assert list(reader.oldest("another", EVERYTHING)) == []
    with pytest.raises(LedgerFailed):
        reader.deleted(AUDIO, ["a"], NOW)
    reader.close()
    assert list(ledger.oldest(AUDIO, EVERYTHING)) == [archived(file("a"))]


def test_a_damaged_ledger_says_so_and_is_taken_up_again_when_it_is_put_right(
    ledger: RecordingsLedger, tmp_path: Path
) -> None:
    proven(ledger, file("a"))
    ledger.close()
    path = tmp_path / RECORDINGS_FILE
    whole = path.read_bytes()
    path.write_bytes(b"garbage " * 2000)
    for call in (
        lambda: ledger.look(AUDIO, [file("a")], NOW),
        lambda: ledger.deleting(AUDIO, ["a"], NOW),
        lambda: list(ledger.oldest(AUDIO, EVERYTHING)),
    ):
        with pytest.raises(LedgerFailed, match="damaged"):
            call()
    path.write_bytes(whole)
    assert list(ledger.oldest(AUDIO, EVERYTHING)) == [archived(file("a"))]


def test_a_full_disk_is_told_and_nothing_of_the_batch_is_written(ledger: RecordingsLedger) -> None:
    proven(ledger, file("a"))
    with ledger._opened().connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
    with pytest.raises(LedgerFailed, match="full"):
        ledger.look(AUDIO, [file("x" * 200 + str(n)) for n in range(900)], NOW)
    assert ledger.tally(AUDIO, seen_before=NOW).closed == Amount()
    assert ledger.look(AUDIO, [file("b")], NOW) == 1


def test_one_holds_a_name_at_a_time(ledger: RecordingsLedger) -> None:
    with ledger.holding("archive") as first, ledger.holding("archive") as second, ledger.holding("other") as third:
        assert (first, second, third) == (True, False, True)
    with ledger.holding("archive") as again:
        assert again


def test_many_threads_may_use_it_at_once(ledger: RecordingsLedger) -> None:
    failed: list[BaseException] = []

    def work(n: int) -> None:
        try:
            mine = [file(f"{n}/{m}", age=m) for m in range(60)]
            ledger.look(AUDIO, mine, NOW)
            ledger.prove(AUDIO, [proof(one) for one in mine])
            assert sum(one.path.startswith(f"{n}/") for one in ledger.oldest(AUDIO, EVERYTHING)) == len(mine)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert ledger.tally(AUDIO, seen_before=NOW).proven == Amount(480, 480_000)


WRITER = """
import sys
from datetime import datetime, timedelta, UTC
from pathlib import Path
from monitor.store.recordings import RecordingsLedger
from runbooks.ledger import Proven, Seen

now, begin = datetime(2026, 11, 23, 2, 5, tzinfo=UTC), int(sys.argv[2])
ledger = RecordingsLedger(Path(sys.argv[1]))
print("ready", flush=True)
for n in range(begin, begin + 10_000):
    one = Seen(str(n), n, n)
    ledger.look("audio", [one], now)
    print("seen", n, flush=True)
    ledger.prove("audio", [Proven(*one, "ab" * 32, one.path, now)])
    print("proven", n, flush=True)
    if n % 2:
        ledger.deleted("audio", [one.path], now)
        print("deleted", n, flush=True)
"""


def test_all_that_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    seen, proven_, gone, last = set[str](), set[str](), set[str](), set[str]()
    for round_ in range(3):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(round_ * 10_000)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            lines = [writer.stdout.readline() for _ in range(moments.randrange(5, 60))]
            writer.kill()
            lines += writer.stdout.readlines()
        said = [line.split() for line in lines if line.endswith("\n")][1:]
        last.add(said[-1][1])
        for word, name in said:
            {"seen": seen, "proven": proven_, "deleted": gone}[word].add(name)
    ledger = RecordingsLedger(tmp_path)
    safe = {one.path for one in ledger.oldest(AUDIO, EVERYTHING)}
    known = safe | {one.path for one in ledger.closed(AUDIO, EVERYTHING, 100_000)}
    ledger.close()
    # What was under way when it was killed may be done although nobody said so.
    assert proven_ - gone - last <= safe
    assert seen - gone - last <= known
    assert not gone & known
    assert proven_ - last


def test_migrations_make_the_tables_that_the_code_knows(tmp_path: Path) -> None:
    path = tmp_path / RECORDINGS_FILE
    make_file(path)
    engine = make_engine(path, write=True, synchronous="FULL")
    bring_up_to_date(engine, path, RECORDINGS_REVISIONS, write=True)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), RECORDINGS) == []
        indexes = (
            connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name LIKE 'ix_files%'").scalars().all()
        )
        without = connection.exec_driver_sql("SELECT name FROM pragma_table_list WHERE wr = 1").scalars().all()
    engine.dispose()
    assert list(without) == ["files"]
    assert sorted(sql.split(" WHERE ")[1] for sql in indexes) == ["proven_at IS NOT NULL", "proven_at IS NULL"]


def test_the_revisions_that_the_code_knows_are_those_that_there_are() -> None:
    scripts = ScriptDirectory(str(Path(monitor.store.__file__).parent / "migrations" / "recordings"))
    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == RECORDINGS_REVISIONS


def test_tables_can_be_written_for_postgresql() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    written = [str(CreateTable(table).compile(dialect=dialect)) for table in RECORDINGS.sorted_tables]
    indexes = [
        str(CreateIndex(index).compile(dialect=dialect))
        for table in RECORDINGS.tables.values()
        for index in table.indexes
    ]
    assert len(written) == 3
    assert [words.count(" WHERE ") for words in indexes] == [1, 1]


def test_choosing_reads_nothing_but_an_index(ledger: RecordingsLedger) -> None:
    proven(ledger, file("a"), file("b"))
    with ledger._opened().connect() as connection:
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT path, size, mtime, copy FROM files WHERE folder = 1 AND proven_at IS NOT NULL "
            "AND mtime < 9 AND (mtime, path) > (1, '') ORDER BY mtime, path LIMIT 9"
        ).all()
    assert [row.detail for row in plan] == [
        "SEARCH files USING COVERING INDEX ix_files_proven (folder=? AND (mtime,path)>(?,?) AND mtime<?)"
    ]


def test_the_oldest_come_in_order_whatever_the_order_of_the_looks(ledger: RecordingsLedger) -> None:
    files = [file(f"{n}", age=n * 7 % 101) for n in range(100)]
    proven(ledger, *files)
    assert all(one.mtime <= two.mtime for one, two in pairwise(ledger.oldest(AUDIO, EVERYTHING)))
