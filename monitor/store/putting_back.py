"""A backup is put back: beside a copy of the other site's state too, and so that one of the two counts, and it is told.

It is made ready beside what lies in the folder, with an entry in its audit trail and a standing of its own; then what
lies there is set aside, and its files are moved there, `state.db` last. Killed before that, no state is begun in its
place (`monitor.store.opening`), and the same command puts it back from the beginning.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from monitor.core.text import say
from monitor.store import audit, feed, log
from monitor.store.archive import FILES, Exists, hand_over, occupants, set_aside, unpack
from monitor.store.attachments import FOLDER as ATTACHMENTS
from monitor.store.audit import AuditEntry
from monitor.store.ballast import SIZE, Ballast
from monitor.store.engine import make_engine
from monitor.store.errors import StoreError, translated
from monitor.store.folder import (
    BALLAST_FILE,
    CURRENT,
    HISTORY_FILE,
    PEER,
    RESTORING,
    STATE_FILE,
    TAKING,
    WriterLock,
    prepare,
    sync_folder,
)
from monitor.store.rivalry import Extent, Rival, extent, is_older, rival_in
from monitor.store.tables import moment
from monitor.store.taking_over import SKIPPED


@dataclass(frozen=True, slots=True)
class Restored:
    """A backup that was put back: when it was made, the audit `head` in it, and where the files before it lie now.

    `aside` is None where there were none; `copy` is where the copy of the other site's state lies now, None likewise.
    """

    made_at: datetime
    head: str
    has_history: bool
    aside: Path | None
    copy: Path | None = None


class NewerCopy(StoreError):
    """A copy of the other site's state lies here that is newer than the backup; nothing was changed.

    `rival`: that copy; `made_at`: when the backup was made; `backup`: up to where it goes.
    """

    def __init__(self, rival: Rival, backup: Extent, made_at: datetime) -> None:
        self.rival, self.backup, self.made_at = rival, backup, made_at
        super().__init__(
            say("The copy of the other site's state in {path} is newer than the backup", path=str(rival.path))
        )


def put_back(
    folder: Path,
    source: Path,
    now: datetime,
    *,
    actor: str,
    over: bool = False,
    over_copy: bool = False,
    ballast: int = SIZE,
) -> Restored:
    """Put the backup `source` into `folder`, after its hashes and databases were checked; `actor` enters its audit.

    What lies in `folder` is kept in a folder of its own beside the restored files, and only if `over` says so;
    otherwise Exists. So is a copy of the other site's state, and what was put back counts more than whatever its sender
    writes; one that is newer than the backup is set aside only if `over_copy` says so, otherwise NewerCopy. `ballast`
    as for `open_store`. Raises WriterBusy while a Relève runs here or stands by, and Corrupt for a damaged backup.
    """
    prepare(folder)
    peer = folder / PEER
    with ExitStack() as held:
        for one in (folder, peer):
            if one.is_dir():
                held.callback(WriterLock(one).release)
        rival = rival_in(peer) if peer.is_dir() else None
        found = occupants(folder)
        if found and not over and (rival is None or rival.damaged):
            raise _exists(folder, found)  # told before a large backup is unpacked
        with translated(folder):
            begun = _begun_before(folder)
            work = Path(tempfile.mkdtemp(prefix=RESTORING, dir=folder))
            try:
                manifest = unpack(source, work)
                made_at, head = datetime.fromisoformat(manifest["made_at"]), str(manifest["head"])
                newer = _is_newer(rival, work, made_at, over_copy=over_copy)
                if found and not over:
                    raise _exists(folder, found)
                entry = AuditEntry(actor, "restore", {"made_at": made_at.isoformat(), "head": head}, now)
                _make_ready(work / STATE_FILE, entry, rival, begun, now, skipped=SKIPPED if newer else 0)
                there = _there(found, rival, peer)
                aside = set_aside(folder, [], now) if there else None
            except BaseException:
                shutil.rmtree(work, ignore_errors=True)
                raise
            _exchange(folder, work, aside, there)
            for left in folder.glob(f"{RESTORING}*"):  # and of one that was cut short: nobody needs it any more
                shutil.rmtree(left, ignore_errors=True)
        Ballast(folder / BALLAST_FILE, ballast).restore()
    copy = None if aside is None or rival is None else aside / rival.path.name
    copy = copy if copy is not None and copy.exists() else None
    return Restored(made_at, head, HISTORY_FILE in manifest["files"], aside, copy)


def _exists(folder: Path, found: list[Path]) -> Exists:
    return Exists(
        say(
            "{path} is not empty ({names}). With --yes the files there are set aside and the backup takes their place",
            path=str(folder),
            names=", ".join(entry.name for entry in found),
        )
    )


def _is_newer(rival: Rival | None, work: Path, made_at: datetime, *, over_copy: bool) -> bool:
    """Whether the copy may know of incidents that the backup does not. Raises NewerCopy where it counts."""
    if rival is None or rival.damaged:
        return rival is not None
    backup = extent(work / STATE_FILE)
    newer = not is_older(rival.extent, backup, made_at)
    if newer and not over_copy:
        raise NewerCopy(rival, backup, made_at)
    return newer


def _begun_before(folder: Path) -> list[Extent]:
    """Up to where the states go that earlier calls made ready, and were cut short: the copy is no longer in its place,
    and only they say whom it is that what is put back has to count more than, and which numbers are left out."""
    found = []
    for left in folder.glob(f"{RESTORING}*"):
        ready = left / STATE_FILE
        path = ready if ready.exists() else folder / STATE_FILE
        if path.exists():
            with suppress(StoreError, DBAPIError):  # it was being unpacked: nothing was moved yet
                found.append(extent(path))
    return found


def _make_ready(
    path: Path, entry: AuditEntry, rival: Rival | None, begun: list[Extent], now: datetime, *, skipped: int
) -> None:
    """Let the state in `path` say who put it back, and go on under a standing of its own; `skipped`: numbers left out.

    A copy elsewhere may be further on, and cannot follow it. Before it is in place: killed in between, it would go on
    under the numbers of rows that a copy has, with other contents.
    """
    engine = make_engine(path, write=True, synchronous="FULL")
    try:
        with translated(path), engine.begin() as connection:
            others = begun if rival is None else [*begun, rival.extent]
            feed.go_on(connection, [one.standing for one in others if one.standing is not None])
            # People may have been told of incidents under numbers that the backup has yet to give.
            number = log.next_number(connection)
            known = [one.number for one in begun]
            if rival is not None and skipped:
                known.append(max(rival.extent.number, number) + skipped)
            if max(known, default=0) > number:
                log.leave_out(connection, max(known) - number)
            data = dict(entry.data) if rival is None else {**entry.data, "copy_set_aside": _as_json(rival)}
            audit.append(connection, (AuditEntry(entry.actor, entry.action, data, entry.at),), now)
    finally:
        engine.dispose()
    with translated(path), closing(sqlite3.connect(path)) as alone:
        # Out of the write-ahead mode, so that the state is one file, which is moved whole or not at all.
        alone.execute("PRAGMA journal_mode=DELETE").fetchall()


def _as_json(rival: Rival) -> Mapping[str, Any]:
    standing, at = rival.extent.standing, rival.extent.at
    return {
        "copy": rival.path.name,
        "damaged": rival.damaged,
        "written_at": None if at is None else moment(at),
        "epoch": None if standing is None else standing.epoch,
        "token": None if standing is None else standing.token,
        "term": None if standing is None else standing.term,
    }


def _there(found: list[Path], rival: Rival | None, peer: Path) -> list[tuple[Path, str]]:
    """What is set aside, and under which name; first the own state, so that of two the newer one counts until the end.

    Whoever went on with a take-over that was cut short would set aside what is put back: what says so goes as well.
    """
    theirs = [] if rival is None or not rival.path.exists() else [rival.path]
    traces = [(one, f"{PEER}-{one.name}") for one in (peer / CURRENT, peer / TAKING) if one.exists()]
    return [*((one, one.name) for one in (*found, *theirs)), *traces]


def _exchange(folder: Path, work: Path, aside: Path | None, there: list[tuple[Path, str]]) -> None:
    """Move what is `there` to `aside`, and what was made ready in `work` to its place; or nothing, where that fails.

    `state.db` goes last: as long as it is not there, `work` keeps everybody from beginning a new state.
    """
    ways = [] if aside is None else [(old, aside / name) for old, name in there]
    put = [(work / name, folder / name) for name in (*FILES, ATTACHMENTS) if (work / name).exists()]
    ways += sorted(put, key=lambda way: way[1].name == STATE_FILE)
    done: list[tuple[Path, Path]] = []
    try:
        for old, _new in put:
            hand_over(old, folder)
        for old, new in ways:
            if new == folder / STATE_FILE:
                _sync(folder, aside)
            old.rename(new)
            done.append((old, new))
        _sync(folder, aside)
    except BaseException:
        for old, new in reversed(done):
            new.rename(old)
        if aside is not None:
            aside.rmdir()
        shutil.rmtree(work, ignore_errors=True)
        raise


def _sync(folder: Path, aside: Path | None) -> None:
    for one in (aside, folder, folder / PEER):
        if one is not None and one.is_dir():
            sync_folder(one)
