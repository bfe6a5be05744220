"""How the state in a folder is opened: made where it is new, checked, and locked against other writers."""

from __future__ import annotations

from pathlib import Path

from monitor.core.text import say
from monitor.store.ballast import SIZE, Ballast
from monitor.store.engine import bring_up_to_date, make_engine, make_file, missing, quick_check
from monitor.store.errors import DiskFull, StoreError, corrupt, translated
from monitor.store.folder import BALLAST_FILE, HISTORY_FILE, PEER, RESTORING, STATE_FILE, TAKING, WriterLock, prepare
from monitor.store.history import History
from monitor.store.store import Store
from monitor.store.tables import STATE_REVISIONS


def open_store(folder: Path, *, write: bool, ballast: int = SIZE) -> Store:
    """Return the state in `folder`; to `write`, it is made where it is not there, and locked against other writers.

    `ballast`: bytes to keep back on the disk, 0 for none. Raises ReadOnlyFolder, NetworkFileSystem, WriterBusy,
    DiskFull, Corrupt, NewerSchema; to read also MissingStore and OlderSchema.
    """
    kept_back = Ballast(folder / BALLAST_FILE, ballast)
    if not write:
        with translated(folder):
            if not (folder / STATE_FILE).exists():
                raise missing(folder / STATE_FILE)
        return _opened(folder, kept_back, None)
    prepare(folder)
    return open_locked(folder, WriterLock(folder), kept_back)


def open_locked(folder: Path, lock: WriterLock, ballast: Ballast) -> Store:
    """Return the state in `folder` for the process that holds `lock`; the lock is released if that fails."""
    try:
        try:
            store = _opened(folder, ballast, lock)
        except DiskFull:
            if not ballast.release():
                raise
            store = _opened(folder, ballast, lock)
        ballast.restore()
    except BaseException:
        lock.release()
        raise
    return store


def _opened(folder: Path, ballast: Ballast, lock: WriterLock | None) -> Store:
    path, write = folder / STATE_FILE, lock is not None
    if write:
        _refuse_a_lost_state(folder)
        make_file(path)
    engine = make_engine(path, write=write, synchronous="FULL")
    try:
        bring_up_to_date(engine, path, STATE_REVISIONS, write=write)
        store = Store(engine, History(folder, write=write), folder, ballast, lock)
        if write:
            quick_check(engine, path)
            store.mend()
    except BaseException:
        engine.dispose()
        raise
    return store


def _refuse_a_lost_state(folder: Path) -> None:
    """A state that is gone beside a history that is there is not begun anew: incident numbers would be given twice.

    Nor is one begun in the middle of taking over the other site's, or of putting a backup back.
    """
    state, history = folder / STATE_FILE, folder / HISTORY_FILE
    with translated(folder):
        empty = not state.exists() or state.stat().st_size == 0
        if empty and (folder / PEER / TAKING).exists():
            raise StoreError(
                say(
                    "The other site's state is being taken over into {path}, and that was cut short; finish it first "
                    "(releve peer take-over)",
                    path=str(folder),
                )
            )
        if empty and next(folder.glob(f"{RESTORING}*"), None) is not None:
            raise StoreError(
                say(
                    "A backup was being put back into {path}, and that was cut short; put it back again "
                    "(releve restore FILE --yes)",
                    path=str(folder),
                )
            )
        if empty and history.exists() and history.stat().st_size > 0:
            raise corrupt(state, "it is empty or gone, while history.db has data")
