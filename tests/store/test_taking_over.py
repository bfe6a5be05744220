"""The copy becomes the state: whole, once, whatever is killed meanwhile, and the old sender is refused from then on."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import sys
from bisect import bisect_left
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy import event as hook

from alerts.notice import Notice, NoticeState
from failover.itself import Ground
from monitor.core.events import Event
from monitor.store import AuditEntry, Batch, Corrupt, Store, StoreError, WriterBusy, open_store
from monitor.store.archive import back_up
from monitor.store.feed import Piece, Standing
from monitor.store.feed_apply import Diverged
from monitor.store.folder import PEER, SESSION_FILE, TAKING
from monitor.store.link_key import link_key
from monitor.store.replica import Admission, Replica, Stale, current_copy
from monitor.store.taking_over import KEPT, SKIPPED, _begin, go_on_after, take_over
from monitor.store.whose import Footing, footing, own_standing, superseded

KILLED = 86


@pytest.fixture
def centre(store: Store, opening: Callable[..., Event], notice: Callable[..., Notice]) -> tuple[Store, Standing]:
    """A state with an incident that goes on; of its messages one is told, one is being told, one is to come."""
    link_key(store.folder)
    standing = store.feed.start()
    event = opening(1)
    store.commit(
        Batch(
            events=(event,),
            notices=(notice(1), notice(2, due=1), notice(3, due=2)),
            protocols={event.incident: {"n": 1}},
            audit=(AuditEntry("uid:1", "open"),),
        )
    )
    told, _being_told = store.claim(event.at + timedelta(minutes=1), 2)
    store.settle(
        told.key, state=NoticeState.SENT, at=event.at, answer="250", attempts=1, channel="mail", address=told.address
    )
    return store, standing


@pytest.fixture
def secours(tmp_path: Path, centre: tuple[Store, Standing], start: datetime) -> Path:
    """The folder of the other site, with a copy of the centre, up to the last change."""
    store, standing = centre
    folder = tmp_path / "secours"
    back_up(store.folder, tmp_path / "all.zip", start, history=False)
    with Replica(folder / PEER) as replica:
        replica.install(standing, tmp_path / "all.zip")
        store.commit(Batch(audit=(AuditEntry("uid:1", "the last thing"),)))
        piece = store.feed.after(replica.reached().cursor or 0, 2**20)
        assert piece is not None
        replica.take(standing, piece)
    return folder


def whole(folder: Path, before: Store) -> None:
    """The state in `folder` is that of `before` and says who took it over."""
    with open_store(folder, write=True, ballast=0) as store:
        assert store.verify_audit().whole
        assert store.verify_audit(before.audit_head()).whole
        assert store.verify_audit().entries == before.verify_audit().entries + 1
        assert [one.id for one in store.incidents()] == [one.id for one in before.incidents()]
        assert store.notices() == before.notices()
        assert store.recover_sending() == 1
        assert store.load(before.incidents()[0].opened_at, timedelta(days=1)).state.next_number == 2 + SKIPPED
        assert store.feed.on
    assert link_key(folder) == link_key(before.folder)


def test_the_copy_becomes_the_state_with_what_was_being_told(
    centre: tuple[Store, Standing], secours: Path, start: datetime
) -> None:
    store, standing = centre
    done = take_over(secours, start, actor="uid:0")
    assert done.aside is None
    assert done.committed_at is not None
    assert done.standing.epoch != standing.epoch
    assert done.standing.rank > standing.rank
    whole(secours, store)
    assert own_standing(secours) == done.standing
    assert not list((secours / PEER).glob("copy-*"))


def test_what_the_old_site_sends_is_refused_from_then_on(
    centre: tuple[Store, Standing], secours: Path, start: datetime, tmp_path: Path
) -> None:
    store, standing = centre
    take_over(secours, start, actor="uid:0")
    with Replica(secours / PEER, own_standing(secours)) as replica:
        assert replica.admit(standing) is Admission.STALE
        piece = store.feed.after(0, 2**20)
        assert piece is not None
        with pytest.raises(Stale):
            replica.take(standing, piece)
        with pytest.raises(Stale):
            replica.install(standing, tmp_path / "all.zip")


def test_the_roles_can_be_changed_again_and_again(
    centre: tuple[Store, Standing], secours: Path, start: datetime, tmp_path: Path
) -> None:
    store, standing = centre
    homes = [secours, store.folder]
    store.close()
    seen = [standing]
    for turn in range(3):
        here, there = homes[turn % 2], homes[(turn + 1) % 2]
        done = take_over(here, start, actor=f"turn {turn}", token=turn)
        assert all(done.standing.rank > before.rank for before in seen)
        seen.append(done.standing)
        with open_store(here, write=True, ballast=0) as now_active:
            standing = now_active.feed.start(token=turn)
            backup = tmp_path / f"{turn}.zip"
            back_up(here, backup, start, history=False)
            with Replica(there / PEER, own_standing(there)) as replica:
                replica.install(standing, backup)
                assert [replica.admit(old) for old in seen[:-1]] == [Admission.STALE] * (len(seen) - 1)
            numbers = now_active.load(start, timedelta(days=1)).state.next_number
            assert numbers == 2 + SKIPPED * (turn + 1)
    with open_store(homes[0], write=False) as last:
        assert last.verify_audit().whole


def test_what_lies_there_is_set_aside(centre: tuple[Store, Standing], secours: Path, start: datetime) -> None:
    store, _standing = centre
    with open_store(secours, write=True, ballast=0) as own:
        own.commit(Batch(audit=(AuditEntry("uid:9", "of our own"),)))
    (secours / "attachments").mkdir()
    (secours / "attachments" / "ours.txt").write_text("x")
    for name in ("site", "lease-crm.lease"):
        (secours / name).write_text("of this machine")
    done = take_over(secours, start, actor="uid:0")
    assert done.aside is not None
    assert [(secours / name).exists() for name in ("site", "lease-crm.lease")] == [True, True]
    with open_store(done.aside, write=False) as own:
        assert own.verify_audit().entries == 1
    assert (done.aside / "attachments" / "ours.txt").exists()
    whole(secours, store)


def test_without_a_copy_nothing_is_touched(tmp_path: Path, start: datetime) -> None:
    with open_store(tmp_path / "data", write=True, ballast=0):
        pass
    with pytest.raises(StoreError, match="no copy"):
        take_over(tmp_path / "data", start, actor="uid:0")
    assert (tmp_path / "data" / "state.db").exists()


def test_nothing_is_taken_over_while_a_releve_runs_here_or_receives(secours: Path, start: datetime) -> None:
    with Replica(secours / PEER), pytest.raises(WriterBusy):
        take_over(secours, start, actor="uid:0")
    with open_store(secours, write=True, ballast=0), pytest.raises(WriterBusy):
        take_over(secours, start, actor="uid:0")


def killed_at(event: int, folder: Path, start: datetime, *, fails: bool = False) -> bool:
    """Take over in a process that is gone at its `event`th call to the system; return whether it was.

    `fails`: at its end it says that the copy is damaged.
    """
    child = os.fork()
    if child == 0:
        left = [event]

        def count(name: str, _args: object) -> None:
            if name.startswith(("os.", "open", "shutil.", "sqlite3.")):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(KILLED)

        sys.addaudithook(count)
        try:
            take_over(folder, start, actor="uid:0")
        except Corrupt:
            os._exit(0 if fails else 1)
        except BaseException:
            os._exit(1)
        os._exit(1 if fails else 0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, KILLED)
    return code == KILLED


def test_killed_anywhere_it_goes_on_where_it_was(
    centre: tuple[Store, Standing], secours: Path, start: datetime, tmp_path: Path
) -> None:
    store, standing = centre
    with open_store(secours, write=True, ballast=0) as own:
        own.commit(Batch(audit=(AuditEntry("uid:9", "of our own"),)))
    for event in range(random.randrange(3), 1000, 3):
        folder = Path(shutil.copytree(secours, tmp_path / "try" / str(event)))
        killed = killed_at(event, folder, start)
        begins_anew(folder, killed=killed)
        if killed and (folder / PEER / TAKING).exists() and event % 2:
            killed_at(3, folder, start)  # once more
        if (folder / "peer" / TAKING).exists() or not own_standing(folder):
            take_over(folder, start, actor="uid:0")
        whole(folder, store)
        aside = next(folder.glob("before-*/state.db"))
        with open_store(aside.parent, write=False) as own:
            assert own.verify_audit().entries == 1
        with Replica(folder / PEER, own_standing(folder)) as replica:
            assert replica.admit(standing) is Admission.STALE
        shutil.rmtree(folder)
        if not killed:
            break
    else:
        pytest.fail("it never comes to an end")
    assert event > 20


def damaged(copy: Path) -> None:
    """Let the disk give back something else where the trail of `copy` begins."""
    with closing(sqlite3.connect(copy / "state.db")) as database:
        ((page,),) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'audit'")
    with (copy / "state.db").open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(b"no page" * 500)


@pytest.fixture
def besides(secours: Path) -> Path:
    """The folder of the other site, with a state of its own and an attached file besides the copy."""
    link_key(secours)
    with open_store(secours, write=True, ballast=0) as own:
        own.commit(Batch(audit=(AuditEntry("uid:9", "of our own"),)))
    (secours / "attachments").mkdir()
    (secours / "attachments" / "ours.txt").write_text("x")
    return secours


def own_files(folder: Path) -> dict[str, bytes]:
    files = [folder / "links.key", folder / "attachments" / "ours.txt"]
    with open_store(folder, write=False) as own:
        assert own.verify_audit().entries == 1
    return {one.name: one.read_bytes() for one in files}


def given_up(folder: Path, before: dict[str, bytes], sender: Standing, backup: Path) -> None:
    """All is where it was, nobody goes on with the copy, and another one is asked for and can be taken over."""
    assert own_files(folder) == before
    assert not (folder / PEER / TAKING).exists()
    assert not [*folder.glob("before-*"), *folder.glob("relieved-*")]
    assert footing(folder).ground is Ground.DAMAGED
    with Replica(folder / PEER, own_standing(folder)) as replica:
        assert replica.path is not None
        assert (replica.path / "links.key").exists(), "it may be all that is left"
        assert replica.admit(sender) is Admission.ANEW
        replica.install(sender, backup)
    assert footing(folder).ground is Ground.COPY


@pytest.mark.parametrize("by_itself", [False, True])
def test_a_copy_that_was_damaged_since_it_was_begun_is_given_up_and_all_is_as_before(
    centre: tuple[Store, Standing], besides: Path, start: datetime, tmp_path: Path, by_itself: bool
) -> None:
    store, standing = centre
    before, copy = own_files(besides), current_copy(besides / PEER)
    assert copy is not None
    _begin(besides, start, AuditEntry("releve", "take over", {}, start), 0, 0, by_itself=by_itself)  # and killed there
    damaged(copy)
    with pytest.raises(Corrupt, match="Nothing was taken over"):
        take_over(besides, start, actor="releve", by_itself=by_itself)
    given_up(besides, before, standing, tmp_path / "all.zip")
    take_over(besides, start, actor="uid:0")
    assert footing(besides).ground is Ground.OWN
    with open_store(besides, write=False) as taken:
        assert [one.id for one in taken.incidents()] == [one.id for one in store.incidents()]


def test_damage_while_its_files_are_moved_is_found_before_the_last_one_is(
    centre: tuple[Store, Standing], besides: Path, start: datetime, tmp_path: Path
) -> None:
    before = own_files(besides)

    def hurt(name: str, args: tuple[object, ...]) -> None:
        moved = Path(str(args[0])) if name == "os.rename" else Path()
        if moved.name == "links.key" and moved.parent.name.startswith("copy-"):
            damaged(moved.parent)

    child = os.fork()
    if child == 0:
        sys.addaudithook(hurt)
        try:
            take_over(besides, start, actor="uid:0")
        except Corrupt:
            os._exit(KILLED)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED
    given_up(besides, before, centre[1], tmp_path / "all.zip")


def test_killed_anywhere_while_it_is_given_up_it_ends_with_all_as_before(
    centre: tuple[Store, Standing], besides: Path, start: datetime, tmp_path: Path
) -> None:
    before = own_files(besides)
    moving = cut_when(lambda folder: not list((folder / PEER).glob("copy-*/links.key")), besides, start, tmp_path)
    damaged(next((moving / PEER).glob("copy-*")))
    for event in range(random.randrange(5), 1000, 5):
        folder = Path(shutil.copytree(moving, tmp_path / "try" / str(event)))
        killed = killed_at(event, folder, start, fails=True)
        if killed and (folder / PEER / TAKING).exists():
            begins_anew(folder, killed=True)
            with pytest.raises(Corrupt, match="damaged"):
                take_over(folder, start, actor="uid:0")
        given_up(folder, before, centre[1], tmp_path / "all.zip")
        shutil.rmtree(folder)
        if not killed:
            break
    else:
        pytest.fail("it never comes to an end")
    assert event > 20


def cut_when(holds: Callable[[Path], bool], secours: Path, start: datetime, tmp_path: Path) -> Path:
    """The folder as a kill left it at the first call to the system after which `holds` does, for good."""

    def tried(event: int) -> Path:
        folder = tmp_path / "cut" / str(event)
        if not folder.exists():
            shutil.copytree(secours, folder)
            killed_at(event, folder, start)
        return folder

    return tried(bisect_left(range(1024), True, key=lambda event: holds(tried(event))))


def test_damage_of_what_is_in_its_place_already_is_told_and_brings_nothing_older_back(
    besides: Path, start: datetime, tmp_path: Path
) -> None:
    folder = cut_when(lambda folder: not list((folder / PEER).glob("copy-*/state.db")), besides, start, tmp_path)
    damaged(folder)
    with pytest.raises(Corrupt, match="damaged"):
        take_over(folder, start, actor="uid:0")
    assert (next(folder.glob("before-*")) / "state.db").exists()
    assert footing(folder).ground is Ground.TAKEN


def begins_anew(folder: Path, *, killed: bool) -> None:
    """Half a state is never taken for none."""
    if killed and not (folder / "state.db").exists():
        with pytest.raises(StoreError, match="cut short"):
            open_store(folder, write=True, ballast=0)


def test_a_site_that_was_cut_off_never_passes_for_the_newer_one(
    centre: tuple[Store, Standing], secours: Path, start: datetime
) -> None:
    store, _standing = centre
    done = take_over(secours, start, actor="uid:0")
    for _ in range(3):
        store.feed.stop()
        again = store.feed.start()
        assert again.rank < done.standing.rank
    with Replica(secours / PEER, own_standing(secours)) as replica:
        assert replica.admit(again) is Admission.STALE


def test_a_copy_that_is_newer_than_the_own_state_supersedes_it(
    centre: tuple[Store, Standing], secours: Path, start: datetime, tmp_path: Path
) -> None:
    store, _standing = centre
    assert not superseded(store.folder)
    assert superseded(secours)
    with open_store(secours, write=True, ballast=0):
        pass
    assert superseded(secours)
    take_over(secours, start, actor="uid:0")
    assert not superseded(secours)
    with open_store(secours, write=True, ballast=0) as active, Replica(store.folder / PEER, _standing) as replica:
        back_up(secours, tmp_path / "back.zip", start, history=False)
        replica.install(active.feed.start(), tmp_path / "back.zip")
    assert superseded(store.folder)
    assert not superseded(secours)


def test_what_there_is_to_go_on_with_is_known_before_and_after_and_in_between(
    centre: tuple[Store, Standing], secours: Path, start: datetime, tmp_path: Path
) -> None:
    store, _standing = centre
    assert footing(tmp_path / "none") == Footing(Ground.NOTHING, 0)
    assert footing(store.folder) == Footing(Ground.OWN, 0)
    store.feed.start(token=3)
    assert footing(store.folder) == Footing(Ground.OWN, 3)
    assert footing(secours) == Footing(Ground.COPY, 0)
    seen = []
    for event in range(0, 1000, 7):
        folder = Path(shutil.copytree(secours, tmp_path / "try" / str(event)))
        killed = killed_at(event, folder, start)
        seen.append(footing(folder).ground)
        if not killed:
            break
    assert list(dict.fromkeys(seen)) == [Ground.COPY, Ground.TAKEN, Ground.OWN]
    assert seen == sorted(seen, key=list(dict.fromkeys(seen)).index), "nothing of it is taken back"


def test_a_copy_that_cannot_follow_is_no_ground_until_a_person_takes_over_what_there_is(
    centre: tuple[Store, Standing], secours: Path, start: datetime
) -> None:
    _store, standing = centre
    with Replica(secours / PEER) as replica:
        first = (replica.reached().cursor or 0) + 1
        with pytest.raises(Diverged):
            replica.take(standing, Piece(first, ('["-","audit",{"seq":9999}]', '[".","2026-11-23T02:00:00+00:00"]')))
    assert footing(secours) == Footing(Ground.BROKEN, 0)
    take_over(secours, start, actor="uid:1")
    assert footing(secours) == Footing(Ground.OWN, 0)


def test_whoever_takes_over_by_itself_keeps_its_life_its_figures_and_what_people_put_there(
    centre: tuple[Store, Standing], secours: Path, start: datetime, tmp_path: Path
) -> None:
    store, _standing = centre
    link_key(secours)
    (secours / SESSION_FILE).write_text("f" * 32)
    (secours / "saved.zip").write_text("a backup")
    with open_store(secours, write=True, ballast=0):
        pass
    (secours / "history.db").write_text("what was measured here")
    for turn in range(KEPT + 2):
        take_over(secours, start + timedelta(seconds=turn), actor="releve", token=2 * turn, by_itself=True)
        with Replica(secours / PEER, own_standing(secours)) as replica:
            standing = store.feed.start(token=2 * turn + 1)
            back_up(store.folder, tmp_path / f"{turn}.zip", start, history=False)
            replica.install(standing, tmp_path / f"{turn}.zip")
    assert (secours / SESSION_FILE).read_text() == "f" * 32
    assert ((secours / "saved.zip").exists(), (secours / "history.db").exists()) == (True, True)
    assert len(list(secours.glob("relieved-*/state.db"))) == KEPT
    assert not list(secours.glob("before-*"))


@pytest.mark.parametrize(
    "noted", [b"", bytes(200), b"[]", b"{}", b'{"standing": 1}', b'{"copy": "../..", "aside": null, "moving": false}']
)
def test_what_was_noted_of_a_take_over_and_cannot_be_read_moves_nothing(
    secours: Path, start: datetime, noted: bytes
) -> None:
    (secours / PEER / TAKING).write_bytes(noted)
    for look in (footing, lambda folder: take_over(folder, start, actor="uid:0")):
        with pytest.raises(Corrupt, match="delete that file"):
            look(secours)
    (secours / PEER / TAKING).unlink()
    take_over(secours, start, actor="uid:0")
    assert footing(secours).ground is Ground.OWN


def test_whoever_takes_over_a_second_time_is_not_sent_to_a_backup(secours: Path, start: datetime) -> None:
    with pytest.raises(StoreError, match="releve restore"):
        take_over(secours.with_name("none"), start, actor="uid:0")
    take_over(secours, start, actor="uid:0")
    with pytest.raises(StoreError, match="releve run") as caught:
        take_over(secours, start, actor="uid:0")
    assert "restore" not in str(caught.value)


def test_where_all_has_come_no_number_is_left_out(secours: Path, start: datetime) -> None:
    take_over(secours, start, actor="releve", token=1, complete=True)
    with open_store(secours, write=False) as taken:
        assert taken.load(start, timedelta(days=1)).state.next_number == 2


def test_what_the_other_opened_unknown_here_keeps_its_numbers_once_for_each_time_that_it_led(
    tmp_path: Path, start: datetime
) -> None:
    found = []
    for token in (5, 5, 4, 7):
        go_on_after(tmp_path / "data", token)
        with open_store(tmp_path / "data", write=False) as store:
            found.append(store.load(start, timedelta(days=1)).state.next_number)
    assert found == [SKIPPED + 1, SKIPPED + 1, SKIPPED + 1, 2 * SKIPPED + 1]


def test_on_a_full_disk_it_takes_the_room_that_is_kept_back(
    centre: tuple[Store, Standing], secours: Path, start: datetime
) -> None:
    ballast = secours / "ballast"
    ballast.write_bytes(b"kept back")

    def no_room(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if ballast.exists() and statement.startswith(("INSERT", "UPDATE", "DELETE")):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

    hook.listen(Engine, "before_cursor_execute", no_room)
    try:
        take_over(secours, start, actor="uid:0")
    finally:
        hook.remove(Engine, "before_cursor_execute", no_room)
    assert not ballast.exists()
    whole(secours, centre[0])


def test_tries_that_fail_leave_nothing_behind_that_grows(secours: Path, start: datetime) -> None:
    open_store(secours, write=True, ballast=0).close()
    (secours / PEER / f".{TAKING}.new").mkdir()  # in the way of what it writes down
    for _try in range(3):
        with pytest.raises((StoreError, OSError)):
            take_over(secours, start, actor="releve", by_itself=True)
    assert len(list(secours.glob("relieved-*"))) == 1
