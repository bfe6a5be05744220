"""The copy of the other site's state becomes the state of this Relève.

Three steps, each of which a kill may cut short and the next call goes on with: (1) in one transaction the copy gets a
standing of its own, so that what the old sender sends is refused from then on, and what it had of a transaction that
never ended is forgotten; (2) what lies in the folder of the state is set aside; (3) the files of the copy are moved
there, `state.db` last. While they are, `peer/taking` keeps anybody from beginning a new state.

Before `state.db` is moved, all of it is read from the disk once more: the first reading may be days old, or have been
answered from memory. One that is damaged by then is given up: what was set aside comes back to its place, and the copy
is one that was found damaged, as `monitor.store.condition` has it. That, too, is gone on with after a kill.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection

from monitor.core.text import Text, say, verbatim
from monitor.store import audit, feed, log
from monitor.store.archive import occupants, set_aside
from monitor.store.attachments import FOLDER as ATTACHMENTS
from monitor.store.audit import AuditEntry
from monitor.store.ballast import Ballast
from monitor.store.condition import Condition, condition_of, note
from monitor.store.engine import bring_up_to_date, make_engine, quick_check
from monitor.store.errors import Corrupt, DiskFailed, DiskFull, StoreError, corrupt, translated
from monitor.store.feed import Standing
from monitor.store.folder import (
    BALLAST_FILE,
    CURRENT,
    HISTORY_FILE,
    PEER,
    SESSION_FILE,
    STATE_FILE,
    TAKING,
    WriterLock,
    prepare,
    sync_folder,
    written,
)
from monitor.store.opening import open_store
from monitor.store.replica import AT, SENT, TAKEN, current_copy
from monitor.store.tables import STATE_REVISIONS

SKIPPED = 100
"""Numbers of incidents that are left out. What the other site opened just before it was lost never came here, but
people were told of it under its number, and no other incident may be called so."""
RELIEVED = "relieved"
"""How the names of the folders begin in which lies what was there before a take-over that nobody asked for."""
KEPT = 5
"""Of those folders so many stay: two sites that change their roles every night are not to fill the disk."""
_GIVEN_UP = "given_up"
"""What was found damaged, among what is noted of a take-over that is being taken back."""
R = TypeVar("R")
_HISTORY = tuple(f"{HISTORY_FILE}{log}" for log in ("", "-wal", "-shm"))
_STATE = (*(f"{STATE_FILE}{log}" for log in ("", "-wal", "-shm")), ATTACHMENTS, *SENT)


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What was taken over: the new `standing`, and when the last transaction in it was committed (None: unknown).

    `aside`: where what lay in the folder before lies now; None where there was nothing.
    """

    standing: Standing
    committed_at: datetime | None
    aside: Path | None


def take_over(
    folder: Path, now: datetime, *, actor: str, token: int = 0, by_itself: bool = False, complete: bool = False
) -> TakenOver:
    """Turn the copy in `folder/peer` into the state of `folder`, as `actor` says, under the lease `token` (0: none).

    Repeated after a kill it goes on where it was. `by_itself`: nobody asked for it, and of what is set aside by such
    ones only the newest few are kept. `complete`: the other one has ended, and all of its state is here. On a full disk
    the room that is kept back is taken. Raises WriterBusy
    while a Relève runs here or receives the copy, and StoreError where there is no copy.
    """
    prepare(folder)
    prepare(folder / PEER)
    own = WriterLock(folder)
    try:
        other = WriterLock(folder / PEER)
        try:
            entry, skipped = AuditEntry(actor, "take over", {}, now), 0 if complete else SKIPPED
            return in_kept_room(folder, lambda: _resumed(folder, now, entry, token, skipped, by_itself=by_itself))
        finally:
            other.release()
    finally:
        own.release()


def go_on_after(folder: Path, token: int) -> None:
    """Make ready to go on with the own state in `folder` after the other led under the lease `token`, unknown here.

    It may have opened incidents and told of them. Repeated, it changes nothing. Raises StoreError.
    """
    with open_store(folder, write=True) as store:
        store.leave_out(token, SKIPPED)


def in_kept_room(folder: Path, work: Callable[[], R]) -> R:
    """Return what `work` returns, done once more in the room that `folder` keeps back where the disk is full.

    Even to read a database a file is made beside it, and who cannot read takes nothing over.
    """
    try:
        return work()
    except DiskFull:
        if not Ballast(folder / BALLAST_FILE).release():
            raise
        return work()


def _resumed(folder: Path, now: datetime, entry: AuditEntry, token: int, skipped: int, *, by_itself: bool) -> TakenOver:
    begun = _begun(folder / PEER)
    if begun is None:
        begun = _begin(folder, now, entry, token, skipped, by_itself=by_itself)
    return _taken_over(folder, begun)


def _taken_over(folder: Path, begun: dict[str, Any]) -> TakenOver:
    peer = folder / PEER
    copy = peer / begun["copy"]
    with translated(folder):
        if _GIVEN_UP in begun:
            raise _given_up(folder, copy, begun, verbatim(begun[_GIVEN_UP]))
        if not begun["moving"]:
            _clear(folder, copy, begun)
        try:
            _move(copy, folder, feed.standing_from_json(begun["standing"]))
        except (Corrupt, DiskFailed) as error:
            if not (copy / STATE_FILE).exists():
                raise  # it is in its place, and may have been written since: what lay there before is older
            begun[_GIVEN_UP] = str(error)
            known = begun.get("of")
            of = None if known is None else feed.standing_from_json(known)
            note(peer, Condition(copy.name, of, str(error)))
            written(peer / TAKING, json.dumps(begun).encode())
            raise _given_up(folder, copy, begun, error.text) from error
        (peer / CURRENT).unlink(missing_ok=True)
        shutil.rmtree(copy, ignore_errors=True)
        for old in sorted(folder.glob(f"{RELIEVED}-*"))[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        (peer / TAKING).unlink(missing_ok=True)
        sync_folder(peer)
    at, aside = begun["committed_at"], begun["aside"]
    return TakenOver(
        feed.standing_from_json(begun["standing"]),
        None if at is None else datetime.fromisoformat(at),
        None if aside is None else folder / aside,
    )


def _given_up(folder: Path, copy: Path, begun: dict[str, Any], why: Text) -> Corrupt:
    """Put everything where it was before the take-over; return what is said of it."""
    for name in begun.get("files", (ATTACHMENTS, *SENT)):
        if (folder / name).exists() and not (copy / name).exists():
            (folder / name).rename(copy / name)
    aside = None if begun["aside"] is None else folder / begun["aside"]
    for entry in [] if aside is None or not aside.is_dir() else list(aside.iterdir()):
        entry.rename(folder / entry.name)
    sync_folder(copy)
    sync_folder(folder)
    if aside is not None and aside.is_dir():
        aside.rmdir()
    (folder / PEER / TAKING).unlink()
    sync_folder(folder / PEER)
    return Corrupt(
        say(
            "{why}. Nothing was taken over: the copy of the other Relève's state is damaged, and what lay in {path} "
            "before is there as it was",
            why=why,
            path=str(folder),
        )
    )


def is_begun(folder: Path) -> Standing | None:
    """Return the standing of the state that is being taken over into `folder`; None when none is. Raises StoreError."""
    begun = _begun(folder / PEER)
    return None if begun is None else feed.standing_from_json(begun["standing"])


def _begun(peer: Path) -> dict[str, Any] | None:
    """What an earlier call has begun; None when nothing is under way.

    One that got to its end, but for its own traces, is no longer under way once another copy is in force.
    """
    with translated(peer):
        try:
            begun = _noted((peer / TAKING).read_bytes())
        except FileNotFoundError:
            return None
        except (KeyError, TypeError, ValueError) as error:
            raise _illegible(peer / TAKING) from error
    current = current_copy(peer)
    return begun if current is None or current.name == begun["copy"] else None


def _noted(body: bytes) -> dict[str, Any]:
    begun: dict[str, Any] = json.loads(body)
    feed.standing_from_json(begun["standing"])
    names = [begun["copy"], *([] if begun["aside"] is None else [begun["aside"]]), *begun.get("files", ())]
    if not all(isinstance(name, str) and name == Path(name).name for name in names):
        raise ValueError("no name")
    if begun["committed_at"] is not None:
        datetime.fromisoformat(begun["committed_at"])
    if type(begun["moving"]) is not bool or not isinstance(begun.get(_GIVEN_UP, ""), str):
        raise TypeError("no take-over")
    return begun


def _illegible(path: Path) -> Corrupt:
    return Corrupt(
        say(
            "{path} is damaged: how far the other site's state was taken over is not known. Stop this Relève, delete "
            "that file, take over again (releve peer take-over --yes), and start it. What was moved before lies in the "
            "newest folder before-* or relieved-* then",
            path=str(path),
        )
    )


def _begin(
    folder: Path, now: datetime, entry: AuditEntry, token: int, skipped: int, *, by_itself: bool
) -> dict[str, Any]:
    peer = folder / PEER
    copy = current_copy(peer)
    if copy is None:
        raise _nothing_to_take(folder)
    path = copy / STATE_FILE
    engine = make_engine(path, write=True, synchronous="FULL")
    try:
        bring_up_to_date(engine, path, STATE_REVISIONS, write=True)
        quick_check(engine, path)
        with translated(path), engine.begin() as connection:
            begun = _marked(connection, entry, now, token, skipped)
    except Corrupt as error:
        known = condition_of(peer, copy.name)
        note(peer, Condition(copy.name, None if known is None else known.standing, str(error)))
        raise
    finally:
        engine.dispose()
    with translated(path), closing(sqlite3.connect(path)) as alone:
        # Out of the write-ahead mode, so that the state is one file, which is moved whole or not at all.
        alone.execute("PRAGMA journal_mode=DELETE").fetchall()
    found = _in_the_way(folder, by_itself=by_itself)
    begun |= {"copy": copy.name, "moving": False, "aside": None, "by_itself": by_itself}
    for left in folder.glob(f"{RELIEVED}-*"):
        with suppress(OSError):
            left.rmdir()  # of a try that came no further; whatever holds something stays
    if found:
        begun["aside"] = set_aside(folder, [], now, *((RELIEVED,) if by_itself else ())).name
    with translated(peer):
        written(peer / TAKING, json.dumps(begun).encode())
    return begun


def _nothing_to_take(folder: Path) -> StoreError:
    """Said also to who repeats a take-over that was done: a backup in its place would undo it."""
    if (folder / STATE_FILE).exists():
        return StoreError(
            say(
                "There is no copy of the other site's state in {path}: nothing can be taken over. The state that lies "
                "in {folder} is gone on with (releve run); what was taken over before is in it",
                path=str(folder / PEER),
                folder=str(folder),
            )
        )
    return StoreError(
        say(
            "There is no copy of the other site's state in {path}: nothing can be taken over. Put a backup back "
            "instead (releve restore)",
            path=str(folder / PEER),
        )
    )


def _in_the_way(folder: Path, *, by_itself: bool) -> list[Path]:
    """What is set aside. What this machine measured stays, and the life of who took the lease goes on.

    Where nobody asked for it, only what the copy has as well: what people put here is not ours to throw away later.
    """
    found = [entry for entry in occupants(folder) if entry.name not in (SESSION_FILE, *_HISTORY)]
    return [entry for entry in found if entry.name in _STATE] if by_itself else found


def _marked(connection: Connection, entry: AuditEntry, now: datetime, token: int, skipped: int) -> dict[str, Any]:
    """Give the copy a standing of its own, once; return what is known of it."""
    begun = feed.get(connection, TAKEN)
    if begun is None:
        before, at = feed.standing(connection), feed.get(connection, AT)
        if skipped:
            log.leave_out(connection, skipped)
        feed.go_on(connection)
        after = feed.begin(connection, token)
        of = None if before is None else feed.standing_to_json(before)
        begun = {"standing": feed.standing_to_json(after), "committed_at": at, "of": of}
        feed.put(connection, TAKEN, begun)
        data = {"epoch": after.epoch, "of": None if before is None else before.epoch, "committed_at": at}
        audit.append(connection, (replace(entry, data=data),), now)
        feed.end(connection, now)
    return dict(begun)


def _clear(folder: Path, copy: Path, begun: dict[str, Any]) -> None:
    """Set aside what lies in the folder, and note that from here on what lies there is ours."""
    if begun["aside"] is not None:
        aside = folder / begun["aside"]
        aside.mkdir(mode=0o700, exist_ok=True)  # a backup that was put back meanwhile set it aside
        for entry in _in_the_way(folder, by_itself=begun.get("by_itself", False)):
            if entry != aside:
                entry.rename(aside / entry.name)
        sync_folder(aside)
        sync_folder(folder)
    begun |= {"moving": True, "files": sorted(one.name for one in copy.iterdir() if one.name != STATE_FILE)}
    written(folder / PEER / TAKING, json.dumps(begun).encode())


def _move(copy: Path, folder: Path, standing: Standing) -> None:
    if not (copy / STATE_FILE).exists() and (folder / STATE_FILE).exists():
        _read_anew(folder / STATE_FILE)
    if not copy.is_dir():
        return
    for entry in sorted(copy.iterdir(), key=lambda entry: entry.name == STATE_FILE):
        if entry.name == STATE_FILE:
            sync_folder(folder)
            if _read_anew(entry) != standing:
                raise corrupt(entry, "it does not say who took it over")
        entry.rename(folder / entry.name)
    sync_folder(folder)
    sync_folder(copy)


def _read_anew(path: Path) -> Standing | None:
    """Read all of the state in `path` from the disk, and return whose it says to be. Raises Corrupt or DiskFailed."""
    with path.open("rb") as file:
        # What the system has in memory says nothing of what the disk will give back after the next start.
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    engine = make_engine(path, write=False, synchronous="FULL")
    try:
        quick_check(engine, path)
        with translated(path), engine.connect() as connection:
            return feed.standing(connection)
    except (KeyError, TypeError, ValueError) as error:
        raise corrupt(path, f"a value that cannot be read: {error}") from error
    finally:
        engine.dispose()
