"""Every change of the state is in the feed, in its order, and the copy that follows it is a prefix of the state."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, Integer, String, event

from alerts.notice import Audience, Message, Notice, NoticeKey, NoticeState, Step
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.health import Health
from monitor.core.ids import CheckId, IncidentId
from monitor.core.plan import incident_id
from monitor.core.text import say
from monitor.core.verdict import Severity
from monitor.store import AuditEntry, Batch, DiskFailed, Store, feed, open_store
from monitor.store.archive import back_up
from monitor.store.feed import FED, LEFT_OUT, Piece, Standing
from monitor.store.feed_apply import Diverged, apply
from monitor.store.folder import STATE_FILE
from monitor.store.putting_back import put_back
from monitor.store.replica import Admission, Gap, Replica, Stale, admission
from monitor.store.tables import STATE, Moment
from probes.beat import Beat, Job

NOW = datetime.fromisoformat("2026-11-23T02:05:00+00:00")
Dump = dict[str, list[tuple[Any, ...]]]


def dump(engine: Engine) -> Dump:
    """All that is copied, table by table."""
    with engine.connect() as connection:
        found = {
            name: sorted((tuple(row) for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"')), key=repr)
            for name in FED
        }
    found["meta"] = [row for row in found["meta"] if row[0] != LEFT_OUT]
    return found


def copy_of(replica: Replica) -> Dump:
    assert replica._engine is not None
    return dump(replica._engine)


@dataclass
class Source:
    """A store whose every state is remembered under the number of the last row of the feed then."""

    store: Store
    number: int = 0
    states: dict[int, Dump] = field(default_factory=dict)

    def do(self, what: str, size: int) -> None:
        getattr(self, what)(size)
        self.remember()

    def remember(self) -> None:
        self.states[self.store.feed.extent().last] = dump(self.store.engine)

    def open_incidents(self, size: int) -> None:
        events, notices, protocols = [], [], {}
        for _ in range(size):
            self.number += 1
            name = incident_id(self.number, NOW)
            events.append(Event(name, NOW, EventKind.OPENED, RELEVE, say("é'\"\\\n"), kind_name="x", began_at=NOW))
            key = NoticeKey(name, Audience.CLIENT, Step.UPDATE, 1, "att")
            message = Message("s'é", "text\x00\u2028" * 50, '<p>"h"</p>', "short")
            notices.append(Notice(key, NOW, NOW, key.message_id("s"), message, "mail", "a@example.org", "fr"))
            protocols[name] = {"n": self.number}
        audit = (AuditEntry("uid:1", "open", {"n": self.number}),)
        self.store.commit(Batch(events=tuple(events), notices=tuple(notices), protocols=protocols, audit=audit))

    def send(self, size: int) -> None:
        for one in self.store.claim(NOW, size):
            self.remember()
            self.store.settle(
                one.key, state=NoticeState.SENT, at=NOW, answer="250", attempts=1, channel="mail", address="a"
            )

    def end_incidents(self, size: int) -> None:
        names = [incident_id(n, NOW) for n in range(max(1, self.number - size), self.number + 1)]
        self.store.commit(Batch(events=tuple(Event(n, NOW, EventKind.RESOLVED, "uid:1", say("OK")) for n in names)))

    def healths(self, size: int) -> None:
        changed = {
            CheckId(f"c{n}"): Health(Severity.OK, Severity.OK, self.number, n, NOW, NOW, NOW) for n in range(size)
        }
        self.store.commit(Batch(healths=changed, removed=(CheckId(f"c{size}"), CheckId("never"))))

    def jobs(self, size: int) -> None:
        known = NOW + timedelta(seconds=self.number)
        self.store.put_jobs(
            {CheckId(f"j{n}"): Job(known, Beat(known, True, "x")) for n in range(size)}, [CheckId("j9")]
        )

    def nothing(self, size: int) -> None:
        self.store.recover_sending()


WORK = st.tuples(
    st.sampled_from(["open_incidents", "send", "end_incidents", "healths", "jobs", "nothing"]), st.integers(1, 4)
)
TRANSFER = st.tuples(
    st.sampled_from(["next", "again", "ahead", "killed", "receiver restarts", "sender restarts"]),
    st.integers(1, 4000),
    st.integers(0, 12),
)


@contextmanager
def breaks_at(replica: Replica, statement: int) -> Iterator[None]:
    """A receiver that is gone at the `statement`th statement of a transaction."""
    left, engine = [statement], replica._engine
    assert engine is not None

    def count(*_: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    event.listen(engine, "before_cursor_execute", count)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        event.remove(engine, "before_cursor_execute", count)


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a state in `a` and a copy of it in `b`, to be copied: schemas take longer than all the rest."""
    work = tmp_path_factory.mktemp("beginning")
    with open_store(work / "a", write=True, ballast=0) as store:
        Source(store).do("open_incidents", 1)
        standing = store.feed.start()
        back_up(work / "a", work / "all.zip", NOW, history=False)
    with Replica(work / "b") as replica:
        replica.install(standing, work / "all.zip")
    return work


@settings(max_examples=20, deadline=None)
@given(steps=st.lists(WORK | TRANSFER, min_size=3, max_size=25))
def test_whatever_is_cut_repeated_or_out_of_order_the_copy_is_a_prefix_of_the_state(
    beginning: Path, steps: list[Any]
) -> None:
    with tempfile.TemporaryDirectory() as work:
        follow(Path(shutil.copytree(beginning, Path(work) / "x")), steps)


def follow(work: Path, steps: list[Any]) -> None:
    source = Source(open_store(work / "a", write=True, ballast=0), number=1)
    standing = source.store.feed.start()
    source.remember()
    replica = Replica(work / "b")
    reached = replica.reached().cursor
    assert reached == 0
    for step in [*steps, ("next", 10**9, 0)]:
        if len(step) == 2:
            source.do(*step)
            continue
        kind, size, offset = step
        if kind == "receiver restarts":
            replica.close()
            replica = Replica(work / "b")
        elif kind == "sender restarts":
            source.store.close()
            source.store = open_store(work / "a", write=True, ballast=0)
            assert source.store.feed.start() == standing
        else:
            reached = transfer(source, replica, standing, kind, size, offset, reached)
        assert replica.reached().cursor == reached
        last_whole = max(seq for seq in source.states if seq <= reached)
        assert copy_of(replica) == source.states[last_whole]
    assert reached == source.store.feed.extent().last
    assert copy_of(replica) == dump(source.store.engine)
    replica.close()
    source.store.close()


def transfer(
    source: Source, replica: Replica, standing: Standing, kind: str, size: int, offset: int, reached: int
) -> int:
    """Do to the copy what a line may do; return how far it has to be then."""
    begin = {"again": max(0, reached - offset), "ahead": reached + offset}.get(kind, reached)
    piece = source.store.feed.after(begin, size)
    assert piece is not None or kind == "ahead"
    if piece is None:
        return reached
    if piece.first > reached + 1:
        with pytest.raises(Gap):
            replica.take(standing, piece)
        return reached
    if kind == "killed":
        with breaks_at(replica, offset):
            replica.take(standing, piece)
        now = replica.reached().cursor
        assert now in (reached, piece.last)
        return now
    assert replica.take(standing, piece).cursor == max(reached, piece.last)
    return max(reached, piece.last)


@pytest.fixture
def followed(store: Store, tmp_path: Path) -> Iterator[tuple[Source, Replica, Standing]]:
    """A source with some incidents, and a copy of it."""
    source = Source(store)
    source.do("open_incidents", 2)
    standing = store.feed.start()
    back_up(store.folder, tmp_path / "all.zip", NOW, history=False)
    with Replica(tmp_path / "other" / "peer") as replica:
        replica.install(standing, tmp_path / "all.zip")
        yield source, replica, standing


def catch_up(source: Source, replica: Replica, standing: Standing) -> None:
    piece = source.store.feed.after(replica.reached().cursor or 0, 2**30)
    assert piece is not None
    replica.take(standing, piece)


def test_every_table_of_the_state_is_copied_and_holds_nothing_that_json_cannot() -> None:
    assert set(FED) == set(STATE.tables) - {"feed", "feed_state"}
    for table in FED.values():
        assert list(table.primary_key), table.name
        assert all(isinstance(column.type, String | Integer | Moment) for column in table.columns), table.name


def test_what_was_undone_takes_its_numbers_back(followed: tuple[Source, Replica, Standing]) -> None:
    source, replica, standing = followed
    before = source.store.feed.extent().last
    with pytest.raises(TypeError):
        source.store.commit(Batch(audit=(AuditEntry("x", "y"), AuditEntry("x", "z", {"no": object()}))))  # type: ignore[dict-item]
    assert source.store.feed.extent().last == before
    source.do("healths", 1)
    catch_up(source, replica, standing)
    assert copy_of(replica) == dump(source.store.engine)


def test_a_change_without_the_daemon_is_in_the_feed_too(followed: tuple[Source, Replica, Standing]) -> None:
    source, replica, standing = followed
    folder = source.store.folder
    source.store.close()
    with open_store(folder, write=True, ballast=0) as offline:
        offline.commit(Batch(audit=(AuditEntry("uid:0", "repair"),)))
    source.store = open_store(folder, write=True, ballast=0)
    catch_up(source, replica, standing)
    assert copy_of(replica) == dump(source.store.engine)
    source.store.close()


def test_what_the_copy_has_is_forgotten_and_no_number_is_given_twice(
    followed: tuple[Source, Replica, Standing],
) -> None:
    source, replica, standing = followed
    source.do("healths", 3)
    catch_up(source, replica, standing)
    last = source.store.feed.extent().last
    source.store.feed.forget(last)
    assert source.store.feed.extent().first == last
    assert source.store.feed.after(last - 2, 100) is None
    assert source.store.feed.after(last, 100) == Piece(last + 1, ())
    assert source.store.feed.after(last + 1, 100) is None
    source.do("jobs", 1)
    catch_up(source, replica, standing)
    assert copy_of(replica) == dump(source.store.engine)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        '["+"]',
        '["+","nothing",{}]',
        '["+","feed_state",{"key":"standing","value":"{}"}]',
        '["+","jobs",{"check_id":"x"}]',
        '["+","jobs",{"check_id":"x","body":{"a":1}}]',
        '["+","jobs",{"check_id":"x","body":true}]',
        '["+","jobs",{"check_id":"x","body":"y","body\\" --":"z"}]',
        '["~","jobs",{"check_id":"never"},{"body":"x"}]',
        '["~","jobs",{},{"body":"x"}]',
        '["~","jobs",{"check_id":"x"},{}]',
        '["-","jobs",{"check_id":"never"}]',
        '["-","events",{"incident":"26-0001"}]',
        '["+","events",{"incident":"no","seq":1,"at":"x","kind":"x","body":"x"}]',
        '[".","x"]',
        "[" * 5000,
    ],
)
def test_a_row_that_does_not_fit_changes_nothing_and_asks_for_all_of_the_state(
    followed: tuple[Source, Replica, Standing], body: str
) -> None:
    source, replica, standing = followed
    before, cursor = copy_of(replica), replica.reached().cursor
    assert cursor is not None
    end = '[".","2026-11-23T02:05:00+00:00"]'
    job = '["+","jobs",{"check_id":"good","body":"{}"}]'
    with pytest.raises(Diverged):
        replica.take(standing, Piece(cursor + 1, (job, body, end)))
    assert copy_of(replica) == before
    assert replica.admit(standing) is Admission.ANEW
    with pytest.raises(Gap):
        catch_up(source, replica, standing)
    (replica.folder / "all.zip").unlink(missing_ok=True)
    back_up(source.store.folder, replica.folder / "all.zip", NOW, history=False)
    replica.install(standing, replica.folder / "all.zip")
    assert replica.admit(standing) is Admission.FOLLOWS


def test_the_ranks_of_senders_decide_who_is_heard() -> None:
    known = Standing("b", token=4, term=100)
    cases = {
        Standing("b", 4, 100): Admission.FOLLOWS,
        Standing("b", 5, 100): Admission.FOLLOWS,
        Standing("b", 3, 100): Admission.STALE,
        Standing("b", 4, 101): Admission.STALE,
        Standing("b", 4, 100, 1): Admission.STALE,
        Standing("a", 4, 100, 1): Admission.ANEW,
        Standing("a", 4, 99, 7): Admission.STALE,
        Standing("a", 4, 101): Admission.ANEW,
        Standing("a", 5, 1): Admission.ANEW,
        Standing("a", 4, 100): Admission.STALE,
        Standing("a", 3, 999): Admission.STALE,
    }
    assert {offered: admission(known, offered) for offered in cases} == cases
    assert admission(None, known) is Admission.ANEW


def test_a_disk_that_fails_just_when_a_new_copy_is_in_force_loses_neither(
    followed: tuple[Source, Replica, Standing], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, replica, _standing = followed
    source.store.feed.stop()
    source.do("open_incidents", 1)
    anew, backup, left = source.store.feed.start(), tmp_path / "anew.zip", [1]
    back_up(source.store.folder, backup, NOW, history=False)
    synced = os.fsync

    def fails_once(descriptor: int) -> None:
        if left and os.path.samestat(os.fstat(descriptor), replica.folder.stat()):
            left.pop()
            raise OSError(errno.EIO, "Input/output error")
        synced(descriptor)

    monkeypatch.setattr(os, "fsync", fails_once)
    with pytest.raises(DiskFailed):
        replica.install(anew, backup)
    assert not left
    assert replica.standing() == anew
    catch_up(source, replica, anew)
    assert copy_of(replica) == dump(source.store.engine)
    replica.close()
    with Replica(replica.folder) as again:
        assert copy_of(again) == dump(source.store.engine)


def test_a_backup_that_was_put_back_begins_another_sequence(
    followed: tuple[Source, Replica, Standing], tmp_path: Path
) -> None:
    source, replica, standing = followed
    folder = source.store.folder
    source.store.close()
    put_back(folder, tmp_path / "all.zip", NOW, actor="uid:0", over=True, ballast=0)
    with open_store(folder, write=True, ballast=0) as again:
        assert not again.feed.on
        anew = again.feed.start()
        assert replica.admit(anew) is Admission.ANEW
        with pytest.raises(Gap):
            replica.take(anew, Piece(1, ()))
        (tmp_path / "all.zip").unlink()
        back_up(folder, tmp_path / "all.zip", NOW, history=False)
        replica.install(anew, tmp_path / "all.zip")
        assert copy_of(replica) == dump(again.engine)
    with pytest.raises(Stale):
        replica.take(standing, Piece(1, ()))
    with pytest.raises(Stale):
        replica.install(standing, tmp_path / "all.zip")


def test_a_feed_whose_triggers_are_not_whole_begins_anew(reopen: Callable[..., Store]) -> None:
    before = reopen().feed.start()
    store = reopen()
    assert store.feed.start() == before
    with store.engine.begin() as connection:
        connection.exec_driver_sql('DROP TRIGGER "feed_notices_update"')
    store = reopen()
    assert store.feed.on
    after = store.feed.start()
    assert after.epoch != before.epoch
    assert after.rank > before.rank


def test_a_feed_that_is_off_costs_no_row(store: Store) -> None:
    source = Source(store)
    source.do("open_incidents", 1)
    assert store.feed.extent().last == 0
    store.feed.start()
    source.do("healths", 1)
    store.feed.stop()
    source.do("healths", 2)
    assert store.feed.extent().last == 0
    assert store.feed.standing() is not None


def test_a_newer_token_goes_on_with_the_sequence_and_an_older_one_is_stale(
    followed: tuple[Source, Replica, Standing],
) -> None:
    source, replica, standing = followed
    newer = source.store.feed.start(token=7)
    assert (newer.epoch, newer.token) == (standing.epoch, 7)
    source.do("healths", 1)
    catch_up(source, replica, newer)
    assert replica.standing() == newer
    with pytest.raises(Stale):
        replica.take(standing, Piece(1, ()))


def test_files_beside_the_database_are_kept_too(followed: tuple[Source, Replica, Standing]) -> None:
    _source, replica, standing = followed
    wanted = {"links.key": "0" * 64, "attachments/photo.jpg": "", "attachments/../state.db": "", "state.db": ""}
    assert replica.lacks(wanted) == ("links.key", "attachments/photo.jpg")
    replica.keep_file(standing, "links.key", b"k" * 32)
    replica.keep_file(standing, "attachments/photo.jpg", b"photo")
    assert replica.lacks({"links.key": sha256(b"k" * 32).hexdigest(), "attachments/photo.jpg": ""}) == ()
    for bad in ("state.db", "attachments/../state.db", "attachments/", "../x", "current"):
        with pytest.raises(Gap):
            replica.keep_file(standing, bad, b"x")
    assert replica.path is not None
    assert (replica.path / "links.key").read_bytes() == b"k" * 32
    assert (replica.path / "attachments" / "photo.jpg").read_bytes() == b"photo"


def test_a_damaged_copy_stays_until_another_takes_its_place(
    followed: tuple[Source, Replica, Standing], tmp_path: Path
) -> None:
    _source, replica, standing = followed
    path = replica.path
    assert path is not None
    replica.close()
    (path / STATE_FILE).write_bytes(b"no database" * 1000)
    with Replica(tmp_path / "other" / "peer") as again:
        assert again.reached().cursor is None
        assert again.admit(standing) is Admission.ANEW
        assert path.exists()
        again.install(standing, tmp_path / "all.zip")
        assert not path.exists()
        assert again.admit(standing) is Admission.FOLLOWS


def test_rows_are_applied_by_the_names_of_our_own_tables_alone(store: Store) -> None:
    with store.engine.begin() as connection, pytest.raises(Diverged):
        apply(connection, '["-","jobs; DROP TABLE jobs",{"check_id":"x"}]')
    with store.engine.begin() as connection:
        feed.put(connection, "x", 1)
        assert feed.get(connection, "x") == 1


def test_incident_numbers_go_on_in_the_copy(followed: tuple[Source, Replica, Standing]) -> None:
    source, replica, standing = followed
    source.do("open_incidents", 1)
    catch_up(source, replica, standing)
    assert ("26-0003",) in {row[:1] for row in copy_of(replica)["incidents"]}
    assert IncidentId("26-0003") in {one.id for one in source.store.incidents()}
