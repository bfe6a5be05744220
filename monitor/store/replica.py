"""The copy of the state of the Relève at the other site: durable, always whole, and nobody acts from it.

In its folder lie `lock`, `current` (the name of the copy in force) and that copy, a folder with `state.db`,
`links.key`, `inventory.json` and `attachments/`. A copy comes into force whole or not at all; it then follows the feed,
each transfer in one transaction with the number of its last row, and is always as the state was between two of its own.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from uuid import uuid4

from sqlalchemy import Connection, Engine, delete, insert, select

from monitor.store import feed
from monitor.store.archive import unpack
from monitor.store.attachments import FOLDER as ATTACHMENTS
from monitor.store.attachments import keep, may_be_kept
from monitor.store.condition import Condition, condition_of, lost, note
from monitor.store.engine import bring_up_to_date, make_engine, quick_check
from monitor.store.errors import Corrupt, corrupt, translated
from monitor.store.feed import Piece, Standing
from monitor.store.feed_apply import Diverged, apply, ended_at
from monitor.store.folder import CURRENT, KEY_FILE, STATE_FILE, WriterLock, prepare, sync_folder, written
from monitor.store.tables import STATE_REVISIONS
from monitor.store.tables import feed as waiting

INVENTORY = "inventory.json"
SENT = (KEY_FILE, INVENTORY)
"""Files of the state beside its database, and the inventory that is in force at the source."""
_COPY, _NAME_BYTES = "copy-", 64
CURSOR, _BROKEN = "cursor", "broken"
AT, MADE, TAKEN = "committed_at", "made_at", "taken"
"""Keys of the copy: its last row, when its last transaction was committed, when the backup was made that it began with,
and what became of it when it was taken over."""

log = logging.getLogger(__name__)
R = TypeVar("R")


class Admission(StrEnum):
    """What becomes of a sender. FOLLOWS: his rows are taken; ANEW: he has to send all of the state first; STALE:
    nothing that he sends is taken, for there is a newer one."""

    FOLLOWS = "follows"
    ANEW = "anew"
    STALE = "stale"


def admission(known: Standing | None, offered: Standing) -> Admission:
    """Return what becomes of a sender with `offered`, where the newest that is known here is `known`."""
    if known is None:
        return Admission.ANEW
    if offered.epoch == known.epoch:
        same = (offered.term, offered.serial) == (known.term, known.serial)
        return Admission.FOLLOWS if same and offered.token >= known.token else Admission.STALE
    return Admission.ANEW if offered.rank > known.rank else Admission.STALE


class Stale(Exception):
    """The sender is no longer the one whose state counts."""


class Gap(Exception):
    """What was sent does not follow what is here; the sender asks where the copy stands and goes on from there."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far the copy is: the number of the last row it has, and when the last whole transaction was committed.

    Both None while there is no copy that could go on.
    """

    cursor: int | None
    committed_at: datetime | None = None


class Replica:
    """The copy in `folder`, for one process and one thread at a time. Methods may raise StoreError.

    `floor`: the standing of the state that this Relève wrote itself, if it ever did; nothing older is taken.
    """

    def __init__(self, folder: Path, floor: Standing | None = None) -> None:
        """Open the copy, if there is one. Raises WriterBusy while another process has it."""
        prepare(folder)
        self.folder = folder
        self._floor = floor
        self._lock: WriterLock | None = WriterLock(folder)
        self._engine: Engine | None = None
        self._condition: Condition | None = None
        try:
            self._remove_leftovers()
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        current = current_copy(self.folder)
        if current is None:
            self._condition = lost(self.folder)
            return
        path, known = current / STATE_FILE, condition_of(self.folder, current.name)
        if known is not None and known.damaged is not None:
            self._condition = known
            return
        engine = make_engine(path, write=True, synchronous="FULL")
        try:
            bring_up_to_date(engine, path, STATE_REVISIONS, write=True)
            inspect(engine, path)
            with translated(path), engine.connect() as connection:
                whose = Condition(current.name, feed.standing(connection))
        except BaseException as error:
            engine.dispose()
            if not isinstance(error, Corrupt):
                raise
            self._give_up(current, known, error)
            return
        self._engine, self._condition = engine, whose
        if whose != known:
            note(self.folder, whose)

    def _give_up(self, copy: Path, known: Condition | None, error: Corrupt) -> None:
        """Let `copy` count for nothing. It lies there until another one comes: it may be all that is left."""
        self._close_copy()
        self._condition = Condition(copy.name, None if known is None else known.standing, str(error))
        log.error("the copy is damaged", extra={"event": "copy_damaged", "path": str(copy), "why": str(error)})
        note(self.folder, self._condition)

    def found_damaged(self, copy: Path | None, error: Corrupt) -> None:
        """Let `copy`, in which `error` was found, count for nothing from now on, if it still is the one in force."""
        if self._engine is not None and copy is not None and self.path == copy:
            self._give_up(copy, self._condition, error)

    @property
    def path(self) -> Path | None:
        """The folder of the copy in force; None while there is none."""
        return current_copy(self.folder)

    @property
    def damaged(self) -> str | None:
        """What was found damaged of the copy, in English; None while nothing was."""
        return None if self._condition is None else self._condition.damaged

    def standing(self) -> Standing | None:
        """Return whose copy this is, also once it is damaged; None while there is none, or where nobody knows."""
        if self._engine is None:
            return None if self._condition is None else self._condition.standing
        return self._do(feed.standing)

    def newest(self) -> Standing | None:
        """Return the newest standing that is known here: nothing older is taken."""
        if self._engine is not None and self.path is None:  # deleted: nobody ever reads what would be written there
            self._close_copy()
            self._open()
        return max(filter(None, (self.standing(), self._floor)), key=lambda one: one.rank, default=None)

    def reached(self) -> Reached:
        """Return how far the copy is."""
        return Reached(None) if self._engine is None else self._do(reached_in)

    def admit(self, offered: Standing) -> Admission:
        """Return what becomes of a sender with `offered`."""
        known = admission(self.newest(), offered)
        return Admission.ANEW if known is Admission.FOLLOWS and self.reached().cursor is None else known

    def take(self, offered: Standing, piece: Piece) -> Reached:
        """Take rows of the feed; once this returns, they survive a power cut. Rows that are here change nothing.

        Raises Stale, Gap, and Diverged: the copy then waits for all of the state.
        """
        self._refuse_stale(offered)
        if self.admit(offered) is not Admission.FOLLOWS:
            raise Gap
        try:
            reached = self._do(lambda connection: _taken(connection, offered, piece))
        except Diverged:
            self._do(lambda connection: feed.put(connection, _BROKEN, True))
            raise
        self._note_token(offered)
        return reached

    def _note_token(self, offered: Standing) -> None:
        known = self._condition
        if known is not None and known.standing is not None and offered.token > known.standing.token:
            self._condition = replace(known, standing=replace(known.standing, token=offered.token))
            note(self.folder, self._condition)

    def install(self, offered: Standing, backup: Path) -> Reached:
        """Let the backup file `backup`, made by the sender for us, be the copy from now on.

        Raises Stale, and Corrupt for a damaged one or one of another sequence; the old copy stays then.
        """
        self._refuse_stale(offered)
        made = self.folder / f"{_COPY}{uuid4().hex[:12]}"
        with translated(made):
            made.mkdir(mode=0o700)
            try:
                manifest = unpack(backup, made)
                reached = _prepare_copy(made / STATE_FILE, offered, manifest["made_at"])
                sync_folder(made)
                written(self.folder / CURRENT, made.name.encode())
            finally:
                if current_copy(self.folder) == made:  # also where the disk fails just then: it is the one in force
                    self._close_copy()
                    self._open()
                else:
                    shutil.rmtree(made, ignore_errors=True)
            self._remove_leftovers()
        return reached

    def lacks(self, files: Mapping[str, str]) -> tuple[str, ...]:
        """Return which of `files` are not in the copy, or not as they are at the source: name to SHA-256.

        What was attached to an incident never changes, so its name is enough. Names that may not be are passed over.
        """
        copy = self.path
        if copy is None:
            return ()
        return tuple(name for name, sha256 in files.items() if may_be_sent(name) and not _has(copy, name, sha256))

    def keep_file(self, offered: Standing, name: str, data: bytes) -> None:
        """Keep the file `name` of the source in the copy, on the disk when this returns. Raises Stale and Gap."""
        self._refuse_stale(offered)
        copy = self.path
        if copy is None or self.admit(offered) is not Admission.FOLLOWS or not may_be_sent(name):
            raise Gap
        folder, slash, attached = name.partition("/")
        if slash:
            keep(copy, attached, data, spare=0)
        else:
            with translated(copy / folder):
                written(copy / folder, data)

    def _refuse_stale(self, offered: Standing) -> None:
        if admission(self.newest(), offered) is Admission.STALE:
            raise Stale

    def _remove_leftovers(self) -> None:
        """Delete copies that are not in force: one that was replaced, one that was being unpacked at a kill."""
        current = current_copy(self.folder)
        for entry in self.folder.glob(f"{_COPY}*"):
            if entry != current and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)

    def _do(self, work: Callable[[Connection], R]) -> R:
        engine, path = self._engine, self.folder / CURRENT
        if engine is None:
            raise Gap
        try:
            with translated(path), engine.begin() as connection:
                return work(connection)
        except Diverged:
            raise
        except Corrupt as error:
            self.found_damaged(self.path, error)
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise corrupt(path, f"a value that cannot be read: {error}") from error

    def _close_copy(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
        self._engine = self._condition = None

    def close(self) -> None:
        """Close the files and let another process have the copy."""
        self._close_copy()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def current_copy(folder: Path) -> Path | None:
    """Return the folder of the copy in force in `folder`, None when there is none. Raises StoreError."""
    path = folder / CURRENT
    with translated(path):
        try:
            name = path.read_bytes()[:_NAME_BYTES].decode("ascii", "replace")
        except FileNotFoundError:
            return None
    found = folder / name
    if not name.startswith(_COPY) or "/" in name or not (found / STATE_FILE).exists():
        return None
    return found


def inspected(copy: Path) -> None:
    """Read all of `copy` from the disk, beside whoever writes there. Raises Corrupt when it could not be taken over."""
    path = copy / STATE_FILE
    engine = make_engine(path, write=False, synchronous="FULL")
    try:
        inspect(engine, path)
    finally:
        engine.dispose()


def inspect(engine: Engine, path: Path) -> None:
    """Raise Corrupt when SQLite finds the file damaged, or it no longer says whose it is and how far."""
    quick_check(engine, path)
    try:
        with translated(path), engine.connect() as connection:
            feed.standing(connection)
            reached_in(connection)
    except (KeyError, TypeError, ValueError) as error:
        raise corrupt(path, f"a value that cannot be read: {error}") from error


def may_be_sent(name: str) -> bool:
    """Return whether `name` is that of a file that belongs to the state, and leads nowhere else."""
    folder, slash, attached = name.partition("/")
    return name in SENT or (bool(slash) and folder == ATTACHMENTS and may_be_kept(attached))


def _has(copy: Path, name: str, sha256: str) -> bool:
    path = copy / name
    with translated(path):
        if not path.is_file() or path.is_symlink():
            return False
        return name not in SENT or hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _prepare_copy(path: Path, offered: Standing, made_at: str) -> Reached:
    """Make a copy out of the database `path`, as it was backed up at the source. Raises Corrupt."""
    engine = make_engine(path, write=True, synchronous="FULL")
    try:
        with translated(path), engine.begin() as connection:
            own = feed.standing(connection)
            if own is None or own.epoch != offered.epoch:
                raise corrupt(path, "it is of another sequence")
            last = feed.extent(connection).last
            feed.stop(connection)
            for key, value in ((CURSOR, last), (AT, None), (MADE, made_at), (_BROKEN, False), (TAKEN, None)):
                feed.put(connection, key, value)
            return Reached(last)
    finally:
        engine.dispose()


def reached_in(connection: Connection) -> Reached:
    """Return how far the copy behind `connection` is."""
    cursor, at = feed.get(connection, CURSOR), feed.get(connection, AT)
    if cursor is None or feed.get(connection, _BROKEN):
        return Reached(None)
    return Reached(int(cursor), None if at is None else datetime.fromisoformat(at))


def _taken(connection: Connection, offered: Standing, piece: Piece) -> Reached:
    before = reached_in(connection)
    if before.cursor is None or piece.first > before.cursor + 1:
        raise Gap
    feed.raise_token(connection, offered.token)
    new = piece.rows[before.cursor + 1 - piece.first :]
    if not new:
        return before
    at = _applied(connection, new)
    cursor = before.cursor + len(new)
    feed.put(connection, CURSOR, cursor)
    if at is not None:
        feed.put(connection, AT, at.isoformat())
    return Reached(cursor, at or before.committed_at)


def _applied(connection: Connection, new: Sequence[str]) -> datetime | None:
    """Apply every transaction that `new` rows complete, and keep the rest; return when the last one was committed."""
    ended: datetime | None = None
    held: list[str] = []
    for body in new:
        if not feed.is_end(body):
            held.append(body)
            continue
        if ended is None:
            held = [*connection.execute(select(waiting.c.body).order_by(waiting.c.seq)).scalars(), *held]
            connection.execute(delete(waiting))
        ended = ended_at(body)
        for one in held:
            apply(connection, one)
        held = []
    if held:
        connection.execute(insert(waiting), [{"body": body} for body in held])
    return ended
