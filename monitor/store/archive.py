"""One file that holds everything: made while the daemon runs, checked before it is put back.

A backup is a ZIP file with `manifest.json`, `state.db`, `history.db`, `links.key`, the key of the links in messages,
and `attachments/` with the files that people attached to incidents.
The manifest names the SHA-256 and the size of each, when the backup was made, and the head of the audit trail in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from monitor.core.text import Text, say
from monitor.store.attachments import FOLDER as ATTACHMENTS
from monitor.store.attachments import kept, may_be_kept
from monitor.store.engine import bring_up_to_date, make_engine, quick_check
from monitor.store.errors import Corrupt, DiskFull, HistoryUnavailable, StoreError, disk_full, translated
from monitor.store.folder import (
    BALLAST_FILE,
    HIGHEST_FILE,
    HISTORY_FILE,
    KEY_FILE,
    LEASES,
    LOCK_FILE,
    PEER,
    RESTORING,
    SITE_FILE,
    STATE_FILE,
    give_to_owner_of_folder,
    sync_folder,
)
from monitor.store.link_key import kept_key
from monitor.store.opening import open_store
from monitor.store.store import Store
from monitor.store.tables import HISTORY_REVISIONS, STATE_REVISIONS

FORMAT = 3
"""Of the archive; a later one that this version cannot read has another number. 1 had no key of links, 2 no files that
people attached."""
MANIFEST = "manifest.json"
_MANIFEST_BYTES = 16 * 2**20
_CHUNK = 2**20
_SQUEEZE = 1
"""zlib level: samples halve at any level, and a backup should not keep the machine busy."""
_REVISIONS = {STATE_FILE: STATE_REVISIONS, HISTORY_FILE: HISTORY_REVISIONS}
FILES = (*_REVISIONS, KEY_FILE)
"""What a backup holds besides files that people attached."""


class Exists(StoreError):
    """What would be written over is there already."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made: `size` in bytes, the audit `head` in it, and whether it `has_history`.

    `left_out` says why it has none although there is one.
    """

    path: Path
    size: int
    made_at: datetime
    head: str
    has_history: bool
    left_out: Text | None = None


def back_up(folder: Path, target: Path, now: datetime, *, history: bool = True) -> Backup:
    """Copy the state in `folder` into the new file `target` (mode 0600), also while a daemon writes it.

    A `history` that is not asked for or cannot be read is left out. Raises StoreError: Exists, MissingStore, Corrupt,
    DiskFull ...
    """
    if not target.parent.is_dir():
        raise StoreError(say("There is no folder {path}", path=str(target.parent)))
    if target.exists():
        raise Exists(say("{path} is there already; choose another name", path=str(target)))
    with open_store(folder, write=False) as store:
        head = store.audit_head()
        left_out = _unreadable(store) if history else None
    has_history = history and left_out is None and (folder / HISTORY_FILE).exists()
    names = (STATE_FILE, HISTORY_FILE) if has_history else (STATE_FILE,)
    with translated(target), tempfile.TemporaryDirectory(prefix=".releve-backup-", dir=target.parent) as work:
        for name in names:
            _copy(folder / name, Path(work) / name)
        key = kept_key(folder)
        if key is not None:
            (Path(work) / KEY_FILE).write_bytes(key)
            names = (*names, KEY_FILE)
        for attached in kept(folder):
            names = (*names, _copied(folder, attached, Path(work)))
        made = Path(work) / target.name
        _pack(
            made,
            Path(work),
            names,
            {"format": FORMAT, "releve": version("releve"), "made_at": now.isoformat(), "head": head},
        )
        made.replace(target)
        sync_folder(target.parent)
        return Backup(target, target.stat().st_size, now, head, has_history, left_out)


def _unreadable(store: Store) -> Text | None:
    try:
        store.series()
    except HistoryUnavailable as error:
        return error.text
    return None


def _copied(folder: Path, attached: str, work: Path) -> str:
    """Copy one attached file, which never changes once it is there, into `work`; return its name in the archive."""
    (work / ATTACHMENTS).mkdir(exist_ok=True)
    name = f"{ATTACHMENTS}/{attached}"
    shutil.copyfile(folder / name, work / name, follow_symlinks=False)
    return name


def _copy(source: Path, target: Path) -> None:
    """Copy one database as it is at one moment (SQLite's online backup)."""
    try:
        with (
            translated(source),
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            reading.backup(writing)
            # Out of the write-ahead mode, so that the copy is one file and nothing else.
            writing.execute("PRAGMA journal_mode=DELETE").fetchall()
    except DiskFull as error:
        raise disk_full(target) from error
    engine = make_engine(target, write=False, synchronous="FULL")
    try:
        quick_check(engine, source)
    finally:
        engine.dispose()


def _pack(made: Path, work: Path, names: tuple[str, ...], manifest: dict[str, Any]) -> None:
    with os.fdopen(_new_file(made), "w+b") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_SQUEEZE) as archive:
            manifest["files"] = {name: _seal(work / name) for name in names}
            archive.writestr(MANIFEST, json.dumps(manifest, indent=2))
            for name in names:
                archive.write(work / name, name)
        file.flush()
        os.fsync(file.fileno())


def _seal(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "size": path.stat().st_size}


def _new_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def occupants(folder: Path) -> list[Path]:
    """Return what a restored state would stand beside; a socket is only the trace of a daemon that is gone.

    The highest number stays where it is: under it somebody was told something, whatever is put back. So does the copy
    of the other site's state, which is not ours, and what belongs to the machine: its site, and the leases it keeps.
    """
    stay = (LOCK_FILE, BALLAST_FILE, HIGHEST_FILE, PEER, SITE_FILE)
    with translated(folder):
        found = [e for e in folder.iterdir() if e.name not in stay and not e.name.startswith((LEASES, RESTORING))]
        return sorted(entry for entry in found if not entry.is_socket())


def set_aside(folder: Path, found: list[Path], now: datetime, named: str = "before") -> Path:
    """Move what is there, logs of the databases included: a log left behind would be played into the restored one."""
    aside = Path(tempfile.mkdtemp(prefix=f"{named}-{now.astimezone(UTC):%Y%m%d-%H%M%S}-", dir=folder))
    hand_over(aside, folder)
    for entry in found:
        entry.rename(aside / entry.name)
    return aside


def hand_over(made: Path, folder: Path) -> None:
    """Let what root restored into the folder of the daemon's user belong to that user, whom it would shut out."""
    for inner in made.iterdir() if made.is_dir() else ():
        hand_over(inner, folder)
    descriptor = os.open(made, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        give_to_owner_of_folder(descriptor, folder)
    finally:
        os.close(descriptor)


def unpack(source: Path, work: Path) -> Mapping[str, Any]:
    """Write what is in the backup `source` into `work`, each file checked; return the manifest. Raises Corrupt."""
    with _reading(source) as archive:
        manifest = _manifest(source, archive)
        for name, seal in manifest["files"].items():
            if _is_attached(name):
                (work / ATTACHMENTS).mkdir(mode=0o700, exist_ok=True)
            with archive.open(name) as packed:
                _write_checked(source, packed, work / name, str(seal["sha256"]), int(seal["size"]))
            if name in _REVISIONS:
                _check_database(source, work / name)
    return manifest


@contextmanager
def _reading(source: Path) -> Iterator[zipfile.ZipFile]:
    if not source.is_file():
        raise StoreError(say("There is no file {path}", path=str(source)))
    try:
        with translated(source), zipfile.ZipFile(source) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, KeyError, TypeError) as error:
        raise _damaged(source, str(error) or type(error).__name__) from error


def _manifest(source: Path, archive: zipfile.ZipFile) -> Mapping[str, Any]:
    with archive.open(MANIFEST) as packed:
        manifest: Mapping[str, Any] = json.loads(packed.read(_MANIFEST_BYTES))
    if manifest["format"] not in range(1, FORMAT + 1):
        raise StoreError(
            say(
                "{path} was made by a newer version of Relève ({version}); install that version",
                path=str(source),
                version=str(manifest["releve"]),
            )
        )
    datetime.fromisoformat(manifest["made_at"])
    names = set(manifest["files"])
    if STATE_FILE not in names or not all(name in FILES or _is_attached(name) for name in names):
        raise _damaged(source, ", ".join(sorted(names)))
    return manifest


def _is_attached(name: str) -> bool:
    """Whether `name` in an archive is that of an attached file, and leads nowhere else."""
    folder, _slash, file = name.partition("/")
    return folder == ATTACHMENTS and may_be_kept(file)


def _write_checked(source: Path, packed: IO[bytes], target: Path, sha256: str, size: int) -> None:
    seen, left = hashlib.sha256(), size
    with translated(target), os.fdopen(_new_file(target), "wb") as file:
        while chunk := packed.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                break
            seen.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if left or seen.hexdigest() != sha256:
        raise _damaged(source, f"{target.name}: SHA-256")


def _check_database(source: Path, path: Path) -> None:
    """Whether this version can read the database; an older schema is brought up to date here, apart from the rest."""
    engine = make_engine(path, write=True, synchronous="FULL")
    try:
        quick_check(engine, path)
        bring_up_to_date(engine, path, _REVISIONS[path.name], write=True)
    except Corrupt as error:
        raise _damaged(source, path.name) from error
    finally:
        engine.dispose()


def _damaged(source: Path, why: str) -> Corrupt:
    return Corrupt(
        say("{path} is damaged or is no backup of Relève ({why}); take an older one", path=str(source), why=why)
    )
